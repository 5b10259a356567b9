-- health_check(): whether all is well, one row per thing that can go wrong.

CREATE FUNCTION count_default_rows(parent regclass) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    found bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s WHERE %s', parent, @extschema@.unpartitioned_times(parent)) INTO found;
    RETURN found;
END
$body$;
COMMENT ON FUNCTION count_default_rows(regclass) IS 'Internal to health_check(): rows of a table of events that no monthly partition takes.';
REVOKE ALL ON FUNCTION count_default_rows(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION count_default_rows(regclass) TO brainsait_operator;

CREATE FUNCTION health_check(recompute_revenue boolean DEFAULT true, OUT check_name text, OUT status text, OUT detail text, OUT hint text)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    found bigint;
    first_found text;
    unknown_tables boolean;
    pending bigint;
    oldest timestamptz;
    parent regclass;
    this_month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
    months_ahead integer;
BEGIN
    check_name := 'parts of the store';
    SELECT count(*), min(format('%s %s', m.kind, m.part)), bool_or(m.kind IN ('table', 'column')) INTO found, first_found, unknown_tables
    FROM @extschema@.missing_store_parts() m;
    status := CASE WHEN found = 0 THEN 'ok' ELSE 'fail' END;
    detail := CASE WHEN found = 0 THEN 'all there'
                   ELSE format('%s missing, the first: %s%s', found, first_found,
                               CASE WHEN unknown_tables THEN '; nothing else can be checked' END) END;
    hint := CASE WHEN found > 0 THEN 'As a superuser, SELECT create_store(): it brings tables of an earlier version up to date and mends triggers.' END;
    RETURN NEXT;
    IF unknown_tables THEN
        RETURN;
    END IF;

    -- Three parts of one report: what stands before the wall, what leads around it, and the rest.
    FOR check_name, hint IN
        SELECT * FROM (VALUES ('row security', 'on and forced'), ('partition grants', 'none'), ('isolation', 'no hole')) AS parts (name, good)
    LOOP
        SELECT count(*), min(format('%s: %s', r.object, r.problem)) INTO found, first_found
        FROM @extschema@.isolation_report() r
        WHERE check_name = CASE WHEN r.problem LIKE 'row-level security%' OR r.problem LIKE 'the restrictive policy%' THEN 'row security'
                                WHEN r.problem LIKE 'partition can be reached%' THEN 'partition grants'
                                ELSE 'isolation' END;
        status := CASE WHEN found = 0 THEN 'ok' ELSE 'fail' END;
        detail := CASE WHEN found = 0 THEN hint ELSE format('%s, the first: %s', found, first_found) END;
        hint := CASE WHEN found > 0 THEN 'isolation_report() lists what is open, and how to close it.' END;
        RETURN NEXT;
    END LOOP;

    IF recompute_revenue THEN
        check_name := 'revenue rollup';
        SELECT count(*), min(format('tenant %s, %s, %s of %s: %s instead of %s', c.tenant_id, c.column_name, c.currency, to_char(c.date, 'YYYY-MM-DD'),
                                    coalesce(c.stored::text, 'nothing'), coalesce(c.recomputed::text, 'nothing')))
        INTO found, first_found FROM @extschema@.check_revenue_metrics() c;
        status := CASE WHEN found = 0 THEN 'ok' ELSE 'fail' END;
        detail := CASE WHEN found = 0 THEN 'what orders and payments give' ELSE format('%s differences, the first: %s', found, first_found) END;
        hint := CASE WHEN found > 0 THEN 'Run rebuild_revenue_metrics() for the tenants that check_revenue_metrics() lists, and see that no trigger on orders and payments is disabled.' END;
        RETURN NEXT;
    END IF;

    check_name := 'pending deltas';
    SELECT count(*) INTO pending FROM @extschema@.revenue_deltas d WHERE d.written_by >= @extschema@.revenue_deltas_from();
    status := CASE WHEN pending < 10000 THEN 'ok' WHEN pending < 1000000 THEN 'warn' ELSE 'fail' END;
    detail := format('%s changes of the rollup to be folded', pending);
    hint := CASE WHEN status <> 'ok' THEN 'Run fold_revenue_deltas(), and look for what keeps the rollup''s worker from it: the server''s log, prepared transactions, brainsait.rollup_naptime.' END;
    RETURN NEXT;

    check_name := 'rollup worker';
    SELECT count(*) INTO found FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.backend_type = 'brainsait rollup worker';
    status := CASE WHEN found > 0 OR pending = 0 OR pg_is_in_recovery() THEN 'ok' ELSE 'warn' END;
    detail := CASE WHEN found > 0 THEN 'runs' WHEN pending = 0 THEN 'not needed: nothing is pending'
                   WHEN pg_is_in_recovery() THEN 'a standby has none' ELSE format('none, and %s deltas are pending', pending) END;
    hint := CASE WHEN status <> 'ok' THEN 'The next change of an order starts one, unless brainsait.rollup_naptime is 0 or max_worker_processes are taken; fold_revenue_deltas() does its work now.' END;
    RETURN NEXT;

    -- The month after this one begins soon; writers of a month without a partition fill the default one.
    FOREACH parent IN ARRAY ARRAY['@extschema@.analytics_events', '@extschema@.webhook_deliveries']::regclass[]
    LOOP
        SELECT coalesce(min(m) - 1, 24) INTO months_ahead FROM generate_series(0, 24) AS m
        WHERE NOT EXISTS (SELECT FROM @extschema@.monthly_partitions(parent) p
                          WHERE p.from_time <= (this_month + make_interval(months => m)) AT TIME ZONE 'UTC'
                            AND p.to_time >= (this_month + make_interval(months => m + 1)) AT TIME ZONE 'UTC');
        check_name := format('partitions ahead of %s', (SELECT relname FROM pg_class WHERE oid = parent));
        status := CASE WHEN months_ahead < 0 THEN 'fail' WHEN months_ahead < 1 THEN 'warn' ELSE 'ok' END;
        detail := CASE months_ahead WHEN -1 THEN 'this month has none' WHEN 0 THEN 'this month is the last' ELSE format('%s months', months_ahead) END;
        hint := CASE WHEN status <> 'ok' THEN 'CALL run_maintenance(), and let it run regularly: schedule_maintenance().' END;
        RETURN NEXT;
    END LOOP;
    FOREACH parent IN ARRAY ARRAY['@extschema@.analytics_events', '@extschema@.webhook_deliveries']::regclass[]
    LOOP
        found := @extschema@.count_default_rows(parent);
        check_name := format('default partition of %s', (SELECT relname FROM pg_class WHERE oid = parent));
        status := CASE WHEN found = 0 THEN 'ok' ELSE 'warn' END;
        detail := CASE WHEN found = 0 THEN 'empty' ELSE format('%s rows', found) END;
        hint := CASE WHEN found > 0 THEN 'CALL drain_default_partitions() moves them into months of their own, except times more than 50 years past or 10 years ahead.' END;
        RETURN NEXT;
    END LOOP;

    -- What is due, or whose lease ran out, and that nobody claims.
    check_name := 'webhook backlog';
    SELECT count(*), min(d.next_attempt_at) INTO found, oldest FROM @extschema@.webhook_deliveries d
    WHERE d.next_attempt_at < now() - interval '1 hour';
    status := CASE WHEN found = 0 THEN 'ok' WHEN oldest > now() - interval '2 days' THEN 'warn' ELSE 'fail' END;
    detail := CASE WHEN found = 0 THEN 'nothing waits for more than an hour'
                   ELSE format('%s deliveries wait for more than an hour, the oldest since %s', found, to_char(oldest AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) END;
    hint := CASE WHEN found > 0 THEN 'See that workers run which claim_webhook_deliveries().' END;
    RETURN NEXT;

    check_name := 'credentials';
    found := @extschema@.count_credentials('clear');
    status := CASE WHEN found = 0 THEN 'ok' ELSE 'fail' END;
    detail := CASE WHEN found = 0 THEN 'none in clear' ELSE format('%s credentials and secrets are in clear', found) END;
    hint := CASE WHEN found > 0 THEN 'CALL rotate_credential_keys(), with keys in the file of brainsait.credential_key_file.' END;
    -- They go on signing, but what is encrypted is longer than what it is made of, and the column's width is documented.
    found := @extschema@.count_credentials('too long');
    IF found > 0 THEN
        hint := hint || format(' %s secrets of webhooks have more than 146 bytes and stay in clear: give those a new one with rotate_webhook_secret(webhook, ''0'').', found);
    END IF;
    RETURN NEXT;

    check_name := 'credential keys';
    found := @extschema@.count_credentials('shut');
    status := CASE WHEN found = 0 THEN 'ok' ELSE 'fail' END;
    detail := CASE WHEN found = 0 THEN 'all that are in use are there' ELSE format('%s credentials and secrets are encrypted with keys that are not there', found) END;
    hint := CASE WHEN found > 0 THEN 'Put those keys back into the file of brainsait.credential_key_file, and reload; the server''s log says why a file is not used.' END;
    RETURN NEXT;
END
$body$;
COMMENT ON FUNCTION health_check(boolean) IS
    'One row per check: its name, status (ok, warn, fail), detail, and what to do. For operators. recompute_revenue = false leaves out the comparison of the rollup with all orders, which reads them.';
REVOKE ALL ON FUNCTION health_check(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION health_check(boolean) TO brainsait_operator;
