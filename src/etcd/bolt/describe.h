// What is known of a snapshot, for programs and for people.
#pragma once

#include <string>

#include "etcd/bolt/verify.h"
#include "json/value.h"

namespace bolt {

// Ids are hex texts, as etcdctl writes them; what a version does not store is absent.
json::Value to_json(const SnapshotFacts& facts);
// Lines, each with its end.
std::string to_text(const SnapshotFacts& facts);

}  // namespace bolt
