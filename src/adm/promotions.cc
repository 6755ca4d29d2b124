#include "adm/promotions.h"

#include <fmt/format.h>

#include <vector>

#include "base/text.h"
#include "etcd/bolt/content.h"
#include "etcd/bolt/database.h"
#include "etcd/bolt/source.h"

namespace adm {
namespace {

constexpr base::Duration kChange{3'000};
constexpr std::string_view kMembers = "members";

}  // namespace

base::Status write_members_again(const Cluster& at, const Sight& sight) {
  TRY(const auto leader, at.voter(sight, true));
  for (const auto& m : sight.list.members) {
    if (m.peer_urls.size() != 1)
      return base::fail(base::Code::kFailedPrecondition,
                        fmt::format("{} has {} peer URLs; etcdadm knows members with one", m.name,
                                    m.peer_urls.size()));
    if (const auto done = leader->member_update(m.id, m.peer_urls.front(), kChange); !done)
      return std::unexpected(done.error().error.in("write the record of " + m.name + " again"));
  }
  return {};
}

base::Result<std::string> learners_in(const std::string& file) {
  TRY(const auto source, bolt::FileSource::open(file));
  TRY_IN(file, const auto database, bolt::Database::open(source, source.size()));
  bolt::Content content;
  TRY_OK(database.walk(kMembers, [&](std::string_view key, std::string_view value) {
    return bolt::read_item(kMembers, key, value, content);
  }));
  std::vector<std::string> names;
  for (const auto& m : content.members)
    if (m.learner) names.push_back(m.name.empty() ? base::to_text(m.id) : m.name);
  return base::join(names, ", ");
}

}  // namespace adm
