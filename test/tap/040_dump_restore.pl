# pg_dump and restore of a store with rows in every table and with what its application added to it: into
# a fresh database of the same cluster and into a fresh cluster, as text and in the custom format.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use StoreRows;
use StoreWhole;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = new_cluster('source');
my $elsewhere = new_cluster('elsewhere');
my $folder = PostgreSQL::Test::Utils::tempdir();

# What an application's migrations add, as a member of the owner.
sub add_to_store {
    my ($database, $schema) = @_;
    $source->safe_psql($database, <<"SQL");
SET ROLE brainsait_owner;
SET search_path = "$schema";
ALTER TABLE orders ADD COLUMN gift boolean NOT NULL DEFAULT false;
CREATE INDEX orders_gifts ON orders (tenant_id, created_at) WHERE gift;
ALTER TABLE products ADD CONSTRAINT products_price_bounded CHECK (price < 5000);
CREATE POLICY no_hidden_products ON products AS RESTRICTIVE FOR SELECT TO brainsait_app USING (status <> 'hidden');
CREATE TABLE payment_log (tenant_id uuid NOT NULL DEFAULT current_tenant() REFERENCES tenants ON DELETE CASCADE, payment_id uuid, amount numeric);
SELECT isolate_table('payment_log');
CREATE VIEW paid_orders WITH (security_invoker = true) AS SELECT o.number, p.amount FROM orders o JOIN payments p ON p.order_id = o.id;
GRANT SELECT ON paid_orders TO brainsait_app;
GRANT SELECT, INSERT ON payment_log TO brainsait_app;
CREATE FUNCTION log_payment() RETURNS trigger LANGUAGE plpgsql SET search_path = "$schema", pg_temp AS
    'BEGIN INSERT INTO payment_log VALUES (NEW.tenant_id, NEW.id, NEW.amount); RETURN NULL; END';
CREATE TRIGGER payment_logged AFTER INSERT ON payments FOR EACH ROW EXECUTE FUNCTION log_payment();
CREATE TABLE kept_states (tenant_id uuid NOT NULL DEFAULT current_tenant(), funnel window_funnel_state, retention retention_state,
    cohort cohort_retention_state, sessions session_stats_state, purchases purchase_stats_state, extreme extremum_state);
SELECT isolate_table('kept_states');
ALTER TABLE analytics_events ADD COLUMN path text GENERATED ALWAYS AS (properties ->> 'path') STORED;
SQL
    return;
}

sub dump_text {
    my ($node, $database) = @_;
    my ($out, $err) = run_command([ 'pg_dump', '-d', $node->connstr($database) ]);
    is($err, '', "pg_dump of $database says nothing on stderr");
    $out =~ s/^\\(un)?restrict .*$//mg;
    return $out;
}

# Restores a dump of the source database into a new one; returns what was said on stderr.
sub restore {
    my ($format, $from_node, $from, $node, $to) = @_;
    $node->safe_psql('postgres', qq{CREATE DATABASE "$to" TEMPLATE template0});
    my $file = "$folder/$to.$format";
    my ($out, $err);
    if ($format eq 'plain') {
        run_command([ 'pg_dump', '-f', $file, '-d', $from_node->connstr($from) ]);
        ($out, $err) = run_command([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $node->connstr($to) ]);
        like($out, qr/^[\s\d|]*$/, 'psql prints nothing but what set_config and setval return');
    } else {
        run_command([ 'pg_dump', '-Fc', '-f', $file, '-d', $from_node->connstr($from) ]);
        ($out, $err) = run_command([ 'pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr($to), $file ]);
    }
    return $err;
}

# A restored store works: numbers go on, the application's additions act, the wall stands.
sub check_life {
    my ($node, $database, $schema, $name) = @_;
    numbers_go_on($node, $database, $schema, $name);
    my ($out, $err, $state) = run_in_tenant($node, $database, $tenant_b,
        "SELECT count(DISTINCT tenant_id) FROM orders; SELECT count(*) FROM users WHERE tenant_id = '$tenant_a'; SELECT count(*) FROM payment_log WHERE tenant_id = '$tenant_a'");
    is($out, "1\n0\n0", "$name: the application is walled") or diag $err;
    ($out, $err, $state) = run_in_tenant($node, $database, $tenant_b, 'SELECT count(*) FROM paid_orders; SELECT count(*) FROM payments WHERE order_id IS NOT NULL');
    like($out, qr/^([1-9]\d*)\n\1$/, "$name: the application's view is walled, too") or diag $err;
    ($out, $err, $state) = run_as($node, $database, 'app_login', 'SELECT count(*) FROM orders');
    is($out, '0', "$name: and sees nothing without a tenant");
    ($out, $err, $state) = run_in_tenant($node, $database, $tenant_a, "INSERT INTO products (name, price) VALUES ('{}', 6000)");
    is($state, '23514', "$name: the application's CHECK checks");
    like($err, qr/products_price_bounded/, 'by its name');
    ($out, $err, $state) = run_in_tenant($node, $database, $tenant_a,
        "INSERT INTO products (name, price, status) VALUES ('{\"en\": \"h\"}', 1, 'hidden'); SELECT count(*) FROM products WHERE price = 1");
    is($out, '0', "$name: the application's policy hides") or diag $err;
    my $logged = $node->safe_psql($database, qq{SELECT count(*) FROM "$schema".payment_log});
    ($out, $err, $state) = run_in_tenant($node, $database, $tenant_a, 'INSERT INTO payments (amount) VALUES (3)');
    is($state, '', "$name: a payment") or diag $err;
    is($node->safe_psql($database, qq{SELECT count(*) - $logged FROM "$schema".payment_log}), '1', "$name: the application's trigger fires once");
    is($node->safe_psql($database, qq{SELECT "$schema".ensure_partitions(4)}), '2', "$name: partitions can be made");
    is(rollup_differences($node, $database, $schema), '', "$name: the rollup goes on");
    return;
}

for my $schema ('public', 'shop') {
    my $database = "source_$schema";
    create_store($source, $database, $schema eq 'public' ? () : (schema => $schema));
    add_to_store($database, $schema);
    fill_store($source, $database, $schema);
    $source->safe_psql($database, <<"SQL");
SET search_path = "$schema";
INSERT INTO kept_states VALUES ('$tenant_a', '\\x01000240420f00000000000200000000000000000000000300000040420f000000000001000000', '\\x01030500000000000000',
    '\\x010040420f00000000000100000002000000c0c62d00000000000900035554430100',
    '\\x0140420f000000000001000000000000000000000040420f00000000000200000000000000', '\\x010200000000000000000000000000000040420f000000000032352e3030',
    '\\x01000700696e74656765720104000000000000070f0070675f636174616c6f672e74657874010100000061');
SQL
    my $rows = table_rows($source, $database, $schema);
    is(join(' ', grep { !length $rows->{$_} } sort keys %$rows), 'revenue_deltas', "$schema: there are rows in every table but the queue");
    is($source->safe_psql($database, qq{SELECT min(n) > 2 FROM (SELECT count(DISTINCT tableoid) AS n FROM "$schema".analytics_events
        UNION ALL SELECT count(DISTINCT tableoid) FROM "$schema".webhook_deliveries) AS t}), 't', "$schema: events in several partitions");
    is(rollup_differences($source, $database, $schema), '', "$schema: the rollup is right");
    my $ddl = schema_text($source, $database);
    my $dump = dump_text($source, $database);

    for my $where ([ $source, 'same' ], [ $elsewhere, 'fresh' ]) {
        my ($node, $cluster) = @$where;
        for my $format ('plain', 'custom') {
            # What a schema of its own changes, one dump of each format shows.
            next if $schema eq 'shop' && ($cluster eq 'same') != ($format eq 'custom');
            my $name = "$schema, $cluster cluster, $format";
            my $to = "${schema}_${cluster}_$format";
            my $said = restore($format, $source, $database, $node, $to);
            is(unexpected_words($said), '', "$name: no error and no warning");
            same_rows(table_rows($node, $to, $schema), $rows, "$name: every row, rollup, key and counter");
            same_text(schema_text($node, $to), $ddl, "$name: the same catalogs");
            same_text(dump_text($node, $to), $dump, "$name: the same dump");
            store_is_whole($node, $to, $schema, $name);
            is($node->safe_psql($to, "SELECT count(*) FROM pg_depend d JOIN pg_class c ON c.oid = d.objid WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
                AND c.relkind IN ('r', 'p', 'S', 'v')"), '0', "$name: no table is a member");
            is($node->safe_psql($to, qq{SELECT "$schema".create_store()}), '', "$name: create_store() finds nothing to do");
            same_text(dump_text($node, $to), $dump, "$name: and changes nothing");
        }
    }

    # A restored store is dumped and restored again, across the clusters, and works at every stage.
    my $again = "${schema}_again";
    is(unexpected_words(restore('custom', $elsewhere, "${schema}_fresh_plain", $source, $again)), '', "$again: no error");
    same_text(dump_text($source, $again), $dump, "$again: the dump of the dump's dump is the dump");
    check_life($source, $again, $schema, $again);
    check_life($elsewhere, "${schema}_fresh_plain", $schema, "${schema}_fresh_plain");
    if ($schema eq 'public') {
        check_life($source, "${schema}_same_plain", $schema, "${schema}_same_plain");
        check_life($elsewhere, "${schema}_fresh_custom", $schema, "${schema}_fresh_custom");
    }
    same_rows(table_rows($source, $database, $schema), $rows, "$schema: the source is as it was");
}

done_testing();
