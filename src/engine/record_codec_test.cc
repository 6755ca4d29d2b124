#include "engine/record_codec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace engine {
namespace {

plan::MemberRecord member(int ordinal) {
  plan::MemberRecord m;
  m.name = fmt::format("c-{}", ordinal);
  m.ordinal = ordinal;
  m.addresses = {"https://127.0.0.1:1", "https://127.0.0.1:2", "http://127.0.0.1:3"};
  m.volume = "vol";
  m.incarnation = "inc";
  m.id = {0xfedcba9876543210ULL};
  m.phase = plan::Phase::kRemoving;
  m.permit = plan::Permit::kRestore;
  m.may_start = m.ran = true;
  m.version = {3, 5, 12, "rc.1"};
  m.template_hash = "th";
  m.origin = "origin";
  m.audited_term = 7;
  m.audited_index = 0xffffffffffffffffULL;
  m.seen_term = 8;
  m.seen_index = 9;
  m.unreachable_since = base::Instant(base::Duration(5));
  m.started_at = base::Instant(base::Duration(6));
  return m;
}

plan::InPlaceRecord going_back() {
  plan::InPlaceRecord p;
  p.request = "uid/2";
  p.stage = plan::InPlace::kBegin;
  p.operation = "op-in-place";
  p.from.source = api::ObjectLocation{.kind = "s3",
                                      .path = "bucket/etcd",
                                      .secret = "aws",
                                      .endpoint = "https://s3",
                                      .region = "r",
                                      .force_path_style = true,
                                      .object_class = "STANDARD_IA",
                                      .encryption = "aws:kms",
                                      .kms_key = "alias/backups",
                                      .volume_bytes = 13,
                                      .storage_class = "fast"};
  p.from.backup_cluster_name = "old";
  p.from.required = true;
  p.from.to_revision = 14;
  p.from.to_time = base::Instant(base::Duration(15));
  p.from.backup = "i1/full-1";
  p.from.asked_by = "EtcdRestore ns/r";
  p.from.refused = "no";
  p.from.request = "uid/2";
  p.from.asked_at = base::Instant(base::Duration(16));
  p.since = base::Instant(base::Duration(17));
  p.deadline = base::Instant(base::Duration(18));
  p.safety = "s3://bucket/i1/full-2";
  p.safety_revision = 19;
  p.told = "how it ended";
  return p;
}

plan::Record full() {
  plan::Record r;
  r.key = {"ns", "c"};
  r.incarnation = "inc";
  r.token = "token";
  r.epoch = 3;
  r.formation = plan::Formation::kLatched;
  r.cluster_id = {42};
  r.members = {{"c-0", member(0)}, {"c-1", member(1)}};
  r.next_ordinal = 2;
  r.size = 3;
  r.version = {3, 6, 16, ""};
  r.template_hash = "th";
  r.operation = plan::Operation{"op",
                                plan::OperationKind::kRecovery,
                                "step",
                                "c-0",
                                base::Instant(base::Duration(1)),
                                base::Instant(base::Duration(2)),
                                plan::Reason::kScaleUp,
                                true,
                                "a \"note\"\n"};
  r.recovery =
      plan::Recovery{"op", "c-1",   "bound",      "old",       base::Instant(base::Duration(3)),
                     true, {"c-7"}, {{"c-8", 2}}, "it failed", base::Instant(base::Duration(9))};
  r.rotation = {"op", "because", plan::RotationPhase::kReissue, base::Instant(base::Duration(4)),
                2,    "now"};
  r.strangers = {"f00 at https://192.0.2.9:2380"};
  r.hibernated = r.open_to_clients = true;
  r.old_tokens = {"a", "b"};
  r.quorum_lost_since = base::Instant(base::Duration(4));
  r.last_quorum_read = base::Instant(base::Duration(5));
  r.last_defragmented = {{"c-0", base::Instant(base::Duration(6))}};
  r.bootstrap_source = "new";
  r.bootstrapped_at = base::Instant(base::Duration(7));
  r.highest_minor_seen = 6;
  r.drill.since = base::Instant(base::Duration(8));
  r.drill.ended = 21;
  r.follow = {.epoch = 22,
              .running = true,
              .started_at = base::Instant(base::Duration(9)),
              .failures = 23,
              .failed_at = base::Instant(base::Duration(10)),
              .error = "gone",
              .overrun = true,
              .behind_since = base::Instant(base::Duration(11)),
              .holes = 12};
  r.in_place = going_back();
  return r;
}

TEST(RecordCodec, AFullRecordComesBackAsItWas) {
  const std::string text = encode_record(full());
  const auto back = decode_record(text);
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(encode_record(*back), text);
  EXPECT_EQ(back->members.at("c-1").audited_index, 0xffffffffffffffffULL);
  EXPECT_EQ(back->members.at("c-1").phase, plan::Phase::kRemoving);
  EXPECT_EQ(back->operation->reason, plan::Reason::kScaleUp);
  EXPECT_EQ(back->recovery->survivor, "c-1");
  EXPECT_EQ(back->recovery->failed.at("c-8"), 2);
  EXPECT_EQ(back->drill, full().drill);
  EXPECT_EQ(back->follow, full().follow);
  EXPECT_EQ(back->in_place, full().in_place);
  EXPECT_EQ(back->old_tokens, (std::set<std::string>{"a", "b"}));
}

// The fuzzer begins with it; it is read for ever. EO_WRITE_SEEDS writes it.
TEST(RecordCodec, TheFuzzersSeedIsRead) {
  const std::string path = "fuzz/record_corpus/full";
  if (std::getenv("EO_WRITE_SEEDS") != nullptr)
    std::ofstream(path, std::ios::binary) << encode_record(full());
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  const auto back = decode_record(text.str());
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->members.size(), 2U) << path;
}

// A field that the codec forgot would come back with its default.
TEST(RecordCodec, EveryFieldIsInTheText) {
  const std::string text = encode_record(full());
  for (const char* part : {"fedcba9876543210",
                           "18446744073709551615",
                           "\"ran\":true",
                           "\"seenTerm\":8",
                           "\"seenIndex\":9",
                           "Restore",
                           "rc.1",
                           "\"note\"",
                           "oldIncarnation",
                           "quorumLostSince",
                           "lastDefragmented",
                           "\"highestMinorSeen\":6",
                           "\"hibernated\":true",
                           "\"vouched\":[\"c-7\"]",
                           "it failed",
                           "f00 at",
                           "\"since\":8",
                           "\"ended\":21",
                           "\"lookedAt\":9",
                           "\"wish\":\"now\""})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(RecordCodec, EveryTruncationIsDataLoss) {
  const std::string text = encode_record(full());
  for (size_t n = 0; n < text.size(); ++n) {
    const auto got = decode_record(std::string_view(text).substr(0, n));
    ASSERT_FALSE(got) << n;
    EXPECT_EQ(got.error().code, base::Code::kDataLoss) << n;
  }
}

TEST(RecordCodec, EveryFlippedBitIsDataLoss) {
  const std::string text = encode_record(full());
  for (size_t i = 0; i < text.size(); ++i)
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[i] = static_cast<char>(static_cast<unsigned char>(changed[i]) ^ (1U << bit));
      const auto got = decode_record(changed);
      ASSERT_FALSE(got) << i;
      EXPECT_EQ(got.error().code, base::Code::kDataLoss) << i;
    }
}

std::string sealed(std::string body) {
  body += fmt::format("crc {:08x}\n", base::crc32c(body));
  return body;
}

TEST(RecordCodec, ANewerFormatIsSaidSoAndNotGuessed) {
  const auto got = decode_record(sealed("format 2\n{}\n"));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, base::Code::kUnimplemented);
  EXPECT_NE(got.error().message.find("newer etcd-operator"), std::string::npos)
      << got.error().message;
}

TEST(RecordCodec, ANameOfANewerOperatorIsNotDamage) {
  for (const auto& [body, field] :
       {std::pair{R"({"operation":{"reason":"OfTomorrow"}})", "operation: reason"},
        std::pair{R"({"formation":"Half"})", "formation"},
        std::pair{R"({"members":{"c-0":{"phase":"Witness"}}})", "members: c-0: phase"}}) {
    const auto got = decode_record(sealed(fmt::format("format 1\n{}\n", body)));
    ASSERT_FALSE(got) << body;
    EXPECT_EQ(got.error().code, base::Code::kUnimplemented) << got.error().message;
    EXPECT_NE(got.error().message.find("newer etcd-operator"), std::string::npos)
        << got.error().message;
    EXPECT_NE(got.error().message.find(field), std::string::npos) << got.error().message;
  }
}

TEST(RecordCodec, ASoundSumOverWrongContentIsDataLossThatNamesTheField) {
  for (const auto& [body, word] :
       {std::pair{"{\"epoch\":\"x\"}", "epoch"}, std::pair{"{\"members\":[]}", "members"},
        std::pair{"{\"formation\":7}", "formation"},
        std::pair{"{\"clusterID\":\"zz\"}", "clusterID"}, std::pair{"[]", "object"},
        std::pair{"{\"size\":-1}", "size"}, std::pair{"{", "damaged"}}) {
    const auto got = decode_record(sealed(fmt::format("format 1\n{}\n", body)));
    ASSERT_FALSE(got) << body;
    EXPECT_EQ(got.error().code, base::Code::kDataLoss) << body;
    EXPECT_NE(got.error().message.find(word), std::string::npos) << got.error().message;
  }
}

TEST(RecordCodec, UnknownKeysAreIgnoredAndAbsentOnesKeepTheirDefaults) {
  const auto got = decode_record(sealed("format 1\n{\"size\":5,\"later\":[1]}\n"));
  ASSERT_TRUE(got) << got.error().text();
  EXPECT_EQ(got->size, 5);
  EXPECT_EQ(got->formation, plan::Formation::kNone);
}

RC_GTEST_PROP(RecordCodec, AnyTextsAndNumbersComeBack, ()) {
  plan::Record r = full();
  r.token = *rc::gen::string<std::string>();
  // JSON is UTF-8: other bytes are replaced when they are printed.
  for (char& c : r.token) c = static_cast<char>(static_cast<unsigned char>(c) & 0x7fU);
  r.cluster_id = {*rc::gen::arbitrary<std::uint64_t>()};
  r.epoch = *rc::gen::inRange(0, 1'000'000'000);
  r.members.at("c-0").seen_index = *rc::gen::arbitrary<std::uint64_t>();
  r.members.at("c-0").phase = static_cast<plan::Phase>(*rc::gen::inRange(0, 7));
  r.last_quorum_read = base::Instant(base::Duration(*rc::gen::arbitrary<std::int64_t>()));
  const auto back = decode_record(encode_record(r));
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->token == r.token);
  RC_ASSERT(back->cluster_id == r.cluster_id);
  RC_ASSERT(back->last_quorum_read == r.last_quorum_read);
  RC_ASSERT(encode_record(*back) == encode_record(r));
}

}  // namespace
}  // namespace engine
