-- The ends of ranges, long and odd texts, and what is left when the store goes while a transaction still uses it.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
INSERT INTO tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'Riyadh', 'riyadh', '{"timezone": "Asia/Riyadh"}'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'Los Angeles', 'los-angeles', '{"timezone": "America/Los_Angeles"}');

-- The first and the last time there is, where the tenant's clock shows it and where it does not.
\set VERBOSITY sqlstate
INSERT INTO orders (tenant_id, number, total, created_at) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'last', 1, '294276-12-31 20:59:59.999999+00');
INSERT INTO orders (tenant_id, number, total, created_at) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'past the last', 1, '294276-12-31 21:00+00');
INSERT INTO orders (tenant_id, number, total, created_at) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 'first', 1, '4714-11-24 07:52:58+00 BC');
INSERT INTO orders (tenant_id, number, total, created_at) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 'before the first', 1, '4714-11-24 00:00+00 BC');
INSERT INTO orders (tenant_id, number, total, created_at)
    SELECT id, slug || at, 1, at FROM tenants, unnest('{infinity,-infinity}'::timestamptz[]) AS at;
INSERT INTO orders (tenant_id, total, created_at) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 1, 'infinity');
\set VERBOSITY default
SELECT slug, date FROM revenue_metrics JOIN tenants ON tenants.id = tenant_id ORDER BY slug, date;
SELECT * FROM check_revenue_metrics();
SELECT slug, rebuild_revenue_metrics(id), rebuild_revenue_metrics(id, '-infinity', 'infinity') FROM tenants ORDER BY slug;

-- Texts of a million characters.
\set VERBOSITY sqlstate
SELECT order_number_is_valid(repeat('A', 1000000), 'A{CODE}'), order_number_is_valid('', 'A{CODE}'), resolve_tenant(repeat('a', 1000000)) IS NULL AS unknown;
SELECT order_number_is_valid('', repeat('{TENANT}', 1000000));
SELECT order_number_is_valid('', repeat('{', 1000000));
SELECT order_number_is_valid('', '{CODE:' || repeat('9', 1000000) || '}');
UPDATE tenants SET settings = jsonb_build_object('timezone', repeat('A/', 500000));
UPDATE tenants SET settings = jsonb_build_object('order_number_format', repeat('٠', 1000000));
UPDATE tenants SET settings = jsonb_build_object('order_number_reset', repeat('٠', 1000000));
-- Settings of odd shapes, as they are refused and as a restore without triggers may bring them.
UPDATE tenants SET settings = '[{"timezone": "UTC"}]';
UPDATE tenants SET settings = '{"timezone": {"timezone": "UTC"}}';
UPDATE tenants SET settings = '{"timezone": "../../etc/passwd"}';
SET session_replication_role = replica;
UPDATE tenants SET settings = '["timezone"]' WHERE slug = 'riyadh';
UPDATE tenants SET settings = '{"timezone": 5}' WHERE slug = 'los-angeles';
RESET session_replication_role;
INSERT INTO orders (tenant_id, total, created_at) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 1, '2026-03-09 23:00+00') RETURNING left(number, 12);
INSERT INTO orders (tenant_id, total, created_at) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 1, '2026-03-09 23:00+00') RETURNING left(number, 12);
\set VERBOSITY default

-- Every function of the extension's, table, sequence and view of the store's says what it is.
SELECT pg_describe_object(objects.classid, objects.objid, 0) AS "says nothing"
FROM (SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
      WHERE e.extname = 'brainsait' AND d.deptype = 'e'
      UNION
      SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')) AS objects
WHERE obj_description(objects.objid, objects.classid::regclass::name) IS NULL
    -- An array's type belongs to its element's, and from PostgreSQL 17 on to the extension, too.
    AND NOT EXISTS (SELECT FROM pg_type WHERE oid = objects.objid AND typelem <> 0 AND objects.classid = 'pg_type'::regclass)
ORDER BY 1;

-- The store goes in the very transaction that has orders, refunds and counters still to write.
UPDATE tenants SET settings = '{"order_number_format": "{TENANT}-{SEQ}"}';
\set fill 'INSERT INTO shop.orders (id, tenant_id, total) SELECT id, id, 1 FROM shop.tenants; INSERT INTO shop.payments (tenant_id, order_id, amount, refunded_amount) SELECT id, id, 1, 1 FROM shop.tenants; INSERT INTO shop.orders (tenant_id, total) SELECT id, 1 FROM shop.tenants;'
BEGIN;
:fill
DROP SCHEMA shop CASCADE;
COMMIT;
SELECT to_regnamespace('shop') IS NULL AS gone;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
INSERT INTO tenants (name, slug) VALUES ('A', 'a'), ('B', 'b');
BEGIN;
:fill
DROP EXTENSION brainsait CASCADE;
DROP TABLE order_items, payments, orders, revenue_metrics, revenue_customers;
COMMIT;
SELECT to_regclass('shop.orders') IS NULL AS gone;
-- Triggers alone go: what was counted before is written.
CREATE EXTENSION brainsait SCHEMA shop;
BEGIN;
:fill
DROP EXTENSION brainsait CASCADE;
COMMIT;
SELECT total_revenue, order_count, refunded_amount FROM revenue_metrics;
-- And a rolled back one leaves everything in place.
CREATE EXTENSION brainsait SCHEMA shop;
BEGIN;
INSERT INTO orders (tenant_id, total) SELECT id, 1 FROM tenants;
SAVEPOINT s;
DROP SCHEMA shop CASCADE;
ROLLBACK TO s;
COMMIT;
SELECT total_revenue, order_count, refunded_amount FROM revenue_metrics;
SELECT * FROM check_revenue_metrics();

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
