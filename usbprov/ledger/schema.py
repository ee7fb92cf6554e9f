"""The ledger's tables. Times are UTC; digests are lower-case hex; certificates are DER."""

from datetime import UTC, datetime

from sqlalchemy import (
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
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA = 1
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
    Index("job_by_phone", "phone_mac", "phone_serial", "state"),
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
"""The fields of the error that stopped a job, as JSON. An older ledger gets this table when it is
opened; an older usbprov does not look at it, so the schema's number stays."""
