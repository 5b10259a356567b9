package BinaryParameters;

# A client that sends one statement many times with a parameter in binary form, in pipelines, as drivers do and psql cannot:
# what the server does with the bytes is the type's receive function. Speaks protocol 3.0 over the server's socket.
#
#   my $client = BinaryParameters->new($node->host, $node->port, 'postgres', $database);
#   my @answers = $client->ask('SELECT $1::text', 'shop.distinct_sketch', @values);
#
# Each answer is { state => SQLSTATE or '', columns => [bytes or undef ...] }, columns in binary form.

use strict;
use warnings;
use IO::Socket::UNIX;

sub new {
    my ($class, $folder, $port, $user, $database) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => "$folder/.s.PGSQL.$port") or die "no connection to $folder: $!";
    my $self = bless { socket => $socket, buffer => '' }, $class;
    my $options = join '', map { "$_\0" } user => $user, database => $database, '';
    $self->_write(pack 'NNa*', length($options) + 8, 196608, $options);
    while (my ($kind, $body) = $self->_message) {
        die "no session: $body" if $kind eq 'E';
        last if $kind eq 'Z';
    }
    return $self;
}

sub _write {
    my ($self, $bytes) = @_;
    while (length $bytes) {
        my $sent = syswrite $self->{socket}, $bytes;
        die "the connection broke: $!" if !defined $sent;
        substr $bytes, 0, $sent, '';
    }
    return;
}

sub _need {
    my ($self, $count) = @_;
    while (length $self->{buffer} < $count) {
        my $read = sysread $self->{socket}, $self->{buffer}, 1 << 16, length $self->{buffer};
        die 'the server ended the connection' if !$read;
    }
    return;
}

sub _message {
    my ($self) = @_;
    $self->_need(5);
    my ($kind, $length) = unpack 'aN', $self->{buffer};
    $self->_need($length + 1);
    my $body = substr $self->{buffer}, 5, $length - 4;
    substr $self->{buffer}, 0, $length + 1, '';
    return ($kind, $body);
}

# One trip: messages up to a Sync; the answer as above.
sub _answer {
    my ($self) = @_;
    my %answer = (state => '', columns => []);
    while (my ($kind, $body) = $self->_message) {
        if ($kind eq 'Z') { return \%answer }
        if ($kind eq 'E') { ($answer{state}) = $body =~ /(?:^|\0)C([0-9A-Z]{5})\0/ }
        if ($kind eq 'D') {
            my ($count, $at) = (unpack('n', $body), 2);
            for (1 .. $count) {
                my $length = unpack 'l>', substr $body, $at, 4;
                push @{ $answer{columns} }, $length < 0 ? undef : substr $body, $at + 4, $length;
                $at += 4 + ($length < 0 ? 0 : $length);
            }
        }
    }
}

sub _frame { my ($kind, $body) = @_; return pack 'aNa*', $kind, length($body) + 4, $body }
sub _execute { return _frame('E', "\0" . pack 'N', 0) . _frame('S', '') }

# The first row of a statement without parameters.
sub row {
    my ($self, $sql) = @_;
    $self->_write(_frame('P', "\0$sql\0" . pack 'n', 0) . _frame('B', "\0\0" . pack 'nnnn', 0, 0, 1, 1) . _execute());
    my $answer = $self->_answer;
    die "$sql: $answer->{state}" if $answer->{state};
    return @{ $answer->{columns} };
}

sub ask {
    my ($self, $sql, $type, @values) = @_;
    my ($oid) = $self->row("SELECT '$type'::regtype::oid");
    $self->_write(_frame('P', "asked\0$sql\0" . pack('n', 1) . $oid) . _frame('S', ''));
    my $parsed = $self->_answer;
    die "$sql: $parsed->{state}" if $parsed->{state};
    my @answers;
    while (my @some = splice @values, 0, 20) { # so few that neither side waits for the other to read
        $self->_write(join '', map { _frame('B', "\0asked\0" . pack('nnnN', 1, 1, 1, length $_) . $_ . pack 'nn', 1, 1) . _execute() } @some);
        push @answers, map { $self->_answer } @some;
    }
    $self->_write(_frame('C', "Sasked\0") . _frame('S', ''));
    $self->_answer;
    return @answers;
}

1;
