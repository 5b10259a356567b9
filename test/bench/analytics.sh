# shellcheck shell=bash
# The aggregates' speed: each question asked of the same rows by brainsait, by PostgreSQL alone and, where they are installed, by the
# extensions hll and tdigest. Sourced by run; the measure is "analytics".
#
# A turn is one session, which has read the tables before it is asked anything: what a new process pays to map shared memory is
# more than a scan. Of each question the executor's own account is taken: elapsed time, and the backend's CPU, which swings less
# on a machine that is busy. Ratios are of CPU, within a turn; with parallel workers, who keep accounts of their own, of elapsed time.

# Two tables in the order of time, as a shop writes them: visits of many kinds of values, and events of visitors who come for some ten
# minutes, of whom five hundred are there at once.
load_analytics() {
  query analytics "SELECT setseed(0.5);
    CREATE UNLOGGED TABLE visit AS
    SELECT date '2024-01-01' + (n * 365 / $1)::int AS day, (random() * $1)::bigint AS id, 'visitor ' || (random() ^ 3 * 1e6)::int AS name,
           exp(3 + 2 * random())::double precision AS amount, round((random() * 100)::numeric, 2) AS price
    FROM generate_series(1::bigint, $1) AS n;
    CREATE UNLOGGED TABLE event AS
    SELECT abs(hashint8(place * 1000003 + (n + place * 5) / 2500)) % ($1 / 20) AS visitor, timestamptz '2026-01-01' + n * interval '0.26 s' AS ts,
           (ARRAY['page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase'])[1 + least(floor(-ln(random() + 1e-9) * 1.3), 4)::int] AS kind
    FROM (SELECT n, (random() * 499)::bigint AS place FROM generate_series(1::bigint, $1) AS n OFFSET 0) AS places" >/dev/null
  query analytics 'VACUUM ANALYZE visit, event'
  query analytics 'CREATE TABLE daily AS SELECT day, distinct_sketch(id) AS ids, quantile_sketch(amount) AS amounts FROM visit GROUP BY day'
}

# The funnel that a careful person writes in SQL: for each event the latest first step of a chain that leads to it, step by step.
# One sort serves all windows. RANGE takes events of one time as peers, so that ties count as in window_funnel().
funnel_by_windows() {
  local step=2 kind inner="SELECT visitor, ts, kind, CASE kind WHEN 'page_view' THEN ts END AS s1 FROM event"
  for kind in product_view add_to_cart checkout purchase; do
    inner="SELECT *, CASE WHEN kind = '$kind' THEN max(s$((step - 1))) FILTER (WHERE ts - s$((step - 1)) <= '7 days') OVER w END AS s$step
           FROM ($inner) AS t WINDOW w AS (PARTITION BY visitor ORDER BY ts)"
    step=$((step + 1))
  done
  echo "SELECT level, count(*) FROM (
          SELECT visitor, max(CASE WHEN ts - s5 <= '7 days' THEN 5 WHEN ts - s4 <= '7 days' THEN 4 WHEN ts - s3 <= '7 days' THEN 3
                                   WHEN ts - s2 <= '7 days' THEN 2 WHEN s1 IS NOT NULL THEN 1 ELSE 0 END) AS level
          FROM ($inner) AS t GROUP BY visitor) AS levels GROUP BY 1 ORDER BY 1" | tr '\n' ' '
}
funnel="SELECT level, count(*) FROM (SELECT visitor, window_funnel('7 days', ts, kind = 'page_view', kind = 'product_view',
  kind = 'add_to_cart', kind = 'checkout', kind = 'purchase') AS level FROM event GROUP BY visitor) AS levels GROUP BY 1 ORDER BY 1"

# By line: name | baseline (- for none) | goal | workers | needed extension (- for none) | turns at most | query.
analytics_arms() {
  cat <<ARMS
count(id)|-|-|0|-|9|SELECT count(id) FROM visit
approx_count_distinct(id)|count(id)|1.5|0|-|9|SELECT approx_count_distinct(id) FROM visit
hll of id|count(id)|-|0|hll|9|SELECT # hll_add_agg(hll_hash_bigint(id)) FROM visit
approx_count_distinct(id)|hll of id|0.7|=|hll|9|
count(id)|hll of id|-|=|hll|9|
count(DISTINCT id)|count(id)|-|0|-|1|SELECT count(DISTINCT id) FROM visit
approx_count_distinct(id)|count(DISTINCT id)|-|=|-|9|
count(name)|-|-|0|-|9|SELECT count(name) FROM visit
approx_count_distinct(name)|count(name)|1.5|0|-|9|SELECT approx_count_distinct(name) FROM visit
hll of name|count(name)|-|0|hll|9|SELECT # hll_add_agg(hll_hash_text(name)) FROM visit
approx_count_distinct(name)|hll of name|0.7|=|hll|9|
count(amount)|-|-|0|-|9|SELECT count(amount) FROM visit
quantile_sketch(amount)|count(amount)|-|0|-|9|SELECT approx_percentile(0.5, quantile_sketch(amount)) FROM visit
tdigest of amount|count(amount)|-|0|tdigest|9|SELECT tdigest_percentile(amount, 100, 0.5) FROM visit
quantile_sketch(amount)|tdigest of amount|0.5|=|tdigest|9|
percentile_cont of amount|count(amount)|-|0|-|1|SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM visit
quantile_sketch(amount)|percentile_cont of amount|-|=|-|9|
GROUP BY name ORDER BY sum(price)|-|-|0|-|1|SELECT name, sum(price) FROM visit GROUP BY name ORDER BY 2 DESC LIMIT 10
top_k(name, price, 10)|GROUP BY name ORDER BY sum(price)|-|0|-|1|SELECT top_k(name, price, 10) FROM visit
funnel of five steps by window functions|-|-|0|-|2|$(funnel_by_windows)
count(kind) GROUP BY visitor|funnel of five steps by window functions|-|0|-|2|SELECT count(n) FROM (SELECT visitor, count(kind) AS n FROM event GROUP BY visitor OFFSET 0) AS visitors
window_funnel() of five steps|funnel of five steps by window functions|0.1|0|-|2|$(tr '\n' ' ' <<<"$funnel")
count(id), 2 workers|-|-|2|-|9|SELECT count(id) FROM visit
approx_count_distinct(id), 2 workers|count(id), 2 workers|1.5|2|-|9|SELECT approx_count_distinct(id) FROM visit
hll of id, 2 workers|count(id), 2 workers|-|2|hll|9|SELECT # hll_add_agg(hll_hash_bigint(id)) FROM visit
quantile_sketch(amount), 2 workers|count(id), 2 workers|-|2|-|9|SELECT approx_percentile(0.5, quantile_sketch(amount)) FROM visit
window_funnel() of five steps, 2 workers|funnel of five steps by window functions|-|2|-|2|$(tr '\n' ' ' <<<"$funnel")
distinct ids from daily sketches|approx_count_distinct(id)|-|0|-|9|SELECT distinct_count(rollup(ids)) FROM daily
median from daily sketches|quantile_sketch(amount)|-|0|-|9|SELECT approx_percentile(0.5, rollup(amounts)) FROM daily
ARMS
}

# One session asks every question that this turn has: lines of analytics.tsv, ARM TURN ELAPSED CPU.
analytics_turn() {
  local turn=$1 name workers needed most sql script=$BENCH/analytics.sql
  {
    echo 'SET max_parallel_workers_per_gather = 0; SELECT count(id) FROM visit; SELECT count(ts) FROM event;'
    echo 'SET client_min_messages = log; SET log_executor_stats = on;'
    while IFS='|' read -r name _ _ workers needed most sql; do
      if [ "$workers" != = ] && [ "$turn" -le "$most" ] && { [ "$needed" = - ] || [[ " $peers " == *" $needed "* ]]; }; then
        # The answer of a question, so that two that must agree can be compared.
        printf '%s\n' "SET max_parallel_workers_per_gather = $workers;" "\\o '$BENCH/answer.${name//[^a-z0-9]/_}'" "\\warn arm $name" "$sql;"
      fi
    done < <(analytics_arms)
  } >"$script"
  PGOPTIONS='-c jit=off -c work_mem=256MB' psql -X -q -A -t -v ON_ERROR_STOP=1 -d analytics -f "$script" >"$BENCH/analytics.log" 2>&1 ||
    { tail -n 5 "$BENCH/analytics.log" >&2 && fail 'a question was not answered'; }
  # The first account after a question's name is the question's.
  perl -ne 'if (/^(?:psql:\S+ )?arm (.*)/) { $name = $1 }
    elsif (defined $name && m{^!\t([\d.]+) s user, ([\d.]+) s system, ([\d.]+) s elapsed}) { print join("\t", $name, '"$turn"', $3, $1 + $2), "\n"; undef $name }' \
    "$BENCH/analytics.log" >>"$BENCH/analytics.tsv"
}

analytics() {
  local rows=$1 asked=$2 turn peer major title
  psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE DATABASE analytics'
  query analytics 'CREATE EXTENSION brainsait'
  major=$(query analytics "SELECT current_setting('server_version_num')::int / 10000")
  title="Aggregates over $rows rows, one process unless it says workers; ratios of CPU, with workers of elapsed time"
  peers=
  for peer in hll tdigest; do
    if query analytics "CREATE EXTENSION $peer" 2>/dev/null; then
      peers+=" $peer"
    else
      title+="; $peer left out, the package postgresql-$major-$peer brings it"
    fi
  done
  echo "$title: loading ..." >&2
  load_analytics "$rows"
  : >"$BENCH/analytics.tsv"
  for ((turn = 1; turn <= asked; turn++)); do
    echo "Asking, turn $turn of $asked ..." >&2
    analytics_turn "$turn"
  done
  cmp -s "$BENCH/answer.window_funnel___of_five_steps" "$BENCH/answer.funnel_of_five_steps_by_window_functions" ||
    fail 'window_funnel() and the funnel by window functions disagree'
  note table analytics "$title" question elapsed CPU against '× (min..max)' goal
  analytics_arms | perl analytics.pl "$BENCH/analytics.tsv" >>"$runs"
  query postgres 'DROP DATABASE analytics'
}
