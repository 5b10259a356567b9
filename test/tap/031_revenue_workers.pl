# The rollup under load with a worker that folds many times a second, and without any worker, where writers fold.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use RevenueLoad;
use Test::More;

revenue_under_load('worker', folded => 1,
    restarted => "shared_preload_libraries = 'brainsait'\nbrainsait.rollup_databases = 'store'\nbrainsait.rollup_naptime = 40ms\nbrainsait.guard = off\n");    # the load locks tables
revenue_under_load('off', conf => "brainsait.rollup_naptime = 0\n");

done_testing();
