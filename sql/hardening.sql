-- harden_database() and unharden_database(): what PUBLIC loses, who keeps it, and that all of it comes back.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_hardened LOGIN IN ROLE brainsait_app;
CREATE ROLE regress_hardened_operator LOGIN IN ROLE brainsait_operator;
CREATE ROLE regress_hardened_monitor LOGIN IN ROLE pg_monitor;
-- Privileges of every function and of the database, each grant a line.
CREATE VIEW privilege AS
SELECT p.oid::regprocedure::text AS object, granted.grantee, granted.privilege_type, granted.is_grantable
FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS granted
UNION ALL
SELECT 'database', granted.grantee, granted.privilege_type, granted.is_grantable
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS granted WHERE d.datname = current_database();
-- What an administrator took away or gave himself is not to be touched.
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_try_advisory_lock(bigint) TO regress_hardened;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO brainsait_operator;
CREATE TABLE before AS SELECT * FROM privilege;

-- What is revoked is what is there of this list, whatever version this is.
CREATE TABLE wanted (name text);
INSERT INTO wanted VALUES ('pg_advisory_lock'), ('pg_advisory_unlock'), ('pg_advisory_unlock_all'), ('pg_advisory_xact_lock'),
    ('pg_advisory_xact_lock_shared'), ('pg_try_advisory_lock'), ('pg_try_advisory_xact_lock_shared'), ('lo_create'), ('lo_get'), ('lo_put'),
    ('lo_from_bytea'), ('lo_unlink'), ('loread'), ('lowrite'), ('pg_stat_get_activity'), ('pg_stat_get_backend_activity'), ('pg_stat_get_live_tuples'),
    ('pg_stat_get_db_xact_commit'), ('pg_lock_status'), ('pg_prepared_xact'), ('pg_blocking_pids'), ('pg_relation_size'), ('pg_table_size'),
    ('pg_indexes_size'), ('pg_total_relation_size'), ('pg_database_size'), ('pg_tablespace_size'), ('currtid2'), ('pg_terminate_backend'),
    ('pg_cancel_backend'), ('pg_logical_emit_message'), ('pg_notification_queue_usage');
CREATE TABLE statement AS SELECT * FROM harden_database() WITH ORDINALITY AS t (text, place);
SELECT count(*) > 200 AS many, bool_and(text ~ '^(REVOKE EXECUTE ON FUNCTION \S.* FROM PUBLIC|GRANT EXECUTE ON FUNCTION \S.* TO brainsait_owner, brainsait_operator(, pg_monitor)?)$') AS of_functions
FROM statement WHERE text !~ 'DATABASE';
SELECT replace(text, current_database(), 'this') FROM statement WHERE text ~ 'DATABASE|currtid2|pg_table_size|pg_stat_get_activity|lo_get\(oid\)' ORDER BY place;
SELECT name AS "still PUBLIC's" FROM wanted
WHERE EXISTS (SELECT FROM pg_proc p WHERE p.proname = name AND p.pronamespace = 'pg_catalog'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE'));
SELECT name AS "not in this PostgreSQL" FROM wanted WHERE name NOT IN (SELECT proname FROM pg_proc);
-- Nothing but PUBLIC's right to those, and the grants to those who keep them.
SELECT privilege_type, count(*) > 100 AS many FROM (SELECT * FROM before EXCEPT SELECT * FROM privilege) AS lost WHERE grantee = 0 GROUP BY 1 ORDER BY 1;
SELECT count(*) AS "lost by others than PUBLIC" FROM (SELECT * FROM before EXCEPT SELECT * FROM privilege) AS lost WHERE grantee <> 0;
SELECT r.rolname, privilege_type, is_grantable, count(*) > 90 AS many FROM (SELECT * FROM privilege EXCEPT SELECT * FROM before) AS won LEFT JOIN pg_roles r ON r.oid = grantee
GROUP BY 1, 2, 3 ORDER BY 1, 2;
SELECT count(*) AS "nothing left to do" FROM harden_database();

-- Those concerned, and those not.
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RETURN 'done'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
CREATE TABLE attempt (place serial, statement text);
INSERT INTO attempt (statement) VALUES ('SELECT pg_advisory_xact_lock(1)'), ('SELECT pg_try_advisory_lock(1), pg_advisory_unlock(1)'), ('SELECT pg_try_advisory_lock(1)'),
    ('SELECT query FROM pg_stat_activity'), ('SELECT mode FROM pg_locks'), ('SELECT pg_table_size(''pg_class'')'), ('SELECT lo_create(0)'),
    ('SELECT n_live_tup FROM pg_stat_user_tables'), ('SELECT pg_cancel_backend(0)'), ('CREATE TEMP TABLE t ()'), ('SELECT pg_stat_get_xact_numscans(0)'),
    ('SELECT count(*) FROM pg_class'), ('SELECT now()');
GRANT USAGE ON SCHEMA shop TO PUBLIC;
GRANT SELECT ON attempt TO PUBLIC;
SET SESSION AUTHORIZATION regress_hardened;
SELECT statement, outcome(statement) FROM attempt ORDER BY place;
SELECT outcome('SELECT harden_database()'), outcome('SELECT unharden_database()'), outcome('SELECT hardened_objects()');
SELECT pg_advisory_unlock(1);
SET client_min_messages = error;
SET SESSION AUTHORIZATION regress_hardened_operator;
SELECT statement, outcome(statement) FROM attempt WHERE outcome(statement) <> 'done' ORDER BY place;
SELECT pg_advisory_unlock_all();
SET SESSION AUTHORIZATION regress_hardened_monitor;
SELECT statement, outcome(statement) FROM attempt WHERE statement ~ 'stat|locks|size' ORDER BY place;
RESET SESSION AUTHORIZATION;
-- The owner of the functions alone is not enough.
GRANT EXECUTE ON FUNCTION harden_database(), unharden_database(), hardened_objects() TO regress_hardened_operator;
SET SESSION AUTHORIZATION regress_hardened_operator;
SELECT outcome('SELECT harden_database()'), outcome('SELECT unharden_database()');
RESET SESSION AUTHORIZATION;
REVOKE EXECUTE ON FUNCTION harden_database(), unharden_database(), hardened_objects() FROM regress_hardened_operator;

-- Back. What is unhardened twice stays as it is.
SELECT count(*) = (SELECT count(*) FROM statement) AS as_many FROM unharden_database();
SELECT count(*) AS "nothing left to undo" FROM unharden_database();
SELECT * FROM (TABLE before EXCEPT TABLE privilege) AS lost;
SELECT * FROM (TABLE privilege EXCEPT TABLE before) AS won WHERE object NOT LIKE '%outcome%';
-- And once more in a transaction that is rolled back.
BEGIN;
SELECT count(*) > 200 AS hardened FROM harden_database();
ROLLBACK;
SELECT count(*) AS different FROM (TABLE before EXCEPT TABLE privilege) AS lost;

REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) FROM brainsait_operator;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_notify(text, text) TO PUBLIC;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_try_advisory_lock(bigint) FROM regress_hardened;
DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_hardened_operator;
DROP ROLE regress_hardened, regress_hardened_operator, regress_hardened_monitor;
