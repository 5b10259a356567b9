"""The document's eleven tables as SQLAlchemy models, for SQLAlchemy 1.4 and 2.

Columns, types and defaults are the document's. What the store has besides:
  - tenant_id has a default in the database, on order_items and webhook_deliveries too, and orders.number is filled there;
  - references carry the tenant, relationships go by the id alone: an ORM that cleared both columns of a
    reference would clear the row's tenant;
  - secrets are deferred, since the application cannot read them back.
"""

import sqlalchemy
from sqlalchemy import (ARRAY, Boolean, Column, Date, DateTime, FetchedValue, ForeignKey, ForeignKeyConstraint, Index,
                        Integer, Numeric, String, Text, UniqueConstraint, func, text)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import declarative_base, deferred, foreign, relationship

Base = declarative_base()
version = tuple(int(part) for part in sqlalchemy.__version__.split(".")[:3] if part.isdigit())


def key_column(default="gen_random_uuid()"):
    return Column(UUID(as_uuid=True), primary_key=True, server_default=text(default))


def tenant_column(cascade=True):
    reference = [ForeignKey("tenants.id", ondelete="CASCADE")] if cascade else []
    return Column(UUID(as_uuid=True), *reference, nullable=False, server_default=text("current_tenant()"))


def uuid_column(**options):
    return Column(UUID(as_uuid=True), **options)


def time_column(default=None, **options):
    return Column(DateTime(timezone=True), server_default=default, **options)


def short_text(default="active"):
    return Column(String(50), server_default=default)


def json_column(**options):
    return Column(JSONB, server_default="{}", **options)


def money(**options):
    return Column(Numeric(10, 2), **options)


def reference(column, parent, ondelete):
    # Only the one column is cleared. Before 2.0.40 SQLAlchemy neither reads nor writes that.
    if ondelete == "SET NULL" and version >= (2, 0, 40):
        ondelete = f"SET NULL ({column})"
    return ForeignKeyConstraint(["tenant_id", column], [parent + ".tenant_id", parent + ".id"], ondelete=ondelete)


class Model(Base):
    __abstract__ = True
    # What the database fills comes back with the INSERT or UPDATE itself.
    __mapper_args__ = {"eager_defaults": True}


class Tenant(Model):
    __tablename__ = "tenants"
    id = key_column()
    name = Column(String(255), nullable=False)
    slug = Column(String(100), nullable=False)
    domain = Column(String(255))
    status = short_text()
    plan = short_text("starter")
    settings = json_column()
    created_at = time_column(func.now())
    updated_at = time_column(func.now(), server_onupdate=FetchedValue())
    __table_args__ = (UniqueConstraint("slug", name="idx_tenants_slug"), Index("idx_tenants_status", "status"),
                      Index("idx_tenants_plan", "plan"))


class User(Model):
    __tablename__ = "users"
    id = key_column()
    tenant_id = tenant_column()
    email = Column(String(255), nullable=False)
    password_hash = Column(String(255))
    name = Column(String(255))
    role = short_text("user")
    status = short_text()
    email_verified = Column(Boolean, server_default=text("false"))
    last_login = time_column()
    metadata_ = Column("metadata", JSONB, server_default="{}")
    created_at = time_column(func.now())
    updated_at = time_column(func.now(), server_onupdate=FetchedValue())
    orders = relationship("Order", back_populates="user", passive_deletes=True,
                          primaryjoin=lambda: User.id == foreign(Order.user_id))
    __table_args__ = (UniqueConstraint("tenant_id", "email", name="users_tenant_id_email_key"),
                      UniqueConstraint("tenant_id", "id", name="idx_users_tenant_id"), Index("idx_users_email", "email"),
                      Index("idx_users_status", "status"), Index("idx_users_role", "role"))


class Product(Model):
    __tablename__ = "products"
    id = key_column()
    tenant_id = tenant_column()
    name = Column(JSONB, nullable=False)
    description = Column(JSONB)
    price = money(nullable=False)
    currency = Column(String(3), server_default="USD")
    category = Column(String(100))
    tags = Column(ARRAY(Text))
    images = Column(ARRAY(Text))
    status = short_text()
    inventory_count = Column(Integer, server_default=text("0"))
    metadata_ = Column("metadata", JSONB, server_default="{}")
    created_at = time_column(func.now())
    updated_at = time_column(func.now(), server_onupdate=FetchedValue())
    __table_args__ = (
        UniqueConstraint("tenant_id", "id", name="idx_products_tenant_id"), Index("idx_products_category", "category"),
        Index("idx_products_status", "status", "tenant_id", "created_at", "id"), Index("idx_products_price", "price"),
        Index("idx_products_tags", "tags", postgresql_using="gin"), Index("idx_products_name", "name", postgresql_using="gin"),
        Index("idx_products_tenant_category_status", "tenant_id", "category", "status"))


class Order(Model):
    __tablename__ = "orders"
    id = key_column("uuid_v7()")
    tenant_id = tenant_column()
    user_id = uuid_column()
    number = Column(String(50), nullable=False, server_default=FetchedValue())
    status = short_text("pending")
    total = money(nullable=False)
    currency = Column(String(3), server_default="USD")
    customer_email = Column(String(255))
    customer_name = Column(String(255))
    billing_address = Column(JSONB)
    shipping_address = Column(JSONB)
    payment_intent_id = Column(String(255))
    payment_status = short_text("pending")
    metadata_ = Column("metadata", JSONB, server_default="{}")
    created_at = time_column(func.now())
    updated_at = time_column(func.now(), server_onupdate=FetchedValue())
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
    id = key_column("uuid_v7()")
    order_id = uuid_column(nullable=False)
    product_id = uuid_column()
    product_name = Column(String(255), nullable=False)
    quantity = Column(Integer, nullable=False, server_default=text("1"))
    price = money(nullable=False)
    total = money(nullable=False)
    metadata_ = Column("metadata", JSONB, server_default="{}")
    tenant_id = tenant_column(cascade=False)
    order = relationship("Order", back_populates="items", primaryjoin=lambda: Order.id == foreign(OrderItem.order_id))
    product = relationship("Product", primaryjoin=lambda: Product.id == foreign(OrderItem.product_id))
    __table_args__ = (reference("order_id", "orders", "CASCADE"), reference("product_id", "products", "SET NULL"),
                      Index("idx_order_items_order_id", "order_id"), Index("idx_order_items_product_id", "product_id"))


class Payment(Model):
    __tablename__ = "payments"
    id = key_column("uuid_v7()")
    tenant_id = tenant_column()
    order_id = uuid_column()
    payment_intent_id = Column(String(255))
    amount = money(nullable=False)
    currency = Column(String(3), server_default="USD")
    status = short_text("pending")
    payment_method = Column(String(50))
    provider = Column(String(50))
    provider_fee = Column(Numeric(10, 2))
    net_amount = Column(Numeric(10, 2))
    refunded_amount = Column(Numeric(10, 2), server_default=text("0"))
    metadata_ = Column("metadata", JSONB, server_default="{}")
    processed_at = time_column()
    created_at = time_column(func.now())
    updated_at = time_column(func.now(), server_onupdate=FetchedValue())
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
    id = key_column("uuid_v7()")
    tenant_id = tenant_column()
    event_type = Column(String(100), nullable=False)
    user_id = uuid_column()
    session_id = Column(String(255))
    properties = json_column()
    timestamp = time_column(func.now(), nullable=False)
    __table_args__ = (reference("user_id", "users", "SET NULL"),
                      Index("idx_analytics_tenant_timestamp", "tenant_id", "timestamp"),
                      Index("idx_analytics_event_type", "event_type"), Index("idx_analytics_user_id", "user_id"))


class RevenueMetric(Model):
    """Kept by the store, with four columns more than the document's; the application reads it."""
    __tablename__ = "revenue_metrics"
    id = key_column()
    tenant_id = uuid_column(nullable=False)
    date = Column(Date, nullable=False)
    total_revenue = Column(Numeric(15, 2), server_default=text("0"))
    order_count = Column(Integer, server_default=text("0"))
    customer_count = Column(Integer, server_default=text("0"))
    average_order_value = Column(Numeric(10, 2), server_default=text("0"))
    currency = Column(String(3), nullable=False, server_default="USD")
    created_at = time_column(func.now())
    paid_revenue = Column(Numeric(15, 2), nullable=False, server_default=text("0"))
    paid_order_count = Column(Integer, nullable=False, server_default=text("0"))
    refunded_amount = Column(Numeric(15, 2), nullable=False, server_default=text("0"))
    net_revenue = Column(Numeric(15, 2), nullable=False, server_default=text("0"))
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
                      UniqueConstraint("tenant_id", "date", "currency", name="idx_revenue_metrics_tenant_date"))


class Integration(Model):
    __tablename__ = "integrations"
    id = key_column()
    tenant_id = tenant_column()
    name = Column(String(100), nullable=False)
    type = Column(String(50), nullable=False)
    status = short_text()
    config = json_column()
    # Without the document's default and written as NULL where it is left out: a default would be read back.
    credentials = deferred(Column(JSONB(none_as_null=True)))
    last_sync = time_column()
    created_at = time_column(func.now())
    updated_at = time_column(func.now(), server_onupdate=FetchedValue())
    __table_args__ = (UniqueConstraint("tenant_id", "type", name="idx_integrations_tenant_id"),
                      Index("idx_integrations_type", "type"))


class Webhook(Model):
    __tablename__ = "webhooks"
    id = key_column()
    tenant_id = tenant_column()
    url = Column(String(500), nullable=False)
    events = Column(ARRAY(Text), nullable=False)
    secret = deferred(Column(String(255), nullable=False))
    status = short_text()
    description = Column(Text)
    created_at = time_column(func.now())
    updated_at = time_column(func.now(), server_onupdate=FetchedValue())
    failing_since = time_column()
    disabled_at = time_column()
    disabled_reason = Column(Text)
    previous_secret = deferred(Column(String(255)))
    previous_secret_until = time_column()
    deliveries = relationship("WebhookDelivery", viewonly=True,
                              primaryjoin=lambda: Webhook.id == foreign(WebhookDelivery.webhook_id))
    __table_args__ = (UniqueConstraint("tenant_id", "id", name="idx_webhooks_tenant_id"), Index("idx_webhooks_status", "status"))


class WebhookDelivery(Model):
    """Written by the store; the application reads and deletes."""
    __tablename__ = "webhook_deliveries"
    id = key_column("uuid_v7()")
    webhook_id = uuid_column(nullable=False)
    event_id = uuid_column(nullable=False)
    event_type = Column(String(100), nullable=False)
    payload = Column(JSONB, nullable=False)
    response_status = Column(Integer)
    response_body = Column(Text)
    response_time = Column(Integer)
    attempt_count = Column(Integer, server_default=text("1"))
    delivered_at = time_column()
    created_at = time_column(func.now(), nullable=False)
    tenant_id = tenant_column(cascade=False)
    status = Column(String(20), nullable=False, server_default="pending")
    next_attempt_at = time_column(func.now())
    failures = Column(Integer, nullable=False, server_default=text("0"))
    error = Column(Text)
    __table_args__ = (reference("webhook_id", "webhooks", "CASCADE"),
                      UniqueConstraint("webhook_id", "event_id", "created_at", "tenant_id", name="idx_webhook_deliveries_webhook_id"),
                      Index("idx_webhook_deliveries_open", "tenant_id", "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
                      Index("idx_webhook_deliveries_event_type", "event_type"),
                      Index("idx_webhook_deliveries_created_at", "created_at"))
