#pragma once

#include "core/claim_shares.hpp"
#include "core/request_queue.hpp"
#include "dispatcher/http_client.hpp"

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace brainsait::dispatcher {

using Uuid = std::array<std::uint8_t, 16>;

/// A delivery that is this process's to send until its lease ends.
struct Claim {
  Uuid delivery = {};
  Uuid webhook = {};
  Uuid tenant = {};
  int attempt = 0;
  std::string url;
  std::vector<std::string> headers; ///< each "Name: value"
  std::string body;
  std::int64_t latest_begin = 0; ///< Sender::clock(): later it may be somebody else's
};

/// What became of a claim.
struct Result {
  Uuid delivery = {};
  int attempt = 0;
  int status = 0;   ///< of HTTP; 0 where there was no answer
  std::string body; ///< of the answer: the beginning, as clean text
  int milliseconds = 0;
  std::optional<std::int64_t> retry_after; ///< seconds
  const char *error = nullptr;             ///< why there was no answer, a constant

  int failures = 0;             ///< of recording it
  std::int64_t record_from = 0; ///< clock(): when to try recording it again
};

/// Sends claims within the limits and keeps the results until they are recorded. No PostgreSQL.
/// Every method that is not noexcept may throw.
class Sender {
public:
  /// `text_is_utf8`: what the database takes as the text of answers; otherwise ASCII alone.
  explicit Sender(bool text_is_utf8) : text_is_utf8_(text_is_utf8) {}

  /// Microseconds on a clock that does not go back.
  static std::int64_t clock() noexcept;

  void configure(const core::RequestLimits &limits, const HttpPolicy &policy);

  /// Nothing begins any more; what is under way goes on.
  void begin_no_more() noexcept { queue_.set_limits({.connections = 0}); }

  /// Takes a claim over. One that cannot be sent has its result at once.
  void add(Claim claim);

  /// Tells of a socket that is ready.
  void ready(int socket, bool read, bool write) { client_.ready(socket, read, write); }
  /// Begins what may begin, and goes on with what time has come for.
  void advance();

  /// The sockets to wait for, as of refresh_watched().
  void refresh_watched() { watched_ = client_.watched(); }
  const std::vector<HttpClient::Watched> &watched() const noexcept { return watched_; }
  /// Microseconds until advance() is due; nothing where only sockets can bring news.
  std::optional<std::int64_t> due_in() const;

  /// Tenants to be left out of the next claim, which takes at most `share` of each other; the
  /// sender's own until the next call.
  const std::vector<Uuid> &full_tenants(int share);
  /// A claim is over, and add() has had all that it brought.
  void claim_ended(int share) { shares_.claim_ended(share); }
  /// Whether a tenant that may have more than was claimed has room for it now.
  bool claim_is_due(int share) const noexcept { return shares_.claim_is_due(share); }

  std::size_t waiting() const noexcept { return queue_.waiting(); }
  std::size_t under_way() const noexcept { return queue_.under_way(); }
  std::deque<Result> &results() noexcept { return results_; }

private:
  struct Sending {
    Claim claim;
    EndpointUrl url;
    std::string host;
    std::string tenant;
  };

  void begin(const core::RequestQueue::Request &request);
  void finish(const HttpOutcome &outcome);
  void refuse(const Claim &claim, const char *error);
  void forget(std::unordered_map<std::uint64_t, Sending>::iterator sending);

  bool text_is_utf8_;
  HttpPolicy policy_;
  core::RequestQueue queue_;
  core::ClaimShares shares_;
  std::vector<Uuid> full_tenants_;
  HttpClient client_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, Sending> sendings_;
  std::deque<Result> results_;
  std::vector<HttpClient::Watched> watched_;
};

} // namespace brainsait::dispatcher
