#include "sim/model/begun.h"

namespace sim::model {
namespace {

constexpr Event kPassOnce{Kind::kPass};

Begun at_rest(std::string name, int size, const api::Version& version, std::vector<Event> then) {
  return {std::move(name), size, version, {}, {}, true, std::move(then), false, {}};
}

// What a founder needs to be started: a look that prepares, one that starts.
Begun forming(std::string name, std::vector<Event> first, bool forms) {
  first.insert(first.begin(), {kPassOnce, kPassOnce});
  return {std::move(name), 1, {3, 5, 33, ""}, {}, std::move(first), forms, {}, false, {}};
}

}  // namespace

const std::vector<Begun>& all_begun() {
  const api::Version v5{3, 5, 33, ""}, v6{3, 6, 16, ""};
  static const std::vector<Begun> all{
      at_rest("two that want three", 2, v5, {{Kind::kSetSize, 3}}),
      at_rest("two that want 3.6", 2, v5, {{Kind::kSetVersion, 6, 16}}),
      at_rest("two that may never recover", 2, v5, {{Kind::kNeverRecover}}),
      at_rest("one that rests", 1, v5, {{Kind::kHibernate}}),
      at_rest("one full of old revisions", 1, v6, {{Kind::kFillQuota, 1}}),
      at_rest("one full of keys that wants a larger quota and 3.7", 1, v6,
              {{Kind::kFillQuota}, {Kind::kRaiseQuota}, {Kind::kSetVersion, 7, 3}}),
      at_rest("one that was deleted after its record was lost", 1, v5,
              {{Kind::kLoseRecord}, {Kind::kDelete}}),
      {"one that went to 3.6 and wants 3.7",
       1,
       v5,
       {"--quota-backend-bytes=1048576", "--snapshot-count=5"},
       {},
       true,
       {{Kind::kSetVersion, 6, 16}},
       true,
       {{Kind::kSetVersion, 7, 3}}},
      {"three whose databases are full of free pages",
       3,
       v5,
       {"--quota-backend-bytes=1073741824"},
       {},
       true,
       {{Kind::kFreePages}},
       false,
       {}},
      forming("a founder whose record is lost as it starts", {{Kind::kLoseRecord}}, false),
      forming("one whose first volume was away as it formed", {{Kind::kLoseVolume}}, true),
      {"a founder with flags that cannot be rendered",
       1,
       v5,
       {"--no-such-flag=1"},
       {},
       false,
       {},
       false,
       {}},
  };
  return all;
}

}  // namespace sim::model
