// For tests and simulations: an etcd that refuses every call, with Unimplemented and the call's
// name. A fake derives from it and answers what it is there for.
#pragma once

#include <string>

#include "etcd/api.h"

namespace etcd {

class RefusingApi : public EtcdApi {
 public:
  base::Result<MemberList> member_list(bool, base::Duration) override { return no("member_list"); }
  base::Result<MemberStatus> status(base::Duration) override { return no("status"); }
  base::Result<std::vector<Alarm>> alarms(base::Duration) override { return no("alarms"); }
  base::Result<Hash> hash_kv(std::int64_t, base::Duration) override { return no("hash_kv"); }
  base::Result<RangeResult> range(const std::string&, const std::string&, bool, std::int64_t,
                                  base::Duration) override {
    return no("range");
  }
  base::Result<std::int64_t> quorum_read(base::Duration) override { return no("quorum_read"); }
  base::Status snapshot(const std::function<bool(std::string_view)>&, base::Duration) override {
    return no("snapshot");
  }

  Change<std::int64_t> put(const std::string&, const std::string&, base::Duration) override {
    return never("put");
  }
  Change<Member> member_add(const std::string&, bool, base::Duration) override {
    return never("member_add");
  }
  Change<void> member_remove(base::MemberId, base::Duration) override {
    return never("member_remove");
  }
  Change<void> member_promote(base::MemberId, base::Duration) override {
    return never("member_promote");
  }
  Change<void> member_update(base::MemberId, const std::string&, base::Duration) override {
    return never("member_update");
  }
  Change<void> move_leader(base::MemberId, base::Duration) override { return never("move_leader"); }
  Change<void> defragment(base::Duration) override { return never("defragment"); }
  Change<void> compact(std::int64_t, bool, base::Duration) override { return never("compact"); }
  Change<void> disarm(base::MemberId, AlarmKind, base::Duration) override {
    return never("disarm");
  }
  Change<void> downgrade(DowngradeAction, const std::string&, base::Duration) override {
    return never("downgrade");
  }

 protected:
  // Told of each call before it is refused.
  virtual void refused(const std::string& /*call*/) {}

 private:
  std::unexpected<base::Error> no(const std::string& call) {
    refused(call);
    return base::fail(base::Code::kUnimplemented, "this etcd is not asked: " + call);
  }
  std::unexpected<Failure> never(const std::string& call) {
    return std::unexpected(Failure{Outcome::kRefused, no(call).error()});
  }
};

}  // namespace etcd
