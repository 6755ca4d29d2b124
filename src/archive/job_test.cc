#include "archive/job.h"

#include <gtest/gtest.h>

namespace archive {
namespace {

const std::string kJob =
    R"({"cluster": {"namespace": "default", "name": "c"}, "incarnation": "20261122T031500Z-8f3a",
 "epoch": 7, "store": {"url": "s3://b/p", "secret": "/s", "endpoint": "", "region": "",
 "pathStyle": false, "ca": "/ca.pem"}, "direct": true,
 "endpoints": [{"member": "c-0", "url": "https://127.0.0.1:2379"}],
 "tls": {"ca": "/a", "cert": "/b", "key": "/c"}, "scratch": "/tmp/x", "maxBackups": 3,
 "encryptionKey": "/k", "notBefore": "2026-11-22T03:15:00.000Z", "lastRevision": 12,
 "deadlineSeconds": 60, "report": "/r.json"})";

std::string changed(const std::string& from, const std::string& to) {
  auto text = kJob;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Job, IsReadAndWritten) {
  const auto job = parse_run_job(kJob);
  ASSERT_TRUE(job) << job.error().text();
  EXPECT_EQ(job->common.cluster, (base::ClusterKey{"default", "c"}));
  EXPECT_EQ(job->common.store.url, "s3://b/p");
  EXPECT_TRUE(job->common.direct);
  EXPECT_EQ(job->epoch, 7);
  EXPECT_EQ(job->endpoints, (std::vector<Endpoint>{{"c-0", "https://127.0.0.1:2379"}}));
  EXPECT_EQ(job->tls->key, "/c");
  EXPECT_EQ(job->max_backups, 3U);
  EXPECT_EQ(job->last_revision, 12);
  EXPECT_EQ(base::to_rfc3339(*job->not_before), "2026-11-22T03:15:00.000Z");
  EXPECT_EQ(job->common.deadline, std::chrono::seconds(60));
  const auto again = parse_run_job(to_json(*job));
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(*again, *job);

  auto written = *job;
  written.common.store.storage_class = "STANDARD_IA";
  written.common.store.encryption = "aws:kms";
  written.common.store.kms_key = "k";
  EXPECT_EQ(parse_run_job(to_json(written)), written);

  FetchJob fetch{.common = job->common, .to = "/to", .exact = true};
  const auto fetched = parse_fetch_job(to_json(fetch));
  ASSERT_TRUE(fetched) << fetched.error().text();
  EXPECT_EQ(*fetched, fetch);
}

TEST(Job, WhatIsWrongIsNamed) {
  const auto why = [](const std::string& text) {
    const auto job = parse_run_job(text);
    if (job) return std::string("good");
    EXPECT_EQ(job.error().code, base::Code::kInvalidArgument);
    return job.error().message;
  };
  EXPECT_EQ(why(kJob), "good");
  EXPECT_EQ(why(changed("\"epoch\"", "\"epoche\"")), "unknown field epoche");
  EXPECT_EQ(why(changed("\"secret\"", "\"secrets\"")), "unknown field store.secrets");
  EXPECT_EQ(why(changed("\"member\"", "\"Member\"")), "endpoints.0.member is missing");
  EXPECT_EQ(why(changed("\"epoch\": 7", "\"epoch\": \"7\"")), "epoch is a string, not an integer");
  EXPECT_NE(why(changed("\"maxBackups\": 3", "\"maxBackups\": -1")).find("maxBackups is -1"),
            std::string::npos);
  EXPECT_NE(why(changed("\"deadlineSeconds\": 60", "\"deadlineSeconds\": 0")).find("at least 1"),
            std::string::npos);
  EXPECT_NE(why(changed("20261122T031500Z-8f3a", "../x")).find("incarnation: \"../x\""),
            std::string::npos);
  EXPECT_EQ(why(changed("\"name\": \"c\"", "\"name\": \"../c\"")), "cluster: \"../c\" is no name");
  EXPECT_NE(why(changed("[{\"member\": \"c-0\", \"url\": \"https://127.0.0.1:2379\"}]", "[]"))
                .find("at least one"),
            std::string::npos);
  EXPECT_NE(why("[]").find("not an object"), std::string::npos);
  EXPECT_NE(why("{").find("line 1"), std::string::npos);
}

TEST(Job, AReportIsSmallWhateverItSays) {
  RunReport report{.outcome = RunOutcome::kNotDue,
                   .name = "20261122T031500Z-8f3a/full-x",
                   .revision = 12,
                   .time = base::parse_rfc3339("2026-11-22T03:15:00.000Z").value(),
                   .size_bytes = 4096,
                   .verified = true,
                   .hash_of_member = "c-1",
                   .pruned = 1,
                   .kept = 3,
                   .warning = "w"};
  EXPECT_EQ(parse_run_report(to_json(report)), report);
  for (int i = 0; i < 3000; ++i) report.error += "\"é";
  const auto text = to_json(report);
  EXPECT_LE(text.size(), 2048U);
  const auto cut = parse_run_report(text);
  ASSERT_TRUE(cut) << cut.error().text();
  EXPECT_TRUE(cut->error.starts_with("\"é\"é"));
  EXPECT_TRUE(cut->error.ends_with("…"));

  report.name = report.error_kind = std::string(5000, '\n');
  EXPECT_LE(to_json(report).size(), 2048U);

  FetchReport fetch{.outcome = FetchOutcome::kFetched, .name = "n", .hash = 4'000'000'000U};
  EXPECT_EQ(parse_fetch_report(to_json(fetch)), fetch);
  for (int i = 0; i < 100; ++i)
    fetch.skipped.push_back({std::string(87, 'n'), std::string(300, 'w')});
  const auto many = to_json(fetch);
  EXPECT_LE(many.size(), 2048U);
  const auto some = parse_fetch_report(many);
  ASSERT_TRUE(some) << some.error().text();
  EXPECT_FALSE(some->skipped.empty());
  EXPECT_EQ(some->warning, "100 backups did not verify");
  // What was restored is always told.
  const std::string name = "20261122T031500Z-" + std::string(32, 'a') + "/full-" +
                           std::string(20, '1') + "-20261122T031600Z-" + std::string(32, 'b');
  for (size_t count = 0; count < 40; ++count) {
    FetchReport told{.outcome = FetchOutcome::kFetched,
                     .name = name,
                     .incarnation = name.substr(0, 49),
                     .warning = std::string(900, 'x')};
    told.skipped.assign(count, {name, std::string(900, 'w')});
    const auto small = to_json(told);
    EXPECT_LE(small.size(), 2048U);
    const auto read = parse_fetch_report(small);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->name, told.name) << count;
    EXPECT_EQ(read->incarnation, told.incarnation) << count;
    EXPECT_EQ(read->skipped.empty(), count == 0) << count;
  }
  fetch.name = fetch.error = std::string(5000, '\n');
  EXPECT_LE(to_json(fetch).size(), 2048U);
}

}  // namespace
}  // namespace archive
