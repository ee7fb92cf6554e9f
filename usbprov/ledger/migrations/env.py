"""What alembic runs: migrations on the connection, and in the transaction, that it is given."""

from alembic import context

_config = getattr(context, "config", None)
if _config is not None:  # else it is only imported, as any other module may be
    context.configure(connection=_config.attributes["connection"])
    context.run_migrations()
