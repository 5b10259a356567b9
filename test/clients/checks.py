"""What the scripts of this folder share: how they report to the test that runs them, and raw connections."""

import contextlib
import os

import psycopg2

checked = 0


def check(name, good, detail=""):
    """One line for the test: ok or not, with the detail where not."""
    global checked
    checked += 1
    print(f"{'ok' if good else 'not ok'} - {name}", flush=True)
    if not good:
        for line in str(detail).splitlines():
            print(f"# {line}", flush=True)


def equal(name, found, wanted):
    check(name, found == wanted, f"found {found!r}, wanted {wanted!r}")


def finish():
    """Says that the script came to its end, and how many checks it made."""
    print(f"done {checked}", flush=True)


def connect(**options):
    """A psycopg2 connection by PGHOST, PGPORT, PGUSER and PGDATABASE."""
    return psycopg2.connect("", **options)


def rows(connection, statement, *values):
    """The rows of a statement; an empty list where it has none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def value(connection, statement, *values):
    return rows(connection, statement, *values)[0][0]


def refused(connection, statement, *values):
    """The SQLSTATE that a statement fails with, None when it does not."""
    try:
        rows(connection, statement, *values)
    except psycopg2.Error as error:
        return error.pgcode
    return None


def set_tenant(connection, tenant):
    rows(connection, "SELECT set_tenant(%s)", tenant)


@contextlib.contextmanager
def as_tenant(connection, tenant):
    """One transaction of a tenant's, committed at the end."""
    with connection:
        set_tenant(connection, tenant)
        yield


def tenants():
    """The two tenants that the test made: (id, slug)."""
    return [tuple(pair.split("=")) for pair in os.environ["TENANTS"].split()]
