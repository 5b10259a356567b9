-- As the administrator: after the attempts. Needs the psql variables before and after (the other shop's checksums).
CALL demo.prove('the other shop''s rows are what they were', :'before' = :'after');
SELECT count(*) AS holes FROM isolation_report() \gset
CALL demo.prove('isolation_report() finds nothing', :holes = 0);
SELECT format(E'\n  CEDAR''s rows afterwards: checksum unchanged (%s).  isolation_report(): %s holes.', left(:'after', 12), :holes);
