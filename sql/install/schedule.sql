-- Scheduling is pg_cron's business. Nothing here depends on it before it is asked for.

CREATE FUNCTION require_pg_cron() RETURNS void
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
        RAISE EXCEPTION 'pg_cron is not installed in database %', quote_ident(current_database())
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('Install its package (Debian: postgresql-%s-cron), set shared_preload_libraries = ''pg_cron'' and cron.database_name = %L, restart, and run CREATE EXTENSION pg_cron here. Where cron.database_name is another database, schedule there: SELECT cron.schedule_in_database(''brainsait maintenance'', ''15 3 * * *'', %L, %L).',
                                current_setting('server_version_num')::integer / 10000, current_database(),
                                'CALL @extschema@.run_maintenance()', current_database());
    END IF;
END
$body$;
COMMENT ON FUNCTION require_pg_cron() IS 'Internal to scheduling: raises 55000 where pg_cron is not installed in this database.';

CREATE FUNCTION schedule_maintenance(schedule text DEFAULT '15 3 * * *') RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    job bigint;
BEGIN
    PERFORM @extschema@.require_pg_cron();
    EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job
        USING 'brainsait maintenance', schedule_maintenance.schedule, 'CALL @extschema@.run_maintenance()';
    RETURN job;
END
$body$;
COMMENT ON FUNCTION schedule_maintenance(text) IS
    'Has pg_cron run run_maintenance() as the role that calls this, an operator with USAGE on schema cron, by that schedule (default: daily at 03:15 of cron.timezone), and returns the job''s number. Called again it changes the schedule. 55000 where pg_cron is not installed in this database.';

CREATE FUNCTION unschedule_maintenance() RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    job bigint;
BEGIN
    PERFORM @extschema@.require_pg_cron();
    EXECUTE 'SELECT jobid FROM cron.job WHERE jobname = $1 AND username = current_user AND database = current_database()'
        INTO job USING 'brainsait maintenance';
    IF job IS NULL THEN
        RETURN false;
    END IF;
    EXECUTE 'SELECT cron.unschedule($1)' USING job;
    RETURN true;
END
$body$;
COMMENT ON FUNCTION unschedule_maintenance() IS
    'Takes the caller''s job of schedule_maintenance() away; false where there is none. 55000 where pg_cron is not installed in this database.';
REVOKE ALL ON FUNCTION require_pg_cron(), schedule_maintenance(text), unschedule_maintenance() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION require_pg_cron(), schedule_maintenance(text), unschedule_maintenance() TO brainsait_operator;
