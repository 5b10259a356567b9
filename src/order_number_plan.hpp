#pragma once

#include "core/order_number_template.hpp"
#include "tenant_settings.hpp"

namespace brainsait {

/// How one tenant's numbers are made; plain data with a life of its own.
struct OrderNumberPlan {
  core::OrderNumberTemplate format;
  core::OrderNumberReset reset;
  bool needs_date;
  pg_tz *time_zone;   ///< nullptr where no date is needed
  const char *series; ///< the format's text, in the current memory context
  char slug[101];
};

/// The parsed form of a format's text, kept per backend. Raises 22023 where it is malformed.
core::OrderNumberTemplate order_number_template(const char *text);

/// The format that is in force for a tenant whose own format is `own`, or nullptr.
const char *order_number_format_text(const char *own);

/// The plan of an existing tenant. Raises 22023 where format and reset do not fit together.
OrderNumberPlan order_number_plan(const TenantSettings &tenant);

/// Defines brainsait.order_number_format.
void init_order_number_plan();

} // namespace brainsait
