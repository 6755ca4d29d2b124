#include "plan/template.h"

#include <fmt/format.h>

#include "base/text.h"

namespace plan {

using api::TlsMode;

std::string to_text(const Template& from) {
  std::string out = from.spec;
  if (from.tls == TlsMode::kMigrating) out += "+both";
  if (from.tls == TlsMode::kDisabled) out += "+plain";
  if (from.trust > 0) out += fmt::format("+a{}", from.trust);
  return out;
}

Template parse_template(std::string_view text) {
  Template out;
  bool first = true;
  for (const auto part : base::split(text, '+')) {
    if (first)
      out.spec = part;
    else if (part == "both")
      out.tls = TlsMode::kMigrating;
    else if (part == "plain")
      out.tls = TlsMode::kDisabled;
    else if (part.starts_with('a'))
      out.trust = static_cast<int>(base::parse_int(part.substr(1)).value_or(0));
    first = false;
  }
  return out;
}

TlsMode tls_of(const MemberRecord& member) {
  return parse_template(member.template_hash).tls;
}

void give_template(MemberRecord& member, const std::string& text) {
  member.template_hash = text;
  const TlsMode tls = tls_of(member);
  if (tls != TlsMode::kMigrating) give_scheme(member, tls == TlsMode::kDisabled ? "http" : "https");
}

void give_scheme(MemberRecord& member, std::string_view scheme) {
  std::string& url = member.addresses.client_url;
  const auto end = url.find("://");
  if (end != std::string::npos) url.replace(0, end, scheme);
}

}  // namespace plan
