# Maintenance on servers of its own: pg_cron calls it, statements are counted, a run that is stopped goes on, and the
# role that operators have sees what they are promised.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $library = `pg_config --pkglibdir`;
chomp $library;
my $has_cron = -e "$library/pg_cron.so";
my $has_statements = -e "$library/pg_stat_statements.so";
my @preload = (($has_statements ? 'pg_stat_statements' : ()), ($has_cron ? 'pg_cron' : ()));

my $node = new_cluster('operations', start => 0);
$node->append_conf('postgresql.conf', 'shared_preload_libraries = ' . "'" . join(',', @preload) . "'");
$node->append_conf('postgresql.conf', "cron.database_name = 'shop'\ncron.host = '" . $node->host . "'\ncron.timezone = 'UTC'") if $has_cron;
$node->start;
my $shop = create_store($node, 'shop', schema => 'the shop');
my $set = 'SET search_path = "the shop";';
$node->safe_psql($shop, 'CREATE ROLE support LOGIN IN ROLE brainsait_operator');
my $tenant = add_tenant($node, $shop, slug => 'riyadh', schema => 'the shop');

sub becomes {
    my ($query, $wanted, $seconds, $name) = @_;
    my $found;
    for (1 .. $seconds * 5) {
        $found = $node->safe_psql($shop, "$set $query");
        last if $found eq $wanted;
        select undef, undef, undef, 0.2;
    }
    return is($found, $wanted, $name);
}

# Without pg_cron in the database
my ($out, $err, $state) = run_as($node, 'postgres', 'support', 'SELECT 1');
create_store($node, 'plain');
for my $call ('schedule_maintenance()', 'unschedule_maintenance()') {
    ($out, $err, $state) = run_as($node, 'plain', 'support', "SELECT $call");
    is($state, '55000', "$call without pg_cron");
    like($err, qr/pg_cron is not installed in database plain/, 'the error says what is missing');
    like($err, qr/HINT:.*postgresql-\d+-cron.*cron\.database_name = 'plain'.*CREATE EXTENSION pg_cron/s, 'and how it is brought');
}

SKIP: {
    skip 'pg_stat_statements is not installed', 3 unless $has_statements;
    $node->safe_psql($shop, 'CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()');
    $node->safe_psql($shop, 'SELECT pg_sleep(0.2)') for 1 .. 2;
    $node->safe_psql('plain', 'SELECT pg_sleep(0.1) AS elsewhere');
    ($out, $err, $state) = run_as($node, $shop, 'support', "$set SELECT query, mean_time >= 200 AND total_time >= 400, calls FROM slow_queries LIMIT 1");
    is($out, 'SELECT pg_sleep($1)|t|2', 'an operator reads the slowest statement of another role');
    ($out) = run_as($node, $shop, 'support', "$set SELECT count(*) FROM slow_queries WHERE query ~ 'elsewhere'");
    is($out, '0', 'statements of other databases are left out');
    $out = $node->safe_psql($shop, "$set SELECT count(*) FROM slow_queries s, public.pg_stat_statements p WHERE s.query = p.query
        AND p.query = 'SELECT pg_sleep(\$1)' AND s.mean_time = p.mean_exec_time AND s.total_time = p.total_exec_time AND s.calls = p.calls");
    is($out, '1', 'the times are those that were counted');
}

# What an operator sees of other sessions
my $session = open_session($node, $shop, 'app_login');
$session->query("SET application_name = 'checkout'");
($out) = run_as($node, $shop, 'support', "$set SELECT connections, state FROM connection_activity WHERE application_name = 'checkout'");
is($out, '1|idle', "another role's session");
$session->quit;

# A run that is stopped in its middle; the statement's time limit is the stop.
$node->safe_psql($shop, "$set INSERT INTO orders (tenant_id, number, status, total, created_at)
    SELECT '$tenant', n, 'completed', 1, now() - interval '3 years' - n * interval '1 second' FROM generate_series(1, 20000) AS n");
my $revenue = $node->safe_psql($shop, "$set SELECT sum(total_revenue), sum(order_count), sum(paid_revenue) FROM revenue_metrics_live");
my $stopped = '';
for my $limit (150, 300, 600, 1200) {
    ($out, $err, $stopped) = run_as($node, $shop, 'support', "$set SET statement_timeout = $limit; CALL archive_orders();");
    last if $node->safe_psql($shop, "$set SELECT count(*) > 0 FROM orders WHERE status = 'archived'") eq 't';
}
is($stopped, '57014', 'a run is stopped');
my $first = $node->safe_psql($shop, "$set SELECT count(*) FROM orders WHERE status = 'archived'");
cmp_ok($first, '<', 20000, "after $first orders");
is($first % 1000, 0, 'which are whole batches');
like($err, qr/archive_orders: \d+ of \d+ orders/, 'it told how far it was');
is($node->safe_psql($shop, "$set SELECT rows_done, done, outcome FROM maintenance_runs WHERE rows_done > 0"), "$first|$first|running", 'the run has its row');
($out, $err, $state) = run_as($node, $shop, 'support', "$set CALL archive_orders();");
is($state, '', 'the next one does the rest');
is($node->safe_psql($shop, "$set SELECT count(*) FROM orders WHERE status = 'archived'"), '20000', 'every order is archived');
is($node->safe_psql($shop, "$set SELECT sum(rows_done), count(*) FILTER (WHERE outcome = 'running'), count(*) FILTER (WHERE outcome = 'done') FROM maintenance_runs"),
    '20000|0|1', 'each of them once');
is($node->safe_psql($shop, "$set SELECT sum(total_revenue), sum(order_count), sum(paid_revenue) FROM revenue_metrics_live"), $revenue, 'their revenue stays');
is($node->safe_psql($shop, "$set SELECT * FROM check_revenue_metrics()"), '', 'and is what orders give');

# A delta that waits while a worker is there to fold it
$node->safe_psql('plain', "INSERT INTO tenants (name, slug) VALUES ('A', 'a')");
$node->safe_psql('plain', "BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO orders (tenant_id, total) SELECT id, 1 FROM tenants; COMMIT");
$node->poll_query_until('plain', "SELECT status = 'ok' AND detail = 'runs' FROM health_check() WHERE check_name = 'rollup worker'");
is($node->safe_psql('plain', "SELECT string_agg(DISTINCT status, ' ') FROM health_check()"), 'ok', 'all is well, and the worker is seen');

SKIP: {
    skip 'pg_cron is not installed (Debian: postgresql-' . ($node->safe_psql($shop, 'SHOW server_version_num') =~ s/\d{4}$//r) . '-cron)', 9 unless $has_cron;
    $node->safe_psql($shop, "$set CREATE EXTENSION pg_cron SCHEMA pg_catalog; GRANT USAGE ON SCHEMA cron TO brainsait_operator; DELETE FROM maintenance_runs");
    ($out, $err, $state) = run_as($node, $shop, 'app_login', "$set SELECT schedule_maintenance()");
    is($state, '42501', 'the application schedules nothing');
    ($out, $err, $state) = run_as($node, $shop, 'support', "$set SELECT schedule_maintenance('never')");
    isnt($state, '', 'a schedule that pg_cron does not know is refused');
    # Before the job is there, which may run at once.
    $node->safe_psql($shop, "$set INSERT INTO orders (tenant_id, number, status, total, created_at) VALUES ('$tenant', 'late', 'completed', 1, now() - interval '3 years')");
    ($out, $err, $state) = run_as($node, $shop, 'support', "$set SELECT schedule_maintenance() = schedule_maintenance('* * * * *')");
    is("$out$state", 't', 'a job is made, and changed');
    is($node->safe_psql($shop, 'SELECT schedule, command, username, database FROM cron.job'),
        '* * * * *|CALL "the shop".run_maintenance()|support|shop', 'which is what was asked for');
    becomes("SELECT string_agg(task || ' ' || outcome, ', ' ORDER BY started_at) FROM (SELECT * FROM maintenance_runs ORDER BY started_at LIMIT 4) first_four",
        'purge_analytics_events done, purge_webhook_deliveries done, drain_default_partitions done, archive_orders done', 150, 'pg_cron runs it');
    is($node->safe_psql($shop, "$set SELECT status FROM orders WHERE number = 'late'"), 'archived', 'which archives');
    becomes("SELECT status FROM cron.job_run_details ORDER BY runid LIMIT 1", 'succeeded', 10, 'and pg_cron found no error');
    ($out, $err, $state) = run_as($node, $shop, 'support', "$set SELECT unschedule_maintenance(), unschedule_maintenance()");
    is("$out$state", 't|f', 'it is taken away, once');
    is($node->safe_psql($shop, 'SELECT count(*) FROM cron.job'), '0', 'no job is left');
}

$node->stop;
done_testing();
