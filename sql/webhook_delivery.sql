-- What workers do: claim, complete, try again, give up, replay.
\pset format unaligned
\pset fieldsep ' | '
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
\getenv source PG_ABS_SRCDIR
\set key :source '/test/fixtures/credential_key.sql'
\i :key
CREATE ROLE regress_webhook_worker IN ROLE brainsait_operator;
INSERT INTO tenants (id, name, slug) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 'a'), ('bbbbbbbb-0000-4000-8000-000000000000', 'B', 'b');
INSERT INTO webhooks (id, tenant_id, url, events, secret)
SELECT id, id, format('https://%s.example/hook', slug), '{order.*}', CASE slug WHEN 'a' THEN 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' ELSE 'a plain secret' END FROM tenants;

-- HMAC-SHA256 (RFC 2104) from sha256() alone.
CREATE FUNCTION hmac_by_hand(message text, key bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    inner_key bytea;
    outer_key bytea;
BEGIN
    IF length(key) > 64 THEN key := sha256(key); END IF;
    key := key || decode(repeat('00', 64 - length(key)), 'hex');
    inner_key := key; outer_key := key;
    FOR i IN 0..63 LOOP
        inner_key := set_byte(inner_key, i, get_byte(key, i) # 54);
        outer_key := set_byte(outer_key, i, get_byte(key, i) # 92);
    END LOOP;
    RETURN sha256(outer_key || sha256(inner_key || convert_to(message, 'UTF8')));
END $$;
-- RFC 4231, test case 2.
SELECT encode(hmac_by_hand('what do ya want for nothing?', 'Jefe'), 'hex') = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843' AS by_hand_is_right;
-- The example of the Standard Webhooks specification.
SELECT webhook_signature('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}');
-- The same key in base64 and as plain text; a key longer than a block; UTF-8.
SELECT webhook_signature('whsec_SmVmZQ==', 'id', 1, 'x') = webhook_signature('Jefe', 'id', 1, 'x') AS same_key,
       webhook_signature('Jefe', 'a', 1, 'x') = 'v1,' || encode(hmac_by_hand('a.1.x', 'Jefe'), 'base64') AS by_hand,
       webhook_signature(repeat('k', 131), 'نورة', -1, 'محتوى') = 'v1,' || encode(hmac_by_hand('نورة.-1.محتوى', convert_to(repeat('k', 131), 'UTF8')), 'base64') AS long_key;
-- What follows whsec_ and is no base64 makes a plain secret like any other.
SELECT secret, webhook_signature(secret, 'a', 1, 'x') = 'v1,' || encode(hmac_by_hand('a.1.x', secret::bytea), 'base64') AS plain
FROM unnest(ARRAY['whsec_', 'whsec_SmVmZQ', 'whsec_SmVmZR==', 'whsec_Sm VmZQ==', 'whsec_====', 'WHSEC_SmVmZQ==']) AS secret;

-- A claim: what is to be sent, byte for byte.
GRANT USAGE ON SCHEMA shop TO regress_webhook_worker;
INSERT INTO orders (tenant_id, number, total, customer_name) VALUES
    ('aaaaaaaa-0000-4000-8000-000000000000', 'A-1', 10, 'نورة "N"'), ('bbbbbbbb-0000-4000-8000-000000000000', 'B-1', 10, 'B');
SET SESSION AUTHORIZATION regress_webhook_worker;
CREATE TEMP TABLE claimed AS SELECT *, clock_timestamp() AS claimed_at FROM claim_webhook_deliveries();
SELECT c.url, c.event_type, c.attempt, c.webhook_id, c.tenant_id, d.event_id = c.event_id AS event, c.body = d.payload::text AS body,
       c.body::jsonb ->> 'id' = c.event_id::text AS id, d.status, d.attempt_count,
       d.next_attempt_at BETWEEN claimed_at AND claimed_at + interval '60 seconds' AS leased_for_a_minute
FROM claimed c JOIN webhook_deliveries d ON d.id = c.delivery_id ORDER BY c.url;
CREATE TEMP TABLE secrets AS SELECT * FROM (VALUES ('https://a.example/hook', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'::bytea, decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')),
                                                   ('https://b.example/hook', 'a plain secret', 'a plain secret')) AS s (url, written, key);
SELECT url, header,
       CASE header WHEN 'webhook-id' THEN (value = event_id::text)::text WHEN 'X-BrainSAIT-Delivery' THEN (value = delivery_id::text)::text
           WHEN 'webhook-timestamp' THEN (value::bigint BETWEEN extract(epoch FROM claimed_at) - 60 AND extract(epoch FROM claimed_at))::text
           WHEN 'X-BrainSAIT-Signature' THEN (value = encode(hmac_by_hand(body, written), 'hex'))::text
           WHEN 'webhook-signature' THEN (value = 'v1,' || encode(hmac_by_hand(concat_ws('.', headers ->> 'webhook-id', headers ->> 'webhook-timestamp', body), secrets.key), 'base64'))::text
           ELSE value END AS value
FROM claimed JOIN secrets USING (url) CROSS JOIN jsonb_each_text(headers) AS h (header, value) ORDER BY url, header COLLATE "C";
SELECT count(*) AS claimed_again FROM claim_webhook_deliveries();

-- What was answered is recorded; an attempt that does not hold the delivery changes nothing.
SELECT complete_webhook_delivery(delivery_id, 2, 200) AS future, complete_webhook_delivery(delivery_id, 0, 200) AS past,
       complete_webhook_delivery(event_id, 1, 200) AS unknown FROM claimed WHERE url ~ '//a';
SELECT complete_webhook_delivery(delivery_id, 1, 200, repeat('o', 3000), 17) FROM claimed WHERE url ~ '//a';
SELECT complete_webhook_delivery(delivery_id, 1, 500) AS once_more FROM claimed WHERE url ~ '//a';
SELECT status, next_attempt_at, attempt_count, failures, response_status, length(response_body) AS body, response_time, delivered_at <= clock_timestamp() AS delivered, error
FROM webhook_deliveries WHERE tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000';
SELECT complete_webhook_delivery(delivery_id, 1, 400, 'bad request', 5) FROM claimed WHERE url ~ '//b';
SELECT status, next_attempt_at, failures, response_status, response_body, delivered_at FROM webhook_deliveries WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
RESET SESSION AUTHORIZATION;
DELETE FROM webhook_deliveries;
UPDATE webhooks SET failing_since = NULL;

-- The schedule. Each attempt's time is moved to now, as if it had been waited for.
CREATE FUNCTION attempt(answer integer, asked interval DEFAULT NULL, why text DEFAULT NULL, OUT number integer, OUT result text, OUT delay interval, OUT kept boolean)
LANGUAGE plpgsql AS $$
DECLARE
    delivery record;
    found record;
    before timestamptz;
    least_delay interval;
    most_delay interval;
BEGIN
    UPDATE webhook_deliveries d SET next_attempt_at = clock_timestamp() WHERE d.next_attempt_at IS NOT NULL;
    SELECT * INTO STRICT delivery FROM claim_webhook_deliveries(1);
    number := delivery.attempt;
    before := clock_timestamp();
    result := complete_webhook_delivery(delivery.delivery_id, number, answer, 'body', 3, asked, why);
    SELECT * INTO found FROM webhook_deliveries d WHERE d.id = delivery.delivery_id;
    IF result = 'pending' THEN
        delay := CASE WHEN asked IS NOT NULL AND answer IN (429, 503) THEN least(greatest(asked, interval '1 s'), interval '1 day')
                      ELSE ('{5 min,30 min,2 h,12 h,24 h}'::interval[])[found.failures] END;
        least_delay := delay * CASE WHEN asked IS NOT NULL AND answer IN (429, 503) THEN 1 ELSE 0.9 END;
        kept := found.next_attempt_at BETWEEN before + least_delay AND clock_timestamp() + delay * 1.1 AND found.delivered_at IS NULL;
    ELSE
        kept := found.next_attempt_at IS NULL AND (found.delivered_at IS NOT NULL) = (result = 'delivered');
    END IF;
    kept := kept AND found.status = result AND found.response_status IS NOT DISTINCT FROM answer AND found.error IS NOT DISTINCT FROM why
            AND found.response_body = 'body' AND found.response_time = 3 AND found.attempt_count = number;
END $$;
CREATE FUNCTION attempts(answers integer[], asked interval[] DEFAULT NULL, why text DEFAULT NULL) RETURNS TABLE (answer integer, number integer, result text, delay interval, kept boolean)
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..cardinality(answers) LOOP
        answer := answers[i];
        SELECT a.* INTO number, result, delay, kept FROM attempt(answer, asked[i], why) AS a;
        RETURN NEXT;
    END LOOP;
END $$;
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A-2', 10);
SELECT * FROM attempts('{500,301,408,429,599,100}');
SELECT status, failing_since IS NOT NULL AS failing FROM webhooks WHERE tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000';
-- Without a response.
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A-3', 10);
SELECT * FROM attempts('{NULL,NULL,204}', NULL, 'connection refused');
SELECT status, failing_since IS NOT NULL AS failing FROM webhooks WHERE tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000';
-- Retry-After, within bounds, where it means something.
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A-4', 10);
SELECT * FROM attempts('{429,503,503,429,500}', '{90 s,2 days,-1 s,0,90 s}');
UPDATE webhook_deliveries SET status = 'dead', next_attempt_at = NULL WHERE status = 'pending';
-- Attempts that are no answer to anything.
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A-6', 10);
SELECT * FROM attempts('{404}');
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A-7', 10), ('aaaaaaaa-0000-4000-8000-000000000000', 'A-8', 10);
-- Gone: the endpoint is disabled, what is open for it is not sent, and nothing more is written for it.
SELECT * FROM attempts('{410}');
SELECT status, failing_since, disabled_at <= clock_timestamp() AS disabled, disabled_reason FROM webhooks WHERE tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000';
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A-9', 10);
SELECT count(*) AS claimed FROM claim_webhook_deliveries();
SELECT status, response_status, error FROM webhook_deliveries WHERE payload #>> '{data,object,number}' IN ('A-7', 'A-8', 'A-9') ORDER BY 2;

-- Replay.
SELECT replay_webhook_deliveries('aaaaaaaa-0000-4000-8000-000000000000', '-infinity');
UPDATE webhooks SET status = 'active' WHERE tenant_id = 'aaaaaaaa-0000-4000-8000-000000000000';
CREATE TEMP TABLE earlier AS SELECT * FROM webhook_deliveries;
GRANT SELECT ON earlier TO regress_webhook_worker;
SET SESSION AUTHORIZATION regress_webhook_worker;
SELECT status, count(*) FROM webhook_deliveries GROUP BY 1 ORDER BY 1;
SELECT replay_webhook_deliveries('aaaaaaaa-0000-4000-8000-000000000000', 'infinity') AS none, replay_webhook_deliveries('bbbbbbbb-0000-4000-8000-000000000000', '-infinity') AS other,
       replay_webhook_deliveries('aaaaaaaa-0000-4000-8000-000000000000', '-infinity', '-infinity') AS before;
SELECT replay_webhook_deliveries('aaaaaaaa-0000-4000-8000-000000000000', '-infinity') AS dead, replay_webhook_deliveries('aaaaaaaa-0000-4000-8000-000000000000', '-infinity', delivered => true) AS delivered;
-- As they were, but for the attempts that went before: the worker of an earlier one has lost them.
SELECT count(*) AS claimed, bool_and(c.attempt = e.attempt_count + 1 AND c.event_id = e.event_id AND c.body = e.payload::text) AS the_same
FROM claim_webhook_deliveries(100) c JOIN earlier e ON e.id = c.delivery_id;
SELECT DISTINCT complete_webhook_delivery(id, attempt_count, 500) FROM earlier;
SELECT DISTINCT complete_webhook_delivery(id, attempt_count, 200) FROM webhook_deliveries;

-- Five days without success.
INSERT INTO orders (tenant_id, number, total) VALUES ('bbbbbbbb-0000-4000-8000-000000000000', 'B-2', 10), ('bbbbbbbb-0000-4000-8000-000000000000', 'B-3', 10);
RESET SESSION AUTHORIZATION;
UPDATE webhooks SET failing_since = now() - interval '119 hours' WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
SELECT * FROM attempts('{500}');
SELECT status, failing_since < now() AS failing, disabled_at FROM webhooks WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
UPDATE webhooks SET failing_since = now() - interval '121 hours' WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
SELECT * FROM attempts('{200}');
SELECT status, failing_since FROM webhooks WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
UPDATE webhooks SET failing_since = now() - interval '121 hours' WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
SELECT * FROM attempts('{500}');
SELECT status, failing_since, disabled_at IS NOT NULL AS disabled, disabled_reason FROM webhooks WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
-- Active again, it begins anew.
UPDATE webhooks SET status = 'active' WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';
SELECT * FROM attempts('{500}');
SELECT status, failing_since IS NOT NULL AS failing FROM webhooks WHERE tenant_id = 'bbbbbbbb-0000-4000-8000-000000000000';

-- A lease that ran out is a failed attempt; after six nobody is harmed by it any more.
DELETE FROM webhook_deliveries;
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A-10', 10);
CREATE FUNCTION crash() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE taken integer;
BEGIN
    SELECT attempt INTO taken FROM claim_webhook_deliveries(1, '1 hour');
    UPDATE webhook_deliveries SET next_attempt_at = clock_timestamp() WHERE status = 'leased';
    RETURN taken;
END $$;
SELECT array_agg(crash()) AS attempts FROM generate_series(1, 7);
SELECT status, attempt_count, failures, error FROM webhook_deliveries;
-- Its worker comes late: before anybody else took it, it counts.
SELECT replay_webhook_deliveries('aaaaaaaa-0000-4000-8000-000000000000', '-infinity') AS replayed, crash() AS attempt;
SELECT complete_webhook_delivery(id, 7, 200) AS before, complete_webhook_delivery(id, 8, 200) AS late FROM webhook_deliveries;

-- Rows of another make: delivered already, though nobody said so in status; a header's value that would break lines.
INSERT INTO webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload, delivered_at)
VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000000', gen_random_uuid(), 'done', '{}', now());
INSERT INTO webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload, attempt_count)
VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'aaaaaaaa-0000-4000-8000-000000000000', gen_random_uuid(), E'x\r\nX-Evil: طلب', '[1]', NULL);
SELECT attempt, headers ->> 'X-BrainSAIT-Event' AS event, body FROM claim_webhook_deliveries();
SELECT event_type, status, attempt_count FROM webhook_deliveries WHERE event_type = 'done';
-- The same event twice for one endpoint.
\set VERBOSITY sqlstate
INSERT INTO webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload, created_at) SELECT tenant_id, webhook_id, event_id, 'again', payload, created_at FROM webhook_deliveries WHERE event_type = 'done';
\set VERBOSITY default

-- Every tenant one before any has two; the oldest of each first.
DELETE FROM webhook_deliveries;
INSERT INTO tenants (id, name, slug) SELECT format('cccccccc-0000-4000-8000-000000%s', to_char(n, 'FM000000'))::uuid, n, 'c' || n FROM generate_series(1, 300) AS n;
INSERT INTO webhooks (id, tenant_id, url, events, secret) SELECT id, id, 'https://c.example', '{order.created}', 's' FROM tenants WHERE slug ~ '^c';
INSERT INTO orders (tenant_id, number, total) SELECT id, slug || '-1', 1 FROM tenants;
INSERT INTO orders (tenant_id, number, total) SELECT id, slug || '-' || n, 1 FROM tenants, generate_series(2, 4) AS n;
CREATE TEMP TABLE handed AS SELECT 0 AS round, * FROM claim_webhook_deliveries(1) WITH NO DATA;
DO $$ BEGIN FOR n IN 1..13 LOOP INSERT INTO handed SELECT n, * FROM claim_webhook_deliveries(100); END LOOP; END $$;
SELECT round, count(*), count(DISTINCT tenant_id) AS tenants FROM handed GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT tenant_id) AS after_four_rounds FROM handed WHERE round <= 4;
SELECT count(*), count(DISTINCT delivery_id) AS deliveries, count(DISTINCT tenant_id) AS tenants FROM handed;
SELECT count(*) AS out_of_order FROM (
    SELECT round > lead(round) OVER (PARTITION BY tenant_id ORDER BY right(body::jsonb #>> '{data,object,number}', 1)) AS wrong FROM handed) AS o WHERE wrong;

-- No more of a tenant than the worker wants, which does not count what cannot be sent; none of those that it holds enough of.
DELETE FROM webhook_deliveries;
INSERT INTO webhooks (tenant_id, url, events, secret) SELECT id, 'https://c1.example', '{order.created}', 's' FROM tenants WHERE slug = 'c1';
INSERT INTO orders (tenant_id, number, total) SELECT id, slug || '-share-' || n, 1 FROM tenants, generate_series(1, 6) AS n WHERE slug IN ('c1', 'c2', 'c3');
UPDATE webhooks SET status = 'disabled' WHERE url = 'https://c1.example';
CREATE FUNCTION claimed(most integer, per_tenant integer, VARIADIC left_out text[]) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(slug || ' ' || times, ', ' ORDER BY slug) FROM (
        SELECT t.slug, count(*) AS times
        FROM claim_webhook_deliveries(most, '1 hour', per_tenant, ARRAY(SELECT id FROM tenants WHERE slug = ANY (left_out)) || NULL::uuid) c
        JOIN tenants t ON t.id = c.tenant_id GROUP BY 1) AS c
$$;
SELECT claimed(100, 2, 'c2', 'c4') AS c1_2_c3_2, claimed(100, 4, 'none') AS each_4, claimed(5, 1, 'none') AS c2_1, claimed(9, NULL, 'c2') AS none,
       claimed(9, NULL, 'c1') AS c2_1;
SELECT d.status, d.error, count(*) FROM webhook_deliveries d JOIN tenants t ON t.id = d.tenant_id WHERE slug = 'c1' GROUP BY 1, 2 ORDER BY 1;

-- Arguments that make no sense.
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT call, refused('SELECT ' || call) FROM unnest(ARRAY[
    'claim_webhook_deliveries(0)', 'claim_webhook_deliveries(-1)', 'claim_webhook_deliveries(1001)', 'claim_webhook_deliveries(NULL)',
    'claim_webhook_deliveries(1, NULL)', 'claim_webhook_deliveries(1, ''0'')', 'claim_webhook_deliveries(1, ''-1 s'')', 'claim_webhook_deliveries(1, ''1 day 1 us'')',
    'claim_webhook_deliveries(1, ''1 hour'', 0)', 'claim_webhook_deliveries(1, ''1 month'')', 'claim_webhook_deliveries(1, ''2147483647 days'')',
    'complete_webhook_delivery(NULL, 1, 200)', 'complete_webhook_delivery(gen_random_uuid(), NULL, 200)', 'complete_webhook_delivery(gen_random_uuid(), 1, 99)',
    'complete_webhook_delivery(gen_random_uuid(), 1, 600)', 'complete_webhook_delivery(gen_random_uuid(), 1, -2147483648)', 'complete_webhook_delivery(gen_random_uuid(), 1, 200, NULL, -1)',
    'replay_webhook_deliveries(NULL, now())', 'replay_webhook_deliveries(gen_random_uuid(), NULL)', 'replay_webhook_deliveries(''dddddddd-0000-4000-8000-000000000000'', now())',
    'replay_webhook_deliveries(gen_random_uuid(), now(), now(), NULL)']) AS call;

-- Secrets: the one before signs too, until its time is over; one that does not open puts off its own deliveries alone.
DELETE FROM webhook_deliveries;
UPDATE webhooks SET status = 'active', failing_since = NULL, disabled_at = NULL, disabled_reason = NULL;
UPDATE webhooks SET secret = 'new', previous_secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', previous_secret_until = now() + interval '1 hour'
WHERE id = 'aaaaaaaa-0000-4000-8000-000000000000';
SELECT count(*) FILTER (WHERE secret ~ '^sealed:1:1:' AND previous_secret ~ '^sealed:1:1:') AS sealed FROM webhooks WHERE previous_secret IS NOT NULL;
ALTER TABLE webhooks DISABLE TRIGGER zz_brainsait_seal;
UPDATE webhooks SET secret = (SELECT secret FROM webhooks WHERE id = 'aaaaaaaa-0000-4000-8000-000000000000')
WHERE id = 'bbbbbbbb-0000-4000-8000-000000000000';
ALTER TABLE webhooks ENABLE ALWAYS TRIGGER zz_brainsait_seal;
INSERT INTO webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload)
SELECT id, id, gen_random_uuid(), 'order.x', '{"a": 1}' FROM tenants WHERE slug IN ('a', 'b');
CREATE FUNCTION signed_by(headers jsonb, body text, written text, key bytea, OUT plain text, OUT standard text) LANGUAGE sql AS $$
    SELECT (SELECT string_agg(header, ' ' ORDER BY header COLLATE "C") FROM jsonb_each_text(headers) AS h (header, value)
            WHERE header LIKE 'X-BrainSAIT-Sig%' AND value = encode(hmac_by_hand(body, written::bytea), 'hex')),
           (SELECT string_agg(place::text, ' ') FROM regexp_split_to_table(headers ->> 'webhook-signature', ' ') WITH ORDINALITY AS s (value, place)
            WHERE value = 'v1,' || encode(hmac_by_hand(concat_ws('.', headers ->> 'webhook-id', headers ->> 'webhook-timestamp', body), key), 'base64'))
$$;
CREATE VIEW who_signs AS SELECT url, s.written, signed.*
FROM claim_webhook_deliveries() CROSS JOIN (VALUES ('new', 'new'::bytea), ('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'))) AS s (written, key)
CROSS JOIN signed_by(headers, body, s.written, s.key) AS signed ORDER BY url, written;
SELECT * FROM who_signs;
CREATE VIEW put_off AS SELECT t.slug, d.status, d.attempt_count, d.failures, d.next_attempt_at > now() AS later, d.error
FROM webhook_deliveries d JOIN tenants t ON t.id = d.tenant_id ORDER BY t.slug;
SELECT * FROM put_off;
-- Its time is over.
UPDATE webhooks SET previous_secret_until = now() WHERE id = 'aaaaaaaa-0000-4000-8000-000000000000';
UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now();
SELECT * FROM who_signs;
-- Keys that are not there, and back again.
SET brainsait.credential_key_file = '';
UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now();
SELECT count(*) AS claimed FROM claim_webhook_deliveries();
SELECT * FROM put_off;
SET brainsait.credential_key_file = 'brainsait_test_key';
UPDATE webhooks SET secret = 'right again' WHERE id = 'bbbbbbbb-0000-4000-8000-000000000000';
UPDATE webhook_deliveries SET status = 'pending', next_attempt_at = now();
SELECT url FROM claim_webhook_deliveries() ORDER BY url;
DROP VIEW who_signs, put_off;
DROP FUNCTION signed_by;

-- How endpoints fare.
DELETE FROM webhook_deliveries;
UPDATE webhooks SET status = 'active', failing_since = NULL, disabled_at = NULL, disabled_reason = NULL;
INSERT INTO webhook_deliveries (tenant_id, webhook_id, event_id, event_type, payload, status, next_attempt_at, delivered_at, response_time, created_at)
SELECT id, id, gen_random_uuid(), 'x', '{}'::jsonb, 'delivered', NULL::timestamptz, now(), n, now() - interval '6 days' FROM tenants, generate_series(1, 101) AS n WHERE slug = 'a'
UNION ALL SELECT id, id, gen_random_uuid(), 'x', '{}', 'dead', NULL::timestamptz, NULL::timestamptz, 1000000, now() - interval '6 days' FROM tenants, generate_series(1, 99) AS n WHERE slug = 'a'
UNION ALL SELECT id, id, gen_random_uuid(), 'x', '{}', 'delivered', NULL, now(), 1000000, now() - interval '8 days' FROM tenants, generate_series(1, 9) AS n WHERE slug = 'a'
UNION ALL SELECT id, id, gen_random_uuid(), 'x', '{}', o.status, now(), NULL, NULL, now() - age FROM tenants, (VALUES ('pending', interval '20 days'), ('pending', '1 h'), ('leased', '2 h')) AS o (status, age) WHERE slug = 'a';
SET SESSION AUTHORIZATION regress_webhook_worker;
SELECT url, h.status, pending, leased, oldest_age BETWEEN interval '20 days' AND interval '20 days 1 hour' AS oldest, delivered, dead, success_rate, latency_p50, latency_p95, latency_p99, failing_since
FROM webhook_health h JOIN tenants t ON t.id = tenant_id WHERE slug IN ('a', 'b') ORDER BY url;
SELECT count(*) FROM webhook_health;
RESET SESSION AUTHORIZATION;
DROP TABLE claimed, secrets, earlier;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP ROLE regress_webhook_worker;
