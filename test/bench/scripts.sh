# shellcheck shell=bash
# What the clients send, as pgbench scripts on standard output. Sourced by run.
#
# A client of the bare store makes its own order numbers and needs no tenant context; one of the plpgsql
# store sends set_config('app.tenant', ...), one of brainsait set_tenant(...). A transaction takes a
# "trip" for each exchange with the server: statements between \startpipeline and \endpipeline share one.
#
# :tenant and :user are numbers (see seed.sql). :number is unique over all clients of a run, 19 digits.

address='{"street": "12 King Fahd Road", "city": "Riyadh", "postal_code": "11564", "country": "SA"}'
tenant_id="lpad(:tenant, 32, '0')::uuid"

# variables TENANT: what a transaction is about; TENANT is a pgbench expression.
variables() {
  cat <<SCRIPT
\set tenant $1
\set user :tenant * 1000000 + random(1, CASE WHEN :tenant = 0 THEN :users ELSE 20 END)
\set total random(1000, 100000) / 100.0
\set sequence :sequence + 1
\set number 1000000000000000000 + :client_id * 1000000000000 + :sequence
SCRIPT
}

# set_context STORE: the statement that says whose transaction this is; none in the bare store.
set_context() {
  case $1 in
    plpgsql) echo "SELECT set_config('app.tenant', lpad(:tenant, 32, '0'), true);" ;;
    brainsait) echo "SELECT set_tenant($tenant_id);" ;;
  esac
}

# begin STORE together|apart: BEGIN and the context, in one trip or two.
begin() {
  if [ "$1" = bare ] || [ "$2" = apart ]; then
    echo "BEGIN;"
    set_context "$1"
  else
    printf '%s\n' '\startpipeline' "BEGIN;" "$(set_context "$1")" '\endpipeline'
  fi
}

insert_order() {
  local column='' value=''
  [ "$1" != bare ] || column='number, ' value=':number, '
  cat <<SCRIPT
INSERT INTO orders (tenant_id, user_id, ${column}total, customer_email, customer_name, shipping_address)
VALUES ($tenant_id, lpad(:user, 32, '0')::uuid, $value:total, 'customer@mail.example', 'A Customer', '$address')
SCRIPT
}

# one_order STORE TENANT together|apart: a transaction that inserts one order.
one_order() {
  variables "$2"
  begin "$1" "$3"
  echo "$(insert_order "$1");"
  echo "COMMIT;"
}

# one_trip_order STORE TENANT: the same in one trip; the bare store's is the plain INSERT.
one_trip_order() {
  variables "$2"
  if [ "$1" = bare ]; then
    echo "$(insert_order bare);"
  else
    printf '%s\n' '\startpipeline' "BEGIN;" "$(set_context "$1")" "$(insert_order "$1");" "COMMIT;" '\endpipeline'
  fi
}

# checkout STORE: order, three items, payment, and the stock of three products in the order of their ids.
checkout() {
  local product
  variables 0
  cat <<'SCRIPT'
\set first random(1, :products / 3)
\set second :first + :products / 3
\set third :second + :products / 3
SCRIPT
  begin "$1" together
  echo "$(insert_order "$1") RETURNING id AS order_id \\gset"
  cat <<'SCRIPT'
INSERT INTO order_items (order_id, product_id, product_name, quantity, price, total) VALUES
(:order_id, lpad(:first, 32, '0')::uuid, 'First', 1, 10.99, 10.99),
(:order_id, lpad(:second, 32, '0')::uuid, 'Second', 2, 20.99, 41.98),
(:order_id, lpad(:third, 32, '0')::uuid, 'Third', 3, 30.99, 92.97);
SCRIPT
  cat <<SCRIPT
INSERT INTO payments (tenant_id, order_id, payment_intent_id, amount, status, payment_method, provider)
VALUES ($tenant_id, :order_id, :number, :total, 'completed', 'card', 'stripe');
SCRIPT
  echo '\startpipeline'
  for product in first second third; do
    echo "UPDATE products SET inventory_count = inventory_count - 1 WHERE id = lpad(:$product, 32, '0')::uuid;"
  done
  echo '\endpipeline'
  echo "COMMIT;"
}

# add_endpoint: SQL by which the busy shop gets an endpoint that wants all of its orders. Its deliveries go with the one before.
add_endpoint() {
  (umask 077 && echo "1 $(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')" >"$BENCH/keys")
  cat <<SQL
DELETE FROM webhooks;
SET brainsait.credential_key_file = '$BENCH/keys';
INSERT INTO webhooks (tenant_id, url, events) VALUES (lpad('0', 32, '0')::uuid, 'https://shop.example/hook', '{order.*}')
SQL
}

# context_only STATEMENT: a transaction with that one statement and no work.
context_only() {
  printf '%s\n' '\set tenant random(1, 1000)' "BEGIN;" "$1" "COMMIT;"
}

# bulk_load STORE COUNT DAYS [another]: one statement that inserts COUNT orders of the busy shop, spread evenly over its
# users (or each by another guest) and over the last DAYS days. The plpgsql store gets its numbers from the client like the bare one: its
# counter row cannot be updated a million times in one transaction.
bulk_load() {
  local column='' value='' user="lpad((1 + i * 7919 % :users)::text, 32, '0')::uuid" email="'customer@mail.example'"
  [ "$1" = brainsait ] || column='number, ' value="'$3' || lpad(i::text, 15, '0'), "
  [ -z "${4:-}" ] || user='NULL::uuid' email="'customer' || i || '@mail.example'"
  cat <<SCRIPT
\\set tenant '''0'''
BEGIN;
$(set_context "$1")
INSERT INTO orders (tenant_id, user_id, ${column}total, customer_email, customer_name, shipping_address, created_at)
SELECT lpad('0', 32, '0')::uuid, $user, ${value}10 + i % 99000 / 100.0,
       $email, 'A Customer', '$address',
       date_trunc('day', now()) - i % $3 * interval '1 day'
FROM generate_series(1::bigint, $2) AS i;
COMMIT;
SCRIPT
}

# day_report STORE raw|rollup|live: the last 30 days of the busy shop by the document's order-analytics query, or
# the same columns from the rollup's table or its live view. One trip.
day_report() {
  echo '\set tenant 0'
  [ "$1" = bare ] || printf '%s\n' '\startpipeline' "BEGIN;" "$(set_context "$1")"
  if [ "$2" = raw ]; then
    cat <<SCRIPT
SELECT DATE(created_at) as date, COUNT(*) as order_count, SUM(total) as total_revenue, AVG(total) as average_order_value
FROM orders
WHERE tenant_id = $tenant_id AND created_at >= date_trunc('day', now()) - interval '29 days' AND created_at <= now()
GROUP BY DATE(created_at)
ORDER BY date;
SCRIPT
  else
    cat <<SCRIPT
SELECT date, order_count, total_revenue, average_order_value
FROM $([ "$2" = live ] && echo "$live" || echo revenue_metrics)
WHERE tenant_id = $tenant_id AND date >= current_date - 29 AND date <= current_date
ORDER BY date;
SCRIPT
  fi
  [ "$1" = bare ] || printf '%s\n' "COMMIT;" '\endpipeline'
}
