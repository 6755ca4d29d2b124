#include "drivers/host/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/text.h"
#include "drivers/host/snapshot_check.h"
#include "drivers/host/survivor.h"
#include "posix/files.h"
#include "posix/input_file.h"
#include "posix/net.h"
#include "posix/process.h"
#include "posix/wakeup.h"
#include "posix/writer.h"

namespace host {
namespace {

constexpr base::Duration kStatus{1'000}, kReady{30'000}, kSnapshot{60'000};
constexpr size_t kPiece = size_t{1} << 20;
constexpr size_t kWords = 400;  // of what etcd said, in a message

base::Status copy_file(const std::string& from, const std::string& to) {
  TRY(const auto in, posix::InputFile::open(from));
  TRY(auto out, posix::FileWriter::create(to));
  for (std::uint64_t offset = 0; offset < in.info().size;) {
    TRY(const std::string piece, in.read_at(offset, kPiece));
    if (piece.empty()) break;
    TRY_OK(out.append(piece));
    offset += piece.size();
  }
  return out.finish();
}

base::Status copy_tree(const std::string& from, const std::string& to,
                       const std::stop_token& stop) {
  TRY_OK(posix::make_dirs(to));
  TRY(const auto names, posix::list_dir(from));
  for (const auto& name : names) {
    if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    const std::string path = from + "/" + name;
    TRY(const auto info, posix::file_info(path, false));
    if (info.directory) TRY_OK(copy_tree(path, to + "/" + name, stop));
    if (info.regular) TRY_OK(copy_file(path, to + "/" + name));
  }
  return {};
}

base::Result<std::string> take_snapshot(etcd::EtcdApi& from, const std::string& path,
                                        const std::stop_token& stop) {
  TRY(const auto status, from.status(kStatus));
  const auto all = static_cast<std::uint64_t>(std::max<std::int64_t>(0, status.db_size));
  TRY(auto file, posix::FileWriter::create(path));
  SnapshotCheck check;
  base::Status wrote;
  const auto sink = [&](std::string_view bytes) {
    check.update(bytes);
    wrote = file.append(bytes);
    return wrote.has_value() && !stop.stop_requested();
  };
  const auto streamed = from.snapshot(sink, limit_for(kSnapshot, all));
  TRY_OK(wrote);
  TRY_OK(streamed);
  if (!check.holds())
    return base::fail(base::Code::kDataLoss, "the snapshot's own check sum does not hold");
  TRY_OK(file.finish());
  return fmt::format("revision {} at least, by raft index {} of term {}", status.revision,
                     status.raft_applied, status.raft_term);
}

// Not the lowest that are free: who else looks for some then takes those.
base::Result<std::vector<posix::Port>> ports_for(const ExportRequest& request) {
  constexpr posix::PortRange all{};
  const auto from = all.first + base::crc32c(request.copy) % (all.last - all.first - 1U);
  auto ports = posix::pick_free_ports({static_cast<posix::Port>(from), all.last}, 2, {});
  return ports ? ports : posix::pick_free_ports(all, 2, {});
}

// The copy is brought up alone, so that what is only in the log is in the snapshot too.
base::Result<std::string> from_copy(const ExportRequest& request, const live::Connect& connect,
                                    const std::stop_token& stop) {
  TRY(const auto owner, owner_of_log(request.copy + "/member/wal"));
  TRY(const auto ports, ports_for(request));
  const auto peer = fmt::format("http://127.0.0.1:{}", ports[0]);
  const auto client = fmt::format("http://127.0.0.1:{}", ports[1]);
  const posix::Launch launch{
      {request.etcd, "--data-dir=" + request.copy, "--name=" + request.name,
       "--initial-cluster=" + request.name + "=" + peer, "--force-new-cluster",
       "--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
       "--listen-client-urls=" + client, "--advertise-client-urls=" + client},
      {},
      "/"};
  const std::uint64_t all = bytes_below(request.copy);
  base::Result<posix::RunResult> ended = base::fail(base::Code::kInternal, "it still runs");
  base::Result<std::string> taken = base::fail(base::Code::kInternal, "nothing was taken");
  std::atomic<bool> gone = false;
  {
    const std::jthread etcd([&](const std::stop_token& asked) {
      ended = posix::run(launch, {limit_for(kReady, all) + limit_for(kSnapshot, all)}, asked);
      gone = true;
    });
    const auto api = connect(client, {});
    const auto up = comes_up(*api, owner, all, gone, stop);
    taken = up ? take_snapshot(*api, request.snapshot, stop) : std::unexpected(up.error());
  }
  if (taken || !ended || ended->err.empty()) return taken;
  const std::string& said = ended->err;
  if (const auto damage = damage_in(said); !damage.empty())
    return base::fail(base::Code::kDataLoss, "etcd finds a copy of the data damaged: " + damage);
  return std::unexpected(
      taken.error().in("etcd on a copy of the data ended: " +
                       said.substr(said.size() - std::min(kWords, said.size()))));
}

}  // namespace

base::Status comes_up(etcd::EtcdApi& api, const LogOwner& copy, std::uint64_t bytes,
                      const std::atomic<bool>& ended, const std::stop_token& stop) {
  const auto until = posix::deadline_in(limit_for(kReady, bytes));
  while (posix::deadline_in({}) < until && !stop.stop_requested()) {
    if (ended) return base::fail(base::Code::kUnavailable, "the copy did not come up");
    const auto status = api.status(kStatus);
    if (status && LogOwner{status->id, status->cluster_id} != copy)
      return base::fail(base::Code::kUnavailable,
                        fmt::format("on the port for the copy another etcd answers, the member {} "
                                    "of the cluster {}",
                                    base::to_text(status->id), base::to_text(status->cluster_id)));
    if (status && status->leader) return {};
    (void)posix::poll_until({}, posix::deadline_in(base::Duration{50}), stop);
  }
  return base::fail(base::Code::kDeadlineExceeded, "the copy did not come up");
}

base::Result<std::string> export_data(const ExportRequest& request, const live::Connect& connect,
                                      base::Logger& log, const std::stop_token& stop) {
  if (posix::exists(request.snapshot) == base::Fact<bool>(true))
    return std::string("it is there already");
  TRY_OK(posix::remove_tree(request.copy));  // of a life before
  TRY_IN("copy the data", const auto any, posix::list_dir(request.data + "/member"));
  TRY_OK(copy_tree(request.data, request.copy, stop));
  TRY(const auto floor, floor_of(request.data.substr(0, request.data.rfind('/')) + "/marker", 0));
  TRY(const auto last, commit_whole_log(request.copy + "/member/wal", floor));
  log.info("survivor_log", {{"member", request.name}, {"index", std::to_string(last)}});
  auto bound = from_copy(request, connect, stop);
  (void)posix::remove_tree(request.copy);
  return bound;
}

}  // namespace host
