-- Order numbers: the functions, their tables, and the triggers on orders and tenants.

CREATE FUNCTION order_number_fill() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_order_number_fill';
COMMENT ON FUNCTION order_number_fill() IS
    'BEFORE INSERT row trigger on orders: makes a number where none, or an empty one, is given. The format is the tenant''s settings.order_number_format, else brainsait.order_number_format. A row that is not inserted after all (ON CONFLICT DO NOTHING, a later trigger) has used its number up, so {SEQ} shows a gap there.';

CREATE FUNCTION next_order_number() RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'brainsait_next_order_number';
COMMENT ON FUNCTION next_order_number() IS
    'A number of the current tenant''s without an order, for one that is still to be written; dates are the transaction''s. Refused where no tenant is set (55000).';

CREATE FUNCTION order_number_is_valid(number text, format text DEFAULT NULL) RETURNS boolean
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'brainsait_order_number_is_valid';
COMMENT ON FUNCTION order_number_is_valid(text, text) IS
    'Whether a number could be one of that format, or of the current tenant''s where format is null: literals, existing and agreeing dates, code alphabet, sequence digits, slug and check character. Null number: null. Malformed format: 22023.';

CREATE FUNCTION validate_tenant_settings() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_validate_tenant_settings';
COMMENT ON FUNCTION validate_tenant_settings() IS
    'BEFORE INSERT OR UPDATE row trigger on tenants: refuses (22023) settings that are no JSON object, an unknown timezone, and an order_number_format or order_number_reset that would not work, naming the token.';

CREATE FUNCTION tenant_changed() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_tenant_changed';
COMMENT ON FUNCTION tenant_changed() IS
    'AFTER trigger on tenants and order_number_key: sessions forget what they keep of the table''s rows once the change commits. Arguments: the columns whose update counts; none means all.';

-- Whoever may execute a trigger function may put it on a table of his own.
REVOKE ALL ON FUNCTION order_number_fill(), next_order_number(), validate_tenant_settings(), tenant_changed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION order_number_fill(), validate_tenant_settings(), tenant_changed() TO brainsait_owner;
GRANT EXECUTE ON FUNCTION next_order_number() TO brainsait_owner, brainsait_app, brainsait_operator;

CREATE FUNCTION create_order_number_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF to_regclass('@extschema@.order_number_counters') IS NULL THEN
        CREATE TABLE @extschema@.order_number_counters (
            tenant_id uuid NOT NULL REFERENCES @extschema@.tenants (id) ON DELETE CASCADE,
            series text NOT NULL,
            period text NOT NULL,
            last_value bigint NOT NULL,
            PRIMARY KEY (tenant_id, series, period)
        ) WITH (fillfactor = 50); -- every transaction writes its row again: keep room beside it
        COMMENT ON TABLE @extschema@.order_number_counters IS
            'The last {SEQ} given, per tenant, series (the format) and period (empty, year, month or day).';
    END IF;

    IF to_regclass('@extschema@.order_number_key') IS NULL THEN
        CREATE TABLE @extschema@.order_number_key (
            version integer PRIMARY KEY CHECK (version = 1),
            key bytea NOT NULL CHECK (octet_length(key) = 32)
        );
        COMMENT ON TABLE @extschema@.order_number_key IS
            'The one key that turns values of order_code_sequence into {CODE}. It came from the server''s random source and must not change.';
    END IF;
    IF to_regclass('@extschema@.order_code_sequence') IS NULL THEN
        -- 32 values at a time: sessions seldom meet on the sequence's page, and what a session leaves
        -- unused only makes codes one character longer a little earlier.
        CREATE SEQUENCE @extschema@.order_code_sequence
            AS bigint MINVALUE 0 MAXVALUE 1152921504606846975 START WITH 0 CACHE 32 NO CYCLE;
        COMMENT ON SEQUENCE @extschema@.order_code_sequence IS
            'What {CODE} turns into codes; its last value, 32^12 - 1, has twelve characters.';
    END IF;
END
$body$;
COMMENT ON FUNCTION create_order_number_tables() IS
    'Internal to create_store(): makes the missing ones of order_number_counters, order_number_key, order_code_sequence.';
REVOKE ALL ON FUNCTION create_order_number_tables() FROM PUBLIC;

CREATE FUNCTION attach_order_numbers() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    watched name;
BEGIN
    CREATE OR REPLACE TRIGGER brainsait_number BEFORE INSERT ON @extschema@.orders
        FOR EACH ROW EXECUTE FUNCTION @extschema@.order_number_fill();
    CREATE OR REPLACE TRIGGER brainsait_validate_settings BEFORE INSERT OR UPDATE OF settings, slug ON @extschema@.tenants
        FOR EACH ROW EXECUTE FUNCTION @extschema@.validate_tenant_settings();
    -- The columns are those that sessions keep.
    CREATE OR REPLACE TRIGGER brainsait_tenant_changed AFTER INSERT OR UPDATE OR DELETE ON @extschema@.tenants
        FOR EACH ROW EXECUTE FUNCTION @extschema@.tenant_changed('id', 'slug', 'status', 'settings');
    CREATE OR REPLACE TRIGGER brainsait_tenant_changed AFTER INSERT OR UPDATE OR DELETE ON @extschema@.order_number_key
        FOR EACH ROW EXECUTE FUNCTION @extschema@.tenant_changed();
    FOREACH watched IN ARRAY ARRAY['tenants', 'order_number_key']
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER brainsait_truncated AFTER TRUNCATE ON %1$s.%2$I
                            FOR EACH STATEMENT EXECUTE FUNCTION %1$s.tenant_changed()', '@extschema@', watched);
        -- Replicated changes, too, have to be heard of.
        EXECUTE format('ALTER TABLE %s.%I ENABLE ALWAYS TRIGGER brainsait_tenant_changed', '@extschema@', watched);
        EXECUTE format('ALTER TABLE %s.%I ENABLE ALWAYS TRIGGER brainsait_truncated', '@extschema@', watched);
    END LOOP;
END
$body$;
COMMENT ON FUNCTION attach_order_numbers() IS
    'Internal to create_store(): puts the triggers of order numbers and settings on orders, tenants and order_number_key.';
REVOKE ALL ON FUNCTION attach_order_numbers() FROM PUBLIC;
