#include "history_users.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <utility>

#include "etcd/bolt/database.h"
#include "etcd/bolt/record.h"
#include "etcd/bolt/verify.h"
#include "json/json.h"
#include "pki/issue.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/process.h"

namespace history {
namespace {

constexpr base::Duration kCall{20'000};

std::map<std::string, std::string> stored_in(const std::string& file) {
  std::map<std::string, std::string> out;
  const auto source = bolt::FileSource::open(file);
  EXPECT_TRUE(source) << file;
  if (!source) return out;
  const auto database = bolt::Database::open(*source, source->size() - bolt::kTrailer);
  EXPECT_TRUE(database) << file;
  if (!database) return out;
  for (const std::string bucket : {"auth", "authUsers", "authRoles"}) {
    const auto walked =
        database->walk(bucket, [&](std::string_view key, std::string_view value) -> base::Status {
          out[bucket + "/" + std::string(key)] = value;
          return {};
        });
    EXPECT_TRUE(walked) << walked.error().text();
  }
  return out;
}

std::string written(const std::string& file, const std::string& text) {
  EXPECT_TRUE(posix::write_atomic(file, text)) << file;
  return file;
}

}  // namespace

UserHistory::UserHistory(const support::TestCluster& cluster)
    : cluster_(cluster), api_(cluster.members[0]->connect()) {
  const auto& dir = cluster.dir.root();
  const auto tool = support::etcd_binary(cluster.version, "etcdctl");
  EXPECT_TRUE(tool) << tool.error().text();
  tool_ = tool.value_or("");
  const auto pem = cluster.pki->client();
  ca_ = written(dir + "/users-ca.pem", pem.ca);
  root_ = {written(dir + "/root.pem", pem.cert), written(dir + "/root.key", pem.key)};
  const auto stranger = pki::issue(cluster.pki->ca(), {.common_name = "stranger",
                                                       .now = posix::SystemClock().now(),
                                                       .life = std::chrono::hours(1)});
  EXPECT_TRUE(stranger);
  if (stranger)
    stranger_ = {written(dir + "/stranger.pem", stranger->cert),
                 written(dir + "/stranger.key", stranger->key)};
  note({});
  saved(0);
}

UserHistory::Answer UserHistory::ask(const support::EtcdProcess& member, const Person& by,
                                     const Words& words) const {
  Words argv{tool_,
             "--command-timeout=20s",
             "--endpoints=" + member.client_url(),
             "--cacert=" + ca_,
             "--cert=" + by.cert,
             "--key=" + by.key};
  argv.insert(argv.end(), words.begin(), words.end());
  const auto ran = posix::run({.argv = argv}, {.deadline = 3 * kCall}, {});
  EXPECT_TRUE(ran) << ran.error().text();
  if (!ran) return {};
  return {.done = ran->exit_code == 0, .out = ran->out, .err = ran->err};
}

// By etcd's own snapshot.
void UserHistory::note(Users now) {
  std::string all;
  const auto taken = api_->snapshot(
      [&](std::string_view bytes) {
        all += bytes;
        return true;
      },
      kCall);
  ASSERT_TRUE(taken) << taken.error().text();
  now.stored = stored_in(written(cluster_.dir.root() + "/live.db", all));
  users_.push_back(std::move(now));
}

void UserHistory::apply(const std::vector<Words>& commands, Users to) {
  const auto before = api_->quorum_read(kCall);
  ASSERT_TRUE(before) << before.error().text();
  to.from = *before;
  to.saved_at.reset();
  for (const auto& command : commands) {
    to.enabled = command[0] == "auth" ? command[1] == "enable" : users_.back().enabled;
    const auto said = ask(*cluster_.members[0], root_, command);
    ASSERT_TRUE(said.done) << fmt::format("{}: {}", fmt::join(command, " "), said.err);
    note(to);
  }
}

void UserHistory::change(std::mt19937_64& dice) {
  auto to = users_.back();
  if (to.passwords.empty()) {
    to.enabled = true;
    to.passwords = {{"root", "r"}, {"u0", "p0"}};
    to.readers = {"u0"};
    apply({{"role", "add", "root"},
           {"role", "add", "reader"},
           {"role", "grant-permission", "--prefix=true", "reader", "read", "/k/"},
           {"user", "add", "root:r"},
           {"user", "grant-role", "root", "root"},
           {"user", "add", "u0:p0"},
           {"user", "grant-role", "u0", "reader"},
           {"auth", "enable"}},
          to);
    return;
  }
  const auto old = fmt::format("u{}", named_);
  const auto name = fmt::format("u{}", ++named_);
  const auto password = std::to_string(dice());
  std::vector<Words> commands{{"user", "add", name + ":" + password}};
  to.passwords[name] = password;
  if (dice() % 2 == 0) {
    to.readers.insert(name);
    commands.push_back({"user", "grant-role", name, "reader"});
  }
  if (dice() % 2 == 0) {
    to.passwords.erase(old);
    to.readers.erase(old);
    commands.push_back({"user", "delete", old});
  } else if (to.readers.erase(old) > 0) {
    commands.push_back({"user", "revoke-role", old, "reader"});
  }
  apply(commands, to);
}

void UserHistory::switch_auth() {
  auto to = users_.back();
  to.enabled = !to.enabled;
  apply({{"auth", to.enabled ? "enable" : "disable"}}, to);
}

bool UserHistory::is_last(const std::string& manifest) const {
  const auto value = json::parse(manifest);
  const auto& stored = users_.back().stored;
  const auto revision = stored.find("auth/authRevision");
  return value &&
         json::get_uint(*value, "authRevision").value_or(0) ==
             (revision == stored.end() ? 0 : bolt::load_big(revision->second, 0)) &&
         json::get_bool(*value, "authEnabled").value_or(false) == users_.back().enabled;
}

void UserHistory::saved(std::int64_t revision) {
  for (auto& one : users_)
    if (!one.saved_at) one.saved_at = revision;
}

void UserHistory::expect_of_revision(const std::string& file, std::int64_t revision) const {
  const auto found = stored_in(file);
  for (size_t i = 0; i < users_.size(); ++i)
    if (revision >= users_[i].from &&
        (i == last() || revision <= users_[i + 1].saved_at.value_or(revision)) &&
        users_[i].stored == found)
      return;
  ADD_FAILURE() << "users and roles are not those of revision " << revision;
}

void UserHistory::expect(const std::string& file, size_t which) const {
  EXPECT_TRUE(stored_in(file) == users_[which].stored) << "users and roles are not those of then";
}

void UserHistory::expect_let_in(const support::EtcdProcess& member, size_t which) const {
  const auto& users = users_[which];
  const auto with = [&](const std::string& name, const std::string& password) {
    return ask(member, stranger_, {"--user=" + name + ":" + password, "get", "/k/1"});
  };
  std::string names;
  for (const auto& [name, password] : users.passwords) names += name + "\n";
  EXPECT_EQ(ask(member, root_, {"user", "list"}).out, names);
  // One whom no user's name and no password is of.
  EXPECT_EQ(ask(member, stranger_, {"get", "/k/1"}).done, !users.enabled);
  EXPECT_EQ(ask(member, stranger_, {"put", "/by/a/stranger", "1"}).done, !users.enabled);
  if (!users.enabled) return;
  for (const auto& [name, password] : users.passwords) {
    const bool reads = name == "root" || users.readers.contains(name);
    const auto right = with(name, password);
    EXPECT_EQ(right.done, reads) << name << ": " << right.err;
    if (!reads) EXPECT_NE(right.err.find("permission denied"), std::string::npos) << right.err;
    const auto wrong = with(name, "no");
    EXPECT_FALSE(wrong.done) << name;
    EXPECT_NE(wrong.err.find("invalid user ID or password"), std::string::npos) << wrong.err;
  }
  for (unsigned i = 0; i <= named_; ++i)
    if (const auto name = fmt::format("u{}", i); !users.passwords.contains(name))
      EXPECT_FALSE(with(name, "p0").done) << name;
}

}  // namespace history
