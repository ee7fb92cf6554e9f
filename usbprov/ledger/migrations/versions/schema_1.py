"""Jobs, steps and artifacts: what version 0.1.0 made; nothing to do."""

revision = "1"
down_revision = None


def upgrade() -> None:
    """Do nothing: such a ledger is there already."""
