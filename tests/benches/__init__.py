"""Several benches, each a program of its own, on one roster and one PostgreSQL database."""
