#include "adm/restore_work.h"

#include <algorithm>

#include "posix/files.h"

namespace adm {
namespace {

constexpr std::string_view kMid = ".part-", kHex = "0123456789abcdef";
constexpr size_t kDigits = 16, kLimit = size_t{1} << 13;
constexpr const char* kNote = "etcdadm-restore";
constexpr const char* kData = "data";

std::string note_text(const std::string& work, const std::string& folder) {
  return "etcdadm snapshot restore builds " + folder + " in " + work + " and removes this folder\n";
}

// A folder without a note that can be believed may be anybody's.
base::Result<bool> is_left(const std::string& work, const std::string& folder) {
  TRY(const auto info, posix::file_info(work, false));
  if (!info.directory || info.symlink) return false;
  TRY(const auto names, posix::list_dir(work));
  if (!std::ranges::all_of(names, [](const auto& n) { return n == kNote || n == kData; }))
    return false;
  const std::string note = work + "/" + kNote;
  const auto text = posix::read_file(note, kLimit);
  if (!text || *text != note_text(work, folder)) return false;
  return posix::is_locked(note) == base::Fact<bool>(false);
}

}  // namespace

std::string work_folder(const std::string& folder, const std::string& random) {
  return folder + std::string(kMid) + random;
}

std::string data_in_work(const std::string& work) {
  return work + "/" + kData;
}

base::Result<posix::FileLock> begin_work(const std::string& work, const std::string& folder) {
  const std::string note = work + "/" + kNote;
  TRY_OK(posix::make_dirs(work));
  // The text comes into the file that is locked: a note that can be believed has its lock.
  TRY(auto lock, posix::FileLock::try_lock(note));
  TRY_OK(posix::write_in_place(note, note_text(work, folder)));
  return lock;
}

base::Result<std::vector<std::string>> sweep_work(const std::string& folder) {
  const auto slash = folder.rfind('/');
  const std::string parent = slash == 0 ? "/" : folder.substr(0, slash);
  const std::string stem = folder.substr(slash + 1) + std::string(kMid);
  const auto names = posix::list_dir(parent);
  if (!names && names.error().code == base::Code::kNotFound) return std::vector<std::string>();
  if (!names) return std::unexpected(names.error());
  std::vector<std::string> removed;
  for (const auto& name : *names) {
    if (!name.starts_with(stem) || name.size() != stem.size() + kDigits ||
        name.find_first_not_of(kHex, stem.size()) != std::string::npos)
      continue;
    const std::string work = slash == 0 ? "/" + name : parent + "/" + name;
    const auto left = is_left(work, folder);
    if (!left || !*left) continue;
    TRY_OK(posix::remove_tree(work));
    removed.push_back(work);
  }
  return removed;
}

}  // namespace adm
