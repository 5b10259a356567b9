-- Funnels: how many of a row of steps a user took, in order and in time.

CREATE FUNCTION window_funnel_add(window_funnel_state, win interval, ts timestamptz, VARIADIC steps boolean[]) RETURNS window_funnel_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_window_funnel_add';
COMMENT ON FUNCTION window_funnel_add(window_funnel_state, interval, timestamptz, boolean[]) IS
    'Internal to aggregate window_funnel().';
CREATE FUNCTION window_funnel_add(window_funnel_state, win interval, mode text, ts timestamptz, VARIADIC steps boolean[]) RETURNS window_funnel_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_window_funnel_add_with_mode';
COMMENT ON FUNCTION window_funnel_add(window_funnel_state, interval, text, timestamptz, boolean[]) IS
    'Internal to aggregate window_funnel().';
CREATE FUNCTION window_funnel_combine(window_funnel_state, window_funnel_state) RETURNS window_funnel_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_window_funnel_combine';
COMMENT ON FUNCTION window_funnel_combine(window_funnel_state, window_funnel_state) IS 'Internal to aggregate window_funnel().';
CREATE FUNCTION window_funnel_final(window_funnel_state) RETURNS integer
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_window_funnel_final';
COMMENT ON FUNCTION window_funnel_final(window_funnel_state) IS 'Internal to aggregate window_funnel().';
CREATE FUNCTION window_funnel_times_final(window_funnel_state) RETURNS timestamptz[]
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_window_funnel_times_final';
COMMENT ON FUNCTION window_funnel_times_final(window_funnel_state) IS 'Internal to aggregate window_funnel_times().';

CREATE AGGREGATE window_funnel(win interval, ts timestamptz, VARIADIC steps boolean[]) (
    SFUNC = window_funnel_add, STYPE = window_funnel_state, SSPACE = 512, FINALFUNC = window_funnel_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = window_funnel_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE window_funnel(interval, timestamptz, boolean[]) IS
    'The largest k such that steps 1 to k (of up to 32) match rows whose times do not decrease and lie within win of the first, inclusive; one row may fill several steps. Rows without a time are ignored, a null step is not matched; 0 where there are no rows. A window of months, and different windows or numbers of steps in one group are refused (22023), more than 16777216 rows in one as well (54000).';

CREATE AGGREGATE window_funnel(win interval, mode text, ts timestamptz, VARIADIC steps boolean[]) (
    SFUNC = window_funnel_add, STYPE = window_funnel_state, SSPACE = 512, FINALFUNC = window_funnel_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = window_funnel_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE window_funnel(interval, text, timestamptz, boolean[]) IS
    'The same under modes, joined by commas. strict_increase: times strictly increase. strict_once: each step has a row of its own. strict_order: once step 1 was seen, a row that matches no step or one whose predecessor was not reached ends the chain. strict_deduplication: a repeat of a reached step other than step 1 ends it. any_order: steps in any order, each with a row of its own. Different modes in one group are refused (22023).';

CREATE AGGREGATE window_funnel_times(win interval, ts timestamptz, VARIADIC steps boolean[]) (
    SFUNC = window_funnel_add, STYPE = window_funnel_state, SSPACE = 512, FINALFUNC = window_funnel_times_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = window_funnel_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE window_funnel_times(interval, timestamptz, boolean[]) IS
    'When each step that window_funnel() counts was reached. Of several such chains of rows: the one that reaches the last step first, of these the one that started last, and in it each step as early as can be. Empty where no step was reached.';

CREATE AGGREGATE window_funnel_times(win interval, mode text, ts timestamptz, VARIADIC steps boolean[]) (
    SFUNC = window_funnel_add, STYPE = window_funnel_state, SSPACE = 512, FINALFUNC = window_funnel_times_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = window_funnel_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE window_funnel_times(interval, text, timestamptz, boolean[]) IS
    'The same under the modes of window_funnel(). With any_order: of the chains that are complete first, the one with step 1 as early as can be, then step 2, and so on.';

REVOKE ALL ON FUNCTION window_funnel_add(window_funnel_state, interval, timestamptz, boolean[]),
    window_funnel_add(window_funnel_state, interval, text, timestamptz, boolean[]),
    window_funnel_combine(window_funnel_state, window_funnel_state), window_funnel_final(window_funnel_state),
    window_funnel_times_final(window_funnel_state) FROM PUBLIC;

-- The same for two to eight steps given one by one, of which no array is made: a call like window_funnel('1 day', ts, a, b) means
-- these, since PostgreSQL prefers a function that is not VARIADIC to one of the same arguments that is.
DO $overloads$
DECLARE
    steps text;
    form record;
    aggregate record;
BEGIN
    FOR number_of_steps IN 2 .. 8 LOOP
        steps := pg_catalog.repeat(', boolean', number_of_steps);
        FOR form IN
            SELECT * FROM (VALUES
                ('interval, timestamptz', 'brainsait_window_funnel_add_steps'),
                ('interval, text, timestamptz', 'brainsait_window_funnel_add_steps_with_mode')
            ) AS forms (arguments, symbol)
        LOOP
            EXECUTE pg_catalog.format('CREATE FUNCTION window_funnel_add(window_funnel_state, %1$s%2$s) RETURNS window_funnel_state
                                           LANGUAGE C IMMUTABLE PARALLEL SAFE AS %3$L, %4$L',
                                      form.arguments, steps, 'MODULE_PATHNAME', form.symbol);
            EXECUTE pg_catalog.format('COMMENT ON FUNCTION window_funnel_add(window_funnel_state, %s%s) IS %L',
                                      form.arguments, steps, 'Internal to aggregate window_funnel().');
            EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION window_funnel_add(window_funnel_state, %s%s) FROM PUBLIC', form.arguments, steps);
            FOR aggregate IN
                SELECT * FROM (VALUES ('window_funnel', 'window_funnel_final'), ('window_funnel_times', 'window_funnel_times_final')) AS aggregates (name, final)
            LOOP
                EXECUTE pg_catalog.format('CREATE AGGREGATE %1$I(%2$s%3$s) (
                                               SFUNC = window_funnel_add, STYPE = window_funnel_state, SSPACE = 512, FINALFUNC = %4$I,
                                               FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = window_funnel_combine, PARALLEL = SAFE)',
                                          aggregate.name, form.arguments, steps, aggregate.final);
                EXECUTE pg_catalog.format('COMMENT ON AGGREGATE %I(%s%s) IS %L', aggregate.name, form.arguments, steps,
                                          'The same with ' || number_of_steps || ' steps, of which no array is made for every row.');
            END LOOP;
        END LOOP;
    END LOOP;
END
$overloads$;
