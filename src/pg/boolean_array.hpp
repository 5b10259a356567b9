#pragma once

#include "pg/postgres.hpp"

extern "C" {
#include "utils/array.h"
}

namespace brainsait::pg {

/// A one-dimensional boolean[], read where it lies.
class BooleanArray {
public:
  /// Raises 2202E for more than one dimension.
  explicit BooleanArray(ArrayType *array)
      : values_(ARR_DATA_PTR(array)), nulls_(ARR_NULLBITMAP(array)) {
    if (ARR_NDIM(array) > 1)
      ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                      errmsg("conditions are an array of one dimension")));
    size_ = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
  }
  int size() const { return size_; }

  /// Calls visit(i) for each element that is true; null is not.
  template <typename Visit> void for_each_true(Visit &&visit) const {
    const char *value = values_;
    for (int i = 0; i < size_; ++i)
      if (nulls_ == nullptr || (nulls_[i / 8] & 1 << i % 8) != 0)
        if (*value++ != 0)
          visit(i);
  }

  /// Bit i for element i, of the first 64.
  uint64 mask() const {
    uint64 mask = 0;
    for_each_true([&](int i) { mask |= i < 64 ? uint64(1) << i : 0; });
    return mask;
  }

private:
  const char *values_;
  const bits8 *nulls_;
  int size_;
};

} // namespace brainsait::pg
