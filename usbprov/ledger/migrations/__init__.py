"""Alembic's scripts. Which schema a ledger is at, its table ``meta`` says."""
