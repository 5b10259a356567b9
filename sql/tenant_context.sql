-- set_tenant(), and how long what it sets lasts.
\getenv source PG_ABS_SRCDIR
\set begin :source '/test/fixtures/two_tenants.sql'
\set end :source '/test/fixtures/two_tenants_end.sql'
\set ECHO none
\i :begin
\set ECHO all

SET SESSION AUTHORIZATION regress_shop_app;
SELECT current_tenant() IS NULL AS no_tenant;
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

-- A tenant in a child table is one, as for any query, although no index of the parent's has it.
RESET SESSION AUTHORIZATION;
CREATE TABLE guests () INHERITS (tenants);
INSERT INTO guests (id, name, slug, status) VALUES
    ('66666666-0000-4000-8000-000000000001', 'Guest', 'guest', 'Active'), ('66666666-0000-4000-8000-000000000002', 'Former guest', 'former', 'SUSPENDED');
BEGIN;
SELECT outcome('SELECT set_tenant(''66666666-0000-4000-8000-000000000001'')') AS guest;
ROLLBACK;
BEGIN;
SELECT outcome('SELECT set_tenant(''66666666-0000-4000-8000-000000000002'')') AS former;
ROLLBACK;
DROP TABLE guests;

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


\set ECHO none
\i :end
