-- Aggregates over plain values.

CREATE FUNCTION sparkline_add(sparkline_state, value numeric) RETURNS sparkline_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_sparkline_add';
COMMENT ON FUNCTION sparkline_add(sparkline_state, numeric) IS 'Internal to aggregate sparkline().';
CREATE FUNCTION sparkline_final(sparkline_state) RETURNS text
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_sparkline_final';
COMMENT ON FUNCTION sparkline_final(sparkline_state) IS 'Internal to aggregate sparkline().';
-- Without a combine function: rows that parallel workers share have no order to draw.
CREATE AGGREGATE sparkline(value numeric) (
    SFUNC = sparkline_add, STYPE = sparkline_state, SSPACE = 512, FINALFUNC = sparkline_final, FINALFUNC_MODIFY = READ_ONLY,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE sparkline(numeric) IS
    'One block character per row, in the order of the rows (so write sparkline(value ORDER BY day)): the least value lowest, the greatest highest, equal ones at half height. Nulls are ignored, NaN leaves a blank; null where there are no rows, more than 65536 refused (54000).';

CREATE FUNCTION min_by_add(extremum_state, value anyelement, by anycompatible) RETURNS extremum_state
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_min_by_add';
COMMENT ON FUNCTION min_by_add(extremum_state, anyelement, anycompatible) IS 'Internal to aggregate min_by().';
CREATE FUNCTION max_by_add(extremum_state, value anyelement, by anycompatible) RETURNS extremum_state
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_max_by_add';
COMMENT ON FUNCTION max_by_add(extremum_state, anyelement, anycompatible) IS 'Internal to aggregate max_by().';
CREATE FUNCTION extremum_combine(extremum_state, extremum_state) RETURNS extremum_state
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_extremum_combine';
COMMENT ON FUNCTION extremum_combine(extremum_state, extremum_state) IS 'Internal to aggregate min_by() and max_by().';
CREATE FUNCTION extremum_final(extremum_state, value anyelement, by anycompatible) RETURNS anyelement
    LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_extremum_final';
COMMENT ON FUNCTION extremum_final(extremum_state, anyelement, anycompatible) IS 'Internal to aggregate min_by() and max_by().';
CREATE AGGREGATE min_by(value anyelement, by anycompatible) (
    SFUNC = min_by_add, STYPE = extremum_state, SSPACE = 256, FINALFUNC = extremum_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = extremum_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE min_by(anyelement, anycompatible) IS
    'The value of the row whose by is least; of several such rows the smallest value. Rows in which either is null are ignored; null where none is left. The type of by needs an order (42883).';
CREATE AGGREGATE max_by(value anyelement, by anycompatible) (
    SFUNC = max_by_add, STYPE = extremum_state, SSPACE = 256, FINALFUNC = extremum_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_ONLY,
    COMBINEFUNC = extremum_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE max_by(anyelement, anycompatible) IS
    'The value of the row whose by is greatest; of several such rows the smallest value. Rows in which either is null are ignored; null where none is left. The type of by needs an order (42883).';

REVOKE ALL ON FUNCTION min_by_add(extremum_state, anyelement, anycompatible), max_by_add(extremum_state, anyelement, anycompatible),
    extremum_combine(extremum_state, extremum_state), extremum_final(extremum_state, anyelement, anycompatible) FROM PUBLIC;
REVOKE ALL ON FUNCTION sparkline_add(sparkline_state, numeric), sparkline_final(sparkline_state) FROM PUBLIC;
