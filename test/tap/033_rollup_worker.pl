# The background worker that folds the rollup's deltas: when it starts, that it is alone, what it survives, and
# that nobody ever waits for it to leave a database.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = new_cluster('worker', conf => "fsync = off\nbrainsait.rollup_naptime = 100ms\nbrainsait.rollup_idle_exit = 1h\n");
my $log_start = 0;
my %tenant;

sub new_store {
    my ($name) = @_;
    create_store($node, $name);
    $tenant{$name} = add_tenant($node, $name, slug => 'riyadh');
    return $name;
}

# An order whose change of the rollup is appended: REPEATABLE READ never writes the rollup's rows.
sub append {
    my ($store, $end) = @_;
    $end //= 'COMMIT';
    my ($out, $err, $state) = run_as($node, $store, 'app_login',
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT set_tenant('$tenant{$store}') \\g /dev/null\n"
          . "INSERT INTO orders (total) VALUES (10); $end");
    is($state, '', "an order is placed in $store") or diag $err;
    return;
}

# Workers of a database, by process.
sub workers {
    my ($store) = @_;
    return split /\n/, $node->safe_psql('postgres',
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'brainsait rollup worker' AND datname = '$store' ORDER BY 1");
}

# Seconds until the query gives the answer in the database; fails the test after so many.
sub answers_within {
    my ($seconds, $database, $query, $name, $answer) = @_;
    $answer //= 't';
    my $start = time;
    my $found = '';
    while (time - $start < $seconds) {
        $found = $node->safe_psql($database, $query);
        last if $found eq $answer;
        sleep 0.05;
    }
    my $took = time - $start;
    is($found, $answer, sprintf '%s (%.2f s)', $name, $took) or diag $node->safe_psql('postgres', 'SELECT pid, datname, state, wait_event, query FROM pg_stat_activity');
    return $took;
}

my $nothing_pending = 'SELECT NOT EXISTS (SELECT FROM revenue_deltas)';

sub worker_count {
    my ($store) = @_;
    return "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'brainsait rollup worker' AND datname = '$store'";
}

sub folded {
    my ($store, $name, $seconds) = @_;
    answers_within($seconds // 10, $store, $nothing_pending, $name);
    is($node->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', 'and the rollup is right');
    is($node->safe_psql($store, 'SELECT order_count FROM revenue_metrics'), $node->safe_psql($store, 'SELECT count(*) FROM orders'),
        'in its table itself');
    return;
}

sub set_and_reload {
    my ($line) = @_;
    $node->append_conf('postgresql.conf', "$line\n");
    $node->reload;
    return;
}

# What the log has said since the last call that matches.
sub said {
    my ($pattern) = @_;
    my $log = slurp_file($node->logfile, $log_start);
    return grep { /$pattern/ } split /\n/, $log;
}

sub statement_takes_at_most {
    my ($seconds, $sql, $name) = @_;
    my $start = time;
    my ($out, $err, $state) = run_as($node, 'postgres', $node->safe_psql('postgres', 'SELECT current_user'), $sql);
    my $took = time - $start;
    is($state, '', sprintf '%s (%.2f s)', $name, $took) or diag $err;
    cmp_ok($took, '<', $seconds, 'soon');
    return;
}

# 1. On first need, one for each database.
my $store = new_store('first');
my $other = new_store('second');
is(join(' ', workers($store), workers($other)), '', 'no worker before there is something to fold');
my ($out, $err, $state) = run_in_tenant($node, $store, $tenant{$store}, 'INSERT INTO orders (total) VALUES (1)');
is(join(' ', workers($store)), '', 'nor after an order that wrote its row itself') or diag $err;
append($store);
folded($store, 'a delta is folded');
is(scalar(workers($store)), 1, 'by a worker');
is($node->safe_psql('postgres', "SELECT application_name FROM pg_stat_activity WHERE pid = " . (workers($store))[0]),
    'brainsait rollup worker', 'which says what it is');
is(join(' ', workers($other)), '', 'in this database');
append($other);
folded($other, 'a second database');
is(join(' ', scalar(workers($store)), scalar(workers($other))), '1 1', 'each has one');

# 2. Under load there is one still, and the live view is right in every snapshot.
my ($before) = workers($store);
my $script = $node->basedir . '/append.sql';
append_to_file($script, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT set_tenant('$tenant{$store}');\n"
      . "INSERT INTO orders (total) VALUES (10);\nCOMMIT;\n");
$node->command_ok([ 'pgbench', '-n', '-U', 'app_login', '-c', 8, '-j', 2, '-t', 100, '-f', $script, $store ], 'load');
folded($store, 'folded after the load');
is(join(' ', workers($store)), $before, 'by the same worker');

# 3. Killed, it comes back although nobody writes.
$node->safe_psql('postgres', "SELECT pg_terminate_backend($before)");
append($other);
answers_within(30, 'postgres', "SELECT count(*) = 1 AND min(pid) <> $before FROM pg_stat_activity WHERE backend_type = 'brainsait rollup worker' AND datname = '$store'",
    'killed, another one comes');
$before = (workers($other))[0];
$node->safe_psql('postgres', "SELECT pg_terminate_backend($before)");
answers_within(5, 'postgres', worker_count($other), 'killed again', 0);
append($other);
folded($other, 'who appends gets one at once', 5);

# 4. An error in the fold: reported, and tried again; whoever repairs the cause need do nothing else.
$before = join ' ', workers($store);
$log_start = -s $node->logfile;
$node->safe_psql($store, <<'SQL');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not today'; END$$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON revenue_metrics FOR EACH ROW EXECUTE FUNCTION refuse();
SQL
append($store);
my $is_refused = time;
sleep 0.1 until said(qr/ERROR:  not today/) || time - $is_refused > 10;
append($store) for 1 .. 3;
is($node->safe_psql($store, 'SELECT order_count - (SELECT count(*) FROM orders) FROM revenue_metrics_live'), '0', 'a failing trigger: the live view is right');
is(scalar(said(qr/ERROR:  not today/)), 1, 'the error is reported, and nothing hurries to meet it again');
is(join(' ', workers($store)), $before, 'the worker is there still');
$node->safe_psql($store, 'DROP TRIGGER refuse ON revenue_metrics');
folded($store, 'the trigger gone, all is folded', 20);
is(join(' ', workers($store)), $before, 'by the same worker');

# 5. Triggers that members of the tables' owner may put on the rollup do not run as the worker's superuser.
$node->safe_psql($store, <<'SQL');
CREATE TABLE seen (who text, session text);
GRANT INSERT ON seen TO PUBLIC;
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.seen VALUES (current_user, session_user); RETURN NULL; END$$;
CREATE FUNCTION become() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; RETURN NULL; EXCEPTION WHEN OTHERS THEN INSERT INTO public.seen VALUES (current_user, SQLSTATE); RETURN NULL; END$$;
CREATE TRIGGER now AFTER INSERT OR UPDATE ON revenue_metrics FOR EACH ROW EXECUTE FUNCTION look();
CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE ON revenue_metrics DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look();
CREATE CONSTRAINT TRIGGER become AFTER INSERT OR UPDATE ON revenue_metrics DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION become();
SQL
append($store);
folded($store, 'triggers on the rollup: folded');
is($node->safe_psql($store, 'SELECT count(*) >= 3, string_agg(DISTINCT who, $$ $$) FROM seen'), 't|brainsait_owner', 'they run as the owner of the tables');
is($node->safe_psql($store, 'SELECT count(*) > 0 FROM seen WHERE session = $$42501$$ OR session = $$55000$$ OR session ~ $$^[0-9]$$'), 't', 'and cannot become the superuser');
$node->safe_psql($store, 'DROP TRIGGER now ON revenue_metrics; DROP TRIGGER later ON revenue_metrics; DROP TRIGGER become ON revenue_metrics');

# 6. Idle, it leaves; but not while somebody has a delta that may come yet.
append($other, "PREPARE TRANSACTION 'late'");
set_and_reload('brainsait.rollup_idle_exit = 1s');
answers_within(15, 'postgres', worker_count($store), 'idle, it leaves', 0);
sleep 2;
is(scalar(workers($other)), 1, 'not while a prepared transaction has appended');
set_and_reload('brainsait.rollup_idle_exit = 1h');
$node->safe_psql($other, "COMMIT PREPARED 'late'");
folded($other, 'committed long after, the delta is folded');
append($store);
folded($store, 'after idleness the next delta brings a worker');

# A prepared transaction keeps the row that it wrote. The worker folds what it can meanwhile.
my $second = add_tenant($node, $other, slug => 'second');
($out, $err, $state) = run_as($node, $other, 'app_login',
    "BEGIN; SELECT set_tenant('$tenant{$other}') \\g /dev/null\nINSERT INTO orders (total) VALUES (7); PREPARE TRANSACTION 'keeps'");
is($state, '', 'a prepared transaction keeps a row of the rollup') or diag $err;
append($other);
($out, $err, $state) = run_as($node, $other, 'app_login',
    "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT set_tenant('$second') \\g /dev/null\nINSERT INTO orders (total) VALUES (3); COMMIT");
answers_within(5, $other, "SELECT NOT EXISTS (SELECT FROM revenue_deltas WHERE tenant_id = '$second')", "another tenant's delta is folded");
is($node->safe_psql($other, 'SELECT count(*) FROM revenue_deltas'), '1', 'the one for that row waits');
is($node->safe_psql($other, 'SELECT * FROM check_revenue_metrics()'), '', 'and the live view is right');
$node->safe_psql($other, "COMMIT PREPARED 'keeps'");
answers_within(5, $other, $nothing_pending, 'until the transaction has ended');
is($node->safe_psql($other, 'SELECT * FROM check_revenue_metrics()'), '', 'and the rollup is right');
$node->safe_psql($other, "DELETE FROM tenants WHERE id = '$second'");

# 7. naptime, read again.
set_and_reload('brainsait.rollup_naptime = 1h');
sleep 0.5;
append($store);
append($store);
sleep 2;
cmp_ok($node->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '>=', 1, 'an hour between two passes: deltas wait');
is($node->safe_psql($store, 'SELECT order_count - (SELECT count(*) FROM orders) FROM revenue_metrics_live'), '0', 'and the live view is right');
set_and_reload('brainsait.rollup_naptime = 100ms');
folded($store, 'a shorter one is heard of at once', 3);
set_and_reload('brainsait.rollup_naptime = 0');
answers_within(5, 'postgres', worker_count($store), '0: no worker', 0);
append($store);
sleep 0.5;
is(join(' ', workers($store)), '', 'whoever appends starts none');
is($node->safe_psql($store, 'SELECT count(*) FROM revenue_deltas'), '1', 'the delta waits');
run_in_tenant($node, $store, $tenant{$store}, 'INSERT INTO orders (total) VALUES (1)');
folded($store, 'for the next that writes the row', 1);
append($store);
cmp_ok($node->safe_psql($store, 'SELECT fold_revenue_deltas()'), '>=', 1, 'or for fold_revenue_deltas()');
folded($store, 'which folds it', 1);
set_and_reload('brainsait.rollup_naptime = 100ms');

# 8. Nobody waits for a worker to leave a database.
for my $database ($store, $other) {
    append($database);
    folded($database, "a worker in $database");
    is(scalar(workers($database)), 1, 'is there');
}
# The worker sleeps long now, but never deeply.
set_and_reload('brainsait.rollup_naptime = 1h');
sleep 0.5;
statement_takes_at_most(5, "CREATE DATABASE copy TEMPLATE $store", 'CREATE DATABASE ... TEMPLATE');
set_and_reload('brainsait.rollup_naptime = 100ms');
$tenant{copy} = $tenant{$store};
append('copy');
folded('copy', 'the copy folds its own');
set_and_reload('brainsait.rollup_naptime = 1h');
sleep 0.5;
statement_takes_at_most(5, 'DROP DATABASE copy', 'DROP DATABASE');
append($store) if !workers($store);
answers_within(15, 'postgres', worker_count($store), 'the template has its worker again', 1);
statement_takes_at_most(5, "ALTER DATABASE $store RENAME TO renamed", 'ALTER DATABASE ... RENAME');
set_and_reload('brainsait.rollup_naptime = 100ms');
$tenant{renamed} = $tenant{$store};
$store = 'renamed';
answers_within(20, 'postgres', worker_count($store), 'the renamed database has its worker again', 1);
append($store);
folded($store, 'which folds');
statement_takes_at_most(5, "DROP DATABASE $other WITH (FORCE)", 'DROP DATABASE ... WITH (FORCE)');

# 9. The extension goes, and comes again.
$node->safe_psql($store, 'DROP EXTENSION brainsait CASCADE');
answers_within(5, 'postgres', worker_count($store), 'DROP EXTENSION: the worker leaves', 0);
$node->safe_psql($store, 'CREATE EXTENSION brainsait');
append($store);
folded($store, 'CREATE EXTENSION: it comes again');
$node->safe_psql('postgres', 'CREATE DATABASE third');
$node->safe_psql('third', 'CREATE SCHEMA shop; CREATE EXTENSION brainsait SCHEMA shop');
$node->safe_psql('postgres', 'ALTER ROLE app_login IN DATABASE third SET search_path = shop; ALTER DATABASE third SET search_path = shop');
$tenant{third} = add_tenant($node, 'third', slug => 'riyadh');
append('third');
folded('third', 'a store in a schema of its own');
$node->safe_psql('third', 'DROP SCHEMA shop CASCADE');
answers_within(5, 'postgres', worker_count('third'), 'DROP SCHEMA: the worker leaves', 0);

# 10. The whole server.
sleep 11; # what was to be started again after a dropped database has been, and found nothing
is(join("\n", grep { !/not today/ } said(qr/(?:ERROR|FATAL|PANIC): /)), '', 'nothing of all this was an error to anybody');
is(scalar(workers($store)), 1, 'a worker is there');
my $start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'it does not hold up a fast shutdown');
is(join("\n", grep { !/not today/ } said(qr/(?:FATAL|PANIC): /)), '', 'which it leaves quietly');
$node->start;
append($store);
folded($store, 'started again, the next delta brings a worker');
my ($pid) = workers($store);
$node->stop('immediate');
$node->start;
append($store);
folded($store, 'so it does after a crash');
$node->stop;

done_testing();
