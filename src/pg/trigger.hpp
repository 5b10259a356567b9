#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// The trigger data of a call. Raises 39P01 where `fcinfo` is no trigger call, or where
/// `fits(TriggerEvent)` says that the trigger fires at a time, for an event or at a level that the
/// function is not made for: what a TriggerData holds depends on all three, and owners of tables
/// put triggers where they like. `when` words what fits, as in CREATE TRIGGER.
template <typename Fits>
TriggerData &trigger_data(FunctionCallInfo fcinfo, const char *function, const char *when,
                          Fits fits) {
  if (!CALLED_AS_TRIGGER(fcinfo))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("%s() must be called as a trigger", function)));
  auto &data = *reinterpret_cast<TriggerData *>(fcinfo->context);
  if (!fits(data.tg_event))
    ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                    errmsg("%s() must be fired %s", function, when)));
  return data;
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

/// The number of the column of that name and type; raises 42703 where the relation has none, 42804
/// where it has another type.
inline int column_of_type(Relation relation, const char *name, Oid type) {
  int number = column_number(relation, name);
  Oid found = TupleDescAttr(RelationGetDescr(relation), number - 1)->atttypid;
  if (found != type)
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("column \"%s\" of relation \"%s\" is of type %s instead of %s", name,
                           RelationGetRelationName(relation), format_type_be(found),
                           format_type_be(type))));
  return number;
}

/// `row` with one column set to a value.
inline HeapTuple with_column(HeapTuple row, Relation relation, int number, Datum value) {
  bool is_null = false;
  return heap_modify_tuple_by_cols(row, RelationGetDescr(relation), 1, &number, &value, &is_null);
}

} // namespace brainsait::pg
