-- Two tenants with the same kinds of rows. What "mine" may see says own; what it must not see says secret, in every text,
-- in every id (bbbbbbbb) and in every number (77371). Filled again by refill(), since half of the statements commit.
COPY (SELECT '1 ' || repeat('0123456789abcdef', 4)) TO PROGRAM 'umask 077 && cat > brainsait_test_key';
SELECT format('ALTER DATABASE %I SET brainsait.credential_key_file = ''brainsait_test_key''', current_database()) \gexec
SET brainsait.credential_key_file = 'brainsait_test_key';
CREATE FUNCTION fill(tenant uuid, mark text, amount numeric) RETURNS void LANGUAGE plpgsql AS $body$
DECLARE
    prefix text := left(tenant::text, 8);
    made uuid;
BEGIN
    FOR n IN 1 .. 4 LOOP
        made := (prefix || substr(gen_random_uuid()::text, 9))::uuid;
        INSERT INTO users (id, tenant_id, email, name, role) VALUES (made, tenant, format('%s-%s@example.com', mark, made), mark, mark);
        INSERT INTO products (id, tenant_id, name, description, price, category, tags, images, inventory_count)
        VALUES (made, tenant, jsonb_build_object('en', mark), jsonb_build_object('ar', mark), amount, mark, ARRAY[mark], ARRAY[mark], amount);
        INSERT INTO orders (id, tenant_id, user_id, number, total, customer_email, customer_name, payment_status, payment_intent_id,
                            shipping_address, metadata, created_at)
        VALUES (made, tenant, made, mark || made, amount, mark || '@example.com', mark, 'paid', mark, jsonb_build_object('city', mark),
                jsonb_build_object(mark, amount), now() - n * interval '1 day');
        INSERT INTO order_items (id, tenant_id, order_id, product_id, product_name, quantity, price, total)
        VALUES (made, tenant, made, made, mark, amount, amount, amount);
        INSERT INTO payments (id, tenant_id, order_id, payment_intent_id, amount, provider, provider_fee, refunded_amount)
        VALUES (made, tenant, made, mark || made, amount, mark, amount, amount);
        INSERT INTO analytics_events (id, tenant_id, event_type, user_id, session_id, properties, "timestamp")
        SELECT made, tenant, mark, made, mark, jsonb_build_object(mark, amount), at FROM (VALUES (now()), ('2001-01-01'::timestamptz)) AS t (at);
        INSERT INTO integrations (id, tenant_id, name, type, config) VALUES (made, tenant, mark, mark || left(made::text, 16), jsonb_build_object(mark, mark));
        INSERT INTO webhooks (id, tenant_id, url, events, secret, description) VALUES (made, tenant, 'https://' || mark, ARRAY[mark], mark, mark);
        INSERT INTO webhook_deliveries (id, tenant_id, webhook_id, event_id, event_type, payload, response_body, created_at)
        SELECT made, tenant, made, made, mark, jsonb_build_object(mark, amount), mark, at FROM (VALUES (now()), ('2001-01-01'::timestamptz)) AS t (at);
    END LOOP;
END
$body$;
REVOKE ALL ON FUNCTION fill(uuid, text, numeric) FROM PUBLIC;

INSERT INTO tenants (id, name, slug, domain, plan) VALUES (:'mine', 'own', 'own', 'own.example', 'own'), (:'theirs', 'secret', 'secret', 'secret.example', 'secret');
SELECT fill(:'mine', 'ownword', 11), fill(:'theirs', 'secretword', 77371);
CREATE ROLE sqlsmith_app LOGIN IN ROLE brainsait_app;
ANALYZE;
