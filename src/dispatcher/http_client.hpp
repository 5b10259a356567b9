#pragma once

#include "dispatcher/endpoint_url.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace brainsait::dispatcher {

/// What every request obeys.
struct HttpPolicy {
  bool allow_local = false; ///< addresses that are not of the Internet; http to this machine
  std::string ca_file;      ///< certificates that are trusted; empty: the system's
  long timeout = 15'000;    ///< of a whole request, milliseconds
};

struct HttpRequest {
  EndpointUrl url;                  ///< with a handle
  std::vector<std::string> headers; ///< each "Name: value"
  std::string body;
};

/// How a request ended.
struct HttpOutcome {
  std::uint64_t id = 0;
  int status = 0;              ///< of the answer; 0 where there was none
  std::string body;            ///< the answer's beginning, at most body_kept bytes, unchecked
  long milliseconds = 0;       ///< from beginning to end
  std::string retry_after;     ///< the header's text; empty where there was none
  const char *error = nullptr; ///< why there was no answer: a constant, without any secret

  static constexpr std::size_t body_kept = 4096;
};

/// Sends POST requests over connections of its own, several at a time, without ever waiting:
/// whoever has it waits for its sockets and its time, and tells it. Knows nothing of PostgreSQL.
///
/// Redirects are not followed, no proxy is used, certificates are verified. The very address that
/// a socket is about to be connected to is judged, so that neither a name nor its second resolution
/// leads anywhere else. An answer counts once its headers are there, whatever becomes of its body:
/// the endpoint has spoken.
///
/// libcurl resolves names in threads. Each is started with all signals blocked, so that none of the
/// process's handlers ever runs in one; they run nothing but getaddrinfo().
///
/// Every method may throw std::bad_alloc or std::runtime_error.
class HttpClient {
public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient &) = delete;
  HttpClient &operator=(const HttpClient &) = delete;

  /// Begins a request.
  void begin(std::uint64_t id, HttpRequest request, const HttpPolicy &policy);

  /// A socket to wait for.
  struct Watched {
    int socket;
    bool read;
    bool write;
  };
  std::vector<Watched> watched() const;

  /// In how many milliseconds advance() is due although no socket is ready; -1: never.
  long due_in() const;

  /// That a socket is ready.
  void ready(int socket, bool read, bool write);
  /// That time has passed: to be called after ready(), and when due.
  void advance();

  /// Takes out a request that is over; false where there is none.
  bool take_finished(HttpOutcome &outcome);

private:
  struct Transfer;
  using Clock = std::chrono::steady_clock;

  static int on_socket(CURL *easy, curl_socket_t socket, int what, void *client, void *);
  static int on_timer(CURLM *multi, long milliseconds, void *client);
  void act(curl_socket_t socket, int events);
  void collect_finished();

  CURLM *multi_;
  std::unordered_map<int, int> sockets_; ///< CURL_POLL_* of each
  std::unordered_map<CURL *, std::unique_ptr<Transfer>> transfers_;
  std::deque<HttpOutcome> finished_;
  std::optional<Clock::time_point> deadline_;
};

} // namespace brainsait::dispatcher
