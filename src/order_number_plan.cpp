// From a tenant's settings to the way its order numbers are made.

#include "order_number_plan.hpp"

#include "pg/guard.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace brainsait {
namespace {

constexpr char default_format[] = "ORD-{YYYY}{MM}{DD}-{CODE:6}";

char *configured_format = nullptr;

/// Formats that were parsed lately. A valid text has at most 50 parts of at most 9 characters, so
/// what is kept is small.
struct KnownFormat {
  char *text;
  core::OrderNumberTemplate parsed;
};
constexpr uint32 known_format_count = 64;
KnownFormat known_formats[known_format_count];

bool check_configured_format(char **value, void **, GucSource) {
  pg::Failure failure;
  if (pg::guarded(failure, [&] { (void)core::parse_order_number_template(*value); }))
    return true;
  GUC_check_errcode(failure.sqlstate);
  GUC_check_errmsg("%s", failure.message);
  if (failure.hint[0] != '\0')
    GUC_check_errhint("%s", failure.hint);
  return false;
}

bool has_date(const core::OrderNumberTemplate &format) {
  for (const core::OrderNumberPart &part : format) {
    switch (part.kind) {
    case core::OrderNumberPartKind::year:
    case core::OrderNumberPartKind::short_year:
    case core::OrderNumberPartKind::month:
    case core::OrderNumberPartKind::day:
    case core::OrderNumberPartKind::day_of_year:
      return true;
    default:
      break;
    }
  }
  return false;
}

} // namespace

core::OrderNumberTemplate order_number_template(const char *text) {
  std::size_t length = std::strlen(text);
  uint32 hash = hash_bytes(reinterpret_cast<const unsigned char *>(text), int(length));
  KnownFormat &known = known_formats[hash % known_format_count];
  if (known.text != nullptr && std::strcmp(known.text, text) == 0)
    return known.parsed;
  core::OrderNumberTemplate parsed;
  pg::run_guarded([&] { parsed = core::parse_order_number_template({text, length}); });
  char *kept = MemoryContextStrdup(TopMemoryContext, text);
  if (known.text != nullptr)
    pfree(known.text);
  known = {kept, parsed};
  return parsed;
}

const char *order_number_format_text(const char *own) {
  return own != nullptr ? own : configured_format;
}

OrderNumberPlan order_number_plan(const TenantSettings &tenant) {
  OrderNumberPlan plan;
  plan.series = pstrdup(order_number_format_text(tenant.order_number_format));
  plan.format = order_number_template(plan.series);
  pg::run_guarded([&] {
    plan.reset = core::parse_order_number_reset(tenant.order_number_reset);
    core::require_order_number_reset(plan.format, plan.reset);
  });
  plan.needs_date = has_date(plan.format);
  plan.time_zone = plan.needs_date ? tenant_time_zone(tenant) : nullptr;
  strlcpy(plan.slug, tenant.slug, sizeof plan.slug);
  return plan;
}

void init_order_number_plan() {
  DefineCustomStringVariable(
      "brainsait.order_number_format", "The format of order numbers of tenants without their own.",
      "A tenant's settings.order_number_format takes precedence.", &configured_format,
      default_format, PGC_SUSET, 0, check_configured_format, nullptr, nullptr);
}

} // namespace brainsait
