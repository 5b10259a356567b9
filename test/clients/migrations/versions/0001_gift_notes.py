"""A column and an index on a table of the store's, and a table of the application's behind the wall."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("orders", sa.Column("gift_note", sa.String(200)))
    op.create_index("idx_orders_gift_note", "orders", ["tenant_id", "gift_note"])
    op.create_table(
        "gift_cards",
        sa.Column("id", UUID(as_uuid=True), primary_key=True, server_default=sa.text("gen_random_uuid()")),
        sa.Column("tenant_id", UUID(as_uuid=True), sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False,
                  server_default=sa.text("current_tenant()")),
        sa.Column("balance", sa.Numeric(10, 2), nullable=False))
    op.execute("SELECT isolate_table('gift_cards')")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON gift_cards TO brainsait_app")


def downgrade():
    op.drop_table("gift_cards")
    op.drop_index("idx_orders_gift_note", table_name="orders")
    op.drop_column("orders", "gift_note")
