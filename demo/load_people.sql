-- As the shop's application: its products and customers. Needs the psql variables slug and tenant.
BEGIN;
SELECT set_tenant(:'tenant') \gset
INSERT INTO products (id, name, description, price, currency, category, tags, inventory_count, created_at)
SELECT id, name, description, price, currency, category, tags, 20 + rank % 180, now() - interval '1 year'
FROM demo.product JOIN demo.shop USING (slug) WHERE slug = :'slug';
\set products :ROW_COUNT
INSERT INTO users (id, email, name, role, email_verified, created_at)
SELECT id, email, name, 'customer', true, since FROM demo.customer WHERE slug = :'slug' AND registered;
\set customers :ROW_COUNT
COMMIT;
SELECT :products, :customers;
