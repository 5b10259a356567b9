-- approx_count_distinct(), distinct_sketch() and what belongs to them, against count(DISTINCT).
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
\set VERBOSITY terse

-- Every type that count(DISTINCT) takes, with values that are equal and do not look it.
CREATE TYPE color AS ENUM ('red', 'green', 'blue');
CREATE TYPE pair AS (number int, word text);
CREATE DOMAIN short AS varchar(10);
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE thing AS
SELECT (n % 100)::smallint AS int2, n % 120 AS int4, (n % 50)::bigint << 33 AS int8, (n % 90)::oid AS oid, n % 2 = 0 AS bool,
       (n % 40 - 20)::real AS float4, CASE n % 5 WHEN 0 THEN float8 'NaN' WHEN 1 THEN float8 '-0' WHEN 2 THEN 0 ELSE n % 60 END AS float8,
       CASE WHEN n % 2 = 0 THEN (n % 70)::numeric ELSE (n % 70)::numeric(10, 3) END AS numeric, (n % 30)::money AS money,
       'key ' || n % 80 AS text, ('v' || n % 33)::varchar AS varchar, ('c' || n % 11)::char(8) AS bpchar, ('n' || n % 12)::name AS name,
       convert_to(repeat('b', n % 45), 'UTF8') AS bytea, ('s' || n % 21)::short AS short, (ARRAY['red', 'green', 'blue'])[1 + n % 3]::color AS color,
       md5((n % 222)::text)::uuid AS uuid, date '2024-01-01' + n % 200 AS date, timestamp '2024-01-01' + n % 150 * interval '1 s' AS timestamp,
       timestamptz '2024-01-01 00:00+00' + n % 151 * interval '1 day' AS timestamptz, time '00:00' + n % 25 * interval '1 minute' AS time,
       CASE WHEN n % 2 = 0 THEN interval '1 day' ELSE interval '24 hours' END * (n % 14) AS interval,
       ('10.0.0.' || n % 99)::inet AS inet, jsonb_build_object('a', n % 17, 'b', CASE WHEN n % 2 = 0 THEN 1 ELSE 1.0 END) AS jsonb,
       ARRAY[n % 6, n % 4] AS array, int4range(n % 9, n % 9 + 10) AS range, ROW(n % 7, 'x')::pair AS pair,
       (CASE WHEN n % 2 = 0 THEN 'word ' ELSE 'WORD ' END || n % 23) COLLATE any_case AS folded, CASE WHEN n % 4 = 0 THEN n % 16 END AS with_nulls
FROM generate_series(1, 1000) AS n;
SELECT format('SELECT %L AS type, approx_count_distinct(%2$I) = count(DISTINCT %2$I) AS "equal",
                      distinct_count(distinct_sketch(%2$I)) = count(DISTINCT %2$I) AS stored, (distinct_sketch(%2$I)::json) ->> ''values'' AS hashed
               FROM thing', attname, attname)
FROM pg_attribute WHERE attrelid = 'thing'::regclass AND attnum > 0 ORDER BY attnum
\t on
\gexec
\t off
SELECT approx_count_distinct(json '{}');

-- Exact up to 256, whichever the values; beyond, close. Bits of a bigint that PostgreSQL's own hash function folds together.
SELECT bool_and(approx_count_distinct = n) AS exact FROM (
    SELECT n, (SELECT approx_count_distinct(v * factor) FROM generate_series(1, n) AS v) FROM generate_series(0, 256, 16) AS n,
        (VALUES (1::bigint), (4294967297), (281474976710656), (-3)) AS f (factor)) AS counts;
SELECT approx_count_distinct(v) FROM (VALUES (0::bigint), (4294967297), (8589934594)) AS folded (v);
SELECT n, bool_and(abs(approx_count_distinct / n::float8 - 1) < 0.06) AS close FROM (
    SELECT n, approx_count_distinct(v || salt) FROM (VALUES (257), (1000), (20000)) AS sizes (n), (VALUES ('a'), ('b'), ('c')) AS salts (salt),
        generate_series(1, n) AS v GROUP BY n, salt) AS counts GROUP BY n ORDER BY n;

-- Nothing to count.
SELECT approx_count_distinct(v), distinct_sketch(v) IS NULL AS no_sketch, approx_count_distinct(v) FILTER (WHERE false) AS filtered
FROM (VALUES (NULL::int)) AS t (v);
SELECT approx_count_distinct(v), distinct_sketch(v) IS NULL AS no_sketch, distinct_count(NULL), rollup(NULL::distinct_sketch) IS NULL AS no_rollup
FROM generate_series(1, 0) AS v;

-- Daily sketches rolled up over months are what one sketch of all is, and integers of any width go together.
CREATE TABLE visit AS SELECT date '2024-01-01' + n / 250 AS day, (n::bigint * n % 9973) AS visitor FROM generate_series(0, 29999) AS n;
CREATE TABLE daily AS SELECT day, distinct_sketch(visitor) AS visitors FROM visit GROUP BY day;
SELECT bool_and(rolled = whole) AS same, bool_and(distinct_count(rolled) = approx) AS counts FROM (
    SELECT date_trunc('month', day) AS month, rollup(visitors) AS rolled FROM daily GROUP BY 1) AS r
JOIN (SELECT date_trunc('month', day) AS month, distinct_sketch(visitor) AS whole, approx_count_distinct(visitor) AS approx FROM visit GROUP BY 1) AS w USING (month);
SELECT rollup(s) = (SELECT distinct_sketch(v) FROM generate_series(1, 300::bigint) AS v) AS widths_go_together
FROM (SELECT distinct_sketch(v::smallint) AS s FROM generate_series(1, 150) AS v UNION ALL SELECT distinct_sketch(v) FROM generate_series(100, 300) AS v) AS t;
SELECT rollup(s) FROM (SELECT distinct_sketch(1) AS s UNION ALL SELECT distinct_sketch('1'::text)) AS t;
SELECT rollup(s) FROM (SELECT distinct_sketch(1.5::float8) AS s UNION ALL SELECT distinct_sketch(gen_random_uuid())) AS t;

-- Order of rows and workers leave no trace.
SELECT count(*) FROM (SELECT s FROM (SELECT distinct_sketch(visitor ORDER BY visitor) AS s FROM visit UNION ALL
    SELECT distinct_sketch(visitor ORDER BY md5(visitor::text)) FROM visit UNION ALL SELECT rollup(visitors ORDER BY day DESC) FROM daily) AS t GROUP BY s) AS u;
SELECT distinct_sketch(visitor) AS serial FROM visit \gset
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;
EXPLAIN (COSTS OFF) SELECT distinct_sketch(visitor) FROM visit;
SELECT distinct_sketch(visitor) = :'serial' AS same FROM visit;
SELECT bool_and(p = (SELECT distinct_sketch(visitor) FROM visit AS v WHERE v.day = t.day)) AS same_by_day FROM (SELECT day, distinct_sketch(visitor) AS p FROM visit GROUP BY day) AS t;
SELECT approx_count_distinct(visitor) FILTER (WHERE false), approx_count_distinct(visitor) FILTER (WHERE visitor < 7) = count(DISTINCT visitor) FILTER (WHERE visitor < 7) AS few FROM visit;
RESET max_parallel_workers_per_gather;
CREATE TABLE part (day date, visitor bigint) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2024-02-01') TO ('2025-01-01');
INSERT INTO part SELECT * FROM visit;
SET enable_partitionwise_aggregate = on; SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT distinct_sketch(visitor) FROM part;
SELECT distinct_sketch(visitor) = :'serial' AS same FROM part;
RESET max_parallel_workers_per_gather;

-- As a window aggregate: every running count is that of the rows so far.
SELECT count(*) AS rows, bool_and(running = (SELECT count(DISTINCT i.v) FROM generate_series(1, 400) AS n, LATERAL (SELECT n * n % 257 AS v) AS i WHERE n <= w.n)) AS right,
       bool_and(distinct_count(sketch) = running) AS sketches_right
FROM (SELECT n, approx_count_distinct(n * n % 257) OVER (ORDER BY n) AS running, distinct_sketch(n * n % 257) OVER (ORDER BY n) AS sketch
      FROM generate_series(1, 400) AS n OFFSET 0) AS w;
SELECT array_agg(c) FROM (SELECT approx_count_distinct(n % 3) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS c FROM generate_series(1, 6) AS n) AS t;

-- 100,000 groups.
SELECT count(*), sum(approx_count_distinct) FROM (SELECT n % 100000, approx_count_distinct(n % 7) FROM generate_series(1, 400000) AS n GROUP BY 1) AS t;

-- In and out: text and bytea are the same stored form, and equality is that of the bytes.
SELECT distinct_count('\x0100000000'::distinct_sketch), rollup('\x0100000000'::distinct_sketch) AS empty;
SELECT distinct_sketch(1)::text AS one, distinct_sketch(1)::text::distinct_sketch = distinct_sketch(1) AS text_back, distinct_sketch(1)::bytea::distinct_sketch = distinct_sketch(1) AS bytea_back,
       distinct_sketch(1) <> distinct_sketch(2) AS differ, distinct_sketch(1)::json AS json;
SELECT count(*) FROM (SELECT DISTINCT s FROM (SELECT distinct_sketch(v) AS s FROM generate_series(1, 10) AS g, generate_series(1, g % 3) AS v GROUP BY g) AS t) AS u;
SELECT ''::distinct_sketch;
SELECT '01'::distinct_sketch;
SELECT '\x02'::distinct_sketch;
SELECT '\x0101000100'::distinct_sketch;
SELECT '\x010100020001000000000000000000000000000000'::distinct_sketch;
SELECT '\x010601'::bytea::distinct_sketch;
SELECT ('\x010101' || repeat('00', 2048))::distinct_sketch;
SELECT ('\x010101' || repeat('05', 2048))::distinct_sketch;
SELECT distinct_count(('\x010101' || repeat('dc', 2048))::distinct_sketch);
SELECT distinct_count(('\x010101' || repeat('db', 2048))::distinct_sketch) AS full;

-- What serves the aggregates is nobody's to call.
CREATE ROLE distinct_sketch_visitor;
GRANT USAGE ON SCHEMA shop TO distinct_sketch_visitor;
SET ROLE distinct_sketch_visitor;
SELECT approx_count_distinct(v), distinct_count(distinct_sketch(v)) FROM generate_series(1, 3) AS v;
SELECT distinct_sketch_add(NULL, 1);
SELECT distinct_sketch_combine(NULL, NULL);
RESET ROLE;
SELECT distinct_sketch_add(NULL, 1);
REVOKE ALL ON SCHEMA shop FROM distinct_sketch_visitor;
DROP ROLE distinct_sketch_visitor;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
