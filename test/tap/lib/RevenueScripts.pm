package RevenueScripts;

# Random transactions on orders and payments, as psql scripts. All of them fall on few buckets (tenant, day, currency), so
# that sessions meet. What a script chooses follows from srand.
#
#   my $shops = { tenants => [id, ...], users => { id => [user id, ...] } };
#   print transaction($shops, session => 1, number => 7, as_application => 0, may_truncate => 1);
#   print maintenance($shops, session => 9, number => 7);

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(transaction maintenance uuid one_of);

sub one_of { return $_[ rand @_ ] }

sub uuid {
    my $hex = join '', map { sprintf '%04x', rand 65536 } 1 .. 8;
    return join '-', unpack 'A8A4A4A4A12', $hex;
}
sub quoted { return defined $_[0] ? "'$_[0]'" : 'NULL' }
sub amount { return sprintf '%.2f', rand 500 }
sub currency { return one_of('USD', 'USD', 'SAR', undef) }
sub status { return one_of(qw(pending processing completed completed archived cancelled canceled refunded), undef) }
sub payment_status { return one_of(qw(pending paid partially_refunded refunded failed), undef) }
sub email { return one_of('Ann@example.com', 'ann@example.com', 'bob@example.com', undef) }

# Near the turn of days in both zones, and where New York's clocks change.
sub created_at {
    return one_of('2026-03-08 03:30+00', '2026-03-08 06:59+00', '2026-03-08 07:00+00', '2026-03-08 20:59+00',
        '2026-03-08 21:00+00', '2026-03-09 03:59+00', '2026-03-09 04:00+00', undef);
}

my $shops;
# Not those of a shop that passes by, whose deletion locks its orders in no order.
sub ours { return 'tenant_id IN (' . join(', ', map { "'$_'" } @{ $shops->{tenants} }) . ')' }
sub user_of { return one_of(undef, @{ $shops->{users}{ $_[0] } }) }

sub order_values {
    my ($tenant, $id) = @_;
    return ($id // uuid(), $tenant, 'N' . uuid(), amount(), currency(), status(), payment_status(), user_of($tenant),
        email(), created_at());
}
my $columns = 'id, tenant_id, number, total, currency, status, payment_status, user_id, customer_email, created_at';

# COPY from a file: psql of some minor versions takes the rows that follow a refused COPY for statements.
my $copy_folder = PostgreSQL::Test::Utils::tempdir();
my $copies = 0;
sub copy_of {
    my @rows = @_;
    my $file = "$copy_folder/" . ++$copies;
    PostgreSQL::Test::Utils::append_to_file($file, join '', map { join("\t", map { $_ // '\N' } @$_) . "\n" } @rows);
    return "\\copy orders ($columns) FROM '$file'";
}

sub values_of { return '(' . join(', ', map { quoted($_) } @_) . ')' }

# One statement on the orders that the transaction has locked (psql's variable ids), or on new ones.
sub operation {
    my ($tenant, $may_move) = @_;
    my $ids = ":'ids'::uuid[]";
    my @choices = (
        sub { "INSERT INTO orders ($columns) VALUES " . join(', ', map { values_of(order_values($tenant)) } 1 .. 1 + rand 4) . ';' },
        sub {
            return "DELETE FROM orders WHERE id = ANY ($ids) AND total < 250;" if !$may_move;    # row security refuses COPY FROM
            return copy_of(map { [ order_values($tenant) ] } 1 .. 1 + rand 3);
        },
        sub { 'UPDATE orders SET status = ' . quoted(status()) . " WHERE id = ANY ($ids);" },
        sub { 'UPDATE orders SET payment_status = ' . quoted(payment_status()) . " WHERE id = ANY ($ids);" },
        sub { 'UPDATE orders SET total = ' . amount() . " WHERE id = ANY ($ids);" },
        sub { 'UPDATE orders SET currency = ' . quoted(currency()) . " WHERE id = ANY ($ids);" },
        sub { 'UPDATE orders SET created_at = ' . quoted(created_at()) . " WHERE id = ANY ($ids);" },
        sub { 'UPDATE orders SET created_at = ' . quoted(created_at()) . " WHERE id = ANY ($ids);" },
        sub { 'UPDATE orders SET user_id = ' . quoted(user_of($tenant)) . " WHERE id = ANY ($ids) AND tenant_id = '$tenant';" },
        sub { 'UPDATE orders SET customer_email = ' . quoted(email()) . " WHERE id = ANY ($ids);" },
        sub { "DELETE FROM orders WHERE id IN (SELECT unnest($ids) LIMIT 1);" },
        sub {
            "INSERT INTO orders ($columns) VALUES " . values_of(order_values($tenant))
              . " ON CONFLICT (id) DO NOTHING;\n"
              . "INSERT INTO orders ($columns) SELECT id, tenant_id, number, total + 1, currency, status, payment_status, user_id, customer_email, created_at"
              . " FROM orders WHERE id = ANY ($ids) ON CONFLICT (id) DO UPDATE SET total = excluded.total, currency = 'SAR';";
        },
        sub {
            my @row = order_values($tenant);
            "MERGE INTO orders o USING (SELECT unnest($ids || '$row[0]'::uuid) AS id) n ON o.id = n.id\n"
              . "WHEN MATCHED AND o.total < 100 THEN DELETE\n"
              . "WHEN MATCHED THEN UPDATE SET total = o.total - 10, created_at = " . quoted(created_at()) . "\n"
              . "WHEN NOT MATCHED THEN INSERT ($columns) VALUES (n.id, '$tenant', 'M' || n.id, " . join(', ', map { quoted($_) } @row[ 3 .. $#row ]) . ');';
        },
        (sub {
            "INSERT INTO payments (tenant_id, order_id, amount, refunded_amount) SELECT tenant_id, id, total, "
              . one_of(0, 5, 7.25, 'NULL') . " FROM orders WHERE id = ANY ($ids);";
        }) x 2,
        (sub { 'UPDATE payments SET refunded_amount = ' . one_of(0, amount(), amount(), 'NULL') . " WHERE order_id = ANY ($ids);" }) x 3,
        sub { "DELETE FROM payments WHERE order_id = ANY ($ids);" },
        sub { "UPDATE payments SET order_id = NULL WHERE order_id IN (SELECT unnest($ids) LIMIT 1);" },
        sub {
            "UPDATE payments p SET order_id = o.id FROM (SELECT id, tenant_id FROM orders WHERE id = ANY ($ids) LIMIT 1) o"
              . " WHERE p.order_id = ANY ($ids) AND p.tenant_id = o.tenant_id;";
        });
    push @choices, sub {
        my $other = one_of(@{ $shops->{tenants} });
        "WITH moved AS (UPDATE payments SET tenant_id = '$other' WHERE order_id = ANY ($ids))"
          . " UPDATE orders SET tenant_id = '$other', user_id = NULL WHERE id = ANY ($ids);";
    } if $may_move;
    return one_of(@choices)->() . "\n";
}

# Operations, some of them in savepoints that are kept or rolled back.
sub operations {
    my ($count, @context) = @_;
    my $text = '';
    for (1 .. $count) {
        if (rand() < 0.3) {
            $text .= "SAVEPOINT s;\n" . operations(1 + int(rand 2), @context)
              . one_of('RELEASE SAVEPOINT s;', 'ROLLBACK TO SAVEPOINT s;', 'ROLLBACK TO SAVEPOINT s;') . "\n";
        } else {
            $text .= operation(@context);
        }
    }
    return $text;
}

sub ending {
    my ($of) = @_;
    my $name = "s$of->{session}_$of->{number}";
    my $end = rand();
    return "ROLLBACK;\n" if $end < 0.1;
    return "PREPARE TRANSACTION '$name';\nROLLBACK;\n" . one_of('COMMIT', 'COMMIT', 'ROLLBACK') . " PREPARED '$name';\n"
      if $end < 0.25;
    return "COMMIT;\n";
}

# Orders that were placed before 2026 are on ninety days: more buckets in one transaction than it may lock one by
# one. A third of them have a refund, and move with it.
sub wide {
    my ($tenant) = @_;
    my $ids = ":'ids'::uuid[]";
    return <<"SQL" if rand() < 0.3;
WITH placed AS (
    INSERT INTO orders ($columns)
    SELECT gen_random_uuid(), '$tenant', 'W' || gen_random_uuid(), d, 'USD', NULL, 'paid', NULL, 'wide' || d % 3,
           '2025-02-01 12:00+00'::timestamptz + d * interval '1 day'
    FROM generate_series(1, 90) AS d RETURNING id, tenant_id, total
)
INSERT INTO payments (tenant_id, order_id, amount, refunded_amount) SELECT tenant_id, id, total, 1 FROM placed WHERE total % 3 = 0;
SQL
    return <<"SQL" . one_of("UPDATE orders SET created_at = created_at + interval '1 day' WHERE id = ANY ($ids);\n",
\\set ids '{}'
SELECT coalesce(array_agg(id), '{}') AS ids FROM (SELECT id FROM orders WHERE created_at < '2026-01-01' ORDER BY id LIMIT 150 FOR UPDATE) o \\gset
SQL
        "UPDATE payments SET refunded_amount = refunded_amount + 1 WHERE order_id = ANY ($ids);\n",
        "DELETE FROM orders WHERE id = ANY ($ids);\n");
}

# Before what a released savepoint did is rolled back with the one around it. Who waits for a row that was changed there
# goes on waiting for the whole transaction (XactLockTableWait), first in the row's queue, though the row is free again;
# a third takes it, and the transaction that comes back to the row has to queue behind who waits for it: a deadlock that
# needs no more than one row. Locked before, the row stays with the transaction.
sub lock_payments { return "SELECT id FROM payments WHERE order_id = ANY (:'ids'::uuid[]) ORDER BY id FOR UPDATE \\g /dev/null\n" }

# transaction(shops, session => n, number => n, as_application => bool, may_truncate => bool)
# Transactions lock what they touch in the order of the key, orders before payments, so that nothing the
# application does can deadlock; TRUNCATE takes the tables in that order too.
sub transaction {
    my ($in, %of) = @_;
    $shops = $in;
    my $tenant = one_of(@{ $shops->{tenants} });
    my $text = 'BEGIN ISOLATION LEVEL ' . one_of(('READ COMMITTED') x 3, ('REPEATABLE READ') x 2, 'SERIALIZABLE') . ";\n";
    $text .= "SELECT set_tenant('$tenant');\n" if $of{as_application};
    if (rand() < 0.3) {    # a payment is refunded while others may move its order
        my $from = uuid();
        # Foreign keys lock orders and payments in either order, so a TRUNCATE of both deadlocks with writers unless they
        # name orders first, too.
        $text .= "LOCK TABLE orders IN ACCESS SHARE MODE;\n";
        # Chosen without a lock: one that waits for a row which is moved away meanwhile keeps it, and takes the next one, too.
        # So whoever waits for the one row holds nothing that another transaction wants.
        $text .= "\\set payment 00000000-0000-0000-0000-000000000000\n"
          . "SELECT id AS payment FROM payments WHERE order_id >= '$from' ORDER BY order_id, id LIMIT 1 \\gset\n";
        $text .= "SELECT id FROM payments WHERE id = :'payment' FOR UPDATE \\g /dev/null\n" if rand() < 0.5;
        my $refund = 'UPDATE payments SET refunded_amount = ' . amount() . " WHERE id = :'payment';\n";
        $text .= rand() < 0.3 ? "SAVEPOINT s;\n${refund}ROLLBACK TO SAVEPOINT s;\n$refund" : $refund;
        return $text . ending(\%of);
    }
    return $text . wide($tenant) . ending(\%of) if rand() < 0.02;
    if ($of{may_truncate} && rand() < 0.02) {
        $text .= one_of('TRUNCATE orders, order_items, payments;', 'LOCK TABLE orders IN ROW SHARE MODE; TRUNCATE payments;') . "\n";
        $text .= "\\set ids '{}'\n";
    } else {
        my $from = uuid();
        $text .= "\\set ids '{}'\n"
          . "SELECT coalesce(array_agg(id), '{}') AS ids FROM (SELECT id FROM orders WHERE id >= '$from' AND " . ours() . " ORDER BY id LIMIT "
          . int(1 + rand 4) . " FOR UPDATE) o \\gset\n";
    }
    my $operations = operations(1 + int(rand 4), $tenant, !$of{as_application});
    $text .= lock_payments() if $operations =~ /RELEASE SAVEPOINT.*ROLLBACK TO SAVEPOINT/s;
    return $text . $operations . ending(\%of);
}

# maintenance(shops, session => n, number => n): what an operator does to the rollup while shops are open: days computed
# anew, deltas folded, a time zone changed, a shop that opens and is deleted. Prints what check_revenue_metrics() finds.
sub maintenance {
    my ($in, %of) = @_;
    $shops = $in;
    my $tenant = one_of(@{ $shops->{tenants} });
    my $level = one_of('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
    my $name = "m$of{session}_$of{number}";
    my $fold = "SELECT fold_revenue_deltas() \\g /dev/null\n";
    return one_of(
        $fold, $fold,
        "BEGIN ISOLATION LEVEL $level;\nSELECT 1 FROM tenants LIMIT 1 \\g /dev/null\n$fold" . one_of('COMMIT', 'COMMIT', 'ROLLBACK') . ";\n",
        "BEGIN ISOLATION LEVEL $level;\n${fold}PREPARE TRANSACTION '$name';\n" . one_of('COMMIT', 'ROLLBACK') . " PREPARED '$name';\n",
        (map { "SELECT rebuild_revenue_metrics('$tenant', $_) \\g /dev/null\n" }
            'NULL, NULL', "'2026-03-08', '2026-03-08'", "'2026-03-09', NULL", "NULL, '2026-03-08'", "'2025-03-01', '2025-04-15'"),
        "BEGIN ISOLATION LEVEL $level;\nSELECT rebuild_revenue_metrics('$tenant', NULL, '2026-03-08') \\g /dev/null\n" . one_of('COMMIT', 'ROLLBACK') . ";\n",
        "UPDATE tenants SET settings = " . one_of(map { "'{\"timezone\": \"$_\"}'" } 'Asia/Riyadh', 'America/New_York', 'Pacific/Kiritimati')
          . " WHERE id = '$tenant';\n",
        "BEGIN;\nLOCK TABLE orders, payments IN ACCESS SHARE MODE;\nSELECT * FROM check_revenue_metrics();\nCOMMIT;\n",
        passing_shop($name))
      . "SELECT pg_sleep(" . sprintf('%.3f', rand 0.06) . ") \\g /dev/null\n";
}

# A shop of its own for this once, so nobody else touches its rows but folds and rebuilds do.
sub passing_shop {
    my ($name) = @_;
    my $tenant = uuid();
    my $insert = "INSERT INTO orders (tenant_id, total, created_at, currency) SELECT '$tenant', n, '2026-03-08 12:00+00', 'USD' FROM generate_series(1, 3) AS n;\n";
    return "INSERT INTO tenants (id, name, slug) VALUES ('$tenant', 'Passing', '" . ($name =~ tr/_/-/r) . "');\n"
      . "BEGIN ISOLATION LEVEL REPEATABLE READ;\n${insert}COMMIT;\n$insert"
      . one_of('', "SELECT pg_sleep(0.02) \\g /dev/null\n", "SELECT fold_revenue_deltas() \\g /dev/null\n")
      . "BEGIN;\n" . one_of('', $insert) . "DELETE FROM tenants WHERE id = '$tenant';\n"
      . one_of('COMMIT', "ROLLBACK;\nDELETE FROM tenants WHERE id = '$tenant'") . ";\n";
}

1;
