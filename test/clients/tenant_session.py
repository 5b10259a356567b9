"""How an application ties SQLAlchemy to the tenant of a request: one event, as README.md shows."""

import contextlib
import contextvars
import os

from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import NullPool

request_tenant = contextvars.ContextVar("request_tenant", default=None)


class TenantSession(Session):
    """A session whose transactions belong to the tenant of the request."""


@event.listens_for(TenantSession, "after_begin")
def set_tenant_of_request(session, transaction, connection):
    tenant = request_tenant.get()
    if tenant is not None:
        connection.execute(text("SELECT set_tenant(:tenant)"), {"tenant": str(tenant)})


def engine_of_environment(pool_size=None):
    """An engine by PGHOST, PGPORT, PGUSER and PGDATABASE; without a size, each session has a connection of its own."""
    url = "postgresql+psycopg2://{PGUSER}@/{PGDATABASE}?host={PGHOST}&port={PGPORT}".format(**os.environ)
    if pool_size is None:
        return create_engine(url, poolclass=NullPool)
    return create_engine(url, pool_size=pool_size, max_overflow=0)


def session_maker(engine):
    return sessionmaker(bind=engine, class_=TenantSession)


@contextlib.contextmanager
def request_of(make_session, tenant):
    """One request: a session of that tenant's, committed at the end, rolled back on an exception."""
    token = request_tenant.set(tenant)
    try:
        with make_session() as session, session.begin():
            yield session
    finally:
        request_tenant.reset(token)
