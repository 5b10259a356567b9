-- How many of one shop's visitors came how far within a day of their first page, by conversion_funnel() over 90 days.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT demo.panel(rpad(upper(slug), 14) || demo.cell('visitors', 9) || demo.cell('of all', 9), 'dim') FROM tenants;
SELECT rpad(event_type, 14) || demo.cell(demo.whole(visitors), 9) || demo.cell(demo.percent(visitors, max(visitors) OVER ()), 9) || '  '
       || demo.paint(rpad(demo.bar(visitors, max(visitors) OVER (), 14), 14), 'bar')
FROM conversion_funnel(win => '1 day', from_date => current_date - 91, to_date => current_date + 1) ORDER BY step;
SELECT demo.panel(demo.whole(sessions) || ' sessions, ' || to_char(bounce_rate, 'FM990.0') || ' % with one event', 'dim')
FROM session_report(current_date - 91, current_date + 1);
COMMIT;
