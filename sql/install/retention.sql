-- Retention: what is old goes in batches, each a transaction of its own, so that writers never wait for longer than
-- one. The procedures run as the operator who calls them; what takes the tables' owner is done by functions
-- owner_NAME, which NAME calls as the owner (src/maintenance.cpp).

CREATE FUNCTION create_maintenance_tables() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF to_regclass('@extschema@.maintenance_runs') IS NULL THEN
        CREATE TABLE @extschema@.maintenance_runs (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            task text NOT NULL,
            older_than interval,
            cutoff timestamptz,
            started_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            finished_at timestamptz,
            outcome text NOT NULL,
            pid integer NOT NULL,
            done bigint NOT NULL DEFAULT 0,
            total bigint NOT NULL,
            rows_done bigint NOT NULL DEFAULT 0,
            partitions_done integer NOT NULL DEFAULT 0,
            progress jsonb NOT NULL DEFAULT '{}'
        );
        CREATE INDEX idx_maintenance_runs_task ON @extschema@.maintenance_runs (task, started_at);
        COMMENT ON TABLE @extschema@.maintenance_runs IS 'What the maintenance procedures did, one row a run, kept for a year.';
        COMMENT ON COLUMN @extschema@.maintenance_runs.cutoff IS 'What is older than this is due.';
        COMMENT ON COLUMN @extschema@.maintenance_runs.outcome IS 'running, done, or interrupted: found by the next run of the task to have ended before its end.';
        COMMENT ON COLUMN @extschema@.maintenance_runs.pid IS 'The server process that works on it.';
        COMMENT ON COLUMN @extschema@.maintenance_runs.done IS 'How much of total is done: partitions that are due whole, orders, or months.';
        COMMENT ON COLUMN @extschema@.maintenance_runs.rows_done IS 'Rows deleted or changed one by one.';
        COMMENT ON COLUMN @extschema@.maintenance_runs.partitions_done IS 'Partitions dropped or made.';
        COMMENT ON COLUMN @extschema@.maintenance_runs.progress IS 'Where the next batch begins.';
    END IF;
END
$body$;
COMMENT ON FUNCTION create_maintenance_tables() IS 'Internal to create_store(): makes maintenance_runs where it is missing.';
REVOKE ALL ON FUNCTION create_maintenance_tables() FROM PUBLIC;

CREATE FUNCTION attach_maintenance() RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    -- It holds nothing of a tenant's, and is for no application all the same, whatever is granted.
    ALTER TABLE @extschema@.maintenance_runs ENABLE ROW LEVEL SECURITY;
    ALTER TABLE @extschema@.maintenance_runs FORCE ROW LEVEL SECURITY;
    IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = '@extschema@.maintenance_runs'::regclass AND polname = 'maintenance_access') THEN
        CREATE POLICY maintenance_access ON @extschema@.maintenance_runs TO brainsait_operator, brainsait_owner
            USING (true) WITH CHECK (true);
    END IF;
END
$body$;
COMMENT ON FUNCTION attach_maintenance() IS 'Internal to create_store(): lets operators and the owner at maintenance_runs.';
REVOKE ALL ON FUNCTION attach_maintenance() FROM PUBLIC;

-- The log of runs.

CREATE FUNCTION owner_start_maintenance_run(task text, older_than interval, cutoff timestamptz, total bigint) RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    run uuid := gen_random_uuid();
BEGIN
    -- A session that begins a run is in no other; one whose process is gone cannot be.
    UPDATE @extschema@.maintenance_runs r SET outcome = 'interrupted', finished_at = r.updated_at
    WHERE r.task = owner_start_maintenance_run.task AND r.outcome = 'running'
      AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = r.pid AND a.pid <> pg_backend_pid());
    DELETE FROM @extschema@.maintenance_runs r
    WHERE r.task = owner_start_maintenance_run.task AND r.started_at < now() - interval '1 year';
    INSERT INTO @extschema@.maintenance_runs (id, task, older_than, cutoff, started_at, updated_at, outcome, pid, total)
    VALUES (run, owner_start_maintenance_run.task, owner_start_maintenance_run.older_than, owner_start_maintenance_run.cutoff,
            clock_timestamp(), clock_timestamp(), 'running', pg_backend_pid(), owner_start_maintenance_run.total);
    RETURN run;
END
$body$;
COMMENT ON FUNCTION owner_start_maintenance_run(text, interval, timestamptz, bigint) IS
    'Internal to start_maintenance_run(): writes its row into maintenance_runs.';
CREATE FUNCTION start_maintenance_run(task text, older_than interval, cutoff timestamptz, total bigint) RETURNS uuid
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION start_maintenance_run(text, interval, timestamptz, bigint) IS
    'Internal to begin_maintenance(): a new row of maintenance_runs; rows of the task whose session has left it become interrupted.';

CREATE FUNCTION owner_note_maintenance(run uuid, done bigint, rows_more bigint, partitions_more integer, progress jsonb, finished boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    UPDATE @extschema@.maintenance_runs r
    SET done = owner_note_maintenance.done, rows_done = r.rows_done + rows_more,
        partitions_done = r.partitions_done + partitions_more, progress = owner_note_maintenance.progress,
        updated_at = clock_timestamp(), outcome = CASE WHEN finished THEN 'done' ELSE r.outcome END,
        finished_at = CASE WHEN finished THEN clock_timestamp() END
    WHERE r.id = run;
END
$body$;
COMMENT ON FUNCTION owner_note_maintenance(uuid, bigint, bigint, integer, jsonb, boolean) IS
    'Internal to note_maintenance(): updates a row of maintenance_runs.';
CREATE FUNCTION note_maintenance(run uuid, done bigint, rows_more bigint, partitions_more integer, progress jsonb, finished boolean) RETURNS void
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION note_maintenance(uuid, bigint, bigint, integer, jsonb, boolean) IS
    'Internal to maintenance: notes what a batch did.';

-- Partitions.

CREATE FUNCTION owner_drop_partitions(parent regclass, before timestamptz, passed_over oid[]) RETURNS name[]
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS
$body$
DECLARE
    at_once constant integer := 24;
    moment constant interval := '50 milliseconds';
    default_partition regclass := (SELECT partdefid FROM pg_partitioned_table WHERE partrelid = parent AND partdefid <> 0);
    due record;
    locked regclass[] := '{}';
    dropped name[] := '{}';
    partition regclass;
    partition_name name;
    started timestamptz;
BEGIN
    IF parent NOT IN ('@extschema@.analytics_events'::regclass, '@extschema@.webhook_deliveries'::regclass) THEN
        RAISE EXCEPTION '% is not a table of events', parent USING ERRCODE = 'wrong_object_type';
    END IF;
    BEGIN
        -- Nobody writes to a month that is over. The oldest is waited for, the others are taken where they are free. The
        -- parent, which everybody writes to, comes last and is waited for so shortly that nobody notices who queues up
        -- behind; dropping from there on is a matter of catalogs: a millisecond or so each, and no more than fit into a
        -- moment. Not detached first: that would lock the tables that the partitions' rows refer to.
        FOR due IN
            SELECT p.partition FROM @extschema@.monthly_partitions(parent) p
            WHERE p.to_time <= before AND p.to_time <= now() AND p.partition <> ALL (passed_over) ORDER BY p.from_time LIMIT at_once
        LOOP
            IF locked = '{}' THEN
                EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', due.partition);
            ELSE
                BEGIN
                    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', due.partition);
                EXCEPTION
                    WHEN lock_not_available THEN EXIT;
                END;
            END IF;
            locked := locked || due.partition;
        END LOOP;
        IF locked = '{}' THEN
            RETURN locked;
        END IF;
        PERFORM set_config('lock_timeout', '100ms', true);
        IF default_partition IS NOT NULL THEN
            EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', default_partition);
        END IF;
        EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', parent);
    EXCEPTION
        -- Somebody else may also have dropped it meanwhile.
        WHEN lock_not_available OR deadlock_detected OR undefined_table THEN RETURN dropped;
    END;
    started := clock_timestamp();
    FOREACH partition IN ARRAY locked
    LOOP
        partition_name := (SELECT c.relname FROM pg_class c WHERE c.oid = partition);
        BEGIN
            EXECUTE format('DROP TABLE %s', partition);
        EXCEPTION
            WHEN dependent_objects_still_exist THEN EXIT;
        END;
        dropped := dropped || partition_name;
        EXIT WHEN clock_timestamp() > started + moment;
    END LOOP;
    RETURN dropped;
END
$body$;
COMMENT ON FUNCTION owner_drop_partitions(regclass, timestamptz, oid[]) IS
    'Internal to drop_partitions(): does it as the owner.';
CREATE FUNCTION drop_partitions(parent regclass, before timestamptz, passed_over oid[]) RETURNS name[]
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION drop_partitions(regclass, timestamptz, oid[]) IS
    'Internal to purge_batch(): drops partitions whose months ended before that time, oldest first, but for those passed over, and returns the names of those that a moment was enough for. None where a lock was not to be had within a tenth of a second, or objects of the application''s depend on the oldest.';

CREATE FUNCTION owner_make_partition(parent regclass, month date) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS
$body$
BEGIN
    IF parent NOT IN ('@extschema@.analytics_events'::regclass, '@extschema@.webhook_deliveries'::regclass) THEN
        RAISE EXCEPTION '% is not a table of events', parent USING ERRCODE = 'wrong_object_type';
    END IF;
    IF NOT isfinite(month) OR abs(month - current_date) > 40000 THEN
        RAISE EXCEPTION 'month out of range' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN @extschema@.ensure_partition(parent, month);
EXCEPTION
    WHEN lock_not_available OR deadlock_detected THEN RETURN NULL;
    -- Another partition, the application's, has a part of the month.
    WHEN invalid_object_definition THEN RETURN false;
END
$body$;
COMMENT ON FUNCTION owner_make_partition(regclass, date) IS 'Internal to make_partition(): does it as the owner.';
CREATE FUNCTION make_partition(parent regclass, month date) RETURNS boolean
    LANGUAGE C VOLATILE AS 'MODULE_PATHNAME', 'brainsait_as_owner';
COMMENT ON FUNCTION make_partition(regclass, date) IS
    'Internal to maintenance: ensure_partition() for operators; null where a lock was not to be had within a second.';

REVOKE ALL ON FUNCTION owner_start_maintenance_run(text, interval, timestamptz, bigint), start_maintenance_run(text, interval, timestamptz, bigint),
    owner_note_maintenance(uuid, bigint, bigint, integer, jsonb, boolean), note_maintenance(uuid, bigint, bigint, integer, jsonb, boolean),
    owner_drop_partitions(regclass, timestamptz, oid[]), drop_partitions(regclass, timestamptz, oid[]),
    owner_make_partition(regclass, date), make_partition(regclass, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION owner_start_maintenance_run(text, interval, timestamptz, bigint),
    owner_note_maintenance(uuid, bigint, bigint, integer, jsonb, boolean),
    owner_drop_partitions(regclass, timestamptz, oid[]), owner_make_partition(regclass, date) TO brainsait_owner;
GRANT EXECUTE ON FUNCTION start_maintenance_run(text, interval, timestamptz, bigint),
    note_maintenance(uuid, bigint, bigint, integer, jsonb, boolean),
    drop_partitions(regclass, timestamptz, oid[]), make_partition(regclass, date) TO brainsait_operator;

CREATE FUNCTION monthly_partitions(parent regclass, OUT partition regclass, OUT from_time timestamptz, OUT to_time timestamptz)
    RETURNS SETOF record
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' SET timezone = 'UTC' AS
$body$
SELECT c.oid::regclass,
       CASE bound.part[1] WHEN 'MINVALUE' THEN '-infinity' ELSE trim(BOTH '''' FROM bound.part[1]) END::timestamptz,
       CASE bound.part[2] WHEN 'MAXVALUE' THEN 'infinity' ELSE trim(BOTH '''' FROM bound.part[2]) END::timestamptz
FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \((.*)\) TO \((.*)\)$') AS bound (part)
WHERE i.inhparent = parent AND NOT i.inhdetachpending AND bound.part IS NOT NULL
$body$;
COMMENT ON FUNCTION monthly_partitions(regclass) IS
    'Internal to maintenance: the partitions of a table of events and their bounds, without the default one.';

CREATE FUNCTION unpartitioned_times(parent regclass) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET datestyle = 'ISO' SET timezone = 'UTC' AS
$body$
WITH bounds AS (
    SELECT from_time, to_time, lag(to_time) OVER (ORDER BY from_time) AS previous FROM @extschema@.monthly_partitions(parent)
), gap (from_time, to_time) AS (
    SELECT previous, from_time FROM bounds WHERE from_time IS DISTINCT FROM previous AND from_time <> '-infinity'
    UNION ALL
    SELECT max(to_time), NULL FROM bounds
)
SELECT format('(%s)', string_agg(concat_ws(' AND ', format('%I >= %L::timestamptz', a.attname, g.from_time),
                                           CASE WHEN g.to_time IS NOT NULL THEN format('%I < %L::timestamptz', a.attname, g.to_time) END),
                                 ') OR ('))
FROM pg_partitioned_table p
JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
CROSS JOIN gap
CROSS JOIN LATERAL (SELECT coalesce(gap.from_time, '-infinity'), gap.to_time) AS g (from_time, to_time)
WHERE p.partrelid = parent
$body$;
COMMENT ON FUNCTION unpartitioned_times(regclass) IS
    'Internal to maintenance: a condition for rows that no monthly partition takes, written so that a query through the parent reads the default partition alone.';

REVOKE ALL ON FUNCTION monthly_partitions(regclass), unpartitioned_times(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION monthly_partitions(regclass), unpartitioned_times(regclass) TO brainsait_owner, brainsait_operator;
