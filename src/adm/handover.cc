#include "adm/handover.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "base/text.h"
#include "json/json.h"
#include "pki/secret.h"

namespace adm {
namespace {

using base::Code;

constexpr std::string_view kAsk = "etcdadm-handover/1 ";
constexpr std::array<std::string_view, 2> kCerts{"ca.crt", "ca-next.crt"};
constexpr std::array<std::string_view, 2> kKeys{"ca.key", "ca-next.key"};

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

json::Value to_json(const std::map<std::string, std::string>& files) {
  json::Value out = json::Object{};
  for (const auto& [name, text] : files) out[name] = text;
  return out;
}

template <size_t N>
base::Result<std::map<std::string, std::string>> files_of(
    const json::Value& value, const std::array<std::string_view, N>& names) {
  std::map<std::string, std::string> out;
  for (const auto name : names) {
    const auto* text = value.find(name);
    if (text == nullptr) continue;
    TRY(out[std::string(name)], text->as_string());
  }
  return out;
}

// What cannot be forged without the token, though it is readable.
std::string beside(std::string_view id, const std::map<std::string, std::string>& certs) {
  return std::string(id) + "\n" + json::print(to_json(certs), json::Style::kCompact);
}

}  // namespace

std::string encode(const Ask& ask) {
  return fmt::format("{}{} {} {}", kAsk, ask.rotation ? "rotate" : "join", ask.id, ask.proof);
}

base::Result<Ask> decode_ask(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with(kAsk)) {
    const auto words = base::split(line.substr(kAsk.size()), ' ');
    if (words.size() == 3 && (words[0] == "join" || words[0] == "rotate") && is_hex(words[1], 8) &&
        is_hex(words[2], 64))
      return Ask{std::string(words[1]), std::string(words[2]), words[0] == "rotate"};
  }
  return base::fail(Code::kInvalidArgument, "no words of etcdadm");
}

std::string head_of(size_t bytes) {
  return fmt::format("ok {}", bytes);
}

std::string refusal(std::string_view word, std::string_view text) {
  std::string out = fmt::format("no {}{}{}", word, text.empty() ? "" : " ", text.substr(0, 300));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return out;
}

base::Result<size_t> decode_head(std::string_view line) {
  if (line.starts_with("ok ")) {
    const auto size = base::parse_int(line.substr(3));
    if (size && *size > 0 && static_cast<std::uint64_t>(*size) <= kBodyLimit)
      return static_cast<size_t>(*size);
    return base::fail(Code::kDataLoss, "the member's answer has no size that is allowed");
  }
  if (!line.starts_with("no "))
    return base::fail(Code::kDataLoss, "what answers there is no etcdadm");
  line.remove_prefix(3);
  const auto word = line.substr(0, line.find(' '));
  if (word == "wrong")
    return base::fail(Code::kPermissionDenied,
                      fmt::format("the member does not know this token; after {} wrong ones it "
                                  "takes none",
                                  5));
  if (word == "expired")
    return base::fail(Code::kFailedPrecondition,
                      "the token has expired: `etcdadm token create` on a member makes another");
  if (word == "closed")
    return base::fail(Code::kFailedPrecondition,
                      "the member has seen five wrong tokens and takes none any more: `etcdadm "
                      "token create` there opens it again");
  std::string words;
  if (word == "unready" && line.size() > word.size())
    for (const char c : line.substr(word.size() + 1, 300))
      words += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  return base::fail(Code::kFailedPrecondition, "the member cannot hand over its authority now" +
                                                   (words.empty() ? "" : ": " + words));
}

base::Result<std::string> encode(const Handed& handed, std::string_view id, std::string_view key) {
  TRY(const auto sealed, pki::seal(key, beside(id, handed.certs),
                                   json::print(to_json(handed.keys), json::Style::kCompact)));
  json::Value out;
  out["certs"] = to_json(handed.certs);
  out["keys"] = base::encode_base64(sealed);
  return json::print(out, json::Style::kCompact);
}

base::Result<Handed> decode_handed(std::string_view body, std::string_view id,
                                   std::string_view key) {
  const auto bad = [](const base::Error& why) {
    return base::fail(Code::kDataLoss, "the member's answer: " + why.message);
  };
  Handed out;
  const auto value = json::parse(body);
  if (!value) return bad(value.error());
  const auto* certs = value->find("certs");
  const auto keys = json::get_string(*value, "keys");
  if (certs == nullptr || !keys) return bad({Code::kDataLoss, "it lacks certs or keys"});
  auto files = files_of(*certs, kCerts);
  if (!files) return bad(files.error());
  out.certs = *std::move(files);
  const auto sealed = base::decode_base64(*keys);
  if (!sealed) return bad({Code::kDataLoss, "keys is not base64"});
  const auto plain = pki::unseal(key, beside(id, out.certs), *sealed);
  if (!plain) return bad(plain.error());
  const auto inner = json::parse(*plain);
  if (!inner) return bad(inner.error());
  files = files_of(*inner, kKeys);
  if (!files) return bad(files.error());
  out.keys = *std::move(files);
  return out;
}

}  // namespace adm
