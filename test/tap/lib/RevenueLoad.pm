package RevenueLoad;

# The rollup under load: sessions that change orders and payments at random over few buckets, operators who fold, rebuild
# and change time zones meanwhile, and a reader that compares the live view with a recomputation in one snapshot, again
# and again. Whatever the mode: no difference at any moment, no deadlock, no commit that fails for the rollup's sake.
#
#   revenue_under_load('off', conf => "brainsait.rollup_naptime = 0\n");
#
# Options: queries, the rollup's tables have triggers, so the store writes them by queries instead of by row; conf, lines of
# postgresql.conf; restarted, lines that the server is started with once there is a store; wait, every writer waits for its buckets, so the table itself is exact at any
# moment; folded, what is pending goes by itself. REVENUE_SEED=n repeats a run's choices, REVENUE_TRANSACTIONS=n sets
# how many transactions a session runs: 200 in make check, thousands by hand.

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use PostgreSQL::Test::Utils;
use RevenueScripts;
use RevenueTruth;
use StoreCluster;
use Test::More;

our @EXPORT = qw(revenue_under_load open_shops start_psql wait_for_psql);

my $writers = 8;
my $operators = 2;
my $seed = $ENV{REVENUE_SEED} // (time % 1_000_000);

sub revenue_under_load {
    my ($mode, %options) = @_;
    my $transactions = $ENV{REVENUE_TRANSACTIONS} // 200;
    note "$mode: seed $seed";
    my $node = new_cluster("revenue_$mode", conf => "log_line_prefix = '%e %a [%p] '\nlog_error_verbosity = default\n"
          . "deadlock_timeout = 200ms\nfsync = off\nautovacuum_naptime = 1s\n" . ($options{conf} // ''));
    my $store = create_store($node, 'store');
    if (defined $options{restarted}) {
        $node->append_conf('postgresql.conf', $options{restarted});
        $node->restart;
    }
    create_truth($node, $store);
    my $shops = open_shops($node, $store);
    watch_rollup($node, $store) if $options{queries};
    is(columns_of($node, $store, 'revenue_metrics_live'), columns_of($node, $store, 'revenue_metrics'),
        "$mode: the live view has the table's columns");

    my $folder = PostgreSQL::Test::Utils::tempdir();
    my @children;
    for my $session (1 .. $writers) {
        srand($seed * 100 + $session);
        my $as_application = $session % 3 == 0;
        my $file = write_script("$folder/$session.sql", map {
            transaction($shops, session => $session, number => $_, as_application => $as_application,
                may_truncate => !$as_application && $_ < $transactions / 2)
        } 1 .. $transactions);
        push @children, start_psql($node, $store, $file, $as_application ? ('app_login', 'writer') : ('postgres', 'writer'));
    }
    my @maintaining;
    for my $session ($writers + 1 .. $writers + $operators) {
        srand($seed * 100 + $session);
        my $file = write_script("$folder/$session.sql", map { maintenance($shops, session => $session, number => $_) } 1 .. $transactions);
        push @maintaining, start_psql($node, $store, $file, 'postgres', 'operator', 'while');
    }

    my $seen = compare_while($node, $store, $shops, \%options, @children);
    unlink "$_->{file}.go" for @maintaining;
    wait_for_psql($mode, @children, @maintaining);
    is(join('', map { slurp_file($_->{file} . '.out') } @maintaining), '', "$mode: check_revenue_metrics() found nothing under load");
    cmp_ok($seen->{compared}, '>', 0, "$mode: compared $seen->{compared} times under load");
    is($seen->{differing}, '', "$mode: no difference at any moment");
    if ($options{wait}) { is($seen->{pending}, 0, "$mode: nothing is ever pending") }
    else { cmp_ok($seen->{pending}, '>', 0, "$mode: among that up to $seen->{pending} pending deltas") }

    check_end($node, $store, $shops, $mode, \%options);
    cmp_ok($node->safe_psql($store, 'SELECT count(*) FROM watched WHERE writes > 10'), '==', 3, "$mode: every table was written by queries")
      if $options{queries};
    check_errors($node, $mode);
    $node->stop;
    return;
}

# Sequences that count the statements on each table of the rollup, which waits for nobody.
sub watch_rollup {
    my ($node, $store) = @_;
    my @tables = qw(revenue_metrics revenue_customers revenue_deltas);
    $node->safe_psql($store, <<'SQL' . join '', map { <<"SQL" } @tables);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS
$$ BEGIN PERFORM nextval('watched_' || TG_TABLE_NAME); RETURN NULL; END $$;
SQL
CREATE SEQUENCE watched_$_;
CREATE TRIGGER watch AFTER INSERT OR UPDATE OR DELETE ON $_ FOR EACH STATEMENT EXECUTE FUNCTION watch();
SQL
    $node->safe_psql($store, 'CREATE VIEW watched AS ' . join ' UNION ALL ', map { "SELECT last_value AS writes FROM watched_$_" } @tables);
    return;
}

# Two shops in different time zones, with three users each.
sub open_shops {
    my ($node, $store) = @_;
    my @tenants = (
        add_tenant($node, $store, slug => 'riyadh', settings => '{"timezone": "Asia/Riyadh"}'),
        add_tenant($node, $store, slug => 'newyork', settings => '{"timezone": "America/New_York"}'));
    my %users = map {
        my $tenant = $_;
        ($tenant => [ split /\n/, $node->safe_psql($store,
            "INSERT INTO users (tenant_id, email) SELECT '$tenant', 'user' || i || '\@example.com' FROM generate_series(1, 3) AS i RETURNING id") ])
    } @tenants;
    return { tenants => \@tenants, users => \%users };
}

sub write_script {
    my ($file, @text) = @_;
    PostgreSQL::Test::Utils::append_to_file($file, join '', @text);
    return $file;
}

# start_psql(node, database, file, role, application_name, [while]): psql with that script in the background, its output
# beside it. while: again and again, as long as there is a file of that name with .go at its end.
sub start_psql {
    my ($node, $database, $file, $role, $name, $while) = @_;
    my $connection = $node->connstr($database) . " user=$role application_name=$name";
    my $psql = "psql -X -q -A -t -d '$connection' -f '$file' >>'$file.out' 2>>'$file.err'";
    PostgreSQL::Test::Utils::append_to_file("$file.go", '') if $while;
    my $child = fork // die $!;
    if (!$child) {
        exec $while ? "while [ -e '$file.go' ]; do $psql || exit; done" : $psql or POSIX::_exit(127);
    }
    return { pid => $child, file => $file };
}

# wait_for_psql(name, children...): each has run its script to the end.
sub wait_for_psql {
    my ($name, @children) = @_;
    my @failed;
    for my $child (@children) {
        waitpid $child->{pid}, 0 if !defined $child->{status};
        $child->{status} //= $?;
        push @failed, "$child->{file}: $child->{status}" if $child->{status} != 0;
    }
    is("@failed", '', "$name: every session ran its whole script");
    return;
}

# Compares until the children have ended: all tenants, one tenant as the application, a plan with parallel workers, and
# a snapshot that is kept. Returns how often, what was different, and the most deltas that were pending.
sub compare_while {
    my ($node, $store, $shops, $options, @children) = @_;
    my %seen = (compared => 0, differing => '', pending => 0);
    my $parallel = 'SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;';
    while (grep { !defined $_->{status} } @children) {
        for my $child (grep { !defined $_->{status} } @children) {
            $child->{status} = $? if waitpid($child->{pid}, POSIX::WNOHANG()) == $child->{pid};
        }
        my $turn = $seen{compared}++ % 4;
        my $difference = $turn == 0 ? live_differences_held($node, $store, 0.1)
          : $turn == 1 ? live_differences_in_tenant($node, $store, one_of(@{ $shops->{tenants} }))
          : $turn == 2 ? live_differences($node, $store, $parallel)
          :              live_differences($node, $store);
        $difference .= stored_differences($node, $store) if $options->{wait};
        $seen{differing} .= "turn $turn: $difference\n" if $difference ne '';
        my $pending = pending_deltas($node, $store);
        $seen{pending} = $pending if $pending > $seen{pending};
    }
    return \%seen;
}

sub check_end {
    my ($node, $store, $shops, $mode, $options) = @_;
    if ($options->{folded}) {
        ok($node->poll_query_until($store, 'SELECT NOT EXISTS (SELECT FROM revenue_deltas)'), "$mode: what was pending was folded")
          or diag($node->safe_psql($store, 'SELECT * FROM revenue_deltas LIMIT 20'));
    }
    my $folded = $node->safe_psql($store, 'SELECT fold_revenue_deltas()');
    note "$mode: $folded deltas folded at the end";
    is($node->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '0', "$mode: no delta is left");
    is(stored_differences($node, $store), '', "$mode: the table equals the recomputation");
    is(live_differences($node, $store), '', "$mode: so does the live view");
    is($node->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', "$mode: check_revenue_metrics() finds nothing");
    is($node->safe_psql($store, 'SELECT sum(rebuild_revenue_metrics(id)) FROM tenants'), '0', "$mode: a rebuild changes nothing");
    is($node->safe_psql($store, 'SELECT count(*) FROM revenue_customers WHERE order_count <= 0'), '0', "$mode: no customer without orders");
    cmp_ok($node->safe_psql($store, 'SELECT count(*) FROM revenue_metrics WHERE refunded_amount > 0'), '>', 2,
        "$mode: refunds were among what was compared");

    # The document's order-analytics query, with the session's time zone set to the tenant's.
    for my $tenant (@{ $shops->{tenants} }) {
        my $zone = $node->safe_psql($store, "SELECT settings ->> 'timezone' FROM tenants WHERE id = '$tenant'");
        my $document = $node->safe_psql($store, <<"SQL");
SET timezone = '$zone';
SELECT
    DATE(created_at) as date,
    COUNT(*) as order_count,
    SUM(total) as total_revenue,
    round(AVG(total), 2) as average_order_value
FROM orders
WHERE tenant_id = '$tenant'
    AND created_at >= '2026-03-01'
    AND created_at <= '2026-03-31'
GROUP BY DATE(created_at)
ORDER BY date;
SQL
        my $rollup = $node->safe_psql($store, <<"SQL");
SELECT date, sum(order_count), sum(total_revenue), round(sum(total_revenue) / sum(order_count), 2)
FROM revenue_metrics WHERE tenant_id = '$tenant' AND date >= '2026-03-01' GROUP BY date ORDER BY date
SQL
        isnt($document, '', "$mode, $zone: there are orders");
        is($rollup, $document, "$mode, $zone: the rollup gives what the document's query gives");
    }
    return;
}

# Which errors there were, by state and message, and by the client and statement that got them.
sub check_errors {
    my ($node, $mode) = @_;
    my (%errors, %last);
    my $log = slurp_file($node->logfile);
    for my $line (split /\n/, $log) {
        if ($line =~ /^(\w{5}) (.*) \[(\d+)\] (?:ERROR|FATAL|PANIC):  (.*)/) {
            my ($state, $client, $pid, $message) = ($1, $2, $3, $4);
            $message =~ s/"[sm]\d+_\d+"/"..."/;
            ++$errors{"$state $message"}{"$client: ?"};
            $last{$pid} = [ "$state $message", $client ];
        } elsif ($line =~ /^\w{5} .* \[(\d+)\] STATEMENT:  (\w+)/ && $last{$1}) {
            my ($kind, $client) = @{ delete $last{$1} };
            --$errors{$kind}{"$client: ?"} or delete $errors{$kind}{"$client: ?"};
            ++$errors{$kind}{"$client: $2"};
        }
    }
    for my $kind (sort keys %errors) {
        note "$kind: ", join ', ', map { "$_ $errors{$kind}{$_}" } sort keys %{ $errors{$kind} };
    }
    is(join(' ', grep { /^40P01/ } keys %errors), '', "$mode: no deadlock")
      or diag("seed $seed\n", $log =~ /^(40P01 .*\n(?:\t.*\n)*)/mg);
    # Autovacuum makes way for whoever waits for its lock.
    delete $errors{'57014 canceling autovacuum task'};
    my @of_operators = grep { my $e = $errors{$_}; grep { !/^writer/ } keys %$e } grep { !/^57P0/ } keys %errors;
    # A snapshot of SERIALIZABLE may be told so at any statement, an operator's too.
    is(join("\n", grep { !/^40001 could not serialize access due to read\/write dep|^25P02|^42704 prepared transaction/ } @of_operators), '',
        "$mode: no error for operators, readers and workers");
    # What follows from an earlier error in the transaction, and what transactions at SERIALIZABLE give one another.
    my $usual = qr/^(25P02|42704 prepared transaction|3B001 savepoint|40001 could not serialize access due to read\/write dep)/;
    my @at_the_end = grep { my $e = $errors{$_}; grep { /COMMIT|PREPARE/i } keys %$e } keys %errors;
    is(join("\n", grep { !/$usual|^40001 the tenant's time zone changed/ } @at_the_end), '', "$mode: no commit failed for the rollup");
    # The foreign key refuses to move an order to another tenant together with its payments where REPEATABLE READ does not
    # see one of them.
    my @strange = grep {
        !/$usual|^40001 could not serialize access due to concurrent (update|delete)|^40001 the tenant's time zone changed/
          && !/^23503 .*"payments_order_id_fkey"/ && !/^57P0/
    } keys %errors;
    is(join("\n", @strange), '', "$mode: no error but those that concurrent writers of the same orders give one another");
    return;
}

1;
