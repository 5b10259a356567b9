-- The customers' baskets by product: the heaviest by revenue, with the bounds that their true totals lie within.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.paint('  ' || rpad(upper(slug), 34) || demo.cell('at least', 14) || demo.cell('at most', 14) || '  ' || (settings ->> 'currency'), 'dim') FROM tenants;
SELECT '  ' || rpad(entry.key, 34) || demo.cell(demo.money(entry.lower_bound), 14) || demo.cell(demo.money(entry.upper_bound), 14)
       || CASE WHEN entry.exact THEN '  exact' ELSE '' END
FROM (SELECT top_k(product_name, total, 5) AS entries FROM order_items) AS heaviest CROSS JOIN unnest(entries) AS entry;
COMMIT;
