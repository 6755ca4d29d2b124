// What a member is started with, beside its version, as one text: the spec's part, how it takes
// clients, and how often what it trusts was changed. "1f2e", "1f2e+both", "1f2e+plain+a2".
#pragma once

#include <string>
#include <string_view>

#include "api/cluster.h"
#include "plan/record.h"

namespace plan {

struct Template {
  std::string spec;
  api::TlsMode tls = api::TlsMode::kRequired;
  int trust = 0;
  bool operator==(const Template&) const = default;
};

std::string to_text(const Template& from);
Template parse_template(std::string_view text);
api::TlsMode tls_of(const MemberRecord& member);

// The member shall run it from now on. Its client address gets the scheme that it then takes; where
// it takes both, the address stays.
void give_template(MemberRecord& member, const std::string& text);
// "https" or "http".
void give_scheme(MemberRecord& member, std::string_view scheme);

}  // namespace plan
