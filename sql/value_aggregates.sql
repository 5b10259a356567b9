-- min_by(), max_by() and sparkline() against plain SQL.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;

SELECT setseed(0.75);
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TYPE pair AS (x int, y text);
CREATE DOMAIN price AS numeric CHECK (VALUE >= 0);
CREATE TABLE things AS
SELECT g AS id, (random() * 200)::int AS grp, (random() * 5)::int AS i, round((random() * 3)::numeric, (random() * 3)::int) AS n, ((random() * 6)::int / 2.0)::float8 AS f,
       chr(97 + (random() * 4)::int) || repeat('x', (random() * 2)::int * 1500) AS t, '2026-01-01'::timestamptz + (random() * 5)::int * interval '1 day' AS ts,
       md5((random() * 5)::int::text)::uuid AS u, jsonb_build_object('k', (random() * 3)::int) AS j, ARRAY[(random() * 2)::int, NULL] AS a,
       ROW((random() * 2)::int, 'p')::pair AS p, CASE WHEN random() < 0.5 THEN 'glad' ELSE 'sad' END::mood AS m, round((random() * 3)::numeric, 1)::price AS d, random() < 0.5 AS b
FROM generate_series(1, 4000) AS g;
UPDATE things SET i = NULL WHERE id % 17 = 0;
UPDATE things SET t = NULL, f = 'NaN' WHERE id % 19 = 0;
UPDATE things SET n = NULL, f = '-0' WHERE id % 23 = 0;
ANALYZE things;

CREATE VIEW found AS
SELECT grp, min_by(t, n) AS tn, max_by(t, n) AS tx, min_by(n, i)::text AS ni, max_by(n, t) AS nt, min_by(f, ts) AS fts, max_by(i, f) AS if, min_by(ts, u) AS tsu, max_by(u, j) AS uj,
       min_by(j, a) AS ja, min_by(p, m) AS pm, max_by(m, d) AS md, min_by(d, b) AS db, max_by(b, i) AS bi
FROM things GROUP BY grp;
-- Of equal numerics (1.0 and 1.00) that of the smaller scale stands first.
CREATE VIEW expected AS
SELECT grp, (array_agg(t ORDER BY n, t) FILTER (WHERE t IS NOT NULL AND n IS NOT NULL))[1] AS tn, (array_agg(t ORDER BY n DESC, t) FILTER (WHERE t IS NOT NULL AND n IS NOT NULL))[1] AS tx,
       (array_agg(n ORDER BY i, n, scale(n)) FILTER (WHERE n IS NOT NULL AND i IS NOT NULL))[1]::text AS ni, (array_agg(n ORDER BY t DESC, n) FILTER (WHERE n IS NOT NULL AND t IS NOT NULL))[1] AS nt,
       (array_agg(f ORDER BY ts, f))[1] AS fts, (array_agg(i ORDER BY f DESC, i) FILTER (WHERE i IS NOT NULL))[1] AS if, (array_agg(ts ORDER BY u, ts))[1] AS tsu,
       (array_agg(u ORDER BY j DESC, u))[1] AS uj, (array_agg(j ORDER BY a, j))[1] AS ja,  (array_agg(p ORDER BY m, p))[1] AS pm, (array_agg(m ORDER BY d DESC, m))[1] AS md, (array_agg(d ORDER BY b, d))[1] AS db, (array_agg(b ORDER BY i DESC, b) FILTER (WHERE i IS NOT NULL))[1] AS bi
FROM things GROUP BY grp;
CREATE VIEW differences AS
SELECT grp FROM found FULL JOIN expected e USING (grp)
WHERE (found.tn, found.tx, found.ni, found.nt, found.fts, found.if, found.tsu, found.uj, found.ja, found.pm, found.md, found.db, found.bi)
      IS DISTINCT FROM (e.tn, e.tx, e.ni, e.nt, e.fts, e.if, e.tsu, e.uj, e.ja, e.pm, e.md, e.db, e.bi);
SELECT count(*) AS groups, count(*) FILTER (WHERE tn <> tx) > 100 AS differ FROM found;
SELECT count(*) AS differ FROM differences;

-- Parallel plans: values travel as their types send them, whatever the client's encoding.
CREATE TABLE results AS SELECT * FROM found;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 4;
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
EXPLAIN (COSTS OFF) SELECT min_by(t, n), max_by(n, t COLLATE "C") FROM things;
SELECT count(*) AS differ FROM differences;
SELECT count(*) AS differ FROM (TABLE found EXCEPT TABLE results) AS d;
SET parallel_leader_participation = off;
SET client_encoding = 'LATIN1';
SELECT min_by(chr(233) || t, n) = chr(233) || min_by(t, n) AS same, min_by(ARRAY[chr(233)], n) = ARRAY[chr(233)] AS same_array FROM things;
RESET client_encoding;
RESET parallel_leader_participation;
SELECT min_by(point(id, 1), i)::text <> '' AS without_order FROM things;
-- Drawing has an order, and is left to one process.
EXPLAIN (COSTS OFF) SELECT sparkline(n) FROM things;
SELECT count(set_config(name, 'off', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

-- As window aggregates.
SELECT count(*) AS differ FROM (
    SELECT id, grp, min_by(t, n) OVER w AS tn, max_by(n, t) OVER w AS nt, sparkline(n) OVER w AS s FROM things WHERE grp < 12 WINDOW w AS (PARTITION BY grp ORDER BY id)) AS rows_
WHERE (tn, nt, s) IS DISTINCT FROM (SELECT (min_by(t, n), max_by(n, t), sparkline(n ORDER BY id)) FROM things WHERE grp = rows_.grp AND id <= rows_.id);

-- Collations decide; nulls; empty groups; types without order; rows.
SELECT max_by(id, t COLLATE "C") AS last_in_c, min_by(t COLLATE "C", id) AS t FROM (VALUES (1, 'a'), (2, 'B'), (0, NULL), (NULL, 'z')) AS v (id, t);
SELECT min_by(id, id) FILTER (WHERE false), max_by(NULL::text, id), max_by(id, NULL::int) FROM things;
SELECT min_by(x, 1) AS zero, min_by(1, x) AS one FROM (VALUES (0::float8), ('-0')) AS v (x);
SELECT min_by(x, 1)::text AS scale FROM (VALUES (1.000), (1.0), (1.00)) AS v (x);
SELECT min_by(x, 1)::text = max_by(x, 1)::text AS bytes_decide FROM (VALUES (point(2, 1)), (point(1, 1))) AS v (x);
SELECT min_by(things, id) = (SELECT first FROM things first WHERE i IS NOT NULL ORDER BY id LIMIT 1) AS whole_row FROM things WHERE i IS NOT NULL;
\set VERBOSITY sqlstate
SELECT min_by(id, point(1, 1)) FROM things;
SELECT min_by(id, j::json) FROM things;
SELECT min_by(ROW (id, 1), id) FROM things;
SELECT min_by_add(NULL, 1, 2);
SELECT extremum_combine(NULL, NULL);
\set VERBOSITY default

-- States are values: of a type by its name, and no other.
CREATE AGGREGATE minimum_of(anyelement, anycompatible) (SFUNC = min_by_add, STYPE = extremum_state);
CREATE AGGREGATE maximum_of(anyelement, anycompatible) (SFUNC = max_by_add, STYPE = extremum_state);
CREATE AGGREGATE merged(extremum_state) (SFUNC = extremum_combine, STYPE = extremum_state);
CREATE TABLE states AS SELECT grp, id % 3 AS part, minimum_of(t, n) AS tn, maximum_of(p, m) AS pm, minimum_of(f, ts) AS fts FROM things GROUP BY 1, 2;
SELECT count(*) AS differ FROM (SELECT grp, extremum_final(merged(tn), NULL::text, NULL::numeric) AS tn, extremum_final(merged(fts), NULL::float8, NULL::timestamptz) AS fts FROM states GROUP BY grp) AS m
JOIN expected e USING (grp) WHERE (m.tn, m.fts) IS DISTINCT FROM (e.tn, e.fts);
SELECT count(*) AS differ FROM states WHERE (tn::text::extremum_state::text, pm::text::extremum_state::text) IS DISTINCT FROM (tn::text, pm::text);
SELECT minimum_of(x, y) AS state, convert_from(substr(minimum_of(x, y)::text::bytea, 5, 7), 'UTF8') AS type FROM (VALUES (7, 'a'::text)) AS v (x, y);
CREATE TABLE states_again (LIKE states);
DO $$
DECLARE
    file text := current_setting('data_directory') || '/brainsait_regress_states';
BEGIN
    EXECUTE format('COPY states TO %L (FORMAT binary)', file);
    EXECUTE format('COPY states_again FROM %L (FORMAT binary)', file);
END
$$;
SELECT count(*) AS differ FROM states s JOIN states_again a USING (grp, part) WHERE (s.tn::text, s.pm::text, s.fts::text) IS DISTINCT FROM (a.tn::text, a.pm::text, a.fts::text);
\set VERBOSITY sqlstate
SELECT extremum_final(tn, 1, 1) FROM states WHERE tn IS NOT NULL LIMIT 1;
SELECT merged(s) FROM (SELECT minimum_of(1, 2) UNION ALL SELECT maximum_of(1, 2)) AS v (s);
SELECT merged(s) FROM (SELECT minimum_of(1, 2) UNION ALL SELECT minimum_of(1, 2::numeric)) AS v (s);
-- integer 7 and text 'a', changed: version, direction, no type of that name, names that are not the full one, form, lengths, bytes after the end,
-- types that no value can have, a text with a zero in it.
SELECT '\x01000700696e74656765720104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state IS NOT NULL AS good;
SELECT '\x02000700696e74656765720104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01020700696e74656765720104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000700696e74656765730104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000400696e74340104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x0100020032330104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x0100080020696e74656765720104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x010000000104000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000700696e74656765720204000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000700696e74656765720004000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000700696e74656765720103000000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000700696e746567657201ffff0000000000070f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000700696e74656765720104000000000000070f0070675f636174616c6f672e74657874010100000061ff'::extremum_state;
SELECT '\x01000700696e74656765720104000000000000070f0070675f636174616c6f672e746578740101000000'::extremum_state;
SELECT '\x01000a00616e79656c656d656e740001000000310f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x0100070063737472696e670001000000310f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000800696e7465726e616c0001000000310f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x010006007265636f72640001000000310f0070675f636174616c6f672e74657874010100000061'::extremum_state;
SELECT '\x01000700696e74656765720104000000000000070f0070675f636174616c6f672e7465787401020000006100'::extremum_state;
SELECT ('\x0100ffff' || repeat('61', 65535) || '0100000000')::extremum_state;
\set VERBOSITY default

-- Sparklines.
SELECT sparkline(x ORDER BY x) AS up, sparkline(x ORDER BY x DESC) AS down, sparkline(0) AS level, sparkline(x * x ORDER BY x) AS square FROM generate_series(1, 16) AS x;
SELECT sparkline(x) AS holes, sparkline(x) FILTER (WHERE false) IS NULL AS none, sparkline(NULL) IS NULL AS only_nulls FROM unnest('{1,NULL,NaN,3,Infinity,2,-Infinity}'::numeric[]) AS x;
SELECT sparkline(x) FROM unnest(ARRAY[-1e400, 0, 1e400]::numeric[]) AS x;
SELECT length(sparkline(x)) FROM generate_series(1, 65536) AS x;
SELECT sparkline(x) FROM generate_series(1, 65537) AS x;
SET client_encoding = 'SQL_ASCII';
SELECT octet_length(sparkline(x)) FROM generate_series(1, 8) AS x;
RESET client_encoding;

-- Every aggregate of the extension's: parallel safe, merged where order has no part in it, its state as it was after reading.
SELECT aggfnoid, aggfinalmodify, aggtransspace > 0 AS sized, aggcombinefn <> 0 AS combines, aggtranstype <> 'internal'::regtype AS concrete, proparallel
FROM pg_aggregate JOIN pg_proc ON pg_proc.oid = aggfnoid JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = aggfnoid AND d.deptype = 'e'
WHERE pronamespace = 'shop'::regnamespace AND (aggfinalmodify <> 'r' OR aggtransspace = 0 OR aggcombinefn = 0 OR aggtranstype = 'internal'::regtype OR proparallel <> 's')
ORDER BY 1;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
