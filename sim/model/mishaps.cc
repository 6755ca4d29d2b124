#include "sim/model/mishaps.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace sim::model {
namespace {

// The method of EtcdApi by which an action is carried out; empty: by files and processes.
std::string_view method_of(std::string_view action) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kMethods{
      {{"AddLearner", "member_add"},
       {"PromoteMember", "member_promote"},
       {"RemoveMember", "member_remove"},
       {"MoveLeader", "move_leader"},
       {"Compact", "compact"},
       {"Defragment", "defragment"},
       {"DisarmAlarm", "disarm"},
       {"AdvanceLog", "disarm"},
       {"RewriteMembers", "member_update"}}};
  const auto at = std::ranges::find(kMethods, action, &decltype(kMethods)::value_type::first);
  return at == kMethods.end() ? std::string_view() : at->second;
}

Event event(Kind kind, std::string_view call, int nth = 0) {
  return {kind, nth, 0, number_of_call(call)};
}

}  // namespace

std::vector<Event> mishaps_of(const Passed& plain, bool remembers) {
  std::vector<Event> out;
  const auto add = [&](const Event& e) {
    if (e.call >= 0 && std::ranges::find(out, e) == out.end()) out.push_back(e);
  };
  // A look that sees less.
  if (plain.thought)
    for (const char* read : {"status", "member_list", "alarms"})
      add(event(Kind::kPassRefused, read));
  if (remembers) add(event(Kind::kPassDiesBefore, "observe"));
  std::map<std::string, int> times;
  for (const std::string& call : plain.calls) {
    if (call == "observe" || call == "publish") continue;
    if (call == "load_record" || call == "save_record") {
      add(event(Kind::kPassRefused, call));
      if (call == "save_record") add(event(Kind::kPassDiesAfter, call));
      continue;
    }
    const int nth = times[call]++;
    if (call.find('.') != std::string::npos) {  // between two effects of one action
      add(event(Kind::kPassDiesBefore, call, nth));
      continue;
    }
    add(event(Kind::kPassDiesAfter, call, nth));
    const std::string_view method = method_of(call);
    add(event(Kind::kPassRefused, method.empty() ? call : method));
    const bool unclear = !method.empty() || call == "StartMember" || call == "StopMember";
    if (unclear) add(event(Kind::kPassAnswerLost, method.empty() ? call : method));
    if (!method.empty()) add(event(Kind::kPassRequestLost, method));
  }
  return out;
}

}  // namespace sim::model
