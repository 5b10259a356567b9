"""Alembic's environment as the document has it, with one hook more: the store has tables that are not the application's."""

import os

from alembic import context
from sqlalchemy import create_engine, pool

from models import Base


def is_ours(thing, name, kind, reflected, compare_to):
    """A table that no model knows is a partition or the store's own, not one to drop."""
    return not (kind == "table" and reflected and compare_to is None)


engine = create_engine("postgresql+psycopg2://{PGUSER}@/{PGDATABASE}?host={PGHOST}&port={PGPORT}".format(**os.environ),
                       poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, include_object=is_ours,
                      compare_type=True, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
