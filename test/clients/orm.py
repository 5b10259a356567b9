"""What an application does through SQLAlchemy's ORM, as two tenants, and what it must not be able to do."""

import uuid
from decimal import Decimal

from sqlalchemy import delete, func, inspect, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import joinedload, selectinload

from checks import check, equal, finish, tenants
from models import (AnalyticsEvent, Base, Integration, Order, OrderItem, Payment, Product, RevenueMetric, Tenant, User, Webhook,
                    WebhookDelivery)
from tenant_session import engine_of_environment, request_of, request_tenant, session_maker

(reem, _), (cedar, _) = [(uuid.UUID(tenant), slug) for tenant, slug in tenants()]
engine = engine_of_environment(pool_size=1)  # one connection, so that it goes from tenant to tenant
make_session = session_maker(engine)


def as_tenant(tenant):
    return request_of(make_session, tenant)


def refused(tenant, work):
    """The SQLSTATE that a unit of work fails with; None when it went through."""
    try:
        with as_tenant(tenant) as session:
            work(session)
    except DBAPIError as error:
        return error.orig.pgcode
    return None


# Every model finds its table and every column of it; without a tenant there is no row.
with as_tenant(reem) as session:
    for mapper in Base.registry.mappers:
        rows = session.execute(select(*inspect(mapper.class_).columns.values()).limit(1)
                               if mapper.class_ not in (Integration, Webhook) else select(mapper.class_).limit(1)).all()
        equal(f"{mapper.class_.__name__} can be read", len(rows), 1 if mapper.class_ is Tenant else 0)
with as_tenant(None) as session:
    equal("without a tenant no row is seen", session.scalar(select(func.count()).select_from(Tenant)), 0)

# INSERT: keys, numbers, defaults and the tenant come from the database, in one flush of a graph of objects.
graph = {}
for tenant, currency in (reem, "SAR"), (cedar, "USD"):
    with as_tenant(tenant) as session:
        user = User(tenant_id=tenant, email="noura@example.com", name=str(tenant))
        product = Product(name={"en": "Dates", "ar": "تمر"}, price=Decimal("83.50"), tags=["food"], currency=currency)
        order = Order(user=user, total=Decimal("167.00"), currency=currency, customer_name=str(tenant))
        order.items = [OrderItem(product=product, product_name="Dates", quantity=2, price=Decimal("83.50"), total=Decimal("167.00")),
                       OrderItem(product_name="Bag", price=0, total=0)]
        order.payments = [Payment(amount=Decimal("167.00"), currency=currency, status="completed", provider="mada",
                                  payment_intent_id=f"pi-{tenant}")]
        event = AnalyticsEvent(event_type="order", properties={"بلد": "SA"})
        integration = Integration(name="Stripe", type="stripe")
        webhook = Webhook(url="https://example.com/hook", events=["order.created"], secret="s3cret")
        session.add_all([user, product, order, event, integration, webhook])
        session.flush()
        equal(f"{currency}: every row became the tenant's",
              {row.tenant_id for row in (user, product, order, *order.items, *order.payments, event, integration, webhook)}, {tenant})
        check(f"{currency}: the order has a number", order.number and len(order.number) >= 8, order.number)
        check(f"{currency}: defaults came back", (order.status, order.payment_status, product.inventory_count, order.metadata_)
              == ("pending", "pending", 0, {}) and order.created_at is not None, vars(order))
        graph[tenant] = order.id, user.id, product.id, order.number
check("the two tenants' orders have different numbers", graph[reem][3] != graph[cedar][3], graph)

# SELECT: by key, with joins, as a page.
with as_tenant(reem) as session:
    order = session.scalars(select(Order).options(selectinload(Order.items).joinedload(OrderItem.product), joinedload(Order.user),
                                                  selectinload(Order.payments))).one()
    equal("an order with all its relations", (order.id, order.user.email, sorted(i.product_name for i in order.items),
                                              [p.amount for p in order.payments], order.tenant_id),
          (graph[reem][0], "noura@example.com", ["Bag", "Dates"], [Decimal("167.00")], reem))
    equal("a product by its Arabic name", session.scalar(select(Product.id).where(Product.name["ar"].astext == "تمر")), graph[reem][2])
    equal("its own by key", session.get(User, graph[reem][1]).id, graph[reem][1])
    for model, position in (Order, 0), (User, 1), (Product, 2):
        equal(f"another tenant's {model.__tablename__} by key: none", session.get(model, graph[cedar][position]), None)
    equal("another tenant's orders by column: none", session.scalars(select(Order).where(Order.tenant_id == cedar)).all(), [])
    equal("revenue of the day, from the store", session.execute(select(RevenueMetric.total_revenue, RevenueMetric.order_count, RevenueMetric.currency)).all(),
          [(Decimal("167.00"), 1, "SAR")])

# The identity map outlives a transaction: what the next one finds in it is read anew, behind its own wall.
with make_session() as session:
    token = request_tenant.set(reem)
    kept = session.get(Order, graph[reem][0])
    session.commit()
    request_tenant.reset(token)
    token = request_tenant.set(cedar)
    equal("an object of one tenant, asked for in a transaction of the other's",
          session.get(Order, graph[reem][0], populate_existing=True), None)
    session.rollback()
    request_tenant.reset(token)

# UPDATE: through objects and in bulk; the other tenant's row is not there to update.
with as_tenant(reem) as session:
    order = session.get(Order, graph[reem][0])
    before = order.updated_at
    order.status = "completed"
    order.metadata_ = {**order.metadata_, "gift": True}
    session.flush()
    check("updated_at came back with the UPDATE", order.updated_at >= before and order.metadata_ == {"gift": True}, vars(order))
    equal("an update of all touches one's own", session.execute(update(Product).values(inventory_count=7)).rowcount, 1)
    equal("an update of the other tenant's by key touches nothing",
          session.execute(update(Order).where(Order.id == graph[cedar][0]).values(total=1)).rowcount, 0)
    statement = insert(User).values(email="noura@example.com", name="Noura")
    session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "email"], set_={"name": statement.excluded.name}))
    equal("an upsert by e-mail", session.scalar(select(User.name)), "Noura")
with as_tenant(cedar) as session:
    equal("the other tenant's rows are as they were",
          session.execute(select(Order.total, Order.status, Product.inventory_count, User.name).join(User, Order.user)
                          .join(OrderItem, Order.items).join(Product, OrderItem.product)).one(),
          (Decimal("167.00"), "pending", 0, str(cedar)))

# What the database refuses comes out as an error, and leaves the session usable.
equal("an order for another tenant", refused(reem, lambda s: s.add(Order(tenant_id=cedar, total=1))), "42501")
equal("an item of another tenant's order", refused(reem, lambda s: s.add(
    OrderItem(order_id=graph[cedar][0], product_name="x", price=1, total=1))), "23503")
equal("an order of another tenant's customer", refused(reem, lambda s: s.add(Order(user_id=graph[cedar][1], total=1))), "23503")
equal("another tenant in the same transaction", refused(reem, lambda s: s.execute(text(f"SELECT set_tenant('{cedar}')"))), "42501")
equal("a tenant that there is not", refused(uuid.uuid4(), lambda s: s.execute(text("SELECT 1"))), "28000")
equal("an order without a tenant", refused(None, lambda s: s.add(Order(total=1))), "42501")
equal("writing the rollup", refused(reem, lambda s: s.add(RevenueMetric(date=func.current_date()))), "42501")
equal("writing deliveries", refused(reem, lambda s: s.execute(insert(WebhookDelivery).values(
    webhook_id=uuid.uuid4(), event_id=uuid.uuid4(), event_type="x", payload={}))), "42501")
equal("reading a secret back", refused(reem, lambda s: s.scalars(select(Webhook)).one().secret), "42501")
with as_tenant(reem) as session:
    webhook = session.scalars(select(Webhook)).one()
    webhook.secret = "another"
    session.flush()
    check("a secret is written without being read", webhook.url == "https://example.com/hook")

# Savepoints: a refused part is undone, the rest and the tenant stay.
with as_tenant(reem) as session:
    try:
        with session.begin_nested():
            session.add(Order(total=-1))
    except DBAPIError as error:
        equal("a negative total in a savepoint", error.orig.pgcode, "23514")
    session.add(Order(total=5, currency="SAR"))
with as_tenant(reem) as session:
    equal("the order after it is there", session.scalar(select(func.count()).select_from(Order)), 2)

# DELETE: the ORM's cascade, the database's, and references that are set to null.
with as_tenant(reem) as session:
    order = session.get(Order, graph[reem][0])
    order.items.remove(next(item for item in order.items if item.product_name == "Bag"))
    session.flush()
    equal("an item taken off its order is deleted", session.scalar(select(func.count()).select_from(OrderItem)), 1)
    session.delete(session.get(Product, graph[reem][2]))
    session.flush()
    session.expire_all()
    item = session.scalars(select(OrderItem)).one()
    equal("an item of a deleted product keeps its tenant", (item.product_id, item.tenant_id), (None, reem))
    order.user = None
    session.flush()
    equal("an order that loses its customer keeps its tenant", (order.user_id, order.tenant_id), (None, reem))
    order.user_id = graph[reem][1]
    session.flush()
    session.delete(session.get(User, graph[reem][1]))
    session.flush()
    session.expire_all()
    equal("so does one whose customer is deleted", (order.user_id, order.tenant_id), (None, reem))
    session.delete(order)
with as_tenant(reem) as session:
    equal("an order takes its items along", session.scalar(select(func.count()).select_from(OrderItem)), 0)
    payment = session.scalars(select(Payment)).one()
    equal("its payment stays, without it", (payment.order_id, payment.tenant_id), (None, reem))
    session.execute(delete(Payment))
    session.execute(delete(Order))
with as_tenant(cedar) as session:
    equal("a delete of all leaves the other tenant's", [session.scalar(select(func.count()).select_from(model))
                                                        for model in (Order, OrderItem, Payment, User, Product)], [1, 2, 1, 1, 1])
for tenant in reem, cedar:
    with as_tenant(tenant) as session:
        equal("the rollup agrees with the orders", session.execute(text("SELECT * FROM check_revenue_metrics()")).all(), [])
with as_tenant(None) as session:
    equal("the connection is nobody's afterwards", session.scalar(text("SELECT current_tenant()")), None)
finish()
