-- Credentials at rest: what is written is stored as an envelope that opens in its own row alone, and is never stored in
-- clear. What reaches disk and log is in test/tap/095_credentials.pl.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA vault;
CREATE EXTENSION brainsait SCHEMA vault;
SET search_path = vault;
CREATE ROLE regress_vault_app IN ROLE brainsait_app;
CREATE ROLE regress_vault_connector IN ROLE brainsait_app;
CREATE ROLE regress_vault_operator IN ROLE brainsait_operator;
GRANT EXECUTE ON FUNCTION integration_credentials(uuid), webhook_secret(uuid) TO regress_vault_connector;
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
-- What a statement gives in the context of the first tenant, or of another.
CREATE FUNCTION opened(statement text, tenant uuid DEFAULT 'aaaaaaaa-0000-4000-8000-000000000000') RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    PERFORM vault.set_tenant(tenant);
    EXECUTE statement INTO found;
    RETURN found;
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
CREATE FUNCTION opened_credentials(i integrations) RETURNS text LANGUAGE sql AS $$ SELECT vault.opened(format('SELECT vault.integration_credentials(%L)', i.id)) $$;
CREATE FUNCTION opened_secret(w webhooks) RETURNS text LANGUAGE sql AS $$ SELECT vault.opened(format('SELECT vault.webhook_secret(%L)', w.id)) $$;
-- All that a tenant has: one tenant a statement, since a transaction is of one.
CREATE FUNCTION everything(tenant uuid) RETURNS TABLE (id uuid, plain text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM vault.set_tenant(tenant);
    RETURN QUERY SELECT i.id, vault.integration_credentials(i.id)::text FROM vault.integrations i WHERE i.tenant_id = tenant
                 UNION ALL SELECT w.id, vault.webhook_secret(w.id) FROM vault.webhooks w WHERE w.tenant_id = tenant;
END $$;
INSERT INTO tenants (id, name, slug) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'Acme', 'acme'), ('bbbbbbbb-0000-4000-8000-000000000000', 'Bazaar', 'bazaar');
\set acme '\'aaaaaaaa-0000-4000-8000-000000000000\''
\set bazaar '\'bbbbbbbb-0000-4000-8000-000000000000\''

-- Without a key: integrations without credentials, nothing else.
SELECT credential_keys();
INSERT INTO integrations (tenant_id, name, type) VALUES (:acme, 'Default', 'default');
INSERT INTO integrations (tenant_id, name, type, credentials) VALUES (:acme, 'Empty', 'empty', '{}'), (:acme, 'Null', 'null', NULL), (:acme, 'JSON null', 'json null', 'null');
SELECT type, credentials FROM integrations ORDER BY 1;
SELECT outcome($$INSERT INTO integrations (tenant_id, name, type, credentials) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'x', 'x', '{"key": "k"}')$$);
SELECT outcome($$UPDATE integrations SET credentials = '{"key": "k"}'$$);
SELECT outcome($$INSERT INTO webhooks (tenant_id, url, events) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'https://x', '{}')$$);
CALL rotate_credential_keys();
UPDATE integrations SET name = name || ', renamed' WHERE type = 'default';
DELETE FROM integrations;

\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
SELECT credential_keys();
SELECT name, context, setting FROM pg_settings WHERE name = 'brainsait.credential_key_file';
INSERT INTO integrations (id, tenant_id, name, type, credentials) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000001', :acme, 'Object', 'object', '{"api_key": "sk_live_1", "n": 1.50, "nested": {"a": [1, null]}}'),
    ('aaaaaaaa-0000-4000-8000-000000000002', :acme, 'Text', 'text', '"sk_live_2"'),
    ('aaaaaaaa-0000-4000-8000-000000000003', :acme, 'Array', 'array', '[]'),
    ('aaaaaaaa-0000-4000-8000-000000000004', :acme, 'Named like one', 'named', '{"ciphertext": "c2VhbGVk", "key": 1}'),
    ('aaaaaaaa-0000-4000-8000-000000000005', :acme, 'Six names', 'six', '{"version": 1, "key": 1, "nonce": "", "ciphertext": "", "tag": "", "more": 1}'),
    ('aaaaaaaa-0000-4000-8000-000000000006', :acme, 'Arabic', 'arabic', '{"كلمة": "سر"}'),
    ('bbbbbbbb-0000-4000-8000-000000000001', :bazaar, 'Object', 'object', '{"api_key": "sk_live_b"}');
INSERT INTO webhooks (id, tenant_id, url, events, secret) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000011', :acme, 'https://a.example/1', '{}', 'first'),
    ('aaaaaaaa-0000-4000-8000-000000000012', :acme, 'https://a.example/2', '{}', repeat('x', 146)),
    ('bbbbbbbb-0000-4000-8000-000000000011', :bazaar, 'https://b.example', '{}', 'of bazaar');
-- Stored: five names, one nonce each, nothing of what was written.
SELECT type, (SELECT string_agg(key, ' ' ORDER BY key) FROM jsonb_object_keys(credentials) AS key) AS names, credentials ->> 'version' AS version,
       credential_key(credentials) AS key, length(decode(credentials ->> 'nonce', 'base64')) AS nonce, length(decode(credentials ->> 'tag', 'base64')) AS tag,
       credentials::text ~ 'sk_live|c2VhbGVk' AS shows
FROM integrations ORDER BY id;
SELECT count(DISTINCT credentials ->> 'nonce') AS nonces FROM integrations;
SELECT left(id::text, 8) AS tenant, left(secret, 11) AS begins, length(secret), credential_key(secret) AS key, previous_secret, previous_secret_until FROM webhooks ORDER BY id;
BEGIN; SELECT * FROM everything(:acme) ORDER BY id; COMMIT;
BEGIN; SELECT * FROM everything(:bazaar) ORDER BY id; COMMIT;

-- A secret that is left out, or null, is generated: 32 random bytes.
INSERT INTO webhooks (tenant_id, url, events) SELECT :acme, 'generated', '{}' FROM generate_series(1, 3);
INSERT INTO webhooks (tenant_id, url, events, secret) VALUES (:acme, 'generated', '{}', NULL);
SELECT count(*), count(DISTINCT opened_secret(w)), bool_and(opened_secret(w) ~ '^whsec_[A-Za-z0-9+/]{43}=$') AS well_made,
       min(length(decode(substr(opened_secret(w), 7), 'base64'))) AS bytes FROM webhooks w WHERE url = 'generated';
-- Later it is not.
SELECT outcome($$UPDATE webhooks SET secret = NULL WHERE url = 'generated'$$);
-- Bounds.
SELECT outcome(format('INSERT INTO webhooks (tenant_id, url, events, secret) VALUES (%L, ''x'', ''{}'', %L)', :acme, secret))
FROM unnest(ARRAY['', repeat('x', 147), repeat('é', 74), repeat('é', 73), 'sealed:', 'sealed:1:1:AAAA', 'Sealed:']) AS secret;
SELECT length(opened_secret(w)) FROM webhooks w WHERE url = 'x' ORDER BY 1;
DELETE FROM webhooks WHERE url IN ('x', 'generated');
SELECT outcome(format('UPDATE integrations SET credentials = to_jsonb(repeat(''x'', %s)) WHERE type = ''text''', size)) FROM unnest(ARRAY[1048574, 1048575]) AS size;
SELECT length(opened_credentials(i)), md5(opened_credentials(i)) = md5('"' || repeat('x', 1048574) || '"') AS whole FROM integrations i WHERE type = 'text';
UPDATE integrations SET credentials = '"sk_live_2"' WHERE type = 'text';

-- An envelope of this very row passes as it is; of another row, tenant or column, or changed, it is refused.
CREATE TEMP TABLE kept AS SELECT id, tenant_id, credentials FROM integrations;
CREATE TEMP TABLE kept_secrets AS SELECT id, tenant_id, secret FROM webhooks;
UPDATE integrations i SET credentials = k.credentials, name = 'Written back' FROM kept k WHERE i.id = k.id;
UPDATE integrations SET last_sync = now();
SELECT count(*) AS unchanged FROM integrations i JOIN kept k USING (id, credentials);
SELECT outcome(format('UPDATE integrations SET credentials = %L WHERE id = %L', credentials, 'aaaaaaaa-0000-4000-8000-000000000002')) AS result, right(id::text, 1) AS source, left(id::text, 1) AS of
FROM kept WHERE right(id::text, 1) IN ('1', '2') ORDER BY id;
SELECT outcome(format('UPDATE webhooks SET secret = %L WHERE id = %L', secret, 'aaaaaaaa-0000-4000-8000-000000000012')) FROM kept_secrets ORDER BY id;
SELECT outcome(format('INSERT INTO integrations (tenant_id, name, type, credentials) VALUES (%L, ''copy'', ''copy'', %L)', tenant_id, credentials)) FROM kept ORDER BY id LIMIT 1;
SELECT change, outcome(format('UPDATE integrations SET credentials = credentials || %L WHERE type = ''array''', change)) FROM unnest(ARRAY[
    '{"version": 2}', '{"version": 1.0}', '{"key": 2}', '{"key": "1"}', '{"key": 1.5}', '{"nonce": "AAAAAAAAAAAAAAAA"}', '{"nonce": "AAAA"}', '{"nonce": null}',
    '{"ciphertext": "AAAA"}', '{"ciphertext": ""}', '{"ciphertext": {}}', '{"tag": "AAAAAAAAAAAAAAAAAAAAAA=="}', '{"tag": []}']) AS change;
SELECT opened_credentials(i), opened_secret(w) FROM integrations i, webhooks w WHERE i.type = 'array' AND w.id = 'aaaaaaaa-0000-4000-8000-000000000012' AND opened_secret(w) = repeat('x', 146);
-- A row of another id or tenant is sealed anew.
UPDATE integrations SET id = 'aaaaaaaa-0000-4000-8000-000000000009', tenant_id = :bazaar, type = 'moved' WHERE type = 'six';
UPDATE webhooks SET id = 'bbbbbbbb-0000-4000-8000-000000000012', tenant_id = :bazaar WHERE id = 'aaaaaaaa-0000-4000-8000-000000000011';
BEGIN; SELECT * FROM everything(:bazaar) ORDER BY id; COMMIT;
-- ON CONFLICT hands on what was sealed for the row that was not inserted.
INSERT INTO integrations (tenant_id, name, type, credentials) VALUES (:acme, 'Upsert', 'object', '{"api_key": "upserted"}'), (:acme, 'Upsert', 'array', '{"api_key": "too"}'), (:acme, 'Upsert', 'new', '{"api_key": "inserted"}')
ON CONFLICT (tenant_id, type) DO UPDATE SET credentials = EXCLUDED.credentials, name = EXCLUDED.name;
SELECT type, id, opened_credentials(i) FROM integrations i WHERE name = 'Upsert' AND type <> 'new' UNION ALL SELECT type, NULL, opened_credentials(i) FROM integrations i WHERE type = 'new' ORDER BY 1;
INSERT INTO webhooks (id, tenant_id, url, events, secret) VALUES ('aaaaaaaa-0000-4000-8000-000000000012', :acme, 'upsert', '{}', 'upserted')
ON CONFLICT (id) DO UPDATE SET secret = EXCLUDED.secret;
SELECT opened_secret(w) FROM webhooks w WHERE id = 'aaaaaaaa-0000-4000-8000-000000000012';
-- But to no row of another tenant's, and not by a later statement.
SELECT outcome($$WITH made AS (INSERT INTO integrations (tenant_id, name, type, credentials) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'Made', 'made', '{"k": 1}') RETURNING credentials)
    UPDATE integrations SET credentials = made.credentials FROM made WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000' AND type = 'object'$$);
-- What is null all the same is told without the row.
SELECT outcome($$INSERT INTO integrations (id, tenant_id, name, type, credentials) VALUES (NULL, 'aaaaaaaa-0000-4000-8000-000000000000', 'x', 'x', '{"k": "sk_live"}')$$);
SELECT outcome($$INSERT INTO webhooks (url, events, secret) VALUES ('x', '{}', 'sk_live')$$);
DO $$
DECLARE shown text;
BEGIN
    INSERT INTO webhooks (tenant_id, url, events, secret) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', NULL, '{}', 'sk_live');
EXCEPTION WHEN not_null_violation THEN
    GET STACKED DIAGNOSTICS shown = PG_EXCEPTION_DETAIL;
    RAISE WARNING '%', regexp_replace(shown, '^.*(sealed:1:1:|sk_live).*$', 'Of the secret the failing row shows \1');
END $$;

-- COPY and a subscriber. What is replicated passes without a key, if it has the shape; in clear it does not.
COPY integrations (id, tenant_id, name, type, credentials) FROM stdin;
aaaaaaaa-0000-4000-8000-00000000000a	aaaaaaaa-0000-4000-8000-000000000000	Copied	copied	{"api_key": "copied"}
\.
SELECT opened_credentials(i) FROM integrations i WHERE type = 'copied';
SET brainsait.credential_key_file = '';
SET session_replication_role = replica;
SELECT outcome(format('UPDATE integrations SET credentials = %L WHERE type = ''array''', credentials)) FROM kept WHERE id = 'aaaaaaaa-0000-4000-8000-000000000003';
SELECT outcome($$UPDATE integrations SET credentials = '{"k": 1}' WHERE type = 'array'$$);
SELECT outcome($$UPDATE webhooks SET secret = 'sealed:1:1:AAAA' WHERE id = 'aaaaaaaa-0000-4000-8000-000000000012'$$);
RESET session_replication_role;
SELECT outcome(format('UPDATE integrations SET credentials = %L WHERE type = ''array''', credentials)) FROM kept WHERE id = 'aaaaaaaa-0000-4000-8000-000000000004';
-- What does not touch the credentials needs no key.
UPDATE integrations SET name = 'Without a key' WHERE type = 'array';
UPDATE webhooks SET description = 'Without a key';
SELECT opened_credentials(i) FROM integrations i WHERE type = 'array';
SET brainsait.credential_key_file = 'brainsait_test_key';
SELECT opened_credentials(i) FROM integrations i WHERE type = 'array';

-- Who may read.
SET SESSION AUTHORIZATION regress_vault_app;
SELECT set_tenant(:acme) IS NOT NULL AS outside_a_transaction;
BEGIN;
SELECT set_tenant(:acme);
SELECT outcome('SELECT credentials FROM integrations'), outcome('SELECT secret FROM webhooks'), outcome('SELECT previous_secret FROM webhooks'), outcome('SELECT previous_secret_until FROM webhooks');
SELECT outcome('SELECT integration_credentials(gen_random_uuid())'), outcome('SELECT webhook_secret(gen_random_uuid())');
SELECT outcome('SELECT credential_keys()'), outcome('SELECT credential_key(''x''::text)'), outcome('SELECT reseal_secret(gen_random_uuid(), gen_random_uuid(), ''x'')'), outcome('SELECT count_credentials(''due'')');
SELECT outcome('CALL rotate_credential_keys()'), split_part(outcome('SHOW brainsait.credential_key_file'), ':', 1) AS shown, outcome('SET brainsait.credential_key_file = ''x''');
-- Writing is theirs.
SELECT outcome($$INSERT INTO integrations (name, type, credentials) VALUES ('app', 'app', '{"of": "app"}')$$);
-- The application gets the secret that it asks for, and no older one.
SELECT rotate_webhook_secret('aaaaaaaa-0000-4000-8000-000000000012') ~ '^whsec_[A-Za-z0-9+/]{43}=$' AS new_secret;
SELECT previous_secret_until = now() + interval '24 hours' AS overlaps FROM webhooks WHERE id = 'aaaaaaaa-0000-4000-8000-000000000012';
SELECT outcome(format('SELECT rotate_webhook_secret(%L, %L)', id, overlap))
FROM (VALUES ('aaaaaaaa-0000-4000-8000-000000000012', '-1 s'), ('aaaaaaaa-0000-4000-8000-000000000012', NULL), (NULL, '1 s'), ('aaaaaaaa-0000-4000-8000-000000000012', '999999 years'),
             ('bbbbbbbb-0000-4000-8000-000000000011', '1 s'), ('00000000-0000-4000-8000-000000000000', '1 s')) AS call (id, overlap);
COMMIT;
BEGIN;
SELECT outcome('SELECT rotate_webhook_secret(''aaaaaaaa-0000-4000-8000-000000000012'')') AS without_tenant;
COMMIT;
SET SESSION AUTHORIZATION regress_vault_connector;
BEGIN;
SELECT integration_credentials('aaaaaaaa-0000-4000-8000-000000000001') AS without_tenant;
SELECT set_tenant(:acme);
SELECT integration_credentials('aaaaaaaa-0000-4000-8000-000000000001'), integration_credentials('bbbbbbbb-0000-4000-8000-000000000001') AS of_another, integration_credentials(NULL) AS of_none;
SELECT webhook_secret('aaaaaaaa-0000-4000-8000-000000000012') ~ '^whsec_' AS new_one, webhook_secret('bbbbbbbb-0000-4000-8000-000000000011') AS of_another;
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT credential_key(previous_secret) FROM webhooks WHERE id = 'aaaaaaaa-0000-4000-8000-000000000012';
-- The secret before is what it was: put back, it opens.
UPDATE webhooks SET secret = previous_secret, previous_secret = NULL, previous_secret_until = NULL WHERE id = 'aaaaaaaa-0000-4000-8000-000000000012';
SELECT opened_secret(w) FROM webhooks w WHERE id = 'aaaaaaaa-0000-4000-8000-000000000012';

-- Rotation of keys. Rows in clear, as before 0.2.0, open as they are and are encrypted with the others.
ALTER TABLE integrations DISABLE TRIGGER zz_brainsait_seal;
ALTER TABLE webhooks DISABLE TRIGGER zz_brainsait_seal;
INSERT INTO integrations (id, tenant_id, name, type, credentials) VALUES ('aaaaaaaa-0000-4000-8000-00000000000c', :acme, 'Clear', 'clear', '{"api_key": "clear"}');
INSERT INTO webhooks (id, tenant_id, url, events, secret, previous_secret, previous_secret_until) VALUES
    ('aaaaaaaa-0000-4000-8000-00000000001c', :acme, 'clear', '{}', 'clear', 'before', 'infinity'),
    ('aaaaaaaa-0000-4000-8000-00000000002c', :acme, 'clear, expired', '{}', 'clear too', 'before', now()),
    ('aaaaaaaa-0000-4000-8000-00000000003c', :acme, 'clear, long', '{}', repeat('y', 200), NULL, NULL);
ALTER TABLE integrations ENABLE ALWAYS TRIGGER zz_brainsait_seal;
ALTER TABLE webhooks ENABLE ALWAYS TRIGGER zz_brainsait_seal;
SELECT opened_credentials(i) FROM integrations i WHERE type = 'clear';
UPDATE integrations SET name = 'Clear still' WHERE type = 'clear';
BEGIN; CREATE TEMP TABLE truth AS SELECT * FROM everything(:acme); COMMIT;
BEGIN; INSERT INTO truth SELECT * FROM everything(:bazaar); COMMIT;
COPY (SELECT '5 ' || repeat('5', 64) UNION ALL SELECT '1 ' || repeat('0123456789abcdef', 4)) TO PROGRAM 'umask 077 && cat > brainsait_test_keys';
SET brainsait.credential_key_file = 'brainsait_test_keys';
SELECT credential_keys();
SELECT outcome($$UPDATE integrations SET credentials = '{"by": "the new key"}' WHERE type = 'new'$$);
UPDATE truth SET plain = '{"by": "the new key"}' FROM integrations i WHERE i.id = truth.id AND i.type = 'new';
SELECT credential_key(credentials) AS key, count(*) FROM integrations GROUP BY 1 ORDER BY 1;
SET client_min_messages = notice;
SET SESSION AUTHORIZATION regress_vault_operator;
CALL rotate_credential_keys(0);
CALL rotate_credential_keys(4);
SELECT task, outcome, done, total, rows_done, progress FROM maintenance_runs ORDER BY started_at;
RESET SESSION AUTHORIZATION;
SET client_min_messages = warning;
SELECT credential_key(credentials) AS key, count(*) FROM integrations GROUP BY 1 ORDER BY 1;
SELECT credential_key(secret) AS key, credential_key(previous_secret) AS previous_key, count(*) FROM webhooks GROUP BY 1, 2 ORDER BY 1, 2;
-- The old key can go, and everything is what it was.
COPY (SELECT '5 ' || repeat('5', 64)) TO PROGRAM 'cat > brainsait_test_keys';
SET brainsait.credential_key_file = '';
SET brainsait.credential_key_file = 'brainsait_test_keys';
BEGIN; CREATE TEMP TABLE found AS SELECT * FROM everything(:acme); COMMIT;
BEGIN; INSERT INTO found SELECT * FROM everything(:bazaar); COMMIT;
SELECT count(*) AS all_of_them, count(*) FILTER (WHERE t.plain = f.plain) AS as_before FROM truth t FULL JOIN found f USING (id);
-- What is too long to be encrypted stays in clear, and signs; health_check() says what to do, and that helps.
SELECT opened_secret(w) = repeat('y', 200) AS as_before FROM webhooks w WHERE url = 'clear, long';
SELECT status, detail, hint FROM health_check(false) WHERE check_name = 'credentials';
BEGIN; SELECT set_tenant(:acme) \gset
SELECT outcome($$SELECT rotate_webhook_secret('aaaaaaaa-0000-4000-8000-00000000003c')$$);
SELECT length(rotate_webhook_secret('aaaaaaaa-0000-4000-8000-00000000003c', '0')) AS new_length; COMMIT;
SELECT credential_key(secret) AS key, previous_secret, previous_secret_until FROM webhooks WHERE url = 'clear, long';
SET SESSION AUTHORIZATION regress_vault_operator;
CALL rotate_credential_keys();
SELECT detail FROM health_check(false) WHERE check_name LIKE 'credential%';
RESET SESSION AUTHORIZATION;
-- A key that went too early: rows stay as they are, and the others go on.
UPDATE webhooks SET description = 'touched' WHERE url = 'clear';
COPY (SELECT '6 ' || repeat('6', 64)) TO PROGRAM 'cat > brainsait_test_keys';
SET brainsait.credential_key_file = '';
SET brainsait.credential_key_file = 'brainsait_test_keys';
INSERT INTO integrations (tenant_id, name, type, credentials) VALUES (:acme, 'Newest', 'newest', '{"by": "6"}');
CREATE TEMP TABLE before AS SELECT id, credentials::text AS stored FROM integrations UNION ALL SELECT id, secret FROM webhooks;
SET client_min_messages = error;
SET SESSION AUTHORIZATION regress_vault_operator;
CALL rotate_credential_keys();
RESET SESSION AUTHORIZATION;
SELECT count(*) AS all_of_them, count(*) FILTER (WHERE stored = now.kept) AS untouched FROM before JOIN (SELECT id, credentials::text FROM integrations UNION ALL SELECT id, secret FROM webhooks) AS now (id, kept) USING (id);
SELECT progress ->> 'failed' AS failed FROM maintenance_runs ORDER BY started_at DESC LIMIT 1;
SELECT opened_credentials(i) FROM integrations i WHERE type = 'object' AND tenant_id = :acme;
-- The right id and another key.
COPY (SELECT '5 ' || repeat('6', 64)) TO PROGRAM 'cat > brainsait_test_keys';
SET brainsait.credential_key_file = '';
SET brainsait.credential_key_file = 'brainsait_test_keys';
SELECT opened_credentials(i) FROM integrations i WHERE type = 'object' AND tenant_id = :acme;

RESET brainsait.credential_key_file;
DROP EXTENSION brainsait CASCADE;
DROP SCHEMA vault CASCADE;
DROP ROLE regress_vault_app, regress_vault_connector, regress_vault_operator;
COPY (SELECT) TO PROGRAM 'cat > /dev/null; rm -f brainsait_test_key brainsait_test_keys';
