#!/usr/bin/perl
# Tables of the figures in runs.tsv (see turns.sh): medians over the turns, ratios within a turn.
# usage: report.pl runs.tsv

use strict;
use warnings;

my (@facts, @measures, %kind, %title, %arms, %arm, %run, @tables, %head, %rows);
while (<>) {
    chomp;
    my ($what, @field) = split /\t/, $_, -1;
    if ($what eq 'fact') { push @facts, [@field] }
    elsif ($what eq 'measure') {
        my ($id, $kind, $title) = @field;
        push @measures, $id;
        ($kind{$id}, $title{$id}) = ($kind, $title);
    }
    elsif ($what eq 'arm') {
        my ($id, $name, $store, $baseline, $goal, $label, $same_as) = @field;
        push @{ $arms{$id} }, $name;
        $arm{$id}{$name} = { store => $store, baseline => $baseline, goal => $goal, label => $label, runs => $same_as || $name };
    }
    elsif ($what eq 'table') {
        my ($id, $title, @columns) = @field;
        push @tables, $id;
        ($title{$id}, $head{$id}) = ($title, \@columns);
    }
    elsif ($what eq 'row') { my ($id, @cells) = @field; push @{ $rows{$id} }, \@cells }
    elsif ($what eq 'run') {
        my ($id, $name, $turn, $count, $seconds, $wal, $cpu, $peak) = @field;
        $run{$id}{$name}[ $turn - 1 ] = {
            rate    => $count / $seconds,
            seconds => $seconds,
            each    => $seconds / $count * 1e6,
            wal     => $wal / $count,
            cpu     => $cpu / $count * 1e6,
            peak    => $peak / 1024,
        };
    }
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted % 2 ? $sorted[ $#sorted / 2 ] : ($sorted[ @sorted / 2 - 1 ] + $sorted[ @sorted / 2 ]) / 2;
}

# The values that an arm has for a figure, turn by turn.
sub values_of {
    my ($id, $name, $figure) = @_;
    return map { $_->{$figure} } @{ $run{$id}{ $arm{$id}{$name}{runs} } };
}

# An arm's value against its baseline's of the same turn.
sub against {
    my ($id, $name, $figure, $how) = @_;
    my @own  = values_of($id, $name, $figure);
    my @base = values_of($id, $arm{$id}{$name}{baseline}, $figure);
    return map { $how eq 'ratio' ? ($base[$_] ? $own[$_] / $base[$_] : 0) : $own[$_] - $base[$_] } 0 .. $#own;
}

sub number {
    my ($value) = @_;
    my $text = sprintf abs($value) >= 100 ? '%.0f' : abs($value) >= 10 ? '%.1f' : '%.2f', $value;
    1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;
    return $text;
}

sub ratio { my ($value) = @_; return sprintf $value < 0.1 ? '%.4f' : '%.2f', $value }

sub spread {
    my ($print, @values) = @_;
    my ($low, $high) = (sort { $a <=> $b } @values)[ 0, -1 ];
    return sprintf '%s (%s..%s)', $print->(median(@values)), $print->($low), $print->($high);
}

# The goal and whether the median reaches it: a rate at least, a time at most.
sub verdict {
    my ($id, $name, @ratios) = @_;
    my $goal = $arm{$id}{$name}{goal};
    return '' if $goal eq '-';
    my $reached = $kind{$id} eq 'rate' ? median(@ratios) >= $goal : median(@ratios) <= $goal;
    return sprintf '%s %s: %s', $kind{$id} eq 'rate' ? '≥' : '≤', $goal, $reached ? 'reached' : 'missed';
}

sub row { return '| ' . join(' | ', @_) . " |\n" }

sub print_table {
    my ($id) = @_;
    my $kind = $kind{$id};
    my $peak = grep { $_ } map { values_of($id, $_, 'peak') } @{ $arms{$id} };
    my @head = ('store', 'client sends');
    push @head, $kind eq 'rate' ? ('per second', '× baseline (min..max)', 'goal')
      : $kind eq 'time' ? ($peak ? 'seconds' : 'µs each', '× baseline (min..max)', 'goal')
      :                   ('µs each', 'more than baseline, µs (min..max)');
    push @head, 'WAL bytes each', '×', 'server CPU, µs each', $kind eq 'difference' ? 'more, µs' : '×';
    push @head, 'backend memory, MB' if $peak;
    print "\n### $title{$id}\n\n", row(@head), row(('---') x 2, ('--:') x (@head - 2));

    my $figure = $kind eq 'rate' ? 'rate' : $peak ? 'seconds' : 'each';
    for my $name (@{ $arms{$id} }) {
        my $compared = $arm{$id}{$name}{baseline} ne '-';
        my @cells = ($arm{$id}{$name}{store}, $arm{$id}{$name}{label}, number(median(values_of($id, $name, $figure))));
        if ($kind eq 'difference') {
            push @cells, $compared ? spread(\&number, against($id, $name, $figure, 'difference')) : '';
        }
        else {
            my @ratios = $compared ? against($id, $name, $figure, 'ratio') : ();
            push @cells, $compared ? (spread(\&ratio, @ratios), verdict($id, $name, @ratios)) : ('', '');
        }
        push @cells, number(median(values_of($id, $name, 'wal')));
        push @cells, $compared ? ratio(median(against($id, $name, 'wal', 'ratio'))) : '';
        push @cells, number(median(values_of($id, $name, 'cpu')));
        push @cells, !$compared ? ''
          : $kind eq 'difference' ? number(median(against($id, $name, 'cpu', 'difference')))
          :                         ratio(median(against($id, $name, 'cpu', 'ratio')));
        push @cells, number(median(values_of($id, $name, 'peak'))) if $peak;
        print row(@cells);
    }
}

binmode STDOUT, ':raw';
print "## Measured\n\n";
print "- $_->[0]: $_->[1]\n" for @facts;
print "- Baseline: the bare arm above, the document's tables as written, unless the row says another.\n";
print_table($_) for grep { $run{$_} } @measures;
for my $id (grep { $rows{$_} } @tables) {
    print "\n### $title{$id}\n\n", row(@{ $head{$id} }), row('---', ('--:') x $#{ $head{$id} });
    print map { my ($first, @figures) = @$_; row($first, map { /^\d+$/ ? number($_) =~ s/\.\d+//r : /^[\d.]+$/ ? number($_) : $_ } @figures) } @{ $rows{$id} };
}
