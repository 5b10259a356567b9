-- The wall between tenants as roles meet it, and the context that opens it for one transaction.
-- Errors are shown as SQLSTATEs: their wording differs between versions.
\set VERBOSITY sqlstate
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_shop_app IN ROLE brainsait_app;
CREATE ROLE regress_shop_migration IN ROLE brainsait_owner;
CREATE ROLE regress_shop_operator IN ROLE brainsait_operator;
CREATE ROLE regress_shop_stranger;
GRANT USAGE ON SCHEMA shop TO regress_shop_stranger;

INSERT INTO tenants (id, name, slug, domain, status) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'Acme', 'acme', 'acme.example', 'active'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'Bazaar', 'bazaar', 'Bazaar.example', 'active'),
    ('cccccccc-0000-4000-8000-000000000000', 'Closed', 'closed', 'closed.example', 'Suspended'),
    ('dddddddd-0000-4000-8000-000000000000', 'Dormant', 'dormant', 'shared.example', 'inactive'),
    ('eeeeeeee-0000-4000-8000-000000000000', 'Erased', 'erased', 'bazaar.example', 'deleted'),
    ('ffffffff-0000-4000-8000-000000000000', 'Fresh', 'fresh', 'shared.example', NULL),
    ('99999999-0000-4000-8000-000000000000', 'Ninth', 'ninth', 'twice.example', 'trial'),
    ('88888888-0000-4000-8000-000000000000', 'Eighth', 'eighth', 'Twice.example', 'active');
\set acme '\'aaaaaaaa-0000-4000-8000-000000000000\''
\set bazaar '\'bbbbbbbb-0000-4000-8000-000000000000\''

-- Acme has two rows of everything, Bazaar three; ids tell whose they are: a1, a2, b1, b2, b3.
CREATE TABLE owned (tenant uuid, key text, id uuid);
INSERT INTO owned
SELECT t.id, left(t.id::text, 1) || n, (left(t.id::text, 8) || '-0000-4000-8000-00000000000' || n)::uuid
FROM tenants t, generate_series(1, CASE t.slug WHEN 'acme' THEN 2 ELSE 3 END) n
WHERE t.slug IN ('acme', 'bazaar');
INSERT INTO users (id, tenant_id, email) SELECT id, tenant, key || '@example.com' FROM owned;
INSERT INTO products (id, tenant_id, name, price) SELECT id, tenant, jsonb_build_object('en', key), 10 FROM owned;
INSERT INTO orders (id, tenant_id, user_id, number, total, created_at)
    SELECT id, tenant, id, 'N-' || key, 100, timestamptz '2020-02-02 12:00+00' FROM owned;
INSERT INTO order_items (id, tenant_id, order_id, product_id, product_name, price, total)
    SELECT id, tenant, id, id, key, 10, 10 FROM owned;
INSERT INTO payments (id, tenant_id, order_id, payment_intent_id, amount) SELECT id, tenant, id, 'pi-' || key, 100 FROM owned;
INSERT INTO analytics_events (id, tenant_id, event_type, user_id, "timestamp")
    SELECT id, tenant, 'page_view', id, at FROM owned, (VALUES (now()), (timestamptz '2001-01-01')) AS times (at);
INSERT INTO integrations (id, tenant_id, name, type, credentials)
    SELECT id, tenant, key, key, '{"key": "secret"}' FROM owned;
INSERT INTO webhooks (id, tenant_id, url, events, secret)
    SELECT id, tenant, 'https://example.com/' || key, '{order.created}', 'secret' FROM owned;
INSERT INTO webhook_deliveries (id, tenant_id, webhook_id, event_id, event_type, payload, created_at)
    SELECT id, tenant, id, id, 'order.created', '{}', at FROM owned, (VALUES (now()), (timestamptz '2001-01-01')) AS times (at);

-- Every table with a wall, the rows of each tenant in it, and one row of Acme's to write again.
CREATE TABLE walled (relation text, is_partition boolean, acme bigint, bazaar bigint, bazaar_rows text, a_row jsonb);
DO $$
DECLARE
    r record; here walled; subject text;
BEGIN
    FOR r IN SELECT c.oid::regclass AS name, c.relispartition FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
             WHERE p.polname = 'tenant_wall'
    LOOP
        subject := CASE WHEN r.name = 'tenants'::regclass THEN 'id' ELSE 'tenant_id' END;
        EXECUTE format($q$SELECT %L, %L, count(*) FILTER (WHERE %3$s = 'aaaaaaaa-0000-4000-8000-000000000000'),
                                 count(*) FILTER (WHERE %3$s = 'bbbbbbbb-0000-4000-8000-000000000000'),
                                 md5(string_agg(t::text, ' ' ORDER BY t::text) FILTER (WHERE %3$s = 'bbbbbbbb-0000-4000-8000-000000000000')),
                                 (SELECT to_jsonb(a) FROM %4$s a WHERE %3$s = 'aaaaaaaa-0000-4000-8000-000000000000' LIMIT 1)
                          FROM %4$s t$q$, r.name, r.relispartition, subject, r.name) INTO here;
        INSERT INTO walled VALUES (here.*);
    END LOOP;
END $$;
GRANT SELECT ON walled, owned TO PUBLIC;
-- Rollups may hold none of the two tenants' rows; every other table holds some.
SELECT count(*) >= 20 AS many_tables, count(*) FILTER (WHERE acme > 0 AND bazaar > 0) >= 12 AS with_rows FROM walled;

-- What a statement comes to: the number of rows, or the error's SQLSTATE.
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
-- Runs the statement on every walled table (%1$s: the table, %2$s: the tenant's column, %3$L: a row of Acme's).
CREATE FUNCTION outcomes(statement text, OUT relation text, OUT is_partition boolean, OUT result text) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT w.relation, w.is_partition,
           shop.outcome(format(statement, w.relation, CASE w.relation WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END, w.a_row))
    FROM shop.walled w
$$;

--
-- Without a tenant: closed
--
SET SESSION AUTHORIZATION regress_shop_app;
SELECT current_tenant() IS NULL AS no_tenant;
-- The tables that the application may read give no row, all others refuse it.
SELECT result, count(*) > 0 AS some FROM outcomes('SELECT FROM %s') GROUP BY 1 ORDER BY 1;
SELECT relation, result FROM outcomes('SELECT FROM %s') WHERE NOT is_partition AND result <> '0'
    AND relation NOT IN ('order_number_counters') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('UPDATE %1$s SET %2$s = %2$s') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('DELETE FROM %s') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('INSERT INTO %1$s SELECT (jsonb_populate_record(NULL::%1$s, %3$L)).*') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('TRUNCATE %s CASCADE') ORDER BY 1;
SELECT DISTINCT result FROM outcomes('LOCK TABLE %s IN ACCESS SHARE MODE') WHERE is_partition;

--
-- Setting the tenant
--
SELECT set_tenant(:acme);                          -- would do nothing
SELECT set_tenant(:acme) \; SELECT count(*) FROM orders;  -- one message is one transaction
SELECT count(*) FROM orders;
DO $$ BEGIN PERFORM set_tenant('aaaaaaaa-0000-4000-8000-000000000000'); END $$;
BEGIN;
SELECT set_tenant(NULL);
ROLLBACK;
BEGIN;
SELECT set_tenant(:acme);
SELECT current_tenant();
SELECT set_tenant(:acme);                          -- the same again
SELECT count(*) FROM orders;
SAVEPOINT s;
SELECT set_tenant(:bazaar);                        -- sealed
ROLLBACK TO s;
SELECT current_tenant();
COMMIT;
SELECT current_tenant() IS NULL AS no_tenant;
-- Acme sees what is Acme's in every table it may read, and nothing else.
BEGIN;
SELECT set_tenant(:acme) IS NOT NULL AS ok;
SELECT w.relation, w.acme, o.result FROM outcomes('SELECT FROM %s') o JOIN walled w USING (relation)
WHERE o.result IS DISTINCT FROM w.acme::text AND NOT w.is_partition AND w.relation <> 'order_number_counters';
SELECT DISTINCT result FROM outcomes('SELECT FROM %s') WHERE is_partition;
COMMIT;

-- Who is let in.
CREATE TEMP TABLE candidate (tenant uuid, what text);
INSERT INTO candidate VALUES
    ('cccccccc-0000-4000-8000-000000000000', 'suspended'), ('dddddddd-0000-4000-8000-000000000000', 'inactive'),
    ('eeeeeeee-0000-4000-8000-000000000000', 'deleted'), ('ffffffff-0000-4000-8000-000000000000', 'no status'),
    ('99999999-0000-4000-8000-000000000000', 'trial'), ('12345678-0000-4000-8000-000000000000', 'unknown'),
    ('00000000-0000-0000-0000-000000000000', 'all zeros');
-- Each in a savepoint of its own would seal the first: so each in a transaction.
SELECT format('BEGIN; SELECT %L AS tenant, shop.outcome(%L); ROLLBACK;', what, format('SELECT set_tenant(%L)', tenant)) FROM candidate ORDER BY what \gexec
DROP TABLE candidate;

--
-- Savepoints
--
BEGIN;
SAVEPOINT s;
SELECT set_tenant(:acme);
SELECT count(*) FROM orders;
ROLLBACK TO s;
SELECT current_tenant() IS NULL AS unset, (SELECT count(*) FROM orders) AS orders;
SAVEPOINT t;
SELECT set_tenant(:bazaar);                        -- still sealed
ROLLBACK TO t;
SELECT set_tenant(:acme);
SELECT count(*) FROM orders;
ROLLBACK TO s;
SELECT current_tenant() IS NULL AS unset;
SAVEPOINT u;
SAVEPOINT v;
SELECT set_tenant(:acme);
RELEASE v;
SELECT count(*) FROM orders;
SAVEPOINT w;
SELECT set_tenant(:acme);                          -- no-op here: the savepoint's end takes nothing away
ROLLBACK TO w;
SELECT count(*) FROM orders;
RELEASE u;
SELECT count(*) FROM orders;
ROLLBACK TO s;
SELECT current_tenant() IS NULL AS unset;
COMMIT;
BEGIN;
SELECT set_tenant(:acme);
SAVEPOINT s;
SELECT 1 / 0;
SELECT set_tenant(:bazaar);
ROLLBACK TO s;
SELECT count(*) FROM orders;
COMMIT;
-- Subtransactions of plpgsql.
BEGIN;
DO $$
BEGIN
    BEGIN
        PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000');
        RAISE EXCEPTION USING ERRCODE = 'P0001';
    EXCEPTION WHEN raise_exception THEN
        ASSERT shop.current_tenant() IS NULL, 'unset with the block';
    END;
    BEGIN
        PERFORM shop.set_tenant('bbbbbbbb-0000-4000-8000-000000000000');
        ASSERT false, 'sealed';
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    BEGIN
        PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000');
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
    ASSERT shop.current_tenant() = 'aaaaaaaa-0000-4000-8000-000000000000', 'kept by the block that ended well';
END $$;
SELECT count(*) FROM orders;
ROLLBACK;
SELECT current_tenant() IS NULL AS unset;

--
-- Ends of transactions
--
BEGIN;
SELECT set_tenant(:acme);
COMMIT AND CHAIN;
SELECT current_tenant() IS NULL AS unset;
SELECT set_tenant(:bazaar);
SELECT count(*) FROM orders;
ROLLBACK AND CHAIN;
SELECT count(*) FROM orders;
SELECT set_tenant(:acme);
SELECT 1 / 0;
ROLLBACK;
SELECT current_tenant() IS NULL AS unset;
BEGIN;
SELECT set_tenant(:acme);
UPDATE users SET name = 'prepared' WHERE id = (SELECT id FROM owned WHERE key = 'a1');
PREPARE TRANSACTION 'brainsait_tenant';
SELECT current_tenant() IS NULL AS unset, (SELECT count(*) FROM users) AS users;
BEGIN;
SELECT set_tenant(:bazaar);
SELECT count(*) FROM users;
COMMIT;
ROLLBACK PREPARED 'brainsait_tenant';
-- Procedures that end transactions: the next one has no tenant, and takes none outside a block.
RESET SESSION AUTHORIZATION;
CREATE PROCEDURE shop.commits() LANGUAGE plpgsql AS $$
BEGIN
    COMMIT;
    ASSERT shop.current_tenant() IS NULL, 'no tenant after COMMIT';
    PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000');
END $$;
CREATE PROCEDURE shop.keeps() LANGUAGE plpgsql AS $$
DECLARE
    r record; n int := 0;
BEGIN
    FOR r IN SELECT shop.current_tenant() AS tenant FROM generate_series(1, 3)
    LOOP
        COMMIT;
        n := n + (SELECT count(*) FROM shop.orders);
    END LOOP;
    ASSERT n = 0, 'no tenant after COMMIT';
END $$;
SET SESSION AUTHORIZATION regress_shop_app;
CALL commits();
CALL keeps();
BEGIN;
SELECT set_tenant(:acme);
CALL commits();
ROLLBACK;
SELECT set_tenant(:acme) \; CALL commits();

--
-- Nothing to SET
--
SET brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000';
SET LOCAL brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000';
RESET brainsait.tenant_transport;
SHOW brainsait.tenant_transport;
SELECT current_setting('brainsait.tenant_transport', true);
SET brainsait.tenant = 'bbbbbbbb-0000-4000-8000-000000000000';
ALTER ROLE regress_shop_app SET brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000';
BEGIN;
SELECT set_tenant(:acme);
SAVEPOINT s;
SELECT set_config('brainsait.tenant_transport', 'bbbbbbbb000040008000000000000000', true);
ROLLBACK TO s;
SET LOCAL brainsait.tenant_transport TO DEFAULT;
ROLLBACK TO s;
UPDATE pg_settings SET setting = 'bbbbbbbb000040008000000000000000' WHERE name = 'brainsait.tenant_transport';
RESET ALL;
SELECT shop.current_tenant(), (SELECT count(*) FROM shop.orders) AS orders;
COMMIT;
SET search_path = shop;
RESET SESSION AUTHORIZATION;
-- Not for a superuser either.
SET brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000';
ALTER SYSTEM SET brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000';
ALTER ROLE regress_shop_app SET brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000';
CREATE FUNCTION forged() RETURNS uuid LANGUAGE sql SET brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000'
    AS 'SELECT shop.current_tenant()';
GRANT SET ON PARAMETER brainsait.tenant_transport TO regress_shop_app;
SET SESSION AUTHORIZATION regress_shop_app;
SET brainsait.tenant_transport = 'bbbbbbbb000040008000000000000000';
RESET SESSION AUTHORIZATION;
REVOKE SET ON PARAMETER brainsait.tenant_transport FROM regress_shop_app;
-- DISCARD ALL outside a transaction leaves nothing behind, and the next transaction begins as ever.
SET SESSION AUTHORIZATION regress_shop_app;
BEGIN;
SELECT shop.set_tenant(:acme);
SAVEPOINT s;
DISCARD ALL;
ROLLBACK TO s;
DISCARD PLANS;
SELECT shop.current_tenant();
COMMIT;
DISCARD ALL;
SET client_min_messages = warning;
SET search_path = shop;
SELECT current_tenant() IS NULL AS unset;

--
-- Functions: with SET clauses, with cached plans, security definer
--
RESET SESSION AUTHORIZATION;
SET search_path = shop;
SET client_min_messages = warning;
CREATE FUNCTION sets_inside(tenant uuid) RETURNS bigint LANGUAGE plpgsql SET search_path = shop SET work_mem = '1MB' AS $$
BEGIN
    PERFORM set_tenant(tenant);
    RETURN (SELECT count(*) FROM orders);
END $$;
CREATE FUNCTION cached_count() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM shop.orders); END $$;
CREATE FUNCTION inlined() RETURNS SETOF shop.orders LANGUAGE sql STABLE AS 'SELECT * FROM shop.orders';
CREATE FUNCTION definer() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM shop.orders';
CREATE FUNCTION definer_with_path() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop, pg_temp
    AS $$ BEGIN RETURN (SELECT count(*) FROM orders); END $$;
CREATE FUNCTION definer_sets(tenant uuid) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop, pg_temp
    AS $$ BEGIN PERFORM set_tenant(tenant); RETURN (SELECT count(*) FROM orders); END $$;
ALTER FUNCTION definer() OWNER TO brainsait_owner;
ALTER FUNCTION definer_with_path() OWNER TO brainsait_owner;
ALTER FUNCTION definer_sets(uuid) OWNER TO brainsait_owner;
CREATE VIEW orders_by_owner AS SELECT * FROM orders;
CREATE VIEW orders_by_invoker WITH (security_invoker = true) AS SELECT * FROM orders;
CREATE VIEW orders_over_view AS SELECT * FROM orders_by_owner;
CREATE VIEW orders_behind_barrier WITH (security_barrier = true) AS SELECT * FROM orders;
ALTER VIEW orders_by_owner OWNER TO brainsait_owner;
ALTER VIEW orders_over_view OWNER TO brainsait_owner;
ALTER VIEW orders_behind_barrier OWNER TO brainsait_owner;
GRANT SELECT ON orders_by_owner, orders_by_invoker, orders_over_view, orders_behind_barrier TO brainsait_app;

SET SESSION AUTHORIZATION regress_shop_app;
\set count_everywhere 'SELECT cached_count(), (SELECT count(*) FROM inlined()) AS inlined, definer(), definer_with_path(), (SELECT count(*) FROM orders_by_owner) AS by_owner, (SELECT count(*) FROM orders_by_invoker) AS by_invoker, (SELECT count(*) FROM orders_over_view) AS over_view, (SELECT count(*) FROM orders_behind_barrier) AS behind_barrier;'
BEGIN;
SELECT sets_inside(:acme);
SELECT current_tenant();                           -- stays set when the function's own settings are gone
:count_everywhere
COMMIT;
BEGIN;
SELECT definer_sets(:bazaar);
SELECT current_tenant();
:count_everywhere
COMMIT;
:count_everywhere
BEGIN;
SELECT set_tenant(:acme);
:count_everywhere
SELECT outcome('SELECT definer_sets(''bbbbbbbb-0000-4000-8000-000000000000'')');
COMMIT;

--
-- Prepared statements and generic plans live on across tenants
--
SET plan_cache_mode = force_generic_plan;
PREPARE numbers AS SELECT string_agg(number, ' ' ORDER BY number) FROM orders;
PREPARE by_id (uuid) AS SELECT number FROM orders WHERE id = $1;
PREPARE tenants_seen AS SELECT count(*), current_tenant() FROM tenants WHERE id = current_tenant();
EXECUTE numbers;
BEGIN; SELECT set_tenant(:acme) \g /dev/null
EXECUTE numbers; EXECUTE by_id ('aaaaaaaa-0000-4000-8000-000000000001'); EXECUTE by_id ('bbbbbbbb-0000-4000-8000-000000000001'); EXECUTE tenants_seen;
COMMIT;
BEGIN; SELECT set_tenant(:bazaar) \g /dev/null
EXECUTE numbers; EXECUTE by_id ('aaaaaaaa-0000-4000-8000-000000000001'); EXECUTE by_id ('bbbbbbbb-0000-4000-8000-000000000001'); EXECUTE tenants_seen;
COMMIT;
EXECUTE numbers; EXECUTE tenants_seen;
SELECT name, generic_plans > 2 AS reused FROM pg_prepared_statements ORDER BY 1;
-- The same plan for another role.
RESET SESSION AUTHORIZATION;
EXECUTE numbers;
SET SESSION AUTHORIZATION regress_shop_operator;
EXECUTE numbers;
SET SESSION AUTHORIZATION regress_shop_app;
EXECUTE numbers;
DEALLOCATE ALL;
RESET plan_cache_mode;

--
-- Cursors
--
BEGIN;
DECLARE early CURSOR FOR SELECT number FROM orders ORDER BY number;
SAVEPOINT s;
SELECT set_tenant(:acme) \g /dev/null
FETCH ALL FROM early;
DECLARE late SCROLL CURSOR FOR SELECT number FROM orders ORDER BY number;
FETCH 1 FROM late;
ROLLBACK TO s;
FETCH FROM late;
ROLLBACK;

--
-- Parallel workers see the leader's tenant: each result equals the serial one
--
RESET SESSION AUTHORIZATION;
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
SELECT parallel(false) \g /dev/null
DELETE FROM users WHERE email LIKE '%@example.org';
DELETE FROM analytics_events WHERE event_type = 'bulk';
ALTER TABLE users RESET (parallel_workers);

--
-- Writing
--
SET SESSION AUTHORIZATION regress_shop_app;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
-- A tenant that one leaves out is one's own.
SAVEPOINT s;
INSERT INTO users (email) VALUES ('new@example.com') RETURNING tenant_id;
INSERT INTO order_items (order_id, product_name, price, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'left out', 1, 1) RETURNING tenant_id;
ROLLBACK TO s;
CREATE TEMP TABLE attempt (step int GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO attempt (statement) VALUES
    ('INSERT INTO users (tenant_id, email) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''x@example.com'')'),
    ('INSERT INTO users (tenant_id, email) VALUES (NULL, ''x@example.com'')'),
    ('INSERT INTO tenants (name, slug) VALUES (''Mine'', ''mine'')'),
    ('UPDATE users SET tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('UPDATE users SET tenant_id = ''12345678-0000-4000-8000-000000000000'''),
    ('UPDATE tenants SET id = ''bbbbbbbb-0000-4000-8000-000000000001'''),
    ('UPDATE tenants SET name = ''x'' WHERE slug = ''bazaar'''),
    ('DELETE FROM tenants WHERE slug = ''bazaar'''),
    ('UPDATE users SET name = ''x'' WHERE id = ''bbbbbbbb-0000-4000-8000-000000000001'''),
    ('DELETE FROM users WHERE id = ''bbbbbbbb-0000-4000-8000-000000000001'''),
    ('DELETE FROM orders WHERE number = ''N-b1'' RETURNING *'),
    ('UPDATE orders o SET total = 0 FROM order_items i WHERE i.order_id = o.id AND o.tenant_id <> shop.current_tenant()'),
    ('SELECT FROM orders WHERE number LIKE ''N-b%'' FOR UPDATE'),
    ('SELECT FROM orders FOR UPDATE'),
    ('TABLE orders'),
    ('COPY orders TO ''/dev/null'''),
    ('INSERT INTO orders (number, total) VALUES (''N-b1'', 1)'),
    ('INSERT INTO orders (number, total) VALUES (''N-b1'', 1) ON CONFLICT (number) DO UPDATE SET total = 0'),
    ('INSERT INTO orders (number, total) VALUES (''N-b1'', 1) ON CONFLICT (number) DO NOTHING'),
    ('INSERT INTO users (id, email) VALUES (''bbbbbbbb-0000-4000-8000-000000000001'', ''y@example.com'') ON CONFLICT (id) DO UPDATE SET name = ''x'''),
    ('INSERT INTO users (tenant_id, email) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''b1@example.com'') ON CONFLICT (tenant_id, email) DO UPDATE SET name = ''x'''),
    ('INSERT INTO users (email) VALUES (''a1@example.com'') ON CONFLICT (tenant_id, email) DO UPDATE SET tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('MERGE INTO orders o USING owned w ON w.id = o.id WHEN MATCHED THEN UPDATE SET status = ''merged'''),
    ('MERGE INTO orders o USING owned w ON w.id = o.id WHEN MATCHED AND w.key = ''a1'' THEN UPDATE SET tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('MERGE INTO users u USING (SELECT * FROM owned WHERE key = ''b1'') w ON w.id = u.id WHEN NOT MATCHED THEN INSERT (tenant_id, email) VALUES (w.tenant, ''z@example.com'')'),
    ('MERGE INTO users u USING owned w ON w.id = u.id WHEN MATCHED THEN DELETE'),
    ('WITH gone AS (DELETE FROM order_items RETURNING *) SELECT FROM gone'),
    ('INSERT INTO analytics_events (tenant_id, event_type) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''x'')'),
    ('UPDATE analytics_events SET "timestamp" = ''2001-06-01'', tenant_id = ''bbbbbbbb-0000-4000-8000-000000000000'''),
    ('UPDATE analytics_events SET "timestamp" = ''2001-06-01'' WHERE "timestamp" > ''2002-01-01'''),
    ('SELECT FROM analytics_events_default'),
    ('INSERT INTO analytics_events_default (event_type) VALUES (''x'')'),
    ('UPDATE revenue_metrics SET total_revenue = 0'), ('DELETE FROM revenue_metrics'),
    ('INSERT INTO revenue_metrics (tenant_id, date) VALUES (shop.current_tenant(), ''2020-01-01'')'),
    ('UPDATE revenue_customers SET order_count = 0'),
    ('INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload) VALUES (''aaaaaaaa-0000-4000-8000-000000000001'', gen_random_uuid(), ''x'', ''{}'')'),
    ('UPDATE webhook_deliveries SET attempt_count = 0'), ('DELETE FROM webhook_deliveries'),
    ('TABLE order_number_key'), ('TABLE order_number_counters'), ('SELECT last_value FROM order_code_sequence'),
    ('SELECT nextval(''order_code_sequence'')'), ('SELECT setval(''order_code_sequence'', 1)'),
    ('TRUNCATE orders CASCADE'), ('TRUNCATE users, orders, order_items, payments, analytics_events');
-- Every attempt in a savepoint of its own that is rolled back, so that one does not meet the other's rows.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    BEGIN
        result := shop.outcome(statement);
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN RETURN result;
    END;
END $$;
SELECT pg_temp.try(statement) AS result, statement FROM attempt ORDER BY step;
COPY (SELECT number FROM orders ORDER BY 1) TO STDOUT;
COPY orders (number) TO STDOUT;
SAVEPOINT s;
COPY orders (tenant_id, number, total) FROM STDIN;
bbbbbbbb-0000-4000-8000-000000000000	N-copied	1
\.
ROLLBACK TO s;

--
-- References stay within the tenant, and tell nothing of another's rows
--
TRUNCATE attempt RESTART IDENTITY;
INSERT INTO attempt (statement)
SELECT format(link, id) FROM unnest(ARRAY[
    'UPDATE orders SET user_id = %L WHERE number = ''N-a1''',
    'INSERT INTO orders (number, total, user_id) VALUES (''N-new'', 1, %L)',
    'UPDATE order_items SET order_id = %L', 'UPDATE order_items SET product_id = %L',
    'INSERT INTO order_items (order_id, product_name, price, total) VALUES (%L, ''x'', 1, 1)',
    'INSERT INTO payments (order_id, amount) VALUES (%L, 1)', 'UPDATE payments SET order_id = %L',
    'INSERT INTO analytics_events (event_type, user_id) VALUES (''x'', %L)',
    'UPDATE analytics_events SET user_id = %L']) WITH ORDINALITY AS links (link, place),
    (VALUES ('aaaaaaaa-0000-4000-8000-000000000002'), ('bbbbbbbb-0000-4000-8000-000000000001'), ('12345678-0000-4000-8000-000000000001')) AS target (id)
ORDER BY place, id;
-- Its own, one that nobody has, one of Bazaar's; the messages of the last two differ in nothing but the id.
CREATE FUNCTION pg_temp.message(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; message text;
BEGIN
    EXECUTE statement; RETURN 'none';
EXCEPTION WHEN foreign_key_violation THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN message || ' ' || detail;
END $$;
SELECT pg_temp.try(statement) AS result, statement FROM attempt ORDER BY step;
SELECT count(DISTINCT regexp_replace(pg_temp.message(format('UPDATE orders SET user_id = %L WHERE number = ''N-a1''', id)), id, 'id')) AS different_messages
FROM (VALUES ('bbbbbbbb-0000-4000-8000-000000000001'), ('12345678-0000-4000-8000-000000000001')) AS target (id);
COMMIT;

-- Actions of references stay within the tenant: Acme deletes a user and an order.
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
DELETE FROM users WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
SELECT number, user_id IS NULL AS no_user, tenant_id = current_tenant() AS own FROM orders ORDER BY 1;
DELETE FROM products WHERE id = 'aaaaaaaa-0000-4000-8000-000000000001';
DELETE FROM orders WHERE number = 'N-a2';
SELECT (SELECT count(*) FROM order_items) AS items, (SELECT count(*) FROM payments WHERE order_id IS NULL) AS without_order,
       (SELECT count(*) FROM order_items WHERE product_id IS NULL) AS without_product;
DELETE FROM tenants;
SELECT w.relation, o.result FROM outcomes('SELECT FROM %s') o JOIN walled w USING (relation)
WHERE NOT w.is_partition AND o.result <> '0' AND w.relation <> 'order_number_counters';
RESET SESSION AUTHORIZATION;
SELECT count(*) FROM orders WHERE user_id IS NOT NULL;
ROLLBACK;

--
-- Secrets are written and not read
--
SET SESSION AUTHORIZATION regress_shop_app;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT pg_temp.try(statement) AS result, statement FROM unnest(ARRAY[
    'SELECT credentials FROM integrations', 'TABLE integrations', 'SELECT i FROM integrations i', 'SELECT to_jsonb(i) FROM integrations i',
    'SELECT secret FROM webhooks', 'SELECT id FROM webhooks WHERE secret LIKE ''s%''', 'UPDATE webhooks SET description = secret',
    'UPDATE webhooks SET secret = ''new'' RETURNING secret', 'COPY webhooks (secret) TO ''/dev/null''',
    'UPDATE integrations SET config = credentials', 'UPDATE integrations SET name = name WHERE credentials ? ''key''',
    'SELECT id, name, config FROM integrations', 'UPDATE integrations SET credentials = ''{"key": "new"}''',
    'INSERT INTO webhooks (url, events, secret) VALUES (''https://example.com'', ''{}'', ''new'')',
    'INSERT INTO integrations (name, type, credentials) VALUES (''x'', ''a1'', ''{}'') ON CONFLICT (tenant_id, type) DO UPDATE SET credentials = ''{}''']) AS statement;
COMMIT;

--
-- Other roles
--
-- A role with a grant and no membership sees nothing, with or without a tenant.
RESET SESSION AUTHORIZATION;
GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO regress_shop_stranger;
GRANT EXECUTE ON FUNCTION set_tenant(uuid) TO regress_shop_stranger;
SET SESSION AUTHORIZATION regress_shop_stranger;
SELECT count(*) FROM orders;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT count(*) FROM orders;
SELECT outcome('UPDATE orders SET total = 0'), outcome('DELETE FROM orders'), outcome('INSERT INTO orders (number, total) VALUES (''N-s'', 1)');
COMMIT;
-- Only the store's roles may set a tenant.
RESET SESSION AUTHORIZATION;
REVOKE EXECUTE ON FUNCTION set_tenant(uuid) FROM regress_shop_stranger;
SET SESSION AUTHORIZATION regress_shop_stranger;
BEGIN; SELECT set_tenant(:acme); ROLLBACK;
SELECT resolve_tenant('acme');
-- An operator sees every tenant, secrets aside.
SET SESSION AUTHORIZATION regress_shop_operator;
SELECT string_agg(number, ' ' ORDER BY number) FROM orders;
SELECT w.relation, o.result FROM outcomes('SELECT FROM %s WHERE %2$s = ''bbbbbbbb-0000-4000-8000-000000000000''') o JOIN walled w USING (relation)
WHERE o.result <> w.bazaar::text AND NOT w.is_partition AND w.relation <> 'order_number_counters';
SELECT outcome('SELECT secret FROM webhooks'), outcome('SELECT credentials FROM integrations');
-- A member of the owner is walled as the application is.
SET SESSION AUTHORIZATION regress_shop_migration;
SELECT DISTINCT result FROM outcomes('SELECT FROM %s');
SELECT DISTINCT result FROM outcomes('UPDATE %1$s SET %2$s = %2$s');
SELECT DISTINCT result FROM outcomes('DELETE FROM %s');
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT w.relation, o.result FROM outcomes('SELECT FROM %s') o JOIN walled w USING (relation) WHERE o.result <> w.acme::text;
SELECT outcome('INSERT INTO analytics_events_default (tenant_id, event_type) VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', ''x'')');
ROLLBACK;
SET row_security = off;
SELECT outcome('SELECT FROM orders');
RESET row_security;
-- It makes partitions, and moves every tenant's rows into them.
SELECT ensure_partitions(0, (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '1 month')::date) AS made;
RESET SESSION AUTHORIZATION;
INSERT INTO analytics_events (tenant_id, event_type, "timestamp")
    SELECT id, 'caught', date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '40 days' FROM tenants WHERE slug IN ('acme', 'bazaar');
-- An application's trigger on inserts does not fire again.
CREATE TABLE announced (event_type text);
CREATE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.announced VALUES (NEW.event_type); RETURN NULL; END $$;
CREATE TRIGGER announce AFTER INSERT ON analytics_events FOR EACH ROW EXECUTE FUNCTION announce();
SET SESSION AUTHORIZATION regress_shop_migration;
SELECT ensure_partitions(0, (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '2 month')::date) AS made;
SELECT count(*) AS still_walled FROM analytics_events;
RESET SESSION AUTHORIZATION;
SELECT count(*), bool_and(tableoid <> 'analytics_events_default'::regclass) AS moved FROM analytics_events WHERE event_type = 'caught';
SELECT count(*) AS announced FROM announced;
DROP TRIGGER announce ON analytics_events;
SELECT count(*) FROM isolation_report();
DELETE FROM analytics_events WHERE event_type = 'caught';

--
-- Changes of tenants are seen at once
--
SET SESSION AUTHORIZATION regress_shop_operator;
BEGIN;
SELECT outcome('SELECT set_tenant(''aaaaaaaa-0000-4000-8000-000000000000'')');
ROLLBACK;
BEGIN;
UPDATE tenants SET status = 'suspended' WHERE slug = 'acme';
SELECT outcome('SELECT set_tenant(''aaaaaaaa-0000-4000-8000-000000000000'')');
ROLLBACK;
BEGIN;
SELECT outcome('SELECT set_tenant(''aaaaaaaa-0000-4000-8000-000000000000'')');
ROLLBACK;
BEGIN;
SAVEPOINT s;
DELETE FROM tenants WHERE slug = 'fresh';
SELECT outcome('SELECT set_tenant(''ffffffff-0000-4000-8000-000000000000'')');
ROLLBACK TO s;
SELECT outcome('SELECT set_tenant(''ffffffff-0000-4000-8000-000000000000'')');
ROLLBACK;
-- What a failed statement saw of its own changes is forgotten with it.
BEGIN;
UPDATE tenants SET status = 'active' WHERE slug = 'closed' RETURNING set_tenant(id) IS NOT NULL AS let_in, 1 / (status <> 'active')::int;
ROLLBACK;
BEGIN;
SELECT outcome('SELECT set_tenant(''cccccccc-0000-4000-8000-000000000000'')');
ROLLBACK;
BEGIN;
INSERT INTO tenants (id, name, slug) VALUES ('77777777-0000-4000-8000-000000000000', 'Seventh', 'seventh') RETURNING set_tenant(id) IS NOT NULL AS let_in, 1 / (status <> 'active')::int;
ROLLBACK;
BEGIN;
SELECT outcome('SELECT set_tenant(''77777777-0000-4000-8000-000000000000'')');
ROLLBACK;

--
-- resolve_tenant(): by slug, then by a domain that is one active tenant's
--
RESET SESSION AUTHORIZATION;
CREATE TABLE slugs AS SELECT id, slug FROM tenants;
GRANT SELECT ON slugs TO PUBLIC;
SET SESSION AUTHORIZATION regress_shop_app;
SELECT asked, slugs.slug AS found FROM unnest(ARRAY['acme', 'ACME', 'acme.example', 'ACME.Example', 'bazaar.example', 'closed', 'closed.example',
    'dormant', 'fresh', 'shared.example', 'twice.example', 'nobody', '', '%', '_cme', 'acme'' OR true --']) WITH ORDINALITY AS t (asked, place)
    LEFT JOIN slugs ON slugs.id = resolve_tenant(asked) ORDER BY place;
SELECT resolve_tenant(NULL) IS NULL AS null_for_null;
-- It works before there is a tenant and under another, and sets none.
BEGIN;
SELECT set_tenant(:bazaar) \g /dev/null
SELECT resolve_tenant('acme') AS acme, current_tenant() AS still;
ROLLBACK;

--
-- isolate_table(): an application's own tables
--
RESET SESSION AUTHORIZATION;
GRANT CREATE ON SCHEMA shop TO regress_shop_migration;
SET SESSION AUTHORIZATION regress_shop_migration;
SET ROLE brainsait_owner;
CREATE TABLE reviews (tenant_id uuid NOT NULL DEFAULT current_tenant(), product_id uuid, stars int, at date) PARTITION BY RANGE (at);
CREATE TABLE reviews_2020 PARTITION OF reviews FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (stars);
CREATE TABLE reviews_2020_best PARTITION OF reviews_2020 FOR VALUES IN (5);
CREATE TABLE reviews_rest PARTITION OF reviews DEFAULT;
CREATE TABLE "Odd name" ("shop ""id""" uuid, note text);
CREATE TABLE untouched (tenant_id text);
GRANT SELECT, INSERT, UPDATE, DELETE ON reviews, reviews_2020, reviews_2020_best, reviews_rest, "Odd name" TO brainsait_app, brainsait_operator;
SELECT isolate_table('reviews');
SELECT isolate_table('reviews');                   -- again changes nothing
SELECT isolate_table('"Odd name"', 'shop "id"');
SELECT isolate_table('untouched');
SELECT isolate_table('reviews', 'nothing');
SET SESSION AUTHORIZATION regress_shop_app;
SELECT isolate_table('reviews');
SET SESSION AUTHORIZATION regress_shop_operator;
INSERT INTO reviews SELECT tenant, id, 5, d FROM owned, (VALUES (date '2020-05-05'), ('2030-01-01')) AS days (d);
INSERT INTO "Odd name" SELECT tenant, key FROM owned;
SET SESSION AUTHORIZATION regress_shop_app;
SELECT (SELECT count(*) FROM reviews) + (SELECT count(*) FROM reviews_2020_best) + (SELECT count(*) FROM "Odd name") AS without_tenant;
BEGIN;
SELECT set_tenant(:acme) \g /dev/null
SELECT (SELECT count(*) FROM reviews) AS reviews, (SELECT count(*) FROM reviews_2020) AS reviews_2020, (SELECT count(*) FROM reviews_2020_best) AS best,
       (SELECT count(*) FROM reviews_rest) AS rest, (SELECT string_agg(note, ' ' ORDER BY note) FROM "Odd name") AS odd;
SELECT outcome('INSERT INTO reviews (stars, at) VALUES (5, ''2020-02-02'')') AS own,
       outcome('INSERT INTO reviews_2020_best VALUES (''bbbbbbbb-0000-4000-8000-000000000000'', NULL, 5, ''2020-02-02'')') AS foreign_row,
       outcome('UPDATE "Odd name" SET "shop ""id""" = NULL') AS given_away;
ROLLBACK;
SET SESSION AUTHORIZATION regress_shop_stranger;
SELECT outcome('TABLE shop.reviews');
RESET SESSION AUTHORIZATION;
DROP TABLE reviews, "Odd name", untouched;

-- Bazaar's rows are what they were.
SELECT w.relation FROM walled w,
    LATERAL (SELECT format('SELECT md5(string_agg(t::text, '' '' ORDER BY t::text)) FROM %s t WHERE %s = ''bbbbbbbb-0000-4000-8000-000000000000''',
                           w.relation, CASE w.relation WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END)) AS q (query)
WHERE (xpath('//md5/text()', query_to_xml(query, false, false, '')))[1]::text IS DISTINCT FROM w.bazaar_rows;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_shop_app, regress_shop_migration, regress_shop_operator, regress_shop_stranger;
DROP ROLE regress_shop_app, regress_shop_migration, regress_shop_operator, regress_shop_stranger;
