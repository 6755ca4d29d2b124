// What raft promises, under random faults that lose no data: one leader a term, and no acknowledged
// write is lost. A fake that broke this would accuse the operator of its own faults.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "sim/world/etcd_fixture.h"

namespace sim {
namespace {

class Storm {
 public:
  Storm(unsigned seed, int members) : lab_({}, seed), dice_(seed), members_(members) {
    lab_.form(members);
    dirs_.resize(static_cast<size_t>(members));
    down_.resize(static_cast<size_t>(members));
  }

  void step() {
    const int n = pick(members_);
    switch (pick(8)) {
      case 0:
        kill(n);
        break;
      case 1:
        start(n);
        break;
      case 2:
        lab_.etcd().cut(n, pick(members_), lab_.now());
        break;
      case 3:
        heal();
        break;
      case 4:
        lab_.advance(base::Duration(pick(3000)));
        break;
      case 5:
        if (!is_down(n)) lab_.etcd().move_leader(lab_.at(n).pid, some_id(), lab_.now());
        break;
      default:
        write(n);
        break;
    }
    look();
  }

  void heal_all() {
    heal();
    for (int i = 0; i < members_; ++i) start(i);
    lab_.advance(base::Duration(20'000));
    for (int i = 0; i < members_; ++i) {
      ASSERT_TRUE(lab_.at(i).ready) << i;
      const auto all = lab_.api(i)->range("k", "l", false, 0, base::Duration(9000));
      ASSERT_TRUE(all) << all.error().text();
      std::set<std::string> kept;
      for (const auto& kv : all->kvs) kept.insert(kv.key);
      for (const auto& key : acknowledged_) EXPECT_TRUE(kept.contains(key)) << key;
      EXPECT_EQ(lab_.at(i).dir.tip, lab_.at(0).dir.tip);
    }
  }
  [[nodiscard]] size_t acknowledged() const { return acknowledged_.size(); }

 private:
  int pick(int below) { return static_cast<int>(dice_() % static_cast<unsigned>(below)); }
  [[nodiscard]] bool is_down(int n) const { return down_[static_cast<size_t>(n)]; }
  base::MemberId some_id() {
    const int n = pick(members_);
    return is_down(n) ? base::MemberId{} : lab_.id(n);
  }

  void kill(int n) {
    if (is_down(n)) return;
    dirs_[static_cast<size_t>(n)] = lab_.kill(n);
    down_[static_cast<size_t>(n)] = true;
  }
  void start(int n) {
    if (!is_down(n)) return;
    lab_.launch(Lab::args(n, members_), std::move(dirs_[static_cast<size_t>(n)]));
    down_[static_cast<size_t>(n)] = false;
  }
  void heal() {
    for (int i = 0; i < members_; ++i)
      for (int k = 0; k < members_; ++k) lab_.etcd().heal(i, k, lab_.now());
  }
  void write(int n) {
    const auto key = "k" + std::to_string(++keys_);
    if (lab_.api(n)->put(key, "v", base::Duration(500))) acknowledged_.insert(key);
  }
  void look() {
    for (const auto& p : lab_.etcd().processes()) {
      ASSERT_NE(p.phase, Process::Phase::kEnded) << p.end->log;
      if (!p.leads) continue;
      const auto [known, added] = leaders_.emplace(p.dir.hard_term, p.id());
      ASSERT_EQ(known->second, p.id()) << "two leaders of term " << p.dir.hard_term;
    }
  }

  Lab lab_;
  std::mt19937 dice_;
  int members_, keys_ = 0;
  std::vector<Dir> dirs_;
  std::vector<bool> down_;
  std::set<std::string> acknowledged_;
  std::map<std::uint64_t, base::MemberId> leaders_;  // by term
};

TEST(EtcdRandom, OneLeaderATermAndNoAcknowledgedWriteIsLost) {
  size_t acknowledged = 0;
  for (unsigned seed = 1; seed <= 300 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Storm storm(seed, 3 + static_cast<int>(seed % 2) * 2);
    for (int i = 0; i < 120 && !HasFatalFailure(); ++i) storm.step();
    storm.heal_all();
    acknowledged += storm.acknowledged();
  }
  EXPECT_GT(acknowledged, 1000U);  // else it proves nothing
}

}  // namespace
}  // namespace sim
