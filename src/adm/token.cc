#include "adm/token.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "json/json.h"
#include "pki/digest.h"
#include "pki/random.h"
#include "pki/secret.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kIdDigits = 8, kSecretDigits = 32, kHashDigits = 64, kLimit = size_t{1} << 16;
constexpr base::Duration kBook{15'000};

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

base::Result<Grant> grant_of(const json::Value& value) {
  Grant out;
  TRY(out.id, json::get_string(value, "id"));
  TRY(out.proof, json::get_string(value, "proof"));
  TRY(out.key, json::get_string(value, "key"));
  TRY(const auto expires, json::get_string(value, "expires"));
  TRY(out.expires, base::parse_rfc3339(expires));
  if (!is_hex(out.id, kIdDigits) || !is_hex(out.proof, kHashDigits) ||
      !is_hex(out.key, kHashDigits))
    return base::fail(Code::kDataLoss, "a token that is none");
  return out;
}

// Each holds it for one write; the wait is for a disk that is slow.
base::Result<posix::FileLock> lock_book(const Places& places) {
  TRY_OK(posix::make_dirs(places.state_dir));
  const auto until = posix::deadline_in(kBook);
  for (;;) {
    auto lock = posix::FileLock::try_lock(places.tokens() + ".lock");
    if (lock || lock.error().code != Code::kFailedPrecondition || posix::deadline_in({}) >= until)
      return lock;
  }
}

}  // namespace

std::string from_hex(std::string_view text) {
  std::string out;
  if (text.size() % 2 != 0) return out;
  for (size_t i = 0; i < text.size(); i += 2) {
    const auto byte = base::parse_hex(text.substr(i, 2));
    if (!byte) return {};
    out += static_cast<char>(*byte);
  }
  return out;
}

std::string Token::proof() const {
  return pki::to_hex(pki::derive_key(secret, "etcdadm proof of " + id));
}

std::string Token::key() const {
  return pki::derive_key(secret, "etcdadm seal of " + id);
}

base::Result<Token> make_token() {
  Token out;
  TRY(out.id, pki::random_hex(kIdDigits / 2));
  TRY(out.secret, pki::random_hex(kSecretDigits / 2));
  return out;
}

base::Result<Token> parse_token(std::string_view text) {
  const auto dot = text.find('.');
  Token out{std::string(text.substr(0, dot)),
            dot == std::string_view::npos ? "" : std::string(text.substr(dot + 1))};
  if (is_hex(out.id, kIdDigits) && is_hex(out.secret, kSecretDigits)) return out;
  return base::fail(Code::kInvalidArgument,
                    fmt::format("--token: what was given is no token ID.SECRET of {} and {} "
                                "lower-case hex digits; `etcdadm token create` on a member prints "
                                "one",
                                kIdDigits, kSecretDigits));
}

base::Result<std::string> parse_ca_hash(std::string_view text) {
  constexpr std::string_view kKind = "sha256:";
  std::string digits;
  if (text.starts_with(kKind))
    for (const char c : text.substr(kKind.size()))
      if (c != ':') digits += c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c;
  if (is_hex(digits, kHashDigits)) return digits;
  return base::fail(Code::kInvalidArgument,
                    fmt::format("--ca-cert-hash: '{}' is not sha256: and {} hex digits; `etcdadm "
                                "certs check` on a member shows it as the fingerprint of ca",
                                text.substr(0, 200), kHashDigits));
}

bool TokenBook::open(base::Instant now) const {
  return !closed() &&
         std::ranges::any_of(grants, [&](const Grant& one) { return one.expires > now; });
}

void grant(TokenBook& book, const Token& token, base::Instant now, base::Duration life) {
  if (book.closed()) book.grants.clear();
  book.wrong = 0;
  std::erase_if(book.grants, [&](const Grant& one) { return one.expires <= now; });
  while (book.grants.size() >= kMostGrants) book.grants.erase(book.grants.begin());
  book.grants.push_back({token.id, token.proof(), pki::to_hex(token.key()), now + life});
}

Admission admit(TokenBook& book, std::string_view id, std::string_view proof, base::Instant now,
                const Grant** found) {
  if (book.closed()) return Admission::kClosed;
  const Grant* match = nullptr;
  for (const auto& one : book.grants) {
    // Every proof is compared, so that time does not tell which ids there are.
    const bool same = pki::same_secret(one.proof, proof);
    if (same && one.id == id) match = &one;
  }
  if (match == nullptr) {
    ++book.wrong;
    return Admission::kWrong;
  }
  if (match->expires <= now) return Admission::kExpired;
  *found = match;
  return Admission::kGood;
}

base::Result<TokenBook> load_book(const Places& places) {
  TokenBook out;
  const auto text = posix::read_file(places.tokens(), kLimit);
  if (!text && text.error().code == Code::kNotFound) return out;
  if (!text) return std::unexpected(text.error());
  TRY_IN(places.tokens(), const auto value, json::parse(*text));
  TRY_IN(places.tokens(), const auto wrong, json::get_uint(value, "wrong"));
  TRY_IN(places.tokens(), const auto port, json::get_uint(value, "port"));
  const auto* list = value.find("tokens");
  if (port > 65535 || list == nullptr || list->if_array() == nullptr)
    return base::fail(Code::kDataLoss, places.tokens() + ": no book of tokens");
  out.wrong = static_cast<unsigned>(std::min<std::uint64_t>(wrong, kMostWrong));
  out.port = static_cast<unsigned>(port);
  for (const auto& item : *list->if_array()) {
    TRY_IN(places.tokens(), auto one, grant_of(item));
    out.grants.push_back(std::move(one));
  }
  return out;
}

base::Status save_book(const Places& places, const TokenBook& book) {
  json::Array list;
  for (const auto& one : book.grants)
    list.emplace_back(json::Object{{"id", one.id},
                                   {"proof", one.proof},
                                   {"key", one.key},
                                   {"expires", base::to_rfc3339(one.expires)}});
  json::Value value;
  value["port"] = book.port;
  value["wrong"] = book.wrong;
  value["tokens"] = std::move(list);
  TRY_OK(posix::make_dirs(places.state_dir));
  return posix::write_atomic(places.tokens(), json::print(value, json::Style::kPretty) + "\n");
}

base::Status change_book(const Places& places, const std::function<void(TokenBook&)>& change) {
  TRY(const auto lock, lock_book(places));
  TRY(auto book, load_book(places));
  const TokenBook before = book;
  change(book);
  return book == before ? base::Status{} : save_book(places, book);
}

base::Status forget_book(const Places& places) {
  if (posix::exists(places.tokens()) == base::Fact<bool>(false)) return {};
  TRY(const auto lock, lock_book(places));
  return posix::remove_file(places.tokens());
}

}  // namespace adm
