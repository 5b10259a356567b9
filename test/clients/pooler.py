"""Clients behind PgBouncer in transaction mode that share one connection to the server.

Nothing of one client's transaction may reach the next: neither its tenant nor its rows, whatever way it ended.
"""

import os
import signal
import subprocess
import sys

import psycopg2

from checks import as_tenant, check, connect, equal, finish, refused, rows, set_tenant, tenants, value

(reem, _), (cedar, _) = tenants()

if sys.argv[1:] == ["doomed"]:
    # A client that is killed in the middle of its transaction.
    connection = connect()
    set_tenant(connection, reem)
    rows(connection, "INSERT INTO orders (total, customer_name) VALUES (666, 'doomed')")
    print(value(connection, "SELECT pg_backend_pid()"), flush=True)
    sys.stdin.read()

first, second, watcher = connect(), connect(), connect()
watcher.autocommit = True


def nobody(what):
    """The next client has no tenant, sees no row and writes none."""
    seen = rows(watcher, """SELECT current_tenant(), (SELECT count(*) FROM orders), (SELECT count(*) FROM tenants),
                                   (SELECT count(*) FROM revenue_metrics), pg_backend_pid()""")[0]
    equal(f"{what}: the next client has no tenant and no rows", seen[:4], (None, 0, 0, 0))
    return seen[4]


# Two tenants in turns over one connection of the server's.
backends, found = set(), {reem: [], cedar: []}
for turn in range(6):
    for connection, tenant in (first, reem), (second, cedar):
        with as_tenant(connection, tenant):
            rows(connection, "INSERT INTO orders (total, customer_name) VALUES (%s, %s)", 10 + turn, tenant)
            backends.add(value(connection, "SELECT pg_backend_pid()"))
            found[tenant].append(rows(connection, "SELECT customer_name, count(*)::int, sum(total)::int FROM orders GROUP BY 1"))
        backends.add(nobody(f"turn {turn}, after a commit"))
equal("both tenants and the watcher had one connection of the server's", len(backends), 1)
for tenant, seen in found.items():
    equal("each transaction saw its own tenant's orders alone, and all of them",
          seen, [[(tenant, turn + 1, sum(range(10, 11 + turn)))] for turn in range(6)])

# A rollback, an error, a savepoint, a statement outside of a transaction.
set_tenant(first, reem)
rows(first, "INSERT INTO orders (total) VALUES (1)")
first.rollback()
nobody("after a rollback")
set_tenant(first, reem)
equal("an error in a transaction", refused(first, "SELECT 1 / 0"), "22012")
first.rollback()
nobody("after an error")
rows(first, "SAVEPOINT s")
set_tenant(first, reem)
rows(first, "ROLLBACK TO s")
equal("the savepoint in which it was set is gone: no tenant", value(first, "SELECT current_tenant()"), None)
equal("and no other one from then on", refused(first, "SELECT set_tenant(%s)", cedar), "42501")
first.rollback()
nobody("after a savepoint")
equal("set_tenant() by itself, without a transaction, is refused", refused(watcher, "SELECT set_tenant(%s)", reem), "25P01")
nobody("after that")
set_tenant(first, reem)
equal("another tenant within a transaction is refused", refused(first, "SELECT set_tenant(%s)", cedar), "42501")
first.rollback()
with as_tenant(first, reem):
    rows(first, "SET LOCAL application_name = 'x'")
    rows(first, "DISCARD PLANS")
nobody("after a commit that changed settings")

# A client that dies in its transaction, and a server process that does.
doomed = subprocess.Popen([sys.executable, __file__, "doomed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
doomed_backend = int(doomed.stdout.readline())
doomed.send_signal(signal.SIGKILL)
doomed.wait()
check("the killed client had the connection that all share", doomed_backend in backends, doomed_backend)
nobody("after a client was killed")
with as_tenant(second, cedar):
    equal("the other tenant goes on", value(second, "SELECT count(*)::int FROM orders"), 6)
with as_tenant(first, reem):
    equal("nothing of the killed transaction is left", value(first, "SELECT count(*)::int FROM orders"), 6)
    equal("nor in the rollup", rows(first, "SELECT * FROM check_revenue_metrics()"), [])
set_tenant(first, reem)
administrator = connect(host=os.environ["SERVER_HOST"], port=os.environ["SERVER_PORT"], user="postgres")
administrator.autocommit = True
rows(administrator, "SELECT pg_terminate_backend(%s, 10000)", value(first, "SELECT pg_backend_pid()"))
try:
    rows(first, "SELECT count(*) FROM orders")
    check("a transaction whose server process ended fails", False)
except psycopg2.OperationalError:
    check("a transaction whose server process ended fails", True)
nobody("after a server process was ended")
first = connect()

# PREPARE within one transaction is the client's own.
with as_tenant(first, reem):
    rows(first, "PREPARE by_total (numeric) AS SELECT count(*)::int FROM orders WHERE total > $1")
    equal("PREPARE and EXECUTE in one transaction", value(first, "EXECUTE by_total (12)"), 3)
    rows(first, "DEALLOCATE by_total")
# One that is left behind is found by the next client on that connection: its plan, made for one tenant, must
# serve the other one with the other one's rows.
rows(watcher, "SET plan_cache_mode = force_generic_plan")
with as_tenant(first, reem):
    rows(first, "PREPARE left_behind AS SELECT customer_name, count(*)::int FROM orders GROUP BY 1")
    equal("a statement that stays prepared, for the tenant that made it", rows(first, "EXECUTE left_behind"), [(reem, 6)])
with as_tenant(second, cedar):
    equal("and for the tenant that finds it", rows(second, "EXECUTE left_behind"), [(cedar, 6)])
equal("and for nobody", rows(watcher, "EXECUTE left_behind"), [])
with as_tenant(first, reem):
    equal("and for the first one again", rows(first, "EXECUTE left_behind"), [(reem, 6)])
rows(watcher, "DEALLOCATE ALL")
rows(watcher, "RESET plan_cache_mode")

# A cursor WITH HOLD stays on the connection with the rows that its maker saw, as PostgreSQL means it to: the
# application must not make one behind a pooler. One without ends with the transaction.
with as_tenant(first, reem):
    rows(first, "DECLARE mine CURSOR FOR SELECT customer_name FROM orders")
    equal("a cursor reads its tenant's rows", rows(first, "FETCH 1 FROM mine"), [(reem,)])
equal("and is gone for the next client", refused(watcher, "FETCH 1 FROM mine"), "34000")
with as_tenant(second, cedar):
    equal("and for the next tenant", refused(second, "FETCH 1 FROM mine"), "34000")
    second.rollback()
finish()
