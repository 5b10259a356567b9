# Eight sessions change orders and payments at random over few buckets, while a ninth compares the rollup with
# a recomputation in one snapshot, again and again. No difference ever, no deadlock, and no commit that fails
# for the rollup's sake. REVENUE_SEED=n repeats a run's choices.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 8;
my $transactions = $ENV{REVENUE_TRANSACTIONS} // 500;
my $seed = $ENV{REVENUE_SEED} // (time % 1_000_000);
note "seed $seed";

my $node = new_cluster('revenue', conf => "log_line_prefix = '%e [%p] '\nlog_error_verbosity = default\n"
      . "deadlock_timeout = 200ms\nfsync = off");
my $store = create_store($node, 'store');
my @tenants = (
    add_tenant($node, $store, slug => 'riyadh', settings => '{"timezone": "Asia/Riyadh"}'),
    add_tenant($node, $store, slug => 'newyork', settings => '{"timezone": "America/New_York"}'));
my %zone = ($tenants[0] => 'Asia/Riyadh', $tenants[1] => 'America/New_York');
my %users;
for my $tenant (@tenants) {
    for my $i (1 .. 3) {
        push @{ $users{$tenant} }, $node->safe_psql($store,
            "INSERT INTO users (tenant_id, email) VALUES ('$tenant', 'user$i\@example.com') RETURNING id");
    }
}

# The definitions, written a second time, on nothing but the tables themselves.
$node->safe_psql($store, <<'SQL');
CREATE VIEW expected_metrics AS
SELECT o.tenant_id, date(timezone(t.settings ->> 'timezone', o.created_at)) AS date,
       CASE WHEN o.currency IS NULL THEN 'XXX' ELSE o.currency END AS currency,
       sum(o.total) AS total_revenue, count(*)::int AS order_count,
       count(DISTINCT coalesce(o.user_id::text, lower(o.customer_email), o.id::text))::int AS customer_count,
       round(avg(o.total), 2) AS average_order_value,
       sum(CASE WHEN paid.counts THEN o.total ELSE 0 END) AS paid_revenue,
       sum(CASE WHEN paid.counts THEN 1 ELSE 0 END)::int AS paid_order_count,
       sum(refunds.amount) AS refunded_amount,
       sum(CASE WHEN paid.counts THEN o.total ELSE 0 END) - sum(refunds.amount) AS net_revenue
FROM orders o
JOIN tenants t ON t.id = o.tenant_id,
LATERAL (SELECT CASE WHEN o.status IN ('cancelled', 'canceled') THEN false
                     WHEN o.payment_status IN ('paid', 'partially_refunded', 'refunded') THEN true
                     WHEN o.status IN ('completed', 'archived', 'refunded') THEN true
                     ELSE false END) AS paid (counts),
LATERAL (SELECT coalesce(sum(p.refunded_amount), 0) FROM payments p WHERE p.order_id = o.id) AS refunds (amount)
WHERE o.created_at IS NOT NULL
GROUP BY 1, 2, 3;
CREATE VIEW differences AS
WITH stored AS (
    SELECT tenant_id, date, currency::text, total_revenue, order_count, customer_count, average_order_value,
           paid_revenue, paid_order_count, refunded_amount, net_revenue FROM revenue_metrics
), wanted AS (SELECT * FROM expected_metrics)
(SELECT 'stored', * FROM (TABLE stored EXCEPT ALL TABLE wanted) s)
UNION ALL
(SELECT 'wanted', * FROM (TABLE wanted EXCEPT ALL TABLE stored) w);
SQL

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

sub order_values {
    my ($tenant, $id) = @_;
    my $user = one_of(undef, @{ $users{$tenant} });
    return ($id // uuid(), $tenant, 'N' . uuid(), amount(), currency(), status(), payment_status(), $user,
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
        sub { 'UPDATE orders SET user_id = ' . quoted(one_of(undef, @{ $users{$tenant} })) . " WHERE id = ANY ($ids) AND tenant_id = '$tenant';" },
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
        my $other = one_of(@tenants);
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
    my ($session, $number) = @_;
    my $name = "s${session}_$number";
    my $end = rand();
    return "ROLLBACK;\n" if $end < 0.1;
    return "PREPARE TRANSACTION '$name';\nROLLBACK;\n" . one_of('COMMIT', 'COMMIT', 'ROLLBACK') . " PREPARED '$name';\n"
      if $end < 0.25;
    return "COMMIT;\n";
}

# Transactions lock what they touch in the order of the key, orders before payments, so that nothing the
# application does can deadlock; TRUNCATE takes the tables in that order too.
sub transaction {
    my ($session, $number, $as_application) = @_;
    my $tenant = one_of(@tenants);
    my $text = 'BEGIN ISOLATION LEVEL ' . one_of('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ') . ";\n";
    $text .= "SELECT set_tenant('$tenant');\n" if $as_application;
    if (rand() < 0.3) {    # a payment is refunded while others may move its order
        my $from = uuid();
        # Foreign keys lock orders and payments in either order, so a TRUNCATE of both deadlocks with writers unless they
        # name orders first, too.
        $text .= "LOCK TABLE orders IN ACCESS SHARE MODE;\n";
        # One row: whoever waits for it holds nothing that this transaction wants.
        $text .= "\\set payment 00000000-0000-0000-0000-000000000000\n"
          . "SELECT id AS payment FROM payments WHERE order_id >= '$from' ORDER BY order_id, id LIMIT 1 FOR UPDATE \\gset\n";
        my $refund = 'UPDATE payments SET refunded_amount = ' . amount() . " WHERE id = :'payment';\n";
        $text .= rand() < 0.3 ? "SAVEPOINT s;\n${refund}ROLLBACK TO SAVEPOINT s;\n$refund" : $refund;
        return $text . ending($session, $number);
    }
    if (!$as_application && $number < $transactions / 2 && rand() < 0.02) {
        $text .= one_of('TRUNCATE orders, order_items, payments;', 'LOCK TABLE orders IN ROW SHARE MODE; TRUNCATE payments;') . "\n";
        $text .= "\\set ids '{}'\n";
    } else {
        my $from = uuid();
        $text .= "\\set ids '{}'\n"
          . "SELECT coalesce(array_agg(id), '{}') AS ids FROM (SELECT id FROM orders WHERE id >= '$from' ORDER BY id LIMIT "
          . int(1 + rand 4) . " FOR UPDATE) o \\gset\n";
    }
    $text .= operations(1 + int(rand 4), $tenant, !$as_application);
    return $text . ending($session, $number);
}

my $folder = PostgreSQL::Test::Utils::tempdir();
my @children;
for my $session (1 .. $sessions) {
    srand($seed * 100 + $session);
    my $as_application = $session % 3 == 0;
    my $file = "$folder/$session.sql";
    open my $script, '>', $file or die $!;
    print $script transaction($session, $_, $as_application) for 1 .. $transactions;
    close $script;
    my $login = $as_application ? 'app_login' : 'postgres';
    my $connection = $node->connstr($store) . ($as_application ? ' user=app_login' : '');
    my $child = fork // die $!;
    if (!$child) {
        exec "psql -X -q -d '$connection' -f '$file' >'$folder/$session.out' 2>'$folder/$session.err'" or POSIX::_exit(127);
    }
    push @children, $child;
}

# Each comparison is one statement, so one snapshot, taken after it has locked the tables against TRUNCATE.
my ($compared, $differing) = (0, '');
my %running = map { $_ => 1 } @children;
while (%running) {
    for my $child (keys %running) {
        if (waitpid($child, 1) == $child) {    # WNOHANG
            is($?, 0, 'a session ran its whole script') or diag "status $?";
            delete $running{$child};
        }
    }
    my $now = $node->safe_psql($store, 'SELECT * FROM differences');
    $differing .= $now if $now ne '';
    ++$compared;
}
cmp_ok($compared, '>', 10, "the rollup was compared $compared times under load");
is($differing, '', 'and equalled the recomputation every time');

is($node->safe_psql($store, 'SELECT * FROM differences'), '', 'in the end it equals the recomputation');
is($node->safe_psql($store, 'SELECT * FROM check_revenue_metrics()'), '', 'check_revenue_metrics() finds nothing');
is($node->safe_psql($store, 'SELECT sum(rebuild_revenue_metrics(id)) FROM tenants'), '0', 'a rebuild changes nothing');
cmp_ok($node->safe_psql($store, 'SELECT count(*) FROM revenue_metrics WHERE refunded_amount > 0'), '>', 3,
    'refunds were among what was compared');

# The document's order-analytics query, with the session's time zone set to the tenant's.
for my $tenant (@tenants) {
    my $document = $node->safe_psql($store, <<"SQL");
SET timezone = '$zone{$tenant}';
SELECT
    DATE(created_at) as date,
    COUNT(*) as order_count,
    SUM(total) as total_revenue,
    round(AVG(total), 2) as average_order_value
FROM orders
WHERE tenant_id = '$tenant'
    AND created_at >= '2026-03-01'
    AND created_at <= '2026-03-31'
GROUP BY DATE(created_at)
ORDER BY date;
SQL
    my $rollup = $node->safe_psql($store, <<"SQL");
SELECT date, sum(order_count), sum(total_revenue), round(sum(total_revenue) / sum(order_count), 2)
FROM revenue_metrics WHERE tenant_id = '$tenant' GROUP BY date ORDER BY date
SQL
    isnt($document, '', "$zone{$tenant}: there are orders");
    is($rollup, $document, "$zone{$tenant}: the rollup gives what the document's query gives");
}

# Which errors there were, by state and by the statement that got them.
my %errors;
my ($state);
for my $line (split /\n/, slurp_file($node->logfile)) {
    if ($line =~ /^(\w{5}) \[\d+\] ERROR:  (.*)/) { $state = "$1 $2" =~ s/"s\d+_\d+"/"..."/r; }
    elsif (defined $state && $line =~ /^\w{5} \[\d+\] STATEMENT:  (\w+)/) { ++$errors{$state}{$1}; undef $state; }
}
for my $kind (sort keys %errors) {
    note "$kind: ", join ', ', map { "$_ $errors{$kind}{$_}" } sort keys %{ $errors{$kind} };
}
my @at_the_end = grep { my $e = $errors{$_}; !/^(25P02|42704|3B001)/ && grep { /COMMIT|PREPARE/i } keys %$e } keys %errors;
is("@at_the_end", '', 'no commit failed');
is(join(' ', grep { /^40P01/ } keys %errors), '', 'no deadlock');
# 25P02, 42704 and 3B001 only follow from an earlier error in the transaction; the foreign key refuses to move
# an order to another tenant together with its payments where REPEATABLE READ does not see one of them.
my @strange = grep {
    !/^(40001 could not serialize access due to concurrent (update|delete)|25P02|42704 prepared transaction|3B001 savepoint)/
      && !/^23503 .*"payments_order_id_fkey"/
} keys %errors;
is("@strange", '', 'no error but those that concurrent writers of the same orders give one another');

done_testing();
