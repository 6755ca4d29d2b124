// What every object store must do (store_cases.cc), whatever it is made of. A test program
// instantiates: INSTANTIATE_TEST_SUITE_P(Local, StoreConformance, Values(Make(make_local_bench)));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "objstore/store.h"
#include "posix/wakeup.h"

namespace conformance {

class StoreBench {
 public:
  virtual ~StoreBench() = default;
  // Empty: it works. Else why it cannot be had here, and the test counts as skipped, not as passed.
  virtual std::string missing() { return {}; }
  virtual objstore::Store& store() = 0;  // may hold what other tests wrote, under other prefixes
  // Whether clean_up() has something to do: elsewhere the server removes what is unfinished.
  virtual bool keeps_unfinished() { return true; }
  // How an object is damaged or uploads counted is each store's own test.
};
using MakeBench = std::function<std::unique_ptr<StoreBench>()>;

class StoreConformance : public ::testing::TestWithParam<MakeBench> {
 protected:
  void SetUp() override {
    bench_ = GetParam()();
    if (const auto why = bench_->missing(); !why.empty()) GTEST_SKIP() << why;
  }
  objstore::Store& store() { return bench_->store(); }
  static objstore::Call call() { return {.deadline = posix::deadline_in(base::Duration(60'000))}; }
  // Of this test alone.
  static std::string key(const std::string& name) {
    std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    return test.substr(0, test.find('/')) + "/" + name;
  }
  base::Result<objstore::Object> put(const std::string& name, std::string_view bytes,
                                     const objstore::Condition& condition = {}) {
    return store().put(key(name), bytes, {.condition = condition}, call());
  }
  base::Result<std::string> read(const std::string& name, const objstore::Range& range = {}) {
    std::string bytes;
    const auto sink = [&](std::string_view part) {
      bytes += part;
      return base::Status();
    };
    if (const auto got = store().get(key(name), range, sink, call()); !got)
      return std::unexpected(got.error());
    return bytes;
  }
  // Without the test's prefix.
  std::vector<std::string> names(const std::string& prefix = "", unsigned limit = 1000);

  std::unique_ptr<StoreBench> bench_;
};

}  // namespace conformance
