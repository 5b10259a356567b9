-- Customers of one shop by the week of their first order, and which part of them ordered again in each later week: a triangle.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.paint('  ' || rpad(upper(slug), 12) || demo.cell('customers', 10) || '   week 1' || string_agg(demo.cell(n::text, 6), '' ORDER BY n), 'dim')
FROM tenants CROSS JOIN generate_series(2, 11) AS n GROUP BY slug;
SELECT '  ' || rpad(to_char(cohort, 'DD Mon'), 12) || demo.cell(demo.whole(customers), 10) || '   '
       || coalesce(string_agg(demo.cell(to_char(retention, 'FM990.0'), 6), '' ORDER BY period_number) FILTER (WHERE period_number > 0), '')
FROM cohort_report('1 week', 12)
GROUP BY cohort, customers ORDER BY cohort;
COMMIT;
