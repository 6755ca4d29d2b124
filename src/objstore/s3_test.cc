// S3 over a network that is a function: addresses, what is learnt, tries, doubts.
#include "objstore/s3.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "objstore/bucket_path.h"
#include "objstore/objstore_testing.h"
#include "objstore/s3_words.h"

namespace objstore {
namespace {

using base::Code;

const AwsKeys kKeys{.id = "AKID", .secret = "VERYSECRET"};

std::string error_xml(const std::string& code, const std::string& more = "") {
  return fmt::format(
      "<?xml version=\"1.0\"?>\n<Error><Code>{}</Code><Message>in words</Message>{}"
      "</Error>",
      code, more);
}
http::Reply head_of(size_t size, const std::string& tag, const std::string& nonce = "") {
  http::Reply reply{.status = 200,
                    .headers = {{"content-length", std::to_string(size)},
                                {"etag", tag},
                                {"last-modified", "Sun, 22 Nov 2026 00:00:00 GMT"}}};
  if (!nonce.empty()) reply.headers["x-amz-meta-etcd-operator-put"] = nonce;
  return reply;
}
http::Reply put_reply(const std::string& tag) {
  return {.status = 200, .headers = {{"content-length", "0"}, {"etag", tag}}};
}
std::string nonce_in(const http::Exchange& exchange) {
  const std::string name = "x-amz-meta-etcd-operator-put: ";
  for (const auto& line : exchange.headers)
    if (line.starts_with(name)) return line.substr(name.size());
  return "";
}
std::unique_ptr<Store> open(Network& network, const S3Options& options = {.bucket = "bucket"}) {
  auto store = open_s3(options, fixed_aws_keys(kKeys), network.outside());
  EXPECT_TRUE(store);
  return std::move(*store);
}

TEST(S3, ReachesABucketByHostOrByPath) {
  const auto line = [](const S3Options& options) {
    Network network([](const auto&, const auto&) { return head_of(1, "t"); });
    const auto store = open(network, options);
    EXPECT_TRUE(store->stat("a b", network.call()));
    return network.lines.at(0);
  };
  EXPECT_EQ(line({.bucket = "bucket"}), "HEAD https://bucket.s3.us-east-1.amazonaws.com/a%20b");
  EXPECT_EQ(line({.bucket = "bucket", .prefix = "p/q", .region = "eu-west-1"}),
            "HEAD https://bucket.s3.eu-west-1.amazonaws.com/p/q/a%20b");
  EXPECT_EQ(line({.bucket = "bucket", .region = "cn-north-1"}),
            "HEAD https://bucket.s3.cn-north-1.amazonaws.com.cn/a%20b");
  EXPECT_EQ(line({.bucket = "a.bucket"}), "HEAD https://s3.us-east-1.amazonaws.com/a.bucket/a%20b");
  EXPECT_EQ(line({.bucket = "bucket", .endpoint = "http://minio:9000/"}),
            "HEAD http://minio:9000/bucket/a%20b");
  EXPECT_EQ(line({.bucket = "bucket", .endpoint = "minio", .addressing = Addressing::kHost}),
            "HEAD https://bucket.minio/a%20b");
  EXPECT_EQ(line({.bucket = "bucket", .endpoint = "http://oss-cn-hangzhou.aliyuncs.com"}),
            "HEAD http://bucket.oss-cn-hangzhou.aliyuncs.com/a%20b");
}

TEST(S3, RefusesOptionsThatMeanNothing) {
  for (const S3Options& options :
       {S3Options{.bucket = ""}, S3Options{.bucket = "a/b"}, S3Options{.bucket = "a..b"},
        S3Options{.bucket = "bucket", .region = "x.evil.com/"},
        S3Options{.bucket = "bucket", .endpoint = "https://user@host"},
        S3Options{.bucket = "bucket", .encryption = "rot13"},
        S3Options{.bucket = "bucket", .prefix = "/a"}}) {
    Network network([](const auto&, const auto&) { return http::Reply{}; });
    EXPECT_EQ(open_s3(options, no_aws_keys(), network.outside()).error().code,
              Code::kInvalidArgument);
  }
  EXPECT_EQ(parse_bucket_path("bucket")->prefix, "");
  EXPECT_EQ(parse_bucket_path("bucket/a/b/")->prefix, "a/b");
  EXPECT_EQ(parse_bucket_path("bucket/a/b/")->bucket, "bucket");
  EXPECT_FALSE(parse_bucket_path("/bucket"));
  EXPECT_FALSE(parse_bucket_path("bucket/a//b"));
}

TEST(S3, FindsTheRegionOfABucket) {
  Network network([](const std::string& server, const auto&) -> Network::Reply {
    if (server.find("eu-west-3") == std::string::npos)
      return http::Reply{.status = 301, .headers = {{"x-amz-bucket-region", "eu-west-3"}}};
    return head_of(1, "t");
  });
  const auto store = open(network);
  EXPECT_TRUE(store->stat("a", network.call()));
  EXPECT_TRUE(store->stat("a", network.call()));
  EXPECT_EQ(network.lines.size(), 3U);
  EXPECT_TRUE(network.waits.empty());
  EXPECT_EQ(network.lines.back(), "HEAD https://bucket.s3.eu-west-3.amazonaws.com/a");
}

TEST(S3, AServerThatNamesRegionsInTurnEndsSomewhere) {
  int count = 0;
  Network network([&](const auto&, const auto&) {
    return http::Reply{.status = 400,
                       .body = error_xml("AuthorizationHeaderMalformed",
                                         fmt::format("<Region>r-{}</Region>", ++count))};
  });
  const auto got = open(network)->list({}, network.call());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(count, 4);
  Network evil([](const auto&, const auto&) {
    return http::Reply{.status = 301, .headers = {{"x-amz-bucket-region", "evil.com/x"}}};
  });
  EXPECT_FALSE(open(evil)->list({}, evil.call()));
  EXPECT_EQ(evil.lines.size(), 1U);
}

TEST(S3, TriesAgainWhatMayComeRight) {
  int count = 0;
  Network network([&](const auto&, const auto&) -> Network::Reply {
    if (++count == 1) return http::Reply{.status = 503, .body = error_xml("SlowDown")};
    if (count == 2)
      return http::Reply{.status = 429, .headers = {{"retry-after", "7"}}, .body = "a page"};
    if (count == 3) return cut(false);
    return head_of(5, "t");
  });
  EXPECT_EQ(open(network)->stat("a", network.call())->size, 5U);
  ASSERT_EQ(network.waits.size(), 3U);
  EXPECT_EQ(network.waits[1], base::Duration(7'000));
}

TEST(S3, GivesUpAtTheDeadlineAndSaysWhy) {
  Network network([](const auto&, const auto&) {
    return http::Reply{
        .status = 503, .headers = {{"retry-after", "3600"}}, .body = error_xml("SlowDown")};
  });
  const auto got = open(network)->list({.prefix = "x"}, network.call());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kUnavailable);
  for (const auto* word : {"list x in s3://bucket", "503 SlowDown", "asks to wait 1h", "check the"})
    EXPECT_NE(got.error().message.find(word), std::string::npos) << got.error().message;
  EXPECT_TRUE(network.waits.empty());
}

TEST(S3, NoSecretIsEverInAMessage) {
  for (const int status : {400, 401, 403, 404, 409, 500, 501}) {
    Network network([&](const auto&, const auto&) {
      return http::Reply{
          .status = status,
          .body = error_xml("SignatureDoesNotMatch", "<StringToSign>VERYSECRET</StringToSign>")};
    });
    const auto got = open(network)->list({}, network.call());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().message.find("SECRET"), std::string::npos);
    EXPECT_EQ(got.error().message.find("AKID"), std::string::npos);
  }
}

TEST(S3, NamesAWrongClock) {
  Network network([](const auto&, const auto&) {
    return http::Reply{.status = 403,
                       .headers = {{"date", "Sat, 21 Nov 2026 23:40:00 GMT"}},
                       .body = error_xml("RequestTimeTooSkewed")};
  });
  const auto got = open(network)->list({}, network.call());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kFailedPrecondition);
  EXPECT_NE(got.error().message.find("clock is 20m0s ahead of"), std::string::npos)
      << got.error().message;
}

// The first answer is lost, the second try is told that there is one: our own.
TEST(S3, APutThatMayHaveHappenedIsLookedFor) {
  for (const bool ours : {true, false}) {
    std::string nonce;
    int puts = 0;
    Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
      if (exchange.method == "HEAD") return head_of(3, "t", ours ? nonce : "another");
      nonce = nonce_in(exchange);
      EXPECT_TRUE(has(exchange, "If-None-Match: *"));
      if (++puts == 1) return cut(true);
      return http::Reply{.status = 412, .body = error_xml("PreconditionFailed")};
    });
    const auto done =
        open(network)->put("a", "abc", {.condition = {.when = When::kAbsent}}, network.call());
    EXPECT_EQ(puts, 2);
    EXPECT_EQ(done.has_value(), ours);
    if (!ours) EXPECT_EQ(done.error().code, Code::kAlreadyExists);
  }
}

TEST(S3, APutThatNobodyKnowsOfIsToldAsThat) {
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    return cut(exchange.method == "PUT");
  });
  const auto done = open(network)->put("a", "abc", {}, network.call());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kDeadlineExceeded);
  Network deaf([&](const auto&, const auto&) -> Network::Reply { return cut(false); });
  EXPECT_EQ(open(deaf)->put("a", "abc", {}, deaf.call()).error().code, Code::kUnavailable);
}

TEST(S3, AnErrorInAGoodAnswerIsAnError) {
  std::string nonce;
  int completed = 0;
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    if (exchange.target.ends_with("?uploads=")) {
      nonce = nonce_in(exchange);
      return http::Reply{.status = 200,
                         .body =
                             "<InitiateMultipartUploadResult><UploadId>u&amp;1</UploadId>"
                             "</InitiateMultipartUploadResult>"};
    }
    if (exchange.method == "PUT") return put_reply("\"p\"");
    if (exchange.method == "HEAD") return head_of(6 << 20, "t", nonce);
    if (++completed == 1) return http::Reply{.status = 200, .body = error_xml("InternalError")};
    return http::Reply{.status = 404, .body = error_xml("NoSuchUpload")};
  });
  const auto store = open(network, {.bucket = "bucket", .part_bytes = 1});
  auto writing = *store->upload("a", {}, network.call());
  ASSERT_TRUE(writing->write(std::string(6 << 20, 'x'), network.call()));
  const auto done = writing->commit(network.call());
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(completed, 2);
  EXPECT_EQ(std::ranges::count_if(network.lines,
                                  [](const auto& line) {
                                    return line.find("partNumber=") != std::string::npos &&
                                           line.find("uploadId=u%261") != std::string::npos;
                                  }),
            2);
}

TEST(S3, AnUploadOfWhichTheServerHasLessIsNoSuccess) {
  std::string nonce;
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    if (exchange.target.ends_with("?uploads=")) {
      nonce = nonce_in(exchange);
      return http::Reply{.status = 200,
                         .body =
                             "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                             "</InitiateMultipartUploadResult>"};
    }
    if (exchange.method == "PUT") return put_reply("\"p\"");
    if (exchange.method == "HEAD") return head_of(5 << 20, "t", nonce);
    return http::Reply{.status = 200, .body = "<CompleteMultipartUploadResult/>"};
  });
  const auto store = open(network, {.bucket = "bucket", .part_bytes = 1});
  auto writing = *store->upload("a", {}, network.call());
  ASSERT_TRUE(writing->write(std::string(6 << 20, 'x'), network.call()));
  EXPECT_EQ(writing->commit(network.call()).error().code, Code::kDataLoss);
}

TEST(S3, AStreamGoesOnWhereItBroke) {
  const std::string bytes = "0123456789";
  int gets = 0;
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    if (exchange.method == "HEAD") return head_of(bytes.size(), "\"t\"");
    EXPECT_TRUE(has(exchange, "If-Match: \"t\""));
    if (++gets == 1)
      return http::Reply{
          .status = 200, .headers = {{"content-length", "10"}}, .body = bytes.substr(0, 4)};
    EXPECT_TRUE(has(exchange, "Range: bytes=4-9"));
    return http::Reply{.status = 206,
                       .headers = {{"content-length", "6"}, {"content-range", "bytes 4-9/10"}},
                       .body = bytes.substr(4)};
  });
  EXPECT_EQ(read_all(*open(network), "a", 100, network.call()), bytes);
  EXPECT_EQ(gets, 2);
}

TEST(S3, ARangeThatTheServerIgnoresIsNotTakenForIt) {
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    if (exchange.method == "HEAD") return head_of(10, "t");
    return http::Reply{.status = 200, .headers = {{"content-length", "10"}}, .body = "0123456789"};
  });
  std::string seen;
  const auto got = open(network)->get(
      "a", {.offset = 4, .length = 2},
      [&](std::string_view part) {
        seen += part;
        return base::Status();
      },
      network.call());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kDataLoss);
  EXPECT_EQ(seen, "");
}

TEST(S3, AnAbsentBucketIsNoAbsentObject) {
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    if (exchange.method == "HEAD") return http::Reply{.status = 404};
    return http::Reply{.status = 404, .body = error_xml("NoSuchBucket")};
  });
  const auto store = open(network);
  EXPECT_EQ(store->stat("a", network.call()).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->list({}, network.call()).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(store->put("a", "x", {}, network.call()).error().code, Code::kFailedPrecondition);
}

TEST(S3, SaysWhereAndHowObjectsAreKept) {
  Network network([&](const auto&, const http::Exchange& exchange) {
    EXPECT_TRUE(has(exchange, "x-amz-storage-class: STANDARD_IA"));
    EXPECT_TRUE(has(exchange, "x-amz-server-side-encryption: aws:kms"));
    EXPECT_TRUE(has(exchange, "x-amz-server-side-encryption-aws-kms-key-id: k"));
    EXPECT_TRUE(has(exchange, "Content-MD5: kAFQmDzST7DWlj99KOF/cg=="));
    return put_reply("t");
  });
  const auto store = open(network, {.bucket = "bucket",
                                    .storage_class = "STANDARD_IA",
                                    .encryption = "aws:kms",
                                    .kms_key = "k"});
  EXPECT_TRUE(store->put("a", "abc", {}, network.call()));
}

// Servers refuse them on requests that make no object.
TEST(S3, OnlyWhatMakesAnObjectSaysHowItIsKept) {
  std::string nonce;
  int said = 0;
  Network network([&](const auto&, const http::Exchange& exchange) -> Network::Reply {
    const bool begins = exchange.target.ends_with("?uploads=");
    const bool puts = exchange.method == "PUT" && exchange.target.find('?') == std::string::npos;
    if (begins || puts) nonce = nonce_in(exchange);
    for (const std::string name : {"x-amz-storage-class", "x-amz-server-side-encryption",
                                   "x-amz-server-side-encryption-aws-kms-key-id"}) {
      int sent = 0, is_signed = 0;
      for (const auto& line : exchange.headers) {
        sent += line.starts_with(name + ": ") ? 1 : 0;
        is_signed += line.starts_with("Authorization: ") &&
                             (line.find(";" + name + ";") != std::string::npos ||
                              line.find(";" + name + ",") != std::string::npos)
                         ? 1
                         : 0;
      }
      EXPECT_EQ(sent, begins || puts ? 1 : 0) << exchange.method << " " << exchange.target;
      EXPECT_EQ(sent, is_signed) << name;
      said += sent;
    }
    if (begins)
      return http::Reply{.status = 200,
                         .body =
                             "<InitiateMultipartUploadResult><UploadId>u</UploadId>"
                             "</InitiateMultipartUploadResult>"};
    if (exchange.method == "PUT") return put_reply("\"p\"");
    if (exchange.method == "HEAD") return head_of(6 << 20, "t", nonce);
    if (exchange.method == "DELETE") return http::Reply{.status = 204};
    if (exchange.method == "GET")
      return http::Reply{.status = 200, .body = "<ListBucketResult></ListBucketResult>"};
    return http::Reply{.status = 200, .body = "<CompleteMultipartUploadResult/>"};
  });
  const auto store = open(network, {.bucket = "bucket",
                                    .storage_class = "STANDARD_IA",
                                    .encryption = "aws:kms:dsse",
                                    .kms_key = "arn:aws:kms:eu-west-1:1:key/k",
                                    .part_bytes = 1});
  EXPECT_TRUE(store->put("a", "abc", {}, network.call()));
  auto writing = *store->upload("a", {}, network.call());
  ASSERT_TRUE(writing->write(std::string(6 << 20, 'x'), network.call()));
  const auto done = writing->commit(network.call());
  EXPECT_TRUE(done) << done.error().text();
  EXPECT_TRUE(store->list({}, network.call()));
  EXPECT_TRUE(store->remove("a", network.call()));
  EXPECT_EQ(said, 6);
}

TEST(S3, WhatObjectsAreKeptWithIsJudged) {
  const auto why = [](const S3Options& options) {
    const auto made = make_s3(options, no_aws_keys());
    return made ? std::string("good") : made.error().message;
  };
  EXPECT_EQ(why({.bucket = "bucket", .storage_class = "EXPRESS_ONEZONE", .encryption = "AES256"}),
            "good");
  EXPECT_NE(why({.bucket = "bucket", .storage_class = "standard"}).find("\"standard\" is no"),
            std::string::npos);
  EXPECT_NE(why({.bucket = "bucket", .storage_class = "A\r\nx-a: b"}).find("is no storage class"),
            std::string::npos);
  EXPECT_NE(why({.bucket = "bucket", .storage_class = "GLACIER"}).find("not read at once"),
            std::string::npos);
  EXPECT_NE(why({.bucket = "bucket", .encryption = "AES256", .kms_key = "k"}).find("a KMS key is"),
            std::string::npos);
  EXPECT_NE(
      why({.bucket = "bucket", .encryption = "aws:kms", .kms_key = "k\nx: y"}).find("no name of"),
      std::string::npos);
}

TEST(S3, PartsAreLargeEnoughForWhatIsExpected) {
  const auto protocol = *make_s3({.bucket = "bucket"}, no_aws_keys());
  EXPECT_EQ(protocol->part_bytes(0), std::uint64_t{8} << 20);
  const auto terabyte = std::uint64_t{1} << 40;
  EXPECT_LE(terabyte / protocol->part_bytes(terabyte), 10'000U);
}

TEST(S3Words, AListIsReadWithItsEncoding) {
  const auto page = s3::parse_page(
      "<ListBucketResult xmlns=\"x\"><EncodingType>url</EncodingType><Contents><Key>a+b%2Fc</Key>"
      "<LastModified>2026-11-22T00:00:00.000Z</LastModified><ETag>&quot;t&quot;</ETag><Size>7"
      "</Size></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>n"
      "</NextContinuationToken></ListBucketResult>");
  ASSERT_TRUE(page) << page.error().text();
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].key, "a b/c");
  EXPECT_EQ(page->objects[0].tag, "\"t\"");
  EXPECT_EQ(page->next, "n");
  const auto plain = s3::parse_page(
      "<ListBucketResult><Contents><Key>a+b</Key><LastModified>2026-11-22T00:00:00Z"
      "</LastModified><Size>7</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(plain) << plain.error().text();
  EXPECT_EQ(plain->objects[0].key, "a+b");
}

TEST(S3Words, AListThatIsDamagedIsNoEmptyList) {
  for (const auto* xml :
       {"", "<html></html>", "<ListBucketResult>", "not xml",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        ("<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><Size>1</Size>"
         "<LastModified>2026-11-22T00:00:00Z</LastModified></Contents></ListBucketResult>")}) {
    const auto page = s3::parse_page(xml);
    ASSERT_FALSE(page) << xml;
    EXPECT_EQ(page.error().code, Code::kDataLoss) << xml;
  }
}

}  // namespace
}  // namespace objstore
