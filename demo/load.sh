# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Part of demo/run: makes the store and loads it, saying how far it is.

heading "brainsait: a store inside PostgreSQL $(administrator -c "SELECT split_part(current_setting('server_version'), ' ', 1)")" \
    'Making the extension, the roles and two shops; drawing the shoppers of 90 days.'
administrator -f prepare.sql
operator -f tenants.sql
administrator -f catalogue.sql
started=$EPOCHREALTIME
administrator -v orders="$orders" -v seed="$seed" -f shoppers.sql
drawn=$EPOCHREALTIME

declare -A tenant
for slug in reem cedar; do
    tenant[$slug]=$(application -c "SELECT resolve_tenant('$slug')")
done

# Seconds between two EPOCHREALTIMEs, in microseconds.
elapsed() { echo $((${2/./} - ${1/./})); }

printf '  %s shoppers drawn in %.1f s. The application loads both shops, a week in one transaction:\n\n' \
    "$(thousands "$orders")" "$(elapsed "$started" "$drawn")e-6"
load_started=$EPOCHREALTIME
for slug in reem cedar; do
    read -r products customers < <(in_shop load_people.sql "$slug")
    printf '  %-6s %8s products %12s customers\n' "$slug" "$(thousands "$products")" "$(thousands "$customers")"
done

printf '\n%s  %-10s %9s %9s %9s %9s %8s %9s%s\n' "$dim" 'week of' orders items payments events refunds 'rows/s' "$plain"
loaded=0
for week in {0..12}; do
    week_started=$EPOCHREALTIME
    total_orders=0 total_items=0 total_payments=0 total_events=0 total_refunds=0
    # Both shops at once, as their applications would.
    exec {reem}< <(in_shop load_week.sql reem -v week="$week") {cedar}< <(in_shop load_week.sql cedar -v week="$week")
    for shop in $reem $cedar; do
        read -r -u "$shop" from_day n_orders n_items n_payments n_events n_refunds
        exec {shop}<&-
        ((total_orders += n_orders, total_items += n_items, total_payments += n_payments,
          total_events += n_events, total_refunds += n_refunds)) || true
    done
    ((loaded += total_orders)) || true
    rows=$((total_orders + total_items + total_payments + total_events + 2 * total_refunds))
    done_of_20=$((20 * loaded / orders))
    bar=''
    for ((i = 0; i < 20; i++)); do if ((i < done_of_20)); then bar+='█'; else bar+='░'; fi; done
    printf '  %-10s %9s %9s %9s %9s %8s %9s  %s %3d %%\n' "$from_day" "$(thousands $total_orders)" "$(thousands $total_items)" \
        "$(thousands $total_payments)" "$(thousands $total_events)" "$(thousands $total_refunds)" \
        "$(thousands $((rows * 1000000 / $(elapsed "$week_started" "$EPOCHREALTIME"))))" "$bar" $((100 * loaded / orders))
done
load_time=$(elapsed "$load_started" "$EPOCHREALTIME")
administrator -c 'VACUUM ANALYZE'
