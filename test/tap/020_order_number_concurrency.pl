# Eight sessions, 2,000 orders each, at once: every number unique under {CODE}; under {SEQ} unique and without a gap, while
# transactions and savepoints roll back at random.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use Test::More;

my ($sessions, $orders) = (8, 2000);
my $node = new_cluster('numbers', conf => 'synchronous_commit = off');
my $db = create_store($node, 'store');
my $code = add_tenant($node, $db, slug => 'code');
my $seq = add_tenant($node, $db, slug => 'seq', settings => '{"order_number_format": "{TENANT}-{SEQ}"}');
my $daily = add_tenant($node, $db, slug => 'daily', settings =>
        '{"timezone": "Asia/Riyadh", "order_number_format": "{TENANT}-{YYYY}{DDD}-{SEQ:4}-{CHECK}", "order_number_reset": "day"}');

# write_orders(tenant, orders left, at most this many per transaction): commits until all are there. Of the transactions
# some roll back as a whole, some roll an inner block back, some keep it. Numbers that were kept are counted by hand.
$node->safe_psql($db, <<'SQL');
CREATE PROCEDURE write_orders(tenant uuid, wanted int, most int) LANGUAGE plpgsql AS $$
DECLARE
    left_over int := wanted;
    here int;
    extra int;
BEGIN
    WHILE left_over > 0 LOOP
        BEGIN -- set_tenant() wants a transaction block, which a block with exceptions is
            PERFORM set_tenant(tenant);
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        here := least(left_over, 1 + floor(random() * most)::int);
        extra := floor(random() * 4)::int;
        IF random() < 0.5 THEN
            -- The first number of the transaction inside a block that fails.
            BEGIN
                INSERT INTO orders (total) SELECT 1 FROM generate_series(0, extra);
                RAISE EXCEPTION 'not these';
            EXCEPTION WHEN raise_exception THEN NULL;
            END;
        END IF;
        INSERT INTO orders (total, created_at)
        SELECT 1, '2026-03-09 20:00+00'::timestamptz + floor(random() * 4) * interval '1 hour' FROM generate_series(1, here);
        BEGIN
            INSERT INTO orders (total) SELECT 2 FROM generate_series(0, extra);
            BEGIN
                INSERT INTO orders (total) VALUES (3);
            EXCEPTION WHEN raise_exception THEN NULL;
            END;
            RAISE EXCEPTION 'not these';
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
        IF random() < 0.2 THEN
            ROLLBACK;
        ELSE
            COMMIT;
            left_over := left_over - here;
        END IF;
    END LOOP;
END
$$;
GRANT EXECUTE ON PROCEDURE write_orders TO app_login;
SQL

# Runs the procedure in all sessions at once; returns how many of them failed, and tells why.
sub write_at_once {
    my ($tenant, $most, $wanted) = @_;
    $wanted //= $orders;
    my @runs = map {
        my ($out, $err) = ('', '');
        my $run = { out => \$out, err => \$err };
        $run->{process} = IPC::Run::start(
            [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-U', 'app_login', '-d', $node->connstr($db),
                '-c', "CALL write_orders('$tenant', $wanted, $most)" ],
            '>', \$out, '2>', \$err);
        $run;
    } 1 .. $sessions;
    my $failed = 0;
    for my $run (@runs) {
        next if $run->{process}->finish;
        diag ${ $run->{err} };
        $failed++;
    }
    return $failed;
}

my $all = $sessions * $orders;

is(write_at_once($code, 20), 0, 'CODE: no session fails');
is($node->safe_psql($db, "SELECT count(*), count(DISTINCT number), bool_and(order_number_is_valid(number, 'ORD-{YYYY}{MM}{DD}-{CODE:6}')) FROM orders WHERE tenant_id = '$code'"),
    "$all|$all|t", 'CODE: all numbers are unique and valid');

is(write_at_once($seq, 20), 0, 'SEQ: no session fails');
is($node->safe_psql($db, "SELECT count(*), count(DISTINCT number), min(n), max(n) FROM (SELECT number, split_part(number, '-', 2)::int AS n FROM orders WHERE tenant_id = '$seq') AS numbers"),
    "$all|$all|1|$all", 'SEQ: 1 to the last, every number once');
is($node->safe_psql($db, "SELECT last_value FROM order_number_counters WHERE tenant_id = '$seq'"), $all, 'SEQ: the counter stands at the last number');

# Two days of Riyadh, counted each for itself: transactions take both counters in any order, so some deadlock and are
# sent back. The procedure is repeated until all orders are there; what counts is that no gap is left.
$node->safe_psql($db, <<"SQL");
CREATE PROCEDURE write_days(tenant uuid, wanted int) LANGUAGE plpgsql AS \$\$
DECLARE
    left_over int := wanted;
BEGIN
    WHILE left_over > 0 LOOP
        BEGIN
            PERFORM set_tenant(tenant);
            INSERT INTO orders (total, created_at)
            SELECT 1, '2026-03-09 20:00+00'::timestamptz + floor(random() * 2) * interval '1 hour' FROM generate_series(1, 5);
            left_over := left_over - 5;
        EXCEPTION WHEN deadlock_detected THEN NULL;
        END;
        COMMIT;
    END LOOP;
END
\$\$;
GRANT EXECUTE ON PROCEDURE write_days TO app_login;
ALTER DATABASE store SET deadlock_timeout = '10ms';
SQL
my @runs = map { IPC::Run::start([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-U', 'app_login', '-d', $node->connstr($db),
        '-c', "CALL write_days('$daily', 250)" ]) } 1 .. $sessions;
is(scalar(grep { !$_->finish } @runs), 0, 'SEQ by day: no session fails');
is($node->safe_psql($db, <<"SQL"), "t|t|t|2000", 'SEQ by day: each day 1 to its last, every number once, dates and check characters right');
SELECT bool_and(orders = highest AND highest = last_value), count(*) = 2, bool_and(valid), sum(orders)
FROM (SELECT to_char(created_at AT TIME ZONE 'Asia/Riyadh', 'YYYY-MM-DD') AS day, count(DISTINCT number) AS orders,
             max(split_part(number, '-', 3)::int) AS highest,
             bool_and(order_number_is_valid(number, '{TENANT}-{YYYY}{DDD}-{SEQ:4}-{CHECK}')
                      AND split_part(number, '-', 2) = to_char(created_at AT TIME ZONE 'Asia/Riyadh', 'YYYYDDD')) AS valid
      FROM orders WHERE tenant_id = '$daily' GROUP BY 1) AS days
JOIN order_number_counters ON tenant_id = '$daily' AND period = day
SQL

# Prepared transactions keep what they counted, and whoever comes next waits for them.
my $order = "INSERT INTO orders (tenant_id, total) VALUES ('$seq', 1) RETURNING split_part(number, '-', 2)::int - $all";
is($node->safe_psql($db, "BEGIN; $order; $order; PREPARE TRANSACTION 'numbers'"), "1\n2", '2PC: two numbers are drawn');
my ($status, undef, $error) = $node->psql($db, "SET lock_timeout = '50ms'; $order");
like($error, qr/lock timeout/, '2PC: the next number waits for the prepared transaction');
$node->stop('immediate');
$node->start;
($status, undef, $error) = $node->psql($db, "SET lock_timeout = '50ms'; $order");
like($error, qr/lock timeout/, '2PC: also after a crash');
is($node->safe_psql($db, "COMMIT PREPARED 'numbers'; $order"), '3', '2PC: after its commit the next one follows');
is($node->safe_psql($db, "BEGIN; $order; $order; PREPARE TRANSACTION 'numbers'"), "4\n5", '2PC: two more');
is($node->safe_psql($db, "ROLLBACK PREPARED 'numbers'; $order"), '4', '2PC: after its rollback they are given again');

# A crash loses nothing that was committed, and no code comes twice.
is(write_at_once($code, 20, 100), 0, 'CODE after a crash: no session fails');
is($node->safe_psql($db, "SELECT count(DISTINCT number) FROM orders WHERE tenant_id = '$code'"), $all + 100 * $sessions, 'CODE after a crash: all numbers are unique');

done_testing();
