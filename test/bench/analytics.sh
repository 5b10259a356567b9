#!/usr/bin/env bash
# The sketches' speed: each question asked of the same rows by brainsait, by PostgreSQL alone and, where they are
# installed, by the extensions hll and tdigest, in turns in one server. Runs beside scripts/with-server, as run does:
#
#   BENCH=folder scripts/with-server test/bench/analytics.sh
#
# ROWS (default 10,000,000; QUICK=1: 1,000,000) rows that fit into memory. Times are those of the executor, as
# log_executor_stats tells them: elapsed, and the CPU of the backend, which swings less on a machine that is busy.
# Ratios are taken within a turn. Writes $BENCH/analytics.tsv (a line per run) and $BENCH/analytics.md.
set -euo pipefail
: "${ROWS:=$([ -n "${QUICK:-}" ] && echo 1000000 || echo 10000000)}"
: "${TURNS:=$([ -n "${QUICK:-}" ] && echo 3 || echo 5)}"
runs=$BENCH/analytics.tsv
: >"$runs"
database=analytics

query() { psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" -c "$1"; }
there() { [ "$(query "SELECT count(*) FROM pg_extension WHERE extname = '$1'")" = 1 ]; }

psql -X -q -v ON_ERROR_STOP=1 -c "CREATE DATABASE $database"
query 'CREATE EXTENSION brainsait'
for peer in hll tdigest; do
  query "DO \$\$ BEGIN IF EXISTS (SELECT FROM pg_available_extensions WHERE name = '$peer') THEN CREATE EXTENSION $peer; END IF; END \$\$"
  there $peer || echo "analytics: the extension $peer is not installed and left out" >&2
done
echo "Making $ROWS rows ..." >&2
query "SELECT setseed(0.5);
  CREATE UNLOGGED TABLE visit AS
  SELECT date '2024-01-01' + (n * 365 / $ROWS)::int AS day, (random() * $ROWS)::bigint AS id, 'visitor ' || (random() ^ 3 * 1e6)::int AS name,
         exp(3 + 2 * random())::double precision AS amount, round((random() * 100)::numeric, 2) AS price
  FROM generate_series(1::bigint, $ROWS) AS n"
query 'VACUUM ANALYZE visit'
query 'CREATE TABLE daily AS SELECT day, distinct_sketch(id) AS ids, quantile_sketch(amount) AS amounts FROM visit GROUP BY day'
query 'SELECT count(*) FROM visit' >/dev/null

# ask ARM TURN WORKERS SQL
ask() {
  local said
  said=$(PGOPTIONS="-c jit=off -c work_mem=256MB -c max_parallel_workers_per_gather=$3 -c client_min_messages=log -c log_executor_stats=on" \
    psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" -c "$4" 2>&1 >/dev/null) || { echo "$said" >&2 && exit 1; }
  awk -v arm="$1" -v turn="$2" '$3 == "user," {print arm "\t" turn "\t" $8 "\t" $2 + $5; exit}' OFS='\t' \
    <<<"$(sed -n 's/^!\t\{0,1\}\([0-9.]*\) s user, \([0-9.]*\) s system, \([0-9.]*\) s elapsed/! \1 user, s \2 s s \3/p' <<<"$said")" >>"$runs"
}

# Arms by line: name, baseline (- for none), goal, workers, needed extension (- for none), query.
arms() {
  cat <<'ARMS'
count(id)|-|-|0|-|SELECT count(id) FROM visit
approx_count_distinct(id)|count(id)|1.5|0|-|SELECT approx_count_distinct(id) FROM visit
hll of id|count(id)|-|0|hll|SELECT # hll_add_agg(hll_hash_bigint(id)) FROM visit
approx_count_distinct(id), again|hll of id|0.7|0|hll|SELECT approx_count_distinct(id) FROM visit
count(DISTINCT id)|count(id)|-|0|-|SELECT count(DISTINCT id) FROM visit
count(name)|-|-|0|-|SELECT count(name) FROM visit
approx_count_distinct(name)|count(name)|1.5|0|-|SELECT approx_count_distinct(name) FROM visit
hll of name|count(name)|-|0|hll|SELECT # hll_add_agg(hll_hash_text(name)) FROM visit
approx_count_distinct(name), again|hll of name|0.7|0|hll|SELECT approx_count_distinct(name) FROM visit
count(amount)|-|-|0|-|SELECT count(amount) FROM visit
quantile_sketch(amount)|count(amount)|-|0|-|SELECT approx_percentile(0.5, quantile_sketch(amount)) FROM visit
tdigest of amount|count(amount)|-|0|tdigest|SELECT tdigest_percentile(amount, 100, 0.5) FROM visit
quantile_sketch(amount), again|tdigest of amount|0.5|0|tdigest|SELECT approx_percentile(0.5, quantile_sketch(amount)) FROM visit
percentile_cont of amount|count(amount)|-|0|-|SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM visit
GROUP BY name ORDER BY sum(price)|-|-|0|-|SELECT name, sum(price) FROM visit GROUP BY name ORDER BY 2 DESC LIMIT 10
top_k(name, price, 10)|GROUP BY name ORDER BY sum(price)|-|0|-|SELECT top_k(name, price, 10) FROM visit
count(id), 2 workers|-|-|2|-|SELECT count(id) FROM visit
approx_count_distinct(id), 2 workers|count(id), 2 workers|-|2|-|SELECT approx_count_distinct(id) FROM visit
quantile_sketch(amount), 2 workers|count(id), 2 workers|-|2|-|SELECT approx_percentile(0.5, quantile_sketch(amount)) FROM visit
distinct ids from daily sketches|approx_count_distinct(id)|-|0|-|SELECT distinct_count(rollup(ids)) FROM daily
median from daily sketches|quantile_sketch(amount)|-|0|-|SELECT approx_percentile(0.5, rollup(amounts)) FROM daily
ARMS
}

for ((turn = 1; turn <= TURNS; turn++)); do
  while IFS='|' read -r name _ _ workers needed sql; do
    if [ "$needed" = - ] || there "$needed"; then ask "$name" "$turn" "$workers" "$sql"; fi
  done < <(arms)
done

{
  echo "$ROWS rows, $TURNS turns, PostgreSQL $(query 'SHOW server_version'), medians; ratios within a turn, by elapsed time and by CPU"
  echo
  echo '| question | seconds | CPU | against | ratio | CPU ratio | goal |'
  echo '|---|---|---|---|---|---|---|'
  awk -F '\t' -v OFS='|' '
    function median(values, count,   i, j, swap) {
      for (i = 2; i <= count; i++) for (j = i; j > 1 && values[j - 1] > values[j]; j--) { swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap }
      return count % 2 ? values[(count + 1) / 2] : (values[count / 2] + values[count / 2 + 1]) / 2
    }
    FNR == NR { elapsed[$1, $2] = $3; cpu[$1, $2] = $4; seen[$1] = 1; if ($2 > turns) turns = $2; next }
    {
      split($0, arm, "|"); name = arm[1]; base = arm[2]
      if (!(name in seen)) next
      for (t = 1; t <= turns; t++) {
        seconds[t] = elapsed[name, t]; used[t] = cpu[name, t]
        ratio[t] = base in seen ? seconds[t] / elapsed[base, t] : 0
        cpu_ratio[t] = base in seen && cpu[base, t] > 0 ? used[t] / cpu[base, t] : 0
      }
      printf "| %s | %.3f | %.3f | %s | %s | %s | %s |\n", name, median(seconds, turns), median(used, turns), base in seen ? base : "",
        base in seen ? sprintf("%.2f", median(ratio, turns)) : "", base in seen ? sprintf("%.2f", median(cpu_ratio, turns)) : "", arm[3] == "-" ? "" : "<= " arm[3]
    }' "$runs" <(arms)
} >"$BENCH/analytics.md"
cat "$BENCH/analytics.md"
