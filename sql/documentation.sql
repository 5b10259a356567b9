-- The README's reference and the catalogs name the same functions, roles, tables and parameters.
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE EXTENSION brainsait SCHEMA shop;
SET search_path = shop;
\set readme `cat "$PG_ABS_SRCDIR/README.md"`
-- Words like this() that stand in backquotes, anywhere but in blocks of code; of those, the ones that begin a table's row.
CREATE TABLE said AS
SELECT match[1] AS name, bool_or(line ~ ('^\| `' || match[1] || '\(')) AS in_reference
FROM regexp_split_to_table(regexp_replace(:'readme', '```.*?```', '', 'g'), E'\n') AS line, regexp_matches(line, '`([a-z][a-z0-9_]*)\(', 'g') AS match
GROUP BY 1;
SELECT count(*) > 10 AS "the README was found" FROM said;

-- What somebody besides the owner of the extension may call; a comment that begins with Internal says that it is nobody's business,
-- and what stands behind an operator, a cast or an operator class is reached by that.
CREATE TABLE function AS
SELECT p.proname AS name, p.prorettype = 'trigger'::regtype AS is_trigger,
       obj_description(p.oid, 'pg_proc') ~ '^Internal' OR p.proname = 'create_store' AS is_kept,
       p.oid IN (SELECT oprcode FROM pg_operator UNION ALL SELECT castfunc FROM pg_cast UNION ALL SELECT amproc FROM pg_amproc) AS is_behind,
       EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee <> p.proowner) AS is_granted
FROM pg_proc p
JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'brainsait';
SELECT name AS "in the reference, but not in the extension" FROM said WHERE in_reference AND name NOT IN (SELECT name FROM function) ORDER BY 1;
SELECT name AS "granted, but not in the reference" FROM function
WHERE is_granted AND NOT is_trigger AND NOT is_kept AND NOT is_behind AND name NOT IN (SELECT name FROM said WHERE in_reference) ORDER BY 1;
SELECT name AS "internal, but granted to PUBLIC" FROM function JOIN pg_proc p ON p.proname = name AND p.pronamespace = 'shop'::regnamespace
WHERE is_kept AND has_function_privilege('public', p.oid, 'EXECUTE') ORDER BY 1;
SELECT c.relname AS "not in the README" FROM pg_class c
WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'p', 'S', 'v') AND NOT relispartition AND relowner = 'brainsait_owner'::regrole
  AND strpos(:'readme', format('`%s`', relname)) = 0 ORDER BY 1;
SELECT rolname AS "not in the README" FROM pg_roles WHERE shobj_description(oid, 'pg_authid') ~ '^brainsait: ' AND strpos(:'readme', format('| `%s` |', rolname)) = 0;
SELECT name AS "not in the README" FROM pg_settings WHERE name ~ '^brainsait\.' AND strpos(:'readme', format('| `%s` |', name)) = 0;

-- Labels that would let the planner do harm: what writes or draws numbers is neither parallel safe nor stable. Aggregates, what is
-- internal to them and their types, and what is behind operators and casts compute and do nothing else; each of these is parallel safe.
SELECT proname, provolatile, proparallel FROM pg_proc
WHERE pronamespace = 'shop'::regnamespace AND (proparallel <> 'u' OR proleakproof OR prosecdef OR provolatile = 'i')
  AND NOT (prokind = 'a' OR obj_description(oid, 'pg_proc') ~ '^(Internal to (type|aggregate)|Behind the) ') ORDER BY 1;
SELECT proname AS "not parallel safe, or more than computation" FROM pg_proc
WHERE pronamespace = 'shop'::regnamespace AND (prokind = 'a' OR obj_description(oid, 'pg_proc') ~ '^(Internal to (type|aggregate)|Behind the) ')
  AND (proparallel <> 's' OR provolatile = 'v' OR proleakproof OR prosecdef) ORDER BY 1;

DROP EXTENSION brainsait CASCADE;
DROP SCHEMA shop CASCADE;
