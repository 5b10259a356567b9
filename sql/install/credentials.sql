-- Credentials at rest: integrations.credentials and webhooks.secret hold envelopes that only the keys of
-- brainsait.credential_key_file open, each in its own row alone.

CREATE FUNCTION seal_integration() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_seal_integration';
COMMENT ON FUNCTION seal_integration() IS
    'BEFORE INSERT OR UPDATE row trigger on integrations: encrypts credentials. {} and null stay as they are. 55000 without a key, 22023 for the envelope of another row.';

CREATE FUNCTION seal_webhook() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_seal_webhook';
COMMENT ON FUNCTION seal_webhook() IS
    'BEFORE INSERT OR UPDATE row trigger on webhooks: encrypts secret and previous_secret, and makes a secret where an INSERT has none. 55000 without a key, 22001 for more than 146 bytes, 22023 for an empty secret or the envelope of another row.';

CREATE FUNCTION attach_credentials() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    sealed record;
BEGIN
    -- After the application's own triggers, by their names, and where changes are replicated as well.
    FOR sealed IN SELECT * FROM (VALUES ('integrations', 'seal_integration'), ('webhooks', 'seal_webhook')) AS list (name, function)
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER zz_brainsait_seal BEFORE INSERT OR UPDATE ON %1$s.%2$I
                            FOR EACH ROW EXECUTE FUNCTION %1$s.%3$I()', '@extschema@', sealed.name, sealed.function);
        EXECUTE format('ALTER TABLE %s.%I ENABLE ALWAYS TRIGGER zz_brainsait_seal', '@extschema@', sealed.name);
    END LOOP;
    COMMENT ON TABLE @extschema@.integrations IS 'Connections to other services. The application role writes credentials, which are stored encrypted, and cannot read them back.';
    COMMENT ON COLUMN @extschema@.webhooks.secret IS 'What deliveries are signed with, encrypted. Generated where it is left out.';
END
$body$;
COMMENT ON FUNCTION attach_credentials() IS 'Internal to create_store(): puts the triggers that encrypt on integrations and webhooks, and says so in comments.';

-- Reading them back: for whom a DBA lets.

CREATE FUNCTION integration_credentials(integration uuid) RETURNS jsonb
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'brainsait_integration_credentials';
COMMENT ON FUNCTION integration_credentials(uuid) IS
    'The credentials of an integration of the transaction''s tenant; null where there is no such one. Granted to nobody: grant it to the role that calls the other service. 55000 where the key is missing, XX001 where they do not open.';

CREATE FUNCTION webhook_secret(webhook uuid) RETURNS text
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'brainsait_webhook_secret';
COMMENT ON FUNCTION webhook_secret(uuid) IS
    'The secret of a webhook of the transaction''s tenant, as integration_credentials() does it. Granted to nobody.';

CREATE FUNCTION rotate_webhook_secret(webhook uuid, overlap interval DEFAULT '24 hours') RETURNS text
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_rotate_webhook_secret';
COMMENT ON FUNCTION rotate_webhook_secret(uuid, interval) IS
    'Gives a webhook of the transaction''s tenant a new secret and returns it; the one before signs too until the overlap is over; with an overlap of 0 it is forgotten. P0002 where there is no such webhook, 22023 for a negative or infinite overlap, 55000 without a key.';

-- Rotation of keys.

CREATE FUNCTION credential_keys() RETURNS integer[]
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_credential_keys';
COMMENT ON FUNCTION credential_keys() IS
    'The ids of the keys that the file of brainsait.credential_key_file holds; the first one encrypts. Empty where the file is not to be used, and then the server''s log says why.';

CREATE FUNCTION credential_key(envelope jsonb) RETURNS integer
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_credential_key_of_json';
COMMENT ON FUNCTION credential_key(jsonb) IS 'Internal to rotation: the id of the key of an envelope of credentials; null for what is no envelope.';
CREATE FUNCTION credential_key(envelope text) RETURNS integer
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_credential_key_of_text';
COMMENT ON FUNCTION credential_key(text) IS 'Internal to rotation: the id of the key of a secret''s envelope; null for what is no envelope.';

CREATE FUNCTION reseal_credentials(tenant uuid, integration uuid, stored jsonb) RETURNS jsonb
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'brainsait_reseal_credentials';
COMMENT ON FUNCTION reseal_credentials(uuid, uuid, jsonb) IS 'Internal to rotation: credentials, in clear or encrypted, encrypted by the first key.';
CREATE FUNCTION reseal_secret(tenant uuid, webhook uuid, stored text) RETURNS text
    LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'brainsait_reseal_secret';
COMMENT ON FUNCTION reseal_secret(uuid, uuid, text) IS 'Internal to rotation: a secret, in clear or encrypted, encrypted by the first key.';

CREATE FUNCTION owner_count_credentials(state text) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    keys constant integer[] := @extschema@.credential_keys();
BEGIN
    IF state = 'too long' THEN
        RETURN (SELECT count(*) FROM @extschema@.webhooks w CROSS JOIN LATERAL (VALUES (w.secret::text), (w.previous_secret::text)) AS stored (secret)
                WHERE octet_length(stored.secret) > 146 AND @extschema@.credential_key(stored.secret) IS NULL);
    END IF;
    RETURN (SELECT count(*)
            FROM (SELECT @extschema@.credential_key(i.credentials) FROM @extschema@.integrations i WHERE i.credentials NOT IN ('{}', 'null')
                  UNION ALL
                  SELECT @extschema@.credential_key(w.secret::text) FROM @extschema@.webhooks w
                  UNION ALL
                  SELECT @extschema@.credential_key(w.previous_secret::text) FROM @extschema@.webhooks w WHERE w.previous_secret IS NOT NULL
                 ) AS stored (key)
            WHERE CASE state WHEN 'clear' THEN stored.key IS NULL
                             WHEN 'shut' THEN stored.key <> ALL (keys)
                             WHEN 'due' THEN stored.key IS DISTINCT FROM keys[1] END);
END
$body$;
COMMENT ON FUNCTION owner_count_credentials(text) IS 'Internal to count_credentials(): counts them as the owner.';
CREATE FUNCTION count_credentials(state text) RETURNS bigint
    LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION count_credentials(text) IS
    'Internal to health_check() and rotation: how many credentials and secrets are in clear, shut (their key is not in the file), or due to be encrypted by the first key; or how many secrets are in clear and too long to be encrypted.';

CREATE FUNCTION owner_rotate_integrations(after uuid, batch_rows integer, OUT rows_done integer, OUT rows_failed integer, OUT last_row uuid)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    newest constant integer := (@extschema@.credential_keys())[1];
    item record;
BEGIN
    rows_done := 0;
    rows_failed := 0;
    FOR item IN
        SELECT i.id, i.tenant_id FROM @extschema@.integrations i
        WHERE i.id > after AND i.credentials NOT IN ('{}', 'null') AND @extschema@.credential_key(i.credentials) IS DISTINCT FROM newest
        ORDER BY i.id LIMIT batch_rows FOR NO KEY UPDATE
    LOOP
        last_row := item.id;
        BEGIN
            UPDATE @extschema@.integrations i SET credentials = @extschema@.reseal_credentials(i.tenant_id, i.id, i.credentials)
            WHERE i.id = item.id;
            rows_done := rows_done + 1;
        EXCEPTION
            WHEN object_not_in_prerequisite_state OR data_corrupted OR program_limit_exceeded THEN
                rows_failed := rows_failed + 1;
                RAISE WARNING 'integration % of tenant % stays as it is: %', item.id, item.tenant_id, SQLERRM;
        END;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION owner_rotate_integrations(uuid, integer) IS 'Internal to rotation: encrypts the next integrations by the first key; no last_row where none is left.';

CREATE FUNCTION owner_rotate_webhooks(after uuid, batch_rows integer, OUT rows_done integer, OUT rows_failed integer, OUT last_row uuid)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    newest constant integer := (@extschema@.credential_keys())[1];
    item record;
BEGIN
    rows_done := 0;
    rows_failed := 0;
    FOR item IN
        SELECT w.id, w.tenant_id FROM @extschema@.webhooks w
        WHERE w.id > after AND (@extschema@.credential_key(w.secret::text) IS DISTINCT FROM newest
                                OR w.previous_secret IS NOT NULL AND @extschema@.credential_key(w.previous_secret::text) IS DISTINCT FROM newest)
        ORDER BY w.id LIMIT batch_rows FOR NO KEY UPDATE
    LOOP
        last_row := item.id;
        BEGIN
            -- A secret that signs no more is not worth a key that opens it.
            UPDATE @extschema@.webhooks w
            SET secret = @extschema@.reseal_secret(w.tenant_id, w.id, w.secret),
                previous_secret = CASE WHEN w.previous_secret_until > now()
                                       THEN @extschema@.reseal_secret(w.tenant_id, w.id, w.previous_secret) END
            WHERE w.id = item.id;
            rows_done := rows_done + 1;
        EXCEPTION
            WHEN object_not_in_prerequisite_state OR data_corrupted OR string_data_right_truncation OR invalid_parameter_value THEN
                rows_failed := rows_failed + 1;
                RAISE WARNING 'webhook % of tenant % stays as it is: %', item.id, item.tenant_id, SQLERRM;
        END;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION owner_rotate_webhooks(uuid, integer) IS 'Internal to rotation: encrypts the secrets of the next webhooks by the first key; no last_row where none is left.';

CREATE FUNCTION owner_rotate_credentials(run uuid, batch_rows integer) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    r record;
    batch record;
    place text;
    after uuid;
    failed bigint;
BEGIN
    SELECT * INTO STRICT r FROM @extschema@.maintenance_runs m WHERE m.id = run AND m.task = 'rotate_credential_keys';
    place := coalesce(r.progress ->> 'table', 'integrations');
    after := coalesce((r.progress ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000');
    IF place = 'integrations' THEN
        SELECT * INTO batch FROM @extschema@.owner_rotate_integrations(after, batch_rows);
    ELSE
        SELECT * INTO batch FROM @extschema@.owner_rotate_webhooks(after, batch_rows);
    END IF;
    failed := coalesce((r.progress ->> 'failed')::bigint, 0) + batch.rows_failed;
    PERFORM @extschema@.owner_note_maintenance(
        run, r.done + batch.rows_done, batch.rows_done, 0,
        jsonb_strip_nulls(jsonb_build_object('failed', nullif(failed, 0), 'after', batch.last_row,
                                             'table', CASE WHEN batch.last_row IS NULL THEN 'webhooks' ELSE place END)),
        batch.last_row IS NULL AND place = 'webhooks');
    IF batch.last_row IS NOT NULL THEN
        RAISE NOTICE 'rotate_credential_keys: % of % rows', r.done + batch.rows_done, greatest(r.total, r.done + batch.rows_done);
    ELSIF place = 'webhooks' AND failed > 0 THEN
        RAISE WARNING 'rotate_credential_keys: % rows are not encrypted by the first key', failed
            USING HINT = 'Keep the other keys in the file. Set right what the warnings before this tell, and call it again.';
    END IF;
    RETURN batch.last_row IS NOT NULL OR place = 'integrations';
END
$body$;
COMMENT ON FUNCTION owner_rotate_credentials(uuid, integer) IS 'Internal to rotate_credentials(): does it as the owner.';
CREATE FUNCTION rotate_credentials(run uuid, batch_rows integer) RETURNS boolean
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION rotate_credentials(uuid, integer) IS 'Internal to rotate_credential_keys(): one batch of a run; false when nothing is left.';

CREATE FUNCTION begin_credential_rotation(batch_rows integer) RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF batch_rows IS NULL OR batch_rows NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'a batch has 1 to 10000 rows, not %', coalesce(batch_rows::text, 'null') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF cardinality(@extschema@.credential_keys()) = 0 THEN
        RAISE EXCEPTION 'there is no key to encrypt credentials with'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Set brainsait.credential_key_file; where it is set, the server''s log says why the file is not used.';
    END IF;
    RETURN @extschema@.start_maintenance_run('rotate_credential_keys', NULL, NULL, @extschema@.count_credentials('due'));
END
$body$;
COMMENT ON FUNCTION begin_credential_rotation(integer) IS 'Internal to rotate_credential_keys(): begins a row of maintenance_runs.';

CREATE PROCEDURE rotate_credential_keys(batch_rows integer DEFAULT 100)
    LANGUAGE plpgsql AS
$body$
DECLARE
    run uuid;
BEGIN
    run := @extschema@.begin_credential_rotation(batch_rows);
    COMMIT;
    WHILE @extschema@.rotate_credentials(run, batch_rows) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
END
$body$;
COMMENT ON PROCEDURE rotate_credential_keys(integer) IS
    'Encrypts by the first key whatever credentials and secrets are by another, or in clear from before 0.2.0, in batches that are committed. May be stopped and called again. A row that does not open stays as it is, with a warning. 55000 without a key.';

REVOKE ALL ON FUNCTION seal_integration(), seal_webhook(), attach_credentials(), integration_credentials(uuid), webhook_secret(uuid),
    rotate_webhook_secret(uuid, interval), credential_keys(), credential_key(jsonb), credential_key(text),
    reseal_credentials(uuid, uuid, jsonb), reseal_secret(uuid, uuid, text), owner_count_credentials(text), count_credentials(text),
    owner_rotate_integrations(uuid, integer), owner_rotate_webhooks(uuid, integer), owner_rotate_credentials(uuid, integer),
    rotate_credentials(uuid, integer), begin_credential_rotation(integer) FROM PUBLIC;
REVOKE ALL ON PROCEDURE rotate_credential_keys(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seal_integration(), seal_webhook(), credential_keys(), credential_key(jsonb), credential_key(text),
    reseal_credentials(uuid, uuid, jsonb), reseal_secret(uuid, uuid, text), owner_count_credentials(text),
    owner_rotate_integrations(uuid, integer), owner_rotate_webhooks(uuid, integer), owner_rotate_credentials(uuid, integer) TO brainsait_owner;
GRANT EXECUTE ON FUNCTION rotate_webhook_secret(uuid, interval) TO brainsait_app;
GRANT EXECUTE ON FUNCTION credential_keys(), count_credentials(text), rotate_credentials(uuid, integer), begin_credential_rotation(integer) TO brainsait_operator;
GRANT EXECUTE ON PROCEDURE rotate_credential_keys(integer) TO brainsait_operator;
