// Figures of a running operator, for the bench and for the tests that print them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "e2e/host/sandbox.h"

namespace e2e {

double rss_mb(pid_t pid);       // resident now; MB are 10^6 bytes; -1: there is no such process
double cpu_seconds(pid_t pid);  // user and system so far

// The value that a share of them does not exceed (0.5: the median); -1 of none.
double percentile(std::vector<double> values, double share);

// Writes a new version of a one-member cluster's manifest, which changes nothing that members run
// with, and waits for the status that a pass over it published. Seconds from the write to that
// status, by the time stamps of the two files; -1: it did not come within half a minute.
double edit_reaction(const Sandbox& sandbox, const std::string& cluster,
                     const std::string& version);

}  // namespace e2e
