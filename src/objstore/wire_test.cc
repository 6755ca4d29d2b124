// Signatures and XML.
#include <gtest/gtest.h>

#include "objstore/sigv4.h"
#include "objstore/xml.h"

namespace objstore {
namespace {

// The examples that AWS publishes with the description of the signature.
class SigV4 : public testing::Test {
 protected:
  std::string signature(Request request) {
    request.server = "https://examplebucket.s3.amazonaws.com";
    sign_v4(request,
            {.id = "AKIAIOSFODNN7EXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
            {.region = "us-east-1", .service = "s3"},
            *base::parse_rfc3339("2013-05-24T00:00:00.000Z"));
    const auto header = std::string(request.header("authorization"));
    EXPECT_TRUE(header.starts_with(
        "AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders="))
        << header;
    return header.substr(header.rfind('=') + 1);
  }
};

TEST_F(SigV4, OfAGetWithARange) {
  EXPECT_EQ(signature({.path = "/test.txt", .headers = {{"Range", "bytes=0-9"}}}),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}
TEST_F(SigV4, OfAPut) {
  EXPECT_EQ(signature({.method = "PUT",
                       .path = "/test%24file.text",
                       .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                       .body = "Welcome to Amazon S3."}),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}
TEST_F(SigV4, OfAQueryWithoutAValue) {
  EXPECT_EQ(signature({.query = {{"lifecycle", ""}}}),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}
TEST_F(SigV4, OfAList) {
  EXPECT_EQ(signature({.query = {{"max-keys", "2"}, {"prefix", "J"}}}),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}
TEST_F(SigV4, TheOrderOfTheQueryDoesNotCount) {
  EXPECT_EQ(signature({.query = {{"prefix", "J"}, {"max-keys", "2"}}}),
            signature({.query = {{"max-keys", "2"}, {"prefix", "J"}}}));
}
TEST_F(SigV4, ASessionTokenIsSigned) {
  Request request{.server = "https://h:8443"};
  sign_v4(request, {.id = "i", .secret = "s", .session_token = "t"}, {"r", "sts"}, {});
  EXPECT_EQ(request.header("X-Amz-Security-Token"), "t");
  EXPECT_NE(request.header("Authorization")
                .find("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"),
            std::string_view::npos);
  EXPECT_EQ(request.host(), "h:8443");
}

TEST(Xml, IsReadAsATree) {
  const auto root = parse_xml(
      "\xef\xbb\xbf<?xml version='1.0'?><!-- c --><a:r xmlns:a=\"u\"><b c='>'/> x&lt;&#65;&#x1F600;"
      "<d><e>1</e><e>2</e></d><![CDATA[<&>]]></a:r>\n<!-- end -->");
  ASSERT_TRUE(root) << root.error().text();
  EXPECT_EQ(root->name, "r");
  EXPECT_EQ(root->text, " x<A😀<&>");
  EXPECT_EQ(root->text_at("d/e"), "1");
  EXPECT_EQ(root->text_at("d/f"), "");
  ASSERT_NE(root->child("d"), nullptr);
  EXPECT_EQ(root->child("d")->children.size(), 2U);
  EXPECT_EQ(parse_xml("<a>" + escape_xml("<&\">") + "</a>")->text, "<&\">");
}

TEST(Xml, WhatIsNoneIsRefused) {
  for (const auto* bad : {"",
                          "a",
                          "<a",
                          "<a>",
                          "<a></b>",
                          "<a/><b/>",
                          "<a>&x;</a>",
                          "<a>&#0;</a>",
                          "<a>&#xD800;</a>",
                          "<a>&#x110000;</a>",
                          "<a>&amp</a>",
                          "<a b></a>",
                          "<a b=c/>",
                          "<a b='c/>",
                          "<!DOCTYPE a><a/>",
                          "<a><!-- </a>",
                          "<a><![CDATA[ </a>",
                          "< a/>",
                          "<a/>x",
                          "<a b='1'c='2'/>"}) {
    const auto root = parse_xml(bad);
    ASSERT_FALSE(root) << bad;
    EXPECT_EQ(root.error().code, base::Code::kInvalidArgument) << bad;
  }
}

TEST(Xml, HasLimits) {
  using base::Code;
  EXPECT_EQ(parse_xml("<a><b><c/></b></a>", {.depth = 2}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(parse_xml("<a><b/><b/></a>", {.elements = 2}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(parse_xml("<a></a>", {.bytes = 6}).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(parse_xml("<a><b/></a>", {.bytes = 11, .depth = 2, .elements = 2}));
}

}  // namespace
}  // namespace objstore
