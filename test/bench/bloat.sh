# shellcheck shell=bash
# What the rollup's tables grow to under many orders of one tenant when nobody vacuums, and what reading the live view
# costs then. Sourced by run.
#
# Lines of runs.tsv, by tabs:
#   table ID TITLE COLUMN...           columns after the first are figures
#   row ID CELL...

# beside NONE|SNAPSHOT|WRITER: what else is open while orders come in; its session stays until beside_ends.
beside() {
  local statement
  case $1 in
    none) return ;;
    snapshot) statement='BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM revenue_metrics;' ;;
    writer) statement='BEGIN; SELECT pg_current_xact_id();' ;;
  esac
  coproc LONG { psql -X -q -A -t -v ON_ERROR_STOP=1 -d brainsait 2>&1; }
  # shellcheck disable=SC2153  # coproc makes LONG_PID
  long_pid=$LONG_PID
  echo "$statement" >&"${LONG[1]}"
  read -r -t 30 <&"${LONG[0]}" || fail "no transaction beside the orders"
}
beside_ends() {
  [ "$1" != none ] || return 0
  echo '\q' >&"${LONG[1]}"
  wait "$long_pid" || fail "the transaction beside the orders failed"
}

# live_read: milliseconds of one read of the last 30 days of the busy shop by the application, on average.
live_read() {
  local count rate
  id=live arm_store=([live]=brainsait) pgbench_options=(-c 1 -j 1)
  day_report brainsait live >"$BENCH/live.live.sql"
  pgbench_run live -T "$1"
  awk "BEGIN {printf \"%.2f\", 1000 / $rate}"
}

# size TABLE: bytes with indexes, in kB.
size() { query brainsait "SELECT round(pg_total_relation_size('$1') / 1024.0)"; }

pending() {
  [ -n "$fold" ] || { echo 0 && return; }
  query brainsait "SELECT count(*) FROM revenue_deltas WHERE written_by >= (SELECT revenue_deltas_from())"
}

# bloat COUNT SECONDS: COUNT orders by 32 clients, a tenth beside a transaction that has an id, since the queue cannot be
# folded away while it lasts; reads of SECONDS each.
bloat() {
  local what title turn=1 clients=32 share
  local -A arm_store=()
  note table bloat "$1 orders of one tenant by $clients clients, autovacuum off" "open beside" "revenue_metrics, kB" \
    "revenue_customers, kB" "revenue_deltas, kB" "deltas pending" "live read, ms" "folded: live read, ms" \
    "ended, next orders folded: live read, ms"
  for what in none snapshot writer; do
    share=$1
    case $what in
      none) title=nothing ;;
      snapshot) title='a snapshot' ;;
      writer) share=$(($1 / 10)) title="a transaction that has an id, $share orders" ;;
    esac
    echo "Bloat with $title open beside ..." >&2
    reset_orders brainsait
    settle brainsait
    beside $what
    id=bloat arm_store=([orders]=brainsait) pgbench_options=(-c "$clients" -j 2 --asynchronous)
    one_order brainsait 0 together >"$BENCH/bloat.orders.sql"
    pgbench_run orders -t "$((share / clients))"
    local loaded folded ended orders=$count left
    left=$(pending)
    loaded=$(live_read "$2")
    settle brainsait
    folded=$(live_read "$2")
    local sizes
    sizes=("$(size revenue_metrics)" "$(size revenue_customers)" "$([ -z "$fold" ] || size revenue_deltas)")
    beside_ends $what
    id=bloat arm_store=([orders]=brainsait) pgbench_options=(-c "$clients" -j 2 --asynchronous)
    pgbench_run orders -t 1
    settle brainsait
    ended=$(live_read "$2")
    check_counted brainsait "$((orders + count))"
    note row bloat "$title" "${sizes[@]}" "$left" "$loaded" "$folded" "$ended"
  done
}
