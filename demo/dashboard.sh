# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Part of demo/run: prints what the database makes of the load.

# Two panels, the shops' views of the same thing, side by side.
side_by_side() {
    local left right
    left=$(in_shop "$1" reem)
    right=$(in_shop "$1" cedar)
    paste -d '|' <(echo "$left") <(echo "$right") |
        awk -F '|' '{ sub(/ +$/, "", $2); line = "  " ($1 == "" ? sprintf("%48s", "") : $1) "  " $2; sub(/ +$/, "", line); print line }'
}
show_query() { sed "s/^/  ${dim}/; s/ *\$/${plain}/" "$1"; echo; }

heading 'Two shops in one database' '90 days, each as its own application sees it.'
side_by_side views/summary.sql

heading 'The same query, asked by each shop' 'Each with its own id as $1 and its last seven days as $2 and $3, in its own time zone:'
show_query queries/order_analytics.sql
side_by_side views/analytics.sql

heading 'Revenue by day' 'Read from revenue_metrics, which the orders themselves keep.'
side_by_side views/daily.sql

heading 'Revenue by week'
side_by_side views/weekly.sql

heading 'Top products of the last 30 days' 'Completed orders, products that brought most.'
show_query queries/top_products.sql
in_shop views/top_products.sql reem
echo
in_shop views/top_products.sql cedar

heading 'Latest orders' 'Numbered by the store: REEM counts, with a check character; CEDAR has the default, a code.'
in_shop views/latest_orders.sql reem
echo
in_shop views/latest_orders.sql cedar

heading 'Payments by provider'
side_by_side views/payments.sql

heading 'From a page to a purchase' "conversion_funnel(): visitors that took each step within a day. Analytics watch one visit in $(application -c 'SELECT max(visits_per_tracked) FROM demo.shop')."
side_by_side views/funnel.sql

heading 'Do customers come back?' 'cohort_report(): of those who first ordered in a week, how many per cent ordered in each later one.'
in_shop views/cohorts.sql reem
echo
in_shop views/cohorts.sql cedar

heading 'Baskets and visitors' 'quantile_sketch() within 1 %, and distinct_sketch() of each day, rolled up into weeks.'
side_by_side views/baskets.sql

heading 'Products that brought most of all' 'top_k(), with the bounds that the true totals lie within.'
in_shop views/heaviest.sql reem
echo
in_shop views/heaviest.sql cedar
