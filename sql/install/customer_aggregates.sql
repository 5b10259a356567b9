-- What one visitor or customer did: sessions and purchases.

DO $once$
BEGIN
    IF NOT @extschema@.has_member('type', '@extschema@.session_stats_result') THEN
        CREATE TYPE session_stats_result AS (sessions bigint, bounces bigint, total_duration interval, events bigint);
    END IF;
END
$once$;
COMMENT ON TYPE session_stats_result IS
    'What session_stats() gives: number of sessions, of those with a single event, the time from first to last event added up over sessions, and the number of events.';

CREATE FUNCTION session_stats_add(session_stats_state, ts timestamptz, gap interval) RETURNS session_stats_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_session_stats_add';
COMMENT ON FUNCTION session_stats_add(session_stats_state, timestamptz, interval) IS 'Internal to aggregate session_stats().';
CREATE FUNCTION session_stats_combine(session_stats_state, session_stats_state) RETURNS session_stats_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_session_stats_combine';
COMMENT ON FUNCTION session_stats_combine(session_stats_state, session_stats_state) IS 'Internal to aggregate session_stats().';
CREATE FUNCTION session_stats_final(session_stats_state) RETURNS session_stats_result
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_session_stats_final';
COMMENT ON FUNCTION session_stats_final(session_stats_state) IS 'Internal to aggregate session_stats().';
CREATE AGGREGATE session_stats(ts timestamptz, gap interval) (
    SFUNC = session_stats_add, STYPE = session_stats_state, SSPACE = 512, FINALFUNC = session_stats_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = session_stats_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE session_stats(timestamptz, interval) IS
    'Sessions of one visitor: a pause longer than gap begins a new one. Null times are ignored, infinite ones refused (22008); zeros where there are no rows. A gap of months or below zero and different gaps in one group are refused (22023), more than 16777216 sessions in one as well (54000).';

DO $once$
BEGIN
    IF NOT @extschema@.has_member('type', '@extschema@.purchase_stats_result') THEN
        CREATE TYPE purchase_stats_result AS (orders bigint, revenue numeric, first_at timestamptz, last_at timestamptz, mean_interval interval);
    END IF;
END
$once$;
COMMENT ON TYPE purchase_stats_result IS
    'What purchase_stats() gives: number of orders, their sum, the first and the last time, and the mean pause between two orders (null below two).';

CREATE FUNCTION purchase_stats_add(purchase_stats_state, ts timestamptz, amount numeric) RETURNS purchase_stats_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_purchase_stats_add';
COMMENT ON FUNCTION purchase_stats_add(purchase_stats_state, timestamptz, numeric) IS 'Internal to aggregate purchase_stats().';
CREATE FUNCTION purchase_stats_combine(purchase_stats_state, purchase_stats_state) RETURNS purchase_stats_state
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_purchase_stats_combine';
COMMENT ON FUNCTION purchase_stats_combine(purchase_stats_state, purchase_stats_state) IS 'Internal to aggregate purchase_stats().';
CREATE FUNCTION purchase_stats_final(purchase_stats_state) RETURNS purchase_stats_result
    LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'brainsait_purchase_stats_final';
COMMENT ON FUNCTION purchase_stats_final(purchase_stats_state) IS 'Internal to aggregate purchase_stats().';
CREATE AGGREGATE purchase_stats(ts timestamptz, amount numeric) (
    SFUNC = purchase_stats_add, STYPE = purchase_stats_state, SSPACE = 192, FINALFUNC = purchase_stats_final,
    FINALFUNC_MODIFY = READ_ONLY, COMBINEFUNC = purchase_stats_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE purchase_stats(timestamptz, numeric) IS
    'Recency, frequency and monetary value of one customer. Rows without time or amount are ignored, infinite times refused (22008); no orders and revenue 0 where there are no rows.';

REVOKE ALL ON FUNCTION session_stats_add(session_stats_state, timestamptz, interval),
    session_stats_combine(session_stats_state, session_stats_state), session_stats_final(session_stats_state),
    purchase_stats_add(purchase_stats_state, timestamptz, numeric),
    purchase_stats_combine(purchase_stats_state, purchase_stats_state), purchase_stats_final(purchase_stats_state) FROM PUBLIC;
