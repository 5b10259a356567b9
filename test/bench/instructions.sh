# shellcheck shell=bash
# Instructions that a transaction costs its backend, by valgrind's callgrind: a figure that does not swing. Sourced by run; the
# measure is "instructions", made when asked for. Profiles for callgrind_annotate stay in build/bench.
#
# The backend is a single-user one on stopped data of its own, so neither the client nor the network is counted.
# What starting costs is measured by a shorter run and taken off.

# statements STORE order|checkout MODE COUNT: what the backend reads, a command a line.
statements() {
  local store=$1 what=$2 mode=$3 count=$4 number='' context=''
  echo 'SET SESSION AUTHORIZATION shopper'
  [ "$mode" != appended ] || echo "SET default_transaction_isolation = 'repeatable read'" # which never writes to a bucket's row
  [ "$store" != bare ] || number='$4, '
  echo "PREPARE new_order (uuid, uuid, numeric, text, uuid) AS INSERT INTO orders (id, tenant_id, user_id, ${number:+number, }total, customer_email, customer_name, shipping_address) VALUES (\$5, \$1, \$2, $number\$3, 'customer@mail.example', 'A Customer', '$address')"
  echo "PREPARE items (uuid, uuid, uuid, uuid) AS INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total) VALUES (\$1, \$2, 'First', 1, 10.99, 10.99), (\$1, \$3, 'Second', 2, 20.99, 41.98), (\$1, \$4, 'Third', 3, 30.99, 92.97)"
  echo "PREPARE payment (uuid, uuid, text, numeric) AS INSERT INTO payments (tenant_id, order_id, payment_intent_id, amount, status, payment_method, provider) VALUES (\$1, \$2, \$3, \$4, 'completed', 'card', 'stripe')"
  echo "PREPARE stock (uuid) AS UPDATE products SET inventory_count = inventory_count - 1 WHERE id = \$1"
  if [ "$store" = brainsait ]; then
    echo "PREPARE context (uuid) AS SELECT set_tenant(\$1)"
    context="EXECUTE context ('00000000-0000-0000-0000-000000000000')"
  fi
  awk -v context="$context" -v what="$what" -v start="$counting_from" -v first_order="$counted_orders" -v count="$count" -v users="$users" -v products="$products" '
    function id(n) { return sprintf("%c%032d%c", 39, n, 39) }
    BEGIN {
      tenant = id(0)
      for (i = first_order; i < first_order + count; i++) {
        # Version 7, as both stores would make it, and known to the client that adds items.
        ms = sprintf("%012x", start + i)
        order = sprintf("%c%s70008000%012d%c", 39, ms, i, 39)
        print "BEGIN"
        if (context) print context
        printf "EXECUTE new_order (%s, %s, %d.%02d, %c%s%06d%c, %s)\n", tenant, id(1 + i * 7919 % users), 10 + i % 990, i % 100, 39, start, i, 39, order
        if (what == "checkout") {
          one = 1 + i * 7 % int(products / 3); two = one + int(products / 3); three = two + int(products / 3)
          printf "EXECUTE items (%s, %s, %s, %s)\n", order, id(one), id(two), id(three)
          printf "EXECUTE payment (%s, %s, %c%s-%d%c, 10.50)\n", tenant, order, 39, start, i, 39
          printf "EXECUTE stock (%s)\nEXECUTE stock (%s)\nEXECUTE stock (%s)\n", id(one), id(two), id(three)
        }
        print "COMMIT"
      }
    }'
}

# count_run STORE WHAT MODE COUNT: sets counted.
count_run() {
  local profile=$BENCH/callgrind.$1.$2.$3 said=$BENCH/single.log
  statements "$@" >"$BENCH/statements"
  counted_orders=$((counted_orders + $4))
  valgrind --tool=callgrind --callgrind-out-file="$profile" postgres --single -D "$BENCH/single" -c synchronous_commit=off "$1" \
    <"$BENCH/statements" >"$said" 2>&1 || { tail -n 20 "$said" >&2 && fail "the single-user backend failed in $1, $2"; }
  if grep -q 'ERROR:\|FATAL:' "$said"; then grep -m 5 'ERROR:\|FATAL:' "$said" >&2 && fail "statements failed in $1, $2"; fi
  counted=$(sed -n 's/^summary: \([0-9]*\).*/\1/p' "$profile")
}

# count_instructions STORE WHAT MODE LABEL: a row of the table; the bare store's come first.
count_instructions() {
  local few=200 many=1000 shorter each
  count_run "$1" "$2" "$3" "$few" && shorter=$counted
  count_run "$1" "$2" "$3" "$many"
  each=$(((counted - shorter) / (many - few)))
  [ "$1" != bare ] || bare_instructions=$each
  note row instructions "$4" "$each" "$(awk "BEGIN {printf \"%.3f\", $each / $bare_instructions}")"
}

instructions() {
  local started="-k $BENCH -p 5433 -c listen_addresses= -c fsync=off -c autovacuum=off"
  command -v valgrind >/dev/null || fail 'the measure "instructions" needs valgrind'
  initdb -D "$BENCH/single" -U postgres -A trust -N --locale=C.UTF-8 --encoding=UTF8 >/dev/null
  counting_from=$(date +%s%3N) counted_orders=0
  echo 'Counting instructions ...' >&2
  pg_ctl -D "$BENCH/single" -l "$BENCH/single.log" -w -o "$started" start >/dev/null
  (
    export PGHOST=$BENCH PGPORT=5433
    runs=/dev/null
    create_stores
    turn=0
    reset_orders bare
    reset_orders brainsait
  ) || fail 'the stores to count in were not made'
  pg_ctl -D "$BENCH/single" -m fast -w stop >/dev/null
  note table instructions 'Instructions of the backend, per transaction (callgrind)' 'transaction' instructions '× bare'
  count_instructions bare order direct 'one order, bare'
  count_instructions brainsait order direct 'one order, brainsait'
  count_instructions brainsait order appended 'one order, brainsait, the queue takes it'
  count_instructions bare checkout direct 'a checkout, bare'
  count_instructions brainsait checkout direct 'a checkout, brainsait'
  rm -rf "$BENCH/single"
}
