package StoreCluster;

# Store databases for TAP tests, over PostgreSQL::Test::Cluster (the same on 15 to 18).
#
#   use strict; use warnings;
#   use FindBin; use lib "$FindBin::RealBin/lib";
#   use StoreCluster;
#   use Test::More;
#
#   my $node = new_cluster('primary');                 # a started server, socket only
#   my $db   = create_store($node, 'shop_a');          # database + extension + login role app_login
#   my $id   = add_tenant($node, $db, slug => 'riyadh', settings => '{"timezone": "Asia/Riyadh"}');
#   my ($out, $err, $state) = run_as($node, $db, 'app_login', 'SELECT count(*) FROM orders');
#   is($state, '', 'no error');
#   ($out, $err, $state) = run_in_tenant($node, $db, $id, 'SELECT count(*) FROM orders');
#   my $session = open_session($node, $db, 'app_login');  # BackgroundPsql: query, query_until, quit
#   done_testing();
#
# A test that cannot run says why:  plan skip_all => 'reason'  or  skip 'reason', $count.
# Servers are stopped and their data removed by PostgreSQL::Test::Cluster when the test ends.
# Run one test alone, as an ordinary user and with the extension installed:
#   make installcheck REGRESS= ISOLATION= PROVE_TESTS=test/tap/001_extension.pl

use strict;
use warnings;

use Exporter 'import';
use Fcntl ':flock';
use File::Temp;
use IO::Select;
use Test::More;
use Time::HiRes qw(time usleep);

# initdb and postgres refuse to run as root, so a test started by root has nothing to run.
BEGIN { plan skip_all => 'PostgreSQL does not run as root' if $> == 0; }

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_cluster create_store add_tenant run_as run_in_tenant open_session);

# A session that watches in the place of a new one ten times a second, each of which costs more than what is waited for.
{
    no warnings 'redefine';
    my $poll = \&PostgreSQL::Test::Cluster::poll_query_until;
    *PostgreSQL::Test::Cluster::poll_query_until = sub {
        my ($node, $database, $query, $expected) = @_;
        $expected //= 't';
        # A line that is waited for can be told from the others.
        return $poll->(@_) if !defined $query || $expected !~ /\A[^\n]+\z/;
        my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
        my $last = '';
        while (time < $deadline) {
            return 1 if watch($node, $database, $query, $expected, $deadline, \$last);
            usleep(100_000);
        }
        diag "poll_query_until timed out: $query\nexpecting $expected, at last: $last";
        return 0;
    };
}

# Whether the query gave that line before the session ended or the time was over.
sub watch {
    my ($node, $database, $query, $expected, $deadline, $last) = @_;
    local %ENV = $node->_get_env();
    my $script = File::Temp->new;
    print $script "$query\n\\watch 0.05\n";
    $script->flush;
    my $pid = open my $output, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $node->installed_command('psql'), '-XAt', '-v', 'ON_ERROR_STOP=1',
      '-d', $node->connstr($database), '-f', "$script" or die "psql: $!";
    my $ready = IO::Select->new($output);
    my ($text, $seen) = ('', 0);
    while (!$seen && $ready->can_read($deadline - time > 0 ? $deadline - time : 0) && sysread $output, $text, 4096, length $text) {
        while (!$seen && $text =~ s/\A([^\n]*)\n//) {
            $$last = $1;
            $seen = $1 eq $expected;
        }
    }
    kill 'TERM', $pid;
    close $output;
    return $seen;
}

# new_cluster(name, [streaming => 1], [conf => "lines of postgresql.conf"], [start => 0], [install_path => folder], [own_name => 1])
# A new server, UTF-8, in UTC, with room for prepared transactions, started unless told otherwise.
# streaming: WAL for standbys and base backups. install_path: of another installation (EarlierVersion). own_name:
# with a system identifier of its own, where others are as copies of one cluster that went their own ways. Returns the PostgreSQL::Test::Cluster object.
sub new_cluster {
    my ($name, %options) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name, map { $_ => $options{$_} } grep { $_ eq 'install_path' } keys %options);
    {
        no warnings 'redefine';
        my $run = \&PostgreSQL::Test::Utils::system_or_bail;
        local *PostgreSQL::Test::Utils::system_or_bail = sub { return $_[0] eq 'initdb' && !$options{own_name} ? copy_empty_cluster($node, $run, @_) : $run->(@_) };
        $node->init(
            allows_streaming => $options{streaming} ? 1 : 0,
            extra => [ '--locale=C.UTF-8', '--encoding=UTF8' ]);
    }
    # Tests bring thousands of statements: only those that fail are logged.
    $node->append_conf('postgresql.conf', <<'CONF');
timezone = 'UTC'
lc_messages = 'C'
log_statement = 'none'
max_prepared_transactions = 50
max_connections = 100
shared_buffers = 32MB
brainsait.credential_key_file = 'credential_keys'
CONF
    # A key to encrypt credentials with, the same for all servers.
    PostgreSQL::Test::Utils::append_to_file($node->data_dir . '/credential_keys', '1 ' . '0123456789abcdef' x 4 . "\n");
    chmod 0600, $node->data_dir . '/credential_keys';
    $node->append_conf('postgresql.conf', $options{conf}) if defined $options{conf};
    $node->start unless defined $options{start} && !$options{start};
    return $node;
}

# In the place of initdb, which takes seconds of every test: what the first of a run's tests has made by it is copied.
sub copy_empty_cluster {
    my ($node, $run, @initdb) = @_;
    my $template = ($ENV{TESTDIR} // '.') . '/tmp_check/empty_cluster';
    open my $lock, '>>', "$template.lock" or die "$template.lock: $!";
    flock $lock, LOCK_EX or die "$template.lock: $!";
    if (!-d $template) {
        $run->(map { $_ eq $node->data_dir ? "$template.new" : $_ } @initdb);
        rename "$template.new", $template or die "$template: $!";
    }
    close $lock;
    $run->('cp', '-RPp', $template, $node->data_dir);
    return;
}

# create_store(node, database, [schema => name], [login => role])
# Makes the database, the extension in it and a login role (app_login) that is a member of
# brainsait_app, as an application has it. Returns the database's name.
sub create_store {
    my ($node, $database, %options) = @_;
    my $login = $options{login} // 'app_login';
    $node->safe_psql('postgres', qq{CREATE DATABASE "$database"});
    my $in_schema = '';
    if (defined $options{schema}) {
        $node->safe_psql($database, qq{CREATE SCHEMA "$options{schema}"});
        $in_schema = qq{ SCHEMA "$options{schema}"};
    }
    $node->safe_psql($database, "CREATE EXTENSION brainsait$in_schema");
    $node->safe_psql($database, <<"SQL");
SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$login') AS missing \\gset
\\if :missing
CREATE ROLE "$login" LOGIN IN ROLE brainsait_app;
\\endif
SQL
    return $database;
}

# add_tenant(node, database, slug => text, [name => text], [settings => json text], [schema => name])
# Adds an active tenant as a superuser; returns its id.
sub add_tenant {
    my ($node, $database, %tenant) = @_;
    my $name = quoted($tenant{name} // $tenant{slug});
    my $slug = quoted($tenant{slug});
    my $settings = quoted($tenant{settings} // '{}');
    my $table = defined $tenant{schema} ? qq{"$tenant{schema}".tenants} : 'tenants';
    return $node->safe_psql($database,
        "INSERT INTO $table (name, slug, settings) VALUES ($name, $slug, $settings) RETURNING id");
}

# run_as(node, database, role, sql, [psql option...])
# Runs statements in one session of that login role and stops at the first error.
# Returns (stdout, stderr, sqlstate); sqlstate is '' when nothing failed, and 08000 when the
# connection failed or broke before the server could say why.
sub run_as {
    my ($node, $database, $role, $sql, @options) = @_;
    my ($status, $stdout, $stderr) = $node->psql($database, $sql,
        extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose', @options ]);
    my $sqlstate = '';
    if ($status != 0) {
        $sqlstate = $stderr =~ /^(?:psql:[^\n]*: )?(?:ERROR|FATAL|PANIC):  ([0-9A-Z]{5}): /m ? $1 : '08000';
    }
    return ($stdout, $stderr, $sqlstate);
}

# run_in_tenant(node, database, tenant id, sql, [role])
# run_as inside one transaction with the tenant set, committed at the end.
sub run_in_tenant {
    my ($node, $database, $tenant, $sql, $role) = @_;
    my $id = quoted($tenant);
    return run_as($node, $database, $role // 'app_login',
        "BEGIN;\nSELECT set_tenant($id) \\g /dev/null\n$sql;\nCOMMIT;");
}

# open_session(node, database, role)
# A psql that stays open, as that role, and goes on after an error.
sub open_session {
    my ($node, $database, $role) = @_;
    return $node->background_psql($database,
        on_error_stop => 0,
        extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
}

# A text as an SQL literal.
sub quoted {
    my ($text) = @_;
    $text =~ s/'/''/g;
    $text = $text =~ /\\/ ? " E'" . ($text =~ s/\\/\\\\/gr) . q{'} : "'$text'";
    return $text;
}

1;
