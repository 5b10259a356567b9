// What maintenance needs the owner of the tables for: dropping and making partitions, and its log.
// An operator's procedure runs with the operator's rights, since one that commits cannot be
// SECURITY DEFINER.

#include "pg/query.hpp"

extern "C" {
#include "utils/lsyscache.h"
}

extern "C" {

PG_FUNCTION_INFO_V1(brainsait_as_owner);

/// The function NAME(...) that is made of this calls owner_NAME(...), with the same arguments and
/// result, as the owner of the store's tables and past FORCE ROW LEVEL SECURITY. owner_NAME must
/// check what it is given: whoever may execute NAME decides what that is.
Datum brainsait_as_owner(PG_FUNCTION_ARGS) {
  using namespace brainsait;
  Oid function = fcinfo->flinfo->fn_oid;
  const pg::Store store = pg::store_of_function(function);
  Oid *types;
  int count;
  Oid result_type = get_func_signature(function, &types, &count);

  StringInfoData text;
  initStringInfo(&text);
  appendStringInfo(&text, "SELECT %s.%s(", store.quoted_schema,
                   quote_identifier(psprintf("owner_%s", get_func_name(function))));
  auto *values = static_cast<Datum *>(palloc0(sizeof(Datum) * (count + 1)));
  auto *nulls = static_cast<char *>(palloc0(count + 1));
  for (int i = 0; i < count; i++) {
    appendStringInfo(&text, "%s$%d", i == 0 ? "" : ", ", i + 1);
    values[i] = PG_GETARG_DATUM(i);
    nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
  }
  appendStringInfoChar(&text, ')');

  pg::OwnerSession session = pg::begin_owner_session(store);
  int code = SPI_execute_with_args(text.data, count, types, values, nulls, false, 1);
  if (code != SPI_OK_SELECT || SPI_processed != 1)
    elog(ERROR, "query on the store's tables failed: %s", SPI_result_code_string(code));
  bool is_null = true;
  Datum result = pg::result_datum(0, 1, is_null);
  if (!is_null && result_type != VOIDOID) {
    int16 length;
    bool by_value;
    get_typlenbyval(result_type, &length, &by_value);
    result = SPI_datumTransfer(result, by_value, length);
  }
  pg::end_owner_session(session);
  if (result_type == VOIDOID)
    PG_RETURN_VOID();
  if (is_null)
    PG_RETURN_NULL();
  return result;
}
}
