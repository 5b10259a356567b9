package AttackedStore;

# The store that StoreAttacks.pm is aimed at, and what one attack came to.

use strict;
use warnings;
use Exporter 'import';
use StoreAttacks;
use StoreCluster;

our @EXPORT = qw(fill_attacked_store checksums run_attack);

my ($acme, $bazaar) = (acme, bazaar);

# fill_attacked_store(node, database)
# Two of everything for Acme, three for Bazaar; "bzr" is in every text of Bazaar's and in no statement of Acme's.
sub fill_attacked_store {
    my ($node, $store) = @_;
    $node->safe_psql($store, <<"SQL");
INSERT INTO tenants (id, name, slug, domain, status) VALUES
    ('$acme', 'acme', 'acme', 'acme.example', 'active'), ('$bazaar', 'bzr name', 'bzr-shop', 'bzr.example', 'active'),
    ('cccccccc-0000-4000-8000-000000000000', 'closed', 'closed', NULL, 'suspended');
CREATE TEMP TABLE mine AS
    SELECT t.id AS tenant, (left(t.id::text, -1) || n)::uuid AS id, CASE t.slug WHEN 'acme' THEN 'acme' ELSE 'bzr' END AS mark, n
    FROM tenants t, generate_series(1, CASE t.slug WHEN 'acme' THEN 2 ELSE 3 END) n WHERE t.status = 'active';
INSERT INTO users (id, tenant_id, email, name) SELECT id, tenant, mark || n || '\@example.com', mark || ' ' || n FROM mine;
INSERT INTO products (id, tenant_id, name, category, price) SELECT id, tenant, jsonb_build_object('en', mark), mark || ' ' || n, 10 FROM mine;
INSERT INTO orders (id, tenant_id, user_id, number, total, customer_email, customer_name, payment_status)
    SELECT id, tenant, id, 'N-' || mark || '-' || n, 100, mark || '\@example.com', mark || ' ' || n, 'paid' FROM mine;
INSERT INTO order_items (id, tenant_id, order_id, product_id, product_name, price, total) SELECT id, tenant, id, id, mark, 10, 10 FROM mine;
INSERT INTO payments (id, tenant_id, order_id, payment_intent_id, amount, provider) SELECT id, tenant, id, 'pi-' || mark || '-' || n, 100, mark FROM mine;
INSERT INTO analytics_events (id, tenant_id, event_type, user_id, session_id, "timestamp")
    SELECT id, tenant, mark, id, mark || ' ' || n, at FROM mine, (VALUES (now()), ('2001-01-01')) AS t (at);
INSERT INTO integrations (id, tenant_id, name, type, credentials) SELECT id, tenant, mark, mark || n, jsonb_build_object('key', mark) FROM mine;
INSERT INTO webhooks (id, tenant_id, url, events, secret, description) SELECT id, tenant, 'https://' || mark, '{}', mark, mark FROM mine;
INSERT INTO webhook_deliveries (id, tenant_id, webhook_id, event_id, event_type, payload, created_at)
    SELECT id, tenant, id, id, mark || ' ' || n, jsonb_build_object('x', mark), at FROM mine, (VALUES (now()), ('2001-01-01')) AS t (at);
CREATE VIEW orders_of_owner AS SELECT * FROM orders;
ALTER VIEW orders_of_owner OWNER TO brainsait_owner;
GRANT SELECT, UPDATE ON orders_of_owner TO brainsait_app;
CREATE FUNCTION count_of_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS 'SELECT count(*) FROM orders';
ALTER FUNCTION count_of_owner() OWNER TO brainsait_owner;
ALTER TABLE users SET (parallel_workers = 2);
ANALYZE;
SQL
}

# A checksum of every row of Bazaar's, table by table.
sub checksums {
    my ($node, $database) = @_;
    return $node->safe_psql($database, <<"SQL");
SELECT format('SELECT %L, count(*), md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM %s t WHERE %I = %L;',
              c.relname, c.oid::regclass, CASE c.relname WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END, '$bazaar')
FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'operator_access' ORDER BY 1 \\gexec
SQL
}

# Runs one attack; returns whether it came out as expected, whether it leaked, what happened, and who denied it:
# 'guard', 'harden' (a privilege that harden_database() takes from PUBLIC), 'token' or ''.
sub run_attack {
    my ($node, $database, $attack) = @_;
    local $ENV{PGOPTIONS} = $attack->{options} // '';
    my ($out, $error, $state) = $attack->{bare}
        ? run_as($node, $database, 'app_login', "$attack->{sql};")
        : run_in_tenant($node, $database, $acme, $attack->{sql});
    my $expect = $attack->{expect};
    my $met = ref $expect ? $state eq '' && $out =~ $expect
        : $expect =~ /\A= (.*)\z/s ? $state eq '' && $out eq $1
        : $state =~ /\A(?:$expect)\z/;
    $met ||= $state eq $attack->{refused} if $attack->{refused};
    $met &&= $error =~ $attack->{messages} if $attack->{messages} && $state eq '';
    my $leaked = $out =~ /bzr/ || (!$attack->{guess} && $error =~ /bzr/);
    my $denied = $state eq '28000' && $error =~ /a signed token is required/ ? 'token'
        : $state ne '42501' ? ''
        : $error =~ /denied to members of brainsait_app/ ? 'guard'
        : $error =~ /permission denied (?:for function \w|to create temporary tables)/ ? 'harden' : '';
    return ($met, $leaked, "expected $expect, got SQLSTATE '$state'\noutput: $out\nmessages: $error", $denied);
}

1;
