-- The extension's trigger functions are made for one timing, event and level each. Put on a table at any other,
-- by somebody who may, they say so; and on tables of any other shape. None crashes, and none quietly drops rows.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
INSERT INTO tenants (id, name, slug) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'Acme', 'acme');
-- Somebody to whom every event matters.
INSERT INTO webhooks (tenant_id, url, events, secret) SELECT id, 'https://example.sa', '{*}', 's' FROM tenants;
INSERT INTO orders (id, tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'aaaaaaaa-0000-4000-8000-000000000000', 'A', 1);

-- What each function is made for, in the words of CREATE TRIGGER; everything else is to be refused.
CREATE TABLE made_for (function text, arguments text, timing text, events text, level text);
INSERT INTO made_for VALUES
    ('touch_updated_at', '', 'BEFORE', 'UPDATE', 'ROW'),
    ('fill_tenant', '''orders'', ''order_id''', 'BEFORE', 'INSERT', 'ROW'),
    ('check_columns', '''total'', ''not_negative'', ''status'', ''not_empty''', 'BEFORE', 'INSERT UPDATE', 'ROW'),
    ('guard_references', '''tenant_id'', ''id''', 'BEFORE', 'UPDATE DELETE', 'ROW'),
    ('order_number_fill', '', 'BEFORE', 'INSERT', 'ROW'),
    ('validate_tenant_settings', '', 'BEFORE', 'INSERT UPDATE', 'ROW'),
    ('tenant_changed', '', 'AFTER', 'INSERT UPDATE DELETE', 'ROW'),
    ('tenant_changed', '', 'BEFORE AFTER', 'INSERT UPDATE DELETE TRUNCATE', 'STATEMENT'),
    ('seal_integration', '', 'BEFORE', 'INSERT UPDATE', 'ROW'),
    ('seal_webhook', '', 'BEFORE', 'INSERT UPDATE', 'ROW'),
    ('revenue_order_changed', '', 'AFTER', 'INSERT UPDATE DELETE', 'ROW'),
    ('revenue_payment_leaves', '', 'BEFORE', 'UPDATE DELETE', 'ROW'),
    ('revenue_payment_changed', '', 'AFTER', 'INSERT UPDATE DELETE', 'ROW'),
    ('revenue_tenant_changed', '', 'AFTER', 'UPDATE DELETE', 'ROW'),
    ('revenue_orders_truncated', '', 'AFTER', 'TRUNCATE', 'STATEMENT'),
    ('revenue_payments_truncated', '', 'AFTER', 'TRUNCATE', 'STATEMENT'),
    ('webhook_row_changed', '''orders''', 'AFTER', 'INSERT UPDATE DELETE', 'ROW');
SELECT p.proname AS "not tried here" FROM pg_proc p
WHERE pronamespace = 'shop'::regnamespace AND prorettype = 'trigger'::regtype AND proname NOT IN (SELECT function FROM made_for)
  -- plpgsql itself keeps what is written in it from crashing: these two are bound to their tables by the columns they name.
  AND proname NOT IN ('refuse_dumped_tenants', 'order_number_key_arrives');

-- Tables with every column that any of the functions looks for; with all of them of wrong types; with none.
CREATE TABLE shape (name text, columns text, key text, change text);
INSERT INTO shape VALUES
    ('right', 'id uuid, tenant_id uuid, user_id uuid, number varchar(50), status text, total numeric, currency text,
               customer_email text, payment_status text, created_at timestamptz, updated_at timestamptz, order_id uuid,
               refunded_amount numeric, settings jsonb, slug varchar(100), credentials jsonb, secret varchar(255),
               previous_secret varchar(255)',
     '''aaaaaaaa-0000-4000-8000-000000000000''', 'order_id = NULL, settings = ''{"timezone": "Asia/Riyadh"}'''),
    ('wrong', 'id int, tenant_id int, user_id int, number int, status int, total int, currency int, customer_email int,
               payment_status int, created_at int, updated_at int, order_id int, refunded_amount int, settings int, slug int,
               credentials int, secret int, previous_secret int',
     '1', 'order_id = 2, settings = 3, total = 4, refunded_amount = 5, created_at = 6'),
    ('short', 'id int', '1', 'id = id + 1');

-- Runs one statement under one trigger; tells its SQLSTATE, or how many rows the statement went through to.
CREATE FUNCTION try(function text, arguments text, timing text, event text, level text, shape shape) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows bigint;
BEGIN
    EXECUTE format('CREATE TABLE target (%s)', shape.columns);
    IF event <> 'INSERT' THEN
        EXECUTE format('INSERT INTO target (id) VALUES (%s)', shape.key);
        IF shape.name <> 'short' THEN
            EXECUTE format('UPDATE target SET tenant_id = id, %s',
                           CASE shape.name WHEN 'right' THEN 'order_id = id, refunded_amount = 5, total = 5, created_at = now()' ELSE shape.change END);
        END IF;
    END IF;
    IF timing = 'INSTEAD OF' THEN
        ALTER TABLE target RENAME TO base;
        ALTER TABLE base OWNER TO brainsait_owner;
        CREATE VIEW target AS SELECT * FROM base;
    END IF;
    -- The functions belong to the store's owner and this is its table: nothing else stands in the way.
    ALTER TABLE target OWNER TO brainsait_owner;
    EXECUTE format('CREATE TRIGGER t %s %s ON target FOR EACH %s EXECUTE FUNCTION %I(%s)', timing, event, level, function, arguments);
    EXECUTE CASE event WHEN 'INSERT' THEN format('INSERT INTO target (id) VALUES (%s)', shape.key)
                       WHEN 'UPDATE' THEN 'UPDATE target SET ' || shape.change
                       WHEN 'DELETE' THEN 'DELETE FROM target'
                       ELSE 'TRUNCATE target' END;
    GET DIAGNOSTICS rows = ROW_COUNT;
    RAISE EXCEPTION '% rows', rows USING ERRCODE = 'B0000'; -- takes everything back
EXCEPTION
    WHEN SQLSTATE 'B0000' THEN RETURN SQLERRM;
    WHEN OTHERS THEN RETURN SQLSTATE;
END
$$;

CREATE TABLE outcome AS
SELECT f.function, timing, event, level, shape.name AS shape,
       EXISTS (SELECT FROM made_for m WHERE m.function = f.function AND m.timing ~ timings.timing AND m.events ~ events.event AND m.level = levels.level) AS fits,
       try(f.function, f.arguments, timing, event, level, shape) AS result
FROM (SELECT DISTINCT function, arguments FROM made_for) f,
     unnest('{BEFORE,AFTER,INSTEAD OF}'::text[]) AS timings (timing), unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) AS events (event),
     unnest('{ROW,STATEMENT}'::text[]) AS levels (level), shape
WHERE NOT (event = 'TRUNCATE' AND level = 'ROW')
  AND CASE timing WHEN 'INSTEAD OF' THEN level = 'ROW' AND event <> 'TRUNCATE' ELSE true END;

SELECT count(*), count(DISTINCT function) AS functions FROM outcome;
SELECT * FROM outcome WHERE NOT fits AND result <> '39P01' ORDER BY 1, 2, 3, 4, 5;
-- Where it fits: columns that are missing are 42703, of another type 42804, and the statement goes through else.
SELECT function, shape, array_agg(DISTINCT result) AS results FROM outcome WHERE fits GROUP BY 1, 2 ORDER BY 1, 2;
-- Arguments that make no sense.
SELECT try('fill_tenant', arguments, 'BEFORE', 'INSERT', 'ROW', shape)
FROM shape, unnest(ARRAY['', '''orders''', '''tenants'', ''order_id''', '''orders'', ''order_id'', ''x''', '''orders'', ''no such column''']) AS arguments
WHERE name = 'right';
SELECT try('check_columns', arguments, 'BEFORE', 'UPDATE', 'ROW', shape)
FROM shape, unnest(ARRAY['', '''total''', '''total'', ''big''', '''no such column'', ''positive''', repeat('''id'', ''positive'', ', 8) || '''id'', ''positive''']) AS arguments
WHERE name = 'right';
SELECT try('guard_references', arguments, 'BEFORE', 'UPDATE', 'ROW', shape)
FROM shape, unnest(ARRAY['', '''tenant_id'', ''id'', ''user_id''', '''no such column''', '''number''', '''id''']) AS arguments
WHERE name = 'right';
SELECT try('webhook_row_changed', arguments, 'AFTER', 'UPDATE', 'ROW', shape)
FROM shape, unnest(ARRAY['', '''products''', '''orders'', ''x''']) AS arguments
WHERE name = 'right';
SELECT try('tenant_changed', '''no such column''', 'AFTER', 'UPDATE', 'ROW', shape) FROM shape WHERE name = 'right';

-- The same functions called by hand.
\set VERBOSITY sqlstate
SELECT touch_updated_at();
SELECT revenue_orders_truncated();
\set VERBOSITY default

-- The application allows orders and payments that are nobody's: they are on no day.
ALTER TABLE orders ALTER COLUMN tenant_id DROP NOT NULL;
ALTER TABLE payments ALTER COLUMN tenant_id DROP NOT NULL;
INSERT INTO orders (number, total) VALUES ('nobody''s', 7);
INSERT INTO payments (amount, refunded_amount, order_id) VALUES (7, 7, 'aaaaaaaa-0000-4000-8000-000000000001');
UPDATE orders SET tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000' WHERE tenant_id IS NULL;
UPDATE payments SET tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000' WHERE tenant_id IS NULL;
SELECT total_revenue, order_count, refunded_amount FROM revenue_metrics;
UPDATE orders SET tenant_id = NULL WHERE number = 'nobody''s';
UPDATE payments SET tenant_id = NULL;
SELECT total_revenue, order_count, refunded_amount FROM revenue_metrics;
SELECT * FROM check_revenue_metrics('aaaaaaaa-0000-4000-8000-000000000000');

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
