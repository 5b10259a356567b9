#pragma once

#include "core/decimal128.hpp"
#include "pg/postgres.hpp"

extern "C" {
#include "utils/numeric.h"
}

namespace brainsait::pg {

/// A numeric as a whole number times 10^-scale.
struct Decimal {
  core::Decimal128 value;
  int scale;
};

/// The value of a numeric, with its display scale as far as 38 digits after the point. Throws
/// core::Error: invalid_parameter for NaN and infinities, out_of_range where 128 bits are too few.
/// Reads the stored form, which pg_upgrade keeps from version to version.
Decimal decimal_of(Numeric number);

/// The numeric value * 10^-scale, with that display scale.
Datum numeric_datum(core::Decimal128 value, int scale);

} // namespace brainsait::pg
