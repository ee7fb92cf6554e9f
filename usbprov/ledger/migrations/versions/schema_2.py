"""The chain of entries, claims, benches and their board; a job's bench and roster.

What the ledger held before gets an entry a job, of the kind ``imported``: from then on it cannot
be altered without a trace either.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from usbprov.ledger.entries import START, Change, Entry, body_of, make_entry, written

revision = "2"
down_revision = "1"


_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables and columns, and take over the rows."""
    op.add_column("job", sa.Column("bench", sa.String()))
    op.add_column("job", sa.Column("roster", sa.String()))
    op.create_index("job_by_roster", "job", ["roster", "state"])
    if not sa.inspect(op.get_bind()).has_table("failure"):  # early ledgers of schema 1 have none
        op.create_table(
            "failure",
            sa.Column("job", sa.Integer(), sa.ForeignKey("job.id"), primary_key=True),
            *_texts("facts"),
        )
    heads = op.create_table(
        "head",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        *_texts("previous", "hash"),
    )
    entries = op.create_table(
        "entry",
        sa.Column("number", _BIG, primary_key=True, autoincrement=False),
        *_texts("at", "kind", "previous"),
        sa.Column("body", sa.Text(), nullable=False),
        *_texts("hash"),
    )
    op.create_table(
        "claim",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("token", sa.String(), nullable=False, unique=True),
        *_texts("bench", "worker"),
        *_times("since", "until"),
    )
    op.create_table(
        "bench",
        sa.Column("name", sa.String(), primary_key=True),
        *_texts("token", "host"),
        sa.Column("pid", sa.Integer(), nullable=False),
        *_times("started", "seen", "until"),
        sa.Column("ended", sa.DateTime()),
    )
    op.create_table(
        "board",
        sa.Column("bench", sa.String(), primary_key=True),
        sa.Column("port", sa.String(), primary_key=True),
        *_texts("state"),
        sa.Column("phone", sa.String()),
        sa.Column("user", sa.String()),
        sa.Column("job", sa.Integer()),
        sa.Column("note", sa.String()),
        *_times("updated"),
        sa.Column("change", sa.BigInteger(), nullable=False, index=True),
    )
    last = _take_over(op.get_bind(), entries)
    rows = [
        {"name": "chain", "number": last.number, "previous": last.previous, "hash": last.hash},
        {"name": "board", "number": 0, "previous": "", "hash": ""},
    ]
    op.bulk_insert(heads, rows)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column[datetime]]:
    return [sa.Column(name, sa.DateTime(), nullable=False) for name in names]


def _take_over(connection: sa.Connection, entries: sa.Table) -> Entry:
    """Append an entry a job; returns the last one."""
    last = Entry(0, "", "", "", "", START)
    for changes in _jobs(connection):
        now = written(datetime.now(UTC))
        last = make_entry(last.number + 1, now, "imported", last.hash, body_of(changes))
        connection.execute(entries.insert(), vars(last))
    return last


def _jobs(connection: sa.Connection) -> Iterator[Sequence[Change]]:
    old = sa.MetaData()
    job, step, artifact, failure = (
        sa.Table(name, old, autoload_with=connection)
        for name in ("job", "step", "artifact", "failure")
    )
    kept = [column for column in artifact.c if column.name != "data"]
    for row in connection.execute(sa.select(job).order_by(job.c.id)).mappings().all():
        of_job = sa.select(step).filter_by(job=row["id"]).order_by(step.c.id)
        objects = sa.select(*kept).filter_by(job=row["id"]).order_by(artifact.c.id)
        facts = sa.select(failure).filter_by(job=row["id"])
        yield [
            _change("job", row),
            *(_change("step", each) for each in connection.execute(of_job).mappings()),
            *(_change("artifact", each) for each in connection.execute(objects).mappings()),
            *(
                Change("failure", row["id"], {"facts": each["facts"]})
                for each in connection.execute(facts).mappings()
            ),
        ]


def _change(table: str, row: sa.RowMapping) -> Change:
    columns = {name: _aware(value) for name, value in row.items() if name != "id"}
    return Change(table, row["id"], columns)


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
