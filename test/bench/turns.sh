# shellcheck shell=bash
# Making the stores, running arms in turns, and what each run cost the server. Sourced by run.
#
# Lines of runs.tsv, by tabs:
#   fact NAME VALUE
#   measure ID KIND TITLE              KIND: rate (more is better), time (less is), difference (in time)
#   arm MEASURE ARM STORE BASELINE GOAL LABEL
#   run MEASURE ARM TURN COUNT SECONDS WAL_BYTES CPU_SECONDS PEAK_KB   PEAK_KB: of the backend's own memory

runs=$BENCH/runs.tsv
: >"$runs"
note() { (IFS=$'\t' && echo "$*") >>"$runs"; }
fail() {
  echo "bench: $*" >&2
  exit 1
}

# query DATABASE SQL: as the superuser, bare values.
query() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$1" -c "$2"; }

create_stores() {
  local store
  psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE ROLE shopper LOGIN' \
    -c 'CREATE DATABASE bare' -c 'CREATE DATABASE plpgsql' -c 'CREATE DATABASE brainsait'
  for store in bare plpgsql brainsait; do
    if [ "$store" = brainsait ]; then
      query brainsait 'CREATE EXTENSION brainsait' && query brainsait 'GRANT brainsait_app TO shopper'
    else
      psql -X -q -v ON_ERROR_STOP=1 -d "$store" -f ../schema/document.sql
    fi
    case $store in
      bare) query bare 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shopper' ;;
      plpgsql) psql -X -q -v ON_ERROR_STOP=1 -d plpgsql -f plpgsql.sql ;;
    esac
    psql -X -q -v ON_ERROR_STOP=1 -d "$store" -v tenants="$tenants" -v users="$users" -v products="$products" -f seed.sql
    query "$store" 'VACUUM ANALYZE'
  done
  rollups=$(query brainsait "SELECT string_agg(format(', %I', relname), '') FROM pg_class
    WHERE relname IN ('revenue_metrics', 'revenue_customers', 'revenue_deltas') AND relkind = 'r'")
  live=$(query brainsait "SELECT coalesce(to_regclass('revenue_metrics_live'), 'revenue_metrics')")
  fold=$(query brainsait "SELECT CASE WHEN to_regprocedure('fold_revenue_deltas()') IS NULL THEN ''
    ELSE 'SELECT fold_revenue_deltas()' END")
  note fact date "$(date -u +%Y-%m-%d)"
  note fact machine "$(nproc) cores, $(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1), $(awk '/^MemTotal/ {printf "%.0f GB", $2 / 1048576}' /proc/meminfo) of memory"
  note fact disk "$(disk_write) µs for a write of 8 kB that reaches the disk"
  note fact PostgreSQL "$(query postgres "SELECT current_setting('server_version')")"
  note fact revision "$REVISION"
  note fact settings "$SERVER_OPTIONS"
  note fact turns "$turns of $seconds s${QUICK:+, a quick look}, each after $warm_up s that are not counted in orders per second"
  note fact store "$tenants tenants of 20 users and one of $users users and $products products"
}

# Microseconds that 200 such writes took each.
disk_write() {
  LC_ALL=C dd if=/dev/zero of="$BENCH/disk" bs=8k count=200 oflag=dsync 2>&1 |
    awk -F ', *' '/copied/ {printf "%.0f", $(NF - 1) * 1e6 / 200}'
}

# reset_orders STORE: every turn begins with the same tables, $kept orders of the busy shop's last 31 days and
# statistics that know them; on empty tables a plan is a guess, and backends keep it.
reset_orders() {
  local tables='orders, order_items, payments'
  case $1 in
    plpgsql) tables+=', revenue_metrics, revenue_customers, order_counters' ;;
    brainsait) tables+=$rollups ;;
  esac
  psql -X -q -v ON_ERROR_STOP=1 -d "$1" -c "TRUNCATE $tables" -c 'VACUUM products, users, tenants'
  bulk_load "$1" "$kept" 31 >"$BENCH/kept.sql"
  psql -X -q -v ON_ERROR_STOP=1 -v users="$users" -U shopper -d "$1" -f "$BENCH/kept.sql" >/dev/null
  psql -X -q -v ON_ERROR_STOP=1 -d "$1" -c "VACUUM ANALYZE $tables"
}

# Seconds of processor that the server has used: its processes, and those that have ended.
server_cpu() {
  local file line fields ticks=0
  for file in /proc/[0-9]*/stat; do
    { read -r line <"$file"; } 2>/dev/null || continue
    read -r -a fields <<<"${line##*) }" # from the third field on: state, parent, ...
    if [ "${line%% *}" = "$postmaster" ]; then
      ticks=$((ticks + fields[11] + fields[12] + fields[13] + fields[14]))
    elif [ "${fields[1]}" = "$postmaster" ]; then
      ticks=$((ticks + fields[11] + fields[12]))
    fi
  done
  echo $((ticks * 10000 / $(getconf CLK_TCK)))e-4
}
postmaster=$(head -n 1 "$(query postgres 'SHOW data_directory')/postmaster.pid")

measure() {
  id=$1 kind=$2 measure_turns=$3 measure_seconds=$4 title=$5
  pgbench_options=("${@:6}")
  arms=()
  declare -gA arm_store=() arm_idle=() arm_before=()
  note measure "$id" "$kind" "$title"
}

# arm NAME STORE BASELINE GOAL LABEL SCRIPT...: SCRIPT is a function of scripts.sh with its arguments, or "= ARM" for a
# second look at the runs of another arm.
arm() {
  note arm "$id" "$1" "$2" "$3" "${4:--}" "$5" "$([ "$6" != = ] || echo "$7")"
  [ "$6" != = ] || return 0
  arms+=("$1")
  arm_store[$1]=$2
  "${@:6}" >"$BENCH/$id.$1.sql"
}

# before ARM SQL: what a superuser does before each of the arm's runs, in its store.
before() { arm_before[$1]=$2; }

# Orders per second of pgbench's progress after the seconds that are skipped.
warm_rate() {
  sed -n 's/^progress: \([0-9.]*\) s, \([0-9.]*\) tps.*/\1 \2/p' "$1" |
    awk -v from="$skipped" '{if (before >= from - 0.1) {count += $2 * ($1 - before); time += $1 - before} before = $1} END {print count / time}'
}

# pgbench_run ARM PGBENCH-OPTIONS...: sets count and rate; of a run of seconds, the first of them may be skipped for the rate.
pgbench_run() {
  local arm=$1 log=$BENCH/pgbench.log options=(-P 1) option asynchronous=
  for option in "${pgbench_options[@]}"; do
    if [ "$option" = --asynchronous ]; then asynchronous='-c synchronous_commit=off'; else options+=("$option"); fi
  done
  PGOPTIONS=$asynchronous pgbench -n -M prepared -U shopper "${options[@]}" "${@:2}" --random-seed="$turn" \
    -D users="$users" -D products="$products" -D sequence="$((SECONDS * 1000000))" \
    -f "$BENCH/$id.$arm.sql" "${arm_store[$arm]}" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2 && fail "pgbench failed in $id, $arm"; }
  count=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$log")
  if [ "${skipped:-0}" != 0 ] && [ "$2" = -T ]; then
    rate=$(warm_rate "$log")
  else
    rate=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$log")
  fi
  [ "${count:-0}" -gt 0 ] || fail "no transaction went through in $id, $arm"
}

# The store's own work that is put off belongs to the orders.
settle() {
  if [ "$1" = brainsait ] && [ -n "$fold" ]; then query brainsait "$fold" >/dev/null; fi
  sleep 0.1 # backends end a moment after their clients
}

wal_position() { query postgres "SELECT pg_current_wal_insert_lsn() - '0/0'"; }

# A store that lost an order has measured nothing.
check_counted() {
  local store=$1 expected=$(($2 + kept)) orders counted
  orders=$(query "$store" 'SELECT count(*) FROM orders')
  [ "$orders" = "$expected" ] || fail "$store holds $orders orders instead of $expected"
  case $store in
    bare) return ;;
    plpgsql) counted=$(query plpgsql 'SELECT sum(order_count) FROM revenue_metrics') ;;
    brainsait) counted=$(query brainsait "SELECT sum(order_count) FROM $live") ;;
  esac
  [ "$counted" = "$expected" ] || fail "$store has $counted orders in its rollup instead of $expected"
}

# One run of clients. What connecting and the first transactions cost is measured once, and taken off.
client_turn() {
  local arm=$1 store=${arm_store[$1]} wal cpu skipped=0
  [ "$kind" != rate ] || skipped=$warm_up
  [ -z "${arm_before[$arm]:-}" ] || query "$store" "${arm_before[$arm]}" >/dev/null
  if [ -z "${arm_idle[$arm]:-}" ]; then
    cpu=$(server_cpu)
    pgbench_run "$arm" -t 1
    settle "$store"
    arm_idle[$arm]="$count $cpu $(server_cpu)"
  fi
  case $id in context | report) ;; *) reset_orders "$store" ;; esac
  wal=$(wal_position)
  cpu=$(server_cpu)
  pgbench_run "$arm" -T "$((measure_seconds + skipped))"
  settle "$store"
  cpu="$cpu $(server_cpu)"
  wal=$(($(wal_position) - wal))
  case $id in context | report) ;; *) check_counted "$store" "$count" ;; esac
  # shellcheck disable=SC2086  # pairs of numbers
  note run "$id" "$arm" "$turn" "$count" "$(awk "BEGIN {print $count / $rate}")" "$wal" \
    "$(awk '{print ($1 > $4 ? (($6 - $5) - ($3 - $2)) * $1 / ($1 - $4) : $6 - $5)}' <<<"$count ${arm_idle[$arm]#* } ${arm_idle[$arm]%% *} $cpu")" 0
}

# The largest RssAnon (kB) that a process had until it ended; its number comes in a file. Ends with us, too.
watch_memory() {
  perl -e '
    my ($file, $peak, $pid, $parent) = ($ARGV[0], 0, 0, getppid);
    until ($pid) { exit if getppid != $parent; if (open my $in, "<", $file) { $pid = int(<$in> // 0) } select undef, undef, undef, 0.01 }
    while (open my $in, "<", "/proc/$pid/status") {
      while (<$in>) { $peak = $1 if /^RssAnon:\s+(\d+)/ && $1 > $peak }
      select undef, undef, undef, 0.02;
    }
    print $peak' "$1"
}

# timed_run ARM DATABASE USER ROWS: the arm's statements in a session of their own, timed from the first to the end of the last; notes the run.
timed_run() {
  local arm=$1 store=${arm_store[$1]} wal cpu took watcher
  query "$2" CHECKPOINT
  rm -f "$BENCH/pid" "$BENCH/peak"
  watch_memory "$BENCH/pid" >"$BENCH/peak" &
  watcher=$!
  wal=$(wal_position)
  cpu=$(server_cpu)
  took=$(psql -X -q -A -t -v ON_ERROR_STOP=1 -v users="$users" -U "$3" -d "$2" -o "$BENCH/pid" -c 'SET client_min_messages = warning' \
    -c 'SELECT pg_backend_pid()' -c '\o /dev/null' -c '\timing on' -f "$BENCH/$id.$arm.sql") || fail "a statement failed in $id, $arm"
  took=$(awk '/^Time: / {total += $2} END {printf "%.6f", total / 1000}' <<<"$took")
  settle "$store"
  wait "$watcher"
  cpu=$(awk "BEGIN {print $(server_cpu) - $cpu}")
  wal=$(($(wal_position) - wal))
  note run "$id" "$arm" "$turn" "$4" "$took" "$wal" "$cpu" "$(cat "$BENCH/peak")"
}

bulk_turn() {
  reset_orders "${arm_store[$1]}"
  timed_run "$1" "${arm_store[$1]}" shopper "$bulk"
  check_counted "${arm_store[$1]}" "$bulk"
}

# drop_indexes DATABASE TABLE, and make_indexes DATABASE once the rows are there: all but keys, of a partitioned table's partitions too.
drop_indexes() {
  query "$1" "CREATE TABLE index_of AS SELECT replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') AS definition, i.indexrelid::regclass::text AS name
      FROM pg_index i WHERE i.indrelid = '$2'::regclass AND NOT i.indisunique;
    DO \$\$ DECLARE name text; BEGIN FOR name IN SELECT i.name FROM index_of i LOOP EXECUTE 'DROP INDEX ' || name; END LOOP; END \$\$"
}
make_indexes() {
  PGOPTIONS='-c maintenance_work_mem=512MB' query "$1" "DO \$\$ DECLARE definition text;
    BEGIN FOR definition IN SELECT i.definition FROM index_of i LOOP EXECUTE definition; END LOOP; END \$\$"
}

# load_reports COUNT: orders for reports to read.
load_reports() {
  local store
  for store in bare brainsait; do
    reset_orders "$store"
    bulk_load "$store" "$1" 30 >"$BENCH/load.sql"
    psql -X -q -v ON_ERROR_STOP=1 -v users="$users" -U shopper -d "$store" -f "$BENCH/load.sql" >/dev/null
    settle "$store"
    query "$store" 'VACUUM ANALYZE'
  done
}

run_turns() {
  local turn arm
  echo "$title ..." >&2
  query postgres CHECKPOINT
  for ((turn = 1; turn <= measure_turns; turn++)); do
    for arm in "${arms[@]}"; do
      case $id in
        bulk*) bulk_turn "$arm" ;;
        purge*) purge_turn "$arm" ;;
        *) client_turn "$arm" ;;
      esac
    done
  done
}
