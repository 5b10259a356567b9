"""The document's eleven tables as SQLAlchemy models, for SQLAlchemy 1.4 and 2.

Columns, types and defaults are the document's. What an application adds for the store:
  - tenant_id has a default in the database, on order_items and webhook_deliveries too, and orders.number is filled there;
  - references carry the tenant, relationships go by the id alone: an ORM that cleared both columns of a
    reference would clear the row's tenant;
  - secrets are deferred, since the application cannot read them back.
"""

from sqlalchemy import (ARRAY, Boolean, Column, Date, DateTime, FetchedValue, ForeignKey, ForeignKeyConstraint, Index,
                        Integer, Numeric, String, Text, UniqueConstraint, func, text)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import declarative_base, deferred, foreign, relationship

Base = declarative_base()


def key(default="gen_random_uuid()"):
    return Column(UUID(as_uuid=True), primary_key=True, server_default=text(default))


def tenant(cascade=True):
    reference = [ForeignKey("tenants.id", ondelete="CASCADE")] if cascade else []
    return Column(UUID(as_uuid=True), *reference, nullable=False, server_default=text("current_tenant()"))


def uuid_column(**options):
    return Column(UUID(as_uuid=True), **options)


def time(default=None, **options):
    return Column(DateTime(timezone=True), server_default=default, **options)


def status(default="active"):
    return Column(String(50), server_default=default)


def json(**options):
    return Column(JSONB, server_default="{}", **options)


def amount(**options):
    return Column(Numeric(10, 2), **options)


def reference(column, parent, ondelete):
    return ForeignKeyConstraint(["tenant_id", column], [parent + ".tenant_id", parent + ".id"], ondelete=ondelete)


class Model(Base):
    __abstract__ = True
    # What the database fills comes back with the INSERT or UPDATE itself.
    __mapper_args__ = {"eager_defaults": True}


class Tenant(Model):
    __tablename__ = "tenants"
    id = key()
    name = Column(String(255), nullable=False)
    slug = Column(String(100), nullable=False)
    domain = Column(String(255))
    status = status()
    plan = status("starter")
    settings = json()
    created_at = time(func.now())
    updated_at = time(func.now(), server_onupdate=FetchedValue())
    __table_args__ = (UniqueConstraint("slug", name="idx_tenants_slug"), Index("idx_tenants_status", "status"),
                      Index("idx_tenants_plan", "plan"))


class User(Model):
    __tablename__ = "users"
    id = key()
    tenant_id = tenant()
    email = Column(String(255), nullable=False)
    password_hash = Column(String(255))
    name = Column(String(255))
    role = status("user")
    status = status()
    email_verified = Column(Boolean, server_default=text("false"))
    last_login = time()
    metadata_ = Column("metadata", JSONB, server_default="{}")
    created_at = time(func.now())
    updated_at = time(func.now(), server_onupdate=FetchedValue())
    orders = relationship("Order", back_populates="user", passive_deletes=True,
                          primaryjoin=lambda: User.id == foreign(Order.user_id))
    __table_args__ = (UniqueConstraint("tenant_id", "email", name="users_tenant_id_email_key"),
                      UniqueConstraint("tenant_id", "id", name="idx_users_tenant_id"), Index("idx_users_email", "email"),
                      Index("idx_users_status", "status"), Index("idx_users_role", "role"))


class Product(Model):
    __tablename__ = "products"
    id = key()
    tenant_id = tenant()
    name = Column(JSONB, nullable=False)
    description = Column(JSONB)
    price = amount(nullable=False)
    currency = Column(String(3), server_default="USD")
    category = Column(String(100))
    tags = Column(ARRAY(Text))
    images = Column(ARRAY(Text))
    status = status()
    inventory_count = Column(Integer, server_default=text("0"))
    metadata_ = Column("metadata", JSONB, server_default="{}")
    created_at = time(func.now())
    updated_at = time(func.now(), server_onupdate=FetchedValue())
    __table_args__ = (
        UniqueConstraint("tenant_id", "id", name="idx_products_tenant_id"), Index("idx_products_category", "category"),
        Index("idx_products_status", "status"), Index("idx_products_price", "price"),
        Index("idx_products_tags", "tags", postgresql_using="gin"), Index("idx_products_name", "name", postgresql_using="gin"),
        Index("idx_products_tenant_category_status", "tenant_id", "category", "status"))


class Order(Model):
    __tablename__ = "orders"
    id = key("uuid_v7()")
    tenant_id = tenant()
    user_id = uuid_column()
    number = Column(String(50), nullable=False, server_default=FetchedValue())
    status = status("pending")
    total = amount(nullable=False)
    currency = Column(String(3), server_default="USD")
    customer_email = Column(String(255))
    customer_name = Column(String(255))
    billing_address = Column(JSONB)
    shipping_address = Column(JSONB)
    payment_intent_id = Column(String(255))
    payment_status = status("pending")
    metadata_ = Column("metadata", JSONB, server_default="{}")
    created_at = time(func.now())
    updated_at = time(func.now(), server_onupdate=FetchedValue())
    user = relationship("User", back_populates="orders", primaryjoin=lambda: User.id == foreign(Order.user_id))
    items = relationship("OrderItem", back_populates="order", cascade="all, delete-orphan", passive_deletes=True,
                         primaryjoin=lambda: Order.id == foreign(OrderItem.order_id))
    payments = relationship("Payment", back_populates="order", passive_deletes=True,
                            primaryjoin=lambda: Order.id == foreign(Payment.order_id))
    __table_args__ = (
        reference("user_id", "users", "SET NULL"), UniqueConstraint("number", name="idx_orders_number"),
        UniqueConstraint("tenant_id", "id", name="idx_orders_tenant_id"), Index("idx_orders_user_id", "user_id"),
        Index("idx_orders_status", "status"), Index("idx_orders_payment_status", "payment_status"),
        Index("idx_orders_created_at", "created_at"),
        Index("idx_orders_tenant_status_created", "tenant_id", "status", "created_at"),
        Index("idx_orders_active", "tenant_id", "created_at",
              postgresql_where=text("status IN ('pending', 'processing', 'shipped')")),
        Index("idx_orders_metadata_gin", "metadata", postgresql_using="gin"))


class OrderItem(Model):
    __tablename__ = "order_items"
    id = key("uuid_v7()")
    order_id = uuid_column(nullable=False)
    product_id = uuid_column()
    product_name = Column(String(255), nullable=False)
    quantity = Column(Integer, nullable=False, server_default=text("1"))
    price = amount(nullable=False)
    total = amount(nullable=False)
    metadata_ = Column("metadata", JSONB, server_default="{}")
    tenant_id = tenant(cascade=False)
    order = relationship("Order", back_populates="items", primaryjoin=lambda: Order.id == foreign(OrderItem.order_id))
    product = relationship("Product", primaryjoin=lambda: Product.id == foreign(OrderItem.product_id))
    __table_args__ = (reference("order_id", "orders", "CASCADE"), reference("product_id", "products", "SET NULL"),
                      Index("idx_order_items_order_id", "order_id"), Index("idx_order_items_product_id", "product_id"))


class Payment(Model):
    __tablename__ = "payments"
    id = key("uuid_v7()")
    tenant_id = tenant()
    order_id = uuid_column()
    payment_intent_id = Column(String(255))
    amount = amount(nullable=False)
    currency = Column(String(3), server_default="USD")
    status = status("pending")
    payment_method = Column(String(50))
    provider = Column(String(50))
    provider_fee = Column(Numeric(10, 2))
    net_amount = Column(Numeric(10, 2))
    refunded_amount = Column(Numeric(10, 2), server_default=text("0"))
    metadata_ = Column("metadata", JSONB, server_default="{}")
    processed_at = time()
    created_at = time(func.now())
    updated_at = time(func.now(), server_onupdate=FetchedValue())
    order = relationship("Order", back_populates="payments", primaryjoin=lambda: Order.id == foreign(Payment.order_id))
    __table_args__ = (
        reference("order_id", "orders", "SET NULL"),
        UniqueConstraint("payment_intent_id", name="payments_payment_intent_id_key"),
        Index("idx_payments_tenant_id", "tenant_id"), Index("idx_payments_order_id", "order_id"),
        Index("idx_payments_status", "status"), Index("idx_payments_provider", "provider"),
        Index("idx_payments_created_at", "created_at"),
        Index("idx_payments_tenant_status_created", "tenant_id", "status", "created_at"))


class AnalyticsEvent(Model):
    __tablename__ = "analytics_events"
    id = key("uuid_v7()")
    tenant_id = tenant()
    event_type = Column(String(100), nullable=False)
    user_id = uuid_column()
    session_id = Column(String(255))
    properties = json()
    timestamp = time(func.now(), nullable=False)
    __table_args__ = (reference("user_id", "users", "SET NULL"),
                      Index("idx_analytics_tenant_timestamp", "tenant_id", "timestamp"),
                      Index("idx_analytics_event_type", "event_type"), Index("idx_analytics_user_id", "user_id"))


class RevenueMetric(Model):
    """Kept by the store; the application reads it."""
    __tablename__ = "revenue_metrics"
    id = key()
    tenant_id = tenant()
    date = Column(Date, nullable=False)
    total_revenue = Column(Numeric(15, 2), server_default=text("0"))
    order_count = Column(Integer, server_default=text("0"))
    customer_count = Column(Integer, server_default=text("0"))
    average_order_value = Column(Numeric(10, 2), server_default=text("0"))
    currency = Column(String(3), server_default="USD")
    created_at = time(func.now())
    __table_args__ = (UniqueConstraint("tenant_id", "date", "currency", name="revenue_metrics_tenant_id_date_currency_key"),
                      Index("idx_revenue_metrics_tenant_date", "tenant_id", "date"))


class Integration(Model):
    __tablename__ = "integrations"
    id = key()
    tenant_id = tenant()
    name = Column(String(100), nullable=False)
    type = Column(String(50), nullable=False)
    status = status()
    config = json()
    # No eager default: the application may not have it returned.
    credentials = deferred(Column(JSONB, nullable=True))
    last_sync = time()
    created_at = time(func.now())
    updated_at = time(func.now(), server_onupdate=FetchedValue())
    __table_args__ = (UniqueConstraint("tenant_id", "type", name="idx_integrations_tenant_id"),
                      Index("idx_integrations_type", "type"))


class Webhook(Model):
    __tablename__ = "webhooks"
    id = key()
    tenant_id = tenant()
    url = Column(String(500), nullable=False)
    events = Column(ARRAY(Text), nullable=False)
    secret = deferred(Column(String(255), nullable=False))
    status = status()
    description = Column(Text)
    created_at = time(func.now())
    updated_at = time(func.now(), server_onupdate=FetchedValue())
    deliveries = relationship("WebhookDelivery", viewonly=True,
                              primaryjoin=lambda: Webhook.id == foreign(WebhookDelivery.webhook_id))
    __table_args__ = (UniqueConstraint("tenant_id", "id", name="idx_webhooks_tenant_id"), Index("idx_webhooks_status", "status"))


class WebhookDelivery(Model):
    """Written by the store; the application reads and deletes."""
    __tablename__ = "webhook_deliveries"
    id = key("uuid_v7()")
    webhook_id = uuid_column(nullable=False)
    event_id = uuid_column(nullable=False)
    event_type = Column(String(100), nullable=False)
    payload = Column(JSONB, nullable=False)
    response_status = Column(Integer)
    response_body = Column(Text)
    response_time = Column(Integer)
    attempt_count = Column(Integer, server_default=text("1"))
    delivered_at = time()
    created_at = time(func.now(), nullable=False)
    tenant_id = tenant(cascade=False)
    __table_args__ = (reference("webhook_id", "webhooks", "CASCADE"), Index("idx_webhook_deliveries_webhook_id", "webhook_id"),
                      Index("idx_webhook_deliveries_event_type", "event_type"),
                      Index("idx_webhook_deliveries_created_at", "created_at"))
