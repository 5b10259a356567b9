-- What a DBA looks at. The views show the columns of the documented queries under the names that these give them, on
-- every supported version; they hold nothing of a tenant's but the text of statements.

-- Operators see the statements of all sessions, not of their own alone.
GRANT pg_read_all_stats TO brainsait_operator;

CREATE FUNCTION statement_statistics(
    OUT query text, OUT mean_time double precision, OUT calls bigint, OUT total_time double precision
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    statements text := (SELECT format('%I.pg_stat_statements', n.nspname)
                        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                        WHERE e.extname = 'pg_stat_statements');
    -- PostgreSQL 13 renamed the times; an extension that was never updated has the old names.
    part text;
BEGIN
    IF statements IS NULL THEN
        RETURN;
    END IF;
    part := CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(statements) AND attname = 'mean_exec_time')
                 THEN 'exec_time' ELSE 'time' END;
    RETURN QUERY EXECUTE format(
        'SELECT s.query, s.mean_%2$s, s.calls, s.total_%2$s FROM %1$s s
         WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())', statements, part);
EXCEPTION
    -- The extension is there, and its library was not preloaded: nothing was counted.
    WHEN object_not_in_prerequisite_state THEN NULL;
END
$body$;
COMMENT ON FUNCTION statement_statistics() IS
    'Internal to slow_queries: the statements of this database as pg_stat_statements counts them (milliseconds); none where it is not installed or not preloaded.';
REVOKE ALL ON FUNCTION statement_statistics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION statement_statistics() TO brainsait_owner, brainsait_operator;

CREATE FUNCTION create_monitoring_views() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    CREATE OR REPLACE VIEW @extschema@.slow_queries WITH (security_invoker = true) AS
    SELECT s.query, s.mean_time, s.calls, s.total_time FROM @extschema@.statement_statistics() s
    ORDER BY s.mean_time DESC;
    COMMENT ON VIEW @extschema@.slow_queries IS
        'The statements of this database, slowest first: mean and total execution time in milliseconds. Empty without pg_stat_statements.';

    CREATE OR REPLACE VIEW @extschema@.table_statistics WITH (security_invoker = true) AS
    SELECT t.schemaname, t.relname AS tablename, t.n_tup_ins, t.n_tup_upd, t.n_tup_del, t.n_live_tup, t.n_dead_tup
    FROM pg_stat_user_tables t
    ORDER BY t.n_live_tup DESC;
    COMMENT ON VIEW @extschema@.table_statistics IS
        'Rows written, and rows that are live and dead, of each table of this database, largest first.';

    CREATE OR REPLACE VIEW @extschema@.connection_activity WITH (security_invoker = true) AS
    SELECT count(*) AS connections, a.state, a.application_name
    FROM pg_stat_activity a
    WHERE a.state IS NOT NULL
    GROUP BY a.state, a.application_name;
    COMMENT ON VIEW @extschema@.connection_activity IS
        'Connections of the whole server by state and application_name.';

    CREATE OR REPLACE VIEW @extschema@.long_running_queries WITH (security_invoker = true) AS
    SELECT a.pid, now() - a.query_start AS duration, a.query
    FROM pg_stat_activity a
    -- A sender of WAL is active as long as its standby is there.
    WHERE a.state = 'active' AND a.backend_type <> 'walsender' AND now() - a.query_start > interval '5 minutes';
    COMMENT ON VIEW @extschema@.long_running_queries IS
        'Statements of the whole server that have run for more than five minutes.';
END
$body$;
COMMENT ON FUNCTION create_monitoring_views() IS
    'Internal to create_store(): makes slow_queries, table_statistics, connection_activity, long_running_queries, or makes them what this version has.';
REVOKE ALL ON FUNCTION create_monitoring_views() FROM PUBLIC;
