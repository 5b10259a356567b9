-- session_stats() and purchase_stats() against plain SQL.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;

SELECT setseed(0.5);
CREATE TABLE visits AS
SELECT g AS id, (random() * 300)::int AS visitor, '2026-01-01'::timestamptz + random() * interval '3 days' AS ts,
       round((random() * 1000)::numeric, (random() * 3)::int) AS amount
FROM generate_series(1, 20000) AS g;
UPDATE visits SET ts = NULL WHERE id % 97 = 0;
UPDATE visits SET amount = NULL WHERE id % 89 = 0;
UPDATE visits SET ts = date_trunc('minute', ts) WHERE id % 3 = 0;
ANALYZE visits;

-- A session begins where the pause before a row is longer than the gap.
CREATE VIEW expected_sessions AS
SELECT visitor, count(*) AS sessions, count(*) FILTER (WHERE events = 1) AS bounces, sum(duration) AS total_duration, sum(events)::bigint AS events
FROM (SELECT visitor, session, max(ts) - min(ts) AS duration, count(*) AS events
      FROM (SELECT visitor, ts, count(*) FILTER (WHERE begins) OVER (PARTITION BY visitor ORDER BY ts, id) AS session
            FROM (SELECT id, visitor, ts, coalesce(ts - lag(ts) OVER (PARTITION BY visitor ORDER BY ts, id) > interval '45 minutes', true) AS begins
                  FROM visits WHERE ts IS NOT NULL) AS rows_) AS rows_
      GROUP BY visitor, session) AS sessions
GROUP BY visitor;
CREATE VIEW found_sessions AS SELECT visitor, (session_stats(ts, '45 minutes')).* FROM visits GROUP BY visitor;
CREATE VIEW expected_purchases AS
SELECT visitor, count(*) AS orders, sum(amount) AS revenue, min(ts) AS first_at, max(ts) AS last_at,
       round(extract(epoch FROM max(ts) - min(ts)) / nullif(count(*) - 1, 0), 6) AS mean_seconds
FROM visits WHERE ts IS NOT NULL AND amount IS NOT NULL GROUP BY visitor;
CREATE VIEW found_purchases AS SELECT visitor, (purchase_stats(ts, amount)).* FROM visits GROUP BY visitor;
CREATE VIEW differences AS
SELECT 'sessions' AS what, visitor FROM (TABLE expected_sessions EXCEPT TABLE found_sessions) AS d
UNION ALL
SELECT 'purchases', visitor FROM expected_purchases e FULL JOIN found_purchases f USING (visitor)
WHERE (e.orders, e.revenue::text, e.first_at, e.last_at, e.mean_seconds) IS DISTINCT FROM
      (f.orders, f.revenue::text, f.first_at, f.last_at, extract(epoch FROM f.mean_interval));
SELECT count(*) AS visitors, sum(bounces) > 100 AS bounces, sum(sessions) > 1000 AS sessions FROM expected_sessions;
SELECT * FROM differences;

-- Parallel workers, partial sums that are merged.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 4;
SET enable_sort = off;
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
EXPLAIN (COSTS OFF) SELECT session_stats(ts, '45 minutes'), purchase_stats(ts, amount) FROM visits;
SELECT * FROM differences;
SELECT (session_stats(ts, '1 second')).events = count(ts) AS all_counted, (purchase_stats(ts, amount)).revenue = sum(amount) FILTER (WHERE ts IS NOT NULL) AS all_summed FROM visits;
SELECT count(set_config(name, 'off', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
RESET enable_sort;

-- As window aggregates: the figures of the rows up to each.
SELECT count(*) AS differ FROM (
    SELECT id, visitor, session_stats(ts, '45 minutes') OVER w AS s, purchase_stats(ts, amount) OVER w AS p
    FROM visits WHERE visitor < 4 WINDOW w AS (PARTITION BY visitor ORDER BY md5(id::text))) AS rows_
WHERE (s, p) IS DISTINCT FROM (SELECT (session_stats(ts, '45 minutes'), purchase_stats(ts, amount)) FROM visits
                               WHERE visitor = rows_.visitor AND md5(id::text) <= md5(rows_.id::text));

-- Nothing to count, single rows, ties, sums of any scale.
SELECT session_stats(ts, '1 hour') FILTER (WHERE false) AS sessions, purchase_stats(ts, amount) FILTER (WHERE false) AS purchases FROM visits;
SELECT session_stats(NULL, '1 hour') AS sessions, purchase_stats(NULL, 1) AS purchases, purchase_stats(now(), NULL) FROM visits;
SELECT session_stats(ts, '0') AS no_gap, session_stats(ts, '1 hour') AS an_hour, session_stats(ts, '30 days') AS month, purchase_stats(ts, amount) AS purchases
FROM (VALUES ('2026-03-01 10:00'::timestamptz, 1.5), ('2026-03-01 10:00', 2.50), ('2026-03-01 11:00', -1), ('2026-03-04 11:00:00.000001', 10000000000000000000000.001)) AS v (ts, amount);
SELECT purchase_stats(now(), amount) = ROW (3, sum(amount), now(), now(), interval '0')::purchase_stats_result AS not_a_number
FROM unnest('{1, NaN, Infinity}'::numeric[]) AS amount;
\set VERBOSITY sqlstate
SELECT session_stats(ts, NULL) FROM visits;
SELECT session_stats(ts, '1 month') FROM visits;
SELECT session_stats(ts, '-1 second') FROM visits;
SELECT session_stats(ts, make_interval(secs => id)) FROM visits;
SELECT session_stats('infinity', '1 second') FROM visits;
SELECT purchase_stats('-infinity', 1) FROM visits;
SELECT purchase_stats(ts, 1) FROM (VALUES ('4713-01-01 BC'::timestamptz), ('294276-12-31')) AS v (ts);
SELECT session_stats_add(NULL, now(), '1 second');
SELECT purchase_stats_combine(NULL, NULL);
\set VERBOSITY default

-- States are values.
CREATE AGGREGATE session_state(timestamptz, interval) (SFUNC = session_stats_add, STYPE = session_stats_state);
CREATE AGGREGATE merged_sessions(session_stats_state) (SFUNC = session_stats_combine, STYPE = session_stats_state, FINALFUNC = session_stats_final);
CREATE AGGREGATE purchase_state(timestamptz, numeric) (SFUNC = purchase_stats_add, STYPE = purchase_stats_state);
CREATE AGGREGATE merged_purchases(purchase_stats_state) (SFUNC = purchase_stats_combine, STYPE = purchase_stats_state, FINALFUNC = purchase_stats_final);
CREATE TABLE states AS SELECT visitor, id % 7 AS part, session_state(ts, '45 minutes') AS s, purchase_state(ts, amount) AS p FROM visits GROUP BY 1, 2;
SELECT count(*) AS differ FROM (SELECT visitor, (merged_sessions(s)).* FROM (TABLE states ORDER BY md5(part::text)) AS t GROUP BY visitor EXCEPT TABLE expected_sessions) AS d;
SELECT count(*) AS differ FROM (SELECT visitor, (merged_purchases(p)).* FROM states GROUP BY visitor EXCEPT TABLE found_purchases) AS d;
SELECT count(*) AS differ FROM states WHERE s::text::session_stats_state::text <> s::text OR p::text::purchase_stats_state::text <> p::text;
SELECT session_state(ts, '1 second') AS s, purchase_state(ts, 12.50) AS p FROM (VALUES ('2000-01-01 00:00:01'::timestamptz), ('2000-01-01')) AS v (ts);
CREATE TABLE states_again (LIKE states);
DO $$
DECLARE
    file text := current_setting('data_directory') || '/brainsait_regress_states';
BEGIN
    EXECUTE format('COPY states TO %L (FORMAT binary)', file);
    EXECUTE format('COPY states_again FROM %L (FORMAT binary)', file);
END
$$;
SELECT count(*) AS differ FROM states s JOIN states_again a USING (visitor, part) WHERE (s.s::text, s.p::text) IS DISTINCT FROM (a.s::text, a.p::text);

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
