-- The monitoring views give what the documented queries give, to operators and to nobody else.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_monitor_operator IN ROLE brainsait_operator;
CREATE ROLE regress_monitor_app IN ROLE brainsait_app;

-- The document's queries, told of the view where a name of theirs does not exist.
SET SESSION AUTHORIZATION regress_monitor_operator;
SELECT schemaname, tablename, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup, n_dead_tup
FROM table_statistics
ORDER BY n_live_tup DESC
LIMIT 0;
SELECT query, mean_time, calls, total_time
FROM slow_queries
ORDER BY mean_time DESC
LIMIT 0;
-- The session that asks is active, and it is told of other users' sessions, too.
SELECT sum(connections) = (SELECT count(*) FROM pg_stat_activity WHERE state IS NOT NULL) AS all_of_them,
       bool_or(state = 'active' AND application_name = current_setting('application_name')) AS myself
FROM connection_activity;
SELECT count(*) = (SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND backend_type <> 'walsender'
                   AND now() - query_start > interval '5 minutes') AS the_same FROM long_running_queries;
RESET SESSION AUTHORIZATION;
-- Column by column what pg_stat_user_tables says.
SELECT count(*) > 20 AS tables FROM table_statistics;
SELECT count(*) AS different FROM
    (SELECT schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup, n_dead_tup FROM pg_stat_user_tables
     WHERE schemaname = 'shop' AND relname LIKE 'revenue%'
     EXCEPT SELECT * FROM table_statistics) AS other;
-- Writes are counted (statistics arrive when the session is idle or asks for it).
INSERT INTO tenants (name, slug) SELECT 'Shop', 'shop-' || n FROM generate_series(1, 7) AS n;
DELETE FROM tenants WHERE slug = 'shop-7';
SELECT pg_stat_force_next_flush() \g /dev/null
SELECT n_tup_ins, n_tup_del, n_live_tup, n_dead_tup FROM table_statistics WHERE schemaname = 'shop' AND tablename = 'tenants';

SET SESSION AUTHORIZATION regress_monitor_app;
\set VERBOSITY sqlstate
SELECT * FROM slow_queries;
SELECT * FROM table_statistics;
SELECT * FROM connection_activity;
SELECT * FROM long_running_queries;
SELECT * FROM statement_statistics();
\set VERBOSITY default
RESET SESSION AUTHORIZATION;

-- pg_stat_statements: in any schema, of any age, and present without its library.
CREATE SCHEMA "other %";
CREATE EXTENSION pg_stat_statements SCHEMA "other %";
SELECT current_setting('shared_preload_libraries') ~ 'pg_stat_statements' OR count(*) = 0 AS nothing_without_its_library FROM slow_queries;
-- What it says is a view's business: put another view in its place.
ALTER EXTENSION pg_stat_statements DROP VIEW "other %".pg_stat_statements;
DROP VIEW "other %".pg_stat_statements;
CREATE VIEW "other %".pg_stat_statements AS
SELECT oid AS dbid, statement.* FROM pg_database,
       (VALUES ('SELECT 1', 2.5::float8, 4::bigint, 10::float8), ('SELECT slow()', 400, 2, 800)) AS statement (query, mean_exec_time, calls, total_exec_time)
WHERE datname IN (current_database(), 'template1');
GRANT USAGE ON SCHEMA "other %" TO PUBLIC;
GRANT SELECT ON "other %".pg_stat_statements TO PUBLIC;
SET SESSION AUTHORIZATION regress_monitor_operator;
SELECT * FROM slow_queries;
RESET SESSION AUTHORIZATION;
DROP VIEW "other %".pg_stat_statements;
CREATE VIEW "other %".pg_stat_statements AS
SELECT oid AS dbid, 'SELECT old()' AS query, 1::float8 AS mean_time, 3::bigint AS calls, 3::float8 AS total_time
FROM pg_database WHERE datname = current_database();
SELECT * FROM slow_queries;
DROP SCHEMA "other %" CASCADE;

-- They are ordinary views of the owner's, no members of the extension.
SELECT c.relname, c.relowner::regrole, c.reloptions, d.objid IS NOT NULL AS member
FROM pg_class c LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
WHERE c.oid = ANY ('{slow_queries,table_statistics,connection_activity,long_running_queries}'::regclass[]) ORDER BY 1;
-- One that went away comes back.
DROP VIEW slow_queries, connection_activity;
SELECT create_store() \g /dev/null
SELECT has_table_privilege('regress_monitor_operator', 'slow_queries', 'SELECT') AS operator,
       has_table_privilege('regress_monitor_app', 'slow_queries', 'SELECT') AS app;

-- A hardened database keeps them for operators.
BEGIN;
SELECT count(*) > 0 AS hardened FROM harden_database();
SET LOCAL ROLE regress_monitor_operator;
SELECT bool_or(state = 'active') AS myself FROM connection_activity;
SELECT count(*) > 20 AS tables FROM table_statistics;
SELECT count(*) AS ills FROM health_check() WHERE status <> 'ok';
ROLLBACK;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP ROLE regress_monitor_operator, regress_monitor_app;
