// Jobs as real processes: a script stands in for the program.
#include "drivers/host/store_jobs.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <functional>

#include "posix/files.h"
#include "posix/test_dir.h"
#include "posix/wakeup.h"

namespace host {
namespace {

class StoreJobsTest : public ::testing::Test {
 protected:
  // `$d` is the folder of the job's files.
  std::string script(const std::string& body) {
    const std::string file = dir_.path("program");
    EXPECT_TRUE(posix::write_atomic(file, "#!/bin/sh\nd=$(dirname \"$4\")\n" + body + "\n", 0700));
    return file;
  }
  static bool eventually(const std::function<bool()>& condition) {
    const auto until = posix::deadline_in(base::Duration(20'000));
    while (posix::deadline_in({}) < until) {
      if (condition()) return true;
      (void)posix::poll_until({}, posix::deadline_in(base::Duration(20)), {});
    }
    return condition();
  }
  ClusterFiles cluster() {
    ClusterFiles out;
    out.dir = dir_.path("cluster");
    return out;
  }
  posix::TestDir dir_;
  const JobFiles files_ = job_files(cluster(), "backup");
};

TEST_F(StoreJobsTest, AFolderOfBackupsThatIsAwayIsNotMadeAnewByWhoLooks) {
  const Layout layout(dir_.path("state"));
  const base::ClusterKey key{"default", "c"};
  const auto is_there = [&] {
    return posix::exists(layout.backups(key)) == base::Fact<bool>(true);
  };
  ASSERT_TRUE(make_first_backups_folder(layout, key));
  EXPECT_TRUE(is_there());
  ASSERT_TRUE(posix::remove_tree(layout.root() + "/default"));
  ASSERT_TRUE(make_first_backups_folder(layout, key));
  EXPECT_FALSE(is_there());
  ASSERT_TRUE(posix::remove_tree(layout.cluster(key).dir));  // as a person may, to restore
  ASSERT_TRUE(make_first_backups_folder(layout, key));
  EXPECT_FALSE(is_there());
  ASSERT_TRUE(make_backups_folder(layout, key));
  EXPECT_TRUE(is_there());
  // Another one's.
  EXPECT_TRUE(make_first_backups_folder(layout, {"default", "c-2"}));
  EXPECT_EQ(posix::exists(layout.backups({"default", "c-2"})), base::Fact<bool>(true));
}

TEST_F(StoreJobsTest, AreSeenByTheirLockAndTheirReport) {
  EXPECT_EQ(look_at_job(files_)->epoch, 0);
  const JobLaunch launch{script("while [ ! -e \"$d/go\" ]; do sleep 0.02; done\n"
                                "printf '%s %s' \"$1\" \"$2\" >\"$d/new\"\n"
                                "mv \"$d/new\" \"$d/report.json\""),
                         "run", 3, "{\"a\":1}"};
  api::Secret secret;
  secret.data = {{"credentials", "of a person"}};
  ASSERT_TRUE(write_private(*secret_files(secret, files_.secret + "/store")));
  ASSERT_TRUE(start_job(launch, files_));
  const auto running = look_at_job(files_);
  ASSERT_TRUE(running.known());
  EXPECT_TRUE(running->running);
  EXPECT_EQ(running->epoch, 3);
  EXPECT_EQ(running->job, "{\"a\":1}");
  EXPECT_EQ(posix::file_info(files_.secret + "/store/credentials")->mode, 0600U);
  // One at a time, whoever asks.
  EXPECT_EQ(start_job(launch, files_).error().code, base::Code::kFailedPrecondition);
  ASSERT_TRUE(posix::write_atomic(files_.dir + "/go", ""));
  ASSERT_TRUE(eventually([&] { return !look_at_job(files_)->running; }));
  EXPECT_EQ(look_at_job(files_)->report, "archive run");
  ASSERT_TRUE(clear_job(files_));
  EXPECT_EQ(posix::exists(files_.secret), base::Fact<bool>(false));
  // What it left is not taken for the next one's.
  ASSERT_TRUE(posix::remove_file(files_.dir + "/go"));
  // One that ends before it can be looked at was started all the same.
  for (int epoch = 4; epoch < 24; ++epoch) {
    const auto started = start_job({script("exit 3"), "run", epoch, "{}"}, files_);
    ASSERT_TRUE(started) << started.error().text();
    ASSERT_TRUE(eventually([&] { return !look_at_job(files_)->running; }));
    EXPECT_EQ(look_at_job(files_)->epoch, epoch);
    EXPECT_EQ(look_at_job(files_)->report, "");
  }
}

TEST_F(StoreJobsTest, AreEndedAlsoWhenTheyDoNotListen) {
  ASSERT_TRUE(start_job(
      {script("trap '' TERM\n: >\"$d/up\"\nwhile :; do sleep 0.02; done"), "run", 1, "{}"},
      files_));
  ASSERT_TRUE(
      eventually([&] { return posix::exists(files_.dir + "/up") == base::Fact<bool>(true); }));
  EXPECT_TRUE(end_job(files_, base::Duration(20'000), {}));
  EXPECT_FALSE(look_at_job(files_)->running);
  EXPECT_TRUE(end_job(files_, base::Duration(20'000), {})) << "nothing runs any more";
}

TEST_F(StoreJobsTest, OneThatWasNotNotedIsFoundAndEnded) {
  ASSERT_TRUE(start_job({script("while :; do sleep 0.02; done"), "run", 1, "{}"}, files_));
  // As after a crash between its start and the note of it.
  ASSERT_TRUE(posix::remove_file(files_.process));
  ASSERT_TRUE(look_at_job(files_)->running);
  // Found by its command line, which it has a moment after its start.
  EXPECT_TRUE(eventually([&] { return end_job(files_, base::Duration(20'000), {}).has_value(); }));
  EXPECT_FALSE(look_at_job(files_)->running);
}

TEST_F(StoreJobsTest, OneThatCannotBeNotedDoesNotRun) {
  const JobLaunch launch{script("while :; do sleep 0.02; done"), "run", 1, "{}"};
  // A file of a few bytes can be written, and not the longer one that names the process.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit few{4, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &few), 0);
  const auto started = start_job(launch, files_);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, ignored);
  EXPECT_FALSE(started);
  EXPECT_EQ(posix::exists(files_.process), base::Fact<bool>(false));
  EXPECT_TRUE(eventually([&] { return !look_at_job(files_)->running; }));
}

TEST_F(StoreJobsTest, KeysOfASecretThatAreNoFileNamesAreRefused) {
  for (const char* key : {"../record", "a/b", "..", ""}) {
    api::Secret secret;
    secret.data = {{key, "x"}};
    EXPECT_FALSE(secret_files(secret, dir_.path("secret"))) << key;
  }
}

TEST_F(StoreJobsTest, ADamagedEpochIsUnknown) {
  ASSERT_TRUE(posix::make_dirs(files_.dir));
  ASSERT_TRUE(posix::write_atomic(files_.epoch, "many"));
  EXPECT_TRUE(look_at_job(files_).is_unknown());
}

}  // namespace
}  // namespace host
