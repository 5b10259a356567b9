-- Parallel workers see the leader's tenant.
\getenv source PG_ABS_SRCDIR
\set begin :source '/test/fixtures/two_tenants.sql'
\set end :source '/test/fixtures/two_tenants_end.sql'
\set ECHO none
\i :begin
\set ECHO all

-- Every result equals the serial one.
INSERT INTO analytics_events (tenant_id, event_type, "timestamp")
    SELECT id, 'bulk', timestamptz '2001-02-03' + n * interval '1 second'
    FROM tenants, generate_series(1, 4000) n WHERE slug IN ('acme', 'bazaar');
INSERT INTO users (tenant_id, email) SELECT id, n || '@example.org' FROM tenants, generate_series(1, 4000) n WHERE slug IN ('acme', 'bazaar');
ALTER TABLE users SET (parallel_workers = 3);
ANALYZE users, analytics_events;
CREATE FUNCTION workers(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan text := ''; line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP plan := plan || line || E'\n'; END LOOP;
    RETURN plan ~ 'Workers Launched: [1-9]';
END $$;
CREATE FUNCTION parallel(enable boolean) RETURNS void LANGUAGE sql AS $$
    SELECT set_config(name, CASE WHEN enable THEN value ELSE CASE name WHEN 'max_parallel_workers_per_gather' THEN '0' ELSE reset_val END END, false)
    FROM (VALUES ('max_parallel_workers_per_gather', '3'), ('parallel_setup_cost', '0'), ('parallel_tuple_cost', '0'),
                 ('min_parallel_table_scan_size', '0'), ('enable_indexscan', 'off'), ('enable_indexonlyscan', 'off'),
                 ('enable_bitmapscan', 'off'), ('parallel_leader_participation', 'off'),
                 ('debug_parallel_query', 'on'), ('force_parallel_mode', 'on')) AS wanted (name, value)
    JOIN pg_settings USING (name)
$$;
SET SESSION AUTHORIZATION regress_shop_app;
\set probe 'SELECT count(*) AS users, count(DISTINCT tenant_id) AS tenants, count(*) FILTER (WHERE tenant_id IS DISTINCT FROM shop.current_tenant()) AS foreigners, (SELECT count(*) FROM shop.analytics_events) AS events FROM shop.users;'
BEGIN;
SELECT parallel(false) \g /dev/null
SELECT set_tenant(:acme) \g /dev/null
:probe
SELECT workers('SELECT count(*) FROM shop.users') AS serial_uses_workers;
SELECT parallel(true) \g /dev/null
SELECT workers('SELECT count(*) FROM shop.users') AS parallel_uses_workers;
:probe
SAVEPOINT s;
:probe
ROLLBACK TO s;
RESET ALL;
SELECT shop.parallel(true) \g /dev/null
SELECT shop.workers('SELECT count(*) FROM shop.users') AS after_reset_all;
:probe
COMMIT;
SELECT shop.parallel(true) \g /dev/null
SET client_min_messages = warning;
SET search_path = shop;
SELECT workers('SELECT count(*) FROM shop.users') AS without_tenant;
:probe
-- Set inside a savepoint; gone with it; another tenant in the next transaction of the same session.
BEGIN;
SAVEPOINT s;
SELECT set_tenant(:bazaar) \g /dev/null
:probe
ROLLBACK TO s;
SELECT workers('SELECT count(*) FROM shop.users') AS rolled_back;
:probe
SAVEPOINT t;
SELECT set_tenant(:bazaar) \g /dev/null
RELEASE t;
:probe
COMMIT;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
:probe
-- In workers nothing sets a tenant, whatever a function claims of itself.
CREATE FUNCTION pg_temp.sneaky(tenant uuid) RETURNS uuid LANGUAGE plpgsql PARALLEL SAFE AS $$
BEGIN PERFORM shop.set_tenant(tenant); RETURN shop.current_tenant(); END $$;
SELECT outcome('SELECT count(pg_temp.sneaky(tenant_id)) FROM shop.users');
SELECT outcome('SELECT count(pg_temp.sneaky(''bbbbbbbb-0000-4000-8000-000000000000'')) FROM shop.users');
ROLLBACK;
RESET SESSION AUTHORIZATION;
CREATE FUNCTION claims_safe(tenant uuid) RETURNS uuid LANGUAGE plpgsql PARALLEL SAFE AS $$
BEGIN PERFORM shop.set_tenant(tenant); RETURN shop.current_tenant(); END $$;
SET SESSION AUTHORIZATION regress_shop_app;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT workers('SELECT count(claims_safe(tenant_id)) FROM shop.users') AS same_tenant_in_workers;
SELECT outcome('SELECT count(claims_safe(''bbbbbbbb-0000-4000-8000-000000000000'')) FROM shop.users');
ROLLBACK;
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT outcome('SELECT count(claims_safe(tenant_id)) FROM shop.users WHERE tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000''');
SELECT current_tenant() IS NULL AS unset;
ROLLBACK;
-- A function that looks the tenant's settings up, which a worker has not read before and the leader forgets.
SET SESSION AUTHORIZATION regress_shop_app;
\set formats 'SELECT count(*) AS users, count(*) FILTER (WHERE shop.order_number_is_valid(upper(split_part(email, \'@\', 1)), \'{TENANT}{SEQ}\')) AS named_like_the_tenant, count(*) FILTER (WHERE shop.order_number_is_valid(email)) AS default_format FROM shop.users;'
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
UPDATE tenants SET slug = 'n', settings = '{"order_number_format": "n{CODE:3}"}';
INSERT INTO users (tenant_id, email) VALUES (:acme, 'n7@example.org');
SELECT workers('SELECT count(shop.order_number_is_valid(email)) FROM shop.users') AS in_workers;
:formats
SELECT parallel(false) \g /dev/null
:formats
ROLLBACK;
RESET SESSION AUTHORIZATION;
SELECT parallel(false) \g /dev/null
DELETE FROM users WHERE email LIKE '%@example.org';
DELETE FROM analytics_events WHERE event_type = 'bulk';
ALTER TABLE users RESET (parallel_workers);


\set ECHO none
\i :end
