package ReadmeCommands;

# The commands of chapters of the README, as they stand there, for a test that runs them.
#
#   my $readme = ReadmeCommands->new('For the DBA', qr/^Backup/);
#   my $sql = $readme->block('CREATE EXTENSION pg_cron;');         # the fenced block that begins so
#   my $call = $readme->inline("CALL run_maintenance('2 years'");  # the `span` that begins so
#   is(join("\n", $readme->unused), '', 'every command was run');
#
# A block or span that is asked for and is not there dies. A span is a command where it begins like one and goes on.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;

my $command = qr/^(?:(?:pg_\w+|psql|createdb|dropdb|make|SELECT|CALL|CREATE|DROP|ALTER|SET|GRANT|REVOKE|WITH) .|[\w.]+ = .|RECONNECT\b)/;

sub new {
    my ($class, @titles) = @_;
    my $text = slurp_file("$FindBin::RealBin/../../README.md");
    my (@blocks, @spans);
    for my $title (@titles) {
        my @chapters = grep { my ($is) = /^## (.*)/; defined $is && (ref $title ? $is =~ $title : $is eq $title) } split /^(?=## )/m, $text;
        die "the README has no single chapter $title\n" if @chapters != 1;
        my ($chapter) = @chapters;
        $chapter =~ s/^( *)```\w*\n(.*?)^\1```\n/push @blocks, { text => $2 =~ s{^$1}{}mgr }; ''/msge;
        push @spans, map { { text => s/\s*\n\s*/ /gr } } grep { $_ =~ $command } $chapter =~ /`([^`]+)`/g;
    }
    return bless { blocks => \@blocks, spans => \@spans }, $class;
}

sub taken {
    my ($what, $list, $start) = @_;
    my @found = grep { index($_->{text}, $start) == 0 } @$list;
    die "the README has no $what in these chapters that begins with: $start\n" if !@found;
    $_->{used} = 1 for @found;
    return $found[0]{text};
}

sub block { my ($self, $start) = @_; return taken('block', $self->{blocks}, $start) }
sub inline { my ($self, $start) = @_; return taken('command', $self->{spans}, $start) }

# What nobody has asked for.
sub unused {
    my ($self) = @_;
    return map { $_->{text} } grep { !$_->{used} } @{ $self->{blocks} }, @{ $self->{spans} };
}

1;
