# Orders, items and payments are inserted while their tenants and users are deleted, get other keys and come back, with
# savepoints, prepared transactions and REPEATABLE READ among them. No snapshot ever shows a row that references nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use StoreCluster;
use Test::More;

my ($sessions, $seconds) = (10, $ENV{REFERENCE_SECONDS} // 8);
my $node = new_cluster('references', conf => "synchronous_commit = off\ndeadlock_timeout = '20ms'\nlog_lock_waits = off");
my $db = create_store($node, 'store');

$node->safe_psql($db, <<'SQL');
CREATE FUNCTION tenant(i int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(i::text, 32, '0')::uuid $$;
CREATE FUNCTION customer(t int, i int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(t || lpad(i::text, 3, '0'), 32, '0')::uuid $$;
CREATE FUNCTION any_of(n int) RETURNS int LANGUAGE sql VOLATILE AS $$ SELECT 1 + floor(random() * n)::int $$;

CREATE PROCEDURE open_shop(t int) LANGUAGE sql AS $$
    INSERT INTO tenants (id, name, slug) VALUES (tenant(t), 'T', 'shop-' || t) ON CONFLICT DO NOTHING;
    INSERT INTO users (id, tenant_id, email) SELECT customer(t, i), tenant(t), i || '@example.com' FROM generate_series(1, 5) AS i ON CONFLICT DO NOTHING
$$;

CREATE PROCEDURE insert_order(t int, many int) LANGUAGE plpgsql AS $$
DECLARE
    made uuid := gen_random_uuid();
BEGIN
    INSERT INTO orders (id, tenant_id, user_id, total)
    SELECT CASE i WHEN 1 THEN made ELSE gen_random_uuid() END, tenant(t), CASE WHEN random() < 0.9 THEN customer(t, any_of(5)) END, i
    FROM generate_series(1, many) AS i;
    IF random() < 0.4 THEN
        INSERT INTO order_items (tenant_id, order_id, product_name, price, total) VALUES (tenant(t), made, 'Tea', 1, 1), (tenant(t), made, 'Oil', 1, 1);
        INSERT INTO payments (tenant_id, order_id, amount) VALUES (tenant(t), made, 1);
    END IF;
    IF random() < 0.2 THEN -- an order that is there already, whoever is deleting it
        INSERT INTO payments (tenant_id, order_id, amount)
        SELECT tenant_id, id, 1 FROM orders WHERE tenant_id = tenant(t) ORDER BY random() LIMIT 1;
    END IF;
END
$$;

CREATE TABLE outcome (kind text, state text);

-- One transaction's work; what fails is noted and undone.
CREATE PROCEDURE shop() LANGUAGE plpgsql AS $$
DECLARE
    t int := any_of(3);
BEGIN
    FOR i IN 1 .. any_of(3) LOOP
        CALL insert_order(t, CASE WHEN random() < 0.05 THEN 30 ELSE any_of(2) END);
        BEGIN
            CALL insert_order(any_of(3), 1);
            IF random() < 0.5 THEN RAISE division_by_zero; END IF;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
        IF random() < 0.1 THEN UPDATE users SET last_login = now() WHERE id = customer(t, any_of(5)); END IF;
        PERFORM pg_sleep(random() * 0.01);
    END LOOP;
END
$$;
CREATE PROCEDURE take_away() LANGUAGE plpgsql AS $$
DECLARE
    t int := any_of(3);
    what float := random();
BEGIN
    BEGIN
        IF what < 0.4 THEN
            DELETE FROM users WHERE id = customer(t, any_of(5));
        ELSIF what < 0.6 THEN
            UPDATE users SET id = gen_random_uuid() WHERE id = customer(t, any_of(5))
                AND NOT EXISTS (SELECT FROM orders WHERE user_id = users.id);
        ELSIF what < 0.7 THEN
            DELETE FROM users WHERE tenant_id = tenant(t);
        ELSIF what < 0.8 THEN
            DELETE FROM orders WHERE id = (SELECT id FROM orders WHERE tenant_id = tenant(t) ORDER BY random() LIMIT 1);
        ELSE
            DELETE FROM tenants WHERE id = tenant(t);
        END IF;
        PERFORM pg_sleep(random() * 0.01);
        IF random() < 0.2 THEN RAISE division_by_zero; END IF;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    IF random() < 0.5 THEN CALL open_shop(t); END IF;
END
$$;
CREATE PROCEDURE reopen() LANGUAGE sql AS 'CALL open_shop(any_of(3))';
CREATE PROCEDURE noted(work text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CALL %I()', work);
    INSERT INTO outcome VALUES (work, 'done');
EXCEPTION WHEN OTHERS THEN
    INSERT INTO outcome VALUES (work, SQLSTATE);
    IF SQLSTATE NOT IN ('23503', '23505', '40001', '40P01') THEN RAISE WARNING 'unexpected: % %', SQLSTATE, SQLERRM; END IF;
END
$$;
CREATE VIEW orphans AS
    SELECT 'orders' AS kind, o.id FROM orders o
    WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = o.tenant_id)
       OR o.user_id IS NOT NULL AND NOT EXISTS (SELECT FROM users u WHERE u.tenant_id = o.tenant_id AND u.id = o.user_id)
    UNION ALL
    SELECT 'users', u.id FROM users u WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = u.tenant_id)
    UNION ALL
    SELECT 'order_items', i.id FROM order_items i WHERE NOT EXISTS (SELECT FROM orders o WHERE o.tenant_id = i.tenant_id AND o.id = i.order_id)
    UNION ALL
    SELECT 'payments', p.id FROM payments p WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = p.tenant_id)
       OR p.order_id IS NOT NULL AND NOT EXISTS (SELECT FROM orders o WHERE o.tenant_id = p.tenant_id AND o.id = p.order_id)
    UNION ALL
    SELECT 'revenue_metrics', m.id FROM revenue_metrics m WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.id = m.tenant_id);
CALL open_shop(1); CALL open_shop(2); CALL open_shop(3);
SQL

my %scripts = (
    'shop@12' => 'CALL noted(\'shop\');',
    'repeatable@2' => "BEGIN ISOLATION LEVEL REPEATABLE READ;\nCALL noted('shop');\nCOMMIT;",
    'prepared@2' => "\\set n random(1, 1000000000)\nBEGIN;\nCALL noted('shop');\nPREPARE TRANSACTION 'p:client_id:n';\n\\sleep 5 ms\nCOMMIT PREPARED 'p:client_id:n';",
    'taken@1' => "\\set n random(1, 1000000000)\nBEGIN;\nCALL noted('take_away');\nPREPARE TRANSACTION 't:client_id:n';\n\\sleep 5 ms\nCOMMIT PREPARED 't:client_id:n';",
    'take_away@5' => 'CALL noted(\'take_away\');',
    'reopen@2' => 'CALL noted(\'reopen\');');
my @files;
for my $name (sort keys %scripts) {
    my ($file, $weight) = split /@/, $name;
    my $path = $node->basedir . "/$file.sql";
    PostgreSQL::Test::Utils::append_to_file($path, "$scripts{$name}\n");
    push @files, '-f', "$path\@$weight";
}
my ($out, $err) = ('', '');
my $load = IPC::Run::start(
    [ 'pgbench', '-n', '-c', $sessions, '-j', 2, '-T', $seconds, '--max-tries', 20, @files, $node->connstr($db) ], '>', \$out, '2>', \$err);

# While they run: one statement sees one snapshot.
my ($looks, $most) = (0, 0);
while ($load->pumpable) {
    my $orphans = $node->safe_psql($db, 'SELECT count(*) FROM orphans');
    $most = $orphans if $orphans > $most;
    ++$looks;
    $load->pump_nb;
}
ok($load->finish, 'the load went through') or diag "$out\n$err";
cmp_ok($looks, '>', 3, 'looked at it while it ran');
is($most, 0, 'no snapshot showed a row that references nothing');
is($node->safe_psql($db, 'SELECT * FROM orphans LIMIT 5'), '', 'nor does the end');
is($node->safe_psql($db, 'SELECT count(*) FROM pg_prepared_xacts'), 0, 'nothing is left prepared');
unlike($err, qr/unexpected|ERROR(?!.*(deadlock|could not serialize))/, 'no failure but those that are to be expected');

my %count = map { split /\|/ } split /\n/, $node->safe_psql($db, "SELECT kind || ' ' || state, count(*) FROM outcome GROUP BY 1");
note join ', ', map { "$_: $count{$_}" } sort keys %count;
cmp_ok($count{'shop done'} // 0, '>', 100, 'orders were inserted');
cmp_ok($count{'take_away done'} // 0, '>', 20, 'rows that they reference were taken away');
cmp_ok($count{'shop 23503'} // 0, '>', 10, 'some came too late');
is($node->safe_psql($db, 'SELECT fold_revenue_deltas() >= 0'), 't', 'the rollup is folded');
is($node->safe_psql($db, 'SELECT count(*) FROM check_revenue_metrics()'), 0, 'and is what the orders give');

done_testing();
