// Tokens, the words between a member and a host that joins, and the listener over loopback.
#include "adm/handover.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "adm/certificates.h"
#include "adm/channel.h"
#include "adm/fetch_authority.h"
#include "adm/listener.h"
#include "adm/token.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "posix/net.h"
#include "posix/test_dir.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Instant kNow{std::chrono::seconds(1'800'000'000)};

TEST(Token, ItsFormAndWhatIsNone) {
  const auto token = make_token();
  ASSERT_TRUE(token);
  EXPECT_EQ(parse_token(token->text())->secret, token->secret);
  EXPECT_EQ(token->proof().size(), 64U);
  EXPECT_EQ(token->proof().find(token->secret), std::string::npos);
  const std::string secret(32, 'a');
  for (const auto& bad :
       {std::string(), std::string("."), "abcdef01" + secret, "abcdef0." + secret,
        "abcdef01." + secret + "a", "ABCDEF01." + secret, "abcdef01." + std::string(32, 'g')}) {
    const auto parsed = parse_token(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_EQ(parsed.error().message.find(secret), std::string::npos);
  }
}

TEST(Token, HashesInTheFormsThatPeopleCopy) {
  const std::string hex(64, 'b');
  EXPECT_EQ(*parse_ca_hash("sha256:" + hex), hex);
  EXPECT_EQ(*parse_ca_hash("sha256:" + std::string(64, 'B')), hex);
  std::string colons;
  for (int i = 0; i < 32; ++i) colons += i == 0 ? "BB" : ":BB";
  EXPECT_EQ(*parse_ca_hash("sha256:" + colons), hex);
  for (const auto& bad : {hex, "sha1:" + hex, "sha256:" + hex.substr(1), std::string("sha256:")})
    EXPECT_FALSE(parse_ca_hash(bad)) << bad;
}

TEST(Book, FiveWrongTokensCloseItAndANewOneOpensIt) {
  TokenBook book;
  const auto good = *make_token(), bad = *make_token();
  grant(book, good, kNow, std::chrono::minutes(30));
  EXPECT_TRUE(book.open(kNow));
  const Grant* found = nullptr;
  EXPECT_EQ(admit(book, good.id, good.proof(), kNow, &found), Admission::kGood);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(from_hex(found->key), good.key());
  for (unsigned i = 0; i < kMostWrong; ++i) {
    // The right id does not help.
    EXPECT_EQ(admit(book, i % 2 == 0 ? good.id : bad.id, bad.proof(), kNow, &found),
              Admission::kWrong);
    EXPECT_EQ(book.wrong, i + 1);
  }
  EXPECT_EQ(admit(book, good.id, good.proof(), kNow, &found), Admission::kClosed);
  EXPECT_FALSE(book.open(kNow));
  const auto next = *make_token();
  grant(book, next, kNow, std::chrono::minutes(30));
  EXPECT_EQ(admit(book, next.id, next.proof(), kNow, &found), Admission::kGood);
  EXPECT_EQ(admit(book, good.id, good.proof(), kNow, &found), Admission::kWrong)
      << "what a closed listener had is forgotten";
}

TEST(Book, TokensExpireAndTheOldestGo) {
  TokenBook book;
  const auto first = *make_token();
  grant(book, first, kNow, std::chrono::minutes(30));
  const auto later = kNow + std::chrono::minutes(30);
  const Grant* found = nullptr;
  EXPECT_EQ(admit(book, first.id, first.proof(), later, &found), Admission::kExpired);
  EXPECT_EQ(book.wrong, 0U);
  EXPECT_FALSE(book.open(later));
  for (size_t i = 0; i < kMostGrants + 3; ++i)
    grant(book, *make_token(), kNow, std::chrono::minutes(30));
  EXPECT_EQ(book.grants.size(), kMostGrants);
  EXPECT_EQ(admit(book, first.id, first.proof(), kNow, &found), Admission::kWrong);
}

// As the listener and `token create` do it at the same time.
TEST(Book, NoChangeIsLostToAnother) {
  const posix::TestDir dir;
  const Places places{dir.path("state")};
  std::vector<Token> tokens;
  for (int i = 0; i < 4; ++i) tokens.push_back(*make_token());
  {
    std::vector<std::jthread> threads;
    for (const auto& token : tokens)
      threads.emplace_back([&places, &token] {
        EXPECT_TRUE(change_book(
            places, [&](TokenBook& book) { grant(book, token, kNow, std::chrono::minutes(30)); }));
        for (int i = 0; i < 3; ++i)
          EXPECT_TRUE(change_book(places, [](TokenBook& book) { ++book.port; }));
      });
  }
  const auto book = load_book(places);
  ASSERT_TRUE(book);
  EXPECT_EQ(book->port, 12U);
  const Grant* found = nullptr;
  TokenBook all = *book;
  for (const auto& token : tokens)
    EXPECT_EQ(admit(all, token.id, token.proof(), kNow, &found), Admission::kGood);
  ASSERT_TRUE(forget_book(places));
  EXPECT_FALSE(load_book(places)->open(kNow));
}

TEST(Book, ComesBackFromItsFileAndHoldsNoSecret) {
  const posix::TestDir dir;
  const Places places{dir.path("state")};
  EXPECT_FALSE(load_book(places)->open(kNow));
  TokenBook book;
  const auto token = *make_token();
  grant(book, token, kNow, std::chrono::minutes(30));
  book.port = 2378;
  book.wrong = 3;
  ASSERT_TRUE(save_book(places, book));
  EXPECT_EQ(*load_book(places), book);
  const auto text = posix::read_file(places.tokens(), 1 << 16);
  EXPECT_EQ(text->find(token.secret), std::string::npos);
  EXPECT_EQ(posix::file_info(places.tokens())->mode, 0600U);
  ASSERT_TRUE(posix::write_atomic(places.tokens(), "{}"));
  EXPECT_FALSE(load_book(places));
}

TEST(Handover, WordsComeBack) {
  const auto token = *make_token();
  const Ask ask{token.id, token.proof()};
  EXPECT_EQ(*decode_ask(encode(ask)), ask);
  for (const char* bad : {"", "GET / HTTP/1.1", "etcdadm-handover/1 a b", "etcdadm-handover/2 "})
    EXPECT_FALSE(decode_ask(bad)) << bad;
  EXPECT_EQ(*decode_head(head_of(7)), 7U);
  EXPECT_EQ(decode_head("ok 0").error().code, Code::kDataLoss);
  EXPECT_EQ(decode_head("ok 99999999").error().code, Code::kDataLoss);
  EXPECT_EQ(decode_head("HTTP/1.1 200").error().code, Code::kDataLoss);
  EXPECT_EQ(decode_head(refusal("wrong")).error().code, Code::kPermissionDenied);
  EXPECT_NE(decode_head(refusal("expired")).error().message.find("expired"), std::string::npos);
  EXPECT_NE(decode_head(refusal("closed")).error().message.find("five"), std::string::npos);
  EXPECT_EQ(decode_head(refusal("unready", "a\nb")).error().message,
            "the member cannot hand over its authority now: a b");
  const Handed handed{{{"ca.crt", "C"}}, {{"ca.key", "K"}}};
  const auto body = encode(handed, token.id, token.key());
  ASSERT_TRUE(body);
  EXPECT_EQ(*decode_handed(*body, token.id, token.key()), handed);
  EXPECT_FALSE(decode_handed(*body, "00000000", token.key()));
  EXPECT_FALSE(decode_handed(*body, token.id, make_token()->key()));
  std::string other = *body;
  other.replace(other.find("\"C\""), 3, "\"D\"");
  EXPECT_FALSE(decode_handed(other, token.id, token.key())) << "certificates are guarded as well";
}

// A member with its authority, and a host that has nothing.
struct Door {
  posix::TestDir dir;
  posix::SystemClock clock;
  std::mutex mutex;
  std::vector<std::string> said;
  std::stop_source stop;
  Context context{Flags{},
                  clock,
                  stop.get_token(),
                  "guard",
                  [this](const auto& s) {
                    const std::lock_guard guard(mutex);
                    said.push_back(s);
                  },
                  [](const auto&) { return false; }};
  Host member, guest;
  Token token = *make_token();
  std::string hash, address = "127.0.0.1";
  std::jthread thread;
  base::Status ended;

  Door() {
    Flags f;
    f.version = "3.5.12";
    f.name = "etcd-1";
    f.bind_address = "127.0.0.1";
    f.certs_dir = dir.path("member");
    configure(member, f);
    member.stage = Stage::kMember;
    f.certs_dir = dir.path("guest");
    configure(guest, f);
    context.flags.state_dir = dir.path("state");
    EXPECT_TRUE(make_certificates(member, clock.now()));
    hash = *authority_hash(member);
    // Programs that run side by side begin at different places of the range.
    const auto first = static_cast<posix::Port>(21000 + ::getpid() % 40 * 10);
    context.flags.token_port = (*posix::pick_free_ports({first, 21499}, 1, {}))[0];
    context.flags.subject = "https://127.0.0.1:2380";
  }
  ~Door() { stop.request_stop(); }

  void open(base::Duration life = std::chrono::minutes(30)) {
    auto book = *load_book(context.places());
    book.port = context.flags.token_port;
    grant(book, token, clock.now(), life);
    ASSERT_TRUE(save_book(context.places(), book));
    serve();
  }
  void serve() {
    thread = std::jthread([this] { ended = serve_tokens(context, member); });
    const auto until = posix::deadline_in(std::chrono::seconds(20));
    while (!posix::Stream::dial(address, context.flags.token_port, std::chrono::seconds(1), {}))
      ASSERT_LT(posix::deadline_in({}), until);
  }
  base::Status fetch(const Token& with, const std::string& of) {
    return fetch_authority(context, guest, {with, of});
  }
  base::Status fetch() { return fetch(token, hash); }
};

TEST(Listener, HandsOverTheAuthorityAndNothingIsLeftOfTheSecret) {
  Door d;
  ASSERT_NO_FATAL_FAILURE(d.open());
  const auto got = d.fetch();
  ASSERT_TRUE(got) << got.error().message;
  for (const char* file : {"/ca.crt", "/ca.key"})
    EXPECT_EQ(*posix::read_file(d.member.certs_dir + file, 1 << 16),
              *posix::read_file(d.guest.certs_dir + file, 1 << 16));
  EXPECT_EQ(posix::file_info(d.guest.certs_dir + "/ca.key")->mode, 0600U);
  EXPECT_TRUE(d.fetch()) << "again is nothing";
  d.stop.request_stop();
  d.thread.join();
  EXPECT_EQ(d.ended.error().code, Code::kCancelled);
  for (const auto& words : d.said) EXPECT_EQ(words.find(d.token.secret), std::string::npos);
}

TEST(Listener, WhatIsWrongIsToldAndFiveWrongTokensCloseIt) {
  Door d;
  ASSERT_NO_FATAL_FAILURE(d.open());
  const auto other = d.fetch(d.token, std::string(64, '0'));
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("Nothing was sent to it"), std::string::npos);
  d.context.flags.subject = "https://127.0.0.2:2380";
  EXPECT_EQ(d.fetch().error().code, Code::kUnavailable);  // nobody listens there
  d.context.flags.subject = "https://localhost.invalid:2380";
  EXPECT_NE(d.fetch().error().message.find("does not answer"), std::string::npos);
  d.context.flags.subject = "https://127.0.0.1:2380";
  // Of these neither a wrong hash nor words that are none were a try.
  EXPECT_EQ(load_book(d.context.places())->wrong, 0U);
  for (unsigned i = 0; i + 1 < kMostWrong; ++i)
    EXPECT_EQ(d.fetch(*make_token(), d.hash).error().code, Code::kPermissionDenied);
  // A listener that is started again counts on.
  d.stop.request_stop();
  d.thread.join();
  d.stop = {};
  d.context.stop = d.stop.get_token();
  ASSERT_NO_FATAL_FAILURE(d.serve());
  EXPECT_EQ(d.fetch(*make_token(), d.hash).error().code, Code::kPermissionDenied);
  d.thread.join();
  EXPECT_TRUE(d.ended);
  EXPECT_EQ(d.said.back(), "closed: five wrong tokens");
  const auto closed = d.fetch();
  ASSERT_FALSE(closed);
  EXPECT_NE(closed.error().message.find("token create"), std::string::npos);
  EXPECT_EQ(serve_tokens(d.context, d.member).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(posix::exists(d.guest.certs_dir + "/ca.crt"), base::Fact<bool>(false));
}

TEST(Listener, AnExpiredTokenIsToldAsLongAsAnotherHolds) {
  Door d;
  auto book = *load_book(d.context.places());
  const auto old = *make_token();
  book.grants.push_back({old.id, old.proof(), std::string(64, '0'), d.clock.now()});
  ASSERT_TRUE(save_book(d.context.places(), book));
  book = *load_book(d.context.places());
  book.port = d.context.flags.token_port;
  book.grants.push_back(
      {d.token.id, d.token.proof(), std::string(64, '0'), d.clock.now() + std::chrono::minutes(5)});
  ASSERT_TRUE(save_book(d.context.places(), book));
  ASSERT_NO_FATAL_FAILURE(d.serve());
  const auto expired = d.fetch(old, d.hash);
  ASSERT_FALSE(expired);
  EXPECT_NE(expired.error().message.find("has expired"), std::string::npos);
}

TEST(Listener, AHostOfAnotherNameIsNotTrusted) {
  Door d;
  d.member.bind_address = "127.0.0.2";  // its leaf is for 127.0.0.1
  d.address = d.member.bind_address;
  ASSERT_NO_FATAL_FAILURE(d.open());
  d.context.flags.subject = "https://127.0.0.2:2380";
  const auto got = d.fetch();
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("not for that name but for etcd-1, localhost, 127.0.0.1"),
            std::string::npos)
      << got.error().message;
}

TEST(Listener, AnotherAuthorityInTheFolderIsNotReplaced) {
  Door d;
  ASSERT_NO_FATAL_FAILURE(d.open());
  Host stranger = d.guest;
  ASSERT_TRUE(make_certificates(stranger, d.clock.now()));
  const auto before = *posix::read_file(d.guest.certs_dir + "/ca.crt", 1 << 16);
  EXPECT_EQ(d.fetch().error().code, Code::kFailedPrecondition);
  EXPECT_EQ(*posix::read_file(d.guest.certs_dir + "/ca.crt", 1 << 16), before);
}

TEST(Pass, BothBelongTogether) {
  const posix::TestDir dir;
  const auto token = *make_token();
  Flags f;
  EXPECT_FALSE(*pass_of(f));
  f.token = token.text();
  EXPECT_EQ(pass_of(f).error().code, Code::kInvalidArgument);
  f.ca_hash = "sha256:" + std::string(64, 'a');
  EXPECT_EQ((*pass_of(f))->token.id, token.id);
  f.token_file = dir.path("token");
  EXPECT_EQ(pass_of(f).error().code, Code::kInvalidArgument);  // both
  f.token.clear();
  EXPECT_EQ(pass_of(f).error().code, Code::kNotFound);
  ASSERT_TRUE(posix::write_atomic(f.token_file, token.text() + "\n"));
  EXPECT_EQ((*pass_of(f))->token.secret, token.secret);
  ASSERT_TRUE(posix::write_atomic(f.token_file, ""));
  EXPECT_EQ(pass_of(f).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace adm
