-- As the administrator: the store's own check, and what the load took. Needs the psql variable microseconds.
SELECT count(*) AS differences FROM check_revenue_metrics() \gset
CALL demo.prove('check_revenue_metrics() finds nothing', :differences = 0);
SELECT count(*) AS orders FROM orders \gset
SELECT rpad('  store', 9) || format('check_revenue_metrics() lists %s differences over %s orders', :differences, demo.whole(:orders));
SELECT format(E'\n  Loaded in %s s: %s orders a second, with their items, payments, events and refunds.',
              to_char(:microseconds / 1e6, 'FM999990.0'), demo.whole(:orders * 1000000.0 / :microseconds));
SELECT '  On disk: ' || string_agg(format('%s %s', name, pg_size_pretty(bytes)), ', ' ORDER BY bytes DESC)
FROM (
    SELECT name, sum(pg_total_relation_size(part)) AS bytes
    FROM (VALUES ('orders', 'orders'), ('items', 'order_items'), ('payments', 'payments'), ('events', 'analytics_events'),
                 ('users', 'users'), ('rollup', 'revenue_metrics'), ('rollup', 'revenue_customers')) AS part_of_store (name, relation)
    CROSS JOIN LATERAL (SELECT relation::regclass UNION SELECT relid FROM pg_partition_tree(relation::regclass)) AS parts (part)
    GROUP BY name
) AS relation;
