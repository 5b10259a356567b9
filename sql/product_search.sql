-- search_products(), filter_products(), find_orders(), product_page(): what they find, that they read indexes, that they stay in the tenant.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
CREATE ROLE regress_search_app IN ROLE brainsait_app;
CREATE ROLE regress_search_operator IN ROLE brainsait_operator;
CREATE ROLE regress_search_stranger;
GRANT USAGE ON SCHEMA shop TO regress_search_stranger;
\set souk '\'aaaaaaaa-0000-4000-8000-000000000000\''
\set mill '\'bbbbbbbb-0000-4000-8000-000000000000\''
INSERT INTO tenants (id, name, slug) VALUES (:souk, 'Souk', 'souk'), (:mill, 'Mill', 'mill');
INSERT INTO products (tenant_id, name, description, price, tags, metadata, status) VALUES
    (:souk, '{"en": "Coffee machines", "ar": "ماكينات القهوة"}', '{"en": "Brewing at home"}', 300, '{kitchen,coffee}', '{"brand": "Kaffa"}', 'active'),
    (:souk, '{"en": "Roasted Harari Coffee", "ar": "قهوة هررية محمصة"}', '{"en": "Beans, 500 g", "ar": "حبوب"}', 45, '{food,coffee}', '{"brand": "Harar"}', 'active'),
    (:souk, '{"en": "Sidr honey", "ar": "عسل السدر"}', '{"en": "The state of the art of bees"}', 333, '{food}', '{"brand": "Sidr", "new": true}', 'active'),
    (:souk, '{"en": "Honey cake", "ar": "كعكة بالعسل"}', NULL, 20, '{food,cake}', NULL, 'draft'),
    (:souk, '{"ar": "كتب الطبخ"}', '{"ar": "مكتبة Nespresso machines"}', 60, NULL, '{}', 'active'),
    (:mill, '{"en": "Secret coffee honey", "ar": "قهوة عسل سرية"}', NULL, 1, '{coffee,food}', '{"brand": "Harar"}', 'active');
INSERT INTO orders (tenant_id, number, total, metadata, created_at) VALUES
    (:souk, 'S1', 1, '{"channel": "web", "n": 1}', '2026-01-01'), (:souk, 'S2', 2, '{"channel": "web", "n": 2}', '2026-01-02'),
    (:souk, 'S3', 3, '{"channel": "app"}', '2026-01-03'), (:mill, 'M1', 3, '{"channel": "web"}', '2026-01-03');
CREATE TABLE asked (n integer GENERATED ALWAYS AS IDENTITY, query text, lang text);
INSERT INTO asked (query, lang) VALUES
    ('coffee', NULL), ('machine', NULL), ('brew', 'en'), ('brewed machine', NULL), ('القهوة', NULL), ('قهوة', 'ar'), ('قهوة machine', NULL),
    ('coffee -machine', NULL), ('coffee -brewing', 'en'), ('"sidr honey"', NULL), ('"honey sidr"', NULL), ('"state of the art"', NULL), ('the honey', NULL), ('honey or coffee', NULL),
    ('عسل', NULL), ('كتاب', NULL), ('nespresso', NULL), ('Nespresso -machines', NULL), ('secret', NULL), ('-coffee', NULL), ('', NULL), ('the of', NULL), ('of', 'en'),
    ('coffee:*', NULL), ($$'; DROP TABLE products; --$$, NULL), ($$co'ff\ee & | ! ( :A <-> ''$$, NULL), ('"""" - -- " or or', NULL), ('zzz or "', NULL),
    ($$\'coffee\' | 'x$$, 'en'), (repeat('a b ', 249), NULL), (E'coffee\n', NULL), (repeat('"x-y-z" -a-b ', 70), NULL);
GRANT SELECT ON asked TO PUBLIC;

SET ROLE regress_search_app;
-- Nobody's.
SELECT (SELECT count(*) FROM search_products('coffee', status => NULL)), (SELECT count(*) FROM filter_products(status => NULL)), (SELECT count(*) FROM find_orders('{}')),
       (SELECT count(*) FROM product_page()), (SELECT count(*) FROM products_by_text('coffee', NULL, 9, 9)),
       (SELECT count(*) FROM products_by_filters(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 9)), (SELECT count(*) FROM orders_by_metadata('{}', 9));
BEGIN;
DO $$ BEGIN PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000'); END $$;
SELECT left(query, 40) AS query, lang, found FROM asked
CROSS JOIN LATERAL (SELECT string_agg(coalesce(name ->> 'en', name ->> 'ar'), ', ' ORDER BY coalesce(name ->> 'en', name ->> 'ar')) AS found FROM search_products(query, lang)) AS s ORDER BY n;
SELECT name ->> 'en' AS any_status, product_status, rank > 0 AS ranked FROM search_products('honey', status => NULL) ORDER BY 1;
SELECT count(*) AS one FROM search_products('honey or coffee', k => 1);
SELECT string_agg(product_name ->> 'en', ', ' ORDER BY price) AS tagged FROM filter_products(tags => '{food}');
SELECT string_agg(product_name ->> 'en', ', ' ORDER BY price) AS tagged FROM filter_products(tags => '{food,coffee}');
SELECT string_agg(product_name ->> 'en', ', ' ORDER BY price) AS named FROM filter_products(name => '{"en": "Sidr honey"}');
SELECT string_agg(product_name ->> 'en', ', ' ORDER BY price) AS of_brand FROM filter_products(metadata => '{"brand": "Harar"}');
SELECT string_agg(product_name ->> 'en', ', ' ORDER BY price) AS priced FROM filter_products(min_price => 20, max_price => 300, currency => 'USD', status => NULL);
SELECT string_agg(product_name ->> 'en', ', ' ORDER BY price) AS drafts FROM filter_products(status => 'draft');
SELECT count(*) AS in_riyals FROM filter_products(currency => 'SAR');
SELECT number, total FROM find_orders('{"channel": "web"}');
SELECT number FROM find_orders('{}', 1);
COMMIT;
-- Bad input.
\set VERBOSITY sqlstate
SELECT search_products(NULL);
SELECT search_products('x', 'de');
SELECT search_products('x', k => 0);
SELECT search_products('x', k => 1001);
SELECT search_products('x', k => NULL);
SELECT search_products(repeat('x', 1001));
SELECT filter_products(min_price => 2, max_price => 1);
SELECT filter_products(after => 'x');
SELECT product_page(NULL);
SELECT product_page(after => '');
SELECT product_page(after => '2026-13-45/aaaaaaaa-0000-4000-8000-000000000000');
SELECT product_page(after => 'now''; --/aaaaaaaa-0000-4000-8000-000000000000');
SELECT product_page(k => 0);
SELECT find_orders(NULL);
SET ROLE regress_search_stranger;
SELECT search_products('x');
SELECT products_by_text('x', NULL, 1, 1);
SELECT product_page();
\set VERBOSITY terse
RESET ROLE;

-- 20,000 products of one shop among those of others: the same as a plain scan by the superuser, whom no wall stops.
SELECT setseed(0.5);
INSERT INTO products (tenant_id, name, price, tags, metadata, status, currency, created_at)
SELECT CASE WHEN n % 10 = 0 THEN :mill::uuid ELSE :souk::uuid END, jsonb_build_object('en', 'Thing number ' || n || ' ' || (ARRAY['lamps', 'chairs', 'tables'])[1 + n % 3]),
       floor(random() * 1000000) / 100, ARRAY['tag' || n % 400, 'group' || n % 7], jsonb_build_object('size', n % 50),
       CASE WHEN n % 5 = 0 THEN 'draft' ELSE 'active' END, CASE WHEN n % 4 = 0 THEN 'SAR' ELSE 'USD' END,
       CASE WHEN n % 55 > 0 THEN timestamptz '2026-01-01' + floor(random() * 5000) * interval '1 minute' END
FROM generate_series(1, 20000) AS n;
INSERT INTO orders (tenant_id, number, total, metadata)
SELECT CASE WHEN n % 10 = 0 THEN :mill::uuid ELSE :souk::uuid END, 'T' || n, 1, jsonb_build_object('cart', n % 300) FROM generate_series(1, 5000) AS n;
VACUUM ANALYZE products, orders;
CREATE TABLE found (what text, id uuid, place bigint);
GRANT SELECT, INSERT ON found TO PUBLIC;
SET ROLE regress_search_app;
BEGIN;
DO $$ BEGIN PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000'); END $$;
INSERT INTO found SELECT 'word', id, 0 FROM search_products('17777');
INSERT INTO found SELECT 'stem', id, 0 FROM search_products('numbers "2 table" or 1233 lamp', k => 1000);
INSERT INTO found SELECT 'common', id, 0 FROM search_products('chair', status => 'draft', k => 1000);
INSERT INTO found SELECT 'tag', id, row_number() OVER () FROM filter_products(tags => '{tag13}', k => 1000);
INSERT INTO found SELECT 'name', id, row_number() OVER () FROM filter_products(name => '{"en": "Thing number 777 lamps"}', k => 1000);
INSERT INTO found SELECT 'price', id, row_number() OVER () FROM filter_products(min_price => 500, max_price => 512.34, k => 1000);
INSERT INTO found SELECT 'all', id, row_number() OVER () FROM filter_products('{group3}', NULL, '{"size": 3}', 100, 9000, 'USD', 'active', NULL, 1000);
INSERT INTO found SELECT 'newest', id, row_number() OVER () FROM filter_products(status => NULL, k => 25);
INSERT INTO found SELECT 'cart', id, row_number() OVER () FROM find_orders('{"cart": 7}');
COMMIT;
RESET ROLE;
CREATE TABLE expected AS
SELECT 'word' AS what, id, 0::bigint AS place FROM products WHERE tenant_id = :souk AND name ->> 'en' ~ '\y17777\y' AND status = 'active'
UNION ALL SELECT 'stem', id, 0 FROM products WHERE tenant_id = :souk AND status = 'active' AND name ->> 'en' ~ '\y(number 2 tables|1233 lamps)\y'
UNION ALL SELECT 'common', id, 0 FROM products WHERE tenant_id = :souk AND status = 'draft' AND name ->> 'en' ~ 'chairs$'
UNION ALL SELECT 'tag', id, row_number() OVER (ORDER BY created_at DESC NULLS LAST, id DESC) FROM products WHERE tenant_id = :souk AND status = 'active' AND 'tag13' = ANY (tags)
UNION ALL SELECT 'name', id, row_number() OVER (ORDER BY created_at DESC NULLS LAST, id DESC) FROM products WHERE tenant_id = :souk AND status = 'active' AND name ->> 'en' = 'Thing number 777 lamps'
UNION ALL SELECT 'price', id, row_number() OVER (ORDER BY created_at DESC NULLS LAST, id DESC) FROM products WHERE tenant_id = :souk AND status = 'active' AND price BETWEEN 500 AND 512.34
UNION ALL SELECT 'all', id, row_number() OVER (ORDER BY created_at DESC NULLS LAST, id DESC) FROM products
    WHERE tenant_id = :souk AND status = 'active' AND 'group3' = ANY (tags) AND metadata ->> 'size' = '3' AND price BETWEEN 100 AND 9000 AND currency = 'USD'
UNION ALL (SELECT 'newest', id, row_number() OVER (ORDER BY created_at DESC NULLS LAST, id DESC) FROM products WHERE tenant_id = :souk ORDER BY 3 LIMIT 25)
UNION ALL SELECT 'cart', id, row_number() OVER (ORDER BY created_at DESC, id DESC) FROM orders WHERE tenant_id = :souk AND metadata ->> 'cart' = '7';
SELECT what, count(*) > 0 AS some FROM expected GROUP BY 1 ORDER BY 1;
SELECT * FROM (TABLE expected EXCEPT ALL TABLE found) AS missing;
SELECT * FROM (TABLE found EXCEPT ALL TABLE expected) AS wrong;

-- A word that thousands have: of the first 500 matches the best, or of twice as many as are wanted, in the order of rank; the same whenever it
-- is asked.
SET ROLE regress_search_app;
BEGIN;
DO $$ BEGIN PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000'); END $$;
SELECT count(*) > 4000 AS "thousands" FROM products WHERE name ->> 'en' ~ ' lamps$' AND status = 'active';
CREATE TEMPORARY TABLE common AS
SELECT turn, k, s.* FROM generate_series(1, 3) AS turn, unnest('{20,300,1000}'::integer[]) AS k, LATERAL search_products('lamp', 'en', k) WITH ORDINALITY AS s (id, name, description, price, currency, category, product_status, rank, place);
SELECT turn, k, count(*) AS found, count(DISTINCT id) AS different, bool_and(name ->> 'en' ~ ' lamps$' AND product_status = 'active') AS right, bool_and(rank <= before) AS in_order
FROM (SELECT *, lag(rank, 1, rank) OVER (PARTITION BY turn, k ORDER BY place) AS before FROM common) AS c WHERE turn = 1 GROUP BY 1, 2 ORDER BY 2;
SELECT count(*) AS "differ from turn to turn" FROM common a FULL JOIN common b ON (a.k, a.place) = (b.k, b.place) AND b.turn = a.turn + 1 WHERE a.turn < 3 AND a.id IS DISTINCT FROM b.id;
ROLLBACK;
RESET ROLE;

-- Pages, as many as there are: every product once and in order, while others come and go, the last row of a page included.
SET ROLE regress_search_app;
CREATE FUNCTION pg_temp.walk(wanted text, size integer, filtered boolean) RETURNS TABLE (pages bigint, rows_seen bigint, twice bigint, missing bigint, out_of_order bigint) LANGUAGE plpgsql AS $$
DECLARE
    here text; seen uuid[] := '{}'; page_ids uuid[]; last_after text; stay uuid[];
BEGIN
    pages := 0;
    LOOP
        IF filtered THEN
            SELECT array_agg(p.id ORDER BY o), (array_agg(p.next_after ORDER BY o DESC))[1] INTO page_ids, last_after
            FROM shop.filter_products(status => wanted, after => here, k => size) WITH ORDINALITY AS p (id, product_name, price, product_currency, category, product_tags, product_status, created_at, next_after, o);
        ELSE
            SELECT array_agg(p.id ORDER BY o), (array_agg(p.next_after ORDER BY o DESC))[1] INTO page_ids, last_after
            FROM shop.product_page(wanted, here, size) WITH ORDINALITY AS p (id, name, description, price, currency, category, tags, images, inventory_count, metadata, created_at, next_after, o);
        END IF;
        EXIT WHEN page_ids IS NULL;
        pages := pages + 1;
        seen := seen || page_ids;
        here := last_after;
        -- The row where the page ended goes, and a new one comes before it and one after it.
        INSERT INTO shop.products (name, price, status, created_at) VALUES ('{"en": "Newcomer"}', 1, wanted, now()), ('{"en": "Newcomer"}', 1, wanted, '2000-01-01');
        DELETE FROM shop.products WHERE id = page_ids[cardinality(page_ids)];
        EXIT WHEN pages > 2000;
    END LOOP;
    stay := (SELECT array_agg(id ORDER BY created_at DESC NULLS LAST, id DESC) FROM shop.products WHERE status = wanted AND metadata ? 'size');
    rows_seen := cardinality(seen);
    SELECT count(*) - count(DISTINCT s) INTO twice FROM unnest(seen) AS s;
    SELECT count(*) INTO missing FROM unnest(stay) AS s WHERE s <> ALL (seen);
    SELECT count(*) INTO out_of_order FROM (SELECT s, row_number() OVER (ORDER BY o) AS a FROM unnest(seen) WITH ORDINALITY AS u (s, o) WHERE s = ANY (stay)) AS seen
    JOIN unnest(stay) WITH ORDINALITY AS x (s, b) USING (s) WHERE a <> b;
    RETURN NEXT;
END $$;
BEGIN;
DO $$ BEGIN PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000'); END $$;
SELECT pages > 10 AS pages, rows_seen >= 2000 AS many, twice, missing, out_of_order FROM pg_temp.walk('draft', 119, false);
ROLLBACK;
BEGIN;
DO $$ BEGIN PERFORM shop.set_tenant('bbbbbbbb-0000-4000-8000-000000000000'); END $$;
SELECT pages > 10 AS pages, rows_seen >= 2000 AS many, twice, missing, out_of_order FROM pg_temp.walk('draft', 97, true);
ROLLBACK;
RESET ROLE;

-- Buffers that the searches read: a small part of the table's and its indexes' pages, and no scan of the whole table.
CREATE FUNCTION pg_temp.buffers(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    plan json; n integer;
BEGIN
    -- The first time also reads catalogs and plans.
    FOR n IN 1..3 LOOP
        EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT json) ' || statement INTO plan;
    END LOOP;
    RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END $$;
SELECT pg_stat_force_next_flush();
SELECT seq_scan AS scans FROM pg_stat_user_tables WHERE relid = 'products'::regclass \gset
SELECT pg_relation_size('products') / current_setting('block_size')::integer > 400 AS "a table of many pages";
SET ROLE regress_search_app;
BEGIN;
DO $$ BEGIN PERFORM shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000'); END $$;
SELECT query, pg_temp.buffers(query) < most AS reads_little FROM (VALUES
    ($$SELECT * FROM search_products('17777')$$, 200), ($$SELECT * FROM search_products('17777 -lamps', 'en')$$, 200),
    ($$SELECT * FROM filter_products(tags => '{tag13}')$$, 350), ($$SELECT * FROM filter_products(name => '{"en": "Thing number 777 lamps"}')$$, 200),
    ($$SELECT * FROM filter_products(min_price => 500, max_price => 501)$$, 200), ($$SELECT * FROM find_orders('{"cart": 7}')$$, 250),
    ($$SELECT * FROM product_page(k => 10)$$, 150), ($$SELECT * FROM product_page(after => '2026-01-02 00:00:00+00/aaaaaaaa-0000-4000-8000-000000000000', k => 10)$$, 150)
) AS searches (query, most);
COMMIT;
RESET ROLE;
SELECT pg_stat_force_next_flush();
SELECT seq_scan - :scans AS sequential_scans FROM pg_stat_user_tables WHERE relid = 'products'::regclass;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
DROP OWNED BY regress_search_app, regress_search_operator, regress_search_stranger;
DROP ROLE regress_search_app, regress_search_operator, regress_search_stranger;
