-- References are checked by a shorter way than PostgreSQL's query where a row of the store's is inserted. What they refuse, and
-- what they let in, is what foreign keys always do.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION brainsait;
CREATE FUNCTION id(name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT md5(name)::uuid';
INSERT INTO tenants (id, name, slug) VALUES (id('a'), 'A', 'a'), (id('b'), 'B', 'b');
INSERT INTO users (id, tenant_id, email) VALUES (id('ann'), id('a'), 'ann@example.com'), (id('bob'), id('b'), 'bob@example.com'), (id('cat'), id('a'), 'cat@example.com');
INSERT INTO products (id, tenant_id, name, price) VALUES (id('tea'), id('a'), '{"en": "Tea"}', 1), (id('oil'), id('b'), '{"en": "Oil"}', 1);
CREATE VIEW shown AS SELECT number, tenant_id = id('a') AS a, user_id = id('ann') AS ann FROM orders ORDER BY number;

-- The first statement of a session finds the store not known yet, those after it do.
INSERT INTO orders (id, tenant_id, user_id, number, total) VALUES (id('o1'), id('a'), id('ann'), '1', 1);
INSERT INTO orders (id, tenant_id, user_id, number, total) VALUES (id('o2'), id('a'), id('ann'), '2', 1), (id('o3'), id('a'), NULL, '3', 1), (id('o4'), id('b'), id('bob'), '4', 1);
TABLE shown;
-- No such tenant; no such user; another tenant's user; one bad row among good ones, whatever its place.
INSERT INTO orders (tenant_id, number, total) VALUES (id('nobody'), '5', 1);
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('nobody'), '5', 1);
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('bob'), '5', 1);
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '5', 1), (id('b'), id('ann'), '6', 1);
INSERT INTO orders (tenant_id, user_id, number, total)
SELECT id('a'), CASE i WHEN 777 THEN id('nobody') WHEN 500 THEN NULL ELSE id('ann') END, 'x' || i, 1 FROM generate_series(1, 1000) AS i;
TABLE shown;
INSERT INTO order_items (tenant_id, order_id, product_id, product_name, price, total) VALUES
    (id('a'), id('o1'), id('tea'), 'Tea', 1, 1), (id('a'), id('o1'), NULL, 'Water', 1, 1), (id('b'), id('o4'), id('oil'), 'Oil', 1, 1);
INSERT INTO order_items (tenant_id, order_id, product_id, product_name, price, total) VALUES (id('a'), id('o1'), id('oil'), 'Oil', 1, 1);
INSERT INTO order_items (tenant_id, order_id, product_name, price, total) VALUES (id('b'), id('o1'), 'Tea', 1, 1);
INSERT INTO payments (tenant_id, order_id, amount) VALUES (id('a'), id('o1'), 1), (id('a'), NULL, 1);
INSERT INTO payments (tenant_id, order_id, amount) VALUES (id('b'), id('o1'), 1);
SELECT count(*) FROM order_items;
SELECT count(*) FROM payments;

-- What the same transaction, and the same statement, does to the referenced row counts.
BEGIN;
INSERT INTO users (id, tenant_id, email) VALUES (id('dan'), id('a'), 'dan@example.com');
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('dan'), '10', 1);
DELETE FROM users WHERE id = id('dan');
SELECT user_id IS NULL FROM orders WHERE number = '10';
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('dan'), '11', 1);
ROLLBACK;
BEGIN;
SAVEPOINT s;
INSERT INTO users (id, tenant_id, email) VALUES (id('dan'), id('a'), 'dan@example.com');
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('dan'), '10', 1);
ROLLBACK TO s;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('dan'), '10', 1);
ROLLBACK;
WITH new AS (INSERT INTO users (id, tenant_id, email) VALUES (id('eve'), id('a'), 'eve@example.com') RETURNING id)
INSERT INTO orders (tenant_id, user_id, number, total) SELECT id('a'), id, '12', 1 FROM new;
WITH gone AS (DELETE FROM users WHERE id = id('cat') RETURNING id)
INSERT INTO orders (tenant_id, user_id, number, total) SELECT id('a'), id, '13', 1 FROM gone;
SELECT count(*) FROM users WHERE id = id('cat');
INSERT INTO users (id, tenant_id, email) VALUES (id('cat'), id('a'), 'cat@example.com');
-- A trigger of the application takes the row away between two rows of one statement.
CREATE FUNCTION take_away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users WHERE id = id('cat') AND NEW.number = '15'; RETURN NULL; END $$;
CREATE TRIGGER "A" AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION take_away();
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('cat'), '14', 1), (id('a'), id('ann'), '15', 1), (id('a'), id('cat'), '16', 1);
DROP TRIGGER "A" ON orders;
SELECT count(*) FROM users WHERE id = id('cat');
-- A row that is gone before its reference is checked needs no referenced row.
CREATE FUNCTION vanish() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM orders WHERE id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER "A" AFTER INSERT ON orders FOR EACH ROW WHEN (NEW.number = '17') EXECUTE FUNCTION vanish();
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('nobody'), '17', 1);
DROP TRIGGER "A" ON orders;
SELECT count(*) FROM orders WHERE number = '17';

-- What keeps a referenced row: a lock on its key, where its table is guarded, its transaction inserts few and reads as of each
-- statement; else PostgreSQL's own on the row. "keys" are locks of class 0xBC, "rows" what pgrowlocks sees.
CREATE EXTENSION pgrowlocks SCHEMA pg_catalog;
CREATE FUNCTION kept(OUT keys bigint, OUT users text, OUT tenants text, OUT orders text) LANGUAGE sql VOLATILE AS $$
SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 188 AND pid = pg_backend_pid()),
       (SELECT string_agg(DISTINCT modes::text, ' ') FROM pgrowlocks('users')),
       (SELECT string_agg(DISTINCT modes::text, ' ') FROM pgrowlocks('tenants')),
       (SELECT string_agg(DISTINCT modes::text, ' ') FROM pgrowlocks('orders'))
$$;
BEGIN;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '30', 1);
SELECT * FROM kept();
-- The same key again is the same lock; a rollback gives back what was locked since.
SAVEPOINT s;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '31', 1), (id('a'), id('eve'), '32', 1), (id('b'), id('bob'), '33', 1);
SELECT * FROM kept();
ROLLBACK TO s;
SELECT * FROM kept();
ROLLBACK;
SELECT * FROM kept();
-- A row that the transaction wrote itself needs no lock; an order of another one does, as ever.
BEGIN;
INSERT INTO orders (id, tenant_id, number, total) VALUES (id('own'), id('a'), '34', 1);
INSERT INTO order_items (tenant_id, order_id, product_name, price, total) VALUES (id('a'), id('own'), 'Tea', 1, 1);
INSERT INTO payments (tenant_id, order_id, amount) VALUES (id('a'), id('own'), 1);
SELECT * FROM kept();
INSERT INTO payments (tenant_id, order_id, amount) VALUES (id('a'), id('o1'), 1);
SELECT * FROM kept();
ROLLBACK;
-- Many keys: sixteen are locked, the others' rows.
INSERT INTO users (id, tenant_id, email) SELECT id('user' || i), id('a'), i || '@example.com' FROM generate_series(1, 100) AS i;
BEGIN;
INSERT INTO orders (tenant_id, user_id, number, total) SELECT id('a'), id('user' || i), 'm' || i, 1 FROM generate_series(1, 40) AS i;
SELECT * FROM kept();
SELECT count(*) FROM pgrowlocks('users');
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('user1'), 'again', 1);
SELECT * FROM kept();
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '35', 1);
SELECT * FROM kept();
ROLLBACK;
-- Where the guard does not fire for everybody, keys would keep nothing.
ALTER TABLE users DISABLE TRIGGER zz_brainsait_references;
ALTER TABLE tenants ENABLE TRIGGER zz_brainsait_references;
BEGIN;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '36', 1);
SELECT * FROM kept();
ROLLBACK;
DROP TRIGGER zz_brainsait_references ON users;
CREATE TRIGGER zz_brainsait_references BEFORE UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION guard_references('id');
ALTER TABLE users ENABLE ALWAYS TRIGGER zz_brainsait_references;
ALTER TABLE tenants ENABLE ALWAYS TRIGGER zz_brainsait_references;
BEGIN;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '37', 1);
SELECT * FROM kept();
ROLLBACK;
DROP TRIGGER zz_brainsait_references ON users;
SELECT create_store();
BEGIN;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '38', 1);
SELECT * FROM kept();
ROLLBACK;
-- Who deletes locks one key each, from the 65th on the tenant's; a tenant's stands for all of its users'. A change that leaves
-- the key alone locks none.
BEGIN;
UPDATE users SET name = 'A', id = id;
SELECT keys FROM kept();
DELETE FROM users WHERE id = id('user1');
SELECT keys FROM kept();
DELETE FROM users WHERE email LIKE '%@example.com' AND tenant_id = id('a') AND id <> id('ann');
SELECT keys FROM kept();
ROLLBACK;
BEGIN;
UPDATE users SET id = id('other') WHERE id = id('user1');
SELECT keys FROM kept();
ROLLBACK;
BEGIN;
DELETE FROM tenants WHERE id = id('a');
SELECT keys FROM kept();
ROLLBACK;
-- Of very many tenants' the table is locked.
BEGIN;
INSERT INTO tenants (id, name, slug) SELECT id('t' || i), 'T', 't-' || i FROM generate_series(1, 1010) AS i;
DELETE FROM tenants WHERE slug LIKE 't-%';
SELECT keys FROM kept();
SELECT mode FROM pg_locks WHERE relation = 'tenants'::regclass AND pid = pg_backend_pid() AND mode = 'ExclusiveLock';
ROLLBACK;
DELETE FROM users WHERE email SIMILAR TO '[0-9]+@example.com';

DROP FUNCTION kept;
DROP EXTENSION pgrowlocks;

-- Deferred, dropped, made anew, of another kind.
ALTER TABLE orders ALTER CONSTRAINT orders_user_id_fkey DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('fay'), '20', 1);
INSERT INTO users (id, tenant_id, email) VALUES (id('fay'), id('a'), 'fay@example.com');
COMMIT;
BEGIN;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('nobody'), '21', 1);
COMMIT;
ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('nobody'), '22', 1);
DELETE FROM orders WHERE number = '22';
ALTER TABLE orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id, tenant_id) REFERENCES users (id, tenant_id) MATCH FULL NOT VALID;
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('nobody'), '23', 1);
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), NULL, '23', 1);
INSERT INTO orders (tenant_id, user_id, number, total) VALUES (id('a'), id('ann'), '24', 1);
-- Columns of other types, of the application.
CREATE TABLE carriers (code text PRIMARY KEY);
INSERT INTO carriers VALUES ('land');
ALTER TABLE orders ADD COLUMN carrier text REFERENCES carriers;
INSERT INTO orders (tenant_id, user_id, number, total, carrier) VALUES (id('a'), id('ann'), '25', 1, 'land');
INSERT INTO orders (tenant_id, user_id, number, total, carrier) VALUES (id('a'), id('ann'), '26', 1, 'sea');
SELECT count(*) FROM orders WHERE number IN ('24', '25');

DROP VIEW shown;
DROP TABLE carriers CASCADE;
DROP FUNCTION id, take_away, vanish;
SET client_min_messages = error;
DROP OWNED BY brainsait_owner CASCADE;
DROP EXTENSION IF EXISTS brainsait CASCADE;
