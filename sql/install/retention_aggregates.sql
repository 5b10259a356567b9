-- Retention: which conditions a group met, and sums of such rows over groups.

CREATE FUNCTION retention_add(retention_state, VARIADIC conditions boolean[]) RETURNS retention_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_retention_add';
COMMENT ON FUNCTION retention_add(retention_state, boolean[]) IS 'Internal to aggregate retention().';
CREATE FUNCTION retention_combine(retention_state, retention_state) RETURNS retention_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_retention_combine';
COMMENT ON FUNCTION retention_combine(retention_state, retention_state) IS 'Internal to aggregate retention().';
CREATE FUNCTION retention_final(retention_state) RETURNS boolean[]
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_retention_final';
COMMENT ON FUNCTION retention_final(retention_state) IS 'Internal to aggregate retention().';
CREATE AGGREGATE retention(VARIADIC conditions boolean[]) (
    SFUNC = retention_add, STYPE = retention_state, SSPACE = 128, FINALFUNC = retention_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = retention_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE retention(boolean[]) IS
    'One flag per condition (1 to 64): the first says whether it held in any row of the group, each other one whether it and the first did. A null condition is false; null where there are no rows.';

CREATE FUNCTION retention_sum_add(retention_sum_state, flags boolean[]) RETURNS retention_sum_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_retention_sum_add';
COMMENT ON FUNCTION retention_sum_add(retention_sum_state, boolean[]) IS 'Internal to aggregate retention_sum().';
CREATE FUNCTION retention_sum_combine(retention_sum_state, retention_sum_state) RETURNS retention_sum_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_retention_sum_combine';
COMMENT ON FUNCTION retention_sum_combine(retention_sum_state, retention_sum_state) IS 'Internal to aggregate retention_sum().';
CREATE FUNCTION retention_sum_final(retention_sum_state) RETURNS bigint[]
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_retention_sum_final';
COMMENT ON FUNCTION retention_sum_final(retention_sum_state) IS 'Internal to aggregate retention_sum().';
CREATE AGGREGATE retention_sum(flags boolean[]) (
    SFUNC = retention_sum_add, STYPE = retention_sum_state, SSPACE = 256, FINALFUNC = retention_sum_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = retention_sum_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE retention_sum(boolean[]) IS
    'How many rows have a true flag at each position: over the arrays of retention() or cohort_retention(), one number per period. Null arrays are ignored, null flags are false; arrays of different lengths are refused (22023).';

CREATE FUNCTION funnel_counts_add(funnel_counts_state, level integer, steps integer) RETURNS funnel_counts_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_funnel_counts_add';
COMMENT ON FUNCTION funnel_counts_add(funnel_counts_state, integer, integer) IS 'Internal to aggregate funnel_counts().';
CREATE FUNCTION funnel_counts_combine(funnel_counts_state, funnel_counts_state) RETURNS funnel_counts_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_funnel_counts_combine';
COMMENT ON FUNCTION funnel_counts_combine(funnel_counts_state, funnel_counts_state) IS 'Internal to aggregate funnel_counts().';
CREATE FUNCTION funnel_counts_final(funnel_counts_state) RETURNS bigint[]
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_funnel_counts_final';
COMMENT ON FUNCTION funnel_counts_final(funnel_counts_state) IS 'Internal to aggregate funnel_counts().';
CREATE AGGREGATE funnel_counts(level integer, steps integer) (
    SFUNC = funnel_counts_add, STYPE = funnel_counts_state, SSPACE = 256, FINALFUNC = funnel_counts_final, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = funnel_counts_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE funnel_counts(integer, integer) IS
    'How many rows have a level of at least 1, 2, ... steps: over the levels of window_funnel(), one number per step. A null level is ignored; one that is not 0 to steps is refused (22023).';

CREATE FUNCTION cohort_retention_add(cohort_retention_state, anchor timestamptz, ts timestamptz, period interval, n integer)
    RETURNS cohort_retention_state LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_cohort_retention_add';
COMMENT ON FUNCTION cohort_retention_add(cohort_retention_state, timestamptz, timestamptz, interval, integer) IS
    'Internal to aggregate cohort_retention().';
CREATE FUNCTION cohort_retention_add(cohort_retention_state, anchor timestamptz, ts timestamptz, period interval, n integer, mode text)
    RETURNS cohort_retention_state LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_cohort_retention_add';
COMMENT ON FUNCTION cohort_retention_add(cohort_retention_state, timestamptz, timestamptz, interval, integer, text) IS
    'Internal to aggregate cohort_retention().';
CREATE FUNCTION cohort_retention_add(cohort_retention_state, anchor timestamptz, ts timestamptz, period interval, n integer, mode text, time_zone text)
    RETURNS cohort_retention_state LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_cohort_retention_add';
COMMENT ON FUNCTION cohort_retention_add(cohort_retention_state, timestamptz, timestamptz, interval, integer, text, text) IS
    'Internal to aggregate cohort_retention().';
CREATE FUNCTION cohort_retention_combine(cohort_retention_state, cohort_retention_state) RETURNS cohort_retention_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_cohort_retention_combine';
COMMENT ON FUNCTION cohort_retention_combine(cohort_retention_state, cohort_retention_state) IS 'Internal to aggregate cohort_retention().';
CREATE FUNCTION cohort_retention_final(cohort_retention_state) RETURNS boolean[]
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_cohort_retention_final';
COMMENT ON FUNCTION cohort_retention_final(cohort_retention_state) IS 'Internal to aggregate cohort_retention().';

CREATE AGGREGATE cohort_retention(anchor timestamptz, ts timestamptz, period interval, n integer) (
    SFUNC = cohort_retention_add, STYPE = cohort_retention_state, SSPACE = 512, FINALFUNC = cohort_retention_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = cohort_retention_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE cohort_retention(timestamptz, timestamptz, interval, integer) IS
    'For each of n periods (1 to 1000) after anchor, whether the group was active in it: period i begins i times period after anchor, months and days counted on the calendar of UTC. Rows without anchor or time are ignored, times before the anchor count for nothing; null where there are no rows. Parameters that differ in one group, anchor included, are refused (22023).';

CREATE AGGREGATE cohort_retention(anchor timestamptz, ts timestamptz, period interval, n integer, mode text) (
    SFUNC = cohort_retention_add, STYPE = cohort_retention_state, SSPACE = 512, FINALFUNC = cohort_retention_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = cohort_retention_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE cohort_retention(timestamptz, timestamptz, interval, integer, text) IS
    'The same in mode on, or on_or_after: active in the period or at any later time.';

CREATE AGGREGATE cohort_retention(anchor timestamptz, ts timestamptz, period interval, n integer, mode text, time_zone text) (
    SFUNC = cohort_retention_add, STYPE = cohort_retention_state, SSPACE = 512, FINALFUNC = cohort_retention_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = cohort_retention_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE cohort_retention(timestamptz, timestamptz, interval, integer, text, text) IS
    'The same with months and days counted on the calendar of a time zone by its full name, as Asia/Riyadh.';

REVOKE ALL ON FUNCTION retention_add(retention_state, boolean[]), retention_combine(retention_state, retention_state),
    retention_final(retention_state), retention_sum_add(retention_sum_state, boolean[]),
    retention_sum_combine(retention_sum_state, retention_sum_state), retention_sum_final(retention_sum_state),
    funnel_counts_add(funnel_counts_state, integer, integer), funnel_counts_combine(funnel_counts_state, funnel_counts_state),
    funnel_counts_final(funnel_counts_state),
    cohort_retention_add(cohort_retention_state, timestamptz, timestamptz, interval, integer),
    cohort_retention_add(cohort_retention_state, timestamptz, timestamptz, interval, integer, text),
    cohort_retention_add(cohort_retention_state, timestamptz, timestamptz, interval, integer, text, text),
    cohort_retention_combine(cohort_retention_state, cohort_retention_state), cohort_retention_final(cohort_retention_state) FROM PUBLIC;
