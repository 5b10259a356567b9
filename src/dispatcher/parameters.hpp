#pragma once

namespace brainsait::dispatcher {

/// The values of the parameters brainsait_dispatcher.*, as the configuration has them now. Their
/// prefix is the library's own: "brainsait." is reserved by the library brainsait, which drops
/// what it does not know.
struct Parameters {
  int naptime;                ///< milliseconds between two looks for deliveries that are due
  int connections;            ///< requests at one time
  int connections_per_host;   ///< of those, to one host and port
  int connections_per_tenant; ///< of those, of one tenant
  int requests_per_second;    ///< to one endpoint; 0: no limit
  int timeout;                ///< of a request, milliseconds
  bool allow_local;           ///< addresses that are not of the Internet, http to this machine
  char *ca_file;              ///< "": the system's certificates
};

extern Parameters parameters;

} // namespace brainsait::dispatcher
