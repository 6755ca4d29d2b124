// A question to a person: an operation of kRecovery that is halted until they approve it by its id.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/concern.h"

namespace plan {

// What it means to approve that a cluster begins again empty.
inline constexpr std::string_view kEmptyWords =
    "Approval begins a NEW EMPTY cluster under a new incarnation: every key that the old one held "
    "is given up, and what is left of its volumes is put aside";

struct Question {
  std::string step;    // begins with "approve"; with `member` it tells one question from another
  std::string member;  // the survivor; empty: none
  Reason why = Reason::kApprovalNeeded;
  std::string text;  // what is known, and what approval does
};

// Asks under an id of its own: no approval is taken for what it was not given for. True: this very
// question is approved.
bool ask(Context& c, const Question& question);
// "TEXT. Approve by `…`", of the question that is asked.
std::string with_command(const Context& c, const std::string& text);
// The step of a question whose approval also vouches for members that are out of sight.
std::string step_of(std::string what, const std::vector<std::string>& unseen);

}  // namespace plan
