// What each command does. Each gives the exit code of the process and prints for itself.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "bin/command_line.h"
#include "json/value.h"

namespace bin {

int run_operator(const RunFlags& flags);
int cluster_command(const ClusterFlags& flags);
int plan_files(const ClusterFlags& flags);  // plan -f FILE without --state
// plan with --state, and no operator there: what one would do first.
int plan_offline(const ClusterFlags& flags, const std::string& state_dir,
                 const std::optional<base::ClusterKey>& key, const std::stop_token& stop);
int validate(const ValidateFlags& flags);
int fetch(const FetchFlags& flags);
int print_version(const VersionFlags& flags);
int print_install(const InstallFlags& flags);
int snapshot_status(const SnapshotFlags& flags);
int archive_command(const ArchiveFlags& flags);
int archive_job(const ArchiveFlags& flags);  // run, fetch, drill and follow
int export_survivor(const ExportFlags& flags);
int write_reference(const ReferenceFlags& flags);

// "<program>: <message>" to stderr; the exit code that fits.
int report(const base::Error& error, const char* program = "etcd-operator");
void print_text(const std::string& text);
// JSON or YAML. Precondition: not text.
void print_value(const json::Value& value, Output output);

// How an answer {operator, items, problems} is shown to a person.
struct TextView {
  base::Instant now{};
  std::string state_dir;
  bool color = false;
  bool details = false;  // however many there are
};
std::string status_text(const json::Value& answer, const TextView& view);
// The same as one refresh of a terminal.
std::string live_frame(const json::Value& answer, base::Instant now, const std::string& state_dir);

// The content of a file, or of standard input for "-".
base::Result<std::string> read_input(const std::string& file);

}  // namespace bin
