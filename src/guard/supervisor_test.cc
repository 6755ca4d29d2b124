// A guard that cannot begin. What it does with etcd: guard_start_test.cc, guard_life_test.cc.
#include "guard/supervisor.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "guard/disk.h"

namespace guard {
namespace {

class SupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::sigprocmask(SIG_SETMASK, nullptr, &mask);
    std::filesystem::remove_all(paths.member);
    std::filesystem::create_directories(paths.member);
  }
  void TearDown() override {
    std::filesystem::remove_all(paths.member);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);  // a guard blocks what it reads as data
  }

  sigset_t mask{};
  const Paths paths{::testing::TempDir() + "guard-supervisor-test"};
};

TEST_F(SupervisorTest, ALockThatCannotBeTakenIsTheNodesFaultAndNoOtherGuards) {
  std::filesystem::create_directory(paths.lock());
  Options options;
  options.paths = paths;
  EXPECT_EQ(Supervisor(options).run(), exit_code_of(Class::kNode));
  const auto bytes = read_file(paths.verdict(), 1 << 20);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto verdict = decode_verdict(*bytes);
  ASSERT_TRUE(verdict) << verdict.error().message;
  EXPECT_EQ(verdict->klass, Class::kNode);
  EXPECT_NE(verdict->signature.find("Is a directory"), std::string::npos) << verdict->signature;
}

}  // namespace
}  // namespace guard
