-- As the administrator: the world outside. Who will come to the shops, when, and what they will put into
-- their baskets, in plain tables of the demo's own schema. Nothing here touches the store's tables: the
-- application writes those, later, from these. Needs the psql variables orders and seed.
--
-- Every draw is a hash of what it is for, so the same seed gives the same shoppers, whatever plan is chosen.
SET synchronous_commit = off;
SET work_mem = '128MB';
SET jit = off;

CREATE FUNCTION demo.chance(about bigint, question bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(about, question) & 9007199254740991)::double precision / 9007199254740992;
COMMENT ON FUNCTION demo.chance(bigint, bigint) IS
    'A repeatable number, evenly spread over [0, 1): one for each question about each thing.';

-- weekday runs from Sunday, hour from midnight, both in the shop's own time: Riyadh's weekend is Friday and
-- Saturday, its evenings are long, and salaries come on the 27th.
CREATE TABLE demo.shop AS
SELECT slug, tenants.id AS tenant, settings ->> 'timezone' AS zone, settings ->> 'currency' AS currency,
       pace.weekday, pace.hour, pace.growth, pace.payday,
       greatest(1, round(:orders * pace.share))::integer AS orders,
       greatest(1, round(:orders * pace.share * pace.people))::integer AS customers,
       -- Analytics watch one visit in so many, and fewer of them in a busy shop.
       greatest(10, :orders / 20000) AS visits_per_tracked,
       :seed * 1000 + row_number() OVER (ORDER BY slug DESC) * 100 AS seed,
       (now() AT TIME ZONE (settings ->> 'timezone'))::date - 89 AS first_day
FROM tenants JOIN (VALUES
    ('reem', 0.6, 0.9, 0.7, 27,
     '{0.85,0.80,0.85,0.95,1.20,1.45,1.25}'::double precision[],
     '{6,4,2,1,0.5,0.5,0.5,1,1.5,2,3,3.5,4,4,4,4.5,5,5,5.5,6,8,10,10,8}'::double precision[]),
    ('cedar', 0.4, 0.95, 0.4, 15,
     '{1.15,1.20,1.10,1.05,1.00,0.85,0.80}',
     '{5,5,4,3,2,1,1,1,1,1.5,2,3,4,5,6,7,7,7,7.5,8,8,8,7,6}')
) AS pace (slug, share, people, growth, payday, weekday, hour) USING (slug);

-- The 90 days, hour by hour up to now, each with its share of the trade and where it ends on the scale.
CREATE TABLE demo.hour AS
SELECT slug, starts_at, ends_at, week, row_number() OVER (shop) AS position, sum(weight) OVER (shop) AS up_to
FROM (
    SELECT slug, starts_at, least(starts_at + interval '1 hour', now()) AS ends_at, day / 7 AS week,
           exp(growth::double precision * day / 89) * weekday[1 + extract(dow FROM local)::integer] * shop.hour[1 + clock]
           * CASE WHEN extract(day FROM local) - payday BETWEEN 0 AND 2 THEN 1.4 ELSE 1 END
           * (0.85 + 0.3 * demo.chance(day, seed + 1))
           * extract(epoch FROM least(starts_at + interval '1 hour', now()) - starts_at)::double precision / 3600 AS weight
    FROM demo.shop
    CROSS JOIN generate_series(0, 89) AS day
    CROSS JOIN generate_series(0, 23) AS clock
    CROSS JOIN LATERAL (SELECT first_day + day + make_interval(hours => clock)) AS wall (local)
    CROSS JOIN LATERAL (SELECT local AT TIME ZONE zone) AS instant (starts_at)
) AS trade
WHERE weight > 0 AND starts_at < now()
WINDOW shop AS (PARTITION BY slug ORDER BY starts_at);

-- Products: few sell much, many sell little (Zipf), in an order that has nothing to do with the price.
CREATE TABLE demo.product AS
SELECT slug, gen_random_uuid() AS id, rank, name, description, category, tags, price,
       sum(1 / power(rank::double precision, 0.9)) OVER (PARTITION BY slug ORDER BY rank) AS up_to
FROM (
    SELECT slug, category, tags,
           jsonb_build_object('en', f.name_en || ', ' || v.name_en, 'ar', f.name_ar || ' ' || v.name_ar) AS name,
           jsonb_build_object('en', format('%s (%s), chosen by %s', f.name_en, v.name_en, initcap(slug)),
                              'ar', format('%s (%s)', f.name_ar, v.name_ar)) AS description,
           CASE slug WHEN 'reem' THEN round(f.price * v.price * 2) / 2 ELSE round(f.price * v.price) - 0.01 END AS price,
           row_number() OVER (PARTITION BY slug ORDER BY hashtextextended(f.name_en || v.name_en, seed)) AS rank
    FROM demo.family f
    JOIN demo.variant v ON v.kind = f.variants
    JOIN demo.shop ON slug = f.shop
) AS range_of_goods;

-- Who comes when: an hour by the shop's rhythm, and a customer; few come often, most once or twice.
CREATE UNLOGGED TABLE demo.visit AS
SELECT slug, n, seed, hour.week,
       hour.starts_at + (hour.ends_at - hour.starts_at) * demo.chance(n, seed + 3) AS at,
       ceil(customers * power(1 - demo.chance(n, seed + 4), 1.25))::integer AS customer
FROM (
    SELECT shop.slug, seed, customers, n,
           1 + width_bucket(demo.chance(n, seed + 2) * bounds[cardinality(bounds)], bounds) AS position
    FROM demo.shop
    JOIN (SELECT slug, array_agg(up_to ORDER BY position) AS bounds FROM demo.hour GROUP BY slug) AS scale USING (slug)
    CROSS JOIN LATERAL generate_series(1, orders) AS n
    OFFSET 0 -- the scale does not travel on
) AS drawn
JOIN demo.hour USING (slug, position);

ANALYZE demo.product, demo.visit;

-- Baskets have a long tail: two of three hold one line, one in fifty ten or more.
CREATE UNLOGGED TABLE demo.basket_line AS
SELECT slug, n, product.id AS product, product.name ->> 'en' AS product_name, price, quantity::integer
FROM (
    SELECT slug, n, rank, sum(quantity) AS quantity
    FROM (
        SELECT slug, n, 1 + width_bucket(demo.chance(64 * n + line, seed + 6) * bounds[cardinality(bounds)], bounds) AS rank,
               least(12, floor(power(1 - demo.chance(64 * n + line, seed + 7), -1 / 2.4))) AS quantity
        FROM demo.visit
        JOIN (SELECT slug, array_agg(up_to ORDER BY rank) AS bounds FROM demo.product GROUP BY slug) AS scale USING (slug)
        CROSS JOIN LATERAL generate_series(1, least(24, floor(power(1 - demo.chance(n, seed + 5), -1 / 1.6)))::integer) AS line
        OFFSET 0
    ) AS drawn
    GROUP BY slug, n, rank
) AS line
JOIN demo.product USING (slug, rank);
CREATE INDEX ON demo.basket_line (slug, n);

-- Customers. Some never register: their orders carry an e-mail address and no user.
CREATE UNLOGGED TABLE demo.customer AS
WITH first_visit AS MATERIALIZED (
    SELECT slug, customer, min(at) AS at FROM demo.visit GROUP BY slug, customer
), customer AS MATERIALIZED (
    SELECT slug, seed, n, 1 + floor(cardinality(given) * demo.chance(n, seed + 14))::integer AS given_name,
           1 + floor(cardinality(family) * demo.chance(n, seed + 15))::integer AS family_name
    FROM demo.shop JOIN demo.person_names USING (slug)
    CROSS JOIN LATERAL generate_series(1, customers) AS n
)
SELECT slug, n, gen_random_uuid() AS id, demo.chance(n, seed + 11) >= 0.12 AS registered,
       format('%s.%s%s@example.com', lower(given[given_name]), lower(family[family_name]), n) AS email,
       given_native[given_name] || ' ' || family_native[family_name] AS name,
       coalesce(at, now()) - interval '9 minutes'
           - CASE WHEN demo.chance(n, seed + 12) < 0.4 THEN demo.chance(n, seed + 13) * interval '400 days'
                  ELSE interval '0' END AS since
FROM customer JOIN demo.person_names USING (slug)
LEFT JOIN (SELECT slug, customer AS n, at FROM first_visit) AS seen USING (slug, n);
CREATE UNIQUE INDEX ON demo.customer (slug, n);

-- Purchases in the order of time, with what becomes of each.
CREATE UNLOGGED TABLE demo.purchase AS
SELECT slug, n, week, at, uuid_v7() AS id, customer, total, provider,
       CASE WHEN fate IN ('refunded', 'partially_refunded') AND refunded_at > now() THEN 'paid' ELSE fate END AS fate,
       CASE WHEN refunded_at <= now() THEN refunded_at END AS refunded_at,
       CASE fate WHEN 'refunded' THEN total
                 WHEN 'partially_refunded' THEN round(total * (0.15 + 0.6 * demo.chance(n, seed + 23))::numeric, 2) END AS refund
FROM (
    SELECT v.slug, n, v.seed, week, at, customer, total,
           CASE WHEN luck < 0.03 THEN 'failed' WHEN luck < 0.05 THEN 'pending'
                WHEN luck < 0.072 THEN 'refunded' WHEN luck < 0.105 THEN 'partially_refunded' ELSE 'paid' END AS fate,
           CASE WHEN luck BETWEEN 0.05 AND 0.105 THEN at + interval '6 hours' + demo.chance(n, v.seed + 22) * interval '12 days' END AS refunded_at,
           CASE v.slug
               WHEN 'reem' THEN (ARRAY['mada', 'apple_pay', 'stripe', 'paypal'])[1 + width_bucket(purse, '{0.46,0.77,0.95}'::double precision[])]
               ELSE (ARRAY['stripe', 'paypal', 'apple_pay'])[1 + width_bucket(purse, '{0.61,0.84}'::double precision[])] END AS provider
    FROM demo.visit v
    JOIN (SELECT slug, n, sum(price * quantity) AS total FROM demo.basket_line GROUP BY slug, n) AS basket USING (slug, n)
    CROSS JOIN LATERAL (SELECT demo.chance(n, v.seed + 20), demo.chance(n, v.seed + 21)) AS draw (luck, purse)
    ORDER BY at
) AS in_time;
CREATE INDEX ON demo.purchase (slug, week);
CREATE INDEX ON demo.purchase (slug, refunded_at) WHERE refunded_at IS NOT NULL;
ANALYZE demo.purchase, demo.customer, demo.basket_line;

-- Visits that analytics watch: how far each one goes, from a page (1) to the purchase (5).
CREATE UNLOGGED TABLE demo.tracked_visit AS
SELECT slug, week, at - interval '3 minutes' - demo.chance(n, shop.seed + 31) * interval '20 minutes' AS at, at AS bought_at,
       CASE WHEN fate IN ('failed', 'pending') THEN 4 ELSE 5 END AS depth, customer, 'visit-' || slug || '-' || n AS session, n, total
FROM demo.purchase JOIN demo.shop USING (slug)
WHERE demo.chance(n, shop.seed + 30) * visits_per_tracked < 1
UNION ALL
SELECT slug, week, hour.starts_at + (hour.ends_at - hour.starts_at) * demo.chance(-n, seed + 33), NULL,
       1 + width_bucket(demo.chance(-n, seed + 34), '{0.46,0.87,0.96}'::double precision[]),
       CASE WHEN demo.chance(-n, seed + 35) < 0.2 THEN ceil(customers * (1 - demo.chance(-n, seed + 36))) END,
       'visit-' || slug || '--' || n, -n, NULL
FROM (
    SELECT shop.slug, seed, customers, n,
           1 + width_bucket(demo.chance(-n, seed + 32) * bounds[cardinality(bounds)], bounds) AS position
    FROM demo.shop
    JOIN (SELECT slug, array_agg(up_to ORDER BY position) AS bounds FROM demo.hour GROUP BY slug) AS scale USING (slug)
    -- Of a hundred visits, three or four end with an order.
    CROSS JOIN LATERAL generate_series(1, orders / visits_per_tracked * 27) AS n
    OFFSET 0
) AS drawn
JOIN demo.hour USING (slug, position);
CREATE INDEX ON demo.tracked_visit (slug, week);
ANALYZE demo.tracked_visit;
