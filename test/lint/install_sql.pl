#!/usr/bin/perl
# The install script's rules, one line of TAP each.
# usage: install_sql.pl FILE.sql...
#
# An install script that replaces or skips what exists would take over an object that somebody planted under its
# name, and a function without a search_path of its own runs what its caller's search_path finds.

use strict;
use warnings;

my @problems;    # [rule, file, line, text]

# Splits SQL into statements: [line, text, [bodies]]. Comments are dropped; what is quoted by dollars is a body,
# of which the text keeps only the mark. Strings and quoted names stay.
sub statements {
    my ($sql) = @_;
    my @statements;
    my ($text, $line, $start, @bodies) = ('', 1, undef);
    while ($sql =~ /\G(?:
            (?<space>\s+|--[^\n]*|\/\*.*?\*\/)
          | (?<meta>\\[^\n]*(?:\n|\z))
          | (?<body>\$(?<tag>\w*)\$(?<inner>.*?)\$\g{tag}\$)
          | (?<word>[Ee]?'(?:[^']|'')*'|"(?:[^"]|"")*"|\w+|[^\s;])
          | (?<end>;))/gcxs) {
        my $piece = $&;
        if (defined $+{end}) {
            push @statements, [ $start, $text, [@bodies] ] if defined $start;
            ($text, $start, @bodies) = ('', undef);
        }
        elsif (defined $+{body}) {
            push @bodies, [ $line, $+{inner} ];
            $text .= ' $body$';
        }
        elsif (defined $+{word}) {
            $start //= $line;
            $text .= " $piece";
        }
        $line += ($piece =~ tr/\n//);
    }
    push @statements, [ $start, $text, [@bodies] ] if defined $start;
    return @statements;
}

# A name as it is written, its pieces put together again.
sub name_after {
    my ($text, $pattern) = @_;
    return $text =~ /$pattern\s+((?:[\w@"]+)(?:\s*\.\s*[\w@"]+)*|@ \w+ @ \. \w+)/i ? $1 =~ s/\s+//gr : '';
}

# replaces_or_skips(file, line, text, name of the function that the text is the body of)
sub replaces_or_skips {
    my ($file, $line, $text, $inside) = @_;
    while ($text =~ /\bCREATE\s+OR\s+REPLACE\s+(?:CONSTRAINT\s+)?(\w+)|\bIF\s+NOT\s+EXISTS\b/gi) {
        my ($what, $kind) = ($&, $1);
        my $at = $line + (substr($text, 0, $-[0]) =~ tr/\n//);
        if (defined $kind) {
            next if uc $kind eq 'TRIGGER' && $inside =~ /(?:^|\.)attach_\w+$/;
            # create_store() has made sure whose the view is, and what it is.
            next if uc $kind eq 'VIEW' && $inside =~ /(?:^|\.)create_\w+_views?$/;
            push @problems, [ 'replace', $file, $at, $what ];
        }
        # plpgsql's own "IF NOT EXISTS (SELECT ...)" asks; only the clause of a CREATE or ADD skips.
        elsif (substr($text, 0, $-[0]) =~ /\b(?:CREATE|ADD)\s[^;]*\z/i && substr($text, $+[0]) !~ /\A\s*\(/) {
            push @problems, [ 'skip', $file, $at, $what ];
        }
    }
}

# Blanks out comments, keeping lines, so that words in them count for nothing.
sub without_comments {
    my ($text) = @_;
    $text =~ s/--[^\n]*//g;
    $text =~ s{/\*(.*?)\*/}{ $1 =~ s/[^\n]//gr }ges;
    return $text;
}

# A procedure that commits cannot set its search_path. What may stand in one: calls that name their schema,
# assignments, loops; no operator, which is looked for, and nothing else that is called by its mere name.
sub trusts_search_path {
    my ($body) = @_;
    my $code = without_comments($body);
    $code =~ s/'(?:[^']|'')*'/ /g;
    $code =~ s/@\w+@\.\w+|:=/ ; /g;    # a name that says its schema is nobody's mere name
    my @found;
    push @found, "operator $1" while $code =~ /([-+*\/<>=~!@#%^&|`?]+)/g;
    push @found, "call of $1" while $code =~ /(\w+)\s*\(/g;
    return @found;
}

my ($functions, $statements) = (0, 0);
for my $file (@ARGV) {
    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    my $sql = do { local $/; <$in> };
    close $in;
    for my $statement (statements($sql)) {
        my ($line, $text, $bodies) = @$statement;
        $statements++;
        my $is_routine = $text =~ /^\s*CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE)\b/i;
        my $name = $is_routine ? name_after($text, qr/(?:FUNCTION|PROCEDURE)/i) : '';
        replaces_or_skips($file, $line, $text, '');
        replaces_or_skips($file, $_->[0], without_comments($_->[1]), $name) for @$bodies;
        next unless $is_routine;
        $functions++;
        my $language = $text =~ /\bLANGUAGE '?(\w+)/i ? lc $1 : 'sql';
        next if $language eq 'c' || $language eq 'internal';
        if ($text =~ /^\s*CREATE PROCEDURE\b/i && $bodies->[-1][1] =~ /\bCOMMIT\b|\bCALL\b/) {
            push @problems, map { [ 'committing', $file, $line, "$name: $_" ] } trusts_search_path($bodies->[-1][1]);
            next;
        }
        push @problems, [ 'search_path', $file, $line, $name ]
          unless $text =~ /\bSET search_path = pg_catalog , pg_temp\b/;
    }
}

sub report {
    my ($rule, $title) = @_;
    my @found = grep { $_->[0] eq $rule } @problems;
    print @found ? 'not ok' : 'ok', " - $title\n";
    print "# $_->[1]:$_->[2]: $_->[3]\n" for @found;
}

report('replace', 'install SQL replaces nothing, but triggers and views in functions that are for that');
report('skip', 'install SQL has no IF NOT EXISTS');
report('committing', 'procedures that commit trust no search_path');
report('search_path', "SQL and plpgsql functions set their search_path to pg_catalog, pg_temp");
print $functions > 0 ? 'ok' : 'not ok', " - functions were found\n";
