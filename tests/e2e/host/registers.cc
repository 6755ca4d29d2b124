#include "e2e/host/registers.h"

#include <fmt/format.h>

#include <map>
#include <random>

#include "base/text.h"
#include "support/swap.h"

namespace e2e {
namespace {

using support::Operation;
using Ending = Operation::Ending;
using Kind = Operation::Kind;

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

std::int64_t number_in(const std::string& value) {
  return base::parse_int(value).value_or(-1);
}

struct Endpoint {
  std::unique_ptr<etcd::EtcdApi> api;
  support::Swapper swapper;
};

// The outcome of a change that failed; no value: it did not happen, and is no part of the history.
std::optional<Ending> ending_of(const etcd::Failure& failure) {
  if (failure.outcome == etcd::Outcome::kRefused) return std::nullopt;
  return Ending::kUnknown;
}

// False: it did not happen.
bool carry_out(Endpoint& endpoint, Operation& op, std::chrono::milliseconds deadline) {
  switch (op.kind) {
    case Kind::kRead: {
      const auto read = endpoint.api->range(op.key, "", false, 0, deadline);
      if (!read) return false;
      op.found = read->kvs.empty() ? 0 : number_in(read->kvs.front().value);
      return true;
    }
    case Kind::kWrite: {
      const auto put = endpoint.api->put(op.key, std::to_string(op.value), deadline);
      if (put) return true;
      const auto ending = ending_of(put.error());
      op.ending = ending.value_or(op.ending);
      return ending.has_value();
    }
    case Kind::kSwap:
      break;
  }
  const auto expected =
      op.expected == 0 ? std::nullopt : std::optional(std::to_string(op.expected));
  const auto swapped =
      endpoint.swapper.swap({op.key, expected, std::to_string(op.value)}, deadline);
  if (!swapped) {
    const auto ending = ending_of(swapped.error());
    op.ending = ending.value_or(op.ending);
    return ending.has_value();
  }
  if (swapped->done) return true;
  op.ending = Ending::kNotSwapped;
  op.found = swapped->found ? number_in(*swapped->found) : 0;
  return true;
}

}  // namespace

std::optional<Access> AccessBook::get() {
  const std::scoped_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (now - asked_ < std::chrono::seconds(1)) return last_;
  if (auto fresh = sandbox_.access(cluster_)) last_ = std::move(fresh);
  asked_ = std::chrono::steady_clock::now();
  return last_;
}

struct Registers::Client {
  int number = 0;
  std::mt19937 random;
  std::map<std::string, std::int64_t> seen;  // what this client last knew of each key
};

Registers::Registers(std::function<std::optional<Access>()> access, RegisterOptions options)
    : access_(std::move(access)), options_(options) {
  for (int i = 0; i < options_.clients; ++i) clients_.emplace_back([this, i] { run(i); });
}

Registers::~Registers() {
  stop();
}

std::vector<Operation> Registers::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  clients_.clear();
  const std::scoped_lock lock(mutex_);
  return std::exchange(history_, {});
}

void Registers::keep(Client& client, Operation op) {
  if (op.ending != Ending::kUnknown) {
    ++done_;
    const bool found = op.kind == Kind::kRead || op.ending == Ending::kNotSwapped;
    client.seen[op.key] = found ? op.found : op.value;
  }
  const std::scoped_lock lock(mutex_);
  history_.push_back(std::move(op));
}

void Registers::run(int number) {
  Client client{number, std::mt19937(static_cast<std::uint32_t>(number)), {}};
  std::vector<Endpoint> endpoints;
  std::size_t next = static_cast<std::size_t>(number);
  for (;;) {
    if (endpoints.empty())
      if (const auto access = access_())
        for (const auto& e : access->endpoints)
          endpoints.push_back({etcd::connect(e, access->tls), support::Swapper(e, access->tls)});
    bool failed = true;
    if (!endpoints.empty()) {
      const auto keys = static_cast<std::size_t>(options_.keys);
      const auto age = done_ / (keys * static_cast<std::size_t>(options_.operations_per_key));
      Operation op{.key = fmt::format("r/{}/{}", age, client.random() % keys), .client = number};
      const auto kind = client.random() % 10;
      op.kind = kind < 4 ? Kind::kRead : kind < 7 ? Kind::kWrite : Kind::kSwap;
      if (op.kind != Kind::kRead) op.value = next_value_++;
      if (op.kind == Kind::kSwap) op.expected = client.seen[op.key];
      op.called_ns = now_ns();
      const bool happened = carry_out(endpoints[next % endpoints.size()], op, options_.deadline);
      op.returned_ns = now_ns();
      failed = !happened || op.ending == Ending::kUnknown;
      if (happened) keep(client, std::move(op));
      // After a failure the next endpoint, and after the last of them the cluster is looked up.
      if (failed && ++next % endpoints.size() == 0) endpoints.clear();
    }
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, failed ? options_.pace * 5 : options_.pace, [&] { return stopping_; }))
      return;
  }
}

}  // namespace e2e
