// A cluster's backups for programs and for people.
#pragma once

#include <string>
#include <vector>

#include "archive/catalog.h"
#include "json/value.h"

namespace archive {

// Why each is kept, in the order of the entries, by what its incarnation's newest manifest says is
// to be kept. kNo: the next backup removes it.
std::vector<Kept> judge(const Catalog& catalog);

// An array of {name, revision, time, sizeBytes, verified, proven, keptBecause, incarnation}, and
// `why` where one is not verified.
json::Value to_json(const Catalog& catalog);
// A table; a line where there is none.
std::string to_text(const Catalog& catalog);

}  // namespace archive
