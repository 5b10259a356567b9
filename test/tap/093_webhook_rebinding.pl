# A name that resolves to an address that may be sent to, and then to one that may not: what counts is the address of each
# connection. The server's resolver is test/clients/fake_names.c, which lets no connection leave the machine.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use WebhookEndpoints;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
system_or_bail('cc', '-shared', '-fPIC', '-o', "$folder/fake_names.so", "$FindBin::RealBin/../clients/fake_names.c", '-ldl');

my $node = new_cluster('rebinding', start => 0, conf => <<'CONF');
fsync = off
shared_preload_libraries = 'brainsait_dispatcher'
brainsait_dispatcher.naptime = 100ms
CONF
{
    local %ENV = (%ENV, LD_PRELOAD => "$folder/fake_names.so", FAKE_NAMES => "$folder/names");
    $node->start;
}
my $store = create_store($node, 'shop');
my $tenant = add_tenant($node, $store, slug => 'riyadh');

# One delivery to that name, which has those addresses: what became of it, and which addresses were tried. The dispatcher
# begins anew, since libcurl keeps a name's addresses for a minute.
my $events = 0;
sub deliver {
    my ($name, @addresses) = @_;
    unlink "$folder/names", "$folder/names.tried";
    append_to_file("$folder/names", "$name @addresses\n");
    my $event = 'test.name' . ++$events;
    add_webhook($node, $store, $tenant, "https://$name/$events", $event);
    $node->safe_psql($store, 'SELECT start_webhook_dispatcher()');
    emit($node, $store, $tenant, $event, 1);
    settle($node, $store, "@addresses: there is an outcome");
    $node->safe_psql($store, 'SELECT stop_webhook_dispatcher()');
    my $tried = -e "$folder/names.tried" ? join ' ', split /\n/, slurp_file("$folder/names.tried") : '';
    return $node->safe_psql($store, "SELECT error FROM webhook_deliveries WHERE event_type = '$event'") . ": $tried";
}

my $refused = 'the host\'s address is not allowed: ';
is(deliver('rebind.example', '93.184.215.14'), 'no connection to the host: 93.184.215.14', 'an address that may be sent to is tried');
is(deliver('rebind.example', $_), $refused, "then the name is $_: no connection is tried")
  for qw(127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 ::1 ::ffff:127.0.0.1 fd00::1 fe80::1 64:ff9b::7f00:1);
is(deliver('rebind.example', '93.184.215.14', '127.0.0.1'), "${refused}93.184.215.14", 'two addresses: only the one that may be is tried');
is(deliver('rebind.example', '127.0.0.1', '93.184.215.14'), "${refused}93.184.215.14", 'in either order');
is(deliver('rebind.example', '2606:2800:21f:cb07:6820:80da:af6b:8b2c'), 'no connection to the host: 2606:2800:21f:cb07:6820:80da:af6b:8b2c', 'and one of IPv6');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'no process crashed');

done_testing();
