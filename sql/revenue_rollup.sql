-- Revenue rollup. After every step the rollup is compared with a recomputation in plain SQL and with the
-- document's own query: a difference prints a line, so silence after a step is what is expected.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
\pset null '-'
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_revenue_app IN ROLE brainsait_app;
CREATE ROLE regress_revenue_operator IN ROLE brainsait_operator;

SET datestyle = 'ISO';

CREATE VIEW expected AS
SELECT o.tenant_id, date(timezone(coalesce(t.settings ->> 'timezone', 'UTC'), o.created_at)) AS date,
       CASE WHEN o.currency IS NULL THEN 'XXX' ELSE o.currency END AS currency,
       sum(o.total) AS total_revenue, count(*)::int AS order_count,
       count(DISTINCT coalesce(o.user_id::text, lower(o.customer_email), o.id::text))::int AS customer_count,
       round(avg(o.total), 2) AS average_order_value,
       sum(CASE WHEN state.paid THEN o.total ELSE 0 END) AS paid_revenue,
       sum(CASE WHEN state.paid THEN 1 ELSE 0 END)::int AS paid_order_count,
       sum(refunds.amount) AS refunded_amount,
       sum(CASE WHEN state.paid THEN o.total ELSE 0 END) - sum(refunds.amount) AS net_revenue
FROM orders o
JOIN tenants t ON t.id = o.tenant_id,
LATERAL (SELECT CASE WHEN o.status IN ('cancelled', 'canceled') THEN false
                     WHEN o.payment_status IN ('paid', 'partially_refunded', 'refunded') THEN true
                     WHEN o.status IN ('completed', 'archived', 'refunded') THEN true
                     ELSE false END) AS state (paid),
LATERAL (SELECT coalesce(sum(p.refunded_amount), 0) FROM payments p WHERE p.order_id = o.id) AS refunds (amount)
WHERE o.created_at IS NOT NULL
GROUP BY 1, 2, 3;

CREATE FUNCTION by_the_document(OUT tenant_id uuid, OUT date date, OUT order_count bigint, OUT total_revenue numeric, OUT average numeric)
    RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    tenant record;
BEGIN
    FOR tenant IN SELECT t.id, coalesce(t.settings ->> 'timezone', 'UTC') AS zone FROM tenants t LOOP
        PERFORM set_config('timezone', tenant.zone, true);
        RETURN QUERY
            SELECT tenant.id, q.date, q.order_count, q.total_revenue, round(q.average_order_value, 2) FROM (
                SELECT
                    DATE(o.created_at) as date,
                    COUNT(*) as order_count,
                    SUM(o.total) as total_revenue,
                    AVG(o.total) as average_order_value
                FROM orders o
                WHERE o.tenant_id = tenant.id
                    AND o.created_at >= '-infinity'
                    AND o.created_at <= 'infinity'
                GROUP BY DATE(o.created_at)) q;
    END LOOP;
    PERFORM set_config('timezone', 'UTC', true);
END $$;

CREATE VIEW unequal AS
WITH stored AS (
    SELECT tenant_id, date, currency::text, total_revenue, order_count, customer_count, average_order_value,
           paid_revenue, paid_order_count, refunded_amount, net_revenue FROM revenue_metrics
), wanted AS (SELECT * FROM expected),
by_day AS (
    SELECT tenant_id, date, sum(order_count) AS order_count, sum(total_revenue) AS total_revenue,
           round(sum(total_revenue) / sum(order_count), 2) AS average
    FROM revenue_metrics GROUP BY 1, 2
)
SELECT 'stored' AS which, s::text AS line FROM (TABLE stored EXCEPT ALL TABLE wanted) s
UNION ALL SELECT 'wanted', w::text FROM (TABLE wanted EXCEPT ALL TABLE stored) w
UNION ALL SELECT 'stored by day', d::text FROM (TABLE by_day EXCEPT ALL SELECT * FROM by_the_document()) d
UNION ALL SELECT 'by the document', d::text FROM (SELECT * FROM by_the_document() EXCEPT ALL TABLE by_day) d
UNION ALL SELECT 'check', c::text FROM check_revenue_metrics() c;

CREATE VIEW shown AS
SELECT t.slug, m.date, m.currency, m.total_revenue AS total, m.order_count AS orders, m.customer_count AS customers,
       m.average_order_value AS average, m.paid_revenue AS paid, m.paid_order_count AS paid_orders, m.refunded_amount AS refunded,
       m.net_revenue AS net
FROM revenue_metrics m JOIN tenants t ON t.id = m.tenant_id
ORDER BY t.slug, m.date, m.currency;

INSERT INTO tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'Riyadh', 'riyadh', '{"timezone": "Asia/Riyadh"}'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'New York', 'newyork', '{"timezone": "America/New_York"}'),
    ('cccccccc-0000-4000-8000-000000000000', 'Greenwich', 'greenwich', '{}');
\set riyadh '\'aaaaaaaa-0000-4000-8000-000000000000\'::uuid'
\set newyork '\'bbbbbbbb-0000-4000-8000-000000000000\'::uuid'
\set greenwich '\'cccccccc-0000-4000-8000-000000000000\'::uuid'
INSERT INTO users (id, tenant_id, email) VALUES
    ('11111111-0000-4000-8000-000000000001', :greenwich, 'ann@example.com'),
    ('11111111-0000-4000-8000-000000000002', :greenwich, 'bob@example.com');
\set ann '\'11111111-0000-4000-8000-000000000001\''
\set bob '\'11111111-0000-4000-8000-000000000002\''

-- An order's id from a short name, so that orders can be told apart.
CREATE FUNCTION id(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(name)::uuid $$;
CREATE FUNCTION place(name text, tenant uuid, total numeric, at timestamptz, currency text DEFAULT 'USD', status text DEFAULT 'pending',
                      payment_status text DEFAULT 'pending', customer uuid DEFAULT NULL, email text DEFAULT NULL) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO orders (id, tenant_id, number, total, created_at, currency, status, payment_status, user_id, customer_email)
    VALUES (id(name), tenant, name, total, at, currency, status, payment_status, customer, email)
$$;

-- The comparison sees what the triggers miss; rebuild mends it and says how many rows were wrong.
ALTER TABLE orders DISABLE TRIGGER brainsait_revenue;
SELECT place('missed', :greenwich, 12, '2026-01-05 12:00+00') \g /dev/null
ALTER TABLE orders ENABLE TRIGGER brainsait_revenue;
SELECT which, line FROM unequal ORDER BY 1, 2;
SELECT rebuild_revenue_metrics(:greenwich);
TABLE unequal;
TABLE shown;
SELECT rebuild_revenue_metrics(:greenwich);
DELETE FROM orders;
TABLE unequal;
TABLE shown;

-- Customers: user, else e-mail in any case, else the order. Paid: by payment, by status, never when cancelled.
SELECT place('a', :greenwich, 10, '2026-01-05 12:00+00', customer => :ann, email => 'X@example.com') \g /dev/null
SELECT place('b', :greenwich, 20.01, '2026-01-05 13:00+00', customer => :ann, payment_status => 'paid') \g /dev/null
SELECT place('c', :greenwich, 5, '2026-01-05 13:00+00', email => 'X@example.com', status => 'completed') \g /dev/null
SELECT place('d', :greenwich, 5, '2026-01-05 13:00+00', email => 'x@EXAMPLE.com', status => 'cancelled', payment_status => 'paid') \g /dev/null
SELECT place('e', :greenwich, 0, '2026-01-05 13:00+00', status => 'canceled', payment_status => 'refunded') \g /dev/null
SELECT place('f', :greenwich, 7, '2026-01-05 13:00+00', status => NULL, payment_status => 'partially_refunded') \g /dev/null
SELECT place('g', :greenwich, 9, '2026-01-05 13:00+00', status => 'refunded', payment_status => NULL) \g /dev/null
SELECT place('h', :greenwich, 11, '2026-01-05 13:00+00', status => 'Completed', payment_status => 'PAID') \g /dev/null
TABLE shown;
TABLE unequal;
-- Archiving what is completed changes nothing, and writes nothing.
SELECT xmin AS before FROM revenue_metrics \gset
UPDATE orders SET status = 'archived' WHERE status = 'completed';
UPDATE orders SET metadata = '{"note": 1}', customer_name = 'N', shipping_address = '{}';
SELECT xmin = :'before'::xid FROM revenue_metrics;
UPDATE orders SET user_id = :bob WHERE id = id('b');
UPDATE orders SET customer_email = 'y@example.com' WHERE id = id('c');
UPDATE orders SET customer_email = NULL, user_id = :bob WHERE id = id('d');
UPDATE orders SET payment_status = 'paid' WHERE id = id('a');
UPDATE orders SET total = 1000000 - total WHERE id IN (id('a'), id('h'));
TABLE unequal;
TABLE shown;
-- A user that goes leaves its orders to their e-mail addresses.
DELETE FROM users WHERE email = 'ann@example.com';
TABLE unequal;
SELECT customers FROM shown;
UPDATE orders SET id = id('h2') WHERE id = id('h');
TABLE unequal;

-- No currency, no time, endless times.
SELECT place('i', :greenwich, 3, '2026-01-05 13:00+00', currency => NULL) \g /dev/null
SELECT place('j', :greenwich, 4, NULL) \g /dev/null
SELECT place('k', :greenwich, 5, 'infinity') \g /dev/null
SELECT place('l', :greenwich, 6, '-infinity', currency => NULL) \g /dev/null
TABLE unequal;
SELECT * FROM shown WHERE date <> '2026-01-05' OR currency <> 'USD';
UPDATE orders SET created_at = '2026-01-06 00:00+00' WHERE id IN (id('j'), id('k'));
UPDATE orders SET created_at = NULL, currency = 'SAR' WHERE id = id('l');
TABLE unequal;
DELETE FROM orders;
TABLE unequal;
SELECT count(*) FROM revenue_metrics;
SELECT count(*) FROM revenue_customers;

-- Days turn in the tenant's time zone: midnight in Riyadh, and New York's days of 23 and 25 hours.
SET timezone = 'Pacific/Kiritimati';
SELECT place('r' || n, :riyadh, n, at) FROM unnest(ARRAY['2026-01-05 20:59:59.999999+00', '2026-01-05 21:00+00', '2026-01-06 20:59:59+00']::timestamptz[])
    WITH ORDINALITY AS t (at, n) \g /dev/null
SELECT place('n' || n, :newyork, n, at) FROM unnest(ARRAY[
    '2026-03-08 04:59:59+00', '2026-03-08 05:00+00', '2026-03-09 03:59:59+00', '2026-03-09 04:00+00',
    '2026-11-01 03:59:59+00', '2026-11-01 04:00+00', '2026-11-02 04:59:59+00', '2026-11-02 05:00+00']::timestamptz[])
    WITH ORDINALITY AS t (at, n) \g /dev/null
SET timezone = 'UTC';
TABLE unequal;
SELECT slug, date, total, orders FROM shown;

-- The time zone changes: alone, around orders of the same transaction, with orders in the same statement, and in a
-- savepoint that is rolled back.
UPDATE tenants SET settings = '{"timezone": "America/New_York"}' WHERE slug = 'riyadh';
TABLE unequal;
BEGIN;
SELECT place('s1', :riyadh, 50, '2026-01-05 04:30+00') \g /dev/null
UPDATE tenants SET settings = '{"timezone": "Asia/Tokyo"}' WHERE slug = 'riyadh';
SELECT place('s2', :riyadh, 60, '2026-01-05 15:30+00') \g /dev/null
DELETE FROM orders WHERE id = id('r1');
COMMIT;
TABLE unequal;
WITH moved AS (UPDATE tenants SET settings = '{"timezone": "Asia/Riyadh"}' WHERE slug = 'riyadh')
INSERT INTO orders (id, tenant_id, number, total, created_at) VALUES (id('s3'), :riyadh, 's3', 70, '2026-01-05 22:30+00');
TABLE unequal;
BEGIN;
SELECT place('s4', :riyadh, 80, '2026-01-05 22:30+00') \g /dev/null
SAVEPOINT s;
UPDATE tenants SET settings = '{"timezone": "America/New_York"}' WHERE slug = 'riyadh';
SELECT place('s5', :riyadh, 90, '2026-01-05 22:30+00') \g /dev/null
ROLLBACK TO SAVEPOINT s;
SELECT place('s6', :riyadh, 100, '2026-01-05 22:30+00') \g /dev/null
COMMIT;
TABLE unequal;
SELECT slug, date, total, orders FROM shown WHERE slug = 'riyadh';
-- Another setting is no change of the zone, and rows that are right keep their identity.
SELECT md5(string_agg(m::text, ' ' ORDER BY id)) AS before FROM revenue_metrics m \gset
UPDATE tenants SET settings = settings || '{"theme": "dark"}';
SELECT rebuild_revenue_metrics(:riyadh), rebuild_revenue_metrics(:newyork, '2026-03-01', '2026-03-31');
SELECT md5(string_agg(m::text, ' ' ORDER BY id)) = :'before' FROM revenue_metrics m;

-- Moves between days, currencies and tenants, with and without refunds.
INSERT INTO payments (id, tenant_id, order_id, amount, refunded_amount)
SELECT o.id, o.tenant_id, o.id, o.total, o.total / 2 FROM orders o;
TABLE unequal;
UPDATE orders SET created_at = created_at - interval '12 hours';
TABLE unequal;
UPDATE orders SET currency = CASE WHEN total > 50 THEN 'SAR' END;
TABLE unequal;
BEGIN;
WITH moved AS (UPDATE payments SET tenant_id = :greenwich WHERE order_id IN (id('s4'), id('n1')))
UPDATE orders SET tenant_id = :greenwich WHERE id IN (id('s4'), id('n1'));
UPDATE payments SET refunded_amount = refunded_amount + 1 WHERE id IN (id('s4'), id('n2'));
UPDATE orders SET created_at = created_at + interval '1 day' WHERE id IN (id('s4'), id('n2'), id('n3'));
COMMIT;
TABLE unequal;
SELECT slug, date, currency, refunded, net FROM shown WHERE slug = 'greenwich';
-- Payments: refunded more, less, not at all, given to another order, taken from any, removed.
UPDATE payments SET refunded_amount = NULL WHERE id = id('n4');
UPDATE payments SET order_id = id('n6') WHERE id = id('n5');
UPDATE payments SET order_id = NULL WHERE id = id('n7');
UPDATE payments SET order_id = id('n7') WHERE id = id('n7');
DELETE FROM payments WHERE id = id('n6');
TABLE unequal;
-- An order that goes sets its payments free, and its refunds leave the bucket; the bucket of a moved one is the old one.
DELETE FROM orders WHERE id = id('n7');
TABLE unequal;
BEGIN;
UPDATE orders SET created_at = '2026-05-05 12:00+00' WHERE id = id('n8');
UPDATE payments SET refunded_amount = refunded_amount + 0.25 WHERE id = id('n8');
DELETE FROM orders WHERE id IN (id('n8'), id('s6'));
SELECT place('n8', :newyork, 8, '2026-06-06 12:00+00') \g /dev/null
UPDATE payments SET order_id = id('n8') WHERE id = id('n8');
COMMIT;
TABLE unequal;
SELECT date, currency, total, refunded FROM shown WHERE slug = 'newyork';

-- Savepoints, kept and rolled back, and an exception block per row.
BEGIN;
SELECT place('t1', :greenwich, 1, '2026-02-01 12:00+00') \g /dev/null
SAVEPOINT one;
SELECT place('t2', :greenwich, 2, '2026-02-01 12:00+00') \g /dev/null
UPDATE orders SET created_at = '2026-02-02 12:00+00' WHERE id = id('s4');
SAVEPOINT two;
UPDATE payments SET refunded_amount = 3 WHERE id = id('s4');
DELETE FROM orders WHERE id IN (id('t1'), id('s4'));
ROLLBACK TO SAVEPOINT two;
UPDATE orders SET total = 4 WHERE id = id('t2');
RELEASE SAVEPOINT one;
SAVEPOINT three;
TRUNCATE orders CASCADE;
SELECT place('t3', :greenwich, 3, '2026-02-01 12:00+00') \g /dev/null
ROLLBACK TO SAVEPOINT three;
COMMIT;
TABLE unequal;
DO $$
BEGIN
    FOR i IN 1 .. 300 LOOP
        BEGIN
            PERFORM shop.place('u' || i, 'cccccccc-0000-4000-8000-000000000000', i, '2026-02-03 12:00+00');
            IF i % 3 = 0 THEN
                RAISE EXCEPTION 'not this one';
            END IF;
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
    END LOOP;
END $$;
TABLE unequal;
SELECT total, orders, customers FROM shown WHERE date = '2026-02-03';
BEGIN;
SELECT place('t4', :greenwich, 4, '2026-02-01 12:00+00') \g /dev/null
ROLLBACK;
TABLE unequal;

-- COPY, MERGE, ON CONFLICT, and more buckets than are locked one by one.
COPY orders (tenant_id, number, total, created_at, currency) FROM STDIN;
cccccccc-0000-4000-8000-000000000000	v1	1.50	2026-02-04 12:00+00	USD
cccccccc-0000-4000-8000-000000000000	v2	2.50	2026-02-04 12:00+00	EUR
\.
MERGE INTO orders o USING (VALUES ('u1', 10.0), ('u2', 20.0), ('u4', 30.0), ('w1', 40.0)) AS n (name, total) ON o.id = id(n.name)
WHEN MATCHED AND n.name = 'u2' THEN DELETE
WHEN MATCHED THEN UPDATE SET total = n.total, created_at = '2026-02-05 00:00+00'
WHEN NOT MATCHED THEN INSERT (id, tenant_id, number, total, created_at) VALUES (id(n.name), 'cccccccc-0000-4000-8000-000000000000', n.name, n.total, '2026-02-05 01:00+00');
INSERT INTO orders (id, tenant_id, number, total, created_at)
SELECT id('u' || i), :greenwich, 'x' || i, 1000 + i, '2026-02-06 00:00+00' FROM generate_series(1, 12) i
ON CONFLICT (id) DO UPDATE SET total = excluded.total, currency = 'SAR' WHERE orders.total < 8;
INSERT INTO orders (id, tenant_id, number, total, created_at) VALUES (id('u1'), :greenwich, 'u1', 1, now()) ON CONFLICT DO NOTHING;
TABLE unequal;
SELECT date, currency, total, orders FROM shown WHERE date BETWEEN '2026-02-03' AND '2026-02-06' AND slug = 'greenwich';
INSERT INTO orders (tenant_id, number, total, created_at, customer_email)
SELECT CASE i % 3 WHEN 0 THEN :riyadh WHEN 1 THEN :newyork ELSE :greenwich END, 'y' || i, i, '2025-01-01 00:00+00'::timestamptz + i * interval '5 hours', 'c' || i % 7
FROM generate_series(1, 1000) i;
TABLE unequal;
INSERT INTO payments (tenant_id, order_id, amount, refunded_amount) SELECT tenant_id, id, total, 1 FROM orders WHERE number LIKE 'y%';
UPDATE orders SET created_at = created_at + interval '1 hour', currency = CASE WHEN total > 500 THEN 'EUR' ELSE currency END WHERE number LIKE 'y%';
TABLE unequal;
DELETE FROM orders WHERE number LIKE 'y%' AND total > 700;
TABLE unequal;
SELECT count(*), sum(order_count), sum(total_revenue), sum(refunded_amount) FROM revenue_metrics WHERE date < '2026-01-01';

-- Two-phase commit: written when prepared, in force when committed.
BEGIN;
SELECT place('p1', :greenwich, 500, '2026-04-01 12:00+00') \g /dev/null
UPDATE orders SET created_at = created_at + interval '1 month' WHERE id = id('s4');
PREPARE TRANSACTION 'regress_revenue_kept';
TABLE unequal;
COMMIT PREPARED 'regress_revenue_kept';
TABLE unequal;
BEGIN;
SELECT place('p2', :greenwich, 600, '2026-04-01 12:00+00') \g /dev/null
PREPARE TRANSACTION 'regress_revenue_dropped';
ROLLBACK PREPARED 'regress_revenue_dropped';
TABLE unequal;
SELECT date, total, refunded FROM shown WHERE slug = 'greenwich' AND date > '2026-02-28';

-- Other isolation levels, and a transaction that turned read only after it wrote.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) > 0 FROM revenue_metrics;
SELECT place('q1', :greenwich, 1, '2026-04-01 12:00+00') \g /dev/null
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('q2', :greenwich, 2, '2026-04-01 12:00+00') \g /dev/null
SET TRANSACTION READ ONLY;
COMMIT;
TABLE unequal;

-- TRUNCATE of payments clears refunds; what follows in the transaction counts.
BEGIN;
UPDATE payments SET refunded_amount = refunded_amount + 1 WHERE id = id('s4');
UPDATE orders SET created_at = created_at + interval '1 day' WHERE id = id('s4');
TRUNCATE payments;
INSERT INTO payments (id, tenant_id, order_id, amount, refunded_amount) VALUES (id('p1'), :greenwich, id('p1'), 9, 2.5);
COMMIT;
TABLE unequal;
SELECT count(*) FROM revenue_metrics WHERE refunded_amount <> 0;

-- A rebuild inside a transaction that writes, before and after, of some days only.
BEGIN;
SELECT place('z1', :greenwich, 1, '2026-04-01 12:00+00') \g /dev/null
SELECT place('z2', :greenwich, 2, '2026-04-02 12:00+00') \g /dev/null
UPDATE payments SET refunded_amount = 3.5 WHERE id = id('p1');
SELECT rebuild_revenue_metrics(:greenwich, '2026-04-01', '2026-04-01');
DELETE FROM orders WHERE id = id('z1');
SELECT place('z3', :greenwich, 3, '2026-04-01 12:00+00') \g /dev/null
SELECT place('z4', :greenwich, 4, '2026-04-02 12:00+00') \g /dev/null
COMMIT;
TABLE unequal;
WITH placed AS (INSERT INTO orders (id, tenant_id, number, total, created_at)
                VALUES (id('z5'), :greenwich, 'z5', 5, '2026-04-02 12:00+00') RETURNING tenant_id)
SELECT rebuild_revenue_metrics(tenant_id) IS NOT NULL FROM placed;
TABLE unequal;
BEGIN;
SAVEPOINT s;
DELETE FROM orders WHERE id = id('z4');
SELECT rebuild_revenue_metrics(:greenwich);
ROLLBACK TO SAVEPOINT s;
COMMIT;
TABLE unequal;
\set VERBOSITY sqlstate
SELECT rebuild_revenue_metrics(NULL);
SELECT rebuild_revenue_metrics(id('nobody'));
SELECT rebuild_revenue_metrics(:greenwich, '2026-02-02', '2026-02-01');
SELECT revenue_order_changed();
\set VERBOSITY terse

-- Names and operators planted in front of the built-in ones change nothing.
CREATE SCHEMA evil;
CREATE FUNCTION evil.never(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION evil.never(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION evil.wrong(numeric, numeric) RETURNS numeric LANGUAGE sql AS 'SELECT 666::numeric';
CREATE FUNCTION evil.wrong(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT 666';
CREATE FUNCTION evil.round(numeric, integer) RETURNS numeric LANGUAGE sql AS 'SELECT 666::numeric';
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS 'SELECT ''evil''::text';
CREATE FUNCTION evil.revenue_customer(uuid, text, uuid) RETURNS uuid LANGUAGE sql AS 'SELECT $3';
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.never);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never);
CREATE OPERATOR evil.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.never);
CREATE OPERATOR evil.<> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.never);
CREATE OPERATOR evil.> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.never);
CREATE OPERATOR evil.+ (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.wrong);
CREATE OPERATOR evil.+ (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = evil.wrong);
CREATE OPERATOR evil.- (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = evil.wrong);
CREATE OPERATOR evil./ (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = evil.wrong);
CREATE TABLE evil.orders (LIKE shop.orders);
CREATE TABLE evil.revenue_metrics (LIKE shop.revenue_metrics);
SET search_path = evil, pg_catalog;
INSERT INTO shop.orders (id, tenant_id, number, total, created_at, customer_email)
SELECT shop.id('evil' || i), 'cccccccc-0000-4000-8000-000000000000', 'evil' || i, 10, '2026-07-01 12:00+00', 'm' || i % 2 FROM generate_series(1, 6) i;
UPDATE shop.orders SET created_at = '2026-07-02 12:00+00' WHERE number LIKE 'evil1' OR number LIKE 'evil2';
INSERT INTO shop.payments (id, tenant_id, order_id, amount, refunded_amount)
SELECT o.id, o.tenant_id, o.id, 10, 4 FROM shop.orders o WHERE o.number LIKE 'evil%';
UPDATE shop.orders SET total = 11, created_at = '2026-07-03 12:00+00' WHERE number LIKE 'evil3';
DELETE FROM shop.orders WHERE number LIKE 'evil4';
SELECT shop.rebuild_revenue_metrics('cccccccc-0000-4000-8000-000000000000');
SELECT count(*) FROM shop.check_revenue_metrics();
SET search_path = shop;
DROP SCHEMA evil CASCADE;
TABLE unequal;
SELECT date, total, orders, customers, average, refunded FROM shown WHERE date BETWEEN '2026-07-01' AND '2026-07-03';

-- What the application adds to the tables: columns, other types, BEFORE triggers, triggers on the rollup.
-- (The views of this test hold the columns' types; their text is kept for later.)
SELECT pg_get_viewdef('expected') AS expected, pg_get_viewdef('unequal') AS unequal \gset
DROP VIEW expected CASCADE;
ALTER TABLE orders ADD COLUMN note text, ALTER COLUMN status TYPE text, ALTER COLUMN payment_status TYPE char(20);
ALTER TABLE orders DROP COLUMN customer_name;
CREATE VIEW expected AS :expected
CREATE VIEW unequal AS :unequal
CREATE FUNCTION always_paid() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.payment_status := 'paid'; NEW.total := NEW.total + 1; RETURN NEW; END $$;
CREATE TRIGGER zz_always_paid BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION always_paid();
UPDATE orders SET note = 'n' WHERE number LIKE 'evil%';
TABLE unequal;
SELECT date, paid, paid_orders FROM shown WHERE date BETWEEN '2026-07-01' AND '2026-07-03';
DROP TRIGGER zz_always_paid ON orders;
-- A first row of a new day brings an order of thanks, whose own row comes in a second round; and deferred triggers fire.
CREATE FUNCTION thank() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.currency = 'USD' AND NEW.date > '2026-08-01' THEN
        INSERT INTO shop.orders (tenant_id, number, total, currency, created_at) VALUES (NEW.tenant_id, 'thanks ' || NEW.date, 0.01, 'EUR', NEW.date);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER thank AFTER INSERT ON revenue_metrics FOR EACH ROW EXECUTE FUNCTION thank();
SELECT place('thank1', :greenwich, 30, '2026-08-02 12:00+00') \g /dev/null
TABLE unequal;
DROP TRIGGER thank ON revenue_metrics;
CREATE CONSTRAINT TRIGGER thank AFTER INSERT ON revenue_metrics DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION thank();
SELECT place('thank2', :greenwich, 30, '2026-08-03 12:00+00') \g /dev/null
TABLE unequal;
SELECT date, currency, total FROM shown WHERE date > '2026-08-01' AND isfinite(date);
DROP TRIGGER thank ON revenue_metrics;
CREATE FUNCTION restless() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE shop.orders SET total = total + 1 WHERE number = 'thank1'; RETURN NULL; END $$;
CREATE TRIGGER restless AFTER UPDATE ON revenue_metrics FOR EACH ROW EXECUTE FUNCTION restless();
UPDATE orders SET total = 31 WHERE number = 'thank1';
DROP TRIGGER restless ON revenue_metrics;
TABLE unequal;
-- Amounts that the rollup cannot hold exactly are refused, as are currencies that it has no row for.
DROP VIEW expected CASCADE;
ALTER TABLE orders ALTER COLUMN total TYPE numeric, DROP CONSTRAINT orders_currency_shape;
CREATE VIEW expected AS :expected
CREATE VIEW unequal AS :unequal
SELECT place('fine', :greenwich, 1.230000, '2026-08-04 12:00+00') \g /dev/null
SELECT place('finer', :greenwich, 1.234, '2026-08-04 12:00+00') \g /dev/null
SELECT place('nan', :greenwich, 'NaN', '2026-08-04 12:00+00') \g /dev/null
SELECT place('small', :greenwich, 1, '2026-08-04 12:00+00', currency => 'usd') \g /dev/null
SELECT place('empty', :greenwich, 1, '2026-08-04 12:00+00', currency => '') \g /dev/null
UPDATE orders SET total = 99999999999999999 WHERE number = 'fine';
UPDATE orders SET total = 9999999999999 WHERE number = 'fine';
TABLE unequal;

-- The application reads its own rows and writes none; operators may rebuild.
GRANT USAGE ON SCHEMA shop TO regress_revenue_app;
\set VERBOSITY sqlstate
BEGIN;
SET LOCAL ROLE regress_revenue_app;
SELECT set_tenant(:newyork);
SELECT count(DISTINCT tenant_id), count(*) > 100 FROM revenue_metrics;
SELECT count(*) FROM check_revenue_metrics();
SELECT count(*) FROM check_revenue_metrics(:greenwich);
SAVEPOINT s;
INSERT INTO revenue_metrics (tenant_id, date) VALUES (:newyork, '2026-01-01');
ROLLBACK TO SAVEPOINT s;
UPDATE revenue_metrics SET total_revenue = 0;
ROLLBACK TO SAVEPOINT s;
DELETE FROM revenue_metrics;
ROLLBACK TO SAVEPOINT s;
TRUNCATE revenue_metrics;
ROLLBACK TO SAVEPOINT s;
INSERT INTO revenue_customers VALUES (:newyork, '2026-01-01', 'USD', id('c'), 1);
ROLLBACK TO SAVEPOINT s;
UPDATE revenue_customers SET order_count = 2;
ROLLBACK TO SAVEPOINT s;
DELETE FROM revenue_customers;
ROLLBACK TO SAVEPOINT s;
SELECT rebuild_revenue_metrics(:newyork);
ROLLBACK TO SAVEPOINT s;
INSERT INTO orders (number, total, created_at) VALUES ('own', 77, '2026-09-01 12:00+00');
COMMIT;
TABLE unequal;
SELECT date, total FROM shown WHERE slug = 'newyork' AND date = '2026-09-01';
BEGIN;
SET LOCAL ROLE regress_revenue_operator;
SELECT rebuild_revenue_metrics(:newyork), count(*) FROM check_revenue_metrics();
UPDATE revenue_metrics SET total_revenue = 0;
ROLLBACK;
\set VERBOSITY terse

-- A tenant goes, its orders and their refunds with it; it may even come back in the same transaction.
DELETE FROM tenants WHERE slug = 'riyadh';
TABLE unequal;
SELECT count(*) FROM revenue_metrics WHERE tenant_id = :riyadh;
BEGIN;
SELECT place('last', :newyork, 1, '2026-09-02 12:00+00') \g /dev/null
DELETE FROM tenants WHERE slug = 'newyork';
INSERT INTO tenants (id, name, slug, settings) VALUES (:newyork, 'New York', 'newyork', '{"timezone": "Asia/Tokyo"}');
SELECT place('first', :newyork, 2, '2026-09-02 18:00+00') \g /dev/null
SELECT place('again', :greenwich, 3, '2026-09-02 12:00+00') \g /dev/null
COMMIT;
TABLE unequal;
SELECT slug, date, total FROM shown WHERE date BETWEEN '2026-09-01' AND '2026-10-01';
BEGIN;
SAVEPOINT s;
DELETE FROM tenants;
ROLLBACK TO SAVEPOINT s;
SELECT place('spared', :newyork, 4, '2026-09-02 18:00+00') \g /dev/null
COMMIT;
TABLE unequal;

-- TRUNCATE of orders clears the rollup; what follows in the transaction counts.
BEGIN;
SELECT place('before', :greenwich, 1, '2026-10-01 12:00+00') \g /dev/null
TRUNCATE orders CASCADE;
SELECT place('after', :greenwich, 2, '2026-10-01 12:00+00', customer => :bob) \g /dev/null
COMMIT;
TABLE unequal;
TABLE shown;
TRUNCATE tenants CASCADE;
TABLE unequal;
SELECT count(*) FROM revenue_customers;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_revenue_app, regress_revenue_operator;
DROP ROLE regress_revenue_app, regress_revenue_operator;
