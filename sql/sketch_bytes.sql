-- 100,000 sketches with bits flipped, cut short or drawn out: each is refused with 22P03, or is a sketch that comes out byte by byte as
-- it went in and answers.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE TABLE good (number serial, type text, bytes bytea);
INSERT INTO good (type, bytes) SELECT 'distinct_sketch', distinct_sketch(v)::bytea FROM (VALUES (1), (20), (256), (400), (20000)) AS t (n), generate_series(1, n) AS v GROUP BY n;
INSERT INTO good (type, bytes) SELECT 'quantile_sketch', quantile_sketch(v * (v % 7 - 2) * 10::float8 ^ (v % 40 - 20))::bytea FROM (VALUES (1), (20), (300)) AS t (n), generate_series(1, n) AS v GROUP BY n;
INSERT INTO good (type, bytes) SELECT 'top_k_sketch', top_k_sketch('key ' || v % 50, v - 10, 3)::bytea FROM (VALUES (1), (20), (300)) AS t (n), generate_series(1, n) AS v GROUP BY n;
-- 4,200 keys do not fit, so there are bounds in it.
INSERT INTO good (type, bytes) SELECT 'top_k_sketch', top_k_sketch(v::text, v % 9 - 2, 3)::bytea FROM generate_series(1, 4200) AS v;

CREATE FUNCTION damaged(bytes bytea, how float8) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    size int := length(bytes);
BEGIN
    IF how < 0.02 THEN
        RETURN substr(bytes, 1, floor(random() * size)::int);
    ELSIF how < 0.04 THEN
        RETURN bytes || substr(bytes, 1, 1 + floor(random() * 20)::int);
    END IF;
    -- Half of the flips are in the first 60 bytes, where the header is.
    FOR flip IN 1..1 + (random() * random() * 4)::int LOOP
        bytes := set_bit(bytes, floor(random() * CASE WHEN random() < 0.5 THEN least(size, 60) ELSE size END * 8)::bigint, (random() < 0.5)::int);
    END LOOP;
    RETURN bytes;
END $$;

CREATE FUNCTION try(type text, bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    CASE type
        WHEN 'distinct_sketch' THEN
            IF bytes::distinct_sketch::bytea <> bytes OR distinct_count(bytes::distinct_sketch) < 0 THEN RETURN 'wrong'; END IF;
        WHEN 'quantile_sketch' THEN
            IF bytes::quantile_sketch::bytea <> bytes OR bytes::quantile_sketch - bytes::quantile_sketch <> bytes::quantile_sketch - bytes::quantile_sketch
                OR approx_percentile(0, bytes::quantile_sketch) > approx_percentile(0.9, bytes::quantile_sketch) THEN RETURN 'wrong'; END IF;
        ELSE
            IF bytes::top_k_sketch::bytea <> bytes OR EXISTS (SELECT FROM unnest(top_k_entries(bytes::top_k_sketch)) AS e WHERE e.lower_bound > e.weight OR e.upper_bound < e.weight) THEN RETURN 'wrong'; END IF;
    END CASE;
    RETURN 'accepted';
EXCEPTION WHEN invalid_binary_representation THEN
    RETURN 'refused';
END $$;

SELECT setseed(0.5);
CREATE TABLE verdict (type text, verdict text);
DO $$
DECLARE
    sketch record;
BEGIN
    FOR sketch IN SELECT type, bytes, CASE WHEN length(bytes) > 40000 THEN 1000 ELSE 9000 END AS times FROM good ORDER BY number LOOP
        INSERT INTO verdict SELECT sketch.type, try(sketch.type, damaged(sketch.bytes, random())) FROM generate_series(1, sketch.times);
    END LOOP;
END $$;
SELECT count(*) >= 100000 AS enough, count(*) FILTER (WHERE verdict NOT IN ('accepted', 'refused')) AS wrong FROM verdict;
SELECT type, count(*) FILTER (WHERE verdict = 'refused') > 1000 AS many_refused, count(*) FILTER (WHERE verdict = 'accepted') > 1000 AS many_accepted FROM verdict GROUP BY type ORDER BY type;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
