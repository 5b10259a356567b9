package Proxy;

# Stands between SQLsmith and the server, on a socket of its own: gives each transaction its tenant, lets half of them commit,
# and reads every message that the server sends.
#
#   my $proxy = Proxy->start(to => "$PGHOST/.s.PGSQL.5432", folder => $f, tenants => [ $id, undef ],
#       own => qr/.../, private => qr/.../, secrets => qr/.../);   # rows of a tenant's own; what nobody may see; what no one may
#   ... clients connect to host $f, port 5432 ...
#   my $seen = $proxy->stop;   # { statements, transactions, sqlstates => {}, users => { name => {...} }, ... }
#
# SQLsmith sends ROLLBACK, BEGIN, one statement, ROLLBACK, each a simple query, and never looks at the rows.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();

# What SQLsmith would like to know of the catalogs, bent so that more of its statements can run and more of them
# are about the store: no pseudo-types, whose values it cannot make, and the store's functions many times over.
my $no_pseudo_type = q{NOT EXISTS (SELECT FROM pg_type WHERE typtype = 'p' AND typname <> 'void' AND pg_type.oid IN (%s))};
my $operators = sprintf $no_pseudo_type, 'oprleft, oprright, oprresult';
my $routines = sprintf $no_pseudo_type, 'SELECT unnest(proargtypes) UNION SELECT prorettype';
my $store = q{FROM pg_proc CROSS JOIN generate_series(1, CASE WHEN pronamespace = 'public'::regnamespace AND has_function_privilege(oid, 'EXECUTE')
    THEN 30 ELSE 1 END) WHERE };

sub bend {
    my ($text) = @_;
    if ($text =~ /^select \(select nspname from pg_namespace where oid = pronamespace\)/i) {
        $text =~ s/from pg_proc where /$store/;
        return "$text AND $routines";
    }
    return "$text AND $operators" if $text =~ /from pg_catalog\.pg_operator where/;
    return $text;
}

sub start {
    my ($class, %options) = @_;
    my $self = bless {%options}, $class;
    my $path = "$self->{folder}/.s.PGSQL.5432";
    $self->{listener} = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $path, Listen => 20) or die "$path: $!";
    $self->{report} = "$self->{folder}/report";
    $self->{pid} = fork // die "fork: $!";
    return $self if $self->{pid};
    $self->{seen} = { statements => 0, transactions => 0, commits => 0, rows => 0, sqlstates => {}, users => {}, internal => [], secret => [] };
    eval { $self->serve; 1 } or print STDERR "proxy: $@";
    open my $out, '>', $self->{report} or die $!;
    print {$out} encode_json($self->{seen});
    close $out;
    POSIX::_exit(0);    # without what the parent has at its end
}

# Whether the first transaction has begun: reading the catalogs takes SQLsmith a while.
sub begun { my ($self) = @_; return -e "$self->{folder}/begun" }

sub stop {
    my ($self) = @_;
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    open my $in, '<', $self->{report} or die "the proxy left no report";
    return decode_json(do { local $/; <$in> });
}

sub serve {
    my ($self) = @_;
    my $stopped = 0;
    local $SIG{TERM} = sub { $stopped = 1 };
    local $SIG{PIPE} = 'IGNORE';
    my $select = $self->{select} = IO::Select->new($self->{listener});
    until ($stopped) {
        for my $socket ($select->can_read(0.2)) {
            if ($socket == $self->{listener}) { $self->accept_client; next }
            my $link = $self->{links}{$socket} or next;
            my $from_client = $socket == $link->{client};
            my $buffer = $from_client ? \$link->{request} : \$link->{answer};
            my $got = sysread $socket, $$buffer, 1 << 16, length $$buffer;
            if (!$got) { $self->close_link($link); next }
            if ($from_client) { $self->client_said($link) } else { $self->server_said($link) }
        }
    }
    return;
}

sub accept_client {
    my ($self) = @_;
    my $client = $self->{listener}->accept or return;
    my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $self->{to});
    if (!$server) { close $client; return }
    my $link = { client => $client, server => $server, request => '', answer => '', started => 0, user => '', statement => '' };
    $self->{links}{$_} = $link for $client, $server;
    $self->{select}->add($client, $server);
    return;
}

sub close_link {
    my ($self, $link) = @_;
    for my $socket (@$link{qw(client server)}) {
        $self->{select}->remove($socket);
        delete $self->{links}{$socket};
        close $socket;
    }
    return;
}

# All of it, however long the other side takes.
sub send_all {
    my ($socket, $bytes) = @_;
    my $sent = 0;
    while ($sent < length $bytes) {
        my $count = syswrite $socket, $bytes, length($bytes) - $sent, $sent;
        return unless defined $count;
        $sent += $count;
    }
    return;
}

sub client_said {
    my ($self, $link) = @_;
    while (length $link->{request} >= 8) {
        if (!$link->{started}) {
            my ($length, $code) = unpack 'NN', $link->{request};
            return if length $link->{request} < $length;
            my $packet = substr $link->{request}, 0, $length, '';
            if ($code == 80877103 || $code == 80877104) { send_all($link->{client}, 'N'); next }    # no TLS, no GSSAPI
            ($link->{user}) = $packet =~ /\0user\0([^\0]*)\0|^.{8}user\0([^\0]*)\0/s ? $1 // $2 : '';
            $link->{started} = 1;
            send_all($link->{server}, $packet);
            next;
        }
        my ($type, $length) = unpack 'aN', $link->{request};
        last if length $link->{request} < 1 + $length;
        my $message = substr $link->{request}, 0, 1 + $length, '';
        if ($type eq 'Q') {
            my $text = $self->query($link, substr $message, 5, -1);
            $message = 'Q' . pack('N', 5 + length $text) . $text . "\0";
        }
        send_all($link->{server}, $message);
    }
    # Terminate is five bytes long.
    send_all($link->{server}, substr $link->{request}, 0, length $link->{request}, '') if $link->{request} =~ /^X/;
    return;
}

# What the server gets instead of a client's query.
sub query {
    my ($self, $link, $text) = @_;
    my $seen = $self->{seen};
    if ($text eq 'BEGIN;') {
        if (!$seen->{transactions}) { open my $mark, '>', "$self->{folder}/begun" or die $! }
        my $tenant = $self->{tenants}[ $seen->{transactions}++ % @{ $self->{tenants} } ];
        $link->{tenant} = $tenant;
        $link->{open} = 1;
        return defined $tenant ? "BEGIN; SELECT set_tenant('$tenant')" : 'BEGIN';
    }
    if ($text eq 'ROLLBACK;') {
        my $commit = $link->{open} && $seen->{transactions} % 2;
        $link->{open} = 0;
        $seen->{commits}++ if $commit;
        return $commit ? 'COMMIT' : 'ROLLBACK';
    }
    $seen->{statements}++ if $link->{open};
    $link->{statement} = $text;
    return bend($text);
}

sub server_said {
    my ($self, $link) = @_;
    my $seen = $self->{seen};
    my $mine = $seen->{users}{ $link->{user} } //= { rows => 0, own => 0, secret => 0 };
    my $passed = 0;
    while (length($link->{answer}) - $passed >= 5) {
        my ($type, $length) = unpack 'aN', substr $link->{answer}, $passed, 5;
        last if length($link->{answer}) - $passed < 1 + $length;
        my $message = substr $link->{answer}, $passed, 1 + $length;
        $passed += 1 + $length;
        if ($type eq 'D') {
            $mine->{rows}++;
            $mine->{own}++ if $message =~ $self->{own};
        }
        elsif ($type eq 'E') {
            my %field = map { substr($_, 0, 1) => substr $_, 1 } split /\0/, substr $message, 5;
            $seen->{sqlstates}{ $field{C} }++ if $link->{open};
            push @{ $seen->{internal} }, "$field{C} $field{F}:$field{L} $field{M}\n$link->{statement}" if $field{C} =~ /^XX|^53|^57P0[123]/;
        }
        # Rows, errors, notices, notifications: nothing may hold what the tenant must not see.
        if ($message =~ $self->{secrets} || (!defined $link->{tenant} && $link->{open} && $message =~ $self->{private})) {
            $mine->{secret}++;
            push @{ $seen->{secret} }, "$link->{user}: $link->{statement}\n$message" =~ s/[^ -~\n]/./gr if $link->{user} ne 'postgres' && @{ $seen->{secret} } < 10;
        }
    }
    send_all($link->{client}, substr $link->{answer}, 0, $passed, '');
    return;
}

1;
