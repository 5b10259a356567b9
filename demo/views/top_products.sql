-- The document's top products, as written, over the last 30 days of one shop. Arabic stands last in its line: a
-- terminal that writes it from right to left then moves nothing else.
\set document `cat queries/top_products.sql`
PREPARE top_products (uuid, timestamptz) AS
WITH answer AS (:document)
SELECT demo.cell(row_number() OVER (ORDER BY revenue DESC)::text, 4) || '  ' || rpad(name ->> 'en', 34) || demo.cell(demo.whole(units_sold), 7)
       || demo.cell(demo.money(revenue), 15) || '  ' || demo.paint(rpad(demo.bar(revenue, max(revenue) OVER (), 12), 12), 'bar')
       || '  ' || (name ->> 'ar')
FROM answer ORDER BY revenue DESC;
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.paint('  ' || rpad(upper(slug), 38) || demo.cell('units', 7) || demo.cell(settings ->> 'currency', 15), 'dim') FROM tenants;
EXECUTE top_products (:'tenant', now() - interval '30 days');
COMMIT;
