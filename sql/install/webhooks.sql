-- Webhooks: what happens in the store, and what an application emits, is written to the outbox, webhook_deliveries, in
-- the transaction in which it happens: one row per active endpoint of the tenant that subscribed to it.

CREATE FUNCTION webhook_wants(events text[], event_type text) RETURNS boolean
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_webhook_wants';
COMMENT ON FUNCTION webhook_wants(text[], text) IS
    'Internal to webhooks: whether an endpoint with these subscriptions is sent events of that type: by its name, order.* for names that begin so, or *.';

CREATE FUNCTION emit_event(event_type text, object jsonb) RETURNS integer
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'brainsait_emit_event';
COMMENT ON FUNCTION emit_event(text, jsonb) IS
    'Sends the current tenant''s endpoints an event of the application''s own about a JSON object: a delivery is written for each that subscribed to it, and goes with this transaction. Returns how many. 22023 for a type that is not made of words joined by dots, or a value that is no object; 55000 without a tenant.';

CREATE FUNCTION webhook_row_changed() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_webhook_row_changed';
COMMENT ON FUNCTION webhook_row_changed() IS
    'AFTER INSERT, UPDATE or DELETE row trigger on orders, payments, users or tenants, its argument: notes the events that a change is; they are written to webhook_deliveries when the transaction commits.';

REVOKE ALL ON FUNCTION webhook_wants(text[], text), emit_event(text, jsonb), webhook_row_changed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_wants(text[], text), webhook_row_changed() TO brainsait_owner;
GRANT EXECUTE ON FUNCTION emit_event(text, jsonb) TO brainsait_owner, brainsait_app, brainsait_operator;

-- What workers call.

CREATE FUNCTION claim_webhook_deliveries(
    max_deliveries integer DEFAULT 10, lease interval DEFAULT '60 seconds', max_per_tenant integer DEFAULT NULL,
    except_tenants uuid[] DEFAULT NULL,
    OUT delivery_id uuid, OUT webhook_id uuid, OUT tenant_id uuid, OUT event_id uuid, OUT event_type text, OUT attempt integer,
    OUT url text, OUT headers jsonb, OUT body text
) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'brainsait_claim_webhook_deliveries';
COMMENT ON FUNCTION claim_webhook_deliveries(integer, interval, integer, uuid[]) IS
    'Leases up to so many (at most 1,000) webhook deliveries that are due to the caller, every tenant one before any has two, and returns what to POST, byte for byte: url, headers with the signatures, body. Whoever does not complete one within the lease (at most a day) loses it to the next claim. max_per_tenant and except_tenants keep a worker from being filled by one tenant: how many it is to be given of each at most, and tenants that it holds enough of already. Waits for nobody. For operators.';

CREATE FUNCTION complete_webhook_delivery(
    delivery_id uuid, attempt integer, response_status integer, response_body text DEFAULT NULL, response_time integer DEFAULT NULL,
    retry_after interval DEFAULT NULL, error text DEFAULT NULL
) RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'brainsait_complete_webhook_delivery';
COMMENT ON FUNCTION complete_webhook_delivery(uuid, integer, integer, text, integer, interval, text) IS
    'Records how the attempt that claim_webhook_deliveries() numbered ended: the HTTP status (null: no response, error says why), the body (its first 2,000 characters are kept), milliseconds, and what Retry-After asked for. Returns the new status: delivered (2xx), pending (tried again later), dead; or stale, and changes nothing, where that attempt does not hold the delivery any more. 410 disables the endpoint, and so do five days without success. For operators.';

CREATE FUNCTION webhook_signature(secret text, message_id text, "timestamp" bigint, body text) RETURNS text
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_webhook_signature';
COMMENT ON FUNCTION webhook_signature(text, text, bigint, text) IS
    'The signature of a message as the header webhook-signature has it (Standard Webhooks 1.0, v1): what a receiver compares. timestamp: Unix seconds.';

CREATE FUNCTION replay_webhook_deliveries(webhook uuid, since timestamptz, until timestamptz DEFAULT NULL, delivered boolean DEFAULT false) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    replayed bigint;
BEGIN
    IF webhook IS NULL OR since IS NULL OR delivered IS NULL THEN
        RAISE EXCEPTION 'webhook, since and delivered must not be null' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT EXISTS (SELECT FROM @extschema@.webhooks w WHERE w.id = webhook AND w.status = 'active') THEN
        RAISE EXCEPTION 'there is no active webhook %', webhook
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Where it is disabled, set its status to active first.';
    END IF;
    UPDATE @extschema@.webhook_deliveries d
    SET status = 'pending', next_attempt_at = clock_timestamp(), failures = 0, delivered_at = NULL, error = NULL
    WHERE d.webhook_id = webhook AND d.created_at >= since AND (until IS NULL OR d.created_at < until)
      AND (d.status = 'dead' OR delivered AND d.status = 'delivered');
    GET DIAGNOSTICS replayed = ROW_COUNT;
    IF replayed > 0 AND coalesce(current_setting('brainsait.webhook_notify', true)::boolean, true) THEN
        PERFORM pg_notify('brainsait_webhooks', '');
    END IF;
    RETURN replayed;
END
$body$;
COMMENT ON FUNCTION replay_webhook_deliveries(uuid, timestamptz, timestamptz, boolean) IS
    'Sends an active endpoint''s dead deliveries of events from since on (and before until) again, delivered ones too where delivered is true, and returns how many; with all attempts before them, and the ids they had. 55000 where the endpoint is not active. For operators.';

REVOKE ALL ON FUNCTION claim_webhook_deliveries(integer, interval, integer, uuid[]),
    complete_webhook_delivery(uuid, integer, integer, text, integer, interval, text), webhook_signature(text, text, bigint, text),
    replay_webhook_deliveries(uuid, timestamptz, timestamptz, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION claim_webhook_deliveries(integer, interval, integer, uuid[]),
    complete_webhook_delivery(uuid, integer, integer, text, integer, interval, text), webhook_signature(text, text, bigint, text),
    replay_webhook_deliveries(uuid, timestamptz, timestamptz, boolean) TO brainsait_operator;

CREATE FUNCTION create_webhook_view() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    CREATE OR REPLACE VIEW @extschema@.webhook_health WITH (security_invoker = true) AS
    SELECT w.id AS webhook_id, w.tenant_id, w.url, w.status,
           coalesce(o.pending, 0) AS pending, coalesce(o.leased, 0) AS leased, now() - o.oldest AS oldest_age,
           coalesce(r.delivered, 0) AS delivered, coalesce(r.dead, 0) AS dead,
           round(r.delivered::numeric / nullif(r.delivered + r.dead, 0), 4) AS success_rate,
           r.latency[1] AS latency_p50, r.latency[2] AS latency_p95, r.latency[3] AS latency_p99,
           w.failing_since, w.disabled_at, w.disabled_reason
    FROM @extschema@.webhooks w
    LEFT JOIN (
        SELECT d.webhook_id, count(*) FILTER (WHERE d.status = 'pending') AS pending,
               count(*) FILTER (WHERE d.status = 'leased') AS leased, min(d.created_at) AS oldest
        FROM @extschema@.webhook_deliveries d WHERE d.next_attempt_at IS NOT NULL GROUP BY 1
    ) AS o ON o.webhook_id = w.id
    LEFT JOIN (
        SELECT d.webhook_id, count(*) FILTER (WHERE d.status = 'delivered') AS delivered,
               count(*) FILTER (WHERE d.status = 'dead') AS dead,
               percentile_cont('{0.5,0.95,0.99}'::double precision[]) WITHIN GROUP (ORDER BY d.response_time)
                   FILTER (WHERE d.status = 'delivered') AS latency
        FROM @extschema@.webhook_deliveries d WHERE d.created_at >= now() - interval '7 days' GROUP BY 1
    ) AS r ON r.webhook_id = w.id;
    COMMENT ON VIEW @extschema@.webhook_health IS
        'Per endpoint: deliveries that are open now and the age of the oldest; of the last seven days'' events those that were delivered or are dead, the share of the former, and the milliseconds that half, 95 and 99 % of them took at most; whether it fails or was disabled.';
END
$body$;
COMMENT ON FUNCTION create_webhook_view() IS 'Internal to create_store(): makes or replaces webhook_health.';
REVOKE ALL ON FUNCTION create_webhook_view() FROM PUBLIC;

CREATE FUNCTION attach_webhooks() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    source record;
BEGIN
    FOR source IN
        SELECT * FROM (VALUES ('orders', 'INSERT OR UPDATE'), ('payments', 'INSERT OR UPDATE'),
                              ('users', 'INSERT OR UPDATE OR DELETE'), ('tenants', 'INSERT OR UPDATE')) AS list (name, changes)
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER brainsait_webhooks AFTER %3$s ON %1$s.%2$I
                            FOR EACH ROW EXECUTE FUNCTION %1$s.webhook_row_changed(%2$L)', '@extschema@', source.name, source.changes);
    END LOOP;
    -- Sessions keep what each tenant's endpoints want, and have to hear of changes: as of tenants.
    CREATE OR REPLACE TRIGGER brainsait_webhook_changes BEFORE INSERT OR UPDATE OF id, tenant_id, events, status OR DELETE ON @extschema@.webhooks
        FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.tenant_changed();
    CREATE OR REPLACE TRIGGER brainsait_webhook_changed AFTER INSERT OR UPDATE OR DELETE ON @extschema@.webhooks
        FOR EACH ROW EXECUTE FUNCTION @extschema@.tenant_changed('tenant_id', 'events', 'status');
    CREATE OR REPLACE TRIGGER brainsait_truncated AFTER TRUNCATE ON @extschema@.webhooks
        FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.tenant_changed();
    ALTER TABLE @extschema@.webhooks ENABLE ALWAYS TRIGGER brainsait_webhook_changed;
    ALTER TABLE @extschema@.webhooks ENABLE ALWAYS TRIGGER brainsait_truncated;

    COMMENT ON COLUMN @extschema@.webhooks.events IS 'What it wants: names of events, order.* for all that begin so, * for all.';
    COMMENT ON COLUMN @extschema@.webhooks.status IS
        'active: events are sent. Anything else, and disabled where the store gave the endpoint up: none are written for it.';
    COMMENT ON COLUMN @extschema@.webhook_deliveries.response_time IS 'Of the latest attempt, in milliseconds.';
    COMMENT ON COLUMN @extschema@.webhook_deliveries.attempt_count IS
        'How often it was claimed. It only grows: a worker whose number is older has lost its lease.';
END
$body$;
COMMENT ON FUNCTION attach_webhooks() IS 'Internal to create_store(): puts the triggers of webhooks on their tables, and tells what columns mean to them.';
REVOKE ALL ON FUNCTION attach_webhooks() FROM PUBLIC;
