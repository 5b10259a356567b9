// rebuild_revenue_metrics(): a tenant's rows of the rollup computed anew.

#include "pg/query.hpp"
#include "revenue_fold.hpp"
#include "revenue_pending.hpp"
#include "revenue_rows.hpp"
#include "tenant_settings.hpp"

extern "C" {
#include "storage/lmgr.h"
}

namespace brainsait {
namespace {

// The tenant's orders on the days asked for, $1 tenant, $2 and $3 first and last day, $4 time zone.
// The bounds on created_at are two days wider than any time zone's days, for the index; the day
// decides.
#define COUNTED_ORDERS                                                                             \
  "WITH counted AS (SELECT * FROM ("                                                               \
  "  SELECT o.id, pg_catalog.timezone($4, o.created_at)::pg_catalog.date AS day,"                  \
  "         COALESCE(o.currency, 'XXX')::pg_catalog.text AS currency, o.total,"                    \
  "         @store@.revenue_customer(o.user_id, o.customer_email, o.id) AS customer,"              \
  "         COALESCE(NOT o.status::pg_catalog.text OPERATOR(pg_catalog.=) ANY"                     \
  "                   ('{cancelled,canceled}'::pg_catalog.text[]), true)"                          \
  "         AND (COALESCE(o.payment_status::pg_catalog.text OPERATOR(pg_catalog.=) ANY"            \
  "                   ('{paid,partially_refunded,refunded}'::pg_catalog.text[]), false)"           \
  "           OR COALESCE(o.status::pg_catalog.text OPERATOR(pg_catalog.=) ANY"                    \
  "                   ('{completed,archived,refunded}'::pg_catalog.text[]), false)) AS paid"       \
  "  FROM @store@.orders o"                                                                        \
  "  WHERE o.tenant_id OPERATOR(pg_catalog.=) $1"                                                  \
  "    AND o.created_at OPERATOR(pg_catalog.>=)"                                                   \
  "        pg_catalog.timezone('UTC', $2 OPERATOR(pg_catalog.-) '2 days'::pg_catalog.interval)"    \
  "    AND o.created_at OPERATOR(pg_catalog.<=)"                                                   \
  "        pg_catalog.timezone('UTC', $3 OPERATOR(pg_catalog.+) '3 days'::pg_catalog.interval)) o" \
  " WHERE day OPERATOR(pg_catalog.>=) $2 AND day OPERATOR(pg_catalog.<=) $3)"

pg::StoreQuery rebuild_customers(
    COUNTED_ORDERS
    ", fresh AS MATERIALIZED ("
    "  SELECT day, currency, customer, pg_catalog.count(*)::pg_catalog.int4 AS order_count"
    "  FROM counted GROUP BY day, currency, customer"
    "), gone AS ("
    "  DELETE FROM @store@.revenue_customers c"
    "  WHERE c.tenant_id OPERATOR(pg_catalog.=) $1 AND c.date OPERATOR(pg_catalog.>=) $2"
    "    AND c.date OPERATOR(pg_catalog.<=) $3"
    "    AND NOT EXISTS (SELECT FROM fresh f WHERE f.day OPERATOR(pg_catalog.=) c.date"
    "                    AND f.currency OPERATOR(pg_catalog.=) c.currency::pg_catalog.text"
    "                    AND f.customer OPERATOR(pg_catalog.=) c.customer)) "
    "INSERT INTO @store@.revenue_customers AS c (tenant_id, date, currency, customer, order_count) "
    "SELECT $1, day, currency, customer, order_count FROM fresh "
    "ON CONFLICT (tenant_id, date, currency, customer) DO UPDATE"
    " SET order_count = excluded.order_count"
    " WHERE c.order_count OPERATOR(pg_catalog.<>) excluded.order_count",
    UUIDOID, DATEOID, DATEOID, TEXTOID);

pg::StoreQuery rebuild_metrics(
    COUNTED_ORDERS
    ", refunds AS ("
    "  SELECT p.order_id, pg_catalog.sum(p.refunded_amount) AS amount FROM @store@.payments p"
    "  WHERE p.tenant_id OPERATOR(pg_catalog.=) $1 AND p.refunded_amount OPERATOR(pg_catalog.<>) 0"
    "  GROUP BY p.order_id"
    "), sums AS ("
    "  SELECT day, currency, COALESCE(pg_catalog.sum(total), 0) AS total,"
    "    pg_catalog.count(*)::pg_catalog.int4 AS orders,"
    "    pg_catalog.count(DISTINCT customer)::pg_catalog.int4 AS customers,"
    "    COALESCE(pg_catalog.sum(total) FILTER (WHERE paid), 0) AS paid,"
    "    pg_catalog.count(*) FILTER (WHERE paid)::pg_catalog.int4 AS paid_orders,"
    "    COALESCE(pg_catalog.sum(r.amount), 0) AS refunded"
    "  FROM counted LEFT JOIN refunds r ON r.order_id OPERATOR(pg_catalog.=) id"
    "  GROUP BY day, currency"
    "), fresh AS MATERIALIZED ("
    "  SELECT *, pg_catalog.round(total OPERATOR(pg_catalog./) orders::pg_catalog.numeric, 2) AS "
    "average,"
    "    paid OPERATOR(pg_catalog.-) refunded AS net FROM sums"
    "), gone AS ("
    "  DELETE FROM @store@.revenue_metrics m"
    "  WHERE m.tenant_id OPERATOR(pg_catalog.=) $1 AND m.date OPERATOR(pg_catalog.>=) $2"
    "    AND m.date OPERATOR(pg_catalog.<=) $3"
    "    AND NOT EXISTS (SELECT FROM fresh f WHERE f.day OPERATOR(pg_catalog.=) m.date"
    "                    AND f.currency OPERATOR(pg_catalog.=) m.currency::pg_catalog.text)"
    "  RETURNING 1"
    "), written AS ("
    "  INSERT INTO @store@.revenue_metrics AS m (tenant_id, date, currency, total_revenue, "
    "order_count,"
    "    customer_count, average_order_value, paid_revenue, paid_order_count, refunded_amount,"
    "    net_revenue)"
    "  SELECT $1, day, currency, total, orders, customers, average, paid, paid_orders, refunded, "
    "net"
    "  FROM fresh"
    "  ON CONFLICT (tenant_id, date, currency) DO UPDATE SET"
    "    total_revenue = excluded.total_revenue, order_count = excluded.order_count,"
    "    customer_count = excluded.customer_count,"
    "    average_order_value = excluded.average_order_value,"
    "    paid_revenue = excluded.paid_revenue, paid_order_count = excluded.paid_order_count,"
    "    refunded_amount = excluded.refunded_amount, net_revenue = excluded.net_revenue"
    // Null in the row (documented columns have no NOT NULL) is a difference, too.
    "  WHERE (m.total_revenue OPERATOR(pg_catalog.=) excluded.total_revenue"
    "     AND m.order_count OPERATOR(pg_catalog.=) excluded.order_count"
    "     AND m.customer_count OPERATOR(pg_catalog.=) excluded.customer_count"
    "     AND m.average_order_value OPERATOR(pg_catalog.=) excluded.average_order_value"
    "     AND m.paid_revenue OPERATOR(pg_catalog.=) excluded.paid_revenue"
    "     AND m.paid_order_count OPERATOR(pg_catalog.=) excluded.paid_order_count"
    "     AND m.refunded_amount OPERATOR(pg_catalog.=) excluded.refunded_amount"
    "     AND m.net_revenue OPERATOR(pg_catalog.=) excluded.net_revenue) IS NOT TRUE"
    "  RETURNING 1) "
    "SELECT (SELECT pg_catalog.count(*) FROM gone)"
    "       OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM written)",
    UUIDOID, DATEOID, DATEOID, TEXTOID);

pg::StoreQuery
    remove_deltas("DELETE FROM @store@.revenue_deltas d"
                  " WHERE d.tenant_id OPERATOR(pg_catalog.=) $1"
                  "  AND d.date OPERATOR(pg_catalog.>=) $2 AND d.date OPERATOR(pg_catalog.<=) $3",
                  UUIDOID, DATEOID, DATEOID);

pg::StoreQuery lock_tenant("SELECT FROM @store@.tenants WHERE id OPERATOR(pg_catalog.=) $1 "
                           "FOR KEY SHARE",
                           UUIDOID);

} // namespace

// The lock excludes whoever writes rows of the rollup, or takes deltas away. Others go on appending
// deltas: one snapshot tells which of their orders are counted here, and those orders' deltas go.
int64 rebuild_revenue_days(const pg::Store &store, const pg_uuid_t &tenant, int32 from_day,
                           int32 to_day) {
  LockRelationOid(store_table(store, "orders"), AccessShareLock);
  LockRelationOid(store_table(store, "payments"), AccessShareLock);
  LockRelationOid(store_table(store, "revenue_metrics"), ShareRowExclusiveLock);
  // Read after the lock, like everything else: whoever changes the zone rebuilds under this lock.
  const TenantSettings &settings = tenant_settings(store, tenant);
  if (!settings.exists)
    return 0;
  (void)tenant_time_zone(settings); // names a zone, or raises
  Datum arguments[] = {UUIDPGetDatum(&tenant), DateADTGetDatum(from_day), DateADTGetDatum(to_day),
                       CStringGetTextDatum(settings.time_zone)};
  Snapshot moment = RegisterSnapshot(GetLatestSnapshot());
  rebuild_customers.run_at(store, moment, arguments);
  rebuild_metrics.run_at(store, moment, arguments);
  int64 rows = DatumGetInt64(pg::result_scalar());
  remove_deltas.run_at(store, moment, arguments);
  UnregisterSnapshot(moment);
  return rows;
}

} // namespace brainsait

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_rebuild_revenue_metrics);

/// rebuild_revenue_metrics(tenant uuid, from_date date, to_date date) -> bigint: rows of
/// revenue_metrics that were wrong. Null dates: without bound. Errors: 22004 null tenant, 22023
/// unknown tenant or from_date after to_date, 25006 on a standby, 55000 under a subscription.
Datum brainsait_rebuild_revenue_metrics(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  if (PG_ARGISNULL(0))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("tenant must not be null")));
  pg_uuid_t tenant = *PG_GETARG_UUID_P(0);
  DateADT from_day = PG_ARGISNULL(1) ? DATEVAL_NOBEGIN : PG_GETARG_DATEADT(1);
  DateADT to_day = PG_ARGISNULL(2) ? DATEVAL_NOEND : PG_GETARG_DATEADT(2);
  if (from_day > to_day)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("from_date must not be after to_date")));
  const pg::Store store = pg::store_of_function(fcinfo->flinfo->fn_oid);
  require_own_rollup(store, "rebuild_revenue_metrics()");
  if (!tenant_settings(store, tenant).exists)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("tenant %s does not exist",
                    DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&tenant))))));

  pg::OwnerSession session = pg::begin_owner_session(store);
  // Who is deleting the tenant is waited for before anything of the rollup is held.
  Datum id = UUIDPGetDatum(&tenant);
  lock_tenant.run(store, &id);
  lock_all_zones();
  int64 rows = rebuild_revenue_days(store, tenant, from_day, to_day);
  pg::end_owner_session(session);
  note_revenue_rebuilt(store, {to_core(tenant), from_day, to_day, true});
  PG_RETURN_INT64(rows);
}
}
