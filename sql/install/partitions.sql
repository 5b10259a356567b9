-- Monthly partitions of the append-heavy tables. Months are UTC months.

CREATE FUNCTION ensure_partition(parent regclass, month date) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    time_column name := (SELECT a.attname FROM pg_partitioned_table p
                         JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
                         WHERE p.partrelid = parent);
    parent_name name := (SELECT relname FROM pg_class WHERE oid = parent);
    default_partition regclass := (SELECT partdefid FROM pg_partitioned_table WHERE partrelid = parent);
    partition_name name := format('%s_%s', parent_name, to_char(month, 'YYYY_MM'));
    partition text := '@extschema@.' || quote_ident(partition_name);
    -- Generated columns, which an application may have added, are computed again in the new partition.
    stored_columns text := (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
                            WHERE attrelid = parent AND attnum > 0 AND NOT attisdropped AND attgenerated = '');
    lower_bound text := format('%s 00:00:00+00', to_char(date_trunc('month', month), 'YYYY-MM-DD'));
    upper_bound text := format('%s 00:00:00+00', to_char(date_trunc('month', month) + interval '1 month', 'YYYY-MM-DD'));
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Attaching takes this lock anyway. Taken first, it makes whoever else is at the same month wait and see.
    EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', parent);
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)',
                   partition, parent);
    EXECUTE format('ALTER TABLE %s OWNER TO brainsait_owner', partition);
    -- Rows of the month that the default partition caught would bar the new partition. They are every
    -- tenant's, so the wall steps aside for the owner, behind a lock that attaching takes anyway.
    EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', default_partition);
    EXECUTE format('WITH moved AS (DELETE FROM %1$s WHERE %2$I >= %3$L AND %2$I < %4$L RETURNING %5$s)
                    INSERT INTO %6$s (%5$s) SELECT %5$s FROM moved',
                   default_partition, time_column, lower_bound, upper_bound, stored_columns, partition);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', default_partition);
    -- The wall goes up first: attaching checks references in the owner's eyes, who sees no tenant, and
    -- would miss the parents of rows that it sees. References of moved rows were checked when they came.
    PERFORM @extschema@.isolate_table(partition::regclass);
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                   parent, partition, lower_bound, upper_bound);
    EXECUTE format('COMMENT ON TABLE %s IS %L', partition,
                   format('Rows of %s of %s (UTC).', parent_name, to_char(month, 'YYYY-MM')));
    RETURN true;
END
$body$;
COMMENT ON FUNCTION ensure_partition(regclass, date) IS
    'Internal to ensure_partitions(): makes one month''s partition with its wall, moving rows of that month out of the default partition. False where it exists already.';
REVOKE ALL ON FUNCTION ensure_partition(regclass, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partition(regclass, date) TO brainsait_owner;

CREATE FUNCTION ensure_partitions(months_ahead integer DEFAULT 3, from_month date DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$body$
DECLARE
    this_month date := date_trunc('month', now() AT TIME ZONE 'UTC');
    first_month date := coalesce(date_trunc('month', from_month)::date, this_month);
BEGIN
    IF months_ahead IS NULL OR months_ahead NOT BETWEEN 0 AND 120 THEN
        RAISE EXCEPTION 'months_ahead must be between 0 and 120' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT isfinite(first_month) OR first_month NOT BETWEEN this_month - interval '50 years' AND this_month THEN
        RAISE EXCEPTION 'from_month must lie within the last 50 years' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN (SELECT count(*) FILTER (WHERE @extschema@.ensure_partition(parent, month::date))
            FROM unnest(ARRAY['@extschema@.analytics_events', '@extschema@.webhook_deliveries']::regclass[]) AS parent,
                 generate_series(first_month::timestamp, this_month + make_interval(months => months_ahead),
                                 interval '1 month') AS month);
END
$body$;
COMMENT ON FUNCTION ensure_partitions(integer, date) IS
    'Makes the monthly partitions of analytics_events and webhook_deliveries from from_month (default: this month) to months_ahead months from now, and returns how many were new. Run it monthly, as a role that owns the tables; a month without one falls into the default partition and nothing is refused.';
REVOKE ALL ON FUNCTION ensure_partitions(integer, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(integer, date) TO brainsait_owner;
