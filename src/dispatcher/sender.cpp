#include "dispatcher/sender.hpp"

#include "core/response_text.hpp"
#include "core/retry_after.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace brainsait::dispatcher {
namespace {

bool has_line_break(const std::vector<std::string> &lines) {
  return std::ranges::any_of(lines, [](const std::string &line) {
    return line.find_first_of("\r\n") != std::string::npos;
  });
}

} // namespace

std::int64_t Sender::clock() noexcept {
  using namespace std::chrono;
  return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

void Sender::configure(const core::RequestLimits &limits, const HttpPolicy &policy) {
  queue_.set_limits(limits);
  policy_ = policy;
}

void Sender::refuse(const Claim &claim, const char *error) {
  Result result;
  result.delivery = claim.delivery;
  result.attempt = claim.attempt;
  result.error = error;
  results_.push_back(std::move(result));
}

void Sender::add(Claim claim) {
  EndpointUrl url = read_endpoint_url(claim.url, policy_.allow_local);
  if (url.refusal != nullptr)
    return refuse(claim, url.refusal);
  if (has_line_break(claim.headers))
    return refuse(claim, "a header has a line break in it");
  std::string host = url.host;
  std::string endpoint(claim.webhook.begin(), claim.webhook.end());
  std::string tenant(claim.tenant.begin(), claim.tenant.end());
  const std::uint64_t id = ++last_id_;
  shares_.taken(tenant);
  sendings_[id] = {std::move(claim), std::move(url), host, tenant};
  queue_.add({id, std::move(host), std::move(endpoint), std::move(tenant)});
}

const std::vector<Uuid> &Sender::full_tenants(int share) {
  full_tenants_.clear();
  for (const std::string &tenant : shares_.full(share)) {
    Uuid uuid = {};
    std::ranges::copy(tenant, uuid.begin());
    full_tenants_.push_back(uuid);
  }
  return full_tenants_;
}

void Sender::forget(std::unordered_map<std::uint64_t, Sending>::iterator sending) {
  queue_.finished(sending->second.host, sending->second.tenant);
  shares_.done(sending->second.tenant);
  sendings_.erase(sending);
}

void Sender::begin(const core::RequestQueue::Request &request) {
  const auto found = sendings_.find(request.id);
  if (found == sendings_.end())
    return;
  Sending &sending = found->second;
  if (clock() > sending.claim.latest_begin) {
    forget(found);
    return;
  }
  client_.begin(
      request.id,
      {std::move(sending.url), std::move(sending.claim.headers), std::move(sending.claim.body)},
      policy_);
}

void Sender::finish(const HttpOutcome &outcome) {
  const auto found = sendings_.find(outcome.id);
  if (found == sendings_.end())
    return;
  const Claim &claim = found->second.claim;
  Result result;
  result.delivery = claim.delivery;
  result.attempt = claim.attempt;
  result.status = outcome.status;
  result.body = text_is_utf8_ ? core::clean_utf8(outcome.body, HttpOutcome::body_kept)
                              : core::clean_ascii(outcome.body, HttpOutcome::body_kept);
  result.milliseconds = int(outcome.milliseconds);
  result.retry_after = core::parse_retry_after(outcome.retry_after, std::time(nullptr));
  result.error = outcome.error;
  results_.push_back(std::move(result));
  forget(found);
}

void Sender::advance() {
  client_.advance();
  HttpOutcome outcome;
  while (client_.take_finished(outcome))
    finish(outcome);
  while (const auto request = queue_.begin_next(clock()))
    begin(*request);
}

std::optional<std::int64_t> Sender::due_in() const {
  std::optional<std::int64_t> due;
  if (const long milliseconds = client_.due_in(); milliseconds >= 0)
    due = std::int64_t{milliseconds} * 1000;
  if (const auto turn = queue_.next_turn()) {
    const std::int64_t rest = std::max<std::int64_t>(*turn - clock(), 0);
    due = due ? std::min(*due, rest) : rest;
  }
  return due;
}

} // namespace brainsait::dispatcher
