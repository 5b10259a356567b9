-- The queue of the revenue rollup: what is appended to revenue_deltas instead of written, what revenue_metrics_live makes of
-- it, and how it is folded. As in revenue_rollup, silence after a step is what is expected. A worker may fold at any moment,
-- so what a session appended is told by the numbers it drew, not by the rows that are left.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
\pset null '-'
\set VERBOSITY terse
SET client_min_messages = warning;
\getenv folder PG_ABS_SRCDIR
\set file :folder '/test/fixtures/revenue_store.sql'
\i :file

-- What differs in the table itself once everything is folded, and what folding left.
CREATE VIEW unfolded AS
SELECT 'pending' AS which, d::text AS line FROM revenue_deltas d
UNION ALL SELECT 'row', m::text FROM (TABLE revenue_metrics EXCEPT ALL TABLE revenue_metrics_live) m
UNION ALL SELECT 'live', l::text FROM (TABLE revenue_metrics_live EXCEPT ALL TABLE revenue_metrics) l
UNION ALL
SELECT 'customer', c::text FROM (
    (SELECT tenant_id, date, currency, customer, order_count FROM revenue_customers
     EXCEPT ALL
     SELECT o.tenant_id, date(timezone(coalesce(t.settings ->> 'timezone', 'UTC'), o.created_at)), coalesce(o.currency, 'XXX'),
            revenue_customer(o.user_id, o.customer_email, o.id), count(*)::int
     FROM orders o JOIN tenants t ON t.id = o.tenant_id WHERE o.created_at IS NOT NULL GROUP BY 1, 2, 3, 4)
    UNION ALL
    (SELECT o.tenant_id, date(timezone(coalesce(t.settings ->> 'timezone', 'UTC'), o.created_at)), coalesce(o.currency, 'XXX'),
            revenue_customer(o.user_id, o.customer_email, o.id), count(*)::int
     FROM orders o JOIN tenants t ON t.id = o.tenant_id WHERE o.created_at IS NOT NULL GROUP BY 1, 2, 3, 4
     EXCEPT ALL
     SELECT tenant_id, date, currency, customer, order_count FROM revenue_customers)) c;
-- How many deltas this session appended shows in the numbers that it drew.
SELECT nextval('revenue_deltas_id_seq') AS drawn \gset

-- A free row is written. REPEATABLE READ and SERIALIZABLE append: one row for a bucket and each of its further customers.
SELECT place('a1', :greenwich, 10, '2026-01-05 12:00+00', customer => :ann) \g /dev/null
SELECT currval('revenue_deltas_id_seq') = :drawn;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('a2', :greenwich, 20, '2026-01-05 12:00+00', customer => :ann, payment_status => 'paid') \g /dev/null
COMMIT;
SELECT currval('revenue_deltas_id_seq') - :drawn;
TABLE unequal;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT place('a3', :greenwich, 30, '2026-01-05 12:00+00', customer => :bob), place('a4', :greenwich, 40, '2026-01-05 13:00+00'),
       place('a5', :greenwich, 50, '2026-01-06 13:00+00', currency => NULL) \g /dev/null
COMMIT;
SELECT currval('revenue_deltas_id_seq') - :drawn;
TABLE unequal;
TABLE shown;
-- Less than nothing is stored while what is pending makes up for it, and an average that no column could hold is left out.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('big' || i, :greenwich, 99999999.99, '2026-01-07 12:00+00', customer => :ann) FROM generate_series(1, 3) i \g /dev/null
COMMIT;
DELETE FROM orders WHERE id = id('big1');
TABLE unequal;
UPDATE orders SET total = 0.01 WHERE id = id('big2');
TABLE unequal;
SELECT place('small', :greenwich, 1, '2026-01-07 12:00+00', customer => :bob) \g /dev/null
TABLE unequal;
BEGIN;
DELETE FROM orders WHERE id IN (id('a2'), id('a3'), id('a4'), id('a5'));
COMMIT;
TABLE unequal;
TABLE shown;
-- The filter on the date reaches the index of revenue_metrics, for the application as well.
SET enable_seqscan = off;
CREATE FUNCTION uses_index(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
    found boolean := false;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        found := found OR line ~ 'Index Cond: .*date >= ' AND line ~ 'tenant_id = ';
    END LOOP;
    RETURN found;
END $$;
SELECT uses_index($$SELECT * FROM shop.revenue_metrics_live WHERE tenant_id = 'cccccccc-0000-4000-8000-000000000000' AND date >= '2026-01-06'$$);
GRANT USAGE ON SCHEMA shop TO regress_revenue_app;
BEGIN;
SET LOCAL ROLE regress_revenue_app;
SELECT set_tenant(:greenwich);
SELECT uses_index($$SELECT * FROM shop.revenue_metrics_live WHERE date >= '2026-01-06'$$);
COMMIT;
RESET enable_seqscan;

-- Folded, the table is as exact as the view, and nothing is left of what came to nothing.
SELECT fold_revenue_deltas() >= 0;
TABLE unfolded;
TABLE unequal;
SELECT fold_revenue_deltas();
SELECT revenue_deltas_from() > 0, system_identifier = (SELECT system_identifier FROM pg_control_system()) AS ours,
       folded_before <= txid_current() AS past FROM revenue_fold_progress;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DELETE FROM orders WHERE number LIKE 'big%' OR number = 'small';
COMMIT;
SELECT fold_revenue_deltas() >= 0;
TABLE unfolded;
TABLE shown;
-- Appended and folded in transactions of any kind, by the transaction that appended, and undone.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT place('b1', :greenwich, 1, '2026-01-08 12:00+00') \g /dev/null
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) > 0 FROM revenue_metrics_live;
SELECT fold_revenue_deltas() >= 0;
SELECT place('b2', :greenwich, 2, '2026-01-08 12:00+00') \g /dev/null
COMMIT;
BEGIN;
SAVEPOINT s;
SELECT fold_revenue_deltas() >= 0;
ROLLBACK TO SAVEPOINT s;
TABLE unequal;
COMMIT;
TABLE unequal;
SELECT current_setting('max_prepared_transactions')::int > 0 AS two_phase \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('b3', :greenwich, 3, '2026-01-08 12:00+00') \g /dev/null
\if :two_phase
PREPARE TRANSACTION 'regress_revenue_delta';
SELECT fold_revenue_deltas() \g /dev/null
TABLE unequal;
COMMIT PREPARED 'regress_revenue_delta';
\else
COMMIT;
\endif
TABLE unequal;
SELECT fold_revenue_deltas() >= 0;
TABLE unfolded;

-- More buckets than are locked one by one, of more tenants than have their zones locked one by one.
SELECT currval('revenue_deltas_id_seq') AS drawn \gset
INSERT INTO tenants (id, name, slug) SELECT id('t' || i), 't' || i, 't' || i FROM generate_series(1, 70) i;
INSERT INTO orders (tenant_id, number, total, created_at, customer_email)
SELECT id('t' || (1 + i % 70)), 'm' || i, i, '2026-02-01 12:00+00'::timestamptz + i % 3 * interval '1 day', 'c' || i % 5 FROM generate_series(1, 2000) i;
SELECT currval('revenue_deltas_id_seq') - :drawn;
TABLE unequal;
SELECT fold_revenue_deltas() >= 0;
TABLE unfolded;
TABLE unequal;

-- Refunds and moves settle as ever, whatever becomes of their buckets.
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO payments (id, tenant_id, order_id, amount, refunded_amount) SELECT id, tenant_id, id, total, 0.5 FROM orders WHERE number LIKE 'b%';
COMMIT;
TABLE unequal;
BEGIN ISOLATION LEVEL REPEATABLE READ;
UPDATE orders SET created_at = created_at + interval '1 day', currency = 'EUR' WHERE number IN ('b1', 'b2');
UPDATE payments SET refunded_amount = refunded_amount + 1 WHERE id IN (id('b2'), id('b3'));
COMMIT;
TABLE unequal;
-- TRUNCATE of payments takes pending refunds along, a rebuild the deltas of its days, and only those.
TRUNCATE payments;
TABLE unequal;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('c1', :greenwich, 1, '2026-03-01 12:00+00'), place('c2', :greenwich, 2, '2026-03-02 12:00+00'),
       place('c3', :riyadh, 3, '2026-03-01 12:00+00') \g /dev/null
COMMIT;
SELECT rebuild_revenue_metrics(:greenwich, '2026-03-01', '2026-03-01') IN (0, 1);
TABLE unequal;
SELECT rebuild_revenue_metrics(:greenwich, '2026-03-01', '2026-03-01');
SELECT count(*) FROM revenue_deltas WHERE tenant_id = :greenwich AND date = '2026-03-01';
UPDATE tenants SET settings = '{"timezone": "Asia/Tokyo"}' WHERE slug = 'riyadh';
TABLE unequal;
-- A deleted tenant's deltas go with it; a tenant that went past the triggers has them deleted by the next fold.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('d1', :riyadh, 1, '2026-03-03 12:00+00'), place('d2', :newyork, 2, '2026-03-03 12:00+00') \g /dev/null
COMMIT;
DELETE FROM tenants WHERE slug = 'riyadh';
SELECT count(*) FROM revenue_deltas WHERE tenant_id = :riyadh;
TABLE unequal;
INSERT INTO revenue_deltas (written_by, tenant_id, date, currency, order_count) VALUES (txid_current(), id('nobody'), '2026-03-03', 'USD', 1);
SELECT fold_revenue_deltas() >= 0;
SELECT count(*) FROM revenue_deltas WHERE tenant_id = id('nobody');
TABLE unfolded;
-- Another cluster's progress, come with a dump, says nothing here, and goes.
UPDATE revenue_fold_progress SET system_identifier = 1, folded_before = 9223372036854775807;
SELECT revenue_deltas_from();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('e1', :newyork, 1, '2026-03-04 12:00+00') \g /dev/null
COMMIT;
TABLE unequal;
SELECT fold_revenue_deltas() >= 0;
TABLE unfolded;
SELECT count(*) FROM revenue_fold_progress WHERE system_identifier = 1;

-- brainsait.rollup_wait: the table is exact at every commit, under every isolation level, and takes along what is pending.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('w0', :newyork, 1, '2026-04-01 12:00+00', email => 'v@example.com') \g /dev/null
COMMIT;
SET brainsait.rollup_wait = on;
SELECT currval('revenue_deltas_id_seq') AS drawn \gset
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('w1', :newyork, 2, '2026-04-01 12:00+00', email => 'v@example.com') \g /dev/null
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT place('w2', :newyork, 4, '2026-04-01 12:00+00', email => 'w@example.com') \g /dev/null
COMMIT;
INSERT INTO orders (tenant_id, number, total, created_at)
SELECT :newyork, 'wm' || i, i, '2026-05-01 12:00+00'::timestamptz + i * interval '1 day' FROM generate_series(1, 100) i;
SELECT currval('revenue_deltas_id_seq') - :drawn;
SELECT total_revenue, order_count, customer_count FROM revenue_metrics WHERE date = '2026-04-01';
TABLE unfolded;
TABLE unequal;
RESET brainsait.rollup_wait;

-- A statement of very many customers appends as it goes, within its savepoint.
SELECT currval('revenue_deltas_id_seq') AS drawn \gset
BEGIN;
SELECT place('f0', :greenwich, 1, '2026-06-01 12:00+00') \g /dev/null
SAVEPOINT s;
INSERT INTO orders (tenant_id, number, total, created_at) SELECT :greenwich, 'f' || i, 1, '2026-06-01 12:00+00' FROM generate_series(1, 140000) i;
SELECT currval('revenue_deltas_id_seq') - :drawn, (SELECT count(*) FROM revenue_deltas WHERE written_by = txid_current());
ROLLBACK TO SAVEPOINT s;
SELECT count(*) FROM revenue_deltas WHERE written_by = txid_current();
COMMIT;
TABLE unequal;
-- Kept, after a TRUNCATE of all before it, and under rollup_wait: written in the end.
SET brainsait.rollup_wait = on;
BEGIN;
TRUNCATE orders CASCADE;
INSERT INTO orders (tenant_id, number, total, created_at) SELECT :greenwich, 'f' || i, 1, '2026-06-02 12:00+00' FROM generate_series(1, 140000) i;
SELECT count(*) FROM revenue_deltas WHERE written_by = txid_current();
UPDATE orders SET total = 2 WHERE number = 'f1';
COMMIT;
RESET brainsait.rollup_wait;
SELECT count(*) FROM revenue_deltas;
SELECT date, order_count, customer_count, total_revenue FROM revenue_metrics WHERE tenant_id = :greenwich AND date >= '2026-06-01';
-- More deltas than are folded at a time.
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO orders (tenant_id, number, total, created_at) SELECT :greenwich, 'h' || i, 1, '2026-06-03 12:00+00' FROM generate_series(1, 25000) i;
COMMIT;
SELECT date, order_count, customer_count, total_revenue FROM revenue_metrics_live WHERE tenant_id = :greenwich AND date >= '2026-06-01';
SELECT fold_revenue_deltas() >= 0;
SELECT count(*) FROM revenue_deltas;
SELECT date, order_count, customer_count, total_revenue FROM revenue_metrics WHERE tenant_id = :greenwich AND date >= '2026-06-01';
TABLE unfolded;
SELECT * FROM check_revenue_metrics();
TRUNCATE orders CASCADE;
TABLE unequal;
SELECT place('g0', :newyork, 1, '2026-08-01 12:00+00'), place('g0g', :greenwich, 1, '2026-08-01 12:00+00') \g /dev/null

-- The application sees its own deltas and writes none; progress is nobody's to read, folding the operator's.
INSERT INTO revenue_deltas (written_by, tenant_id, date, currency)
SELECT revenue_deltas_from() + 1000000, t.id, '2026-07-01', 'USD' FROM tenants t WHERE slug IN ('greenwich', 'newyork');
\set VERBOSITY sqlstate
BEGIN;
SET LOCAL ROLE regress_revenue_app;
SELECT count(*) FROM revenue_deltas;
SELECT count(*) FROM revenue_metrics_live;
SELECT set_tenant(:newyork);
SELECT count(DISTINCT tenant_id) FROM revenue_metrics_live;
SELECT count(*) FROM revenue_deltas WHERE tenant_id <> :newyork;
SELECT revenue_deltas_from() > 0;
SAVEPOINT s;
TABLE revenue_fold_progress;
ROLLBACK TO SAVEPOINT s;
INSERT INTO revenue_deltas (written_by, tenant_id, date, currency) VALUES (1, :newyork, '2026-01-01', 'USD');
ROLLBACK TO SAVEPOINT s;
UPDATE revenue_deltas SET order_count = 2;
ROLLBACK TO SAVEPOINT s;
DELETE FROM revenue_deltas;
ROLLBACK TO SAVEPOINT s;
SELECT fold_revenue_deltas();
ROLLBACK TO SAVEPOINT s;
SELECT nextval('revenue_deltas_id_seq');
ROLLBACK;
BEGIN;
SET LOCAL ROLE regress_revenue_operator;
SELECT fold_revenue_deltas() >= 0;
SELECT count(DISTINCT tenant_id) > 1 FROM revenue_metrics_live;
COMMIT;
BEGIN READ ONLY;
SELECT fold_revenue_deltas() = 0;
ROLLBACK;
\set VERBOSITY terse

-- TRUNCATE of orders takes the queue along.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('g1', :newyork, 1, '2026-08-01 12:00+00') \g /dev/null
COMMIT;
TRUNCATE orders CASCADE;
SELECT count(*) FROM revenue_deltas;
TABLE unequal;
TABLE shown;
-- While the extension is away nobody folds; it comes back exact.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT place('h1', :newyork, 1, '2026-08-01 12:00+00') \g /dev/null
COMMIT;
DROP VIEW unequal, unfolded, shown;
DROP EXTENSION brainsait CASCADE;
DELETE FROM orders;
INSERT INTO orders (tenant_id, id, number, total, created_at) VALUES (:newyork, id('h2'), 'h2', 5, '2026-08-02 12:00+00');
CREATE EXTENSION brainsait SCHEMA shop;
SELECT * FROM check_revenue_metrics();
SELECT date, order_count, total_revenue FROM revenue_metrics_live;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_revenue_app, regress_revenue_operator;
DROP ROLE regress_revenue_app, regress_revenue_operator;
