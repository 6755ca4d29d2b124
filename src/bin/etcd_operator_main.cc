// etcd-operator: parses the command line and runs one command.
#include <malloc.h>

#include <cstdio>
#include <exception>
#include <type_traits>

#include "bin/commands.h"
#include "etcd/api.h"

namespace {

int dispatch(const bin::Command& command) {
  return std::visit(
      [](const auto& flags) {
        using T = std::decay_t<decltype(flags)>;
        if constexpr (std::is_same_v<T, bin::RunFlags>) return bin::run_operator(flags);
        if constexpr (std::is_same_v<T, bin::ClusterFlags>) return bin::cluster_command(flags);
        if constexpr (std::is_same_v<T, bin::ValidateFlags>) return bin::validate(flags);
        if constexpr (std::is_same_v<T, bin::FetchFlags>) return bin::fetch(flags);
        if constexpr (std::is_same_v<T, bin::VersionFlags>) return bin::print_version(flags);
        if constexpr (std::is_same_v<T, bin::InstallFlags>) return bin::print_install(flags);
        if constexpr (std::is_same_v<T, bin::SnapshotFlags>) return bin::snapshot_status(flags);
        if constexpr (std::is_same_v<T, bin::ArchiveFlags>) return bin::archive_command(flags);
        if constexpr (std::is_same_v<T, bin::ExportFlags>) return bin::export_survivor(flags);
        if constexpr (std::is_same_v<T, bin::ReferenceFlags>) return bin::write_reference(flags);
      },
      command);
}

}  // namespace

int main(int argc, char** argv) {
  // An arena a thread would multiply the memory that lies idle.
  mallopt(M_ARENA_MAX, 2);  // NOLINT(concurrency-mt-unsafe): there is only this thread yet
  try {
    const auto line = bin::parse_command_line(argc, argv);
    const int exit = line.command ? dispatch(*line.command) : line.exit;
    etcd::wait_for_closed_connections();
    return exit;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "etcd-operator: broken assumption: %s\n", error.what());
    return bin::kFailed;
  }
}
