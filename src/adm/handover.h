// The words by which a cluster's authority goes from a member to a host that joins: a line that
// asks, an answer of a line and, if it is "ok", that many bytes. Pure; the bytes come from whoever
// reached the port.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace adm {

struct Ask {
  std::string id, proof;
  bool rotation = false;  // for the next authority, not for the present one
  bool operator==(const Ask&) const = default;
};
constexpr size_t kAskLimit = 200, kHeadLimit = 400, kBodyLimit = size_t{1} << 18;

std::string encode(const Ask& ask);  // without the new-line
base::Result<Ask> decode_ask(std::string_view line);

// The first line of an answer: how many bytes follow. PermissionDenied: another token;
// FailedPrecondition: expired, closed, or the member cannot now; each in words for a person.
std::string head_of(size_t bytes);
std::string refusal(std::string_view word, std::string_view text = {});
base::Result<size_t> decode_head(std::string_view line);

// Files of the certificates folder by name. `certs` is readable, `keys` are sealed under the token.
struct Handed {
  std::map<std::string, std::string> certs, keys;
  bool operator==(const Handed&) const = default;
};
// `id` is the token's and binds the body to it; `key` is pki::seal's.
base::Result<std::string> encode(const Handed& handed, std::string_view id, std::string_view key);
// Only names that the certificates folder has: ca and ca-next. DataLoss otherwise.
base::Result<Handed> decode_handed(std::string_view body, std::string_view id,
                                   std::string_view key);

}  // namespace adm
