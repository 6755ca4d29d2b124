// Users and roles for history_test.cc: changed by etcd's own command while the cluster is followed,
// remembered as etcd saved them, and tried on an etcd that was brought back.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/etcd_process.h"

namespace history {

// Behind one command that changed them.
struct Users {
  std::map<std::string, std::string> stored;  // "bucket/key" to the bytes in etcd's database
  bool enabled = false;
  std::map<std::string, std::string> passwords;
  std::set<std::string> readers;  // of all below /k/
  std::int64_t from = 0;          // a revision of before
  // A restore to a revision behind it has these or later ones.
  std::optional<std::int64_t> saved_at = {};
};

// For one thread; the cluster outlives it. Failures are those of the test.
class UserHistory {
 public:
  // Of a cluster without users.
  explicit UserHistory(const support::TestCluster& cluster);

  void change(std::mt19937_64& dice);  // the first time root and one more, and a password is asked
  void switch_auth();
  [[nodiscard]] size_t last() const { return users_.size() - 1; }
  [[nodiscard]] const Users& at(size_t which) const { return users_[which]; }
  // A backup's manifest is of the last change.
  [[nodiscard]] bool is_last(const std::string& manifest) const;
  void saved(std::int64_t revision);  // there is such a backup

  // Of a file that was brought back. A change is in no log: until the backup behind it those of
  // before may come back.
  void expect_of_revision(const std::string& file, std::int64_t revision) const;
  void expect(const std::string& file, size_t which) const;
  // An etcd lets in whom it should, and nobody else.
  void expect_let_in(const support::EtcdProcess& member, size_t which) const;

 private:
  using Words = std::vector<std::string>;
  struct Answer {
    bool done = false;
    std::string out, err;
  };
  struct Person {
    std::string cert, key;
  };
  [[nodiscard]] Answer ask(const support::EtcdProcess& member, const Person& by,
                           const Words& words) const;
  void note(Users now);
  void apply(const std::vector<Words>& commands, Users to);

  const support::TestCluster& cluster_;
  std::unique_ptr<etcd::EtcdApi> api_;
  std::string tool_, ca_;
  Person root_, stranger_;
  unsigned named_ = 0;
  std::vector<Users> users_;
};

}  // namespace history
