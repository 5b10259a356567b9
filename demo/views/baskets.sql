-- One shop's baskets and visitors by sketches: percentiles of what a basket is worth, distinct visitors per week.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.panel(rpad(upper(slug), 20) || demo.cell('basket', 12) || ' ' || (settings ->> 'currency'), 'dim') FROM tenants;
WITH sketch AS MATERIALIZED (SELECT quantile_sketch(total::double precision) AS baskets FROM orders)
SELECT rpad(name, 20) || demo.cell(demo.money(worth), 12) || '  ' || demo.paint(rpad(demo.bar(worth, max(worth) OVER (), 14), 14), 'bar')
FROM sketch CROSS JOIN (VALUES (0.1, 'one in ten below'), (0.25, 'a quarter below'), (0.5, 'half below'), (0.75, 'a quarter above'), (0.9, 'one in ten above'),
                               (0.99, 'one in 100 above')) AS percentile (fraction, name)
CROSS JOIN LATERAL (SELECT approx_percentile(fraction, baskets)::numeric) AS value (worth) ORDER BY fraction;
SELECT demo.panel('', NULL);
SELECT demo.panel(rpad('week of', 20) || demo.cell('visitors', 12), 'dim');
WITH day AS MATERIALIZED (
    SELECT ("timestamp" AT TIME ZONE (settings ->> 'timezone'))::date AS day, distinct_sketch(session_id) AS visitors
    FROM analytics_events CROSS JOIN tenants GROUP BY 1
), week AS (
    SELECT date_trunc('week', day)::date AS week, distinct_count(rollup(visitors)) AS visitors FROM day GROUP BY 1
)
SELECT rpad(to_char(week, 'YYYY-MM-DD'), 20) || demo.cell(demo.whole(visitors), 12) || '  '
       || demo.paint(rpad(demo.bar(visitors, max(visitors) OVER (), 14), 14), 'bar')
FROM week ORDER BY week;
COMMIT;
