package EarlierVersion;

# Servers of an earlier version of the extension, which a package then upgrades.
#
#   my $why = earlier_version_missing('0.1.0');        # undef, or why it cannot be had here
#   my $place = install_earlier_version('0.1.0');      # a private installation with that version in it
#   my $node = new_cluster('old', install_path => $place->{bin_parent});
#   replace_by_this_version($place);                   # what upgrading a package does to the files
#
# PostgreSQL finds its library and extension folders by where its own program lies. So a copy of the program, with links to
# everything else of the installation, has folders of its own: no root is needed, and the real ones are not touched.
# The old sources come from .earlier/VERSION.tar (scripts/earlier-versions) or, in a clone, from git.

use strict;
use warnings;

use Cwd qw(abs_path getcwd);
use Exporter 'import';
use File::Basename;
use File::Copy qw(copy);
use File::Path qw(make_path);
use PostgreSQL::Test::Utils;

our @EXPORT = qw(earlier_version_missing install_earlier_version replace_by_this_version);

my $pg_config = $ENV{PG_CONFIG} // 'pg_config';

sub configured {
    my ($what) = @_;
    my $path = `'$pg_config' --$what`;
    chomp $path;
    return $path;
}

# earlier_version_missing(version): why its sources cannot be had, or undef.
sub earlier_version_missing {
    my ($version) = @_;
    my $tar = ".earlier/$version.tar";
    system('scripts/earlier-versions', '.earlier') unless -e $tar;
    return -e $tar ? undef : "the sources of $version are not here: no git, or a clone without its commit";
}

# Runs a command; what it says is kept for the failure's message.
sub run_or_die {
    my (@command) = @_;
    my ($out, $err) = ('', '');
    IPC::Run::run(\@command, '>', \$out, '2>', \$err) or die "@command failed:\n$out$err";
    return;
}

# Links everything of one folder into another, but for names that match.
sub link_all {
    my ($from, $to, $but) = @_;
    make_path($to);
    for my $entry (glob "'$from'/*") {
        my $name = basename($entry);
        next if defined $but && $name =~ $but;
        symlink($entry, "$to/$name") or die "$to/$name: $!";
    }
    return;
}

# install_earlier_version(version): { bin_parent, lib, extension }, the folders of a private installation.
sub install_earlier_version {
    my ($version) = @_;
    # Built once for every installation that it is tested with, and without optimization: nothing of it is measured.
    my $sources = getcwd() . "/.earlier/$version-" . (configured('version') =~ s/\W+/-/gr);
    make_path($sources);
    run_or_die('tar', '-xf', ".earlier/$version.tar", '-C', $sources);
    run_or_die('make', '-s', '-C', $sources, '-j2', "PG_CONFIG=$pg_config", 'CXXFLAGS=-O0', 'all');

    my $folder = abs_path(PostgreSQL::Test::Utils::tempdir_short());
    my %real = map { $_ => configured($_) } qw(bindir pkglibdir sharedir);
    my %place = map { $_ => "$folder/root$real{$_}" } keys %real;
    link_all($real{bindir}, $place{bindir}, qr/^(postgres|initdb|pg_ctl)$/);
    for my $program (qw(postgres initdb pg_ctl)) {
        copy("$real{bindir}/$program", "$place{bindir}/$program") or die "$program: $!";
        chmod 0755, "$place{bindir}/$program";
    }
    link_all($real{pkglibdir}, $place{pkglibdir}, qr/^brainsait/);
    link_all($real{sharedir}, $place{sharedir}, qr/^extension$/);
    link_all("$real{sharedir}/extension", "$place{sharedir}/extension", qr/^brainsait/);
    copy("$sources/brainsait.so", "$place{pkglibdir}/brainsait.so") or die "brainsait.so: $!";
    for my $file ('brainsait.control', "brainsait--$version.sql") {
        copy("$sources/$file", "$place{sharedir}/extension/$file") or die "$file: $!";
    }
    return { bin_parent => dirname($place{bindir}), lib => $place{pkglibdir}, extension => "$place{sharedir}/extension" };
}

# replace_by_this_version(place): the files of the version that is installed take the place of the old ones. As a
# package manager does it, the old library stays with the processes that have it loaded.
sub replace_by_this_version {
    my ($place) = @_;
    unlink glob("'$place->{extension}'/brainsait*");
    for my $file (glob("'" . configured('sharedir') . "'/extension/brainsait*")) {
        copy($file, "$place->{extension}/" . basename($file)) or die "$file: $!";
    }
    for my $library (glob("'" . configured('pkglibdir') . "'/brainsait*.so")) {
        my $name = basename($library);
        copy($library, "$place->{lib}/$name.new") or die "$name: $!";
        rename("$place->{lib}/$name.new", "$place->{lib}/$name") or die "$name: $!";
    }
    return;
}

1;
