-- Formats and resets of order numbers: what is refused when it is set, and which numbers are valid.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_formats;
CREATE DATABASE regress_brainsait_formats TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_formats
SET client_min_messages = warning;
CREATE EXTENSION brainsait;

-- What a statement is refused with.
CREATE FUNCTION refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN hint <> '' THEN ' / ' || hint ELSE '' END;
END
$$;

CREATE TABLE formats (place serial, format text);
INSERT INTO formats (format) VALUES
    ('ORD-{YYYY}{MM}{DD}-{CODE:6}'), ('{CODE}'), ('{CODE:1}'), ('{CODE:12}'), ('{TENANT}-{SEQ}'), ('{TENANT}{SEQ:18}'),
    ('{YY}{DDD}/{TENANT}/{SEQ:5}-{CHECK}'), ('INV {CODE:4}{CHECK} ~'), ('{TENANT}{TENANT}{CODE}'),
    ('X-{FOO}-{CODE}'), ('{code}'), ('{}{CODE}'), ('{CODE:0}'), ('{CODE:13}'), ('{CODE:06}'), ('{CODE:six}'), ('{TENANT}{SEQ:19}'),
    ('{MM:2}{CODE}'), ('{CODE'), ('{CODE{SEQ}'), ('CODE}'), (''), ('ORD-{YYYY}'), ('ORD-{SEQ}'), ('{CODE}{CODE:8}'),
    ('{TENANT}{SEQ}{SEQ:4}'), ('{CODE}{CHECK}{CHECK}'), ('-/{CHECK}{CODE}'), (E'A\tB{CODE}'), ('طلب-{CODE}'), ('{شهر}{CODE}'),
    (repeat('A', 38) || '{CODE}'), (repeat('A', 39) || '{CODE}'), (repeat('A', 30) || '{TENANT}{SEQ}'),
    (repeat('A', 31) || '{TENANT}{SEQ}');

-- The parameter refuses what the settings refuse.
SELECT format, replace(refusal(format('SET brainsait.order_number_format = %L', format)),
                       'invalid value for parameter "brainsait.order_number_format"', 'parameter') AS "set as parameter"
FROM formats ORDER BY place;
SHOW brainsait.order_number_format;
SELECT count(*) AS "settings and parameter disagree"
FROM formats
WHERE (refusal(format('SET brainsait.order_number_format = %L', format)) = 'accepted')
   <> (refusal(format('INSERT INTO tenants (name, slug, settings) VALUES (''x'', %L, %L)',
                      substr('abcdefghijklmnopqrstuvwxyz0123456789', place, 1), jsonb_build_object('order_number_format', format))) = 'accepted');
TRUNCATE tenants CASCADE;
ALTER DATABASE regress_brainsait_formats SET brainsait.order_number_format = '{BAD}';
ALTER DATABASE regress_brainsait_formats SET brainsait.order_number_format = 'D-{CODE:7}';
\c
SHOW brainsait.order_number_format;
ALTER DATABASE regress_brainsait_formats RESET brainsait.order_number_format;
\c
SET client_min_messages = warning;
-- It is for administrators.
CREATE ROLE regress_formats_app LOGIN IN ROLE brainsait_app;
SET ROLE regress_formats_app;
SET brainsait.order_number_format = '{CODE:7}'; -- before the library is loaded: forgotten when it is
SELECT order_number_is_valid('7', '{CODE:1}');
SHOW brainsait.order_number_format;
SET brainsait.order_number_format = '{CODE:7}';
RESET ROLE;

-- Settings.
SELECT settings, refusal(format('INSERT INTO tenants (name, slug, settings) VALUES (''x'', %L, %L)', slug, settings)) AS outcome
FROM (VALUES
    (1, 'a', NULL::text),
    (2, 'b', '{}'),
    (3, 'c', '{"other": [1, 2], "timezone": null, "order_number_format": null, "order_number_reset": null}'),
    (4, 'd', '[]'),
    (5, 'd', '"text"'),
    (6, 'd', 'null'),
    (7, 'd', '{"timezone": "Asia/Riyadh"}'),
    (8, 'e', '{"timezone": "Asia/Atlantis"}'),
    (9, 'e', '{"timezone": "CET"}'),
    (10, 'e', '{"timezone": "XYZ+3"}'),
    (11, 'e', '{"timezone": 3}'),
    (12, 'e', '{"timezone": ""}'),
    (13, 'e', '{"order_number_format": 6}'),
    (14, 'e', '{"order_number_format": {"a": 1}}'),
    (15, 'e', '{"order_number_format": "{FOO}"}'),
    (16, 'e', '{"order_number_reset": true}'),
    (17, 'e', '{"order_number_reset": "weekly"}'),
    (18, 'e', '{"order_number_reset": ""}'),
    (19, 'e', '{"order_number_format": "{TENANT}{SEQ}", "order_number_reset": "never"}'),
    (20, 'f', '{"order_number_format": "{TENANT}{SEQ}", "order_number_reset": "year"}'),
    (21, 'f', '{"order_number_format": "{TENANT}{YY}{SEQ}", "order_number_reset": "year"}'),
    (22, 'g', '{"order_number_format": "{TENANT}{YYYY}{SEQ}", "order_number_reset": "month"}'),
    (23, 'g', '{"order_number_format": "{TENANT}{YYYY}{MM}{SEQ}", "order_number_reset": "month"}'),
    (24, 'h', '{"order_number_format": "{TENANT}{YYYY}{MM}{SEQ}", "order_number_reset": "day"}'),
    (25, 'h', '{"order_number_format": "{TENANT}{YYYY}{DD}{SEQ}", "order_number_reset": "day"}'),
    (26, 'h', '{"order_number_format": "{TENANT}{YYYY}{DDD}{SEQ}", "order_number_reset": "day"}'),
    (27, 'i', '{"order_number_format": "{TENANT}{MM}{DD}{SEQ}", "order_number_reset": "day"}'),
    (28, 'i', '{"order_number_reset": "day"}')
) AS cases (place, slug, settings) ORDER BY place;

-- The slug counts with its real length: 31 + 19 characters fit, one more does not, neither by settings nor by slug.
INSERT INTO tenants (id, name, slug, settings) VALUES
    ('11111111-0000-4000-8000-000000000000', 'long', repeat('s', 31), '{"order_number_format": "{TENANT}{SEQ}"}');
UPDATE tenants SET settings = '{"order_number_format": "{TENANT}-{SEQ}"}' WHERE slug = repeat('s', 31);
UPDATE tenants SET slug = repeat('s', 32) WHERE slug = repeat('s', 31);
UPDATE tenants SET name = 'another', settings = '{"order_number_format": "{TENANT}{CODE}"}', slug = repeat('s', 32) WHERE slug = repeat('s', 31);

-- Valid numbers, without a tenant: {TENANT} may be any slug.
SELECT number, format, order_number_is_valid(number, format)
FROM (VALUES
    (1, 'ORD-20260309-7Z2K9Q', 'ORD-{YYYY}{MM}{DD}-{CODE:6}'),
    (2, 'ORD-20260309-7Z2K9Q7', 'ORD-{YYYY}{MM}{DD}-{CODE:6}'),
    (3, 'ORD-20260309-7Z2K9', 'ORD-{YYYY}{MM}{DD}-{CODE:6}'),
    (4, 'ORD-20260309-7Z2K9U', 'ORD-{YYYY}{MM}{DD}-{CODE:6}'),
    (5, 'ORD-20260229-7Z2K9Q', 'ORD-{YYYY}{MM}{DD}-{CODE:6}'),
    (6, 'ORD-20240229-7Z2K9Q', 'ORD-{YYYY}{MM}{DD}-{CODE:6}'),
    (7, 'ord-20240229-7Z2K9Q', 'ORD-{YYYY}{MM}{DD}-{CODE:6}'),
    (8, 'BLUE-SHOP-0042', '{TENANT}-{SEQ:4}'),
    (9, 'BLUE-SHOP-10042', '{TENANT}-{SEQ:4}'),
    (10, 'BLUE-SHOP-00042', '{TENANT}-{SEQ:4}'),
    (11, 'BLUE-SHOP-0000', '{TENANT}-{SEQ:4}'),
    (12, 'A1-2425GABC1234002-M', 'A1-{TENANT}-{CHECK}{CODE:1}'),
    (13, 'A1-2425GABC-1234002-M', 'A1-{TENANT}-{SEQ:7}-{CHECK}'),
    (14, 'A1-2425GABC-1234003-M', 'A1-{TENANT}-{SEQ:7}-{CHECK}'),
    (15, 'A1-2425GABC-1243002-M', 'A1-{TENANT}-{SEQ:7}-{CHECK}'),
    (16, '', '{CODE}'),
    (17, 'طلب', '{CODE}'),
    (18, repeat('7', 1000000), '{CODE}'),
    (19, NULL, '{CODE}')
) AS cases (place, number, format) WHERE place <> 18 ORDER BY place;
SELECT order_number_is_valid(repeat('7', 1000000), '{CODE}') AS "a long one";
SELECT order_number_is_valid('X', '{BAD}');
SELECT order_number_is_valid('X', repeat('A', 1000000));
SELECT order_number_is_valid('X');

-- With a tenant, the format and the slug are its own.
INSERT INTO tenants (id, name, slug, settings) VALUES
    ('22222222-0000-4000-8000-000000000000', 'blue', 'blue_shop', '{"order_number_format": "{TENANT}/{SEQ:3}"}');
SET ROLE regress_formats_app;
BEGIN;
SELECT set_tenant('22222222-0000-4000-8000-000000000000');
SELECT order_number_is_valid('BLUE_SHOP/001'), order_number_is_valid('RED/001'), order_number_is_valid(next_order_number()),
       order_number_is_valid('RED-001', '{TENANT}-{SEQ:3}'), order_number_is_valid(NULL);
ROLLBACK;
RESET ROLE;

-- The trigger functions are for the store's own tables.
SET ROLE regress_formats_app;
SELECT order_number_fill();
CREATE TEMPORARY TABLE mine (tenant_id uuid, number varchar, created_at timestamptz);
CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION order_number_fill();
RESET ROLE;
SELECT order_number_fill();
CREATE TABLE theirs (tenant_id uuid, number varchar, created_at timestamptz);
CREATE TRIGGER theirs BEFORE INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION order_number_fill();
INSERT INTO theirs (tenant_id) VALUES ('22222222-0000-4000-8000-000000000000');
CREATE TABLE odd (tenant_id integer, number varchar, created_at timestamptz);
ALTER TABLE odd OWNER TO brainsait_owner;
CREATE TRIGGER odd BEFORE INSERT ON odd FOR EACH ROW EXECUTE FUNCTION order_number_fill();
INSERT INTO odd (tenant_id) VALUES (1);
CREATE TRIGGER late AFTER INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION order_number_fill();
ALTER TABLE theirs DISABLE TRIGGER theirs;
INSERT INTO theirs (tenant_id) VALUES (NULL);

\c postgres
DROP DATABASE regress_brainsait_formats;
DROP ROLE regress_formats_app;
