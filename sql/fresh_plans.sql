-- Plans on tables that are new and were never analysed, where estimates cannot tell one row from all of a tenant's:
-- foreign-key checks, the store's own look-ups and the application's must reach one row, not walk through the tenant's.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_fresh;
CREATE DATABASE regress_brainsait_fresh TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_fresh
SET client_min_messages = warning;
CREATE EXTENSION brainsait;
DO $$
DECLARE
    relation name;
BEGIN
    FOREACH relation IN ARRAY ARRAY['tenants', 'users', 'products', 'orders', 'order_items', 'payments', 'webhooks'] LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = off)', relation);
    END LOOP;
END
$$;

-- The index that a query with parameters of type uuid uses, by its generic plan.
CREATE FUNCTION index_used(query text) RETURNS text LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'PREPARE asked (uuid, uuid) AS ' || query;
    EXECUTE 'EXPLAIN (FORMAT JSON) EXECUTE asked (gen_random_uuid(), gen_random_uuid())' INTO plan;
    DEALLOCATE asked;
    RETURN string_agg(name #>> '{}', ', ') FROM jsonb_path_query(plan::jsonb, 'strict $.**."Index Name"') AS name;
END
$$;
CREATE TABLE asked (what text, query text);
INSERT INTO asked
SELECT 'reference to ' || name, format('SELECT 1 FROM ONLY %I x WHERE tenant_id = $1 AND id = $2 FOR KEY SHARE OF x', name)
FROM unnest(ARRAY['users', 'products', 'orders', 'webhooks']) AS name
UNION ALL
SELECT format('%s of one that goes', name), format('SELECT 1 FROM ONLY %I x WHERE $1 = tenant_id AND $2 = %I', name, field)
FROM (VALUES ('orders', 'user_id'), ('order_items', 'order_id'), ('order_items', 'product_id'), ('payments', 'order_id')) AS t (name, field)
UNION ALL
SELECT 'one of ' || name, format('SELECT 1 FROM %I x WHERE id = $1 AND tenant_id = $2', name)
FROM unnest(ARRAY['users', 'products', 'orders', 'order_items', 'payments', 'webhooks']) AS name;
SELECT what, index_used(query) FROM asked ORDER BY 1, 2;

-- What a session's kept plans read while the tables grow: each check or action one row of the table asked.
-- (All in one transaction, in which the figures only add up.)
INSERT INTO tenants (id, name, slug) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'One', 'one');
CREATE FUNCTION fetched(name) RETURNS bigint LANGUAGE sql AS
    'SELECT coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = $1';
BEGIN;
INSERT INTO users (id, tenant_id, email)
SELECT lpad(i::text, 32, '0')::uuid, 'aaaaaaaa-0000-4000-8000-000000000000', i || '@example.com' FROM generate_series(1, 200) AS i;
DO $$
BEGIN
    FOR i IN 1 .. 200 LOOP
        INSERT INTO products (id, tenant_id, name, price)
        VALUES (lpad(i::text, 32, '0')::uuid, 'aaaaaaaa-0000-4000-8000-000000000000', '{}', 1);
        INSERT INTO orders (id, tenant_id, user_id, total)
        VALUES (lpad(i::text, 32, '0')::uuid, 'aaaaaaaa-0000-4000-8000-000000000000', lpad(i::text, 32, '0')::uuid, 1);
        INSERT INTO order_items (order_id, product_id, product_name, price, total)
        VALUES (lpad(i::text, 32, '0')::uuid, lpad(i::text, 32, '0')::uuid, 'p', 1, 1);
        INSERT INTO payments (tenant_id, order_id, amount)
        VALUES ('aaaaaaaa-0000-4000-8000-000000000000', lpad(i::text, 32, '0')::uuid, 1);
    END LOOP;
END
$$;
-- One per check; orders are also looked up for the tenant of an item that leaves it out.
SELECT fetched('users') AS users, fetched('products') AS products, fetched('orders') AS orders;
DELETE FROM users WHERE id = lpad('7', 32, '0')::uuid;
SELECT fetched('users') AS users, fetched('orders') AS orders;
DELETE FROM orders WHERE id = lpad('8', 32, '0')::uuid;
SELECT fetched('order_items') AS order_items, fetched('payments') AS payments;
COMMIT;

\c postgres
DROP DATABASE regress_brainsait_fresh;
