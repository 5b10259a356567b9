#!/usr/bin/perl
# Rows of the table "analytics" for report.pl: medians over the turns, ratios within a turn (a question that was asked less often is
# compared with the median of the other's turns).
# usage: analytics_arms | analytics.pl analytics.tsv

use strict;
use warnings;

my (%elapsed, %cpu);
my $file = shift;
open my $in, '<', $file or die "$file: $!";
while (<$in>) {
    chomp;
    my ($name, $turn, $seconds, $used) = split /\t/;
    push @{ $elapsed{$name} }, $seconds;
    push @{ $cpu{$name} },     $used;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted % 2 ? $sorted[ $#sorted / 2 ] : ($sorted[ @sorted / 2 - 1 ] + $sorted[ @sorted / 2 ]) / 2;
}

my %first;
while (<STDIN>) {
    chomp;
    my ($name, $base, $goal, $workers) = split /\|/;
    next if !$cpu{$name} || ($base ne '-' && !$cpu{$base});
    my ($ratio, $verdict) = ('', '');
    if ($base ne '-') {
        # A question's own account does not have what its workers used.
        my $figures = "$name$base" =~ /workers/ ? \%elapsed : \%cpu;
        my ($own, $other) = @$figures{ $name, $base };
        my @ratios = @$own == @$other ? map { $own->[$_] / ($other->[$_] || 1e-6) } 0 .. $#$own : map { $_ / (median(@$other) || 1e-6) } @$own;
        my ($low, $high) = (sort { $a <=> $b } @ratios)[ 0, -1 ];
        my $format = median(@ratios) < 0.1 ? '%.4f' : '%.2f';
        $ratio = sprintf "$format ($format..$format)", median(@ratios), $low, $high;
        $verdict = sprintf '≤ %s: %s', $goal, median(@ratios) <= $goal ? 'reached' : 'missed' if $goal ne '-';
    }
    my @times = $first{$name}++ ? ('', '') : map { sprintf '%.3f s', median(@{ $_->{$name} }) } \%elapsed, \%cpu;
    print join("\t", 'row', 'analytics', $name, @times, $base eq '-' ? '' : $base, $ratio, $verdict), "\n";
}
