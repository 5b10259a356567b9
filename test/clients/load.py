"""Many requests of two tenants at once, each in a thread of a web server's, over few connections.

Every row that a request reads must be its tenant's; what each tenant holds at the end must be what its own
requests wrote. Seconds, threads and seed come from the environment.
"""

import collections
import os
import random
import threading
import time
import uuid
from decimal import Decimal

from sqlalchemy import func, select, text
from sqlalchemy.orm import selectinload

from checks import check, equal, finish, tenants
from models import Order, OrderItem, Payment, Product, RevenueMetric, Tenant, User
from tenant_session import engine_of_environment, request_of, session_maker

shops = [uuid.UUID(tenant) for tenant, _ in tenants()]
seconds, threads = float(os.environ.get("SECONDS", "5")), 8
seed = int(os.environ.get("SEED", "0")) or random.randrange(10**6)
make_session = session_maker(engine_of_environment(pool_size=4))
lock = threading.Lock()
requests, rows_read, foreign, failures = collections.Counter(), 0, [], []
placed = {tenant: set() for tenant in shops}  # ids of orders, as committed
deleted = {tenant: set() for tenant in shops}


class Abandoned(Exception):
    """A request that fails after it wrote."""


def place_order(session, tenant, choose):
    total = Decimal(choose.randrange(100, 99999)) / 100
    order = Order(total=total, currency="USD", customer_name=str(tenant), customer_email=f"c{choose.randrange(50)}@example.com",
                  items=[OrderItem(product_name=str(tenant), price=total, total=total, quantity=1)])
    if choose.random() < 0.5:
        order.payments = [Payment(amount=total, provider=str(tenant)[:8])]
    session.add(order)
    session.flush()
    if choose.random() < 0.1:
        raise Abandoned
    return [order, *order.items], (placed, order.id)


def page(session, tenant, choose):
    return session.scalars(select(Order).options(selectinload(Order.items), selectinload(Order.payments))
                           .order_by(Order.created_at.desc(), Order.id).limit(20)).all(), None


def everything(session, tenant, choose):
    model = choose.choice((Order, OrderItem, Payment, User, Product, RevenueMetric))
    return session.scalars(select(model).limit(200)).all(), None


def change(session, tenant, choose):
    order = session.scalars(select(Order).order_by(func.random()).limit(1).with_for_update(skip_locked=True)).first()
    if order is None:
        return [], None
    if choose.random() < 0.3:
        session.delete(order)
        return [order], (deleted, order.id)
    order.status = choose.choice(("completed", "shipped", "cancelled"))
    order.total = Decimal(choose.randrange(100, 99999)) / 100
    return [order], None


def report(session, tenant, choose):
    return session.execute(select(Order.tenant_id, func.count(), func.sum(Order.total)).group_by(Order.tenant_id)).all(), None


def guess(session, tenant, choose):
    """Ids of the other tenant's that this one should not be able to use."""
    with lock:
        others = [order for shop in shops if shop != tenant for order in list(placed[shop])[:20]]
    return session.scalars(select(Order).where(Order.id.in_(others))).all() if others else [], None


work = (place_order, page, everything, change, report, guess)


def serve(number):
    global rows_read
    choose = random.Random(seed * 100 + number)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tenant, handler = choose.choice(shops), choose.choices(work, (5, 3, 3, 2, 1, 1))[0]
        try:
            with request_of(make_session, tenant) as session:
                found, changed = handler(session, tenant, choose)
                seen = [row.tenant_id for row in found]
                named = [row.customer_name for row in found if isinstance(row, Order)]
                if choose.random() < 0.05:
                    raise Abandoned
        except Abandoned:
            changed, seen, named = None, [], []
        except Exception as error:
            with lock:
                failures.append(f"{handler.__name__}: {error}")
            continue
        with lock:
            requests[handler.__name__, tenant] += 1
            rows_read += len(seen)
            foreign.extend((handler.__name__, tenant, row) for row in seen if row != tenant)
            foreign.extend((handler.__name__, tenant, name) for name in named if name != str(tenant))
            if handler is guess and seen:
                foreign.append((handler.__name__, tenant, "a row by the other tenant's id"))
            if changed:
                changed[0][tenant].add(changed[1])


servers = [threading.Thread(target=serve, args=(number,)) for number in range(threads)]
for server in servers:
    server.start()
for server in servers:
    server.join()

print(f"# seed {seed}: {sum(requests.values())} requests, {rows_read} rows read")
equal("no request failed", failures[:3], [])
equal("no request saw another tenant's row", foreign[:3], [])
for tenant in shops:
    check("each tenant was served by every kind of request", all(requests[handler.__name__, tenant] for handler in work), requests)
check("and they read rows", rows_read > 100, rows_read)
for tenant in shops:
    with request_of(make_session, tenant) as session:
        held = set(session.scalars(select(Order.id)).all())
        equal("a tenant holds the orders that its requests left", held, placed[tenant] - deleted[tenant])
        check("and some were deleted", deleted[tenant])
        equal("every order has its item", session.scalar(select(func.count()).select_from(OrderItem)), len(held))
        equal("the rollup agrees with the orders", session.execute(text("SELECT * FROM check_revenue_metrics()")).all(), [])
        equal("a tenant sees itself alone", session.scalars(select(Tenant.id)).all(), [tenant])
finish()
