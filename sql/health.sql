-- health_check(): all is well in a new store; each thing that it watches, broken, makes its row tell, and no other.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' | '
SET client_min_messages = warning;
CREATE SCHEMA "shop %s";
CREATE EXTENSION brainsait SCHEMA "shop %s";
SET search_path = "shop %s";
\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
SET timezone = 'Asia/Riyadh';
CREATE ROLE regress_health_operator IN ROLE brainsait_operator;
CREATE ROLE regress_health_app IN ROLE brainsait_app;
INSERT INTO tenants (id, name, slug) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a'), ('bbbbbbbb-0000-4000-8000-000000000000', 'B', 'b');
INSERT INTO orders (tenant_id, number, total, created_at) SELECT id, slug, 10, '2026-01-01' FROM tenants;
INSERT INTO webhooks (id, tenant_id, url, events, secret) SELECT id, id, 'https://example.sa', '{*}', 's' FROM tenants;
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, delivered_at, created_at, response_status, attempt_count, status, next_attempt_at)
SELECT id, gen_random_uuid(), 'order.created', '{}', delivered, greatest(now() - interval '3 days', date_trunc('month', now(), 'UTC')), answer, attempts, ended, retry
FROM tenants, (VALUES (now(), 200, 1, 'delivered', NULL), (NULL, 404, 1, 'dead', NULL), (NULL, 500, 5, 'pending', now() + interval '1 day'),
                      (NULL, 500, 6, 'dead', NULL)) AS settled (delivered, answer, attempts, ended, retry);
INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload) SELECT id, gen_random_uuid(), 'order.created', '{}' FROM tenants;
INSERT INTO integrations (tenant_id, name, type, credentials)
SELECT id, name, type, credentials::jsonb FROM tenants, (VALUES ('none', NULL), ('empty', '{}'), ('null', 'null'), ('sealed', '{"ciphertext": "c2VhbGVk", "key": 1}')) AS i (type, credentials);

SET SESSION AUTHORIZATION regress_health_operator;
SELECT * FROM health_check();
SELECT count(*) AS without_revenue FROM health_check(false);
-- The operator still cannot read what was counted.
SELECT credentials FROM integrations;
SET SESSION AUTHORIZATION regress_health_app;
SELECT * FROM health_check();
SELECT count_credentials('clear');
RESET SESSION AUTHORIZATION;

-- The rows that differ once a statement has run; all of it as an operator sees it. Then everything is as it was.
CREATE FUNCTION ills(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    ill record;
BEGIN
    BEGIN
        EXECUTE statement;
        SET CONSTRAINTS ALL IMMEDIATE;
        SET LOCAL ROLE regress_health_operator;
        FOR ill IN SELECT * FROM "shop %s".health_check() WHERE status <> 'ok' LOOP
            RETURN NEXT ill.check_name || ' | ' || ill.status || ' | ' || regexp_replace(ill.detail, '\d{4}-\d\d-\d\d \d\d:\d\d UTC', 'then') || ' | ' || ill.hint;
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN NULL;
    END;
END $$;
SELECT ills('');
SELECT ills('ALTER TABLE orders DISABLE ROW LEVEL SECURITY');
SELECT ills('ALTER TABLE users NO FORCE ROW LEVEL SECURITY; ALTER TABLE webhook_deliveries_default NO FORCE ROW LEVEL SECURITY');
SELECT ills('DROP POLICY tenant_wall ON payments');
SELECT ills('GRANT SELECT ON analytics_events_default TO brainsait_app');
SELECT ills('GRANT SELECT (secret) ON webhooks TO regress_health_app');
SELECT ills('ALTER ROLE regress_health_app BYPASSRLS');
-- Parts of the store: what a fresh one has is what is looked for; of a store of before 0.2.0, nothing else can be asked.
(SELECT * FROM store_triggers()) EXCEPT SELECT c.relname, t.tgname, t.tgenabled
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = '"shop %s"'::regnamespace AND NOT t.tgisinternal;
SELECT c.relname, t.tgname, t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = '"shop %s"'::regnamespace AND NOT c.relispartition AND NOT t.tgisinternal EXCEPT SELECT * FROM store_triggers();
SELECT ills('DROP TRIGGER brainsait_number ON orders');
SELECT ills('ALTER TABLE payments DISABLE TRIGGER brainsait_updated_at; ALTER TABLE users ENABLE REPLICA TRIGGER brainsait_webhooks');
SELECT ills('ALTER TABLE products DISABLE TRIGGER ALL; ALTER TABLE products ENABLE TRIGGER ALL');
SELECT ills('ALTER TABLE products ENABLE ALWAYS TRIGGER brainsait_updated_at');
SELECT ills('DROP INDEX idx_webhook_deliveries_open');
SELECT ills('ALTER TABLE webhook_deliveries DROP CONSTRAINT webhook_deliveries_status_fits');
SELECT ills('ALTER TABLE webhooks DROP COLUMN previous_secret_until');
SELECT ills('DROP VIEW webhook_health; DROP TABLE webhook_deliveries, maintenance_runs');
-- What create_store() then mends.
SELECT ills('ALTER TABLE webhooks DROP COLUMN previous_secret_until; DROP TRIGGER brainsait_tenant ON order_items;
    ALTER TABLE payments DISABLE TRIGGER brainsait_updated_at; ALTER TABLE products DISABLE TRIGGER ALL; ALTER TABLE products ENABLE TRIGGER ALL;
    DROP TABLE maintenance_runs; SELECT create_store()');
-- The rollup, by its own rows and by a trigger that did not fire.
SELECT ills($$UPDATE revenue_metrics SET total_revenue = 11 WHERE tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000'$$);
SELECT ills($$ALTER TABLE orders DISABLE TRIGGER brainsait_revenue; DELETE FROM orders WHERE number = 'b'$$);
-- Deltas that pile up; they cancel out, and no worker is there since nobody told one.
CREATE FUNCTION pile(deltas integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO revenue_deltas (written_by, tenant_id, date, currency, total_revenue)
    SELECT txid_current(), 'aaaaaaaa-0000-4000-8000-000000000000', '2026-01-01', 'USD', CASE n % 2 WHEN 0 THEN 1 ELSE -1 END
    FROM generate_series(1, deltas) AS n
$$;
SELECT ills('SELECT pile(2)');
SELECT ills('SELECT pile(9998)');
SELECT ills('SELECT pile(10000)');
-- Partitions
SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') AS this,
       to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '3 months', 'YYYY_MM') AS last \gset
SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY_MM') AS next \gset
SELECT ills(format('DROP TABLE analytics_events_%s', :'last'));
SELECT ills(format('DROP TABLE analytics_events_%s', :'next'));
SELECT ills(format('DROP TABLE webhook_deliveries_%s; ', :'next'));
SELECT ills(format('DROP TABLE analytics_events_%s', :'this'));
SELECT ills($$INSERT INTO analytics_events (tenant_id, event_type, "timestamp") SELECT id, 'x', 'infinity' FROM tenants$$);
SELECT ills($$INSERT INTO analytics_events (tenant_id, event_type, "timestamp") SELECT id, 'x', now() + interval '1 year' FROM tenants$$);
SELECT ills($$INSERT INTO analytics_events (tenant_id, event_type, "timestamp") SELECT id, 'x', now() FROM tenants$$);
SELECT ills($$INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, delivered_at, created_at) SELECT id, id, 'x', '{}', now(), '1970-01-01' FROM tenants$$);
-- Webhooks
SELECT ills($$UPDATE webhook_deliveries SET next_attempt_at = now() - interval '59 minutes' WHERE attempt_count = 1 AND response_status IS NULL$$);
SELECT ills($$INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, status, next_attempt_at)
    SELECT id, gen_random_uuid(), 'x', '{}', open, now() - interval '61 minutes' FROM tenants, unnest(ARRAY['pending', 'leased']) AS open$$);
SELECT ills($$INSERT INTO webhook_deliveries (webhook_id, event_id, event_type, payload, next_attempt_at)
    SELECT id, id, 'x', '{}', now() - interval '49 hours' FROM tenants LIMIT 1$$);
-- Credentials, as those of before 0.2.0 are, or of somebody who disables a trigger; an envelope's five names and nothing
-- in them; a secret; and keys that went.
ALTER TABLE integrations DISABLE TRIGGER zz_brainsait_seal;
ALTER TABLE webhooks DISABLE TRIGGER zz_brainsait_seal;
SELECT ills($$UPDATE integrations SET credentials = '{"api_key": "sk_live"}' WHERE type = 'none'$$);
SELECT ills($$UPDATE integrations SET credentials = '"sk_live"' WHERE type = 'empty' AND name = 'A'$$);
SELECT ills($$UPDATE integrations SET credentials = '{"ciphertext": "c2VhbGVk", "key": 1}' WHERE type = 'null' AND name = 'A'$$);
SELECT ills($$UPDATE integrations SET credentials = '{"version": 1, "key": 1, "nonce": "AA==", "ciphertext": "sk_live", "tag": ""}' WHERE type = 'sealed' AND name = 'A'$$);
SELECT ills($$UPDATE webhooks SET secret = 'clear', previous_secret = 'sealed:1:1:AAAA' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000000'$$);
SELECT ills($$UPDATE integrations SET credentials = credentials || '{"key": 7}' WHERE type = 'sealed'$$);
ALTER TABLE integrations ENABLE ALWAYS TRIGGER zz_brainsait_seal;
ALTER TABLE webhooks ENABLE ALWAYS TRIGGER zz_brainsait_seal;
SELECT ills('SET LOCAL brainsait.credential_key_file = ''no/such/file''');

SELECT ills('');
DROP EXTENSION brainsait CASCADE;
DROP SCHEMA "shop %s" CASCADE;
DROP ROLE regress_health_operator, regress_health_app;
