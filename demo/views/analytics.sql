-- The document's order analytics, as written, over the last seven days of one shop.
\set document `cat queries/order_analytics.sql`
PREPARE order_analytics (uuid, timestamptz, timestamptz) AS
WITH answer AS (:document)
SELECT demo.panel(to_char(date, 'Dy DD Mon') || demo.cell(demo.whole(order_count), 9) || demo.cell(demo.money(total_revenue), 16)
                  || demo.cell(demo.money(average_order_value), 12))
FROM answer ORDER BY date;
BEGIN;
SELECT set_tenant(:'tenant') \gset
-- DATE() of a time follows the session, so the session follows the shop.
SELECT set_config('timezone', settings ->> 'timezone', true), settings ->> 'currency' AS currency, upper(slug) AS shop FROM tenants \gset
SELECT current_date - 6 AS from_day \gset
SELECT demo.panel(rpad(:'shop', 10) || demo.cell('orders', 9) || demo.cell(:'currency', 16) || demo.cell('average', 12), 'dim');
EXECUTE order_analytics (:'tenant', :'from_day', now());
COMMIT;
