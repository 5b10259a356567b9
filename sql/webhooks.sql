-- Events: which changes are events, which endpoints are sent them, and what they say.
\pset format unaligned
\pset fieldsep ' | '
SET client_min_messages = warning;
CREATE SCHEMA "shop %s";
CREATE EXTENSION brainsait SCHEMA "shop %s";
SET search_path = "shop %s";
\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
SET timezone = 'Asia/Riyadh';
CREATE ROLE regress_webhooks_app IN ROLE brainsait_app;
INSERT INTO tenants (id, name, slug) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a'), ('bbbbbbbb-0000-4000-8000-000000000000', 'B', 'b'), ('cccccccc-0000-4000-8000-000000000000', 'C', 'c');
\set a '''aaaaaaaa-0000-4000-8000-000000000000'''
\set b '''bbbbbbbb-0000-4000-8000-000000000000'''
\set c '''cccccccc-0000-4000-8000-000000000000'''
-- B has one endpoint that is not active, C none.
INSERT INTO webhooks (tenant_id, description, url, events, secret, status) VALUES
    (:a, 'all', 'https://a.example/all', '{*}', 's', 'active'),
    (:a, 'orders', 'https://a.example/orders', '{order.*}', 's', 'active'),
    (:a, 'some', 'https://a.example/some', ARRAY['order.shipped', NULL, 'invoice.sent', 'payment.*', 'user.deleted'], 's', 'active'),
    (:a, 'odd', 'https://a.example/odd', '{order*,*.created,ORDER.CREATED,"",order.,.*,%}', 's', 'active'),
    (:a, 'off', 'https://a.example/off', '{*}', 's', 'paused'),
    (:b, 'off', 'https://b.example/off', '{*}', 's', 'disabled');

-- What was written since the last look, by endpoint; an event is one however many it is sent to.
CREATE TABLE seen (id uuid);
CREATE FUNCTION fresh(OUT event text, OUT endpoints text, OUT same boolean) RETURNS SETOF record LANGUAGE sql AS $$
    WITH new AS (
        SELECT d.*, w.description FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE d.id NOT IN (SELECT seen.id FROM seen)
    ), noted AS (INSERT INTO seen SELECT id FROM new)
    SELECT min(event_type), string_agg(description, ' ' ORDER BY description),
           count(DISTINCT (payload, created_at, tenant_id, event_type, status, attempt_count, failures, next_attempt_at = created_at, response_status)) = 1
    FROM new GROUP BY event_id ORDER BY event_id
$$;

-- Orders, by an application.
GRANT USAGE ON SCHEMA "shop %s" TO regress_webhooks_app;
SET SESSION AUTHORIZATION regress_webhooks_app;
BEGIN;
SELECT set_tenant(:a) \g /dev/null
INSERT INTO users (id, email, password_hash) VALUES ('aaaaaaaa-0000-4000-8000-000000000001', 'noura@example.sa', 'argon2 of hunter2');
INSERT INTO orders (id, number, total, user_id) VALUES ('aaaaaaaa-0000-4000-8000-000000000011', 'A-1', 12.50, 'aaaaaaaa-0000-4000-8000-000000000001');
INSERT INTO orders (id, number, total, status) VALUES ('aaaaaaaa-0000-4000-8000-000000000012', 'A-2', 1, 'shipped');
-- Nothing is written before the end.
SELECT count(*) AS before_commit FROM webhook_deliveries;
COMMIT;
BEGIN;
SELECT set_tenant(:a) \g /dev/null
SELECT event_type, count(*) FROM webhook_deliveries GROUP BY 1 ORDER BY 1;
-- An update that changes nothing, one that changes something, and the two that have a name of their own.
UPDATE orders SET total = 12.50, updated_at = '2020-01-01' WHERE number = 'A-1';
UPDATE orders SET total = 12.5001 WHERE number = 'A-1';
UPDATE orders SET metadata = '{"gift": true}' WHERE number = 'A-1';
UPDATE orders SET status = 'shipped', total = 13 WHERE number = 'A-1';
UPDATE orders SET status = 'shipped' WHERE number = 'A-1';
UPDATE orders SET status = 'cancelled' WHERE number = 'A-1';
UPDATE orders SET status = 'canceled' WHERE number = 'A-1';
UPDATE orders SET status = 'pending' WHERE number = 'A-1';
UPDATE orders SET status = 'canceled' WHERE number = 'A-1';
UPDATE orders SET status = NULL WHERE number = 'A-1';
DELETE FROM orders WHERE number = 'A-2';
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT * FROM fresh();

-- Payments.
INSERT INTO payments (id, tenant_id, amount, status) VALUES ('aaaaaaaa-0000-4000-8000-000000000021', :a, 10, 'pending'), ('aaaaaaaa-0000-4000-8000-000000000022', :a, 10, 'completed'), ('aaaaaaaa-0000-4000-8000-000000000023', :a, 10, 'failed');
UPDATE payments SET status = 'completed' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
UPDATE payments SET status = 'completed', metadata = '{"n": 1}' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
UPDATE payments SET refunded_amount = 3 WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
UPDATE payments SET refunded_amount = 2 WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
UPDATE payments SET refunded_amount = 10, status = 'refunded' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
UPDATE payments SET refunded_amount = NULL WHERE id = 'aaaaaaaa-0000-4000-8000-000000000021';
UPDATE payments SET status = 'failed' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000022';
UPDATE payments SET status = 'completed', refunded_amount = 1 WHERE id = 'aaaaaaaa-0000-4000-8000-000000000023';
DELETE FROM payments;
SELECT * FROM fresh();

-- Users: a login and a new password are no news, and the password is nobody's.
UPDATE users SET last_login = now();
UPDATE users SET password_hash = 'argon2 of hunter3';
UPDATE users SET last_login = now(), name = 'Noura';
DELETE FROM users;
SELECT * FROM fresh();
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE payload::text ~ 'password|hunter|argon|secret') AS with_a_secret FROM webhook_deliveries;

-- Tenants; a new one may have its endpoint in the same transaction.
BEGIN;
INSERT INTO tenants (id, name, slug) VALUES ('dddddddd-0000-4000-8000-000000000000', 'D', 'd');
INSERT INTO webhooks (tenant_id, description, url, events, secret) VALUES ('dddddddd-0000-4000-8000-000000000000', 'new', 'https://d.example', '{tenant.*}', 's');
COMMIT;
UPDATE tenants SET settings = '{"timezone": "Asia/Riyadh"}' WHERE slug = 'd';
UPDATE tenants SET status = 'suspended' WHERE slug = 'd';
UPDATE tenants SET status = 'suspended', plan = 'pro' WHERE slug = 'd';
UPDATE tenants SET updated_at = now() WHERE slug = 'd';
SELECT * FROM fresh();
DELETE FROM tenants WHERE slug = 'd';
SELECT count(*) AS of_d FROM webhook_deliveries WHERE tenant_id = 'dddddddd-0000-4000-8000-000000000000';

-- No other tenant is told of anything, and those without an active endpoint have nothing written.
BEGIN;
INSERT INTO users (tenant_id, email) VALUES (:b, 'b@example.sa'), (:c, 'c@example.sa');
INSERT INTO orders (tenant_id, number, total, status) SELECT id, slug || n, n, 'pending' FROM tenants, generate_series(1, 3) AS n WHERE slug <> 'a';
UPDATE orders SET status = 'shipped' WHERE tenant_id <> :a;
UPDATE tenants SET status = 'suspended' WHERE id IN (:b, :c);
COMMIT;
SELECT * FROM fresh();
-- An endpoint that is made, changed or dropped counts from then on, in its own transaction too.
BEGIN;
INSERT INTO webhooks (id, tenant_id, description, url, events, secret) VALUES ('cccccccc-0000-4000-8000-000000000001', :c, 'c', 'https://c.example', '{order.created}', 's');
INSERT INTO orders (tenant_id, number, total) VALUES (:c, 'c made', 1);
COMMIT;
UPDATE webhooks SET events = '{order.shipped}' WHERE description = 'c';
INSERT INTO orders (tenant_id, number, total) VALUES (:c, 'c changed', 1);
UPDATE orders SET status = 'shipped' WHERE number = 'c made';
UPDATE webhooks SET status = 'paused' WHERE description = 'c';
UPDATE orders SET status = 'shipped' WHERE number = 'c changed';
UPDATE webhooks SET status = 'active' WHERE description = 'c';
UPDATE orders SET status = 'pending' WHERE number = 'c changed';
UPDATE orders SET status = 'shipped' WHERE number = 'c changed';
BEGIN;
SAVEPOINT s;
UPDATE webhooks SET events = '{*}' WHERE description = 'c';
UPDATE orders SET status = 'pending' WHERE number = 'c changed';
ROLLBACK TO s;
UPDATE orders SET status = 'rolled back' WHERE number = 'c changed';
COMMIT;
SELECT * FROM fresh();
-- However many endpoints there are: few are read at once, many tenant by tenant.
SELECT pg_relation_size('webhooks') / 8192 BETWEEN 1 AND 4 AS few;
INSERT INTO orders (tenant_id, number, total, status) SELECT id, slug || ' among few', 1, 'pending' FROM tenants;
UPDATE orders SET status = 'shipped' WHERE number LIKE '% among few';
SELECT * FROM fresh();
INSERT INTO webhooks (tenant_id, description, url, events, secret, status) SELECT id, n || ' of many', 'https://many.example', '{order.shipped}', 's', 'paused' FROM tenants, generate_series(1, 200) AS n;
SELECT pg_relation_size('webhooks') / 8192 > 4 AS many;
INSERT INTO orders (tenant_id, number, total, status) SELECT id, slug || ' among many', 1, 'pending' FROM tenants;
UPDATE orders SET status = 'shipped' WHERE number LIKE '% among many';
SELECT * FROM fresh();
-- One that goes before its events are written takes them along.
BEGIN;
UPDATE orders SET status = 'pending' WHERE number = 'c changed';
UPDATE orders SET status = 'shipped' WHERE number = 'c changed';
DELETE FROM webhooks WHERE description = 'c';
COMMIT;
SELECT * FROM fresh();

-- Savepoints that are rolled back take their events along, and nothing else, however they nest.
BEGIN;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 's1', 1);
SAVEPOINT one;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 's2', 1);
SAVEPOINT two;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 's3', 1);
RELEASE two;
ROLLBACK TO one;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 's4', 1);
SAVEPOINT three;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 's5', 1);
RELEASE three;
COMMIT;
BEGIN;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 's6', 1);
ROLLBACK;
SELECT array_agg(DISTINCT payload #>> '{data,object,number}' ORDER BY payload #>> '{data,object,number}') AS numbers, count(*) FROM webhook_deliveries WHERE payload #>> '{data,object,number}' ~ '^s\d';
-- More than a transaction keeps in memory: some are written on the way, those of a savepoint with it.
BEGIN;
INSERT INTO orders (tenant_id, number, total) SELECT :a, 'bulk' || n, n FROM generate_series(1, 2500) AS n;
SAVEPOINT bulk;
INSERT INTO orders (tenant_id, number, total) SELECT :a, 'gone' || n, n FROM generate_series(1, 2500) AS n;
ROLLBACK TO bulk;
UPDATE orders SET status = 'shipped' WHERE number = 'bulk1';
COMMIT;
SELECT w.description, d.event_type, count(*), count(DISTINCT payload #>> '{data,object,number}') AS orders, bool_or(payload #>> '{data,object,number}' ~ 'gone') AS gone
FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id WHERE payload #>> '{data,object,number}' ~ '^(bulk|gone)' GROUP BY 1, 2 ORDER BY 1, 2;
INSERT INTO seen SELECT id FROM webhook_deliveries;
-- COPY, MERGE, ON CONFLICT.
\copy orders (tenant_id, number, total) FROM program 'printf "aaaaaaaa-0000-4000-8000-000000000000\tcopied\t1\n"'
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 'copied', 5) ON CONFLICT (number) DO UPDATE SET total = EXCLUDED.total;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 'copied', 5) ON CONFLICT (number) DO NOTHING;
MERGE INTO orders o USING (VALUES ('copied'), ('merged')) AS v (number) ON o.number = v.number
    WHEN MATCHED THEN UPDATE SET status = 'shipped' WHEN NOT MATCHED THEN INSERT (tenant_id, number, total) VALUES (:a, v.number, 1);
SELECT event, endpoints FROM fresh() ORDER BY 1, 2;

-- The body, as receivers see it.
SET timezone = 'America/New_York';
INSERT INTO orders (tenant_id, number, total, currency, customer_email, shipping_address, created_at)
VALUES (:a, 'body', 1234.50, 'SAR', 'نورة@example.sa', '{"city": "الرياض \"1\""}', '2026-03-01 12:00:00.25+03');
SELECT array_agg(key ORDER BY key) AS keys FROM webhook_deliveries d, jsonb_object_keys(payload) AS key WHERE payload #>> '{data,object,number}' = 'body' GROUP BY d.id LIMIT 1;
SELECT (payload ->> 'id')::uuid = event_id AS id, payload ->> 'event' AS event, payload ->> 'type' AS type, payload ->> 'tenant_id' AS tenant, payload ->> 'api_version' AS version,
       (payload ->> 'created')::bigint = floor(extract(epoch FROM created_at)) AS created, (payload -> 'data') - 'object' AS besides,
       (payload ->> 'timestamp')::timestamptz = created_at AND payload ->> 'timestamp' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$' AS "timestamp"
FROM webhook_deliveries WHERE payload #>> '{data,object,number}' = 'body' LIMIT 1;
-- Every documented column, with the values that to_jsonb() finds, times aside, which are UTC whatever the session's zone.
SELECT key, CASE WHEN key ~ '_at$' THEN value #>> '{}' ~ '\+00:00$' AND (value #>> '{}')::timestamptz = (row ->> key)::timestamptz
                 ELSE value IS NOT DISTINCT FROM row -> key END AS as_stored
FROM (SELECT payload #> '{data,object}' AS object FROM webhook_deliveries WHERE payload #>> '{data,object,number}' = 'body' LIMIT 1) AS sent,
     (SELECT to_jsonb(o) AS row FROM orders o WHERE number = 'body') AS stored,
     jsonb_each(object) ORDER BY 1;
SELECT payload #>> '{data,object,total}' AS total, payload #>> '{data,object,created_at}' AS created_at, payload #>> '{data,object,customer_email}' AS email
FROM webhook_deliveries WHERE payload #>> '{data,object,number}' = 'body' LIMIT 1;
-- A column of the application's own stays at home.
ALTER TABLE users ADD COLUMN totp_secret text;
INSERT INTO users (tenant_id, email, totp_secret) VALUES (:a, 'totp@example.sa', 'JBSWY3DP');
SELECT count(*) AS users, count(*) FILTER (WHERE payload::text ~ 'JBSWY3DP|totp_secret') AS told FROM webhook_deliveries WHERE payload #>> '{data,object,email}' = 'totp@example.sa';
-- More than 20 KB: the id alone. The limit is the body's, not the row's.
INSERT INTO orders (id, tenant_id, number, total, metadata) SELECT ('aaaaaaaa-0000-4000-8000-0000000' || size)::uuid, :a, 'size' || size, 1, jsonb_build_object('x', repeat('x', size))
FROM unnest(ARRAY[19000, 20480, 90000]) AS size;
INSERT INTO orders (id, tenant_id, number, total, metadata) SELECT 'aaaaaaaa-0000-4000-8000-000000099999', :a, 'huge', 1, (SELECT jsonb_agg(md5(n::text)) FROM generate_series(1, 20000) AS n);
SELECT payload #>> '{data,object,id}' AS id, payload -> 'data' -> 'thin' AS thin, octet_length(payload::text) <= 20480 AS fits, (payload #> '{data,object}') - 'id' = '{}' AS nothing_else, count(*)
FROM webhook_deliveries WHERE payload #>> '{data,object,id}' ~ '^aaaaaaaa-0000-4000-8000-0000000[129]\d{4}$' GROUP BY 1, 2, 3, 4 ORDER BY 1;
-- Byte for byte around the limit.
SELECT emit_event('x', '{}') AS no_tenant;
CREATE FUNCTION emitted(type text, object jsonb) RETURNS TABLE (deliveries integer, body_bytes integer, sent jsonb) LANGUAGE plpgsql AS $$
BEGIN
    deliveries := emit_event(type, object);
    SELECT octet_length(payload::text), payload -> 'data' INTO body_bytes, sent FROM webhook_deliveries d ORDER BY d.id DESC LIMIT 1;
    RETURN NEXT;
END $$;
BEGIN;
SELECT set_tenant(:a) \g /dev/null
SELECT body_bytes AS base FROM emitted('invoice.sent', '{"id": "i", "pad": ""}') \gset
SELECT :base + more AS bytes, body_bytes <= 20480 AS fits, length(sent #>> '{object,pad}') = more AS whole, sent - 'object' AS besides, sent #>> '{object,id}' AS id
FROM unnest(ARRAY[20480 - :base, 20481 - :base]) AS more, emitted('invoice.sent', jsonb_build_object('id', 'i', 'pad', repeat('x', more)));
COMMIT;
INSERT INTO seen SELECT id FROM webhook_deliveries;

-- Events of the application's own.
SET SESSION AUTHORIZATION regress_webhooks_app;
BEGIN;
SELECT set_tenant(:a) \g /dev/null
SELECT emit_event('invoice.sent', '{"id": 7}'), emit_event('invoice.sent.twice', '{}'), emit_event('order.created', '{"id": "x"}'), emit_event('order.created.v2', '{"id": "x"}');
SAVEPOINT s;
SELECT emit_event('invoice.sent', '{"id": 8}');
ROLLBACK TO s;
COMMIT;
BEGIN;
SELECT set_tenant(:b);
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT * FROM fresh();
UPDATE tenants SET status = 'active';
SET SESSION AUTHORIZATION regress_webhooks_app;
BEGIN;
SELECT set_tenant(:b) \g /dev/null
SELECT emit_event('invoice.sent', '{"id": 7}') AS none_active;
COMMIT;
-- Arguments that make no sense.
CREATE FUNCTION pg_temp.refused(type text, object jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_tenant('aaaaaaaa-0000-4000-8000-000000000000');
    RETURN 'written ' || emit_event(type, object);
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
BEGIN;
SELECT left(regexp_replace(type, '\s+', ' '), 20) AS type, pg_temp.refused(type, '{}') FROM unnest(ARRAY['', '*', 'order.*', '.x', 'x.', 'x..y', 'a b', E'x\r\nX-Evil: 1', 'طلب', repeat('x', 101), NULL]) AS type;
SELECT object, pg_temp.refused('x', object) FROM unnest(ARRAY['[]', '1', '"x"', 'null', NULL]::jsonb[]) AS object;
SELECT length(type), pg_temp.refused(type, '{}') FROM (SELECT repeat('x', 100)) AS t (type);
COMMIT;
DROP FUNCTION pg_temp.refused;
-- Nobody but the store writes here, and nobody sees another's.
BEGIN;
SELECT set_tenant(:c) \g /dev/null
SELECT count(*) AS of_others FROM webhook_deliveries;
SELECT webhook_wants('{*}', 'x');
ROLLBACK;
SELECT claim_webhook_deliveries();
SELECT complete_webhook_delivery(gen_random_uuid(), 1, 200);
SELECT replay_webhook_deliveries(gen_random_uuid(), now());
SELECT * FROM webhook_health;
RESET SESSION AUTHORIZATION;
-- The endpoints' failures are theirs to see.
SELECT string_agg(attname, ' ' ORDER BY attnum) AS columns_read FROM pg_attribute
WHERE attrelid = 'webhooks'::regclass AND attnum > 0 AND has_column_privilege('brainsait_app', attrelid, attnum, 'SELECT');
SELECT * FROM isolation_report();

-- Without the tables nobody is told, and orders go on.
DROP TABLE webhook_deliveries CASCADE;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 'no outbox', 1);
SELECT create_store();
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 'outbox again', 1);
SELECT event, endpoints FROM fresh();

-- A transaction that takes the store down after it wrote to it.
BEGIN;
INSERT INTO orders (tenant_id, number, total) VALUES (:a, 'last', 1);
DROP EXTENSION brainsait CASCADE;
DROP SCHEMA "shop %s" CASCADE;
COMMIT;
DROP ROLE regress_webhooks_app;
