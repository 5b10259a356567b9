-- The shops that orders come to, the same in every store: shop 0 is the busy one, with :users users and
-- :products products; shops 1 to :tenants have 20 users each. Ids are numbers written as 32 digits, so that
-- a client can make them from a counter at no cost: shop t, its user t * 1000000 + u.
INSERT INTO tenants (id, name, slug)
SELECT lpad(t::text, 32, '0')::uuid, 'Shop ' || t, 'shop-' || t
FROM generate_series(0, :tenants) AS t;

INSERT INTO users (id, tenant_id, email, name)
SELECT lpad((t * 1000000 + u)::text, 32, '0')::uuid, lpad(t::text, 32, '0')::uuid,
       format('user%s@shop-%s.example', u, t), 'User ' || u
FROM generate_series(0, :tenants) AS t, generate_series(1, CASE t WHEN 0 THEN :users ELSE 20 END) AS u;

INSERT INTO products (id, tenant_id, name, price, category, tags, inventory_count)
SELECT lpad(p::text, 32, '0')::uuid, lpad('0', 32, '0')::uuid,
       jsonb_build_object('en', 'Product ' || p, 'ar', 'منتج ' || p),
       (p % 500) + 0.99, 'category-' || p % 20, ARRAY['tag-' || p % 50, 'tag-' || p % 7], 1000000
FROM generate_series(1, :products) AS p;
