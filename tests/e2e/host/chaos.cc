#include "e2e/host/chaos.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "e2e/host/checks.h"

namespace e2e {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kLossWait = 10s;
constexpr int kQuotaMiB = 32, kFillKiB = 512;
const std::array<std::string, 4> kVersions{"3.5.12", "3.5.33", "3.6.16", "3.7.3"};

struct Weight {
  Fault fault;
  std::uint32_t weight;
  std::string_view name;
};
constexpr std::array<Weight, 11> kWeights{{
    {Fault::kKillMember, 18, "kill a member"},
    {Fault::kKillAll, 3, "kill all members"},
    {Fault::kKillGuard, 8, "kill a guard"},
    {Fault::kStopMember, 14, "stop a member for a while"},
    {Fault::kLoseData, 14, "lose a member's data"},
    {Fault::kFillQuota, 4, "fill the quota"},
    {Fault::kKillOperator, 14, "kill the operator"},
    {Fault::kStopOperator, 4, "stop the operator for a while"},
    {Fault::kResize, 10, "declare another size"},
    {Fault::kTemplate, 5, "declare another flag"},
    {Fault::kVersion, 9, "declare the next version"},
}};

bool has(const std::vector<etcd::Member>& members, base::MemberId id) {
  return std::ranges::any_of(members, [&](const etcd::Member& m) { return m.id == id; });
}

}  // namespace

std::string_view name_of(Fault fault) {
  return std::ranges::find(kWeights, fault, &Weight::fault)->name;
}

Draw draw(std::mt19937_64& random) {
  // Each draw takes as many numbers, so that the schedule does not depend on what was possible.
  const auto below = [&](std::uint64_t n) { return random() % n; };
  std::uint32_t total = 0;
  for (const auto& w : kWeights) total += w.weight;
  auto at = below(total);
  Draw out;
  for (const auto& w : kWeights) {
    out.fault = w.fault;
    if (at < w.weight) break;
    at -= w.weight;
  }
  out.who = static_cast<std::uint32_t>(random());
  out.length = std::chrono::milliseconds(200 + below(6'000));
  out.gap = std::chrono::milliseconds(100 + below(below(3) == 0 ? 6'000 : 1'500));
  return out;
}

Chaos::Chaos(Sandbox& sandbox, AccessBook& access, std::string version)
    : sandbox_(sandbox), access_(access), start_(Clock::now()), version_(std::move(version)) {}

void Chaos::declare() {
  // A minority is lost at most, so no recovery is ever due; if one begins all the same, its loss
  // shall be seen, and not be held back by a question.
  sandbox_.write(
      "c.yaml",
      manifest(
          "c", static_cast<int>(size_), version_,
          fmt::format("  etcdOptions:\n    - --quota-backend-bytes={}\n    - --max-txn-ops={}\n"
                      "  repair:\n    timeoutSeconds: 20\n"
                      "  recovery:\n    onQuorumLoss: Automatic\n    waitSeconds: 5\n",
                      kQuotaMiB << 20, 128 + template_)));
}

void Chaos::apply(const Draw& draw) {
  std::string why;
  const std::string name(name_of(draw.fault));
  if (carry_out(draw, why)) {
    ++applied_[name];
    say(why.empty() ? name : fmt::format("{}: {}", name, why));
  } else {
    say(fmt::format("({}: not now, {})", name, why));
  }
}

bool Chaos::carry_out(const Draw& draw, std::string& why) {
  switch (draw.fault) {
    case Fault::kKillMember:
      return kill_members(draw, false, why);
    case Fault::kKillAll:
      return kill_members(draw, true, why);
    case Fault::kKillGuard: {
      const auto members = running();
      why = members.empty() ? "none runs" : members[draw.who % members.size()];
      if (!members.empty()) sandbox_.kill_guard("c", why);
      return !members.empty();
    }
    case Fault::kStopMember:
      return stop_member(draw, why);
    case Fault::kLoseData:
      if (lose_data(draw.who, why)) return true;
      to_lose_ = {draw.who, Clock::now() + kLossWait};
      return false;
    case Fault::kFillQuota:
      to_fill_ = kQuotaMiB * 1024 / kFillKiB * 3 / 2;
      return true;
    case Fault::kKillOperator:
    case Fault::kStopOperator:
      return away_with_operator(draw, why);
    case Fault::kResize:
    case Fault::kTemplate:
    case Fault::kVersion:
      break;
  }
  return edit(draw, why);
}

std::vector<std::string> Chaos::running() const {
  std::vector<std::string> out;
  for (const auto& both : sandbox_.all_members()) {
    const std::string name = both.substr(both.find('/') + 1);
    if (sandbox_.etcd_pid("c", name) != 0) out.push_back(name);
  }
  std::ranges::sort(out);
  return out;
}

bool Chaos::kill_members(const Draw& draw, bool all, std::string& why) {
  auto members = running();
  if (members.empty()) {
    why = "none runs";
    return false;
  }
  if (!all) members = {members[draw.who % members.size()]};
  for (const auto& name : members) {
    const pid_t pid = sandbox_.etcd_pid("c", name);
    if (pid > 0) kill(pid, SIGKILL);
    why += (why.empty() ? "" : " ") + name;
  }
  return true;
}

bool Chaos::stop_member(const Draw& draw, std::string& why) {
  const auto members = running();
  if (members.empty() || (stopped_.size() + 1) * 2 > members.size()) {
    why = "it would be more than a minority";
    return false;
  }
  const std::string& name = members[draw.who % members.size()];
  const pid_t pid = sandbox_.etcd_pid("c", name);
  if (pid <= 0 || kill(pid, SIGSTOP) != 0) {
    why = name + " has just ended";
    return false;
  }
  stopped_.push_back({pid, Clock::now() + draw.length});
  why = fmt::format("{} for {} ms", name, draw.length.count());
  return true;
}

// By our own hand: every member that the cluster itself lists is a voter that answers for itself.
bool Chaos::all_voters_healthy() {
  const auto access = access_.get();
  if (!access) return false;
  for (const auto& endpoint : access->endpoints) {
    const auto list = etcd::connect(endpoint, access->tls)->member_list(true, 1s);
    if (!list) continue;
    return list->members.size() >= 3 && std::ranges::all_of(list->members, [&](const auto& m) {
             if (m.learner || m.client_urls.empty()) return false;
             const auto link = etcd::connect(m.client_urls.front(), access->tls);
             const auto status = link->status(1s);
             return status && status->id == m.id && has(list->members, status->leader);
           });
  }
  return false;
}

bool Chaos::lose_data(std::uint32_t who, std::string& why) {
  const auto members = running();
  if (!stopped_.empty() || members.size() < 3 || !all_voters_healthy()) {
    why = "not every voter is whole";
    return false;
  }
  why = members[who % members.size()];
  const pid_t pid = sandbox_.etcd_pid("c", why);
  std::error_code ec;
  std::filesystem::remove_all(sandbox_.data_dir("c", why), ec);
  if (pid > 0) kill(pid, SIGKILL);
  return true;
}

// A loss that was not possible when it was drawn comes as soon as every voter is whole.
void Chaos::lose_late() {
  if (!to_lose_ || ticks_ % 4 != 0) return;
  std::string why;
  if (lose_data(to_lose_->who, why)) {
    ++applied_[std::string(name_of(Fault::kLoseData))];
    say(fmt::format("{}, late: {}", name_of(Fault::kLoseData), why));
    to_lose_.reset();
  } else if (to_lose_->until <= Clock::now()) {
    to_lose_.reset();
  }
}

bool Chaos::away_with_operator(const Draw& draw, std::string& why) {
  if (operator_stop_) {
    why = "it is away already";
    return false;
  }
  pid_t pid = 0;
  if (draw.fault == Fault::kStopOperator) {
    pid = sandbox_.operator_pid();
    kill(pid, SIGSTOP);
  } else {
    sandbox_.kill_operator();
  }
  // Mostly back at once: what was begun is to be met again while it is fresh.
  const auto length = draw.who % 3 == 0 ? draw.length : draw.length / 10;
  operator_stop_ = {pid, Clock::now() + length};
  why = fmt::format("for {} ms", length.count());
  return true;
}

bool Chaos::edit(const Draw& draw, std::string& why) {
  if (draw.fault == Fault::kResize) {
    size_ = size_ == 3 ? 5 : 3;
    why = std::to_string(size_);
  } else if (draw.fault == Fault::kTemplate) {
    template_ = 1 + static_cast<int>(draw.who % 64);
    why = fmt::format("--max-txn-ops={}", 128 + template_);
  } else {
    const auto at = std::ranges::find(kVersions, version_);
    const auto last = full_depth() ? kVersions.end() - 1 : kVersions.end() - 2;
    const auto members = sandbox_.members("c");
    const bool there = std::ranges::all_of(
        members, [&](const MemberStatus& m) { return m.healthy && m.version == version_; });
    if (at >= last || members.empty() || !there) {
      why = at >= last ? "it is the last" : "the last step is not done";
      return false;
    }
    version_ = why = *(at + 1);
  }
  declare();
  return true;
}

// One value a tick, so that a cluster that does not answer holds nothing else up.
void Chaos::fill() {
  const auto access = access_.get();
  if (!access) return;
  --to_fill_;
  const auto& endpoints = access->endpoints;
  const auto link =
      etcd::connect(endpoints[static_cast<std::size_t>(to_fill_) % endpoints.size()], access->tls);
  const auto put = link->put(fmt::format("fill/{}", to_fill_ % 4),
                             std::string(std::size_t{kFillKiB} << 10, 'x'), 500ms);
  if (put || put.error().error.code != base::Code::kResourceExhausted) return;
  to_fill_ = 0;
  ++applied_["the quota was met"];
  say("the quota is met: " + put.error().error.message);
}

void Chaos::tick() {
  const auto now = Clock::now();
  std::erase_if(stopped_, [&](const Stopped& s) {
    if (s.until > now) return false;
    kill(s.pid, SIGCONT);
    return true;
  });
  if (operator_stop_ && operator_stop_->until <= now) {
    if (operator_stop_->pid != 0)
      kill(operator_stop_->pid, SIGCONT);
    else
      sandbox_.start_operator();
    operator_stop_.reset();
  }
  if (!operator_stop_) EXPECT_TRUE(sandbox_.operator_runs()) << "the operator ended by itself";
  if (to_fill_ > 0) fill();
  lose_late();
  if (++ticks_ % 8 == 0) expect_one_process_each(sandbox_);
}

void Chaos::heal() {
  say("healing");
  for (auto& s : stopped_) s.until = Clock::now();
  if (operator_stop_) operator_stop_->until = Clock::now();
  to_fill_ = 0;
  to_lose_.reset();
  tick();
}

void Chaos::say(const std::string& what) const {
  const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_);
  fmt::print("{:8.1f} s  {}\n", static_cast<double>(at.count()) / 1000, what);
  std::fflush(stdout);
}

}  // namespace e2e
