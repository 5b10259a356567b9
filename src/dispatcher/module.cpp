// The entry of brainsait_dispatcher: magic block, parameters, workers that start with the server.

#include "dispatcher/parameters.hpp"
#include "webhook_dispatcher.hpp"

namespace brainsait::dispatcher {

Parameters parameters;

namespace {

char *databases = nullptr;

void define_limits() {
  DefineCustomIntVariable(
      "brainsait_dispatcher.connections", "Most webhook requests that are under way at one time.",
      nullptr, &parameters.connections, 20, 1, 500, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable(
      "brainsait_dispatcher.connections_per_host", "Of those, most to one host and port.", nullptr,
      &parameters.connections_per_host, 4, 1, 500, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("brainsait_dispatcher.connections_per_tenant",
                          "Of those, most for one tenant's endpoints.", nullptr,
                          &parameters.connections_per_tenant, 8, 1, 500, PGC_SIGHUP, 0, nullptr,
                          nullptr, nullptr);
  DefineCustomIntVariable("brainsait_dispatcher.requests_per_second",
                          "Most webhook requests that begin in a second to one endpoint.",
                          "0 is no limit.", &parameters.requests_per_second, 10, 0, 10'000,
                          PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("brainsait_dispatcher.timeout",
                          "How long a webhook request may take, from its begin to its end.",
                          nullptr, &parameters.timeout, 15'000, 100, 60'000, PGC_SIGHUP,
                          GUC_UNIT_MS, nullptr, nullptr, nullptr);
}

void define_parameters() {
  DefineCustomIntVariable(
      "brainsait_dispatcher.naptime",
      "How long the dispatcher rests before it looks for webhooks that are due again.",
      "It hears of new ones at once.", &parameters.naptime, 5000, 100, 3'600'000, PGC_SIGHUP,
      GUC_UNIT_MS, nullptr, nullptr, nullptr);
  define_limits();
  DefineCustomBoolVariable(
      "brainsait_dispatcher.allow_local",
      "Whether webhooks may be sent to addresses that are not of the Internet.",
      "For tests: tenants reach whatever this server reaches. Allows http to this machine too.",
      &parameters.allow_local, false, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomStringVariable("brainsait_dispatcher.ca_file",
                             "File of the certificates that endpoints are verified by.",
                             "Empty: those of the system.", &parameters.ca_file, "", PGC_SIGHUP, 0,
                             nullptr, nullptr, nullptr);
  // Read once, while the server starts; elsewhere it is defined only so that its name is known.
  DefineCustomStringVariable(
      "brainsait_dispatcher.databases",
      "Databases whose webhooks are sent, from the server's start.",
      "Needs brainsait_dispatcher in shared_preload_libraries.", &databases, "",
      process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, GUC_LIST_INPUT,
      pg::check_database_list, nullptr, nullptr);
}

} // namespace
} // namespace brainsait::dispatcher

extern "C" {

BRAINSAIT_MODULE_MAGIC("brainsait_dispatcher", "0.2.0");

void _PG_init(void);

void _PG_init(void) {
  using namespace brainsait;
  dispatcher::define_parameters();
  MarkGUCPrefixReserved("brainsait_dispatcher");
  if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
    pg::register_database_workers(webhook_dispatcher_kind, dispatcher::databases);
}
}
