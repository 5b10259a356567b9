-- retention(), retention_sum(), funnel_counts(), cohort_retention() against plain SQL.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;

SELECT setseed(0.125);
CREATE TABLE activity AS
SELECT g AS id, (random() * 150)::int AS customer, '2026-01-01'::timestamptz + random() * interval '200 days' AS ts, random() < 0.3 AS a, random() < 0.2 AS b, random() < 0.2 AS c
FROM generate_series(1, 1200) AS g;
UPDATE activity SET a = NULL WHERE NOT a AND id % 3 = 0;
UPDATE activity SET ts = NULL WHERE id % 71 = 0;
-- Each customer's first day, at odd times of the day, daylight saving changes among them.
CREATE TABLE customers AS
SELECT c AS customer, '2026-02-20'::timestamptz + c % 40 * interval '1 day' + c % 24 * interval '1 hour' + c % 7 * interval '10 minutes' AS anchor FROM generate_series(0, 150) AS c;
CREATE INDEX ON activity (customer);
ANALYZE activity, customers;

CREATE VIEW found AS SELECT customer, retention(a, b, c) AS r FROM activity GROUP BY customer;
CREATE VIEW expected AS
SELECT customer, ARRAY[coalesce(bool_or(a), false), coalesce(bool_or(a), false) AND bool_or(b), coalesce(bool_or(a), false) AND bool_or(c)] AS r FROM activity GROUP BY customer;
CREATE VIEW differences AS
SELECT 'retention' AS what, count(*) FROM (TABLE found EXCEPT TABLE expected) AS d HAVING count(*) > 0
UNION ALL
SELECT 'retention_sum', count(*) FROM (SELECT retention_sum(r) AS s FROM found
    EXCEPT SELECT ARRAY[count(*) FILTER (WHERE r[1]), count(*) FILTER (WHERE r[2]), count(*) FILTER (WHERE r[3])] FROM expected) AS d HAVING count(*) > 0
UNION ALL
SELECT 'funnel_counts', count(*) FROM (SELECT funnel_counts(id % 6, 5) AS s FROM activity
    EXCEPT SELECT ARRAY[count(*) FILTER (WHERE id % 6 >= 1), count(*) FILTER (WHERE id % 6 >= 2), count(*) FILTER (WHERE id % 6 >= 3), count(*) FILTER (WHERE id % 6 >= 4), count(*) FILTER (WHERE id % 6 >= 5)]
    FROM activity) AS d HAVING count(*) > 0;
SELECT * FROM differences;
SELECT r, count(*) > 1 AS several FROM found GROUP BY r ORDER BY r;

-- Periods: what the session's own calendar says, for a session in that time zone.
CREATE FUNCTION expected_cohort(zone text, period interval, n int, later boolean) RETURNS TABLE (customer int, r boolean[])
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('timezone', zone, true);
    RETURN QUERY
    SELECT c.customer, ARRAY(SELECT bool_or(a.ts >= c.anchor + i * period AND (later OR a.ts < c.anchor + (i + 1) * period)) FROM generate_series(0, n - 1) AS i, activity a
                             WHERE a.customer = c.customer AND a.ts IS NOT NULL GROUP BY i ORDER BY i)
    FROM customers c WHERE EXISTS (SELECT FROM activity a WHERE a.customer = c.customer AND a.ts IS NOT NULL);
END
$$;
CREATE FUNCTION differing_cohorts(zone text, period interval, n int, mode text) RETURNS bigint LANGUAGE sql SET timezone = 'Pacific/Auckland' AS $$
    SELECT count(*) FROM (SELECT customer, cohort_retention(anchor, ts, period, n, mode, zone) AS r FROM activity JOIN customers USING (customer) GROUP BY customer) AS f
    FULL JOIN expected_cohort(zone, period, n, mode = 'on_or_after') e USING (customer) WHERE f.r IS DISTINCT FROM e.r AND NOT (f.r IS NULL AND e.r IS NULL)
$$;
SELECT zone, period, mode, differing_cohorts(zone, period, 6, mode) AS differ
FROM (VALUES ('UTC'), ('America/New_York'), ('Asia/Riyadh'), ('Australia/Lord_Howe')) AS zones (zone),
     (VALUES (interval '1 month'), ('1 day'), ('7 days'), ('36 hours'), ('1 mon 3 days 02:00')) AS periods (period), (VALUES ('on'), ('on_or_after')) AS modes (mode)
WHERE (zone, mode) NOT IN (('Asia/Riyadh', 'on_or_after'))
ORDER BY 1, 2, 3;
SELECT count(*) AS differ FROM activity JOIN customers USING (customer) GROUP BY customer
HAVING cohort_retention(anchor, ts, '1 month', 6) IS DISTINCT FROM cohort_retention(anchor, ts, '1 month', 6, 'on', 'utc');
-- Months end, clocks go forward and back; a triangle of cohorts.
SELECT cohort_retention('2026-01-31 12:00', ts, '1 month', 4) FROM unnest('{2026-02-28 11:59:59.999999, 2026-03-31 12:00}'::timestamptz[]) AS ts;
SELECT cohort_retention('2026-01-31 12:00', ts, '1 month', 4) FROM unnest('{2026-02-28 12:00, 2026-03-31 11:59:59.999999}'::timestamptz[]) AS ts;
SELECT zone, cohort_retention('2026-03-07 10:00Z', '2026-03-09 09:30Z', '1 day', 3, 'on', zone) FROM (VALUES ('UTC'), ('America/New_York')) AS v (zone) GROUP BY zone ORDER BY zone;
SELECT month, retention_sum(r) AS active, count(*) AS customers
FROM (SELECT date_trunc('month', anchor)::date AS month, customer, cohort_retention(anchor, ts, '1 month', 4) AS r FROM activity JOIN customers USING (customer) GROUP BY 1, 2) AS rows_
GROUP BY month ORDER BY month;

-- Parallel plans.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 4;
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
EXPLAIN (COSTS OFF) SELECT retention(a, b), retention_sum(ARRAY[a, b]), funnel_counts(id % 6, 5), cohort_retention('2026-01-01', ts, '1 week', 12) FROM activity;
SELECT * FROM differences;
SELECT retention(a, b), retention_sum(ARRAY[a, b]) = ARRAY[count(*) FILTER (WHERE a), count(*) FILTER (WHERE b)] AS sums, cohort_retention('2026-06-01', ts, '1 week', 12) FROM activity;
SELECT count(set_config(name, 'off', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- As window aggregates.
SELECT count(*) AS differ FROM (
    SELECT id, customer, retention(a, b) OVER w AS r, retention_sum(ARRAY[a, b]) OVER w AS s, funnel_counts(id % 4, 3) OVER w AS f, cohort_retention('2026-02-01', ts, '10 days', 9) OVER w AS p
    FROM activity WHERE customer < 9 WINDOW w AS (PARTITION BY customer ORDER BY id)) AS rows_
WHERE (r, s, f, p) IS DISTINCT FROM (SELECT (retention(a, b), retention_sum(ARRAY[a, b]), funnel_counts(id % 4, 3), cohort_retention('2026-02-01', ts, '10 days', 9))
                                     FROM activity WHERE customer = rows_.customer AND id <= rows_.id);

-- Nothing to count, nulls, what is refused.
SELECT retention(a) FILTER (WHERE false), retention_sum(ARRAY[a]) FILTER (WHERE false), funnel_counts(1, 2) FILTER (WHERE false), cohort_retention(ts, ts, '1 day', 2) FILTER (WHERE false) FROM activity;
SELECT retention(NULL, true), retention(VARIADIC NULL), retention_sum(NULL), retention_sum('{NULL,t}'), funnel_counts(NULL, 2), cohort_retention(NULL, ts, '1 day', 2), cohort_retention('2026-01-01', NULL, '1 day', 2) FROM activity WHERE id < 4;
SELECT retention(VARIADIC array_fill(true, ARRAY[64])) = array_fill(true, ARRAY[64]) AS sixty_four, cohort_retention('2026-01-01', '2025-12-31', '1 day', 2), cohort_retention('2026-01-01', 'infinity', '1 day', 2),
       cohort_retention('2026-01-01', 'infinity', '1 day', 2, 'on_or_after');
\set VERBOSITY sqlstate
SELECT retention(VARIADIC '{}');
SELECT retention(VARIADIC array_fill(true, ARRAY[65]));
SELECT retention(VARIADIC array_fill(true, ARRAY[1 + id % 2])) FROM activity;
SELECT retention_sum('{}');
SELECT retention_sum('{{t},{f}}');
SELECT retention_sum(array_fill(true, ARRAY[1 + id % 2])) FROM activity;
SELECT retention_sum(array_fill(true, ARRAY[65537]));
SELECT funnel_counts(3, 2);
SELECT funnel_counts(-1, 2);
SELECT funnel_counts(0, 0);
SELECT funnel_counts(1, NULL);
SELECT funnel_counts(1, 2 + id % 2) FROM activity;
SELECT cohort_retention(ts, ts, '1 day', 2) FROM activity;
SELECT cohort_retention('2026-01-01', ts, make_interval(days => id), 2) FROM activity;
SELECT cohort_retention('2026-01-01', ts, '1 day', 1 + id % 2) FROM activity;
SELECT cohort_retention('2026-01-01', ts, '1 day', 2, CASE WHEN id % 2 = 0 THEN 'on' ELSE 'on_or_after' END) FROM activity;
SELECT cohort_retention('2026-01-01', ts, '1 day', 2, 'on', CASE WHEN id % 2 = 0 THEN 'UTC' ELSE 'Asia/Riyadh' END) FROM activity;
SELECT cohort_retention('2026-01-01', now(), '0', 2);
SELECT cohort_retention('2026-01-01', now(), '1 month -1 day', 2);
SELECT cohort_retention('2026-01-01', now(), '1 day', 0);
SELECT cohort_retention('2026-01-01', now(), '1 day', -1);
SELECT cohort_retention('2026-01-01', now(), '1 day', 1001);
SELECT cohort_retention('2026-01-01', now(), NULL, 2);
SELECT cohort_retention('2026-01-01', now(), '1 day', 2, 'after');
SELECT cohort_retention('2026-01-01', now(), '1 day', 2, 'on', 'Mars/Olympus');
SELECT cohort_retention('2026-01-01', now(), '1 day', 2, 'on', NULL);
SELECT cohort_retention('infinity', now(), '1 day', 2);
SELECT cohort_retention('2026-01-01', now(), '100000 years', 1000);
SELECT cohort_retention('2026-01-01', now(), '2147483647 days', 3);
SELECT retention_combine(NULL, NULL);
\set VERBOSITY default

-- States are values.
CREATE AGGREGATE retention_of(VARIADIC boolean[]) (SFUNC = retention_add, STYPE = retention_state);
CREATE AGGREGATE sum_of(boolean[]) (SFUNC = retention_sum_add, STYPE = retention_sum_state);
CREATE AGGREGATE counts_of(int, int) (SFUNC = funnel_counts_add, STYPE = funnel_counts_state);
CREATE AGGREGATE cohort_of(timestamptz, timestamptz, interval, int, text, text) (SFUNC = cohort_retention_add, STYPE = cohort_retention_state);
CREATE AGGREGATE merged_cohorts(cohort_retention_state) (SFUNC = cohort_retention_combine, STYPE = cohort_retention_state, FINALFUNC = cohort_retention_final);
CREATE TABLE states AS
SELECT customer, id % 3 AS part, retention_of(a, b) AS r, sum_of(ARRAY[a, b]) AS s, counts_of(id % 4, 3) AS f, cohort_of(anchor, ts, '1 month', 11, 'on', 'Asia/Riyadh') AS p
FROM activity JOIN customers USING (customer) GROUP BY 1, 2;
SELECT count(*) AS differ FROM (SELECT customer, merged_cohorts(p) FROM states GROUP BY customer
    EXCEPT SELECT customer, cohort_retention(anchor, ts, '1 month', 11, 'on', 'Asia/Riyadh') FROM activity JOIN customers USING (customer) GROUP BY customer) AS d;
SELECT count(*) AS differ FROM states WHERE (r::text::retention_state::text, s::text::retention_sum_state::text, f::text::funnel_counts_state::text, p::text::cohort_retention_state::text)
    IS DISTINCT FROM (r::text, s::text, f::text, p::text);
SELECT retention_of(true, false, true) AS r, sum_of('{t,f}') AS s, counts_of(1, 2) AS f, cohort_of('2000-01-01 00:00:01', '2000-01-01 00:00:01', '1 mon 2 days 00:00:03', 9, 'on', 'utc') AS p;
CREATE TABLE states_again (LIKE states);
DO $$
DECLARE
    file text := current_setting('data_directory') || '/brainsait_regress_states';
BEGIN
    EXECUTE format('COPY states TO %L (FORMAT binary)', file);
    EXECUTE format('COPY states_again FROM %L (FORMAT binary)', file);
END
$$;
SELECT count(*) AS differ FROM states s JOIN states_again a USING (customer, part) WHERE (s.r::text, s.s::text, s.f::text, s.p::text) IS DISTINCT FROM (a.r::text, a.s::text, a.f::text, a.p::text);

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
