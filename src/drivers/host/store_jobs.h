// Jobs that work with a store of backups: children that outlive us, started with a file that says
// what to do and seen by the lock that they hold and the file that they leave.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "api/objects.h"
#include "base/fact.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/host/layout.h"
#include "drivers/host/platform.h"

namespace host {

struct JobFiles {
  std::string dir, job, epoch, report, process, lock, log;
  std::string secret;   // a directory: what is in it is the child's alone, and goes when it ended
  std::string scratch;  // a directory of its own
};
// `kind`: "backup", "fetch", "drill" or "follow". Of each a cluster has one at a time.
JobFiles job_files(const ClusterFiles& cluster, const std::string& kind);

struct JobState {
  int epoch = 0;  // 0: there was none
  bool running = false;
  std::string job, report;  // their text; no report: empty
};
base::Fact<JobState> look_at_job(const JobFiles& files);
// Secrets and scratch of a job that does not run.
base::Status clear_job(const JobFiles& files);

// What a child alone may read, by path.
using PrivateFiles = std::map<std::string, std::string>;
// The values of a Secret as files in `dir`.
base::Result<PrivateFiles> secret_files(const api::Secret& secret, const std::string& dir);
base::Status write_private(const PrivateFiles& files);

// The folder of a cluster that names no other place, for a backup.
base::Status make_backups_folder(const Layout& layout, const base::ClusterKey& key);
// The same for who looks for backups, but only where it was never made: what was there once and is
// not is away (not mounted), and says nothing of what it holds.
base::Status make_first_backups_folder(const Layout& layout, const base::ClusterKey& key);

struct JobLaunch {
  std::string program;  // absolute
  std::string verb;     // "run", "fetch", "drill", "follow"
  int epoch = 0;
  std::string job;  // its text
};
// FailedPrecondition: one runs.
base::Status start_job(const JobLaunch& what, const JobFiles& files);
// Whatever runs there has ended.
base::Status end_job(const JobFiles& files, base::Duration deadline, const std::stop_token& stop);

}  // namespace host
