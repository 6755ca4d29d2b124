// Where `snapshot restore` builds a folder until it gets its name: DIR.part-<16 hex digits> beside
// it, with a note of ours that says for what it was made. While the run lives it holds the note's
// lock, so what a killed one left is known from what is being built.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "posix/lock.h"

namespace adm {

std::string work_folder(const std::string& folder, const std::string& random);
std::string data_in_work(const std::string& work);
// Makes it, with the note; it is this run's as long as the lock lives.
base::Result<posix::FileLock> begin_work(const std::string& work, const std::string& folder);
// Removes what killed runs left beside `folder`, and says what. One without our note, of another
// folder, with anything else in it, or whose lock is held or cannot be judged, stays.
base::Result<std::vector<std::string>> sweep_work(const std::string& folder);

}  // namespace adm
