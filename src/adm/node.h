// What init, join, reset and restore do to this host: the steps that they share.
#pragma once

#include <string>

#include "adm/checks.h"
#include "adm/cluster.h"
#include "adm/context.h"
#include "adm/service.h"
#include "base/result.h"

namespace adm {

base::Result<Machine> look_at_machine();

// Nothing may stand where the new member will: data, a marker, a process, a listener.
base::Status check_room(const Context& context, const Host& host);
// The same for the data alone, moved aside with --force; says where to.
base::Status clear_data(const Context& context, const Host& host);
// Where a folder can be put: "<folder>.<why>-<time>", or in it, where a file system is mounted
// there and so it cannot be renamed.
std::string aside_name(const std::string& folder, std::string_view why, base::Instant now);
// `to` is of aside_name; a move that was begun goes on.
base::Status move_folder(const std::string& folder, const std::string& to);
// Both; gives the new name, empty if there was nothing.
base::Result<std::string> move_aside(const std::string& folder, std::string_view why,
                                     base::Instant now);
// Also if it is absent, and if it has only what was put aside there, and the lost+found which every
// fresh file system has.
base::Result<bool> is_empty(const std::string& folder);
// All that is_empty counts, and the folder itself if it is no mount point.
base::Status delete_folder(const std::string& folder);

// Of the host's version into the cache; nothing that runs is touched.
base::Status fetch_programs(const Context& context, const Host& host);
base::Status install_programs(const Context& context, const Host& host);
// The member's folder, its ticket, and the files for etcdctl.
base::Status write_member(const Context& context, const Host& host);
base::Status write_etcdctl(const Host& host);
// That it may have run is written before it does.
base::Status start_member(const Context& context, Host& host);
// Until the guard is gone, and of an adopted member an etcd that runs without it.
// FailedPrecondition: another etcd, which is named, has this data.
// The first until the next start or boot, the second for good.
base::Status stop_member(const Context& context, const Host& host);
base::Status retire_member(const Context& context, const Host& host);
// Until this member answers a linearizable read; says the guard's verdict if it gave up.
base::Status wait_serving(const Context& context, const Host& host);
// From here on blank data is a loss: the ticket says so, and the host's file.
base::Status latch(const Context& context, Host& host);
// Why the guard ended etcd last; empty: it did not.
std::string last_verdict(const Places& places);
base::Result<base::Duration> start_timeout(const Context& context);

base::Result<guard::Ticket> ticket_of(const Host& host);

}  // namespace adm
