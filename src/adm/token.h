// Tokens that let a host fetch the cluster's authority: what a person carries, and the book that
// the listener keeps of them, which never holds the secrets themselves.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "adm/host.h"
#include "base/result.h"
#include "base/time.h"

namespace adm {

struct Token {
  std::string id, secret;  // 8 and 32 lower-case hex digits
  [[nodiscard]] std::string text() const { return id + "." + secret; }
  [[nodiscard]] std::string proof() const;  // 64 hex digits: shows that one has the secret
  [[nodiscard]] std::string key() const;    // for pki::seal
};
base::Result<Token> make_token();
// InvalidArgument; the message does not repeat what may be a secret.
base::Result<Token> parse_token(std::string_view text);
// "sha256:HEX" to lower-case hex digits.
base::Result<std::string> parse_ca_hash(std::string_view text);

constexpr unsigned kMostWrong = 5;
constexpr size_t kMostGrants = 8;

struct Grant {
  std::string id, proof;  // as Token gives them
  std::string key;        // 64 hex digits
  base::Instant expires{};
  bool operator==(const Grant&) const = default;
};

struct TokenBook {
  std::vector<Grant> grants;
  unsigned wrong = 0;  // since the listener was opened
  unsigned port = 0;
  [[nodiscard]] bool closed() const { return wrong >= kMostWrong; }
  [[nodiscard]] bool open(base::Instant now) const;  // a host may still ask
  bool operator==(const TokenBook&) const = default;
};

// Adds a token; what has expired goes, and the oldest beyond kMostGrants. Opens a closed book.
void grant(TokenBook& book, const Token& token, base::Instant now, base::Duration life);

enum class Admission { kGood, kWrong, kExpired, kClosed };
// The count of wrong ones is the caller's to write down before it answers. `found` is set with
// kGood only.
Admission admit(TokenBook& book, std::string_view id, std::string_view proof, base::Instant now,
                const Grant** found);

// An empty book if there is none.
base::Result<TokenBook> load_book(const Places& places);
base::Status save_book(const Places& places, const TokenBook& book);
// Reads it, changes it and writes it if it is another then; nobody else does so in between.
base::Status change_book(const Places& places, const std::function<void(TokenBook&)>& change);
// Its file is gone. Whoever changes it next finds an empty one.
base::Status forget_book(const Places& places);

// Raw bytes of an even number of hex digits; empty if they are none.
std::string from_hex(std::string_view text);

}  // namespace adm
