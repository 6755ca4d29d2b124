#include "guard/files.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "base/text.h"

namespace guard {
namespace {

Ticket ticket() {
  Ticket t;
  t.cluster_ns = "default";
  t.cluster_name = "demo";
  t.member_name = "demo-0";
  t.incarnation = "20261121T120000Z-1a2b";
  t.volume_id = "6a0f";
  t.permit = Permit::kRestore;
  t.origin = "o1";
  t.cluster_id.value = 0xfedcba9876543210U;
  t.member_id.value = 0x8e9e05c52164694dU;
  t.peer_address = "127.0.0.1:2380";
  t.audited_term = 7;
  t.audited_index = 123456789012345ULL;
  t.restore_operation = "op-1";
  t.restore_snapshot = "/a path/with space\nand a newline \\n";
  t.restore_token = "tok";
  t.etcd = "/x/etcd";
  t.etcdutl = "/x/etcdutl";
  t.version = "3.5.12";
  t.initial_cluster = "demo-0=https://127.0.0.1:2380";
  t.token = "tok0";
  t.args = {"--listen-peer-urls=https://127.0.0.1:2380", "", "--x= y "};
  t.template_hash = "abc";
  return t;
}

Marker marker() {
  Marker m;
  m.cluster_ns = "default";
  m.cluster_name = "demo";
  m.member_name = "demo-0";
  m.incarnation = "i";
  m.volume_id = "v";
  m.origin = "o2";
  m.peer_address = "127.0.0.1:2380";
  m.cluster_id.value = 1;
  m.member_id.value = 0x8e9e05c52164694dU;
  m.started = true;
  m.last_term = 3;
  m.last_index = 99;
  m.hard_term = 4;
  m.commit = 98;
  m.restored = "op-1";
  m.restoring = "op-2";
  m.condemned = Class::kRemoved;
  return m;
}

std::string with_crc(std::string body) {
  return body + fmt::format("crc {:08x}\n", base::crc32c(body));
}

TEST(GuardFiles, TicketRoundTrip) {
  const auto t = ticket();
  const auto back = decode_ticket(encode(t));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, t);
  const auto blank = decode_ticket(encode(Ticket{}));
  ASSERT_TRUE(blank) << blank.error().text();
  EXPECT_EQ(*blank, Ticket{});
}

TEST(GuardFiles, MarkerRoundTrip) {
  const auto back = decode_marker(encode(marker()));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, marker());
}

TEST(GuardFiles, StateRoundTrip) {
  State s;
  s.phase = Phase::kBackoff;
  s.boot_id = "b";
  s.guard_pid = 12;
  s.etcd_pid = 13;
  s.version = "3.6.16";
  s.template_hash = "h";
  s.starts = 4;
  s.since = base::Instant(base::Duration(1'763'000'000'123));
  const auto back = decode_state(encode(s));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(encode(*back), encode(s));
  EXPECT_EQ(back->phase, Phase::kBackoff);
  EXPECT_EQ(back->since, s.since);
  EXPECT_EQ(back->etcd_pid, 13);
}

TEST(GuardFiles, VerdictRoundTripInEveryClass) {
  for (int c = 0; c <= static_cast<int>(Class::kNoVolume); ++c) {
    Verdict v;
    v.klass = static_cast<Class>(c);
    v.signature = "panic: tocommit(312) is out of range\n\\";
    v.exit_code = -1;
    v.signal = 9;
    v.failures = 3;
    v.at = base::Instant(base::Duration(1'763'000'000'123));
    v.volume = c % 2 == 0 ? place_text({2049, 2}) : "";
    const auto back = decode_verdict(encode(v));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->klass, v.klass);
    EXPECT_EQ(back->volume, c % 2 == 0 ? "2049:2" : "");
    EXPECT_EQ(encode(*back), encode(v));
  }
}

std::string seed(const std::string& name, const std::string& now) {
  const std::string path = "fuzz/guard_files_corpus/" + name;
  if (std::getenv("EO_WRITE_SEEDS") != nullptr) std::ofstream(path, std::ios::binary) << now;
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// What is on disk today is read tomorrow, and the fuzzer begins with it. EO_WRITE_SEEDS writes it.
TEST(GuardFiles, TheFuzzersSeedsAreRead) {
  State state;
  state.phase = Phase::kRunning;
  state.starts = 3;
  Verdict verdict;
  verdict.klass = Class::kDataLost;
  verdict.signature = "tocommit(3)\nis out of range";
  const auto old_ticket = decode_ticket(seed("ticket", encode(ticket())));
  ASSERT_TRUE(old_ticket) << old_ticket.error().text();
  EXPECT_EQ(old_ticket->args, ticket().args);
  const auto old_marker = decode_marker(seed("marker", encode(marker())));
  ASSERT_TRUE(old_marker) << old_marker.error().text();
  EXPECT_EQ(old_marker->last_index, marker().last_index);
  const auto old_state = decode_state(seed("state", encode(state)));
  ASSERT_TRUE(old_state) << old_state.error().text();
  EXPECT_EQ(old_state->starts, 3U);
  const auto old_verdict = decode_verdict(seed("verdict", encode(verdict)));
  ASSERT_TRUE(old_verdict) << old_verdict.error().text();
  EXPECT_EQ(old_verdict->signature, verdict.signature);
}

TEST(GuardFiles, EveryTruncationIsRefused) {
  const std::string whole = encode(ticket());
  for (size_t n = 0; n < whole.size(); ++n) {
    const auto r = decode_ticket(whole.substr(0, n));
    ASSERT_FALSE(r) << n;
    EXPECT_EQ(r.error().code, base::Code::kDataLoss);
  }
}

TEST(GuardFiles, EveryFlippedBitIsRefused) {
  for (const std::string& whole : {encode(ticket()), encode(marker())}) {
    for (size_t i = 0; i < whole.size() * 8; ++i) {
      std::string bytes = whole;
      bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << (i % 8)));
      const auto t = decode_ticket(bytes);
      const auto m = decode_marker(bytes);
      ASSERT_FALSE(t) << "bit " << i;
      ASSERT_FALSE(m) << "bit " << i;
      EXPECT_EQ(t.error().code, base::Code::kDataLoss);
    }
  }
}

TEST(GuardFiles, AppendedAndRepeatedBytesAreRefused) {
  const std::string whole = encode(marker());
  EXPECT_FALSE(decode_marker(whole + "\n"));
  EXPECT_FALSE(decode_marker(whole + whole));
  EXPECT_FALSE(decode_marker(std::string(1, '\0') + whole));
}

TEST(GuardFiles, KeysOfANewerMinorAreIgnored) {
  std::string body = encode(marker());
  body = body.substr(0, body.size() - 13);
  body.replace(0, body.find('\n'), "format 1.7");
  const auto back = decode_marker(with_crc(body + "moon_phase full\n"));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, marker());
}

TEST(GuardFiles, ANewerMajorIsUnimplementedNotDamaged) {
  std::string body = encode(marker());
  body = body.substr(0, body.size() - 13);
  body.replace(0, body.find('\n'), "format 2.0");
  const auto back = decode_marker(with_crc(body));
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, base::Code::kUnimplemented);
}

TEST(GuardFiles, AnUnknownPermitIsNotGuessed) {
  const auto r = decode_ticket(with_crc("format 1.1\nkind ticket\npermit Teleport\n"));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, base::Code::kUnimplemented);
  EXPECT_FALSE(decode_ticket(with_crc("format 1.0\nkind ticket\n")));  // no permit at all
}

TEST(GuardFiles, WrongContentUnderARightCheckIsRefused) {
  for (const char* body :
       {"", "\n", "format\n", "format x\nkind marker\n", "format 1.0\n", "format 1.0\nkind\n",
        "format 1.0\nkind marker\ncondemned None\nlast_index -1\n",
        "format 1.0\nkind marker\ncondemned None\nlast_index 99999999999999999999\n",
        "format 1.0\nkind marker\ncondemned None\nlast_index 1x\n",
        "format 1.0\nkind marker\ncondemned None\nstarted 2\n",
        "format 1.0\nkind marker\ncondemned None\nrestored a\\\n",
        "format 1.0\nkind marker\ncondemned None\nrestored a\\q\n",
        "format 1.0\nkind marker\ncondemned None\nstarted 1\nstarted 0\n",
        "format 1.0\nkind marker\ncondemned None\n x\n", "kind marker\nformat 1.0\n"})
    EXPECT_FALSE(decode_marker(with_crc(body))) << body;
  EXPECT_FALSE(decode_marker(encode(State{})));
  EXPECT_TRUE(decode_marker(with_crc("format 1.0\nkind marker\ncondemned None\n")));
}

TEST(GuardFiles, RandomBytesNeverCrash) {
  std::mt19937_64 random(1);
  const std::string whole = encode(ticket());
  for (int round = 0; round < 20000; ++round) {
    std::string body = round % 2 == 0 ? whole.substr(0, whole.size() - 13) : std::string();
    const size_t edits = random() % 8 + 1;
    for (size_t e = 0; e < edits; ++e) {
      const size_t at = body.empty() ? 0 : random() % body.size();
      if (random() % 2 == 0 && !body.empty())
        body[at] = static_cast<char>(random());
      else
        body.insert(at, 1, static_cast<char>(random()));
    }
    const std::string bytes = random() % 4 == 0 ? body : with_crc(body);
    (void)decode_ticket(bytes);
    (void)decode_state(bytes);
    (void)decode_verdict(bytes);
    (void)decode_marker(bytes);
  }
}

TEST(GuardFiles, FinalClassesHaveExitCodesOfTheirOwn) {
  std::vector<int> codes;
  for (int c = 0; c <= static_cast<int>(Class::kNoVolume); ++c) {
    const auto k = static_cast<Class>(c);
    EXPECT_NE(name_of(k), "?");
    if (is_final(k)) codes.push_back(exit_code_of(k));
  }
  EXPECT_EQ(codes, (std::vector<int>{10, 11, 12, 13, 14, 15}));
}

}  // namespace
}  // namespace guard
