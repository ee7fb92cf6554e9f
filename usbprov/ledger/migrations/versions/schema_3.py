"""Keys that wait, sealed, until a phone is proved to have them."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the table; nothing was sealed before."""
    op.create_table(
        "sealed",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("job", sa.Integer(), sa.ForeignKey("job.id"), nullable=False, unique=True),
        sa.Column("kept", sa.DateTime(), nullable=False),
        sa.Column("computer", sa.String(), nullable=False),
        sa.Column("sealing_key", sa.String(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
