package RealClients;

# Servers and clients from other packages for TAP tests: PgBouncer, Python programs of test/clients.
#
#   plan skip_all => missing('pgbouncer', 'python', 'sqlalchemy')  if missing(...);   # why this machine cannot
#   my $pooler = start_pgbouncer($node, pool_size => 1);   # { host, port, version }, stopped at the end
#   run_checks('pooler.py', $node, $db, pooler => $pooler, TENANTS => "$a=reem $b=cedar");
#
# A script prints "ok - name" or "not ok - name" per check and "done N" at its end; run_checks makes tests of them.

use strict;
use warnings;

use Cwd 'abs_path';
use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(missing start_pgbouncer run_checks client_environment clients_folder python);

sub clients_folder { return abs_path("$FindBin::RealBin/../clients") }

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';

# The first Python that knows the modules; Debian's is not always the first of PATH.
my %python;
sub python {
    my @modules = @_;
    my $import = join ', ', 'sys', @modules;
    $python{$import} //= (grep { system("$_ -c 'import $import' >/dev/null 2>&1") == 0 } qw(python3 /usr/bin/python3))[0] // '';
    return $python{$import};
}

my %needs = (
    pgbouncer => [ sub { $pgbouncer }, 'PgBouncer is not installed (Debian package pgbouncer)' ],
    psycopg2 => [ sub { python('psycopg2') }, 'Python with psycopg2 is not installed (Debian package python3-psycopg2)' ],
    sqlalchemy => [ sub { python('psycopg2', 'sqlalchemy') },
        'SQLAlchemy with psycopg2 is not installed (Debian packages python3-sqlalchemy, python3-psycopg2)' ],
    alembic => [ sub { python('psycopg2', 'sqlalchemy', 'alembic.config') },
        'Alembic with psycopg2 is not installed (Debian packages alembic, python3-psycopg2)' ]);

# missing(thing...): why a test that needs them cannot run here; '' when it can.
sub missing {
    for my $thing (@_) {
        return $needs{$thing}[1] unless $needs{$thing}[0]->();
    }
    return '';
}

my @running;

# start_pgbouncer(node, [pool_size => n], [conf => lines], [logins => [role...]]): a PgBouncer in transaction mode before the
# node, on a socket of its own, for app_login, migrations_login, postgres and those roles.
sub start_pgbouncer {
    my ($node, %options) = @_;
    my $folder = PostgreSQL::Test::Utils::tempdir_short();
    my $port = PostgreSQL::Test::Cluster::get_free_port();
    my $pool_size = $options{pool_size} // 1;
    my ($version) = `$pgbouncer --version` =~ /(\d+\.\d+)/;
    PostgreSQL::Test::Utils::append_to_file("$folder/users", join '', map { qq{"$_" ""\n} } qw(app_login migrations_login postgres), @{ $options{logins} // [] });
    # Prepared statements of the protocol outlive transactions from 1.21 on.
    my $prepared = $version >= 1.21 ? 'max_prepared_statements = 100' : '';
    PostgreSQL::Test::Utils::append_to_file("$folder/pgbouncer.ini", <<"INI");
[databases]
* = host=${\ $node->host} port=${\ $node->port}
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $folder
auth_type = trust
auth_file = $folder/users
admin_users = postgres
logfile = $folder/log
pidfile = $folder/pid
pool_mode = transaction
default_pool_size = $pool_size
ignore_startup_parameters = extra_float_digits
$prepared
${\ ($options{conf} // '')}
INI
    PostgreSQL::Test::Utils::system_or_bail($pgbouncer, '-q', '-d', "$folder/pgbouncer.ini");
    for (1 .. 100) {
        last if -s "$folder/pid" && -S "$folder/.s.PGSQL.$port";
        select undef, undef, undef, 0.1;
    }
    open my $pid_file, '<', "$folder/pid" or BAIL_OUT("PgBouncer did not start: $!");
    my ($pid) = <$pid_file> =~ /(\d+)/;
    push @running, $pid;
    return { host => $folder, port => $port, version => $version, pid => $pid, log => "$folder/log" };
}

END {
    my $status = $?;
    kill INT => @running;
    $? = $status;
}

# client_environment(node, database, [pooler => of start_pgbouncer], [user => role], [NAME => value]...): what a
# client finds in its environment.
sub client_environment {
    my ($node, $database, %options) = @_;
    my $pooler = delete $options{pooler};
    my $user = delete $options{user} // 'app_login';
    return (PGHOST => $pooler ? $pooler->{host} : $node->host, PGPORT => $pooler ? $pooler->{port} : $node->port,
        PGUSER => $user, PGDATABASE => $database, PGAPPNAME => 'client', PYTHONDONTWRITEBYTECODE => 1,
        PYTHONPATH => clients_folder(), PYTHONWARNINGS => 'ignore', %options);
}

# run_checks(script, node, database, options of client_environment): a test for each line that the script prints.
sub run_checks {
    my ($script, $node, $database, %options) = @_;
    local %ENV = (%ENV, client_environment($node, $database, %options));
    my ($out, $error);
    my $python = python('psycopg2', 'sqlalchemy') || python('psycopg2');
    IPC::Run::run([ $python, clients_folder() . "/$script" ], '>', \$out, '2>', \$error, IPC::Run::timeout(300));
    my $checks = 0;
    for my $line (split /\n/, $out) {
        if ($line =~ /^(not )?ok - (.*)/) { ok(!$1, $2); $checks++ }
        elsif ($line =~ /^# (.*)/) { diag $1 }
    }
    my ($done) = $out =~ /^done (\d+)\n\z/m;
    ok($checks && defined $done && $done == $checks, "$script came to its end") or diag $error;
    return;
}

1;
