#include "manager/manifest_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace manager {
namespace {

constexpr size_t kFileBytes = size_t{1} << 20;
constexpr size_t kFiles = 10'000;
// A file that was written within this time may be half of what is meant: YAML that is cut often
// still parses.
constexpr base::Duration kSettle{100};
constexpr base::Duration kSettleLimit{600};
// Coarser than the time stamps of any file system that matters.
constexpr base::Duration kYoung{2'000};

}  // namespace

bool ManifestFolder::settled(const std::string& name, base::Instant modified, base::Instant now) {
  const auto age = now - modified;
  if (age < base::Duration{0} || age >= kSettle) return true;
  const auto since = unsettled_since_.try_emplace(name, now).first->second;
  return now - since >= kSettleLimit;
}

FolderFile ManifestFolder::look_at(const std::string& name, base::Instant now, Result& result) {
  FolderFile out{name, std::nullopt, false};
  const auto path = path_ + "/" + name;
  const auto info = posix::file_info(path);
  Stamp& stamp = seen_[name];
  if (!info || !info->regular) {
    out.bytes =
        base::fail(base::Code::kUnavailable, info ? "is not a regular file" : info.error().message);
    result.changed = result.changed || !stamp.failed;
    stamp = {};
    stamp.failed = true;
    return out;
  }
  out.open_to_others = (info->mode & 0044U) != 0;
  const bool same = !stamp.failed && stamp.inode == info->inode && stamp.size == info->size &&
                    stamp.modified == info->modified && stamp.mode == info->mode;
  if (same && !stamp.young) return out;
  if (!settled(name, info->modified, now)) {
    result.unsettled = true;
    return out;
  }
  unsettled_since_.erase(name);
  out.bytes = posix::read_file(path, kFileBytes);
  result.changed = result.changed || !same || !*out.bytes;
  stamp = {info->inode, info->size, info->modified, info->mode, now - info->modified < kYoung,
           !*out.bytes};
  // Unchanged but for its youth: read again all the same, and taken if it differs.
  if (same) result.changed = true;
  return out;
}

ManifestFolder::Result ManifestFolder::look(base::Instant now) {
  Result result{FolderLook{}, false, false};
  auto names = posix::list_dir(path_);
  if (names && names->size() > kFiles)
    names = base::fail(base::Code::kResourceExhausted,
                       fmt::format("holds {} entries, at most {} are read", names->size(), kFiles));
  if (!names) {
    result.changed = std::exchange(last_error_, names.error().message) != names.error().message;
    result.look = std::unexpected(names.error());
    return result;
  }
  result.changed = !std::exchange(last_error_, "").empty();
  size_t manifests = 0;
  for (const auto& name : *names) {
    if (!is_manifest_name(name)) {
      ++result.look->other_entries;
      continue;
    }
    ++manifests;
    result.look->files.push_back(look_at(name, now, result));
  }
  if (seen_.size() > manifests) {
    std::erase_if(
        seen_, [&](const auto& entry) { return !std::ranges::binary_search(*names, entry.first); });
    result.changed = true;
  }
  result.changed = result.changed || others_ != result.look->other_entries;
  others_ = result.look->other_entries;
  return result;
}

}  // namespace manager
