"""The ledger's tables. Times are UTC; digests are lower-case hex; certificates are DER."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA = 3
"""The schema that this version reads and writes."""

metadata = MetaData()


class Utc(TypeDecorator[datetime]):
    """An aware UTC time, stored without its zone, since not every database keeps one."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC and drop the zone."""
        return value if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say again that it is UTC."""
        return value if value is None else value.replace(tzinfo=UTC)


meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

jobs = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", String, nullable=False),
    Column("created", Utc, nullable=False),
    Column("updated", Utc, nullable=False),
    Column("phone_serial", String, nullable=False),
    Column("phone_mac", String, nullable=False),
    Column("phone_model", String, nullable=False),
    Column("port_path", String, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("user", String),
    Column("extension", String),
    Column("web_services_url", String, nullable=False),
    Column("registrar", String),
    Column("key_source", String, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("error_code", String),
    Column("error", String),
    Column("bench", String),
    Column("roster", String),
    Index("job_by_phone", "phone_mac", "phone_serial", "state"),
    Index("job_by_roster", "roster", "state"),
    sqlite_autoincrement=True,
)

steps = Table(
    "step",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", ForeignKey("job.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("begun", Utc, nullable=False),
    Column("ms", Integer),
    Column("learnt", String),
    Column("error_code", String),
    sqlite_autoincrement=True,
)

artifacts = Table(
    "artifact",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", ForeignKey("job.id"), nullable=False, index=True),
    Column("kind", String, nullable=False),
    Column("kept", Utc, nullable=False),
    Column("sha256", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    UniqueConstraint("job", "kind", "sha256"),
    sqlite_autoincrement=True,
)

failures = Table(
    "failure",
    metadata,
    Column("job", ForeignKey("job.id"), primary_key=True),
    Column("facts", String, nullable=False),
)
"""The fields of the error that stopped a job, as JSON."""

sealed = Table(
    "sealed",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", ForeignKey("job.id"), nullable=False, unique=True),
    Column("kept", Utc, nullable=False),
    Column("computer", String, nullable=False),
    Column("sealing_key", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
"""Keys that a computer made and a phone has not been proved to have, encrypted by a key that is not
in the ledger; ``usbprov.pki.sealing`` has the form. The chain tells of all columns but ``data``."""

heads = Table(
    "head",
    metadata,
    Column("name", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
)
"""One row a series of numbers, with the last one given: ``chain`` (and two hashes), ``board``.

Whoever appends locks the row, so numbers become visible in their order and without gaps.
"""

entries = Table(
    "entry",
    metadata,
    Column(
        "number",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("at", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("previous", String, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", String, nullable=False),
)
"""The chain: one row a write, never changed; ``usbprov.ledger.entries`` has its format."""

claims = Table(
    "claim",
    metadata,
    Column("kind", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("token", String, nullable=False, unique=True),
    Column("bench", String, nullable=False),
    Column("worker", String, nullable=False),
    Column("since", Utc, nullable=False),
    Column("until", Utc, nullable=False),
)
"""Who works on what; a row whose ``until`` has passed counts for nothing."""

benches = Table(
    "bench",
    metadata,
    Column("name", String, primary_key=True),
    Column("token", String, nullable=False),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Utc, nullable=False),
    Column("seen", Utc, nullable=False),
    Column("until", Utc, nullable=False),
    Column("ended", Utc),
)

board = Table(
    "board",
    metadata,
    Column("bench", String, primary_key=True),
    Column("port", String, primary_key=True),
    Column("state", String, nullable=False),
    Column("phone", String),
    Column("user", String),
    Column("job", Integer),
    Column("note", String),
    Column("updated", Utc, nullable=False),
    Column("change", BigInteger, nullable=False, index=True),
)
"""What each port of each bench shows: the present only."""
