// What most cases begin with: one cluster that serves, and a writer that goes on through the case.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "e2e/host/checks.h"
#include "e2e/host/sandbox.h"
#include "e2e/host/wait.h"
#include "e2e/host/writer.h"

namespace e2e {

using namespace std::chrono_literals;

class ClusterTest : public testing::Test {
 protected:
  // Writes the manifest, waits for `size` voters and starts the writer.
  void create(int size, const std::string& version, const std::string& more = "") {
    version_ = version;
    more_ = more;
    sandbox_.start_operator();
    declare(size);
    ASSERT_TRUE(eventually(90s, [&] { return sandbox_.settled("c", static_cast<size_t>(size)); }))
        << say();
    start_writer();
  }
  void declare(int size) { declare(size, version_); }
  void declare(int size, const std::string& version) {
    sandbox_.write("c.yaml", manifest("c", size, version, more_));
  }
  void start_writer() {
    writer_ = std::make_unique<Writer>([this] { return sandbox_.access("c"); });
    ASSERT_TRUE(eventually(90s, [&] { return writer_->count() > 50; }))
        << "the writer cannot write";
  }
  // Declares the size and waits until the cluster has it.
  void resize(int size) {
    declare(size);
    ASSERT_TRUE(eventually(120s, [&] { return sandbox_.settled("c", static_cast<size_t>(size)); }))
        << "size " << size << ": " << say();
  }
  // Ends the writer and checks that nothing acknowledged was lost.
  Written finish(std::int64_t bound = 0) {
    const Written written = writer_->stop();
    expect_nothing_lost(sandbox_, "c", written, bound);
    expect_one_process_each(sandbox_);
    return written;
  }
  // The status in words, for a failure's text.
  std::string say() const { return sandbox_.cli({"status", "c"}).out; }
  // The condition is True or False in these words. A condition that the step before has already
  // set proves nothing: wait for its words.
  bool says(const std::string& condition, const std::string& words) const {
    return sandbox_.message("c", condition).find(words) != std::string::npos;
  }
  bool has_event(const std::string& reason) const {
    return sandbox_.cli({"events", "c"}).out.find(reason) != std::string::npos;
  }
  // By one look; empty: it did not see one.
  std::string id_now(const std::string& member) const {
    for (const auto& m : sandbox_.members("c"))
      if (m.name == member) return m.id;
    return "";
  }
  std::string with_role_now(const std::string& role) const {
    for (const auto& m : sandbox_.members("c"))
      if (m.role == role) return m.name;
    return "";
  }
  // Looks again for a minute.
  std::string id_of(const std::string& member) const {
    std::string id;
    eventually(60s, [&] { return !(id = id_now(member)).empty(); });
    return id;
  }
  std::string with_role(const std::string& role) const {
    std::string name;
    eventually(60s, [&] { return !(name = with_role_now(role)).empty(); });
    return name;
  }
  bool settled(size_t size) const { return sandbox_.settled("c", size, ""); }

  Sandbox sandbox_;
  std::unique_ptr<Writer> writer_;
  std::string version_, more_;
};

class VersionedTest : public ClusterTest, public testing::WithParamInterface<std::string> {};

inline std::string version_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = "v" + info.param;
  for (char& c : name)
    if (c == '.') c = '_';
  return name;
}

}  // namespace e2e
