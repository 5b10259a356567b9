\echo Use "ALTER EXTENSION brainsait UPDATE TO '0.2.0'" to load this file. \quit
-- From 0.1.0 to 0.2.0: what the install script, which follows this in the upgrade, cannot replace. Functions, procedures,
-- aggregates, views, triggers, policies and privileges that are new or changed need nothing here, nor do new tables and
-- what sql/install/table_changes.sql adds to old ones. What went, or has other arguments or another result now, does:
--     DROP FUNCTION @extschema@.name(type, ...);
-- and so does a privilege that was taken back.

DROP FUNCTION @extschema@.store_parts();

-- The tables are not left out of an upgrade, whatever the session has set.
SET LOCAL row_security = on;
