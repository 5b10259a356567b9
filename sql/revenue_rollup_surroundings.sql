-- Revenue rollup among what surrounds it: planted names, the application's alterations and triggers, roles, tenants that
-- go. As in revenue_rollup, silence after a step is what is expected.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
\pset null '-'
\set VERBOSITY terse
SET client_min_messages = warning;
\getenv folder PG_ABS_SRCDIR
\set file :folder '/test/fixtures/revenue_store.sql'
\i :file

SELECT place('n' || i, :newyork, i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 day', email => 'c' || i % 3) FROM generate_series(1, 5) i \g /dev/null
SELECT place('r' || i, :riyadh, i, '2026-01-01 00:00+00'::timestamptz + i * interval '1 day') FROM generate_series(1, 5) i \g /dev/null
INSERT INTO payments (tenant_id, order_id, amount, refunded_amount) SELECT tenant_id, id, total, 0.5 FROM orders;
TABLE unequal;

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
-- (Its function is a definer's: since PostgreSQL 18 a deferred trigger runs as the role whose write queued it, which is the owner here.)
CREATE FUNCTION thank() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
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
ALTER TABLE orders ALTER COLUMN total TYPE numeric;
CREATE OR REPLACE TRIGGER zz_brainsait_checks BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION check_columns('total', 'not_negative');
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
SELECT count(DISTINCT tenant_id), count(*) FROM revenue_metrics;
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
CREATE VIEW orphans AS SELECT c.* FROM revenue_customers c LEFT JOIN tenants t ON t.id = c.tenant_id WHERE t.id IS NULL;
TABLE orphans;
BEGIN;
SELECT place('last', :newyork, 1, '2026-09-02 12:00+00') \g /dev/null
DELETE FROM tenants WHERE slug = 'newyork';
INSERT INTO tenants (id, name, slug, settings) VALUES (:newyork, 'New York', 'newyork', '{"timezone": "Asia/Tokyo"}');
SELECT place('first', :newyork, 2, '2026-09-02 18:00+00') \g /dev/null
SELECT place('again', :greenwich, 3, '2026-09-02 12:00+00') \g /dev/null
COMMIT;
TABLE unequal;
SELECT slug, date, total FROM shown WHERE date BETWEEN '2026-09-01' AND '2026-10-01';
SELECT count(*) FROM revenue_customers WHERE tenant_id = :newyork;
SELECT count(*) AS before FROM revenue_customers \gset
BEGIN;
SAVEPOINT s;
DELETE FROM tenants;
ROLLBACK TO SAVEPOINT s;
SELECT place('spared', :newyork, 4, '2026-09-02 18:00+00') \g /dev/null
COMMIT;
TABLE unequal;
SELECT count(*) - :before FROM revenue_customers;
-- One without an order left has nothing pending but its own end; one whose end is undone keeps its customers.
INSERT INTO tenants (id, name, slug) VALUES (id('brief'), 'Brief', 'brief'), (id('kept'), 'Kept', 'kept');
SELECT place('brief', id('brief'), 1, '2026-09-03 12:00+00'), place('kept', id('kept'), 1, '2026-09-03 12:00+00') \g /dev/null
BEGIN;
DELETE FROM tenants WHERE slug = 'brief';
SAVEPOINT s;
DELETE FROM tenants WHERE slug = 'kept';
ROLLBACK TO SAVEPOINT s;
COMMIT;
TABLE unequal;
TABLE orphans;
SELECT count(*) FROM revenue_customers WHERE tenant_id = id('kept');
BEGIN;
SELECT place('kept2', id('kept'), 1, '2026-09-03 12:00+00') \g /dev/null
DELETE FROM tenants WHERE slug = 'kept';
COMMIT;
TABLE unequal;
TABLE orphans;

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
