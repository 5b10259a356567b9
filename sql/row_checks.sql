-- The trigger that stands for CHECKs on products, orders, order_items and payments: what it says, whom it sees last,
-- and what it does when an application changes the table.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
INSERT INTO tenants (id, name, slug) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'Acme', 'acme');
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 1);

-- The fields of the error are those of a CHECK, and the column besides.
CREATE FUNCTION fields(statement text, OUT state text, OUT message text, OUT "schema" text, OUT "table" text, OUT "column" text, OUT "constraint" text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, "schema" = SCHEMA_NAME, "table" = TABLE_NAME, "column" = COLUMN_NAME, "constraint" = CONSTRAINT_NAME;
END
$$;
\x on
SELECT * FROM fields('UPDATE orders SET total = -0.01');
\x off
CREATE TABLE twin (total numeric(10, 2) CONSTRAINT orders_total_not_negative CHECK (total >= 0));
SELECT (checked).message = replace((twin).message, 'twin', 'orders') AS "as a CHECK says it"
FROM (SELECT fields('UPDATE orders SET total = -0.01') AS checked, fields('INSERT INTO twin VALUES (-0.01)') AS twin) AS both_ways;

-- Statements of every kind.
\set VERBOSITY terse
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'B', -1);
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'A', 1)
    ON CONFLICT (number) DO UPDATE SET total = -1;
MERGE INTO orders USING (VALUES (1)) AS source ON true WHEN MATCHED THEN UPDATE SET currency = 'usd';
COPY orders (tenant_id, number, total, currency) FROM stdin;
aaaaaaaa-0000-4000-8000-000000000000	B	1	US
\.
WITH placed AS (INSERT INTO orders (tenant_id, number, total, payment_status) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'B', 1, '') RETURNING 1) TABLE placed;
-- Currencies and statuses of every length and of letters beyond ASCII.
SELECT currency, (fields(format('UPDATE orders SET currency = %L', currency)))."constraint" IS NULL AS allowed,
       currency ~ '^[A-Z]{3}$' IS NOT FALSE AS expected
FROM unnest(ARRAY[NULL, '', 'U', 'US', 'USD', 'SAR', 'AZ@', 'AZ[', 'usd', 'UsD', 'US ', ' US', 'ÄÖÜ', 'ÜS', E'US\n', '123']) AS currency;
SELECT total, (fields(format('UPDATE orders SET total = %L', total)))."constraint" IS NULL AS allowed,
       total >= 0 AND total < 'NaN' AS expected
FROM unnest(ARRAY[0, 0.00, 0.01, -0.01, 12345678.9, -12345678.9, 'NaN']::numeric[]) AS total;

-- What triggers of the application make of a row is checked: names up to zz_ come before.
CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.total := -5; RETURN NEW; END $$;
CREATE TRIGGER a_first BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION spoil();
UPDATE orders SET total = 2;
ALTER TRIGGER a_first ON orders RENAME TO z_late;
UPDATE orders SET total = 2;
INSERT INTO orders (tenant_id, number, total) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', 'B', 1);
DROP TRIGGER z_late ON orders;

-- Replicated changes are checked, as by a CHECK.
SET session_replication_role = replica;
UPDATE orders SET total = -1;
RESET session_replication_role;

-- The row's tenant does not matter: an application sees the same.
CREATE ROLE regress_checks_app LOGIN;
GRANT brainsait_app TO regress_checks_app;
GRANT USAGE ON SCHEMA shop TO regress_checks_app;
SET SESSION AUTHORIZATION regress_checks_app;
BEGIN;
SELECT shop.set_tenant('aaaaaaaa-0000-4000-8000-000000000000') \g /dev/null
UPDATE shop.orders SET total = -1;
ROLLBACK;
RESET SESSION AUTHORIZATION;
SET search_path = shop;

-- Columns that an application changes or drops, in a session that has checked before.
UPDATE products SET price = -1;
INSERT INTO products (tenant_id, name, price) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', '{"en": "x"}', -1);
ALTER TABLE products ADD COLUMN stock integer, DROP COLUMN currency;
INSERT INTO products (tenant_id, name, price, stock) VALUES ('aaaaaaaa-0000-4000-8000-000000000000', '{"en": "x"}', 1, -1);
CREATE OR REPLACE TRIGGER zz_brainsait_checks BEFORE INSERT OR UPDATE ON products
    FOR EACH ROW EXECUTE FUNCTION check_columns('price', 'not_negative', 'stock', 'positive');
UPDATE products SET price = 2;
UPDATE products SET stock = 1, status = '';
ALTER TABLE products ALTER COLUMN price TYPE text;
UPDATE products SET price = '-1';
ALTER TABLE products RENAME TO goods;
UPDATE goods SET stock = 0;

SET client_min_messages = warning;
DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
REVOKE brainsait_app FROM regress_checks_app;
DROP ROLE regress_checks_app;
