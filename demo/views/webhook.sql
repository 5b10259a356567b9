-- As the application of one shop: an order, and what its webhook came to. Needs the psql variables url and secret (of the
-- receiver's endpoint) and log (the file of what it got).
BEGIN;
SELECT set_tenant(:'tenant') \gset
INSERT INTO webhooks (url, events, secret) VALUES (:'url', '{order.*}', :'secret') RETURNING id AS webhook \gset
COMMIT;
BEGIN;
SELECT set_tenant(:'tenant') \gset
INSERT INTO orders (total, currency, customer_email, customer_name)
SELECT 129.50, settings ->> 'currency', 'badr@example.com', 'بدر العتيبي' FROM tenants RETURNING id AS "order", number \gset
COMMIT;

BEGIN;
SELECT set_tenant(:'tenant') \gset
DO $$
BEGIN
    FOR look IN 1 .. 600 LOOP
        EXIT WHEN EXISTS (SELECT FROM webhook_deliveries WHERE event_type = 'order.created' AND delivered_at IS NOT NULL);
        PERFORM pg_sleep(0.05);
    END LOOP;
END
$$;
\setenv RECEIVER_LOG :log
\set request `grep '"kind": "request"' "$RECEIVER_LOG"`
CALL demo.prove('the endpoint got one request', :'request' <> '' AND :'request' !~ '\n.');
SELECT :'request'::json -> 'headers' AS headers, :'request'::json -> 'checks' AS checks, :'request'::json -> 'altered' AS altered,
       :'request'::json ->> 'body' AS body, :'request'::json ->> 'bytes' AS bytes \gset
CALL demo.prove('both signatures hold, and neither does for a body of which one digit is another',
                (:'request'::json -> 'valid')::text = 'true' AND :'altered'::json ->> 'X-BrainSAIT-Signature' = 'false'
                AND :'altered'::json ->> 'webhook-signature' = 'false');
CALL demo.prove('it tells of this order', :'body'::json ->> 'event' = 'order.created'
                AND :'body'::json #>> '{data,object,id}' = :'order' AND :'body'::json #>> '{data,object,number}' = :'number'
                AND :'body'::json ->> 'tenant_id' = :'tenant' AND :'body'::json ->> 'id' = :'headers'::json ->> 'webhook-id');

SELECT demo.paint('  POST ' || regexp_replace(:'url', '^http://[^/]*', '') || rpad('', 10) || :'bytes' || ' bytes of JSON about '
                  || :'number', 'dim');
SELECT '  ' || rpad(name, 24) || coalesce(:'headers'::json ->> name, '-')
FROM unnest('{X-BrainSAIT-Event,webhook-id,webhook-timestamp,webhook-signature,X-BrainSAIT-Signature}'::text[]) WITH ORDINALITY AS header (name, place)
ORDER BY place;
SELECT demo.paint(E'\n  ' || rpad('the receiver finds', 24) || 'as it came   one digit changed', 'dim');
SELECT '  ' || rpad(name, 24) || demo.paint(rpad(CASE :'checks'::json ->> name WHEN 'true' THEN 'genuine' ELSE 'FORGED' END, 13), 'good')
       || CASE :'altered'::json ->> name WHEN 'true' THEN 'GENUINE' ELSE 'forged' END
FROM unnest('{webhook-signature,X-BrainSAIT-Signature}'::text[]) AS header (name);

SELECT count(*) = 1 AND bool_and(status = 'delivered' AND response_status = 200 AND response_body = 'thanks' AND attempt_count = 1
                                 AND response_time >= 0 AND delivered_at >= created_at) AS holds
FROM webhook_deliveries WHERE webhook_id = :'webhook' \gset
CALL demo.prove('the delivery''s row says so', :'holds');
SELECT demo.paint(E'\n  webhook_deliveries', 'dim');
SELECT '  ' || rpad(key, 24) || CASE key WHEN 'response_time' THEN value || ' ms' ELSE value END
FROM webhook_deliveries d, json_each_text(json_build_object(
    'event_type', event_type, 'status', status, 'response_status', response_status, 'response_body', response_body,
    'response_time', response_time, 'attempt_count', attempt_count, 'created_at', created_at, 'delivered_at', delivered_at))
WHERE webhook_id = :'webhook';
DELETE FROM orders WHERE id = :'order';
DELETE FROM webhooks WHERE id = :'webhook';
COMMIT;
