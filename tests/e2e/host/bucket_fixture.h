// A cluster whose backups lie in a store, deleted and declared again; and a server of S3 for it.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "../../conformance/object_server.h"
#include "e2e/host/sandbox.h"
#include "e2e/host/wait.h"
#include "etcd/history_api.h"
#include "json/json.h"
#include "posix/test_dir.h"

namespace e2e {

using namespace std::chrono_literals;

// Of backups that are whole: those with a manifest.
inline std::set<std::string> backups_below(const std::filesystem::path& root) {
  std::set<std::string> out;
  std::error_code none;
  for (std::filesystem::recursive_directory_iterator at(root, none), end; !none && at != end;
       at.increment(none)) {
    const auto name = at->path().filename().string();
    const auto whole = name.size() > 5 && name.starts_with("full-") && name.ends_with(".json") &&
                       name.find('.') == name.size() - 5;
    if (whole) out.insert(name);
  }
  return out;
}

// versitygw over a directory; the user's `aws-secret` says where it is. Each start has a new port.
class S3Bucket {
 public:
  S3Bucket() { start(); }
  void start() {
    for (const char* folder : {"data/my-etcd-backups", "iam"})
      EXPECT_TRUE(posix::make_dirs(dir_.path(folder)));
    server_ = std::make_unique<conformance::ObjectServer>(conformance::ObjectServer::What{
        .argv = {conformance::object_server_path("versitygw-1.8.0"), "--port", "127.0.0.1:PORT",
                 "--iam-dir", dir_.path("iam"), "--quiet", "posix", dir_.path("data")},
        .env = {"ROOT_ACCESS_KEY=testkey", "ROOT_SECRET_KEY=testsecret12345"},
        .folder = dir_.path("")});
  }
  void stop() { server_.reset(); }
  [[nodiscard]] const std::string& missing() const { return server_->missing(); }
  [[nodiscard]] std::filesystem::path folder() const {
    return std::filesystem::path(dir_.path("data")) / "my-etcd-backups";
  }
  [[nodiscard]] std::string secret(const std::string& key = "testsecret12345") const {
    return "apiVersion: v1\nkind: Secret\nmetadata:\n  name: aws-secret\nstringData:\n"
           "  credentials: |\n    [default]\n    aws_access_key_id = testkey\n"
           "    aws_secret_access_key = " +
           key +
           "\n  config: |\n    [default]\n    region = us-east-1\n    endpoint_url = "
           "http://127.0.0.1:" +
           std::to_string(server_->port()) + "\n";
  }

 private:
  posix::TestDir dir_;
  std::unique_ptr<conformance::ObjectServer> server_;
};

class BucketTest : public testing::Test {
 protected:
  explicit BucketTest(std::string name) : name_(std::move(name)) {}

  void remove_cluster() {
    sandbox_.remove(name_ + ".yaml");
    ASSERT_TRUE(eventually(90s, [&] {
      for (int ordinal = 0; ordinal < 6; ++ordinal)
        if (sandbox_.guard_pid(name_, name_ + "-" + std::to_string(ordinal)) > 0) return false;
      return sandbox_.cli({"status", name_}).err.find("no cluster") != std::string::npos;
    })) << say();
  }
  void lose(const std::filesystem::path& what) {
    // The operator may be writing there.
    ASSERT_TRUE(eventually(60s, [&] {
      std::error_code busy;
      std::filesystem::remove_all(what, busy);
      return !busy;
    })) << what;
  }
  // All that the machine holds of the cluster.
  void lose_all() { lose(sandbox_.state() / "clusters" / "default" / name_); }

  std::string say() const { return sandbox_.cli({"status", name_, "-o", "yaml"}).out; }
  bool is(const std::string& condition, const std::string& state) const {
    return sandbox_.condition(name_, condition) == state;
  }
  bool says(const std::string& condition, const std::string& words) const {
    return sandbox_.message(name_, condition).find(words) != std::string::npos;
  }
  std::int64_t backed_up() const {
    return json::get_int(sandbox_.status(name_), "status.lastBackup.revision").value_or(0);
  }
  void back_up(std::int64_t revision) {
    const auto asked = sandbox_.cli({"backup-now", name_});
    ASSERT_EQ(asked.exit_code, 0) << asked.err;
    ASSERT_TRUE(eventually(120s, [&] { return backed_up() >= revision; })) << say();
  }

  std::int64_t put(const std::string& key, const std::string& value) const {
    const auto access = sandbox_.access(name_);
    if (!access) return 0;
    const auto wrote = etcd::connect(access->endpoints.front(), access->tls)
                           ->put(key, value, base::Duration(10'000));
    EXPECT_TRUE(wrote) << "put " << key;
    return wrote ? *wrote : 0;
  }
  std::string get(const std::string& key) const {
    const auto access = sandbox_.access(name_);
    if (!access) return "";
    const auto got = etcd::connect(access->endpoints.front(), access->tls)
                         ->range(key, "", false, 0, base::Duration(10'000));
    return got && !got->kvs.empty() ? got->kvs.front().value : "";
  }
  // A client that was away watches on from where it was: it is told that it must read anew, and
  // never gets what other keys hold at revisions that it takes for its own.
  void expect_watch_ends(std::int64_t from) const {
    const auto access = sandbox_.access(name_);
    ASSERT_TRUE(access);
    const auto api = etcd::connect_history(access->endpoints.front(), access->tls);
    auto watch = api->watch(from, base::Duration(10'000));
    ASSERT_TRUE(watch) << watch.error().text();
    const auto next = (*watch)->next(base::Duration(30'000));
    ASSERT_FALSE(next) << (*next ? "got a batch" : "got nothing");
    EXPECT_EQ(next.error().code, base::Code::kNotFound) << next.error().text();
    EXPECT_GT((*watch)->compacted(), from);
  }

  const std::string name_;
  Sandbox sandbox_;
};

}  // namespace e2e
