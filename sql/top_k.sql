-- top_k() and top_k_sketch(), against sum() and GROUP BY.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
\set VERBOSITY terse
CREATE TABLE sale AS
SELECT n, date '2024-01-01' + n / 500 AS day, 'product ' || floor(3000 * u ^ 3) AS product, (n % 997)::numeric / CASE WHEN n % 3 = 0 THEN 100 ELSE 1 END * CASE WHEN n % 10 = 0 THEN -1 ELSE 1 END AS amount
FROM (SELECT n, (hashint4extended(n, 1) & 1048575) / 1048576.0::float8 AS u FROM generate_series(1, 60000) AS n) AS t;
CREATE FUNCTION exact_top(k int) RETURNS TABLE (key text, weight numeric, place bigint) LANGUAGE sql AS
    'SELECT product, sum(amount), row_number() OVER (ORDER BY sum(amount) DESC, product COLLATE "C") FROM shop.sale GROUP BY product ORDER BY 3 LIMIT k';

-- Exact while the keys fit, negative weights included.
SELECT count(DISTINCT product) <= 4096 AS fit FROM sale;
SELECT k, count(*) AS entries, bool_and(e.key = x.key AND e.weight = x.weight AND e.lower_bound = x.weight AND e.upper_bound = x.weight AND e.exact) AS right
FROM (VALUES (1), (10), (100), (5000)) AS sizes (k), LATERAL (SELECT top_k(product, amount, k) AS entries FROM sale) AS t,
    LATERAL unnest(entries) WITH ORDINALITY AS e, LATERAL (SELECT * FROM exact_top(k)) AS x WHERE x.place = e.ordinality GROUP BY k ORDER BY k;
SELECT (e).* FROM (SELECT unnest(top_k(k, w, 3)) AS e FROM (VALUES ('قهوة', 10.5), ('تمر', 3), ('قهوة', -0.25), ('', 7), (NULL, 99), ('x', NULL), ('عسل', 7)) AS t (k, w)) AS u;

-- Beyond, bounds hold, and what is marked exact is.
CREATE TABLE visit AS SELECT n, 'page ' || floor(200000 * u ^ 4) AS page, n % 13 - 1 AS weight FROM (SELECT n, (hashint4extended(n, 2) & 1048575) / 1048576.0::float8 AS u FROM generate_series(1, 200000) AS n) AS t;
CREATE TABLE page AS SELECT page, sum(weight) AS total, rank() OVER (ORDER BY sum(weight) DESC) FROM visit GROUP BY page;
SELECT count(*) > 4096 AS many FROM page;
CREATE FUNCTION judge(entries top_k_entry[]) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s entries, bounds hold: %s, exact is exact: %s, width: %s, heaviest found: %s', count(*), bool_and(total BETWEEN lower_bound AND upper_bound),
        bool_and(NOT exact OR weight = total), bool_and(greatest(upper_bound - weight, weight - lower_bound) <= (SELECT sum(abs(visit.weight)) / 2048 FROM shop.visit)), count(*) FILTER (WHERE rank <= 5))
    FROM unnest(entries) AS e JOIN shop.page ON page = key $$;
SELECT judge(top_k(page, weight, 50)) FROM visit;
SELECT judge(top_k(page, weight, 50 ORDER BY n DESC)) FROM visit;
SELECT judge(top_k(page, weight, 50 ORDER BY weight, n)) FROM visit;
SELECT judge(top_k_entries(rollup(s))) FROM (SELECT top_k_sketch(page, weight, 50) AS s FROM visit GROUP BY n % 30) AS t;

-- Decimals of every shape sum as numeric does.
SELECT (e).weight, (e).weight = (SELECT sum(w) FROM (VALUES (1.5), (-0.00000000000000000001), (1e15), (100000000), (0.000), (-123456.7890), (9999.9999), (10000)) AS t (w)) AS right
FROM (SELECT unnest(top_k('a', w, 1)) AS e FROM (VALUES (1.5), (-0.00000000000000000001), (1e15), (100000000), (0.000), (-123456.7890), (9999.9999), (10000)) AS t (w)) AS u;
SELECT count(*), bool_and(top[1].weight = w) AS right FROM (
    SELECT w, top_k('a', w, 1) AS top FROM (SELECT DISTINCT sign * m * 10::numeric ^ e AS w
        FROM (VALUES (1), (-1)) AS s (sign), (VALUES (0), (1), (9999), (10000), (12345678), (99999999.5)) AS t (m), generate_series(-12, 10) AS e) AS u GROUP BY w) AS v;
SELECT top_k('a', '1e40'::numeric, 1);
SELECT top_k('a', w, 1) FROM (VALUES (1e30), (1e-20)) AS t (w);
SELECT top_k('a', '1e-39'::numeric, 1);
SELECT top_k('a', '0e-60'::numeric, 1);
SELECT top_k('a', 'NaN'::numeric, 1);
SELECT top_k('a', 'Infinity'::numeric, 1);

-- Parameters and limits.
SELECT top_k('a', 1, 0);
SELECT top_k('a', 1, 10001);
SELECT top_k('a', 1, NULL);
SELECT top_k('a', 1, n) FROM generate_series(1, 2) AS n;
SELECT rollup(s) FROM (SELECT top_k_sketch('a', 1, 1) AS s UNION ALL SELECT top_k_sketch('a', 1, 2)) AS t;
SELECT top_k(repeat('a', 8193), 1, 1);
SELECT top_k(n || repeat('a', 8180), 1, 10000) FROM generate_series(1, 8300) AS n;
SELECT top_k(NULL, 1, 1) IS NULL AS nothing, top_k('a', 1, 1) FILTER (WHERE false) IS NULL AS filtered, rollup(NULL::top_k_sketch) IS NULL AS no_rollup, top_k_entries(NULL) IS NULL AS no_entries;

-- Exact ones do not depend on the order or on workers.
SELECT count(*) FROM (SELECT s FROM (SELECT top_k_sketch(product, amount, 5 ORDER BY n) AS s FROM sale UNION ALL SELECT top_k_sketch(product, amount, 5 ORDER BY product) FROM sale
    UNION ALL SELECT rollup(s) FROM (SELECT top_k_sketch(product, amount, 5) AS s FROM sale GROUP BY day) AS parts) AS t GROUP BY s) AS u;
SELECT top_k_sketch(product, amount, 5) AS serial FROM sale \gset
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;
EXPLAIN (COSTS OFF) SELECT top_k_sketch(product, amount, 5) FROM sale;
SELECT top_k_sketch(product, amount, 5) = :'serial' AS same, top_k(product, amount, 5) FILTER (WHERE false) AS filtered FROM sale;
SELECT judge(top_k(page, weight, 50)) FROM visit;
RESET max_parallel_workers_per_gather;

-- As a window aggregate.
SELECT count(*) AS rows, bool_and(best = exact) AS right FROM (
    SELECT (top_k(product, amount, 1) OVER (ORDER BY n))[1].key AS best, (SELECT product FROM sale AS i WHERE i.n <= o.n GROUP BY product ORDER BY sum(amount) DESC, product COLLATE "C" LIMIT 1) AS exact
    FROM sale AS o WHERE n <= 200) AS t;

-- 100,000 groups.
SELECT count(*), count(*) FILTER (WHERE top[1].key = 'c' AND top[1].weight = g + 3 AND top[2].weight = g + 2 AND array_length(top, 1) = 2) AS right
FROM (SELECT g, top_k(key, g + weight, 2) AS top FROM generate_series(1, 100000) AS g, (VALUES ('a', 1), ('b', 2), ('c', 3)) AS t (key, weight) GROUP BY g) AS u;

-- In and out.
SELECT top_k_sketch('a', 1.50, 3)::text AS one, s = s::text::top_k_sketch AS text_back, s = s::bytea::top_k_sketch AS bytea_back, s <> top_k_sketch('a', 1.5, 3) AS differ FROM (SELECT top_k_sketch('b', 2, 3) AS s) AS t GROUP BY s;
SELECT top_k_sketch(k, w, 2)::json FROM (VALUES ('quote " and \', 1.5), ('عسل', -2)) AS t (k, w);
SELECT s::text::top_k_sketch = s AND s::bytea::top_k_sketch = s AS back, judge(top_k_entries(s::text::top_k_sketch)) = judge(top_k_entries(s)) AS judged FROM (SELECT top_k_sketch(page, weight, 50) AS s FROM visit) AS t;
SELECT ''::top_k_sketch;
SELECT '\x01'::top_k_sketch;
SELECT replace(top_k_sketch('abc', 1, 3)::text, '616263', '61ff63')::top_k_sketch;
SELECT replace(top_k_sketch('abc', 1, 3)::text, '616263', '610063')::bytea::top_k_sketch;
SELECT (top_k_sketch('abc', 1, 3)::text || '00')::top_k_sketch;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
