-- quantile_sketch(), approx_percentile(), + and -, against percentile_disc().
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
\set VERBOSITY terse

-- Shapes of data: baskets, refunds, zeros, ties, very small and very large.
CREATE TABLE sample AS
SELECT shape, CASE shape WHEN 'uniform' THEN r * 1000 WHEN 'baskets' THEN round(exp(3 + 2 * r + r2)::numeric, 2)::float8 WHEN 'signed' THEN (r - 0.4) * exp(10 * r2)
    WHEN 'zeros' THEN CASE WHEN r < 0.3 THEN 0 WHEN r < 0.6 THEN -r2 ELSE r2 END WHEN 'ties' THEN floor(r * 5) WHEN 'wide' THEN 10 ^ (24 * r - 12)
    WHEN 'wide negative' THEN -(10 ^ (24 * r - 12)) WHEN 'two' THEN CASE WHEN r < 0.5 THEN 1e-12 ELSE 1e12 END WHEN 'one' THEN 42 END AS value
FROM unnest(ARRAY['uniform', 'baskets', 'signed', 'zeros', 'ties', 'wide', 'wide negative', 'two', 'one']) AS shape,
    (SELECT n, (hashint4extended(n, 1) & 1048575) / 1048576.0::float8 AS r, (hashint4extended(n, 2) & 1048575) / 1048576.0::float8 AS r2 FROM generate_series(1, 5000) AS n) AS random;
CREATE TABLE fraction AS SELECT f / 200.0::float8 AS q FROM generate_series(0, 200) AS f;
CREATE TABLE answer AS SELECT shape, (SELECT array_agg(q ORDER BY q) FROM fraction) AS fractions, percentile_disc((SELECT array_agg(q ORDER BY q) FROM fraction)) WITHIN GROUP (ORDER BY value) AS exact,
    quantile_sketch(value) AS one, quantile_sketch(value, 0.001) AS tenth, quantile_sketch(value, 0.1) AS ten FROM sample GROUP BY shape;
SELECT shape, count(*) AS questions, bool_and(abs(approx_percentile(f, one) - x) <= 0.01 * abs(x)) AS within_1, bool_and(abs(approx_percentile(f, tenth) - x) <= 0.001 * abs(x)) AS within_01,
       bool_and(abs(approx_percentile(f, ten) - x) <= 0.1 * abs(x)) AS within_10
FROM answer, LATERAL unnest(fractions, exact) AS u (f, x) GROUP BY shape ORDER BY shape;

-- What sorts at the ends, and what there is not.
SELECT q, approx_percentile(q, quantile_sketch(v)) = percentile_disc(q) WITHIN GROUP (ORDER BY v) AS same
FROM (VALUES (float8 'NaN'), ('-Infinity'), ('Infinity'), ('-0'), (0), (NULL)) AS t (v), (VALUES (0.0), (0.2), (0.4), (0.8), (1.0)) AS f (q) GROUP BY q ORDER BY q;
SELECT approx_percentile(1, quantile_sketch(v)) > 1.7e308 AS greatest, approx_percentile(0, quantile_sketch(v)) AS least FROM (VALUES (1.7976931348623157e308), (5e-324)) AS t (v);
SELECT quantile_sketch(v) IS NULL AS nothing, quantile_sketch(v) FILTER (WHERE false) IS NULL AS filtered, approx_percentile(0.5, quantile_sketch(v)) FROM (VALUES (NULL::float8)) AS t (v);
SELECT approx_percentile(0.5, NULL), approx_percentile(NULL, quantile_sketch(1));
SELECT approx_percentile(1.5, quantile_sketch(1));
SELECT approx_percentile('NaN', quantile_sketch(1));
SELECT quantile_sketch(1, 0.0001);
SELECT quantile_sketch(1, 0.6);
SELECT quantile_sketch(1, 'NaN');
SELECT quantile_sketch(1, NULL);
SELECT quantile_sketch(v, v / 10.0) FROM generate_series(1, 2) AS v;
SELECT rollup(s) FROM (SELECT quantile_sketch(1) AS s UNION ALL SELECT quantile_sketch(1, 0.02)) AS t;
SELECT quantile_sketch(1) + quantile_sketch(1, 0.02);

-- Daily sketches, and a refund that leaves them again.
CREATE TABLE basket AS SELECT date '2024-01-01' + n / 100 AS day, round(exp(4 + (hashint4extended(n, 3) & 1023) / 400.0)::numeric, 2) * CASE WHEN n % 50 = 0 THEN -1 ELSE 1 END AS total
FROM generate_series(0, 11999) AS n;
CREATE TABLE daily AS SELECT day, quantile_sketch(total) AS totals FROM basket GROUP BY day;
SELECT bool_and(rolled = whole) AS same, bool_and(abs(approx_percentile(0.9, rolled) - exact) <= 0.01 * abs(exact)) AS right FROM (
    SELECT date_trunc('month', day) AS month, rollup(totals) AS rolled FROM daily GROUP BY 1) AS r
JOIN (SELECT date_trunc('month', day) AS month, quantile_sketch(total) AS whole, percentile_disc(0.9) WITHIN GROUP (ORDER BY total) AS exact FROM basket GROUP BY 1) AS w USING (month);
SELECT a + b = ab AS plus, b + a = ab AS commutes, ab - b = a AS minus, (ab - a) - b = a - a AS nothing_left, approx_percentile(0.5, a - a) AS of_nothing, (a - a)::json AS empty
FROM (SELECT quantile_sketch(total) FILTER (WHERE total < 100) AS a, quantile_sketch(total) FILTER (WHERE total >= 100) AS b, quantile_sketch(total) AS ab FROM basket) AS s;
SELECT quantile_sketch(1) - quantile_sketch(2);
SELECT quantile_sketch(1) - (quantile_sketch(1) + quantile_sketch(1));
UPDATE daily SET totals = totals - (SELECT quantile_sketch(total) FROM basket WHERE basket.day = daily.day AND total < 0);
SELECT rollup(totals) = (SELECT quantile_sketch(total) FROM basket WHERE total >= 0) AS without_refunds FROM daily;

-- Order of rows and workers leave no trace.
SELECT count(*) FROM (SELECT s FROM (SELECT quantile_sketch(value ORDER BY value) AS s FROM sample UNION ALL SELECT quantile_sketch(value ORDER BY md5(value::text)) FROM sample
    UNION ALL SELECT rollup(s) FROM (SELECT quantile_sketch(value) AS s FROM sample GROUP BY shape) AS parts) AS t GROUP BY s) AS u;
SELECT quantile_sketch(value) AS serial FROM sample \gset
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;
EXPLAIN (COSTS OFF) SELECT quantile_sketch(value) FROM sample;
SELECT quantile_sketch(value) = :'serial' AS same, approx_percentile(0.5, quantile_sketch(value) FILTER (WHERE false)) AS filtered FROM sample;
SELECT bool_and(p = (SELECT quantile_sketch(value) FROM sample AS s WHERE s.shape = t.shape)) AS same_by_shape FROM (SELECT shape, quantile_sketch(value) AS p FROM sample GROUP BY shape) AS t;
RESET max_parallel_workers_per_gather;

-- As a window aggregate.
SELECT count(*) AS rows, bool_and(abs(median - exact) <= 0.01 * abs(exact)) AS right
FROM (SELECT n, approx_percentile(0.5, quantile_sketch(n * n % 101) OVER (ORDER BY n)) AS median,
             (SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY m * m % 101) FROM generate_series(1, n) AS m) AS exact
      FROM generate_series(1, 300) AS n) AS t;

-- 100,000 groups.
SELECT count(*), bool_and(abs(median - n - 200000) <= 0.01 * (n + 200000)) AS right
FROM (SELECT n % 100000 AS n, approx_percentile(0.5, quantile_sketch(n)) AS median FROM generate_series(100000, 499999) AS n GROUP BY 1) AS t;

-- In and out.
SELECT quantile_sketch(1)::text AS one, quantile_sketch(1)::text::quantile_sketch = quantile_sketch(1) AS text_back, quantile_sketch(1)::bytea::quantile_sketch = quantile_sketch(1) AS bytea_back;
SELECT quantile_sketch(v, 0.5)::json FROM (VALUES (0), (1), (1), (-1), (float8 'Infinity'), ('-Infinity'), ('NaN')) AS t (v);
SELECT bool_and(s::text::quantile_sketch = s AND s::bytea::quantile_sketch = s) AS back FROM (SELECT quantile_sketch(value, e) AS s FROM sample, (VALUES (0.001), (0.01), (0.1)) AS error (e) GROUP BY shape, e) AS t;
SELECT ''::quantile_sketch;
SELECT '\x01'::quantile_sketch;
SELECT '\x017b14ae47e17a843f0100000001'::quantile_sketch;
SELECT '\x017b14ae47e17a843f010000000100'::quantile_sketch;
SELECT '\x017b14ae47e17a843f01000000ffffffffffffffffff0101'::quantile_sketch;
SELECT '\x01000000000000000000000000'::quantile_sketch;
SELECT '\x01000000000000f87f00000000'::bytea::quantile_sketch;
SELECT s + s AS overflow FROM (SELECT '\x017b14ae47e17a843f0100000000ffffffffffffffff7f'::quantile_sketch AS s) AS t;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
