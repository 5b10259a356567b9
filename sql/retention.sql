-- Retention: what the documented commands would delete or change goes, and nothing else; by operators, in batches.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_retention;
CREATE DATABASE regress_brainsait_retention TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_retention
SET client_min_messages = warning;
SET timezone = 'Asia/Riyadh';
SET datestyle = 'German';
CREATE SCHEMA "shop %s";
CREATE EXTENSION brainsait SCHEMA "shop %s";
SET search_path = "shop %s";
\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
DROP ROLE IF EXISTS regress_retention_operator, regress_retention_app, regress_retention_migrator;
CREATE ROLE regress_retention_operator IN ROLE brainsait_operator;
CREATE ROLE regress_retention_app IN ROLE brainsait_app;
CREATE ROLE regress_retention_migrator IN ROLE brainsait_owner;
SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AS this_month \gset

-- Two tenants, and events of 30 months, of which 18 have partitions; one event before 1971 and one at infinity.
INSERT INTO tenants (id, name, slug) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a'), ('bbbbbbbb-0000-4000-8000-000000000000', 'B', 'b');
SELECT ensure_partitions(3, (:'this_month'::timestamp - interval '18 months')::date) AS made;
INSERT INTO analytics_events (tenant_id, event_type, "timestamp", properties)
SELECT t.id, 'view', now() - n * interval '1 day' + interval '5 hours' + s * interval '1 second', jsonb_build_object('padding', repeat('x', 200))
FROM tenants t, generate_series(1, 900) AS n, generate_series(1, 20) AS s;
INSERT INTO analytics_events (tenant_id, event_type, "timestamp") VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'view', '1970-01-01'), ('aaaaaaaa-0000-4000-8000-000000000000', 'view', 'infinity'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'view', '-infinity'), ('bbbbbbbb-0000-4000-8000-000000000000', 'view', now() - interval '1 year' + interval '1 hour');
INSERT INTO webhooks (id, tenant_id, url, events, secret)
SELECT id, id, 'https://example.sa/hook', '{}', 's' FROM tenants;
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, created_at)
SELECT t.id, gen_random_uuid(), 'order.created', '{}', now() - n * interval '1 day' + interval '5 hours' FROM tenants t, generate_series(1, 400) AS n;
INSERT INTO users (id, tenant_id, email) VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000000', 'a@example.sa');
INSERT INTO orders (tenant_id, number, status, total, customer_email, created_at)
SELECT t.id, t.slug || n, CASE n % 3 WHEN 0 THEN 'pending' ELSE 'completed' END, n, 'c' || n % 7 || '@example.sa', now() - n * interval '1 day' + interval '5 hours'
FROM tenants t, generate_series(1, 1500) AS n;
-- Many at one moment: more than a batch.
INSERT INTO orders (tenant_id, number, status, total, created_at)
SELECT 'aaaaaaaa-0000-4000-8000-000000000000', 'same ' || n, 'completed', 1, now() - interval '3 years' FROM generate_series(1, 2500) AS n;

-- What the document's commands would leave.
CREATE SCHEMA kept;
CREATE TABLE kept.kept_events AS SELECT e.* FROM analytics_events e WHERE NOT "timestamp" < NOW() - INTERVAL '1 year';
CREATE TABLE kept.kept_deliveries AS SELECT d.* FROM webhook_deliveries d WHERE NOT created_at < NOW() - INTERVAL '90 days';
CREATE TABLE kept.wanted_orders AS
SELECT id, CASE WHEN created_at < NOW() - INTERVAL '2 years' AND status = 'completed' THEN 'archived' ELSE status END AS status FROM orders;
CREATE TABLE revenue AS SELECT md5(string_agg(m::text, ',' ORDER BY tenant_id, date)) AS was FROM
    (SELECT tenant_id, date, total_revenue, order_count, customer_count, paid_revenue, net_revenue FROM revenue_metrics_live) m;
CREATE VIEW runs AS
SELECT task, older_than, outcome, done, total, rows_done, partitions_done, finished_at >= started_at AS finished, started_at >= cutoff + older_than - interval '1 hour' AS cutoff
FROM maintenance_runs ORDER BY started_at;

-- Refused: intervals that are not positive, transactions that are open, roles that are no operators.
SET SESSION AUTHORIZATION regress_retention_operator;
CALL purge_analytics_events(NULL);
CALL purge_analytics_events('0');
CALL purge_analytics_events('-1 day');
CALL purge_analytics_events('1 month -31 days');
CALL purge_webhook_deliveries(NULL);
CALL purge_webhook_deliveries('-90 days');
CALL archive_orders('0 years');
CALL archive_orders(NULL);
CALL run_maintenance('1 year', '0', '2 years');
CALL run_maintenance('1 year', '90 days', NULL);
CALL archive_orders('300000 years');
\set VERBOSITY sqlstate
CALL archive_orders('-1 second');
BEGIN;
CALL purge_analytics_events();
ROLLBACK;
SET SESSION AUTHORIZATION regress_retention_app;
CALL purge_analytics_events();
CALL purge_webhook_deliveries();
CALL archive_orders();
CALL drain_default_partitions();
CALL run_maintenance();
SELECT drop_partitions('analytics_events', 'infinity', '{}');
SELECT owner_drop_partitions('analytics_events', 'infinity', '{}');
SELECT make_partition('analytics_events', current_date);
SELECT purge_batch(gen_random_uuid());
SELECT * FROM maintenance_runs;
SET SESSION AUTHORIZATION regress_retention_migrator;
CALL purge_analytics_events();
RESET SESSION AUTHORIZATION;
SELECT (SELECT count(*) FROM analytics_events) AS events, (SELECT count(*) FROM webhook_deliveries) AS deliveries,
       (SELECT count(*) FROM orders WHERE status = 'archived') AS archived;
-- An operator's own call of what works as the owner drops no partition of another table, none too young, and makes none too far off.
SET SESSION AUTHORIZATION regress_retention_operator;
SELECT drop_partitions('orders', 'infinity', '{}');
SELECT make_partition('orders', '2026-01-01');
SELECT make_partition('analytics_events', 'infinity');
SELECT drop_partitions('analytics_events', 'infinity', ARRAY(SELECT partition::oid FROM monthly_partitions('analytics_events') WHERE to_time <= now())) AS not_over_yet,
       drop_partitions('analytics_events', '-infinity', '{}') AS too_young, drop_partitions('analytics_events', NULL, '{}') AS of_no_time,
       drop_partitions('analytics_events', 'infinity', NULL) AS all_passed_over;
RESET SESSION AUTHORIZATION;
SELECT to_regclass('webhook_deliveries_default') IS NOT NULL AND to_regclass('analytics_events_default') IS NOT NULL AS there_still;
\set VERBOSITY terse
DELETE FROM maintenance_runs;

-- Runs.
SET SESSION AUTHORIZATION regress_retention_operator;
CALL purge_analytics_events();
CALL purge_webhook_deliveries();
CALL archive_orders();
RESET SESSION AUTHORIZATION;
SELECT (SELECT count(*) FROM (TABLE analytics_events EXCEPT TABLE kept.kept_events) x) AS events_too_many,
       (SELECT count(*) FROM (TABLE kept.kept_events EXCEPT TABLE analytics_events) x) AS events_too_few,
       (SELECT count(*) FROM (TABLE webhook_deliveries EXCEPT TABLE kept.kept_deliveries) x) AS deliveries_too_many,
       (SELECT count(*) FROM (TABLE kept.kept_deliveries EXCEPT TABLE webhook_deliveries) x) AS deliveries_too_few,
       (SELECT count(*) FROM orders o JOIN kept.wanted_orders w USING (id) WHERE o.status <> w.status) AS orders_wrong,
       (SELECT count(*) FROM orders WHERE status = 'archived') > 2500 AS archived;
-- No partition is left of which every row was due, and none went of which one was not.
SELECT count(*) FILTER (WHERE to_time <= now() - interval '1 year') AS due, count(*) AS partitions FROM monthly_partitions('analytics_events');
SELECT was = (SELECT md5(string_agg(m::text, ',' ORDER BY tenant_id, date)) FROM
    (SELECT tenant_id, date, total_revenue, order_count, customer_count, paid_revenue, net_revenue FROM revenue_metrics_live) m) AS revenue_stays FROM revenue;
SELECT count(*) AS differences FROM check_revenue_metrics();
SELECT task, older_than, outcome, partitions_done > 0 AS dropped, rows_done > 0 OR task ~ 'deliveries' AS some_rows, finished, cutoff FROM runs;
SELECT rows_done = (SELECT count(*) FROM orders WHERE status = 'archived') AND done = rows_done AND total = done AS all_counted FROM maintenance_runs WHERE task = 'archive_orders';

-- Again: nothing is due. Progress is told.
SET client_min_messages = notice;
CALL archive_orders();
CALL archive_orders('1300 days 12:00');
SET client_min_messages = warning;

-- The default partition: rows of months without a partition move into theirs, except where no month can be.
SELECT count(*) > 0 AS months_wait FROM months_without_partition();
INSERT INTO analytics_events (tenant_id, event_type, "timestamp")
SELECT id, 'late', :'this_month'::timestamp AT TIME ZONE 'UTC' + interval '200 days' FROM tenants;
DO $$ BEGIN EXECUTE format('DROP TABLE %I', to_char(now() AT TIME ZONE 'UTC' + interval '2 months', '"webhook_deliveries_"YYYY_MM')); END $$;
CREATE TABLE kept.events_before AS TABLE analytics_events;
SET SESSION AUTHORIZATION regress_retention_operator;
CALL drain_default_partitions();
RESET SESSION AUTHORIZATION;
SELECT count(*) AS months_wait FROM months_without_partition();
SELECT (SELECT count(*) FROM (TABLE analytics_events EXCEPT TABLE kept.events_before) x) AS more, (SELECT count(*) FROM (TABLE kept.events_before EXCEPT TABLE analytics_events) x) AS less;
SELECT "timestamp" AS in_the_default FROM analytics_events_default;
SELECT outcome, done = total AS all_done, partitions_done FROM runs WHERE task = 'drain_default_partitions';
SELECT * FROM isolation_report();

-- A run that ended in its middle is found out, and the next does the rest.
INSERT INTO maintenance_runs (task, started_at, updated_at, outcome, pid, total)
VALUES ('archive_orders', now(), now() - interval '1 second', 'running', 0, 5), ('archive_orders', now() - interval '13 months', now(), 'done', 0, 5);
UPDATE orders SET status = 'completed' WHERE number IN ('a1498', 'b1499');
CALL archive_orders();
SELECT outcome, count(*), count(finished_at) AS finished FROM maintenance_runs WHERE task = 'archive_orders' GROUP BY 1 ORDER BY 1;
SELECT status, count(*) FROM orders WHERE number IN ('a1498', 'b1499') GROUP BY 1;
-- Partitions that something of the application's hangs on are emptied row by row.
INSERT INTO analytics_events (tenant_id, event_type, "timestamp") SELECT id, 'old', now() - interval '500 days' FROM tenants;
CALL drain_default_partitions();
SELECT partition AS old_partition FROM monthly_partitions('analytics_events') ORDER BY from_time LIMIT 1 \gset
CREATE VIEW hangs AS SELECT * FROM :old_partition;
SET client_min_messages = error;
CALL purge_analytics_events();
SET client_min_messages = warning;
SELECT count(*) AS rows, to_regclass(:'old_partition') IS NOT NULL AS there FROM hangs;
DROP VIEW hangs;
CALL run_maintenance();
SELECT to_regclass(:'old_partition') IS NOT NULL AS there;
SELECT task, outcome FROM (SELECT * FROM maintenance_runs ORDER BY started_at DESC LIMIT 4) last_four ORDER BY started_at;

\c postgres
DROP DATABASE regress_brainsait_retention;
DROP ROLE regress_retention_operator, regress_retention_app, regress_retention_migrator;
