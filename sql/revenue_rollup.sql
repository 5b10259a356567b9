-- Revenue rollup, each kind of change. After every step it is compared with a recomputation in plain SQL and with the
-- document's own query: a difference prints a line, so silence after a step is what is expected.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
\pset null '-'
\set VERBOSITY terse
SET client_min_messages = warning;
\getenv folder PG_ABS_SRCDIR
\set file :folder '/test/fixtures/revenue_store.sql'
\i :file

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
SELECT count(*), sum(order_count), sum(total_revenue), sum(refunded_amount) FROM revenue_metrics_live WHERE date < '2026-01-01';

-- Two-phase commit: written when prepared, in force when committed. (A server without it commits plainly.)
SELECT current_setting('max_prepared_transactions')::int > 0 AS two_phase \gset
BEGIN;
SELECT place('p1', :greenwich, 500, '2026-04-01 12:00+00') \g /dev/null
UPDATE orders SET created_at = created_at + interval '1 month' WHERE id = id('s4');
\if :two_phase
PREPARE TRANSACTION 'regress_revenue_kept';
TABLE unequal;
COMMIT PREPARED 'regress_revenue_kept';
\else
COMMIT;
\endif
TABLE unequal;
BEGIN;
SELECT place('p2', :greenwich, 600, '2026-04-01 12:00+00') \g /dev/null
\if :two_phase
PREPARE TRANSACTION 'regress_revenue_dropped';
ROLLBACK PREPARED 'regress_revenue_dropped';
\else
ROLLBACK;
\endif
TABLE unequal;
SELECT date, total, refunded FROM shown WHERE slug = 'greenwich' AND date > '2026-02-28';

-- Other isolation levels, which append to the queue, and a transaction that turned read only after it wrote.
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
SELECT count(*) FROM revenue_metrics_live WHERE refunded_amount <> 0;

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

-- A tenant that goes while the extension is away.
INSERT INTO tenants (id, name, slug) VALUES (id('away'), 'Away', 'away'), (id('home'), 'Home', 'home');
SELECT place('away', id('away'), 1, '2026-10-03 12:00+00'), place('home', id('home'), 1, '2026-10-03 12:00+00') \g /dev/null
DROP EXTENSION brainsait CASCADE;
DELETE FROM tenants WHERE slug = 'away';
SELECT c.date, c.order_count FROM revenue_customers c WHERE c.tenant_id NOT IN (SELECT id FROM tenants);
CREATE EXTENSION brainsait SCHEMA shop;
SELECT count(*) FROM revenue_customers c WHERE c.tenant_id NOT IN (SELECT id FROM tenants);
SELECT count(*) FROM revenue_customers WHERE tenant_id = id('home');
SELECT count(*) FROM check_revenue_metrics();

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_revenue_app, regress_revenue_operator;
DROP ROLE regress_revenue_app, regress_revenue_operator;
