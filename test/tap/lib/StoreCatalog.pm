package StoreCatalog;

# Everything that the catalogs say of a store, as lines that can be compared between databases.
#
#   my $text = store_catalog($node, $db);
#   same_text(store_catalog($node, $other), $text, 'the same catalogs');    # of StoreRows
#
# Rows of catalogs are taken whole, as jsonb, and only what differs from database to database is left out or spelled by
# name: object identifiers, sizes, flags that a table once set and never clears. So a property that nobody thought of is
# compared as well, and one that a later PostgreSQL adds.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(store_catalog);

my $functions = <<'SQL';
CREATE FUNCTION pg_temp.privileges(acl aclitem[]) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(format('%s=%s%s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, privilege_type,
                           CASE WHEN is_grantable THEN '*' ELSE '' END), ' ' ORDER BY grantee = 0, grantee::regrole::text, privilege_type)
  FROM aclexplode(acl)$$;
CREATE FUNCTION pg_temp.name_of(class oid, object oid, sub integer DEFAULT 0) RETURNS text LANGUAGE sql AS
$$SELECT type || ' ' || identity FROM pg_identify_object(class, object, sub)$$;
SQL

my $queries = <<'SQL';

SELECT 'extension', extversion, extnamespace::regnamespace, extrelocatable FROM pg_extension WHERE extname = 'brainsait';
SELECT 'schema', nspname, nspowner::regrole, pg_temp.privileges(nspacl) FROM pg_namespace WHERE (oid >= 16384 OR nspname = 'public') AND nspname !~ '^pg_';

-- Members of the extension, and whatever lies in a schema, of all kinds.
SELECT 'member', pg_temp.name_of(d.classid, d.objid, d.objsubid) FROM pg_depend d
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'brainsait'
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';
SELECT 'object', pg_temp.name_of(classid, objid, objsubid), deptype FROM pg_depend
WHERE refclassid = 'pg_namespace'::regclass AND refobjid <> pg_my_temp_schema() AND objid >= 16384;
SELECT 'event trigger', evtname FROM pg_event_trigger;

SELECT 'relation', c.oid::regclass, to_jsonb(c) - '{oid,relname,relnamespace,relfilenode,relpages,reltuples,relallvisible,relallfrozen,reltype,reloftype,relowner,relam,
           reltoastrelid,relfrozenxid,relminmxid,relhasindex,relhasrules,relhastriggers,relhassubclass,relnatts,relchecks,relacl,relpartbound}'::text[],
       'owner', c.relowner::regrole, pg_temp.privileges(c.relacl), 'toast', c.reltoastrelid <> 0,
       (SELECT amname FROM pg_am WHERE oid = c.relam), pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid),
       (SELECT string_agg(inhparent::regclass::text, ' ' ORDER BY inhseqno) FROM pg_inherits WHERE inhrelid = c.oid)
FROM pg_class c WHERE c.oid >= 16384 AND c.relnamespace <> 'pg_toast'::regnamespace AND c.relpersistence <> 't';
-- Columns by their place among those that are there.
SELECT 'column', c.oid::regclass, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname, format_type(a.atttypid, a.atttypmod),
       to_jsonb(a) - '{attrelid,attname,atttypid,attnum,attcollation,attacl,attoptions,attmissingval,atthasmissing,attcacheoff}'::text[],
       -- Some minor releases keep a stamp of a column's version in its options.
       (SELECT string_agg(o, ' ' ORDER BY o) FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg_attver=%'), pg_temp.privileges(a.attacl), a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.oid >= 16384 AND c.relnamespace <> 'pg_toast'::regnamespace AND c.relpersistence <> 't';
SELECT 'constraint', pg_temp.name_of('pg_constraint'::regclass, k.oid), pg_get_constraintdef(k.oid), k.contype, k.condeferrable, k.condeferred,
       k.convalidated, k.conislocal, k.coninhcount,
       CASE WHEN k.contype NOT IN ('p', 'u') THEN k.connoinherit END -- keys have no such thing, and a dump writes it otherwise
FROM pg_constraint k WHERE k.oid >= 16384 AND k.conrelid <> 0;
SELECT 'index', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid),
       to_jsonb(i) - '{indexrelid,indrelid,indkey,indcollation,indclass,indoption,indexprs,indpred,indcheckxmin}'::text[]
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid AND c.relnamespace <> 'pg_toast'::regnamespace WHERE i.indexrelid >= 16384;
SELECT 'trigger', pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE oid >= 16384 AND NOT tgisinternal;
SELECT 'policy', polrelid::regclass, polname, polcmd, polpermissive, ARRAY(SELECT r::regrole::text FROM unnest(polroles) AS r ORDER BY 1),
       pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid) FROM pg_policy;
SELECT 'rule', pg_get_ruledef(oid), ev_enabled FROM pg_rewrite WHERE oid >= 16384;
SELECT 'sequence', seqrelid::regclass, to_jsonb(s) - '{seqrelid,seqtypid}'::text[], seqtypid::regtype,
       (SELECT pg_temp.name_of(refclassid, refobjid, refobjsubid) FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a', 'i'))
FROM pg_sequence s WHERE seqrelid >= 16384;

SELECT 'routine', p.oid::regprocedure, to_jsonb(p) - '{oid,proname,pronamespace,proowner,prolang,provariadic,prorettype,proargtypes,proallargtypes,proargdefaults,protrftypes,prosqlbody,proacl}'::text[],
       'owner', p.proowner::regrole, (SELECT lanname FROM pg_language WHERE oid = p.prolang), pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
       pg_get_function_sqlbody(p.oid), pg_temp.privileges(p.proacl)
FROM pg_proc p WHERE p.oid >= 16384 AND p.pronamespace <> pg_my_temp_schema();
SELECT 'aggregate', a.aggfnoid::regprocedure, to_jsonb(a) - '{aggfnoid,aggsortop,aggtranstype,aggmtranstype}'::text[],
       a.aggsortop::regoperator, a.aggtranstype::regtype, a.aggmtranstype::regtype FROM pg_aggregate a WHERE a.aggfnoid >= 16384;
SELECT 'type', t.oid::regtype, to_jsonb(t) - '{oid,typnamespace,typowner,typrelid,typelem,typarray,typbasetype,typcollation,typdefaultbin,typacl}'::text[],
       'owner', t.typowner::regrole, t.typrelid::regclass, t.typelem::regtype, t.typarray::regtype, t.typbasetype::regtype, t.typcollation::regcollation, pg_temp.privileges(t.typacl)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid >= 16384 AND n.nspname !~ '^pg_(toast|temp)';
SELECT 'operator', o.oid::regoperator, to_jsonb(o) - '{oid,oprnamespace,oprowner,oprleft,oprright,oprresult,oprcom,oprnegate}'::text[], o.oprowner::regrole,
       o.oprresult::regtype, o.oprcom::regoperator, o.oprnegate::regoperator FROM pg_operator o WHERE o.oid >= 16384;
SELECT 'operator class', pg_temp.name_of('pg_opclass'::regclass, oid), opcowner::regrole, opcintype::regtype, opckeytype::regtype, opcdefault,
       pg_temp.name_of('pg_opfamily'::regclass, opcfamily) FROM pg_opclass WHERE oid >= 16384;
SELECT 'operator of family', pg_temp.name_of('pg_amop'::regclass, oid), amopopr::regoperator, amoppurpose FROM pg_amop WHERE oid >= 16384;
SELECT 'function of family', pg_temp.name_of('pg_amproc'::regclass, oid), amproc::regprocedure FROM pg_amproc WHERE oid >= 16384;
SELECT 'cast', pg_temp.name_of('pg_cast'::regclass, oid), castfunc::regprocedure, castcontext, castmethod FROM pg_cast WHERE oid >= 16384;

SELECT 'comment', pg_temp.name_of(classoid, objoid, objsubid), description FROM pg_description WHERE objoid >= 16384;
SELECT 'initial privileges', pg_temp.name_of(classoid, objoid, objsubid), privtype, pg_temp.privileges(initprivs) FROM pg_init_privs WHERE objoid >= 16384;
SELECT 'default privileges', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, pg_temp.privileges(defaclacl) FROM pg_default_acl;
SELECT 'statistics', pg_get_statisticsobjdef(oid) FROM pg_statistic_ext;
SQL

# store_catalog(node, database): a line of JSON for each thing, sorted.
sub store_catalog {
    my ($node, $database) = @_;
    my @selects = split /;\s*\n/, $queries =~ s/^--.*\n//mgr;
    return $node->safe_psql($database, join "\n", "SET client_min_messages = warning;\nSET search_path = pg_catalog;", $functions,
        map { qq{SELECT line FROM (SELECT row_to_json(q)::text AS line FROM ($_) AS q) AS lines ORDER BY line COLLATE "C";} } @selects);
}

1;
