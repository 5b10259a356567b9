# shellcheck shell=bash
# What it takes to be rid of expired events: purge_analytics_events() against the document's DELETE, in the document's own table and
# in the store's. Sourced by run; the measures are "purge", where whole months are expired, and "purge_mixed", where half a month lies
# in the partition of the cutoff and a whole one in the default partition, so that those rows go one by one.
#
# Beside the expired events are a tenth as many that are to stay. Each turn begins with a copy of the same database, read once.

# load_events STORE EXPIRED FROM UNTIL STAY_FROM [MONTH]: so many events from FROM until UNTIL, and the others from STAY_FROM until now, which
# are expressions of SQL. There is a partition for each month, but for MONTH (YYYY_MM).
load_events() {
  local store=$1 database=events_$1 part count from to
  query postgres "CREATE DATABASE $database"
  if [ "$store" = brainsait ]; then
    query "$database" 'CREATE EXTENSION brainsait'
    query "$database" "SELECT ensure_partitions(3, ($3)::date)" >/dev/null
    [ -z "${6:-}" ] || query "$database" "DROP TABLE analytics_events_$6"
  else
    psql -X -q -v ON_ERROR_STOP=1 -d "$database" -f ../schema/document.sql
    query "$database" 'GRANT SELECT, DELETE ON analytics_events TO keeper'
  fi
  psql -X -q -v ON_ERROR_STOP=1 -d "$database" -v tenants="$tenants" -v users=20 -v products=1 -f seed.sql
  drop_indexes "$database" analytics_events
  for part in "$2|$3|$4" "$(($2 / 10))|$5|now()"; do
    IFS='|' read -r count from to <<<"$part"
    PGOPTIONS='-c session_replication_role=replica' query "$database" "
      INSERT INTO analytics_events (id, tenant_id, event_type, user_id, session_id, properties, \"timestamp\")
      SELECT $(id_of_time at i), lpad(t::text, 32, '0')::uuid, (ARRAY['page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase'])[1 + i * 7919 % 5],
             lpad((t * 1000000 + 1 + i % 20)::text, 32, '0')::uuid, 'session-' || i / 12, jsonb_build_object('path', '/products/' || i % 5000), at
      FROM generate_series(0::bigint, $count - 1) AS i,
           LATERAL (SELECT 1 + i * 7919 % $tenants, ($from) + (($to) - ($from)) * (i::float8 / $count)) AS event (t, at)"
  done
  make_indexes "$database"
  query "$database" 'VACUUM ANALYZE analytics_events'
}

delete_events() { echo "DELETE FROM analytics_events WHERE timestamp < NOW() - INTERVAL '$1';"; }
purge_events() { echo "CALL purge_analytics_events('$1');"; }

# One DELETE or one purge in a copy of the store's database; what is left must be what was to stay.
purge_turn() {
  local arm=$1 left
  query postgres 'DROP DATABASE IF EXISTS purged'
  query postgres "CREATE DATABASE purged TEMPLATE events_${arm_store[$arm]} STRATEGY file_copy"
  query purged 'SELECT count(properties) FROM analytics_events' >/dev/null
  timed_run "$arm" purged keeper "$expired"
  left=$(query purged 'SELECT count(*) FROM analytics_events')
  [ "$left" = "$((expired / 10))" ] || fail "$left events are left in $id, $arm, of which $((expired / 10)) were to stay"
}

# purge ID EXPIRED TURNS GOAL TITLE AGE FROM UNTIL STAY_FROM [MONTH]: AGE is the interval that the commands are given.
purge() {
  local store
  expired=$2
  echo "Loading events ..." >&2
  for store in bare brainsait; do load_events "$store" "$2" "${@:7}"; done
  measure "$1" time "$3" 0 "$5"
  arm bare      bare      -    ''   "DELETE, as the document writes it"  delete_events "$6"
  arm delete    brainsait bare ''   "the same DELETE"                    delete_events "$6"
  arm brainsait brainsait bare "$4" "CALL purge_analytics_events('$6')"  purge_events "$6"
  run_turns
  query postgres 'DROP DATABASE purged'
  for store in bare brainsait; do query postgres "DROP DATABASE events_$store"; done
}

# purges EXPIRED TURNS: the measures that are wanted. A row that goes one by one costs the same among many, so the mixed one has a tenth.
purges() {
  local month start half
  month="date_trunc('month', now() AT TIME ZONE 'UTC' - interval '1 year')"
  start=$(query postgres "SELECT $month || '+00'")
  half=$(query postgres "SELECT ceil(extract(epoch FROM now() - (timestamptz '$start' + interval '15 days'))) || ' seconds'")
  if wanted purge || wanted purge_mixed; then query postgres 'CREATE ROLE keeper LOGIN IN ROLE brainsait_operator'; fi
  if wanted purge; then
    purge purge "$1" "$2" 0.01 "$1 expired events of twelve whole months, among $(($1 / 10)) that stay" '1 year' \
      "timestamptz '$start' - interval '12 months'" "timestamptz '$start'" "now() - interval '1 year' + interval '1 day'"
  fi
  if wanted purge_mixed; then
    purge purge_mixed "$(($1 / 10))" "$2" '' "$(($1 / 10)) expired events, an eighth of them not in whole expired months, among $(($1 / 100)) that stay" "$half" \
      "timestamptz '$start' - interval '11 months'" "timestamptz '$start' + interval '15 days'" "timestamptz '$start' + interval '16 days'" \
      "$(query postgres "SELECT to_char(timestamp '${start%+00}' - interval '6 months', 'YYYY_MM')")"
  fi
}
