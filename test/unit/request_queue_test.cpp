#include "core/request_queue.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace brainsait::core;

RequestQueue queue_with(RequestLimits limits) {
  RequestQueue queue;
  queue.set_limits(limits);
  return queue;
}

std::vector<RequestQueue::Id> begin_all(RequestQueue &queue, std::int64_t now) {
  std::vector<RequestQueue::Id> begun;
  while (auto request = queue.begin_next(now))
    begun.push_back(request->id);
  return begun;
}

using Ids = std::vector<RequestQueue::Id>;

TEST(RequestQueue, NoMoreThanSoManyConnections) {
  RequestQueue queue = queue_with({.connections = 2, .connections_per_host = 9});
  for (RequestQueue::Id id = 1; id <= 3; ++id)
    queue.add({id, "h" + std::to_string(id), "e", "t"});
  EXPECT_EQ(begin_all(queue, 0), (Ids{1, 2}));
  EXPECT_EQ(queue.next_turn(), std::nullopt);
  queue.finished("h2", "t");
  EXPECT_EQ(begin_all(queue, 0), Ids{3});
  EXPECT_EQ(queue.under_way(), 2U);
  EXPECT_EQ(queue.waiting(), 0U);
}

TEST(RequestQueue, AFullHostLetsOthersPass) {
  RequestQueue queue = queue_with({.connections = 9, .connections_per_host = 2});
  for (RequestQueue::Id id = 1; id <= 4; ++id)
    queue.add({id, "slow", "e", "t"});
  queue.add({5, "fast", "f", "t"});
  EXPECT_EQ(begin_all(queue, 0), (Ids{1, 2, 5}));
  EXPECT_EQ(queue.next_turn(), std::nullopt);
  queue.finished("slow", "t");
  EXPECT_EQ(begin_all(queue, 0), Ids{3});
}

TEST(RequestQueue, AFullTenantLetsOthersPass) {
  RequestQueue queue =
      queue_with({.connections = 9, .connections_per_host = 9, .connections_per_tenant = 2});
  for (RequestQueue::Id id = 1; id <= 4; ++id)
    queue.add({id, "h" + std::to_string(id), "e" + std::to_string(id), "slow"});
  queue.add({5, "h", "f", "fast"});
  EXPECT_EQ(begin_all(queue, 0), (Ids{1, 5, 2}));
  EXPECT_EQ(queue.next_turn(), std::nullopt);
  queue.finished("h2", "slow");
  EXPECT_EQ(begin_all(queue, 0), Ids{3});
}

TEST(RequestQueue, TenantsTakeTurns) {
  RequestQueue queue = queue_with({.connections = 4, .connections_per_host = 9});
  for (RequestQueue::Id id = 1; id <= 5; ++id)
    queue.add({id, "h", "e", "a"});
  queue.add({6, "h", "f", "b"});
  queue.add({7, "h", "f", "b"});
  EXPECT_EQ(begin_all(queue, 0), (Ids{1, 6, 2, 7}));
  queue.add({8, "h", "g", "c"});
  queue.finished("h", "a");
  EXPECT_EQ(begin_all(queue, 0), Ids{8}) << "whoever has the fewest is next";
}

TEST(RequestQueue, AnEndpointsRateLetsOthersPass) {
  RequestQueue queue = queue_with({.connections = 9, .connections_per_host = 9, .per_second = 4});
  for (RequestQueue::Id id = 1; id <= 3; ++id)
    queue.add({id, "h", "often", "t"});
  queue.add({4, "h", "seldom", "t"});
  EXPECT_EQ(begin_all(queue, 1000), (Ids{1, 4}));
  EXPECT_EQ(queue.next_turn(), 251'000);
  EXPECT_EQ(begin_all(queue, 250'999), Ids{});
  EXPECT_EQ(begin_all(queue, 251'000), Ids{2});
  EXPECT_EQ(begin_all(queue, 9'000'000), Ids{3});
  EXPECT_EQ(queue.next_turn(), std::nullopt);
}

TEST(RequestQueue, LimitsMayChange) {
  RequestQueue queue = queue_with({.connections = 1, .connections_per_host = 1, .per_second = 1});
  for (RequestQueue::Id id = 1; id <= 3; ++id)
    queue.add({id, "h", "e", "t"});
  EXPECT_EQ(begin_all(queue, 0), Ids{1});
  queue.set_limits({.connections = 5, .connections_per_host = 5, .per_second = 0});
  EXPECT_EQ(begin_all(queue, 0), (Ids{2, 3}));
}

TEST(RequestQueue, FinishingWhatNobodyBeganChangesNothing) {
  RequestQueue queue = queue_with({.connections = 1});
  queue.finished("h", "t");
  EXPECT_EQ(queue.under_way(), 0U);
}

// A random load, watched by counts of its own: no limit is ever passed, nothing begins twice or is
// forgotten, and what has to wait does so for a reason.
TEST(RequestQueue, RandomLoadKeepsTheLimits) {
  std::mt19937 random(7);
  const RequestLimits limits = {
      .connections = 5, .connections_per_host = 2, .connections_per_tenant = 3, .per_second = 3};
  RequestQueue queue = queue_with(limits);
  std::map<std::string, std::vector<std::int64_t>> begun_of;
  std::map<std::string, int> running_of, running_for;
  std::vector<RequestQueue::Request> running;
  std::set<RequestQueue::Id> seen;
  RequestQueue::Id added = 0;
  for (std::int64_t now = 0; added < 2000 || !running.empty() || queue.waiting() > 0;
       now += 20'000) {
    for (int i = int(random() % 3); i > 0 && added < 2000; --i) {
      const std::string host = "h" + std::to_string(random() % 4);
      const std::string tenant = "t" + std::to_string(random() % 3);
      queue.add({++added, host, host + "/" + std::to_string(random() % 3), tenant});
    }
    while (auto request = queue.begin_next(now)) {
      ASSERT_TRUE(seen.insert(request->id).second);
      running.push_back(*request);
      ASSERT_LE(running.size(), 5U);
      ASSERT_LE(++running_of[request->host], 2);
      ASSERT_LE(++running_for[request->tenant], 3);
      auto &times = begun_of[request->endpoint];
      times.push_back(now);
      if (times.size() > 3) {
        ASSERT_GE(now - times[times.size() - 4], 1'000'000);
      }
    }
    if (const auto turn = queue.next_turn()) {
      ASSERT_GT(*turn, now);
    }
    while (!running.empty() && random() % 2 == 0) {
      std::swap(running[random() % running.size()], running.back());
      queue.finished(running.back().host, running.back().tenant);
      --running_of[running.back().host];
      --running_for[running.back().tenant];
      running.pop_back();
    }
    ASSERT_EQ(queue.under_way(), running.size());
    ASSERT_LT(now, 10'000'000'000) << "it never ends";
  }
  EXPECT_EQ(seen.size(), 2000U);
}

} // namespace
