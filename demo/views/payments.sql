-- How customers of one shop paid.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.panel(rpad(upper(slug), 10) || demo.cell('payments', 9) || demo.cell('succeeded', 11) || demo.cell('fees ' || (settings ->> 'currency'), 16), 'dim') FROM tenants;
SELECT demo.panel(rpad(provider, 10) || demo.cell(demo.whole(count(*)), 9)
                  || demo.cell(demo.percent(count(*) FILTER (WHERE status <> 'failed'), count(*)), 11)
                  || demo.cell(demo.money(sum(provider_fee)), 16))
FROM payments GROUP BY provider ORDER BY count(*) DESC;
COMMIT;
