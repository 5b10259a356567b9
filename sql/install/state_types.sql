-- The types of aggregate states. Each is a versioned, canonical string of bytes, printed as hexadecimal digits; all have
-- the same four functions, which exist in C under the type's name. Nothing here trusts the names in the schema. A type
-- cannot be replaced: an upgrade leaves those that there are.

DO $types$
DECLARE
    state record;
    direction record;
    is_new boolean;
BEGIN
    FOR state IN
        SELECT * FROM (VALUES
            ('window_funnel_state', 'window_funnel'),
            ('distinct_sketch', 'distinct_sketch'),
            ('quantile_sketch', 'quantile_sketch'),
            ('top_k_sketch', 'top_k_sketch'),
            ('retention_state', 'retention'),
            ('retention_sum_state', 'retention_sum'),
            ('funnel_counts_state', 'funnel_counts'),
            ('cohort_retention_state', 'cohort_retention'),
            ('session_stats_state', 'session_stats'),
            ('purchase_stats_state', 'purchase_stats'),
            ('extremum_state', 'min_by() or max_by'),
            ('sparkline_state', 'sparkline')
        ) AS states (type, aggregate)
    LOOP
        is_new := NOT @extschema@.has_member('type', '@extschema@.' || state.type);
        IF is_new THEN
            EXECUTE pg_catalog.format('CREATE TYPE %I', state.type);
        END IF;
        FOR direction IN
            SELECT * FROM (VALUES
                ('in', 'cstring', state.type),
                ('out', state.type, 'cstring'),
                ('recv', 'internal', state.type),
                ('send', state.type, 'bytea')
            ) AS directions (name, argument, result)
        LOOP
            EXECUTE pg_catalog.format('CREATE FUNCTION %1$s_%2$s(%3$s) RETURNS %4$s LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
                                           AS %5$L, ''brainsait_%1$s_%2$s''',
                                      state.type, direction.name, direction.argument, direction.result, 'MODULE_PATHNAME');
            EXECUTE pg_catalog.format('COMMENT ON FUNCTION %1$s_%2$s(%3$s) IS ''Internal to type %1$s.''',
                                      state.type, direction.name, direction.argument);
            EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s_%s(%s) FROM PUBLIC', state.type, direction.name, direction.argument);
        END LOOP;
        IF is_new THEN
            EXECUTE pg_catalog.format('CREATE TYPE %1$s (INPUT = %1$s_in, OUTPUT = %1$s_out, RECEIVE = %1$s_recv, SEND = %1$s_send,
                                           INTERNALLENGTH = VARIABLE, ALIGNMENT = int4, STORAGE = extended)', state.type);
        END IF;
        EXECUTE pg_catalog.format('COMMENT ON TYPE %s IS ''What %s() has gathered: the bytes of a versioned format, the same on every machine.''',
                                  state.type, state.aggregate);
    END LOOP;
END
$types$;
