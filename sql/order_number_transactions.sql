-- {SEQ} inside transactions: savepoints, blocks with exceptions, isolation levels, and operators
-- of one's own in front of PostgreSQL's.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_gapless;
CREATE DATABASE regress_brainsait_gapless TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_gapless
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION brainsait;
INSERT INTO tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a', '{"order_number_format": "{TENANT}-{SEQ}"}'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'B', 'b', '{"order_number_format": "{TENANT}-{SEQ}"}');
CREATE FUNCTION order_of(tenant_slug text) RETURNS text LANGUAGE sql AS $$
    INSERT INTO orders (tenant_id, total) SELECT id, 1 FROM tenants WHERE slug = tenant_slug RETURNING number
$$;
-- The numbers that are there, and the counters' rows: every number from 1 to the last, once.
CREATE VIEW series AS
SELECT slug, count(number) AS orders, max(split_part(number, '-', 2)::int) AS highest,
       (SELECT last_value FROM order_number_counters c WHERE c.tenant_id = t.id) AS counter
FROM tenants t LEFT JOIN orders o ON o.tenant_id = t.id GROUP BY t.id, slug ORDER BY slug;

-- A rollback gives everything back.
BEGIN;
SELECT order_of('a'), order_of('a');
ROLLBACK;
SELECT * FROM series;

-- Savepoints: first use inside a savepoint that is rolled back, then released ones, then a rollback around them.
BEGIN;
SAVEPOINT s1;
SELECT order_of('a');
ROLLBACK TO s1;
SELECT order_of('a');
SAVEPOINT s2;
SELECT order_of('a');
SAVEPOINT s3;
SELECT order_of('a'), order_of('b');
RELEASE s3;
SELECT order_of('a'), order_of('b');
ROLLBACK TO s2;
SELECT order_of('a'), order_of('b');
SAVEPOINT s4;
SAVEPOINT s5;
SELECT order_of('a');
RELEASE s5;
RELEASE s4;
SELECT order_of('a');
ROLLBACK TO s1;
SELECT order_of('a');
COMMIT;
SELECT * FROM series;

-- A transaction that becomes read-only after it drew numbers keeps them; the next one is not affected.
BEGIN;
SELECT order_of('b'), order_of('b');
SET TRANSACTION READ ONLY;
COMMIT;
SELECT * FROM series WHERE slug = 'b';
BEGIN READ ONLY;
SELECT order_of('b');
ROLLBACK;
DELETE FROM orders WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
DELETE FROM order_number_counters WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';

-- Blocks with exceptions, 200 deep and wide, against a plain count of what survived.
DO $$
DECLARE
    i int;
BEGIN
    FOR i IN 1..200 LOOP
        BEGIN
            PERFORM order_of('a');
            BEGIN
                PERFORM order_of('a'), order_of('b');
                IF i % 3 = 0 THEN
                    RAISE EXCEPTION 'inner';
                END IF;
            EXCEPTION WHEN raise_exception THEN
                PERFORM order_of('b');
            END;
            IF i % 5 = 0 THEN
                RAISE EXCEPTION 'outer';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END
$$;
-- Of a: 1, and of 160 rounds that survive one each and one more in 107; of b one in each of the 160.
SELECT *, orders = highest AND highest = counter AS gapless FROM series;
CREATE FUNCTION nested(depth int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM order_of('a');
    BEGIN
        IF depth > 1 THEN
            PERFORM nested(depth - 1);
        END IF;
        PERFORM order_of('a');
        IF depth % 4 = 0 THEN
            RAISE EXCEPTION 'undo everything below';
        END IF;
    EXCEPTION WHEN raise_exception THEN
        NULL;
    END;
END
$$;
SELECT nested(30);
-- Levels 30 and 29 give two each, level 28 one: 5 more.
SELECT *, orders = highest AND highest = counter AS gapless FROM series;

-- A statement that fails half way through gives its numbers back.
INSERT INTO orders (tenant_id, total) SELECT 'aaaaaaaa-0000-4000-8000-000000000000', 3 - i FROM generate_series(1, 5) AS i;
SELECT *, orders = highest AND highest = counter AS gapless FROM series;

-- Numbers drawn at the very end of a transaction, by deferred triggers and cursors that are held.
CREATE FUNCTION another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.total = 5 THEN
        INSERT INTO orders (tenant_id, total) VALUES (NEW.tenant_id, 6);
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER another AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION another();
INSERT INTO orders (tenant_id, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 5);
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT order_of('a') FROM generate_series(1, 3);
COMMIT;
CLOSE held;
DROP TRIGGER another ON orders;
SELECT *, orders = highest AND highest = counter AS gapless FROM series;

-- A bulk load writes the counter's row twice, not once per order.
SELECT pg_stat_force_next_flush();
SELECT n_tup_upd AS before FROM pg_stat_get_tuples_updated('order_number_counters'::regclass) AS n_tup_upd \gset
INSERT INTO orders (tenant_id, total) SELECT 'bbbbbbbb-0000-4000-8000-000000000000', 1 FROM generate_series(1, 5000);
SELECT pg_stat_force_next_flush();
SELECT pg_stat_get_tuples_updated('order_number_counters'::regclass) - :before AS updates;
SELECT *, orders = highest AND highest = counter AS gapless FROM series;

-- Every isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT order_of('a');
SELECT order_of('a');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT order_of('a');
COMMIT;
SELECT *, orders = highest AND highest = counter AS gapless FROM series;
BEGIN READ ONLY;
SELECT set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
SELECT next_order_number();
ROLLBACK;

-- The largest number there is.
UPDATE order_number_counters SET last_value = 9223372036854775806 WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
SELECT order_of('b');
SELECT order_of('b');
BEGIN;
UPDATE order_number_counters SET last_value = 9223372036854775805 WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
SELECT order_of('b');
SELECT order_of('b');
ROLLBACK;

DELETE FROM orders WHERE number = 'B-9223372036854775807';
UPDATE order_number_counters SET last_value = 5160 WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';

-- Operators, functions and casts of one's own in front of pg_catalog change nothing.
CREATE SCHEMA evil;
CREATE FUNCTION evil.always(uuid, uuid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
CREATE FUNCTION evil.always(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
CREATE FUNCTION evil.always(bigint, integer) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
CREATE FUNCTION evil.always(jsonb, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.always);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.always);
CREATE OPERATOR evil.+ (LEFTARG = bigint, RIGHTARG = integer, FUNCTION = evil.always);
CREATE OPERATOR evil.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = evil.always);
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$;
CREATE TABLE evil.order_number_counters (tenant_id uuid, series text, period text, last_value bigint);
CREATE TABLE evil.order_number_key (version integer, key bytea);
CREATE SEQUENCE evil.order_code_sequence;
\c
\set VERBOSITY terse
SET search_path = evil, pg_catalog, public;
BEGIN;
SELECT public.set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
INSERT INTO public.orders (total) VALUES (1), (2), (3) RETURNING number;
SELECT public.next_order_number();
SELECT public.order_number_is_valid('A-1'), public.order_number_is_valid('B-1');
INSERT INTO public.orders (tenant_id, total) SELECT id, 4 FROM public.tenants RETURNING number;
COMMIT;
UPDATE public.tenants SET settings = '{}';
BEGIN;
SELECT public.set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
INSERT INTO public.orders (total) VALUES (1) RETURNING public.order_number_is_valid(number);
COMMIT;

\c postgres
DROP DATABASE regress_brainsait_gapless;
