# shellcheck shell=bash disable=SC2154,SC2034,SC2016
# Part of demo/run: shows that the wall holds, an order's way into the rollup, and that all figures agree.

heading 'What one shop sees of the other' 'Rows that the application finds, by the tenant of its transaction, and rows that there are.'
# A checksum of everything that the other shop has, before and after the attempts on it.
checksum() { operator -v tenant="${tenant[cedar]}" -f views/checksum.sql; }
checksum_before=$(checksum)
application -v reem="${tenant[reem]}" -v cedar="${tenant[cedar]}" -v there="$(operator -f views/counts.sql)" -f views/walls.sql
echo
application -v tenant="${tenant[reem]}" -v other="${tenant[cedar]}" \
    -v product="$(operator -c "SELECT id FROM products WHERE tenant_id = '${tenant[cedar]}' LIMIT 1")" -f views/attempts.sql
administrator -v before="$checksum_before" -v after="$(checksum)" -f views/unharmed.sql

heading "An order's way into the rollup" "REEM's row of revenue_metrics for today, as others read it after each commit."
in_shop views/journey.sql reem

heading 'Do all figures agree?'
for slug in reem cedar; do in_shop views/agreement.sql "$slug"; done
administrator -v microseconds="$load_time" -f views/integrity.sql
