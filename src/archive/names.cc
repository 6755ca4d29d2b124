#include "archive/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace archive {
namespace {

constexpr size_t kTimeSize = 16;  // "20261122T031500Z"
constexpr size_t kRevisionDigits = 20;
constexpr std::string_view kFull = "full-", kProbe = "fence-probe-";
constexpr std::array kParts{Part::kData, Part::kManifest, Part::kProven, Part::kBad};

std::string compact(base::Instant at) {
  auto text = base::to_rfc3339(at);  // "2026-11-22T03:15:00.000Z"
  text.resize(19);
  std::erase(text, '-');
  std::erase(text, ':');
  return text + "Z";
}

std::optional<base::Instant> parse_time(std::string_view text) {
  if (text.size() != kTimeSize || text[8] != 'T' || text[15] != 'Z') return {};
  const auto at = base::parse_rfc3339(
      fmt::format("{}-{}-{}T{}:{}:{}.000Z", text.substr(0, 4), text.substr(4, 2), text.substr(6, 2),
                  text.substr(9, 2), text.substr(11, 2), text.substr(13, 2)));
  // One name for one time: "20261131…" is none.
  if (!at || compact(*at) != text) return {};
  return *at;
}

bool all_of(std::string_view text, std::string_view letters) {
  return text.find_first_not_of(letters) == std::string_view::npos;
}

}  // namespace

std::optional<Incarnation> Incarnation::parse(std::string_view text) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  if (text.size() < kTimeSize + 5 || text.size() > kTimeSize + 33 || text[kTimeSize] != '-')
    return {};
  const auto begin = parse_time(text.substr(0, kTimeSize));
  if (!begin || !all_of(text.substr(kTimeSize + 1), kLetters)) return {};
  return Incarnation{.text = std::string(text), .begin = *begin};
}

Incarnation make_incarnation(base::Instant begin, std::string_view own) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(begin);
  return {.text = fmt::format("{}-{}", compact(whole), own), .begin = whole};
}

std::string Name::text() const {
  return fmt::format("{}/{}{:020}-{}-{}", incarnation.text, kFull, revision, compact(time), nonce);
}

std::optional<Name> Name::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return {};
  auto incarnation = Incarnation::parse(text.substr(0, slash));
  const auto stem = text.substr(slash + 1);
  constexpr size_t kTimeAt = kFull.size() + kRevisionDigits + 1;
  constexpr size_t kNonceAt = kTimeAt + kTimeSize + 1;
  if (!incarnation || !stem.starts_with(kFull) || stem.size() < kNonceAt + 8 ||
      stem.size() > kNonceAt + 32 || stem[kTimeAt - 1] != '-' || stem[kNonceAt - 1] != '-')
    return {};
  const auto digits = stem.substr(kFull.size(), kRevisionDigits);
  if (!all_of(digits, "0123456789")) return {};
  const auto revision = base::parse_int(digits);
  const auto time = parse_time(stem.substr(kTimeAt, kTimeSize));
  const auto nonce = stem.substr(kNonceAt);
  if (!revision || *revision < 1 || !time || !all_of(nonce, "0123456789abcdef")) return {};
  return Name{.incarnation = *std::move(incarnation),
              .revision = *revision,
              .time = *time,
              .nonce = std::string(nonce)};
}

std::string_view suffix_of(Part part) {
  switch (part) {
    case Part::kData:
      return ".db.zst";
    case Part::kManifest:
      return ".json";
    case Part::kProven:
      return ".proven.json";
    case Part::kBad:
      return ".bad.json";
  }
  std::unreachable();
}

std::optional<PartName> parse_part(std::string_view key) {
  const auto dot = key.find('.');
  if (dot == std::string_view::npos) return {};
  const auto part = std::ranges::find(kParts, key.substr(dot), suffix_of);
  if (part == kParts.end()) return {};
  auto name = Name::parse(key.substr(0, dot));
  if (!name) return {};
  return PartName{.name = *std::move(name), .part = *part};
}

std::string probe_name(const Incarnation& incarnation, std::string_view nonce) {
  return fmt::format("{}/{}{}", incarnation.text, kProbe, nonce);
}

std::optional<Incarnation> parse_probe(std::string_view key) {
  const auto slash = key.find('/');
  if (slash == std::string_view::npos) return {};
  const auto stem = key.substr(slash + 1);
  if (!stem.starts_with(kProbe)) return {};
  const auto nonce = stem.substr(kProbe.size());
  if (nonce.size() < 8 || nonce.size() > 32 || !all_of(nonce, "0123456789abcdef")) return {};
  return Incarnation::parse(key.substr(0, slash));
}

std::string root_of(const base::ClusterKey& cluster, bool direct) {
  return direct ? std::string() : fmt::format("{}/{}/", cluster.ns, cluster.name);
}

}  // namespace archive
