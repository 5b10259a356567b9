-- Stored states of aggregates against bytes that anybody may send, as text and by COPY in binary form.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;

CREATE TABLE good (type regtype, state text);
CREATE AGGREGATE funnel_of(interval, text, timestamptz, VARIADIC boolean[]) (SFUNC = window_funnel_add, STYPE = window_funnel_state);
CREATE AGGREGATE retention_of(VARIADIC boolean[]) (SFUNC = retention_add, STYPE = retention_state);
CREATE AGGREGATE sum_of(boolean[]) (SFUNC = retention_sum_add, STYPE = retention_sum_state);
CREATE AGGREGATE counts_of(int, int) (SFUNC = funnel_counts_add, STYPE = funnel_counts_state);
CREATE AGGREGATE cohort_of(timestamptz, timestamptz, interval, int, text, text) (SFUNC = cohort_retention_add, STYPE = cohort_retention_state);
CREATE AGGREGATE sessions_of(timestamptz, interval) (SFUNC = session_stats_add, STYPE = session_stats_state);
CREATE AGGREGATE purchases_of(timestamptz, numeric) (SFUNC = purchase_stats_add, STYPE = purchase_stats_state);
CREATE AGGREGATE minimum_of(anyelement, anycompatible) (SFUNC = min_by_add, STYPE = extremum_state);
CREATE AGGREGATE line_of(numeric) (SFUNC = sparkline_add, STYPE = sparkline_state);
INSERT INTO good
SELECT pg_typeof(s), s::text FROM (SELECT funnel_of('1 hour', 'strict_order', ts, x > 1, x > 2, x > 3) AS s FROM (SELECT x, '2026-01-01'::timestamptz + x * interval '7 min' AS ts FROM generate_series(1, 5) AS x) AS t) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT retention_of(true, false, true) AS s) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT sum_of('{t,f,t}') AS s) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT counts_of(3, 4) AS s) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT cohort_of('2026-01-01', '2026-03-04', '1 month', 13, 'on', 'Asia/Riyadh') AS s) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT sessions_of('2026-01-01'::timestamptz + x * x * interval '1 minute', '4 minutes') AS s FROM generate_series(1, 6) AS x) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT purchases_of('2026-01-01'::timestamptz + x * interval '1 minute', x * 1.25) AS s FROM generate_series(1, 6) AS x) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT minimum_of(ARRAY['b', 'a'], 1.50) AS s) AS v
UNION ALL SELECT pg_typeof(s), s::text FROM (SELECT line_of(x) AS s FROM generate_series(1, 5) AS x) AS v;
-- Every type of a state that the extension has is here.
SELECT typname AS forgotten FROM pg_type t JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
WHERE typnamespace = 'shop'::regnamespace AND typname ~ '_state$' AND typelem = 0 AND NOT EXISTS (SELECT FROM good WHERE type = t.oid) ORDER BY 1;

-- What a state of each type is read with.
CREATE FUNCTION read_state(type regtype, state text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format(CASE type::text
        WHEN 'window_funnel_state' THEN 'SELECT window_funnel_final(s)::text || window_funnel_times_final(s)::text FROM (SELECT %L::%s AS s) AS v'
        WHEN 'retention_state' THEN 'SELECT retention_final(%L::%s)'
        WHEN 'retention_sum_state' THEN 'SELECT retention_sum_final(%L::%s)'
        WHEN 'funnel_counts_state' THEN 'SELECT funnel_counts_final(%L::%s)'
        WHEN 'cohort_retention_state' THEN 'SELECT cohort_retention_final(%L::%s)'
        WHEN 'session_stats_state' THEN 'SELECT session_stats_final(%L::%s)'
        WHEN 'purchase_stats_state' THEN 'SELECT purchase_stats_final(%L::%s)'
        WHEN 'extremum_state' THEN 'SELECT extremum_final(%L::%s, NULL::text[], NULL::numeric)'
        WHEN 'sparkline_state' THEN 'SELECT sparkline_final(%L::%s)' END, state, type) INTO result;
    RETURN result;
END
$$;
SELECT type, read_state(type, state) FROM good ORDER BY type::text COLLATE "C";

-- Bytes flipped, cut off and added at random: refused with a code of its own, or a state that prints as it was given and can be read.
CREATE FUNCTION changed(state text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    bytes bytea := state::bytea;
    place int;
BEGIN
    FOR i IN 1 .. 1 + (random() * 1.5)::int LOOP
        place := floor(random() * length(bytes))::int;
        bytes := set_byte(bytes, place, floor(random() * 256)::int);
    END LOOP;
    IF random() < 0.1 THEN bytes := substr(bytes, 1, floor(random() * length(bytes))::int); END IF;
    IF random() < 0.1 THEN bytes := bytes || substr(sha256(random()::text::bytea), 1, (random() * 9)::int); END IF;
    RETURN bytes::text;
END
$$;
CREATE FUNCTION try_text(type regtype, state text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    again text;
    code text;
BEGIN
    EXECUTE format('SELECT %L::%s::text', state, type) INTO again;
    IF again <> state THEN RETURN 'changed'; END IF;
    BEGIN
        PERFORM read_state(type, state);
    EXCEPTION WHEN OTHERS THEN
        -- A readable state of extremes may be of another type, sums may overflow.
        IF SQLSTATE NOT IN ('42804', '22003', '22008') THEN RETURN 'cannot be read: ' || SQLSTATE; END IF;
    END;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE;
    RETURN CASE WHEN code = '22P02' THEN 'refused' WHEN type = 'extremum_state'::regtype AND code ~ '^(22|42|54000|08P01|0A000|3F000)' THEN 'refused by the value''s type' ELSE code END;
END
$$;
SELECT setseed(0.1);
SELECT type, outcome, count(*) > 0 AS some
FROM (SELECT type, try_text(type, changed(state)) AS outcome FROM good, generate_series(1, 1500)) AS tries
GROUP BY 1, 2 ORDER BY type::text COLLATE "C", 2;

-- The same by COPY, whose codes are those of binary input.
CREATE FUNCTION try_binary(type regtype, state text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    file text := current_setting('data_directory') || '/brainsait_regress_states';
    bytes bytea := state::bytea;
    object oid;
    code text;
BEGIN
    object := lo_from_bytea(0, '\x5047434f50590aff0d0a000000000000000000'::bytea || '\x0001'::bytea || int4send(length(bytes)) || bytes || '\xffff'::bytea);
    PERFORM lo_export(object, file), lo_unlink(object);
    EXECUTE format('CREATE TEMPORARY TABLE received (state %s) ON COMMIT DROP', type);
    EXECUTE format('COPY received FROM %L (FORMAT binary)', file);
    EXECUTE 'SELECT state::text FROM received' INTO code;
    DROP TABLE received;
    RETURN CASE WHEN code = state THEN 'accepted' ELSE 'changed' END;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE;
    RETURN CASE WHEN code = '22P03' THEN 'refused' WHEN type = 'extremum_state'::regtype AND code ~ '^(22|42|54000|08P01|0A000|3F000)' THEN 'refused by the value''s type' ELSE code END;
END
$$;
SELECT type, try_binary(type, state), try_binary(type, state || '00') AS too_long, try_binary(type, '\x') AS empty FROM good ORDER BY type::text COLLATE "C";
SELECT type, outcome, count(*) > 0 AS some
FROM (SELECT type, try_binary(type, changed(state)) AS outcome FROM good, generate_series(1, 60)) AS tries
WHERE type <> 'extremum_state'::regtype AND outcome <> 'accepted' GROUP BY 1, 2 ORDER BY type::text COLLATE "C", 2;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
