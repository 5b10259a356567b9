// The dispatcher of webhooks: a process of its own per database, which claims deliveries, posts
// them and records what came of it. No transaction is open while a request is under way.
//
// What it claimed and could not end is claimed again when the lease is over: so it may be killed at
// any time. On SIGTERM it leaves within a second: it begins nothing more, gives what is under way a
// moment to be answered, and records that, since what was acknowledged is not to be sent again.
//
// It hears of new deliveries by NOTIFY. SQL's LISTEN is refused in background processes, which do
// not read notifications by themselves; this one does, between its transactions, and only to know
// that there was one.

#include "dispatcher/parameters.hpp"
#include "dispatcher/sender.hpp"
#include "dispatcher/store_session.hpp"
#include "pg/guard.hpp"
#include "webhook_dispatcher.hpp"

extern "C" {
#include "commands/async.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
}

#include <algorithm>

namespace brainsait::dispatcher {
namespace {

constexpr char channel[] = "brainsait_webhooks";

/// How long the worker rests after an error before it claims again, microseconds.
constexpr int64 rest_after_error = 10 * USECS_PER_SEC;

/// How often a result is tried to be recorded that could not be, and after what rest.
constexpr int most_failures = 20;
constexpr int64 rest_before_recording = USECS_PER_SEC;

/// How many results one transaction records.
constexpr std::size_t most_recorded = 50;

/// How many claims are held in all, waiting ones included, for each connection.
constexpr int held_per_connection = 4;

/// Beyond what requests can take, seconds.
constexpr int64 spare_lease = 30;

/// How often, and how long each time, a worker tries to become the database's. Whoever looks
/// whether there is one keeps the key for an instant.
constexpr int key_attempts = 20;
constexpr int64 key_pause = 50 * 1000;

/// How long requests that are under way may go on when the worker is to leave, microseconds. What
/// is left of the second is for recording the last outcomes.
constexpr int64 farewell = 700 * 1000;

constexpr int64 longest_sleep = pg::longest_worker_sleep * 1000;

bool stays = false;
Sender *sender = nullptr; ///< for the life of the process: nothing is to be sent at its end
MemoryContext loop_context = nullptr;
int64 next_claim = 0;  ///< Sender::clock()
int64 rests_until = 0; ///< after an error, whatever there is to claim
int64 next_look_at_database = 0;
bool more_to_claim = false; ///< whether the last claim left deliveries that are due

volatile sig_atomic_t is_told_to_leave = 0;

/// The first time the transaction that is running ends first; the second time nothing is waited
/// for.
void on_sigterm(SIGNAL_ARGS) {
  if (is_told_to_leave) {
    die(postgres_signal_arg);
    return;
  }
  int saved_errno = errno;
  is_told_to_leave = 1;
  SetLatch(MyLatch);
  errno = saved_errno;
}

core::RequestLimits limits() {
  return {.connections = parameters.connections,
          .connections_per_host = std::min(parameters.connections_per_host, parameters.connections),
          .connections_per_tenant =
              std::min(parameters.connections_per_tenant, parameters.connections),
          .per_second = parameters.requests_per_second};
}

int most_held() { return held_per_connection * parameters.connections; }

/// How long the slowest of as many claims as are held may need, all to one endpoint that answers
/// none of them in time, seconds.
int64 lease_seconds() {
  const core::RequestLimits now = limits();
  const int at_once = std::min(now.connections_per_host, now.connections_per_tenant);
  const int64 rounds = (most_held() - 1) / at_once + 1;
  const int64 by_rate = now.per_second == 0 ? 0 : most_held() / now.per_second;
  return rounds * (parameters.timeout / 1000 + 1) + by_rate + spare_lease;
}

void configure() {
  pg::run_guarded([] {
    sender->configure(limits(), {.allow_local = parameters.allow_local,
                                 .ca_file = parameters.ca_file,
                                 .timeout = parameters.timeout});
  });
}

void read_notifications() {
  if (!notifyInterruptPending)
    return;
  ProcessNotifyInterrupt(false);
  MemoryContextSwitchTo(loop_context);
  next_claim = 0;
}

[[noreturn]] void say_farewell(bool again);

/// Leaves where the database or an operator wants it.
void look_at_database() {
  const int64 now = Sender::clock();
  if (now < next_look_at_database)
    return;
  next_look_at_database = now + longest_sleep;
  pg::leave_when_database_is_wanted();
  pg::begin_worker_transaction();
  const bool is_stopped = !pg::key_is_free(pg::LockClass::webhook_dispatcher, stop_dispatcher_key);
  CommitTransactionCommand();
  MemoryContextSwitchTo(loop_context);
  if (is_stopped)
    say_farewell(false);
}

void heed() {
  if (is_told_to_leave)
    say_farewell(true);
  const bool reloads = ConfigReloadPending;
  pg::heed_signals();
  MemoryContextSwitchTo(loop_context);
  if (reloads)
    configure();
  look_at_database();
}

/// Waits for a socket, a signal or so many microseconds, and tells the sender of its sockets.
void wait_for(int64 microseconds) {
  pg::run_guarded([] { sender->refresh_watched(); });
  const auto &watched = sender->watched();
  const int count = int(watched.size()) + 2;
  WaitEventSet *set = BRAINSAIT_CREATE_WAIT_EVENT_SET(count);
  AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, nullptr);
  AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, nullptr, nullptr);
  for (const HttpClient::Watched &socket : watched)
    AddWaitEventToSet(
        set, (socket.read ? WL_SOCKET_READABLE : 0) | (socket.write ? WL_SOCKET_WRITEABLE : 0),
        socket.socket, nullptr, nullptr);
  auto *events = static_cast<WaitEvent *>(palloc(sizeof(WaitEvent) * count));
  const int happened =
      WaitEventSetWait(set, long((microseconds + 999) / 1000), events, count, PG_WAIT_EXTENSION);
  FreeWaitEventSet(set);
  ResetLatch(MyLatch);
  pg::run_guarded([events, happened] {
    for (int i = 0; i < happened; ++i)
      if ((events[i].events & (WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE)) != 0)
        sender->ready(events[i].fd, (events[i].events & WL_SOCKET_READABLE) != 0,
                      (events[i].events & WL_SOCKET_WRITEABLE) != 0);
    sender->advance();
  });
}

void run_claim(void *argument) { claim_deliveries(*static_cast<ClaimPass *>(argument)); }

/// How many claims there is room for: connections that nobody uses. What waits for its host or its
/// rate uses none, so that a slow endpoint takes no connection from the others; but there is an
/// end to that too.
int room_for_claims() {
  const int to_record = int(sender->results().size());
  const int under_way = int(sender->under_way());
  const int held = int(sender->waiting()) + under_way + to_record;
  return std::min(parameters.connections - under_way - to_record, most_held() - held);
}

/// Whether there is more to claim, whatever time it is.
bool has_more_to_claim() {
  return more_to_claim || sender->claim_is_due(limits().connections_per_tenant);
}

bool claim_is_due(int64 now) {
  return now >= rests_until && (now >= next_claim || has_more_to_claim());
}

/// Names the tenants that the claim leaves out.
void leave_out_full_tenants(ClaimPass &pass) {
  const std::vector<Uuid> *full = nullptr;
  pg::run_guarded([&full, &pass] { full = &sender->full_tenants(pass.share); });
  pass.full = full->data();
  pass.full_count = int(full->size());
}

void claim_when_due() {
  const int64 now = Sender::clock();
  const int room = room_for_claims();
  if (room <= 0 || !claim_is_due(now))
    return;
  pgstat_report_activity(STATE_RUNNING, "claiming webhook deliveries");
  ClaimPass pass;
  pass.sender = sender;
  pass.most = room;
  pass.share = limits().connections_per_tenant;
  leave_out_full_tenants(pass);
  pass.lease_seconds = lease_seconds();
  pass.latest_begin = now + (pass.lease_seconds - parameters.timeout / 1000 - 1) * USECS_PER_SEC;
  const bool succeeded = pg::run_reporting_errors(run_claim, &pass, nullptr);
  MemoryContextSwitchTo(loop_context);
  if (pass.store_is_missing && !stays)
    pg::leave_worker(false);
  more_to_claim = succeeded && pass.claimed == room;
  next_claim = now + int64(parameters.naptime) * 1000;
  if (!succeeded)
    rests_until = next_claim = now + rest_after_error;
  else if (pass.store_is_missing)
    rests_until = next_claim;
  pg::run_guarded([] { sender->advance(); });
}

void run_record(void *argument) {
  record_results(sender->results(), *static_cast<std::size_t *>(argument));
}

/// Records the first results in one transaction; false where that failed.
bool record_first(std::size_t count) {
  const bool succeeded = pg::run_reporting_errors(run_record, &count, nullptr);
  MemoryContextSwitchTo(loop_context);
  return succeeded;
}

/// Puts the first result last, to be tried again, or gives it up: then its lease ends, and it is
/// sent again.
void postpone_first() {
  const bool given_up = ++sender->results().front().failures >= most_failures;
  pg::run_guarded([given_up] {
    std::deque<Result> &results = sender->results();
    results.front().record_from = Sender::clock() + rest_before_recording;
    if (!given_up)
      results.push_back(results.front());
    results.pop_front();
  });
  if (given_up)
    ereport(LOG, (errmsg("the outcome of a webhook delivery could not be recorded"),
                  errdetail("It is sent again.")));
}

/// How many results, from the first, are due to be recorded.
std::size_t results_due() {
  const std::deque<Result> &results = sender->results();
  const int64 now = Sender::clock();
  std::size_t count = 0;
  while (count < results.size() && count < most_recorded && results[count].record_from <= now)
    ++count;
  return count;
}

void record_when_due() {
  while (const std::size_t count = results_due()) {
    pgstat_report_activity(STATE_RUNNING, "recording the outcomes of webhook deliveries");
    if (record_first(count)) {
      for (std::size_t i = 0; i < count; ++i)
        sender->results().pop_front();
      continue;
    }
    // One of them may be what fails: each for itself.
    for (std::size_t i = 0; i < count; ++i) {
      if (count > 1 && record_first(1))
        sender->results().pop_front();
      else
        postpone_first();
    }
  }
}

/// Leaves with what is answered in a moment, and recorded as it comes: whoever cannot wait may end
/// this process at any time.
[[noreturn]] void say_farewell(bool again) {
  if (sender != nullptr) {
    sender->begin_no_more();
    for (int64 end = Sender::clock() + farewell;
         sender->under_way() > 0 && Sender::clock() < end;) {
      wait_for(end - Sender::clock());
      record_when_due();
    }
    record_when_due();
  }
  pg::leave_worker(again);
}

void report_activity() {
  const std::size_t under_way = sender->under_way();
  if (under_way == 0) {
    pgstat_report_activity(STATE_IDLE, nullptr);
    return;
  }
  char text[100];
  pg_snprintf(text, sizeof text, "sending webhooks: %d under way, %d waiting", int(under_way),
              int(sender->waiting()));
  pgstat_report_activity(STATE_RUNNING, text);
}

int64 rest_until_next_step() {
  const int64 now = Sender::clock();
  int64 rest = std::min(next_look_at_database - now, longest_sleep);
  if (room_for_claims() > 0)
    rest = std::min(rest,
                    has_more_to_claim() ? std::max<int64>(rests_until - now, 0) : next_claim - now);
  if (const auto due = sender->due_in())
    rest = std::min(rest, *due);
  if (!sender->results().empty())
    rest = std::min(rest, sender->results().front().record_from - now);
  return std::max<int64>(rest, 0);
}

/// Becomes the database's dispatcher. Where there is one, a worker that stays waits for its end.
void take_key() {
  for (;;) {
    for (int attempt = 0; attempt < key_attempts; ++attempt) {
      if (pg::try_lock_session_key(pg::LockClass::webhook_dispatcher, pg::every_key))
        return;
      wait_for(key_pause);
      heed();
    }
    if (!stays)
      pg::leave_worker(false);
  }
}

void listen() {
  pg::begin_worker_transaction();
  Async_Listen(channel);
  CommitTransactionCommand();
  MemoryContextSwitchTo(loop_context);
}

void begin_work() {
  stays = pg::connect_database_worker(webhook_dispatcher_kind).stays();
  pqsignal(SIGTERM, on_sigterm);
  // A row that somebody has locked is tried again: the server's end does not wait for it.
  pg::set_worker_parameter("lock_timeout", "250ms");
  loop_context =
      AllocSetContextCreate(TopMemoryContext, "webhook dispatcher", ALLOCSET_DEFAULT_SIZES);
  MemoryContextSwitchTo(loop_context);
  pg::run_guarded([] { sender = new Sender(GetDatabaseEncoding() == PG_UTF8); });
  configure();
  take_key();
  listen();
}

[[noreturn]] void work() {
  for (;;) {
    MemoryContextReset(loop_context);
    heed();
    read_notifications();
    record_when_due();
    claim_when_due();
    report_activity();
    wait_for(rest_until_next_step());
  }
}

} // namespace
} // namespace brainsait::dispatcher

extern "C" {

PGDLLEXPORT void brainsait_webhook_dispatcher_main(Datum);

/// The process of a dispatcher. Nothing in it throws: what can is guarded where it is called.
/// libcurl is not taken down at the end: a thread of it may still wait for a name's resolution, and
/// the process ends without it.
void brainsait_webhook_dispatcher_main(Datum) {
  brainsait::dispatcher::begin_work();
  brainsait::dispatcher::work();
}
}
