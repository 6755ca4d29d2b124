#include "sim/model/steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "plan/action.h"

namespace sim::model {
namespace {

struct Info {
  std::string_view name, meaning;
  Price price;
};

constexpr std::array<Info, kKinds> kInfos{{
#define MODEL_STEP_INFO(name, price, text) Info{#name, text, Price::price},
    MODEL_STEPS(MODEL_STEP_INFO)
#undef MODEL_STEP_INFO
}};

const Info& info(Kind kind) {
  return kInfos.at(static_cast<std::size_t>(kind));
}

template <std::size_t... I>
void add_actions(std::vector<std::string>& out, std::index_sequence<I...> /*all*/) {
  (out.emplace_back(plan::name_of(plan::Action(std::in_place_index<I>))), ...);
}

}  // namespace

std::string_view name_of(Kind kind) {
  return info(kind).name;
}
std::string_view meaning_of(Kind kind) {
  return info(kind).meaning;
}
Price price_of(Kind kind) {
  return info(kind).price;
}

Step pack(const Event& e) {
  return static_cast<Step>(e.kind) | static_cast<Step>(e.call & 0xff) << 8U |
         static_cast<Step>(e.member & 0xffff) << 16U | static_cast<Step>(e.other & 0xffff) << 32U;
}

Event unpack(Step step) {
  return {static_cast<Kind>(step & 0xffU), static_cast<int>(step >> 16U & 0xffffU),
          static_cast<int>(step >> 32U & 0xffffU), static_cast<int>(step >> 8U & 0xffU)};
}

std::string text_of(const Event& e) {
  switch (e.kind) {
    case Kind::kPassRefused:
    case Kind::kPassAnswerLost:
    case Kind::kPassRequestLost:
    case Kind::kPassDiesBefore:
    case Kind::kPassDiesAfter:
      return fmt::format(
          "{} {}{}", name_of(e.kind), calls().at(static_cast<std::size_t>(e.call)),
          e.member == 0 ? "" : fmt::format(" ({} of that name went before)", e.member));
    case Kind::kCutMembers:
    case Kind::kCutOneWay:
    case Kind::kForeignVolume:
      return fmt::format("{} {} {}", name_of(e.kind), member_name(e.member), member_name(e.other));
    case Kind::kOlderData:
      return fmt::format("{} {} by {}", name_of(e.kind), member_name(e.member), e.other);
    case Kind::kSetSize:
      return fmt::format("{} {}", name_of(e.kind), e.member);
    case Kind::kSetVersion:
      return fmt::format("{} 3.{}.{}", name_of(e.kind), e.member, e.other);
    case Kind::kVolumeBack:
    case Kind::kKillEtcd:
    case Kind::kKillGuard:
    case Kind::kCrashMachine:
    case Kind::kLoseData:
    case Kind::kLoseVolume:
    case Kind::kTornTail:
    case Kind::kBadLog:
    case Kind::kCorrupt:
    case Kind::kDiskFull:
    case Kind::kCutOperator:
    case Kind::kLeafExpired:
    case Kind::kRemoveByHand:
      return fmt::format("{} {}", name_of(e.kind), member_name(e.member));
    case Kind::kPass:
    case Kind::kTime:
    case Kind::kPatience:
    case Kind::kHeal:
    case Kind::kApprove:
    case Kind::kOperatorAway:
    case Kind::kLeafDue:
    case Kind::kTearRecord:
    case Kind::kLoseRecord:
    case Kind::kFillQuota:
    case Kind::kRaiseQuota:
    case Kind::kFreePages:
    case Kind::kSetTemplate:
    case Kind::kSetBadTemplate:
    case Kind::kPause:
    case Kind::kHibernate:
    case Kind::kStop:
    case Kind::kDelete:
    case Kind::kDeleteData:
    case Kind::kProtect:
    case Kind::kAskFirst:
    case Kind::kNeverRecover:
    case Kind::kRestore:
    case Kind::kPutBack:
    case Kind::kUnreadable:
    case Kind::kAddForeign:
      return std::string(name_of(e.kind));
  }
  return "?";
}

const std::vector<std::string>& calls() {
  static const std::vector<std::string> all = [] {
    // Reads first: they are made in every pass.
    std::vector<std::string> out{"observe",        "load_record",   "status",       "member_list",
                                 "alarms",         "hash_kv",       "save_record",  "member_add",
                                 "member_promote", "member_remove", "move_leader",  "defragment",
                                 "compact",        "disarm",        "member_update"};
    for (const std::string_view point : inner_points()) out.emplace_back(point);
    add_actions(out, std::make_index_sequence<std::variant_size_v<plan::Action>>());
    return out;
  }();
  return all;
}

int number_of_call(std::string_view call) {
  const auto at = std::ranges::find(calls(), call);
  return at == calls().end() ? -1 : static_cast<int>(at - calls().begin());
}

}  // namespace sim::model
