-- How many of the visits that were watched in one shop came how far.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.panel(rpad(upper(slug), 15) || demo.cell('visits', 9) || demo.cell('of all', 9), 'dim') FROM tenants;
WITH stage AS (
    SELECT event_type, count(DISTINCT session_id) AS visits FROM analytics_events GROUP BY event_type
)
SELECT rpad(event_type, 15) || demo.cell(demo.whole(visits), 9) || demo.cell(demo.percent(visits, max(visits) OVER ()), 9) || '  '
       || demo.paint(rpad(demo.bar(visits, max(visits) OVER (), 13), 13), 'bar')
FROM stage ORDER BY visits DESC;
COMMIT;
