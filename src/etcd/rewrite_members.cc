#include "etcd/rewrite_members.h"

#include "base/ids.h"

namespace etcd {
namespace {

Failure refused(std::string text) {
  return {Outcome::kRefused, {base::Code::kFailedPrecondition, std::move(text)}};
}

}  // namespace

Change<void> rewrite_members(EtcdApi& through, const MemberList& list, base::Duration each) {
  for (const auto& m : list.members) {
    if (m.learner) return std::unexpected(refused(base::to_text(m.id) + " is a learner"));
    if (m.peer_urls.size() != 1)
      return std::unexpected(refused(base::to_text(m.id) + " has " +
                                     std::to_string(m.peer_urls.size()) +
                                     " peer addresses, not one"));
  }
  for (const auto& m : list.members)
    if (auto written = through.member_update(m.id, m.peer_urls.front(), each); !written)
      return written;
  return {};
}

}  // namespace etcd
