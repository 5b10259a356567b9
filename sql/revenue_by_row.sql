-- The store writes single rows of the rollup past the planner where a query would do nothing else. Whatever an application
-- puts on those tables makes a query of it again, and takes effect; the sums are right either way.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
\pset null '-'
SET client_min_messages = warning;
CREATE EXTENSION brainsait;
INSERT INTO tenants (id, name, slug) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a');
CREATE FUNCTION sell(email text, total numeric, status text DEFAULT 'pending') RETURNS void LANGUAGE sql AS $$
    INSERT INTO orders (tenant_id, customer_email, total, payment_status, created_at)
    VALUES ('aaaaaaaa-0000-4000-8000-000000000000', email, total, status, '2026-01-01 12:00+00')
$$;
CREATE VIEW shown AS
    SELECT date, currency, total_revenue, order_count, customer_count, average_order_value, paid_revenue, paid_order_count,
           refunded_amount, net_revenue
    FROM revenue_metrics_live;
CREATE VIEW customers AS SELECT order_count, count(*) AS customers FROM revenue_customers GROUP BY 1 ORDER BY 1;
-- An order that finds its bucket free writes there; one under REPEATABLE READ is appended. A worker may fold that at any
-- moment, so nothing here looks at what is pending.
CREATE PROCEDURE appended(email text, total numeric) LANGUAGE plpgsql AS $$
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
    PERFORM sell(email, total, 'paid');
    COMMIT;
END $$;

-- Customers who are new, come again, leave.
SELECT sell('one@example.com', 10.00);
SELECT sell('two@example.com', 20.01, 'paid');
SELECT sell('ONE@example.com', 30.00);
TABLE shown;
TABLE customers;
DELETE FROM orders WHERE customer_email = 'two@example.com';
TABLE shown;
TABLE customers;
-- A row that a transaction made is written again by that transaction's later passes, and by those after it.
BEGIN;
SELECT sell('three@example.com', 1);
SELECT sell('four@example.com', 2);
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
TABLE shown;
CALL appended('five@example.com', 5);
SELECT total_revenue, customer_count FROM revenue_metrics_live;
SELECT fold_revenue_deltas() >= 0 AS folded;
TABLE shown;
-- Nearly all updates of the one row are heap-only: its indexes do not grow with the orders.
SELECT pg_relation_size('idx_revenue_metrics_tenant_date') AS size \gset
DO $$ BEGIN FOR i IN 1 .. 2000 LOOP PERFORM sell('six@example.com', 1); COMMIT; END LOOP; END $$;
SELECT pg_relation_size('idx_revenue_metrics_tenant_date') = :size AS as_before;
SELECT order_count, customer_count FROM shown;
SELECT * FROM check_revenue_metrics();

-- More than the columns hold.
\set VERBOSITY sqlstate
UPDATE revenue_metrics SET total_revenue = 9999999999999.98;
SELECT sell('one@example.com', 1);
UPDATE revenue_metrics SET order_count = 2147483647;
SELECT sell('one@example.com', 0);
\set VERBOSITY terse
SELECT rebuild_revenue_metrics('aaaaaaaa-0000-4000-8000-000000000000');

-- A trigger fires, of each kind, whatever the store does for speed.
CREATE TABLE noticed (what text);
CREATE FUNCTION notice() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO noticed VALUES (concat_ws(' ', TG_TABLE_NAME, TG_OP, TG_WHEN, TG_LEVEL));
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER notice AFTER INSERT OR UPDATE OR DELETE ON revenue_metrics FOR EACH STATEMENT EXECUTE FUNCTION notice();
CREATE TRIGGER notice BEFORE INSERT OR UPDATE OR DELETE ON revenue_customers FOR EACH ROW EXECUTE FUNCTION notice();
CREATE CONSTRAINT TRIGGER notice AFTER INSERT OR UPDATE OR DELETE ON revenue_deltas DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION notice();
SELECT sell('seven@example.com', 7);
SELECT sell('seven@example.com', 7);
CALL appended('seven@example.com', 7);
SELECT DISTINCT what FROM noticed WHERE what NOT LIKE 'revenue_deltas DELETE%' ORDER BY what;
DROP FUNCTION notice() CASCADE;
SELECT fold_revenue_deltas() >= 0 AS folded;
SELECT * FROM check_revenue_metrics();

-- Columns of the application: their defaults are filled in, and generated ones follow.
ALTER TABLE revenue_customers ADD COLUMN first_seen text DEFAULT 'today';
ALTER TABLE revenue_metrics ADD COLUMN doubled numeric GENERATED ALWAYS AS (2 * total_revenue) STORED;
CREATE SEQUENCE notes;
GRANT USAGE ON SEQUENCE notes TO brainsait_owner;
ALTER TABLE revenue_deltas ADD COLUMN noted bigint DEFAULT nextval('notes');
SELECT sell('eight@example.com', 8);
CALL appended('eight@example.com', 8);
SELECT first_seen, order_count FROM revenue_customers WHERE customer = revenue_customer(NULL, 'eight@example.com', NULL);
SELECT doubled = 2 * total_revenue AS doubled FROM revenue_metrics;
SELECT currval('notes');
ALTER TABLE revenue_customers DROP COLUMN first_seen;
ALTER TABLE revenue_metrics DROP COLUMN doubled;
ALTER TABLE revenue_deltas DROP COLUMN noted;
SELECT fold_revenue_deltas() >= 0 AS folded;
-- Without them again, the dropped columns are no hindrance.
SELECT sell('nine@example.com', 9);
CALL appended('nine@example.com', 9);
SELECT fold_revenue_deltas() >= 0 AS folded;
SELECT * FROM check_revenue_metrics();

-- Constraints and indexes: a CHECK refuses, an index on an amount and one on an expression find the row as it is now.
ALTER TABLE revenue_customers ADD CONSTRAINT few CHECK (order_count < 3) NOT VALID;
SELECT sell('nine@example.com', 9);
SELECT sell('nine@example.com', 9);
ALTER TABLE revenue_customers DROP CONSTRAINT few;
CREATE INDEX by_amount ON revenue_metrics (total_revenue);
SELECT sell('nine@example.com', 0.5);
SET enable_seqscan = off;
SELECT total_revenue - trunc(total_revenue) AS cents FROM revenue_metrics WHERE total_revenue > 0;
CREATE INDEX by_double ON revenue_metrics ((total_revenue * 2)) WHERE order_count > 0;
SELECT sell('nine@example.com', 0.25);
SELECT total_revenue - trunc(total_revenue) AS cents FROM revenue_metrics WHERE total_revenue * 2 > 0 AND order_count > 0;
RESET enable_seqscan;
DROP INDEX by_amount, by_double;
-- A unique index that is checked at the end of the transaction only.
ALTER TABLE revenue_customers DROP CONSTRAINT revenue_customers_pkey;
ALTER TABLE revenue_customers ADD CONSTRAINT later PRIMARY KEY (tenant_id, date, currency, customer) DEFERRABLE;
\set VERBOSITY sqlstate
SELECT sell('nine@example.com', 1);
\set VERBOSITY terse
ALTER TABLE revenue_customers DROP CONSTRAINT later;
ALTER TABLE revenue_customers ADD PRIMARY KEY (tenant_id, date, currency, customer);
SELECT sell('nine@example.com', 1);

-- A rule, an inheriting table, another default of the id.
CREATE TABLE kept (LIKE revenue_deltas);
CREATE RULE keep AS ON INSERT TO revenue_deltas DO ALSO INSERT INTO kept SELECT NEW.*;
ALTER TABLE kept OWNER TO brainsait_owner;
CALL appended('ten@example.com', 10);
SELECT count(*) AS kept FROM kept;
DROP RULE keep ON revenue_deltas;
SELECT fold_revenue_deltas() >= 0 AS folded;
ALTER TABLE revenue_deltas ALTER COLUMN id SET DEFAULT 10 * nextval('notes');
CALL appended('ten@example.com', 10);
SELECT currval('notes');
ALTER TABLE revenue_deltas ALTER COLUMN id SET DEFAULT nextval('notes');
CALL appended('ten@example.com', 10);
SELECT currval('notes');
SELECT fold_revenue_deltas() >= 0 AS folded;
ALTER TABLE revenue_deltas ALTER COLUMN id SET DEFAULT nextval('revenue_deltas_id_seq');
-- Rights that the owner gave away are needed all the same.
REVOKE UPDATE ON revenue_metrics FROM brainsait_owner;
SELECT sell('ten@example.com', 1);
GRANT UPDATE ON revenue_metrics TO brainsait_owner;
SELECT sell('ten@example.com', 1);
-- Published tables: an update needs an identity by which subscribers find the row.
SET client_min_messages = error; -- wal_level
CREATE PUBLICATION every_change FOR TABLE revenue_metrics;
SET client_min_messages = warning;
ALTER TABLE revenue_metrics REPLICA IDENTITY NOTHING;
SELECT sell('ten@example.com', 1);
ALTER TABLE revenue_metrics REPLICA IDENTITY DEFAULT;
SELECT sell('ten@example.com', 1);
DROP PUBLICATION every_change;
-- Tables rewritten, truncated and renamed while the session knows them.
VACUUM FULL revenue_customers;
CLUSTER revenue_metrics USING idx_revenue_metrics_tenant_date;
SELECT sell('ten@example.com', 1);
TRUNCATE revenue_metrics, revenue_customers;
SELECT rebuild_revenue_metrics('aaaaaaaa-0000-4000-8000-000000000000');
SELECT sell('ten@example.com', 1);
ALTER TABLE revenue_deltas RENAME TO elsewhere;
\set VERBOSITY sqlstate
CALL appended('ten@example.com', 10);
\set VERBOSITY terse
ALTER TABLE elsewhere RENAME TO revenue_deltas;
CALL appended('ten@example.com', 10);
SELECT fold_revenue_deltas() >= 0 AS folded;
SELECT * FROM check_revenue_metrics();
SELECT order_count, customer_count, total_revenue FROM shown;

DROP VIEW shown, customers;
DROP FUNCTION sell;
DROP PROCEDURE appended;
DROP TABLE noticed, kept;
DROP SEQUENCE notes;
SET client_min_messages = error;
DROP OWNED BY brainsait_owner CASCADE;
DROP EXTENSION IF EXISTS brainsait CASCADE;
