-- window_funnel() and its companions against plain SQL: joins over all chains, and walks by recursion.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;

-- Shoppers with many rows at one time; a row may be several steps, or none.
SELECT setseed(0.25);
CREATE TABLE clicks AS
SELECT g AS id, (random() * 400)::int AS shopper, '2026-01-01'::timestamptz + (random() * 6)::int * interval '1 minute' AS ts,
       random() < 0.4 AS a, random() < 0.4 AS b, random() < 0.4 AS c
FROM generate_series(1, 3000) AS g;
UPDATE clicks SET a = NULL WHERE NOT a AND id % 2 = 0;
UPDATE clicks SET ts = NULL WHERE id % 50 = 0;
CREATE VIEW level_of AS
SELECT shopper,
       window_funnel('3 minutes', ts, a, b, c) AS free,
       window_funnel('3 minutes', 'strict_increase', ts, a, b, c) AS increase,
       window_funnel('3 minutes', 'strict_once', ts, a, b, c) AS once,
       window_funnel('3 minutes', 'any_order', ts, a, b, c) AS any_order,
       window_funnel('3 minutes', 'strict_order', ts, a, b, c) AS strict_order,
       window_funnel('3 minutes', 'strict_deduplication', ts, a, b, c) AS deduplication,
       window_funnel('3 minutes', 'strict_order,strict_increase', ts, a, b, c) AS order_increase
FROM clicks GROUP BY shopper;

-- Chains of one, two and three rows, by definition.
CREATE VIEW chains AS
SELECT x.shopper, x.ts AS t1, y.ts AS t2, z.ts AS t3, x.id AS r1, y.id AS r2, z.id AS r3
FROM clicks x
LEFT JOIN clicks y ON y.shopper = x.shopper AND y.b AND y.ts BETWEEN x.ts AND x.ts + interval '3 minutes'
LEFT JOIN clicks z ON z.shopper = x.shopper AND z.c AND z.ts BETWEEN y.ts AND x.ts + interval '3 minutes'
WHERE x.a AND x.ts IS NOT NULL;
CREATE VIEW expected_free AS
SELECT shopper, coalesce(max(CASE WHEN t3 IS NOT NULL THEN 3 WHEN t2 IS NOT NULL THEN 2 ELSE 1 END), 0) AS free,
       coalesce(max(CASE WHEN t3 > t2 AND t2 > t1 THEN 3 WHEN t2 > t1 THEN 2 ELSE 1 END), 0) AS increase,
       coalesce(max(CASE WHEN r3 <> r2 AND r3 <> r1 AND r2 <> r1 THEN 3 WHEN r2 <> r1 THEN 2 ELSE 1 END), 0) AS once
FROM chains GROUP BY shopper;
SELECT count(*) AS differ FROM level_of FULL JOIN expected_free e USING (shopper)
WHERE (level_of.free, level_of.increase, level_of.once) IS DISTINCT FROM (coalesce(e.free, 0), coalesce(e.increase, 0), coalesce(e.once, 0));
SELECT free, count(*) > 5 AS several, count(*) FILTER (WHERE increase < free) > 0 AS ties_matter, count(*) FILTER (WHERE once < free) > 0 AS rows_matter
FROM level_of GROUP BY free ORDER BY free;

SELECT count(*) AS differ FROM level_of l
WHERE any_order IS DISTINCT FROM CASE
    WHEN EXISTS (SELECT FROM clicks x, clicks y, clicks z WHERE x.shopper = l.shopper AND y.shopper = l.shopper AND z.shopper = l.shopper
                 AND x.a AND y.b AND z.c AND x.id <> y.id AND y.id <> z.id AND x.id <> z.id
                 AND greatest(x.ts, y.ts, z.ts) - least(x.ts, y.ts, z.ts) <= interval '3 minutes' AND x.ts + (y.ts - z.ts) IS NOT NULL) THEN 3
    WHEN EXISTS (SELECT FROM clicks x, clicks y WHERE x.shopper = l.shopper AND y.shopper = l.shopper AND x.a AND y.b AND x.id <> y.id
                 AND greatest(x.ts, y.ts) - least(x.ts, y.ts) <= interval '3 minutes' AND x.ts - y.ts IS NOT NULL) THEN 2
    WHEN EXISTS (SELECT FROM clicks x WHERE x.shopper = l.shopper AND x.a AND x.ts IS NOT NULL) THEN 1
    ELSE 0 END;

-- Walks: the steps of a shopper in a line, by time and step; from each step 1 on, one after the other.
CREATE TABLE lines AS
SELECT shopper, row_number() OVER (PARTITION BY shopper ORDER BY ts, step) AS place, ts, step
FROM (SELECT shopper, ts, step FROM clicks, LATERAL (VALUES (1, a), (2, b), (3, c), (0, NOT (coalesce(a, false) OR b OR c))) AS steps (step, is_step)
      WHERE is_step AND ts IS NOT NULL) AS steps;
CREATE INDEX ON lines (shopper, place);
CREATE FUNCTION walks(is_order boolean, is_deduplication boolean, is_increase boolean) RETURNS TABLE (shopper int, level int)
LANGUAGE sql AS $$
    WITH RECURSIVE walk AS (
        SELECT shopper, place, ts AS start, ts AS last, 1 AS level, true AS goes_on FROM lines WHERE step = 1
        UNION ALL
        SELECT w.shopper, l.place, w.start,
               CASE WHEN l.step = w.level + 1 AND (NOT is_increase OR l.ts > w.last) THEN l.ts ELSE w.last END,
               CASE WHEN l.step = w.level + 1 AND (NOT is_increase OR l.ts > w.last) THEN w.level + 1 ELSE w.level END,
               NOT (is_order AND (l.step = 0 OR l.step > w.level + 1)) AND NOT (is_deduplication AND l.step > 1 AND l.step <= w.level)
        FROM walk w JOIN lines l ON l.shopper = w.shopper AND l.place = w.place + 1
        WHERE w.goes_on AND l.ts - w.start <= interval '3 minutes'
    )
    SELECT shopper, max(level) FROM walk GROUP BY shopper
$$;
SELECT count(*) AS differ FROM level_of LEFT JOIN walks(true, false, false) USING (shopper) WHERE strict_order <> coalesce(level, 0);
SELECT count(*) AS differ FROM level_of LEFT JOIN walks(false, true, false) USING (shopper) WHERE deduplication <> coalesce(level, 0);
SELECT count(*) AS differ FROM level_of LEFT JOIN walks(true, false, true) USING (shopper) WHERE order_increase <> coalesce(level, 0);
SELECT strict_order, count(*) > 2 AS several, count(*) FILTER (WHERE deduplication <> strict_order) > 0 AS modes_differ FROM level_of GROUP BY 1 ORDER BY 1;

-- When: most steps, then the earliest end, then the latest start, then each step as early as can be.
CREATE VIEW expected_times AS
SELECT DISTINCT ON (shopper) shopper, array_remove(ARRAY[t1, t2, t3], NULL) AS times
FROM (SELECT shopper, t1, t2, t3 FROM chains UNION SELECT shopper, t1, t2, NULL FROM chains UNION SELECT shopper, t1, NULL, NULL FROM chains) AS c
ORDER BY shopper, (t2 IS NOT NULL)::int + (t3 IS NOT NULL)::int DESC, coalesce(t3, t2, t1), t1 DESC, t2;
SELECT count(*) AS differ FROM (SELECT shopper, window_funnel_times('3 minutes', ts, a, b, c) AS times FROM clicks GROUP BY shopper) AS found
LEFT JOIN expected_times e USING (shopper) WHERE found.times <> coalesce(e.times, '{}');
SELECT window_funnel_times('1 hour', 'any_order', ts, k = 'a', k = 'b') AS any_order, window_funnel_times('1 hour', ts, k = 'a', k = 'b') AS in_order,
       window_funnel_times('1 hour', ts, k = 'x', k = 'b') AS none
FROM (VALUES ('2026-01-01 10:00'::timestamptz, 'b'), ('2026-01-01 10:30', 'a')) AS v (ts, k);

-- Parallel plans, partitions, any order of rows: the same levels.
CREATE TABLE levels AS SELECT * FROM level_of;
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixtures/plan_has.sql'
\i :fixture
CREATE TABLE split_clicks (LIKE clicks) PARTITION BY HASH (id);
CREATE TABLE split_clicks_0 PARTITION OF split_clicks FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE split_clicks_1 PARTITION OF split_clicks FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO split_clicks SELECT * FROM clicks ORDER BY md5(id::text);
ANALYZE clicks, split_clicks;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT plan_has('SELECT * FROM level_of', 'Partial .*Aggregate') AS partial, plan_has('SELECT * FROM level_of', 'Gather') AS gathered;
SELECT count(*) AS differ FROM (TABLE level_of EXCEPT TABLE levels) AS d;
SET enable_partitionwise_aggregate = on;
\set partitioned 'SELECT shopper, window_funnel(''3 minutes'', ''strict_once'', ts, a, b, c), window_funnel_times(''3 minutes'', ts, a, b, c) FROM split_clicks GROUP BY shopper'
SELECT plan_has(:'partitioned', 'Partial .*Aggregate') AS partial;
SELECT count(*) AS differ FROM (:partitioned) AS f JOIN levels USING (shopper) LEFT JOIN expected_times e USING (shopper)
WHERE window_funnel <> once OR window_funnel_times <> coalesce(e.times, '{}');
SET max_parallel_workers_per_gather = 0;
SELECT count(*) AS differ FROM (:partitioned) AS f JOIN levels USING (shopper) WHERE window_funnel <> once;
SELECT count(set_config(name, 'off', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET ALL;
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = shop;

-- As a window aggregate, each row's level is that of the rows up to it; two aggregates share one state.
SELECT count(*) AS differ FROM (
    SELECT c.*, window_funnel('3 minutes', ts, a, b, c) OVER w AS level, window_funnel_times('3 minutes', ts, a, b, c) OVER w AS times
    FROM clicks c WHERE shopper < 40 WINDOW w AS (PARTITION BY shopper ORDER BY id DESC)) AS rows_
WHERE (level, times) IS DISTINCT FROM (SELECT (window_funnel('3 minutes', ts, a, b, c), window_funnel_times('3 minutes', ts, a, b, c))
                                       FROM clicks WHERE shopper = rows_.shopper AND id >= rows_.id);
SELECT shopper % 2 AS odd, a, window_funnel('3 minutes', ts, a, b, c) FROM clicks WHERE shopper < 3 GROUP BY GROUPING SETS ((shopper % 2), (a), ()) ORDER BY 1, 2;

-- Nothing to count; null steps; rows of the first step alone; the ends of time.
SELECT window_funnel('1 hour', ts, a) FILTER (WHERE false), window_funnel_times('1 hour', ts, a) FILTER (WHERE false), window_funnel('1 hour', NULL, a) FROM clicks;
SELECT window_funnel('1 hour', ts, NULL, a), window_funnel('1 hour', ts, VARIADIC NULL::boolean[]), window_funnel('0', ts, a, b) FROM clicks;
SELECT window_funnel('100 days', ts, k = 1, k = 2), window_funnel('1 day', 'any_order,strict_increase', ts, k = 1, k = 3)
FROM (VALUES ('-infinity'::timestamptz, 1), ('infinity', 2), ('infinity', 1), ('infinity', 3)) AS v (ts, k);
\set VERBOSITY sqlstate
SELECT window_funnel(NULL, ts, a) FROM clicks;
SELECT window_funnel('1 hour', NULL, ts, a) FROM clicks;
SELECT window_funnel('1 hour', 'strict', ts, a) FROM clicks;
SELECT window_funnel('1 hour', 'any_order,strict_order', ts, a) FROM clicks;
SELECT window_funnel('1 month', ts, a) FROM clicks;
SELECT window_funnel('-1 hour', ts, a) FROM clicks;
SELECT window_funnel('2147483647 days', ts, a) FROM clicks;
SELECT window_funnel(make_interval(mins => id), ts, a) FROM clicks;
SELECT window_funnel('1 hour', CASE WHEN id % 2 = 0 THEN 'strict_once' ELSE '' END, ts, a) FROM clicks;
SELECT window_funnel('1 hour', ts, VARIADIC array_fill(true, ARRAY[1 + id % 2])) FROM clicks;
SELECT window_funnel('1 hour', ts, VARIADIC array_fill(true, ARRAY[33])) FROM clicks;
SELECT window_funnel('1 hour', ts, VARIADIC '{}') FROM clicks;
SELECT window_funnel('1 hour', ts, VARIADIC '{{t},{f}}') FROM clicks;
SELECT window_funnel_add(NULL::window_funnel_state, '1 hour', now(), true);
SELECT window_funnel_combine(NULL, NULL);
\set VERBOSITY default
-- In parallel workers that each see one window only, the leader refuses.
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET enable_partitionwise_aggregate = on; SET max_parallel_workers_per_gather = 0;
SELECT window_funnel(CASE tableoid::regclass::text WHEN 'split_clicks_0' THEN interval '1 hour' ELSE '1 minute' END, ts, a) FROM split_clicks;
RESET ALL;
SET client_min_messages = warning;
SET timezone = 'UTC';
SET search_path = shop;

-- Steps given one by one, two to eight, are other aggregates than the array of them: the same level and times, in every mode and for null
-- steps and times, in groups of one row and of many, alone, in parallel and merged, and row by row.
CREATE TABLE wide_clicks AS
SELECT id, shopper, ts, ARRAY(SELECT CASE WHEN h & 7 < 3 THEN true WHEN h & 7 < 7 THEN false END FROM (SELECT hashint4extended(id, n) AS h FROM generate_series(1, 8) AS n) AS random) AS steps
FROM clicks WHERE shopper < 100;
ANALYZE wide_clicks;
CREATE FUNCTION differing_overloads(over text, grouped text, OUT calls bigint, OUT arrays bigint, OUT compared bigint, OUT reached bigint, OUT differ bigint) LANGUAGE plpgsql AS $$
DECLARE
    modes text;
    listed text;
    answer record;
BEGIN
    calls := 0; arrays := 0; compared := 0; reached := 0; differ := 0;
    FOR modes IN
        SELECT quote_literal(concat_ws(',', a, b, c, d, e)) || ', '
        FROM (VALUES ('strict_increase'), (NULL)) AS a (a), (VALUES ('strict_once'), (NULL)) AS b (b), (VALUES ('strict_order'), (NULL)) AS c (c),
             (VALUES ('strict_deduplication'), (NULL)) AS d (d), (VALUES ('any_order'), (NULL)) AS e (e)
        WHERE e IS NULL OR (c IS NULL AND d IS NULL)
        UNION ALL SELECT ''
    LOOP
        FOR size IN 2 .. 8 LOOP
            SELECT string_agg(format('steps[%s]', n), ', ' ORDER BY n) INTO listed FROM generate_series(1, size) AS n;
            EXECUTE format('CREATE OR REPLACE VIEW called AS
                SELECT window_funnel(''3 minutes'', %1$s ts, %2$s) %4$s AS level, window_funnel_times(''3 minutes'', %1$s ts, %2$s) %4$s AS times FROM wide_clicks %5$s', modes, listed, size, over, grouped);
            EXECUTE format('SELECT count(*) AS pairs, sum(level) AS reached, count(*) FILTER (WHERE (level, times) IS DISTINCT FROM (array_level, array_times)) AS differ FROM (
                SELECT window_funnel(''3 minutes'', %1$s ts, %2$s) %4$s AS level, window_funnel_times(''3 minutes'', %1$s ts, %2$s) %4$s AS times,
                    window_funnel(''3 minutes'', %1$s ts, VARIADIC steps[:%3$s]) %4$s AS array_level, window_funnel_times(''3 minutes'', %1$s ts, VARIADIC steps[:%3$s]) %4$s AS array_times
                FROM wide_clicks %5$s) AS both_ways', modes, listed, size, over, grouped) INTO answer;
            calls := calls + 1;
            arrays := arrays + (pg_get_viewdef('called') ~ 'VARIADIC|ARRAY')::int;
            compared := compared + answer.pairs;
            reached := reached + answer.reached;
            differ := differ + answer.differ;
        END LOOP;
    END LOOP;
END
$$;
SELECT calls, arrays, compared > 20000 AS many, reached > compared AS far, differ FROM differing_overloads('', 'GROUP BY GROUPING SETS ((shopper), (id % 50), ())');
SELECT calls, arrays, compared > 2000 AS many, reached > compared AS far, differ FROM differing_overloads('OVER (PARTITION BY shopper ORDER BY id)', 'WHERE shopper < 4');
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT string_agg(format('window_funnel(''3 minutes'', ts, %1$s) = window_funnel(''3 minutes'', ts, VARIADIC steps[:%2$s]) AND window_funnel(''3 minutes'', ''strict_once'', ts, %1$s) = window_funnel(''3 minutes'', ''strict_once'', ts, VARIADIC steps[:%2$s])',
                         (SELECT string_agg(format('steps[%s]', n), ', ' ORDER BY n) FROM generate_series(1, size) AS n), size), ' AND ') AS all_alike FROM generate_series(2, 8) AS size \gset
\set in_parallel 'SELECT shopper, ' :all_alike ' AS alike FROM wide_clicks GROUP BY shopper'
SELECT plan_has(:'in_parallel', 'Partial .*Aggregate') AS partial;
SELECT count(*) > 90 AS many, bool_and(alike) AS alike FROM (:in_parallel) AS compared;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
-- Which of them a call means does not depend on what is a literal; one and nine steps are an array; both kinds of state merge.
PREPARE called_with (interval, text, timestamptz, boolean) AS SELECT window_funnel($1, $3, $4, NULL), window_funnel($1, $2, $3, $4, NULL), window_funnel($1, $2, $3, NULL, NULL, $4);
EXECUTE called_with ('1 hour', 'any_order', '2026-01-01', true);
SELECT window_funnel('1 hour', ts, 'true', NULL), window_funnel('1 hour', 'strict_once', '2026-01-01'::timestamptz, 'true', 'yes'), window_funnel('1 hour', NULL, a, b) FROM clicks;
CREATE VIEW one_or_nine AS SELECT window_funnel('1 hour', ts, a) AS one, window_funnel('1 hour', ts, a, b, c, a, b, c, a, b, c) AS nine, window_funnel('1 hour', 'any_order', ts, a, a, a, a, a, a, a, a, a) AS in_mode FROM clicks;
TABLE one_or_nine;
CREATE AGGREGATE listed_state(interval, timestamptz, boolean, boolean) (SFUNC = window_funnel_add, STYPE = window_funnel_state);
CREATE AGGREGATE array_state(interval, timestamptz, VARIADIC boolean[]) (SFUNC = window_funnel_add, STYPE = window_funnel_state);
SELECT listed_state('1 hour', ts, a, b)::text = array_state('1 hour', ts, VARIADIC ARRAY[a, b])::text AS same FROM clicks;
\set VERBOSITY sqlstate
SELECT window_funnel(NULL, ts, a, b) FROM clicks;
SELECT window_funnel('1 hour', NULL, ts, a, b) FROM clicks;
SELECT window_funnel('1 month', ts, a, b) FROM clicks;
SELECT window_funnel('1 hour', 'strict', ts, a, b) FROM clicks;
SELECT window_funnel(make_interval(mins => id), ts, a, b) FROM clicks;
SELECT window_funnel_add(NULL::window_funnel_state, '1 hour', now(), true, true);
\set VERBOSITY default

-- States are values: stored, copied in both formats, merged later, and read.
CREATE AGGREGATE funnel_state(interval, timestamptz, VARIADIC boolean[]) (SFUNC = window_funnel_add, STYPE = window_funnel_state, COMBINEFUNC = window_funnel_combine);
CREATE AGGREGATE merged_funnel(window_funnel_state) (SFUNC = window_funnel_combine, STYPE = window_funnel_state, FINALFUNC = window_funnel_final);
CREATE TABLE states AS SELECT shopper, id % 3 AS part, funnel_state('3 minutes', ts, a, b, c) AS state FROM clicks GROUP BY 1, 2;
SELECT count(*) AS differ FROM (SELECT shopper, merged_funnel(state) AS level FROM states GROUP BY shopper) AS m JOIN levels USING (shopper) WHERE level IS DISTINCT FROM free;
SELECT funnel_state('1 second', ts, a, b) AS state FROM (VALUES ('2000-01-01 00:00:01'::timestamptz, true, false), ('2000-01-01', true, true)) AS v (ts, a, b);
SELECT count(*) AS differ FROM states WHERE state::text::window_funnel_state::text <> state::text;
CREATE TABLE states_again (LIKE states);
DO $$
DECLARE
    file text := current_setting('data_directory') || '/brainsait_regress_states';
BEGIN
    EXECUTE format('COPY states TO %L (FORMAT binary)', file);
    EXECUTE format('COPY states_again FROM %L (FORMAT binary)', file);
END
$$;
SELECT count(*) AS differ FROM states s JOIN states_again a USING (shopper, part) WHERE s.state::text <> a.state::text OR window_funnel_final(s.state) <> window_funnel_final(a.state);

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
