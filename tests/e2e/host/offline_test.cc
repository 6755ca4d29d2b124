// Commands while no operator runs: what they do then, and what the next operator makes of it.
#include "e2e/host/fixture.h"

namespace e2e {
namespace {

class OfflineTest : public ClusterTest {
 protected:
  void create_one() {
    sandbox_.start_operator();
    sandbox_.write("c.yaml", manifest("c", 1, "3.5.12", ""));
    ASSERT_TRUE(eventually(90s, [&] { return sandbox_.settled("c", 1); })) << say();
  }
};

TEST_F(OfflineTest, AStopIsHonouredByTheNextOperatorAndCanBeTakenBack) {
  create_one();
  const auto first = sandbox_.etcd_pid("c", "c-0");
  ASSERT_NE(first, 0);
  EXPECT_EQ(sandbox_.stop_operator(), 0);
  const auto stopped = sandbox_.cli({"stop", "c"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  EXPECT_NE(stopped.out.find("etcd-operator start c"), std::string::npos) << stopped.out;
  EXPECT_EQ(sandbox_.etcd_pid("c", "c-0"), 0);

  sandbox_.start_operator();
  ASSERT_TRUE(eventually(60s, [&] { return says("Progressing", "stopped by command"); })) << say();
  EXPECT_EQ(sandbox_.etcd_pid("c", "c-0"), 0);

  EXPECT_EQ(sandbox_.stop_operator(), 0);
  const auto started = sandbox_.cli({"start", "c"});
  EXPECT_EQ(started.exit_code, 0) << started.err;
  EXPECT_EQ(sandbox_.etcd_pid("c", "c-0"), 0) << "no operator runs yet";
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.settled("c", 1); })) << say();
}

TEST_F(OfflineTest, StoppingAllIsForgottenByTheNextOperator) {
  create_one();
  const auto stopped = sandbox_.cli({"stop", "--all"}, 60s);
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  ASSERT_TRUE(sandbox_.wait_operator(60s));
  EXPECT_EQ(sandbox_.etcd_pid("c", "c-0"), 0);
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(60s, [&] { return sandbox_.settled("c", 1); })) << say();
}

TEST_F(OfflineTest, EtcdctlRunsWithoutAWordOfWarning) {
  create_one();
  const auto put = sandbox_.cli({"connect", "c", "--", "put", "a", "1"});
  EXPECT_EQ(put.out, "OK\n");
  EXPECT_EQ(put.err, "");
  EXPECT_EQ(sandbox_.stop_operator(), 0);
  const auto got = sandbox_.cli({"connect", "c", "--", "get", "a", "--print-value-only"});
  EXPECT_EQ(got.out, "1\n");
  EXPECT_EQ(got.err, "");
}

}  // namespace
}  // namespace e2e
