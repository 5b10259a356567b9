#pragma once

#include "pg/postgres.hpp"

namespace brainsait::pg {

/// A row of the composite type that the running function is declared to return.
template <std::size_t Count>
Datum make_row(FunctionCallInfo fcinfo, Datum (&values)[Count], bool (&nulls)[Count]) {
  TupleDesc descriptor = nullptr;
  if (get_call_result_type(fcinfo, nullptr, &descriptor) != TYPEFUNC_COMPOSITE ||
      descriptor->natts != int(Count))
    ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                    errmsg("the function's result type is not the extension's own")));
  return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

} // namespace brainsait::pg
