// Oracles over a real cluster. They share no code with the planner.
#pragma once

#include <string>

#include "e2e/host/sandbox.h"
#include "e2e/host/writer.h"

namespace e2e {

// Reads back from each member, from its own copy, every acknowledged key with its revision, and
// compares HashKV of all members at one revision. Reports by EXPECT. Keys above `bound` (0: none)
// may be missing: the stated loss of a recovery.
void expect_nothing_lost(const Sandbox& sandbox, const std::string& cluster, const Written& written,
                         std::int64_t bound = 0);

// A client without a certificate and a client in plain text get nowhere.
void expect_only_tls(const Sandbox& sandbox, const std::string& cluster);

// At most one etcd process for each member of this sandbox.
void expect_one_process_each(const Sandbox& sandbox);

std::vector<etcd::Member> listed(const Sandbox& sandbox, const std::string& cluster);

}  // namespace e2e
