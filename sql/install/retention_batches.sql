-- The batches of retention and the procedures that commit them. A procedure that commits cannot pin its search_path, so
-- those hold nothing but calls that name their schema, no operator and no other function.

CREATE FUNCTION retention_cutoff(older_than interval) RETURNS timestamptz
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
BEGIN
    IF older_than IS NULL OR NOT isfinite(older_than) OR older_than <= interval '0' OR now() - older_than >= now() THEN
        RAISE EXCEPTION 'the age from which rows are due must be a positive interval, not %', coalesce(quote_literal(older_than), 'null')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN now() - older_than;
END
$body$;
COMMENT ON FUNCTION retention_cutoff(interval) IS 'Internal to maintenance: the time before which rows of that age were made.';

CREATE FUNCTION begin_maintenance(task text, older_than interval) RETURNS uuid
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    cutoff timestamptz;
    total bigint;
BEGIN
    IF task <> 'drain_default_partitions' THEN
        cutoff := @extschema@.retention_cutoff(older_than);
    END IF;
    IF task = 'archive_orders' THEN
        SELECT count(*) INTO total FROM @extschema@.orders o WHERE o.status = 'completed' AND o.created_at < cutoff;
    ELSIF task = 'drain_default_partitions' THEN
        SELECT count(*) INTO total FROM @extschema@.months_without_partition();
    ELSE
        total := (SELECT count(*) FROM @extschema@.monthly_partitions(@extschema@.purged_table(task)) p WHERE p.to_time <= cutoff);
    END IF;
    RETURN @extschema@.start_maintenance_run(task, older_than, cutoff, total);
END
$body$;
COMMENT ON FUNCTION begin_maintenance(text, interval) IS
    'Internal to the maintenance procedures: checks the interval and begins a row of maintenance_runs.';

CREATE FUNCTION purged_table(task text) RETURNS regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
SELECT CASE task WHEN 'purge_analytics_events' THEN '@extschema@.analytics_events'::regclass
                 WHEN 'purge_webhook_deliveries' THEN '@extschema@.webhook_deliveries'::regclass END
$body$;
COMMENT ON FUNCTION purged_table(text) IS 'Internal to maintenance: the table of a purging task.';

CREATE FUNCTION months_without_partition(OUT parent regclass, OUT month date) RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    time_column name;
BEGIN
    FOREACH parent IN ARRAY ARRAY['@extschema@.analytics_events', '@extschema@.webhook_deliveries']::regclass[]
    LOOP
        SELECT a.attname INTO time_column FROM pg_partitioned_table p
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
        WHERE p.partrelid = parent;
        -- This month and three ahead, and the months of rows that the default partition caught.
        FOR month IN
            EXECUTE format(
                'SELECT m::date FROM generate_series(date_trunc(''month'', now() AT TIME ZONE ''UTC''),
                                                     date_trunc(''month'', now() AT TIME ZONE ''UTC'') + interval ''3 months'', interval ''1 month'') AS m
                 WHERE NOT EXISTS (SELECT FROM %3$s.monthly_partitions(%4$L) p WHERE p.from_time < (m + interval ''1 month'') AT TIME ZONE ''UTC''
                                                                                 AND p.to_time > m AT TIME ZONE ''UTC'')
                 UNION
                 SELECT DISTINCT date_trunc(''month'', %1$I AT TIME ZONE ''UTC'')::date FROM %2$s
                 WHERE (%5$s) AND %1$I BETWEEN now() - interval ''50 years'' AND now() + interval ''10 years''
                 ORDER BY 1', time_column, parent, '@extschema@', parent, @extschema@.unpartitioned_times(parent))
        LOOP
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION months_without_partition() IS
    'Internal to maintenance: months, up to three ahead or of rows in a default partition, that have no partition.';

CREATE FUNCTION purge_batch(run uuid) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    batch_rows constant bigint := 10000;
    batch_pages constant bigint := 128;
    tries_to_drop constant integer := 10;
    r record;
    parent regclass;
    expired record;
    kept oid[];
    dropped name[];
    place jsonb;
    time_column name;
    page bigint;
    pages bigint;
    deleted bigint := 0;
    deleted_here bigint;
    started timestamptz := clock_timestamp();
BEGIN
    SELECT * INTO STRICT r FROM @extschema@.maintenance_runs m WHERE m.id = run;
    parent := @extschema@.purged_table(r.task);
    place := r.progress;

    -- Partitions of which every row is due, oldest first.
    kept := ARRAY(SELECT jsonb_array_elements_text(place -> 'kept')::oid);
    SELECT p.partition, (SELECT c.relname FROM pg_class c WHERE c.oid = p.partition) AS name INTO expired
    FROM @extschema@.monthly_partitions(parent) p
    WHERE p.to_time <= r.cutoff AND p.partition <> ALL (kept)
    ORDER BY p.from_time LIMIT 1;
    IF expired.partition IS NOT NULL THEN
        dropped := @extschema@.drop_partitions(parent, r.cutoff, kept);
        IF dropped <> '{}' THEN
            PERFORM @extschema@.note_maintenance(run, r.done + cardinality(dropped), 0, cardinality(dropped), place - 'tries', false);
            RAISE NOTICE '%: % of %, dropped %', r.task, r.done + cardinality(dropped), greatest(r.total, r.done + cardinality(dropped)),
                         array_to_string(dropped, ', ');
        ELSIF coalesce((place ->> 'tries')::integer, 0) + 1 < tries_to_drop THEN
            PERFORM pg_sleep(0.1);
            PERFORM @extschema@.note_maintenance(run, r.done, 0, 0,
                place || jsonb_build_object('tries', coalesce((place ->> 'tries')::integer, 0) + 1), false);
        ELSE
            PERFORM @extschema@.note_maintenance(run, r.done + 1, 0, 0, place - 'tries'
                || jsonb_build_object('kept', coalesce(place -> 'kept', '[]') || to_jsonb(expired.partition::oid::text)), false);
            RAISE WARNING '%: partition % is in use and could not be dropped; its rows are deleted instead', r.task, expired.name;
        END IF;
        RETURN true;
    END IF;

    -- What is left lies in months that are due in part, in the default partition, or in partitions that stayed: they are
    -- walked page by page, all at once. Rows that somebody else is busy with are left to the next run.
    SELECT a.attname INTO time_column FROM pg_partitioned_table p
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = parent;
    page := coalesce((place ->> 'page')::bigint, 0);
    pages := coalesce((place ->> 'pages')::bigint,
                      (SELECT max(pg_relation_size(part.oid)) / current_setting('block_size')::bigint
                       FROM (SELECT p.partition::oid FROM @extschema@.monthly_partitions(parent) p WHERE p.from_time < r.cutoff
                             UNION ALL
                             SELECT partdefid FROM pg_partitioned_table WHERE partrelid = parent AND partdefid <> 0) AS part (oid)),
                      0);
    WHILE page < pages AND deleted < batch_rows AND clock_timestamp() < started + interval '1 second'
    LOOP
        EXECUTE format(
            'WITH due AS (SELECT id, %2$I AS at FROM %1$s WHERE ctid >= $1 AND ctid < $2 AND %2$I < $3 FOR UPDATE SKIP LOCKED)
             DELETE FROM %1$s AS t USING due
             WHERE t.id = due.id AND t.%2$I = due.at AND t.%2$I < $3 AND t.ctid >= $1 AND t.ctid < $2', parent, time_column)
            USING format('(%s,0)', page)::tid, format('(%s,0)', page + batch_pages)::tid, r.cutoff;
        GET DIAGNOSTICS deleted_here = ROW_COUNT;
        deleted := deleted + deleted_here;
        page := page + batch_pages;
    END LOOP;
    page := least(page, pages);
    PERFORM @extschema@.note_maintenance(run, r.done, deleted, 0, place || jsonb_build_object('page', page, 'pages', pages), page >= pages);
    RAISE NOTICE '%: page % of %, deleted % rows', r.task, page, pages, r.rows_done + deleted;
    RETURN page < pages;
END
$body$;
COMMENT ON FUNCTION purge_batch(uuid) IS
    'Internal to purge_analytics_events() and purge_webhook_deliveries(): one batch of a run; false when nothing is left.';

CREATE FUNCTION archive_batch(run uuid) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    batch_rows constant bigint := 1000;
    r record;
    tenant uuid;
    since timestamptz;
    archived bigint := 0;
    archived_here bigint;
    until timestamptz;
BEGIN
    SELECT * INTO STRICT r FROM @extschema@.maintenance_runs m WHERE m.id = run;
    since := coalesce((r.progress ->> 'since')::timestamptz, '-infinity');
    -- Tenant by tenant, which is how the index idx_orders_tenant_status_created has them.
    FOR tenant IN
        SELECT t.id FROM @extschema@.tenants t
        WHERE t.id >= coalesce((r.progress ->> 'tenant')::uuid, '00000000-0000-0000-0000-000000000000') ORDER BY t.id
    LOOP
        WITH due AS (
            SELECT o.ctid AS place, o.created_at FROM @extschema@.orders o
            WHERE o.tenant_id = tenant AND o.status = 'completed' AND o.created_at < r.cutoff AND o.created_at >= since
            ORDER BY o.created_at LIMIT batch_rows - archived FOR UPDATE SKIP LOCKED
        ), changed AS (
            -- Rows that are locked stay where they are.
            UPDATE @extschema@.orders o SET status = 'archived' FROM due WHERE o.ctid = due.place
            RETURNING due.created_at
        )
        SELECT count(*), max(c.created_at) INTO archived_here, until FROM changed c;
        archived := archived + archived_here;
        IF archived >= batch_rows THEN
            PERFORM @extschema@.note_maintenance(run, r.done + archived, archived, 0,
                                                 jsonb_build_object('tenant', tenant, 'since', until), false);
            RAISE NOTICE 'archive_orders: % of % orders', r.done + archived, greatest(r.total, r.done + archived);
            RETURN true;
        END IF;
        since := '-infinity';
    END LOOP;
    PERFORM @extschema@.note_maintenance(run, r.done + archived, archived, 0, '{}', true);
    RAISE NOTICE 'archive_orders: % of % orders', r.done + archived, greatest(r.total, r.done + archived);
    RETURN false;
END
$body$;
COMMENT ON FUNCTION archive_batch(uuid) IS 'Internal to archive_orders(): one batch of a run; false when nothing is left.';

CREATE FUNCTION drain_batch(run uuid) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    r record;
    missing record;
    tried text;
    made boolean;
BEGIN
    SELECT * INTO STRICT r FROM @extschema@.maintenance_runs m WHERE m.id = run;
    SELECT m.parent, m.month, m.parent::oid::text || ' ' || m.month AS name INTO missing FROM @extschema@.months_without_partition() m
    WHERE NOT r.progress ? (m.parent::oid::text || ' ' || m.month)
    ORDER BY m.month >= date_trunc('month', now() AT TIME ZONE 'UTC') DESC, m.month LIMIT 1;
    IF missing.parent IS NULL THEN
        PERFORM @extschema@.note_maintenance(run, r.done, 0, 0, r.progress, true);
        RETURN false;
    END IF;
    made := @extschema@.make_partition(missing.parent, missing.month);
    PERFORM @extschema@.note_maintenance(run, r.done + 1, 0, coalesce(made, false)::integer,
                                         r.progress || jsonb_build_object(missing.name, made), false);
    IF made THEN
        RAISE NOTICE 'drain_default_partitions: % of %, % of %', r.done + 1, greatest(r.total, r.done + 1),
                     to_char(missing.month, 'YYYY-MM'), (SELECT relname FROM pg_class WHERE oid = missing.parent);
    ELSE
        RAISE WARNING 'drain_default_partitions: % of % is left to the next run', to_char(missing.month, 'YYYY-MM'),
                     (SELECT relname FROM pg_class WHERE oid = missing.parent)
            USING DETAIL = CASE WHEN made IS NULL THEN 'The table was in use.' ELSE 'A table has the name of the partition.' END;
    END IF;
    RETURN true;
END
$body$;
COMMENT ON FUNCTION drain_batch(uuid) IS 'Internal to drain_default_partitions(): makes one month''s partition; false when nothing is left.';

CREATE PROCEDURE purge_analytics_events(older_than interval DEFAULT '1 year')
    LANGUAGE plpgsql AS
$body$
DECLARE
    run uuid;
BEGIN
    run := @extschema@.begin_maintenance('purge_analytics_events', older_than);
    COMMIT;
    WHILE @extschema@.purge_batch(run) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
END
$body$;
COMMENT ON PROCEDURE purge_analytics_events(interval) IS
    'Deletes events that are older, in batches that are committed: partitions of which every row is due are dropped. May be stopped and called again. 22023 for an interval that is not positive.';

CREATE PROCEDURE purge_webhook_deliveries(older_than interval DEFAULT '90 days')
    LANGUAGE plpgsql AS
$body$
DECLARE
    run uuid;
BEGIN
    run := @extschema@.begin_maintenance('purge_webhook_deliveries', older_than);
    COMMIT;
    WHILE @extschema@.purge_batch(run) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
END
$body$;
COMMENT ON PROCEDURE purge_webhook_deliveries(interval) IS
    'Deletes webhook deliveries that are older, delivered or not, as purge_analytics_events() does events.';

CREATE PROCEDURE archive_orders(older_than interval DEFAULT '2 years')
    LANGUAGE plpgsql AS
$body$
DECLARE
    run uuid;
BEGIN
    run := @extschema@.begin_maintenance('archive_orders', older_than);
    COMMIT;
    WHILE @extschema@.archive_batch(run) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
END
$body$;
COMMENT ON PROCEDURE archive_orders(interval) IS
    'Gives completed orders that are older the status archived, in batches of 1,000 that are committed; their revenue stays. Orders that somebody else is changing are left to the next run. 22023 for an interval that is not positive.';

CREATE PROCEDURE drain_default_partitions()
    LANGUAGE plpgsql AS
$body$
DECLARE
    run uuid;
BEGIN
    run := @extschema@.begin_maintenance('drain_default_partitions', NULL);
    COMMIT;
    WHILE @extschema@.drain_batch(run) LOOP
        COMMIT;
    END LOOP;
    COMMIT;
END
$body$;
COMMENT ON PROCEDURE drain_default_partitions() IS
    'Makes the partitions of this month, of three months ahead, and of the months of rows that the default partitions caught, which move there; one month a transaction.';

CREATE PROCEDURE run_maintenance(events_older_than interval DEFAULT '1 year', deliveries_older_than interval DEFAULT '90 days',
                                 orders_older_than interval DEFAULT '2 years')
    LANGUAGE plpgsql AS
$body$
BEGIN
    -- All or nothing is begun.
    PERFORM @extschema@.retention_cutoff(events_older_than), @extschema@.retention_cutoff(deliveries_older_than),
            @extschema@.retention_cutoff(orders_older_than);
    CALL @extschema@.purge_analytics_events(events_older_than);
    CALL @extschema@.purge_webhook_deliveries(deliveries_older_than);
    CALL @extschema@.drain_default_partitions();
    CALL @extschema@.archive_orders(orders_older_than);
END
$body$;
COMMENT ON PROCEDURE run_maintenance(interval, interval, interval) IS
    'All that is to be done regularly: purge_analytics_events(), purge_webhook_deliveries(), drain_default_partitions(), archive_orders().';

REVOKE ALL ON FUNCTION retention_cutoff(interval), begin_maintenance(text, interval), purged_table(text), months_without_partition(),
    purge_batch(uuid), archive_batch(uuid), drain_batch(uuid) FROM PUBLIC;
REVOKE ALL ON PROCEDURE purge_analytics_events(interval), purge_webhook_deliveries(interval), archive_orders(interval),
    drain_default_partitions(), run_maintenance(interval, interval, interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION retention_cutoff(interval), begin_maintenance(text, interval), purged_table(text), months_without_partition(),
    purge_batch(uuid), archive_batch(uuid), drain_batch(uuid) TO brainsait_operator;
GRANT EXECUTE ON PROCEDURE purge_analytics_events(interval), purge_webhook_deliveries(interval), archive_orders(interval),
    drain_default_partitions(), run_maintenance(interval, interval, interval) TO brainsait_operator;
