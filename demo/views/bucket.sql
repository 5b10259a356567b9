-- Part of journey.sql: one line with today's row of the rollup, after the step that just committed.
BEGIN;
SELECT set_tenant(:'tenant') \gset
SELECT coalesce(max(order_count), 0) AS orders, coalesce(max(total_revenue), 0) AS revenue, coalesce(max(paid_revenue), 0) AS paid,
       coalesce(max(refunded_amount), 0) AS refunded, coalesce(max(net_revenue), 0) AS net
FROM revenue_metrics WHERE date = :'today' AND currency = :'currency' \gset row_
COMMIT;
SELECT rpad('  ' || :'step', 40) || demo.cell(demo.whole(:row_orders), 7) || demo.cell(demo.money(:row_revenue), 14)
       || demo.cell(demo.money(:row_paid), 14) || demo.cell(demo.money(:row_refunded), 11) || demo.cell(demo.money(:row_net), 14);
