#include "adm/promotions.h"

#include <vector>

#include "base/text.h"
#include "etcd/bolt/content.h"
#include "etcd/bolt/database.h"
#include "etcd/bolt/source.h"
#include "etcd/rewrite_members.h"

namespace adm {
namespace {

constexpr base::Duration kChange{3'000};
constexpr std::string_view kMembers = "members";

}  // namespace

base::Status write_members_again(const Cluster& at, const Sight& sight) {
  TRY(const auto leader, at.voter(sight, true));
  if (const auto done = etcd::rewrite_members(*leader, sight.list, kChange); !done)
    return std::unexpected(done.error().error.in("write the members' records again"));
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
