-- Rows that come from elsewhere into a store that is installed already: from a dump of its data alone, or from the
-- publisher of a subscription. They bring the rollup and the key of order codes with them.

CREATE FUNCTION refuse_dumped_tenants() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF NOT current_setting('row_security')::boolean THEN
        RAISE EXCEPTION 'rows of a dump must not be loaded into a store whose triggers act on them'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'row_security is off, as in a dump, which brings the revenue rollup: triggers would count its orders a second time.',
                  HINT = 'Keep the triggers still: PGOPTIONS=''-c session_replication_role=replica''. To have them act on new tenants all the same, SET row_security = on.';
    END IF;
    RETURN NULL;
END
$body$;
COMMENT ON FUNCTION refuse_dumped_tenants() IS
    'BEFORE INSERT statement trigger on tenants, on which every other row depends: refuses (55000) what pg_dump wrote, which it tells by row_security = off, where triggers would act on it. Where session_replication_role is replica it does not fire.';

CREATE FUNCTION order_number_key_arrives() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    present bytea := (SELECT k.key FROM @extschema@.order_number_key k WHERE k.version = NEW.version);
BEGIN
    IF present IS NULL THEN
        RETURN NEW;
    ELSIF present = NEW.key THEN
        RETURN NULL;
    ELSIF (SELECT s.is_called FROM @extschema@.order_code_sequence s) THEN
        RAISE EXCEPTION 'this store has given order numbers with a key of its own'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Load the rows into a store that has given none, before its sequence is set; or TRUNCATE order_number_key first, if this store''s orders are to go.';
    END IF;
    DELETE FROM @extschema@.order_number_key k WHERE k.version = NEW.version;
    RETURN NEW;
END
$body$;
COMMENT ON FUNCTION order_number_key_arrives() IS
    'BEFORE INSERT row trigger on order_number_key, in every session_replication_role: a key that comes with a dump or from a publisher takes the place of the new store''s own, with which no number was made yet (else 55000). The same key again is left out.';

REVOKE ALL ON FUNCTION refuse_dumped_tenants(), order_number_key_arrives() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refuse_dumped_tenants(), order_number_key_arrives() TO brainsait_owner;

CREATE FUNCTION attach_arrivals() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    CREATE OR REPLACE TRIGGER brainsait_dumped BEFORE INSERT ON @extschema@.tenants
        FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.refuse_dumped_tenants();
    CREATE OR REPLACE TRIGGER brainsait_arrives BEFORE INSERT ON @extschema@.order_number_key
        FOR EACH ROW EXECUTE FUNCTION @extschema@.order_number_key_arrives();
    ALTER TABLE @extschema@.order_number_key ENABLE ALWAYS TRIGGER brainsait_arrives;
END
$body$;
COMMENT ON FUNCTION attach_arrivals() IS 'Internal to create_store(): puts the triggers on tenants and order_number_key that meet rows from elsewhere.';
REVOKE ALL ON FUNCTION attach_arrivals() FROM PUBLIC;
