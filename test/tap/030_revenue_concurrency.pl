# The rollup under load as it is by default, where every transaction waits for its buckets, and where the application has
# put triggers on the rollup's tables.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use RevenueLoad;
use Test::More;

revenue_under_load('default', folded => 1);
revenue_under_load('wait', conf => "brainsait.rollup_wait = on\n", wait => 1);
revenue_under_load('queries', folded => 1, queries => 1);

done_testing();
