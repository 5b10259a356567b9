-- Every aggregate of the extension's, by one list that must name them all: alone, in forced parallel plans, merged from partitions, row by
-- row as a window aggregate, with nothing to count, and in 100,000 small groups, of which the memory is told.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE TABLE row_of (id integer, g integer, ts timestamptz, a boolean, b boolean, c boolean, n integer, x double precision, amount numeric, word text, daily distinct_sketch,
    totals quantile_sketch, heavy top_k_sketch) PARTITION BY HASH (id);
CREATE TABLE row_of_0 PARTITION OF row_of FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE row_of_1 PARTITION OF row_of FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT setseed(0.75);
INSERT INTO row_of
SELECT id, id % 40, CASE WHEN id % 41 > 0 THEN timestamptz '2026-01-01' + floor(random() * 1250 * (id % 5)) * interval '1 minute' END, random() < 0.4 AND id % 4 > 0, random() < 0.4 AND id % 5 > 0, nullif(random() < 0.4, id % 7 = 0),
       floor(random() * 4)::integer, CASE WHEN id % 11 > 0 THEN round((random() * 500)::numeric, 2) - 50 END, round((random() * 100)::numeric, 2), 'word ' || floor(random() * 30), NULL, NULL, NULL
FROM generate_series(1, 4000) AS id;
CREATE INDEX ON row_of (id);
UPDATE row_of r SET (daily, totals, heavy) = (SELECT distinct_sketch(word || r.id % 400), quantile_sketch(x + r.n), top_k_sketch(word, amount, 3) FROM (SELECT * FROM row_of i WHERE i.id BETWEEN r.id % 37 * 20 + 1 AND r.id % 37 * 20 + 20) AS few) WHERE id % 10 < 9;
ANALYZE row_of;

-- What is asked of each.
CREATE TABLE call (name regprocedure PRIMARY KEY, arguments text);
INSERT INTO call VALUES
    ('window_funnel(interval,timestamptz,boolean[])', $$'1 hour', ts, VARIADIC ARRAY[a, b, c]$$), ('window_funnel(interval,text,timestamptz,boolean[])', $$'1 hour', 'strict_once', ts, VARIADIC ARRAY[a, b, c]$$),
    ('window_funnel_times(interval,timestamptz,boolean[])', $$'1 hour', ts, VARIADIC ARRAY[a, b, c]$$),
    ('window_funnel_times(interval,text,timestamptz,boolean[])', $$'1 hour', 'any_order', ts, VARIADIC ARRAY[a, b, c]$$),
    ('retention(boolean[])', 'a, b, c'), ('retention_sum(boolean[])', 'ARRAY[a, b, c]'), ('funnel_counts(integer,integer)', 'n, 3'),
    ('cohort_retention(timestamptz,timestamptz,interval,integer)', $$'2026-01-01', ts, '1 day', 4$$), ('cohort_retention(timestamptz,timestamptz,interval,integer,text)', $$'2026-01-01', ts, '1 day', 4, 'on_or_after'$$),
    ('cohort_retention(timestamptz,timestamptz,interval,integer,text,text)', $$'2026-01-01', ts, '1 day', 4, 'on', 'Asia/Riyadh'$$),
    ('session_stats(timestamptz,interval)', $$ts, '30 minutes'$$), ('purchase_stats(timestamptz,numeric)', 'ts, amount'), ('min_by(anyelement,anycompatible)', 'word, amount'), ('max_by(anyelement,anycompatible)', 'word, ts'),
    ('sparkline(numeric)', 'amount'), ('approx_count_distinct(anyelement)', 'word'), ('rollup(distinct_sketch)', 'daily'), ('rollup(quantile_sketch)', 'totals'), ('rollup(top_k_sketch)', 'heavy'),
    ('quantile_sketch(double precision)', 'x'), ('quantile_sketch(double precision,double precision)', 'x, 0.05'), ('top_k(text,numeric,integer)', 'word, amount, 3'), ('top_k_sketch(text,numeric,integer)', 'word, amount, 3');
INSERT INTO call
SELECT format('%s(interval,%stimestamptz%s)', name, mode, repeat(',boolean', steps))::regprocedure,
       concat('''1 hour'', ', CASE WHEN mode <> '' THEN '''strict_order'', ' END, 'ts, ', array_to_string((ARRAY['a', 'b', 'c', 'n = 0', 'n = 1', 'n = 2', 'n = 3', 'a'])[:steps], ', '))
FROM unnest('{window_funnel,window_funnel_times}'::text[]) AS name, unnest('{"","text,"}'::text[]) AS mode, generate_series(2, 8) AS steps;
INSERT INTO call
SELECT format('distinct_sketch(%s)', type)::regprocedure, format('%s::%s', CASE type WHEN 'anyelement' THEN '(id % (g + 5))' ELSE 'word' END, CASE type WHEN 'anyelement' THEN 'bigint' WHEN 'character' THEN 'character(20)' ELSE type END)
FROM unnest('{anyelement,text,"character varying",character,name}'::text[]) AS type;
SELECT count(*) > 50 AS many FROM call;
SELECT p.oid::regprocedure AS "not in the list" FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
WHERE prokind = 'a' AND pronamespace = 'shop'::regnamespace AND NOT EXISTS (SELECT FROM call WHERE name = p.oid) ORDER BY 1;

-- In the order of the rows where that matters, which is why it is then left to one process.
CREATE FUNCTION spelled(call call, suffix text DEFAULT '') RETURNS text LANGUAGE sql AS $$
    SELECT format('%s(%s%s)%s::text', proname, call.arguments, CASE WHEN aggcombinefn = 0 AND suffix !~ 'OVER' THEN ' ORDER BY id' END, suffix)
    FROM pg_proc p JOIN pg_aggregate ON aggfnoid = p.oid WHERE p.oid = call.name $$;
\getenv source PG_ABS_SRCDIR
\set fixture :source '/test/fixtures/plan_has.sql'
\i :fixture
SELECT name AS "not merged" FROM call JOIN pg_aggregate ON aggfnoid = name WHERE aggcombinefn = 0;
CREATE VIEW merged AS SELECT call, name::text AS name, row_number() OVER (ORDER BY name::text COLLATE "C") AS place FROM call JOIN pg_aggregate ON aggfnoid = name WHERE aggcombinefn <> 0;
SELECT string_agg(spelled(call), ', ' ORDER BY name::text COLLATE "C") AS all_calls, string_agg(spelled(call, ' OVER w'), ', ' ORDER BY name::text COLLATE "C") AS window_calls FROM call \gset
SELECT string_agg(spelled(call), ', ' ORDER BY place) AS merged, string_agg(spelled(call, ' FILTER (WHERE g % 3 = 0)'), ', ' ORDER BY place) AS filtered FROM merged \gset
\set ask 'SELECT g, ARRAY[' :merged '] AS whole, ARRAY[' :filtered '] AS part FROM row_of GROUP BY g'

SET max_parallel_workers_per_gather = 0;
CREATE TABLE alone AS :ask;
CREATE TABLE nothing AS SELECT ARRAY[:merged] AS answers FROM row_of WHERE false;
RESET max_parallel_workers_per_gather;
SELECT count(*) AS groups, count(DISTINCT whole) AS different FROM alone;
SELECT count(*) AS "not as for no rows" FROM alone, nothing WHERE g % 3 > 0 AND part <> answers OR g % 3 = 0 AND part <> whole;
SELECT name AS "the same for all groups" FROM merged, alone GROUP BY name, place HAVING count(DISTINCT whole[place]) = 1;
-- Which aggregates' answers are others than alone.
CREATE TABLE otherwise (LIKE alone);
CREATE VIEW differing AS
SELECT name, count(*) FROM merged, otherwise o FULL JOIN alone a USING (g) WHERE o.whole[place] IS DISTINCT FROM a.whole[place] OR o.part[place] IS DISTINCT FROM a.part[place] GROUP BY name;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 4;
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT plan_has(:'ask', 'Partial .*Aggregate') AS partial, plan_has(:'ask', 'Gather') AS gathered;
CREATE TABLE by_workers AS :ask;
INSERT INTO otherwise TABLE by_workers;
TABLE differing;
SELECT count(set_config(name, 'off', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
SET max_parallel_workers_per_gather = 0; SET enable_partitionwise_aggregate = on;
SELECT plan_has(:'ask', 'Partial .*Aggregate') AS partial, plan_has(:'ask', 'Gather') AS gathered;
TRUNCATE otherwise;
INSERT INTO otherwise :ask;
TABLE differing;
RESET enable_partitionwise_aggregate;

-- OVER (ORDER BY ...): each row's answer is that of the rows up to it, whatever was read on the way.
SELECT count(*) AS rows, count(*) FILTER (WHERE running <> answers) AS differ
FROM (SELECT id, g, ARRAY[:window_calls] AS running FROM row_of WHERE g < 3 WINDOW w AS (PARTITION BY g ORDER BY id)) AS r
CROSS JOIN LATERAL (SELECT ARRAY[:all_calls] AS answers FROM row_of i WHERE i.g = r.g AND i.id <= r.id) AS s;

-- 100,000 groups of two rows each, all in memory: bytes a group, the executor's own 100 or so among them, for each type of state.
CREATE TABLE small_group AS SELECT i / 2 AS g, r.id, r.ts, r.a, r.b, r.c, r.n, r.x, r.amount, r.word FROM generate_series(0, 199999) AS i JOIN row_of r ON r.id = 1 + i % 4000;
ANALYZE small_group;
CREATE FUNCTION bytes_a_group(call text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT json) SELECT g, ' || call || ' FROM small_group GROUP BY g' INTO plan;
    IF plan -> 0 -> 'Plan' ->> 'Strategy' <> 'Hashed' OR (plan -> 0 -> 'Plan' ->> 'HashAgg Batches')::int > 1 OR (plan -> 0 -> 'Plan' ->> 'Actual Rows')::numeric <> 100000 THEN
        RAISE EXCEPTION 'not 100,000 groups in memory: %', plan;
    END IF;
    RETURN (plan -> 0 -> 'Plan' ->> 'Peak Memory Usage')::numeric * 1024 / 100000;
END
$$;
SET work_mem = '1GB'; SET enable_sort = off; SET jit = off;
SELECT aggtranstype::regtype AS state, most, bytes_a_group(spelled(call)) <= most AS within
FROM (SELECT DISTINCT ON (aggtranstype) aggtranstype, call, CASE aggtranstype WHEN 'top_k_sketch'::regtype THEN 800 ELSE 600 END AS most
      FROM merged JOIN pg_aggregate ON aggfnoid = (call).name WHERE name !~ '^rollup' ORDER BY aggtranstype, place) AS one_of_each ORDER BY aggtranstype::regtype::text COLLATE "C";

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
