-- Triggers that fill columns. Their functions belong to the extension; the triggers belong to the tables.

CREATE FUNCTION touch_updated_at() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_touch_updated_at';
COMMENT ON FUNCTION touch_updated_at() IS
    'BEFORE UPDATE row trigger: sets updated_at to the transaction''s time.';

CREATE FUNCTION fill_tenant() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_fill_tenant';
COMMENT ON FUNCTION fill_tenant() IS
    'BEFORE INSERT row trigger on order_items and webhook_deliveries: fills a null tenant_id from the parent row. An application role''s own tenant comes from the column''s default; this serves loads across tenants.';

CREATE FUNCTION check_columns() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_check_columns';
COMMENT ON FUNCTION check_columns() IS
    'BEFORE INSERT OR UPDATE row trigger: refuses (23514) a row as CHECKs named table_column_rule would. Arguments: up to eight pairs of a column and a rule: not_negative (numeric, NaN refused), positive (integer), shape (currency: three capitals), not_empty (text). Null passes, and so does what an application dropped or gave another type.';

CREATE FUNCTION guard_references() RETURNS trigger
    LANGUAGE C AS 'MODULE_PATHNAME', 'brainsait_guard_references';
COMMENT ON FUNCTION guard_references() IS
    'BEFORE UPDATE OR DELETE row trigger on tenants and users: where the row goes, or the columns that the arguments name change, waits for the transactions that have inserted rows that reference it, and keeps new ones waiting until this transaction ends. Those hold a lock on the key, not on the row.';

-- Whoever may execute a trigger function may put it on a table of his own and feed it what he likes:
-- fill_tenant() would tell whose an order is. Triggers that are there already ask for no privilege.
REVOKE ALL ON FUNCTION touch_updated_at(), fill_tenant(), check_columns(), guard_references() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION touch_updated_at(), fill_tenant(), check_columns(), guard_references() TO brainsait_owner;

CREATE FUNCTION attach_row_triggers() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    touched name;
    checked record;
BEGIN
    FOREACH touched IN ARRAY ARRAY['tenants', 'users', 'products', 'orders', 'payments', 'integrations', 'webhooks']
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER brainsait_updated_at BEFORE UPDATE ON %1$s.%2$I
                            FOR EACH ROW EXECUTE FUNCTION %1$s.touch_updated_at()', '@extschema@', touched);
    END LOOP;
    -- Triggers fire in the order of their names: this one sees what the application's own made of a row. Like a
    -- CHECK it also fires where changes are replicated.
    FOR checked IN
        SELECT * FROM (VALUES
            ('products', '{price,not_negative,currency,shape,status,not_empty}'::text[]),
            ('orders', '{total,not_negative,currency,shape,status,not_empty,payment_status,not_empty}'),
            ('order_items', '{quantity,positive,price,not_negative,total,not_negative}'),
            ('payments', '{amount,not_negative,provider_fee,not_negative,refunded_amount,not_negative,currency,shape,status,not_empty}')
        ) AS list (name, arguments)
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER zz_brainsait_checks BEFORE INSERT OR UPDATE ON %1$s.%2$I
                            FOR EACH ROW EXECUTE FUNCTION %1$s.check_columns(%3$s)', '@extschema@', checked.name,
                       (SELECT string_agg(quote_literal(argument), ', ' ORDER BY place)
                        FROM unnest(checked.arguments) WITH ORDINALITY AS list (argument, place)));
        EXECUTE format('ALTER TABLE %s.%I ENABLE ALWAYS TRIGGER zz_brainsait_checks', '@extschema@', checked.name);
    END LOOP;
    -- Last, since an application's own trigger may give the row another key; always, since a reference has to be right
    -- wherever the deletion comes from.
    CREATE OR REPLACE TRIGGER zz_brainsait_references BEFORE UPDATE OR DELETE ON @extschema@.tenants
        FOR EACH ROW EXECUTE FUNCTION @extschema@.guard_references('id');
    ALTER TABLE @extschema@.tenants ENABLE ALWAYS TRIGGER zz_brainsait_references;
    CREATE OR REPLACE TRIGGER zz_brainsait_references BEFORE UPDATE OR DELETE ON @extschema@.users
        FOR EACH ROW EXECUTE FUNCTION @extschema@.guard_references('tenant_id', 'id');
    ALTER TABLE @extschema@.users ENABLE ALWAYS TRIGGER zz_brainsait_references;
    -- A statement that reads its own change of a tenant, and then fails, never gets to its AFTER triggers:
    -- what the session keeps of that reading has to be forgotten all the same.
    CREATE OR REPLACE TRIGGER brainsait_tenant_changes BEFORE INSERT OR UPDATE OF id, slug, status, settings OR DELETE ON @extschema@.tenants
        FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.tenant_changed();
    -- No WHEN here: every statement would prepare it anew, which costs more than calling the function.
    CREATE OR REPLACE TRIGGER brainsait_tenant BEFORE INSERT ON @extschema@.order_items
        FOR EACH ROW EXECUTE FUNCTION @extschema@.fill_tenant('orders', 'order_id');
    CREATE OR REPLACE TRIGGER brainsait_tenant BEFORE INSERT ON @extschema@.webhook_deliveries
        FOR EACH ROW WHEN (NEW.tenant_id IS NULL) EXECUTE FUNCTION @extschema@.fill_tenant('webhooks', 'webhook_id');
END
$body$;
COMMENT ON FUNCTION attach_row_triggers() IS 'Internal to create_store(): puts the triggers that fill columns on their tables.';
REVOKE ALL ON FUNCTION attach_row_triggers() FROM PUBLIC;
