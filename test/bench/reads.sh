# shellcheck shell=bash
# What isolation costs a reader: the same query behind the wall and with WHERE tenant_id written by hand, in the same
# tables. Sourced by run; the measures are "read" and "read_whale".
#
# The reader by hand is a role that row security does not stop. Both set the tenant, so that the rest of a transaction is the
# same, and send the query ten times in it. Orders of all tenants lie mixed in the table, as they arrive.

# load_reads ORDERS WHALE: so many orders over the tenants 1 to $tenants, and so many of tenant 0, over 365 days. Without the
# store's triggers, which would make numbers and a rollup that nobody reads here; ids follow time as uuid_v7() makes them.
load_reads() {
  query brainsait "TRUNCATE orders, order_items, payments$rollups"
  PGOPTIONS='-c session_replication_role=replica' query brainsait "
    INSERT INTO orders (id, tenant_id, user_id, number, status, total, currency, customer_email, customer_name, shipping_address,
                        payment_status, created_at, updated_at)
    SELECT $(id_of_time at 'i'), lpad(t::text, 32, '0')::uuid, lpad((t * 1000000 + 1 + i % 20)::text, 32, '0')::uuid, 'R' || i,
           (ARRAY['completed', 'completed', 'completed', 'shipped', 'cancelled', 'pending'])[1 + i * 7919 % 6], 10 + i % 99000 / 100.0,
           'USD', 'customer@mail.example', 'A Customer', '$address', 'paid', at, at
    FROM generate_series(0::bigint, $1 + $2 - 1) AS i,
         -- The whale's orders are spread evenly among the others'.
         LATERAL (SELECT CASE WHEN i * $2 / ($1 + $2) <> (i + 1) * $2 / ($1 + $2) THEN 0 ELSE 1 + i * 7919 % $tenants END,
                         now() - interval '365 days' * (1 - i::float8 / ($1 + $2))) AS o (t, at)" >/dev/null
  query brainsait 'VACUUM ANALYZE orders'
  query brainsait CHECKPOINT
}

# id_of_time TIME NUMBER: an id as uuid_v7() makes them, for SQL; NUMBER keeps ids of one millisecond apart.
id_of_time() { echo "(lpad(to_hex((extract(epoch FROM $1) * 1000)::bigint), 12, '0') || '7000' || '8' || lpad(to_hex($2), 15, '0'))::uuid"; }

# read_orders wall|hand QUERY simple|prepared TENANT: ten times the query, as the tenant.
read_orders() {
  local quote='' mine=''
  # A variable goes into a simple query as it stands, into a prepared one as a parameter.
  [ "$3" = prepared ] || quote=quote_literal
  [ "$1" = wall ] || mine='tenant_id = :tenant_id AND'
  cat <<SCRIPT
\\set tenant $4
\\set days random(1, 330)
SELECT $quote(lpad((:tenant)::text, 32, '0')::uuid::text) AS tenant_id, $quote((now() - :days * interval '1 day')::text) AS since,
       $quote($(id_of_time "now() - :days * interval '1 day'" 0)::text) AS last_id \\gset
BEGIN;
SELECT set_tenant(:tenant_id);
SCRIPT
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    case $2 in
      page) # the next page of orders, newest first
        echo "SELECT id, number, status, total, currency, customer_name, created_at FROM orders
              WHERE $mine id < :last_id ORDER BY id DESC LIMIT 20;" ;;
      list) # of one status, newest first
        echo "SELECT id, number, total, currency, customer_name, created_at FROM orders
              WHERE $mine status = 'shipped' AND created_at < :since ORDER BY created_at DESC LIMIT 20;" ;;
      days) # the document's order analytics over 30 days
        echo "SELECT DATE(created_at) AS date, COUNT(*) AS order_count, SUM(total) AS total_revenue, AVG(total) AS average_order_value
              FROM orders WHERE $mine created_at >= :since AND created_at <= :since::timestamptz + interval '30 days'
              GROUP BY DATE(created_at) ORDER BY date;" ;;
      all) # over all orders of the tenant
        echo "SELECT COUNT(*), SUM(total), AVG(total), COUNT(DISTINCT user_id), MAX(created_at) FROM orders ${mine:+WHERE ${mine% AND}};" ;;
    esac
  done
  echo 'COMMIT;'
}

# One run of a reader's: the arm's name says how (see measure_reads). Of its transactions' times the tenth percentile counts:
# what else a machine does only ever makes them longer, and both readers ask for the same tenants and days in the same order.
read_turn() {
  local arm=$1 user=shopper mode=simple cpu
  [[ $arm == *hand* ]] && user=reader
  [[ $arm == *prepared* ]] && mode=prepared
  rm -f "$BENCH"/times.*
  cpu=$(server_cpu)
  pgbench -n -M "$mode" -U "$user" -c 1 -j 1 -T "$measure_seconds" --random-seed="$turn" -l --log-prefix="$BENCH/times" \
    -f "$BENCH/$id.$arm.sql" brainsait >"$BENCH/pgbench.log" 2>&1 ||
    { tail -n 20 "$BENCH/pgbench.log" >&2 && fail "pgbench failed in $id, $arm"; }
  sleep 0.1
  cpu=$(awk "BEGIN {print $(server_cpu) - $cpu}")
  # The third column is a transaction's microseconds.
  sort -n -k 3,3 "$BENCH"/times.* | awk -v OFS='\t' -v start="$(printf 'run\t%s\t%s\t%s' "$id" "$arm" "$turn")" -v cpu="$cpu" \
    '{ time[NR] = $3 } END { if (!NR) exit 1; print start, NR * 10, NR * time[int((NR + 9) / 10)] / 1e6, 0, cpu, 0 }' >>"$runs" ||
    fail "no transaction went through in $id, $arm"
}

# Both readers must get the same rows, else the figures are of different queries.
check_reads() {
  local wall hand what
  for what in "count(*), sum(total), max(id::text)" "md5(string_agg(number, ' ' ORDER BY id DESC))"; do
    hand=$(psql -X -q -A -t -U reader -d brainsait -c "SELECT $what FROM orders WHERE tenant_id = lpad('$1', 32, '0')::uuid")
    wall=$(psql -X -q -A -t -1 -U shopper -d brainsait -c "SELECT set_tenant(lpad('$1', 32, '0')::uuid)" -c "SELECT $what FROM orders")
    [ "$hand" = "${wall#$'\n'}" ] || fail "tenant $1 reads other rows behind the wall: $hand, $wall"
  done
}

# measure_reads ID TENANT TITLE: each query, plain and prepared, behind the wall against by hand, in turns.
measure_reads() {
  local read title mode
  measure "$1" time "$read_turns" "$read_seconds" "$3, per query"
  for read in page:'a keyset page of 20 orders' list:'a keyset page of one status' days:'analytics of 30 days' all:'an aggregate over all orders'; do
    title=${read#*:} read=${read%%:*}
    for mode in simple prepared; do
      arm "hand_${mode}_$read" brainsait - '' "$title, ${mode/simple/plain}, WHERE by hand" read_orders hand "$read" "$mode" "$2"
      arm "wall_${mode}_$read" brainsait "hand_${mode}_$read" 1.05 "$title, ${mode/simple/plain}, behind the wall" read_orders wall "$read" "$mode" "$2"
    done
  done
  # An application may name its tenant, too: a plan that is kept then knows that it depends on the tenant.
  arm both_prepared_days brainsait hand_prepared_days 1.05 'analytics of 30 days, prepared, behind the wall and WHERE by hand' \
    read_orders hand days prepared "$2"
  local turn reader
  echo "$3 ..." >&2
  for ((turn = 1; turn <= measure_turns; turn++)); do
    for reader in "${arms[@]}"; do read_turn "$reader"; done
  done
}

# reads ORDERS WHALE: both measures, as far as they are wanted.
reads() {
  [[ " $MEASURES " == *" read"* ]] || return 0
  query brainsait "CREATE ROLE reader LOGIN BYPASSRLS" && query brainsait 'GRANT brainsait_app TO reader'
  echo "Loading $(($1 + $2)) orders to read ..." >&2
  load_reads "$1" "$2"
  check_reads 0 && check_reads 7
  if wanted read; then measure_reads read "random(1, $tenants)" "Reading $1 orders of $tenants tenants as one of them"; fi
  if wanted read_whale; then measure_reads read_whale 0 "Reading as a tenant of $2 orders among $(($1 + $2))"; fi
}
