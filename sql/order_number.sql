-- Order numbers as they come to be: tokens, resets in the tenant's time zone, numbers given by hand, the wall.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS regress_brainsait_numbers;
CREATE DATABASE regress_brainsait_numbers TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
\c regress_brainsait_numbers
SET client_min_messages = warning;
SET timezone = 'Pacific/Auckland'; -- the session's own zone must not matter
SET datestyle = 'ISO';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_numbers_app LOGIN IN ROLE brainsait_app;
CREATE ROLE regress_numbers_operator LOGIN IN ROLE brainsait_operator;
GRANT USAGE ON SCHEMA shop TO regress_numbers_app, regress_numbers_operator;

INSERT INTO tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'Riyadh', 'riyadh', '{"timezone": "Asia/Riyadh"}'),
    ('bbbbbbbb-0000-4000-8000-000000000000', 'New York', 'new-york', '{"timezone": "America/New_York"}'),
    ('cccccccc-0000-4000-8000-000000000000', 'Default', 'default', '{}');
CREATE FUNCTION use_format(slug text, format text, reset text DEFAULT 'never') RETURNS void LANGUAGE sql SET search_path = shop AS $$
    UPDATE tenants SET settings = settings || jsonb_build_object('order_number_format', format, 'order_number_reset', reset)
    WHERE tenants.slug = use_format.slug
$$;
-- Numbers of orders created at these times, in their order.
CREATE FUNCTION numbers(slug text, VARIADIC times timestamptz[]) RETURNS SETOF text LANGUAGE sql SET search_path = shop AS $$
    INSERT INTO orders (tenant_id, total, created_at)
    SELECT tenants.id, 1, at FROM tenants, unnest(times) WITH ORDINALITY AS t (at, place)
    WHERE tenants.slug = numbers.slug ORDER BY place RETURNING number
$$;

-- The default format: shape, date in UTC, valid, unique. '' counts as not given.
INSERT INTO orders (tenant_id, number, total, created_at)
SELECT 'cccccccc-0000-4000-8000-000000000000', CASE i % 2 WHEN 0 THEN '' END, 1, '2026-03-09 23:59:59.9+00'
FROM generate_series(1, 1000) AS i;
SELECT count(*), count(DISTINCT number), bool_and(number ~ '^ORD-20260309-[0-9A-HJKMNP-TV-Z]{6}$') AS shape,
       bool_and(order_number_is_valid(number, 'ORD-{YYYY}{MM}{DD}-{CODE:6}')) AS valid
FROM orders;
TRUNCATE orders CASCADE;

-- Every token. Riyadh is three hours ahead: 21:00 UTC is the next day, here the first of a leap year.
SELECT use_format('riyadh', '{YYYY}/{YY}/{MM}/{DD}/{DDD}/{TENANT}/{SEQ}');
SELECT numbers('riyadh', '2023-12-31 20:59:59.999999+00', '2023-12-31 21:00+00', '2024-12-31 20:59+00', '0001-01-01 00:00+00', '9999-12-31 20:59+00');
SELECT use_format('riyadh', '{TENANT}{SEQ:18}');
SELECT numbers('riyadh', '2024-01-01 00:00+00');
SELECT use_format('riyadh', 'A1-2425GABC-{TENANT}-{SEQ:4}-{CHECK}');
SELECT number, order_number_is_valid(number, 'A1-2425GABC-{TENANT}-{SEQ:4}-{CHECK}') FROM numbers('riyadh', '2024-01-01', '2024-01-01') AS number;
SELECT use_format('riyadh', '{CODE:1}');
SELECT length(number), count(*) FROM numbers('riyadh', VARIADIC array_fill('2024-01-01'::timestamptz, ARRAY[100])) AS number GROUP BY 1;
-- A date that no number can show is refused where the format has a date, and only there.
SELECT count(*) FROM numbers('riyadh', 'infinity', '4000-01-01 BC');
SELECT use_format('riyadh', '{YYYY}{CODE}');
SELECT numbers('riyadh', 'infinity');
SELECT numbers('riyadh', '0001-01-01 BC');
SELECT numbers('riyadh', '10000-06-01');
-- Without created_at it is the transaction's date.
SELECT use_format('riyadh', '{YYYY}{DDD}-{CODE}');
INSERT INTO orders (tenant_id, total, created_at) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 1, NULL)
RETURNING number ~ ('^' || to_char(now() AT TIME ZONE 'Asia/Riyadh', 'YYYYDDD') || '-.{6}$') AS today;
TRUNCATE orders CASCADE;

-- Resets turn at the tenant's midnight, whichever order comes first.
SELECT use_format('riyadh', '{TENANT}-{YYYY}-{SEQ:3}', 'year');
SELECT numbers('riyadh', '2025-12-31 20:59+00', '2025-12-31 21:00+00', '2025-12-31 20:00+00', '2026-06-01', '2026-12-31 21:00+00');
SELECT use_format('riyadh', '{TENANT}-{YY}{MM}-{SEQ}', 'month');
SELECT numbers('riyadh', '2026-01-31 20:59+00', '2026-01-31 21:00+00', '2026-02-28 21:00+00', '2026-01-05');
SELECT use_format('riyadh', '{TENANT}-{YYYY}{DDD}-{SEQ}', 'day');
SELECT numbers('riyadh', '2026-03-09 20:59+00', '2026-03-09 21:00+00', '2026-03-10 20:59+00', '2026-03-10 21:00+00');
-- Days on which New York changes its clocks have 23 and 25 hours; with one fixed offset they would turn at another time.
SELECT use_format('new-york', '{TENANT}-{YYYY}{MM}{DD}-{SEQ}', 'day');
SELECT numbers('new-york', '2026-03-08 04:59+00', '2026-03-08 05:00+00', '2026-03-09 03:59+00', '2026-03-09 04:00+00',
               '2026-11-01 03:59+00', '2026-11-01 04:00+00', '2026-11-02 04:59+00', '2026-11-02 05:00+00');
SELECT tenants.slug, period, last_value FROM order_number_counters JOIN tenants ON tenants.id = tenant_id
WHERE period <> '' ORDER BY slug, period;
TRUNCATE orders, order_number_counters CASCADE;

-- Numbers given by hand are kept; a taken one is refused; generated ones step past, one by one and in blocks.
SELECT use_format('riyadh', '{TENANT}-{SEQ:4}');
INSERT INTO orders (tenant_id, number, total) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'BY-HAND', 1), ('aaaaaaaa-0000-4000-8000-000000000000', 'RIYADH-0002', 1),
    ('aaaaaaaa-0000-4000-8000-000000000000', 'RIYADH-0003', 1), ('bbbbbbbb-0000-4000-8000-000000000000', 'RIYADH-0005', 1)
RETURNING number;
SELECT numbers('riyadh', now(), now(), now());
\set VERBOSITY sqlstate
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'RIYADH-0004', 1);
\set VERBOSITY default
SELECT numbers('riyadh', now());
INSERT INTO orders (tenant_id, number, total)
SELECT 'aaaaaaaa-0000-4000-8000-000000000000', 'RIYADH-' || lpad(i::text, 4, '0'), 1 FROM generate_series(8, 5000) AS i;
SELECT numbers('riyadh', now(), now());
-- The same within one statement, and after a series starts anew over its own numbers.
INSERT INTO orders (tenant_id, number, total) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'RIYADH-5003', 1), ('aaaaaaaa-0000-4000-8000-000000000000', NULL, 1) RETURNING number;
DELETE FROM order_number_counters;
SELECT numbers('riyadh', now());
-- {CODE}: of 32 codes of one character, 31 are given by hand; the last one is still found, then codes grow.
TRUNCATE orders CASCADE;
ALTER SEQUENCE order_code_sequence RESTART;
SELECT use_format('riyadh', '{CODE:1}');
CREATE TEMPORARY TABLE codes AS SELECT * FROM numbers('riyadh', VARIADIC array_fill(now(), ARRAY[32])) AS code;
SELECT count(DISTINCT code), max(length(code)) FROM codes;
SELECT length(numbers) FROM numbers('riyadh', now());
TRUNCATE orders CASCADE;
ALTER SEQUENCE order_code_sequence RESTART;
INSERT INTO orders (tenant_id, number, total) SELECT 'bbbbbbbb-0000-4000-8000-000000000000', code, 1 FROM codes WHERE code <> '7';
SELECT numbers('riyadh', now());
SELECT length(numbers) FROM numbers('riyadh', now());
DROP TABLE codes;

-- ON CONFLICT: a skipped row has used its number up.
TRUNCATE orders, order_number_counters CASCADE;
SELECT use_format('riyadh', '{TENANT}-{SEQ}');
INSERT INTO orders (id, tenant_id, total) VALUES ('99999999-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000000', 1) RETURNING number;
INSERT INTO orders (id, tenant_id, total) VALUES ('99999999-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000000', 1) ON CONFLICT DO NOTHING;
INSERT INTO orders (id, tenant_id, total) VALUES ('99999999-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000000', 1)
ON CONFLICT (id) DO UPDATE SET total = 2 RETURNING number, total;
SELECT numbers('riyadh', now());
-- COPY, and several rows of several tenants in one statement.
SELECT use_format('new-york', '{TENANT}-{SEQ}');
COPY orders (tenant_id, number, total) FROM stdin;
aaaaaaaa-0000-4000-8000-000000000000	\N	1
bbbbbbbb-0000-4000-8000-000000000000	\N	1
aaaaaaaa-0000-4000-8000-000000000000	HAND	1
aaaaaaaa-0000-4000-8000-000000000000	\N	1
\.
SELECT number FROM orders ORDER BY created_at, id;
\set VERBOSITY terse
-- A tenant that is not there; no tenant at all; another slug goes on in the same series.
INSERT INTO orders (tenant_id, total) VALUES ('dddddddd-0000-4000-8000-000000000000', 1);
INSERT INTO orders (total) VALUES (1) RETURNING number;
UPDATE tenants SET slug = 'jeddah' WHERE slug = 'riyadh';
SELECT numbers('jeddah', now());
-- Deleting a tenant takes its counters along, also one that was counted on in the same transaction.
BEGIN;
SELECT numbers('jeddah', now());
SELECT numbers('jeddah', now());
DELETE FROM tenants WHERE slug = 'jeddah';
COMMIT;
SELECT count(*) FROM order_number_counters WHERE tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000';

-- The wall: B's numbers are not for A, under neither kind of format, and its counter stays as it is.
INSERT INTO tenants (id, name, slug, settings) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a', '{"order_number_format": "{TENANT}-{SEQ}"}');
SELECT last_value AS before, is_called AS called_before FROM order_code_sequence \gset
SET ROLE regress_numbers_app;
INSERT INTO orders (tenant_id, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 1);
SELECT next_order_number();
BEGIN;
SELECT set_tenant('aaaaaaaa-0000-4000-8000-000000000000');
SAVEPOINT s;
INSERT INTO orders (tenant_id, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 1);
ROLLBACK TO s;
INSERT INTO orders (tenant_id, number, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', '', 1);
ROLLBACK TO s;
INSERT INTO orders (tenant_id, total) VALUES ('cccccccc-0000-4000-8000-000000000000', 1);
ROLLBACK TO s;
INSERT INTO orders (tenant_id, total) VALUES ('dddddddd-0000-4000-8000-000000000000', 1);
ROLLBACK TO s;
INSERT INTO orders (tenant_id, total) VALUES (NULL, 1);
ROLLBACK TO s;
INSERT INTO orders (total) VALUES (1), (2) RETURNING number, total;
SELECT next_order_number();
SELECT * FROM order_number_counters;
ROLLBACK TO s;
SELECT * FROM order_number_key;
ROLLBACK TO s;
SELECT nextval('order_code_sequence');
ROLLBACK;
-- An operator crosses tenants, with and without a context.
SET ROLE regress_numbers_operator;
INSERT INTO orders (tenant_id, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 1) RETURNING number;
BEGIN;
SELECT set_tenant('aaaaaaaa-0000-4000-8000-000000000000');
INSERT INTO orders (tenant_id, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 1) RETURNING number;
COMMIT;
RESET ROLE;
SELECT slug, last_value FROM order_number_counters JOIN tenants ON id = tenant_id ORDER BY slug;
SELECT last_value = :before AND is_called = :'called_before' AS "no code was drawn" FROM order_code_sequence;

-- A tenant that its own transaction deletes has no numbers, and its settings are gone.
SET ROLE regress_numbers_app;
BEGIN;
SELECT set_tenant('cccccccc-0000-4000-8000-000000000000') \g /dev/null
DELETE FROM tenants;
SELECT order_number_is_valid('ORD-20260309-ABCDEF'), order_number_is_valid('DEFAULT-1', '{TENANT}-{SEQ}');
SELECT next_order_number();
ROLLBACK;
RESET ROLE;

-- A key that is missing or cut short.
ALTER TABLE order_number_key DROP CONSTRAINT order_number_key_key_check;
BEGIN;
UPDATE order_number_key SET key = substr(key, 2);
SELECT numbers('default', now());
ROLLBACK;
BEGIN;
DELETE FROM order_number_key;
SELECT numbers('default', now());
ROLLBACK;
SELECT length(numbers) FROM numbers('default', now());
-- The last code, and none after it.
SELECT use_format('default', '{CODE:12}');
SELECT setval('order_code_sequence', 1152921504606846974) \g /dev/null
SELECT length(numbers) FROM numbers('default', now());
SELECT numbers('default', now());

\c postgres
DROP DATABASE regress_brainsait_numbers;
DROP ROLE regress_numbers_app, regress_numbers_operator;
