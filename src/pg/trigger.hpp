#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// The trigger data of a row or statement trigger call; raises 39P01 where `fcinfo` is no trigger
/// call, since anybody may try SELECT on a trigger function.
inline TriggerData &trigger_data(FunctionCallInfo fcinfo, const char *function) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("%s() must be called as a trigger", function)));
  return *reinterpret_cast<TriggerData *>(fcinfo->context);
}

/// The number of the column of that name; raises 42703 where the relation has none.
inline int column_number(Relation relation, const char *name) {
  int number = SPI_fnumber(RelationGetDescr(relation), name);
  if (number <= 0)
    ereport(ERROR,
            (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("relation \"%s\" has no column \"%s\"",
                                                       RelationGetRelationName(relation), name)));
  return number;
}

/// `row` with one column set to a value.
inline HeapTuple with_column(HeapTuple row, Relation relation, int number, Datum value) {
  bool is_null = false;
  return heap_modify_tuple_by_cols(row, RelationGetDescr(relation), 1, &number, &value, &is_null);
}

} // namespace brainsait::pg
