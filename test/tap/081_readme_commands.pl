# The README's commands for the DBA, each as it stands there: install, roles, pooling, backup, restore, replicas, retention, monitoring,
# upgrade, uninstall. What is replaced in them is where servers and folders are. A command that nobody runs here fails the test.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use ReadmeCommands;
use RealClients;
use StoreCluster;
use StoreRows;
use StoreWhole;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = ReadmeCommands->new('In an application', 'For the DBA', qr/^Backup, restore/, 'Upgrade');
my $folder = PostgreSQL::Test::Utils::tempdir_short();
mkdir "$folder/archive" or die "$folder/archive: $!";
my $library = `pg_config --pkglibdir` =~ s/\n//r;
my $bindir = `pg_config --bindir` =~ s/\n//r;
my $has_cron = -e "$library/pg_cron.so";
my $has_statements = -e "$library/pg_stat_statements.so";

# A command with the places that the README writes of put where they are here.
sub here {
    my ($text) = @_;
    return $text =~ s{/backup/archive}{$folder/archive}gr;
}

# Runs a shell command in the folder, with a server as PGHOST and PGPORT name it; it must succeed. Returns what it printed.
sub shell {
    my ($node, $command, $name, %environment) = @_;
    local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, %environment);
    delete @ENV{ grep { !defined $ENV{$_} } keys %environment };
    my ($out, $said);
    my $succeeded = IPC::Run::run([ 'bash', '-euc', $command ], '>', \$out, '2>', \$said,
        init => sub { chdir $folder or die "$folder: $!" }, IPC::Run::timeout(120));
    ok($succeeded, $name) or diag "$command: $said";
    return $out;
}

sub sql {
    my ($node, $database, $role, $text, $name) = @_;
    my ($out, $err, $state) = run_as($node, $database, $role, $text);
    is($state, '', $name) or diag "$text: $err";
    return $out;
}

my $primary = new_cluster('primary', streaming => 1, start => 0, conf => join "\n", 'fsync = off', 'brainsait.rollup_naptime = 0',
    (map { here($readme->inline($_)) } 'archive_mode = ', 'archive_command = ', 'wal_level = replica', 'wal_level = logical'), '');
$primary->start;
my $super = $primary->safe_psql('postgres', 'SELECT current_user');

# 1. Install, and roles.
$primary->safe_psql('postgres', 'CREATE DATABASE shop');
sql($primary, 'shop', $super, $readme->inline('CREATE EXTENSION brainsait'), 'install');
sql($primary, 'shop', $super, $readme->block('CREATE ROLE shop_app'), 'roles of the application and of migrations');
sql($primary, 'shop', $super, $readme->block('CREATE ROLE shop_operator'), 'the role for maintenance');
is($primary->safe_psql('shop', q{SELECT string_agg(r, ' ') FROM (VALUES ('shop_app'), ('shop_migrations'), ('shop_operator')) AS roles (r)
    WHERE pg_has_role(r, CASE r WHEN 'shop_app' THEN 'brainsait_app' WHEN 'shop_operator' THEN 'brainsait_operator' ELSE 'brainsait_owner' END, 'USAGE')}),
    'shop_app shop_migrations shop_operator', 'each is what it is to be');
fill_store($primary, 'shop', 'public');
$primary->safe_psql('shop', 'DELETE FROM maintenance_runs');
is(sql($primary, 'shop', 'shop_app', 'SELECT count(*) FROM orders', 'the application logs in'), '0', 'and is walled');
$primary->safe_psql('shop', 'CREATE TABLE my_table (id int, tenant_id uuid); ALTER TABLE my_table OWNER TO brainsait_owner');
like($primary->safe_psql('shop', 'SELECT * FROM isolation_report()'), qr/my_table/, 'a migration forgot the wall of a table');
sql($primary, 'shop', 'shop_migrations', $readme->inline('SELECT isolate_table('), 'and puts it up');
is($primary->safe_psql('shop', 'SELECT * FROM isolation_report(); DROP TABLE my_table'), '', 'no hole is left');

# 2. Pooling: the listener of SQLAlchemy, over a single connection of PgBouncer's.
my $listener = $readme->block('@event.listens_for(Session, "after_begin")');
my $reconnect = $readme->inline('RECONNECT');
SKIP: {
    my $missing = missing('sqlalchemy', 'pgbouncer');
    skip $missing, 3 if $missing;
    my $pooler = start_pgbouncer($primary, pool_size => 1, logins => ['shop_app']);
    my $python = python('psycopg2', 'sqlalchemy');
    append_to_file("$folder/pool.py", <<"PYTHON");
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session
tenant = None
def current_request_tenant():
    return tenant
$listener
engine = create_engine("postgresql+psycopg2://shop_app\@/shop?host=$pooler->{host}&port=$pooler->{port}")
for tenant in ("$tenant_a", "$tenant_b"):
    with Session(engine) as session:
        print(session.execute(text("SELECT slug FROM tenants")).scalars().all())
PYTHON
    is(shell($primary, "$python pool.py", 'SQLAlchemy behind a pooler'), "['riyadh']\n['cairo']\n", 'each request sees its tenant');
    shell($primary, 'psql -c ' . $reconnect, 'the pooler connects anew', PGHOST => $pooler->{host}, PGPORT => $pooler->{port}, PGUSER => 'postgres', PGDATABASE => 'pgbouncer');
}

# 3. Retention, and whether all is well.
my $own_ages = $readme->inline('CALL run_maintenance(');
is($primary->safe_psql('shop', q{SELECT count(*) FROM analytics_events WHERE "timestamp" < now() - interval '2 years'}), '2', 'events are due');
sql($primary, 'shop', 'shop_operator', $own_ages, 'retention with ages of one\'s own');
is($primary->safe_psql('shop', q{SELECT count(*) FROM analytics_events WHERE "timestamp" < now() - interval '2 years'}), '0', 'they are gone');
is($primary->safe_psql('shop', q{SELECT string_agg(older_than::text, ', ' ORDER BY started_at) FROM maintenance_runs}), '2 years, 30 days, 5 years', 'by those ages');
shell($primary, $readme->inline("psql -c 'CALL run_maintenance()'"), 'retention by another scheduler', PGUSER => 'shop_operator', PGDATABASE => 'shop');
is($primary->safe_psql('shop', q{SELECT count(*) FROM maintenance_runs WHERE outcome = 'done'}), '8', 'ran');
my $health = $readme->block('SELECT check_name, status');
is(sql($primary, 'shop', 'shop_operator', $health, 'health'), '', 'all is well');
$primary->safe_psql('shop', q{INSERT INTO analytics_events (tenant_id, event_type, "timestamp") SELECT id, 'x', now() + interval '9 months' FROM tenants LIMIT 1});
like(sql($primary, 'shop', 'shop_operator', $health, 'health'), qr/^default partition of analytics_events\|warn\|1 rows\|CALL drain/, 'what is not well is told');
$primary->safe_psql('shop', 'CALL drain_default_partitions()');

# 4. Dumps.
my $rows = table_rows($primary, 'shop', 'public');
my $checks = $readme->block('SELECT * FROM check_revenue_metrics();');
sub restored {
    my ($node, $database, $name, @except) = @_;
    same_rows(table_rows($node, $database, 'public'), $rows, "$name: every row", except => \@except);
    is(sql($node, $database, $super, $checks, "$name: the checks"), '', "$name: find nothing");
    return;
}
shell($primary, $readme->block('pg_dumpall --roles-only'), 'roles and a dump');
like(slurp_file("$folder/roles.sql"), qr/CREATE ROLE shop_app/, 'the roles are there');
shell($primary, $readme->block('createdb shop_again'), 'restore');
restored($primary, 'shop_again', 'restore');
shell($primary, $readme->inline('pg_dump shop > shop.sql'), 'a plain dump');
shell($primary, 'createdb shop_plain', 'a database');
shell($primary, $readme->inline('psql -f shop.sql'), 'restore of a plain dump', PGDATABASE => 'shop_plain');
restored($primary, 'shop_plain', 'plain');
shell($primary, $readme->block('pg_dump --data-only'), 'rows alone');
restored($primary, 'shop_of_rows', 'rows alone');
$primary->safe_psql('shop_again', 'TRUNCATE orders, order_items, payments');
my $alone = $readme->inline('pg_restore --data-only -t orders') =~ s/-d shop /-d shop_again /r;
shell($primary, $alone =~ s/-t orders/-t $_/r, "$_ alone") for qw(orders order_items payments);
# What the rollup's rows are called is new; endpoints are told of what came.
restored($primary, 'shop_again', 'lost tables', grep { /^revenue_|^webhook_deliveries$/ } keys %$rows);

# 5. Point in time: to between two orders.
shell($primary, $readme->block('pg_basebackup'), 'a base backup');
my $order = "INSERT INTO orders (tenant_id, total) VALUES ('$tenant_b', 77) RETURNING number";
my $first = $primary->safe_psql('shop', $order);
my $moment = $primary->safe_psql('shop', 'SELECT pg_sleep(0.05)') . $primary->safe_psql('shop', 'SELECT clock_timestamp()');
$primary->safe_psql('shop', 'SELECT pg_sleep(0.05)');
my $second = $primary->safe_psql('shop', $order);
my $wal = $primary->safe_psql('shop', 'SELECT pg_walfile_name(pg_switch_wal())');
$primary->poll_query_until('shop', "SELECT last_archived_wal >= '$wal' FROM pg_stat_archiver") or die 'nothing is archived';
my $back = PostgreSQL::Test::Cluster->new('back');
mkdir $back->data_dir, 0700 or die $back->data_dir . ": $!";
system_or_bail('tar', '-xzf', "$folder/base/base.tar.gz", '-C', $back->data_dir);
system_or_bail('tar', '-xzf', "$folder/base/pg_wal.tar.gz", '-C', $back->data_dir . '/pg_wal');
append_to_file($back->data_dir . '/recovery.signal', '');
my $recovery = here($readme->block('restore_command = '));
ok($recovery =~ s/^recovery_target_time = '\K[^']*/$moment/m, 'a target in time');
like($recovery, qr/# or recovery_target_name, recovery_target_xid$/m, 'and others, which 045 tries');
$back->append_conf('postgresql.conf', "port = " . $back->port . "\nunix_socket_directories = '" . $back->host . "'\narchive_mode = off\n$recovery");
$back->start;
$back->poll_query_until('shop', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
is($back->safe_psql('shop', "SELECT number FROM orders WHERE number IN ('$first', '$second')"), $first, 'the first order, not the second');
is(sql($back, 'shop', $super, $checks, 'point in time: the checks'), '', 'find nothing');
$back->stop;

# 6. In place of a store that is there, on another server; then a subscriber in place of that one.
my $other = new_cluster('other', conf => "fsync = off\nbrainsait.rollup_naptime = 0\n");
create_store($other, 'shop');
shell($other, $readme->inline('pg_restore --clean --create'), 'in place of a store');
restored($other, 'shop', 'in place');
$other->safe_psql('postgres', 'DROP DATABASE shop');
create_store($other, 'shop');
sql($primary, 'shop', $super, $readme->block('CREATE ROLE replicator'), 'a publication');
my $publisher = 'host=' . $primary->host . ' port=' . $primary->port;
my $subscription = $readme->block('CREATE SUBSCRIPTION store');
ok($subscription =~ s/host=publisher/$publisher/, 'where the publisher is');
my $as_owner = $readme->inline('WITH (run_as_owner');
$subscription =~ s/;/ $as_owner;/ if $other->pg_version >= 16;
sql($other, 'shop', $super, $subscription, 'a subscription');
sub catch_up {
    $primary->wait_for_catchup('store', 'replay', $primary->lsn('insert'));
    $other->poll_query_until('shop', "SELECT count(*) > 15 AND bool_and(srsubstate IN ('r', 's')) FROM pg_subscription_rel") or die 'the tables are not there';
    return $primary->wait_for_catchup('store', 'replay', $primary->lsn('insert'));
}
catch_up();
$primary->safe_psql('shop', $order);
catch_up();
$rows = table_rows($primary, 'shop', 'public');
restored($other, 'shop', 'subscriber', grep { /_seq/ } keys %$rows);
my $take_over = $readme->block('pg_dump --data-only -t order_code_sequence');
ok($take_over =~ s/host=publisher/$publisher/, 'where the publisher is');
shell($other, $take_over, 'taking over');
$rows = table_rows($primary, 'shop', 'public');
restored($other, 'shop', 'taken over');
sql($other, 'shop', $super, $readme->inline("SELECT setval('order_code_sequence'"), 'beyond every code');
like($other->safe_psql('shop', $order), qr/^ORD-\d{8}-\w{7}$/, 'codes have one character more');

# 7. Uninstall, and take the tables back.
my $away = table_rows($primary, 'shop_plain', 'public');
my $drop = $readme->inline('DROP EXTENSION brainsait');
is((run_as($primary, 'shop_plain', $super, $drop))[2], '2BP01', 'uninstall: refused as long as tables use it');
sql($primary, 'shop_plain', $super, "$drop CASCADE", 'uninstall');
same_rows(table_rows($primary, 'shop_plain', 'public'), $away, 'uninstall: keeps every row');
is(sql($primary, 'shop_plain', 'shop_app', 'SELECT count(*) FROM users', 'the application'), '0', 'sees none');
sql($primary, 'shop_plain', $super, $readme->inline('CREATE EXTENSION brainsait'), 'it takes the tables back');
is(sql($primary, 'shop_plain', $super, $checks, 'and the checks'), '', 'find nothing');

# 8. Upgrade, which here is to the version that is there: 043 comes from earlier ones.
sql($primary, 'shop', $super, $readme->inline('SET lock_timeout') . ";\n" . $readme->block('ALTER EXTENSION brainsait UPDATE'), 'upgrade');
sql($primary, 'shop', $super, $readme->block('SELECT create_store()'), 'after a dump of an earlier version');
$readme->inline('make && sudo make install');    # what installed the files that all of this runs on

# 9. Statements that are counted, and pg_cron, which need a restart.
my ($cron_library, $cron_database) = map { $readme->inline($_) } 'shared_preload_libraries', 'cron.database_name';
my @preload = (($has_statements ? 'pg_stat_statements' : ()), ($has_cron ? ($cron_library =~ /'(\w+)'/)[0] : ()));
$primary->append_conf('postgresql.conf', "shared_preload_libraries = '" . join(', ', @preload) . "'\n"
      . ($has_cron ? $cron_database . "\ncron.host = '" . $primary->host . "'\n" : ''));
$primary->restart;
my $statements = $readme->inline('CREATE EXTENSION pg_stat_statements');
SKIP: {
    skip 'pg_stat_statements is not installed', 1 unless $has_statements;
    sql($primary, 'shop', $super, $statements, 'statements are counted');
    sql($primary, 'shop', $super, 'SELECT pg_sleep(0.01)', 'one');
}
for my $view (qw(slow_queries table_statistics connection_activity long_running_queries)) {
    my $seen = sql($primary, 'shop', 'shop_operator', "SELECT count(*) FROM $view", "$view is there");
    cmp_ok($seen, '>', 0, "$view shows something") if $view =~ /^(table|connection)/ || $has_statements && $view =~ /^slow/;
}
my ($install, $schedule) = split /(?=-- As shop_operator)/, $readme->block('CREATE EXTENSION pg_cron;');
ok($schedule, 'which part is for which role');
SKIP: {
    skip 'pg_cron is not installed', 4 unless $has_cron;
    sql($primary, 'shop', $super, $install, 'pg_cron');
    like(sql($primary, 'shop', 'shop_operator', $schedule, 'a schedule'), qr/^1\n.*archive_orders/s, 'and the latest runs');
    is($primary->safe_psql('shop', 'SELECT schedule, command, username FROM cron.job'), '15 3 * * *|CALL public.run_maintenance()|shop_operator', 'a job');
}
$primary->stop;

# What begins like a command and is none.
my @mentioned = ('CREATE EXTENSION', 'tenant_id = $1');
is(join("\n", grep { my $span = $_; !grep { $_ eq $span } @mentioned } $readme->unused), '', 'every command of these chapters was run');
done_testing();
