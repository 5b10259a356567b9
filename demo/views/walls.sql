-- As the application: the same counts with either shop's context and with none. Needs the psql variables reem and
-- cedar (ids) and there (the counts that the operator finds).
\set counts `cat views/counts.sql | tr -d ';'`
BEGIN;
SELECT set_tenant(:'reem') \gset
SELECT (:counts) AS found \gset reem_
COMMIT;
BEGIN;
SELECT set_tenant(:'cedar') \gset
SELECT (:counts) AS found \gset cedar_
COMMIT;
SELECT (:counts) AS found \gset nobody_

SELECT demo.paint('  ' || rpad('', 18) || demo.cell('as REEM', 14) || demo.cell('as CEDAR', 14) || demo.cell('as nobody', 14)
                  || demo.cell('there are', 14), 'dim');
SELECT '  ' || rpad(key, 18) || demo.cell(demo.whole((:'reem_found'::json ->> key)::numeric), 14)
       || demo.cell(demo.whole((:'cedar_found'::json ->> key)::numeric), 14)
       || demo.cell(demo.whole((:'nobody_found'::json ->> key)::numeric), 14) || demo.cell(demo.whole(value::numeric), 14)
FROM json_each_text(:'there');
SELECT bool_and((:'reem_found'::json ->> key)::bigint + (:'cedar_found'::json ->> key)::bigint = value::bigint
                AND (:'reem_found'::json ->> key)::bigint > 0 AND (:'cedar_found'::json ->> key)::bigint > 0
                AND (:'nobody_found'::json ->> key)::bigint = 0) AS holds
FROM json_each_text(:'there') \gset
CALL demo.prove('each row is seen by one shop and by nobody else', :'holds');
