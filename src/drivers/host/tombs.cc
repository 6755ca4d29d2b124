#include "drivers/host/tombs.h"

#include <algorithm>
#include <string_view>

#include "engine/record_codec.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr size_t kRecordLimit = size_t{16} << 20;
constexpr std::string_view kTomb = ".deleted-";
constexpr int kMostTombs = 1000;

base::Result<std::vector<std::string>> names_in(const std::string& dir) {
  auto names = posix::list_dir(dir);
  if (!names && names.error().code == base::Code::kNotFound) return std::vector<std::string>{};
  return names;
}

// The record goes last: as long as anything else is there, it says why.
base::Status remove_tomb(const std::string& dir) {
  TRY(const auto names, names_in(dir));
  for (const auto& name : names)
    if (name != "record") TRY_OK(posix::remove_tree(dir + "/" + name));
  return posix::remove_tree(dir);
}

bool is_wanted(const std::string& dir) {
  const auto names = posix::list_dir(dir);
  if (!names) return false;
  const auto holds_data = [](const std::string& name) {
    return name == "members" || name == "retained" || name == "recovery";
  };
  if (std::ranges::none_of(*names, holds_data)) return true;
  const auto bytes = posix::read_file(dir + "/record", kRecordLimit);
  if (!bytes) return false;
  const auto record = engine::decode_record(*bytes);
  return record && record->operation && record->operation->kind == plan::OperationKind::kDelete;
}

}  // namespace

base::Result<std::vector<base::ClusterKey>> list_clusters(const Layout& layout) {
  std::vector<base::ClusterKey> keys;
  TRY(const auto spaces, names_in(layout.clusters()));
  for (const auto& ns : spaces) {
    TRY(const auto names, posix::list_dir(layout.clusters() + "/" + ns));
    for (const auto& name : names)
      if (!name.starts_with('.')) keys.push_back({ns, name});
  }
  return keys;
}

bool is_rest(const plan::Record& record) {
  return record.formation == plan::Formation::kNone && record.members.empty() && record.operation &&
         record.operation->kind == plan::OperationKind::kDelete;
}

plan::Record rest_of(const plan::Record& record) {
  plan::Record rest;
  rest.key = record.key;
  rest.old_tokens = record.old_tokens;
  if (!record.token.empty()) rest.old_tokens.insert(record.token);
  rest.next_ordinal = record.next_ordinal;
  rest.operation = record.operation;
  return rest;
}

base::Status save_rest(const Layout& layout, const plan::Record& rest) {
  TRY_OK(posix::make_dirs(layout.clusters() + "/" + rest.key.ns));
  return posix::write_atomic(layout.ended(rest.key), engine::encode_record(rest));
}

base::Result<plan::Record> load_rest(const Layout& layout, const base::ClusterKey& key) {
  const auto file = layout.ended(key);
  TRY(const auto bytes, posix::read_file(file, kRecordLimit));
  TRY_IN(file, auto rest, engine::decode_record(bytes));
  if (rest.key != key)
    return base::fail(base::Code::kDataLoss, file + " is of cluster " + rest.key.text());
  return rest;
}

base::Status bury(const Layout& layout, const base::ClusterKey& key) {
  const std::string dir = layout.cluster(key).dir;
  if (posix::exists(dir) == base::Fact<bool>(false)) return {};
  for (int i = 1; i <= kMostTombs; ++i) {
    const std::string tomb = layout.tomb(key, i);
    if (posix::exists(tomb) == base::Fact<bool>(false)) return posix::rename(dir, tomb);
  }
  return base::fail(base::Code::kResourceExhausted,
                    "too many deleted folders that cannot be removed beside " + dir);
}

base::Status remove_buried(const Layout& layout, const std::string& ns, base::Logger& log) {
  const std::string space = layout.clusters() + "/" + ns;
  TRY(const auto names, names_in(space));
  for (const auto& name : names) {
    if (!name.starts_with(kTomb)) continue;
    const std::string tomb = space + "/" + name;
    if (!is_wanted(tomb)) {
      log.warning("deleted_data_kept",
                  {{"folder", tomb}, {"why", "its record does not say that it was deleted"}});
      continue;
    }
    TRY_OK(remove_tomb(tomb));
    log.info("deleted_data_removed", {{"folder", tomb}});
  }
  return {};
}

void remove_all_buried(const Layout& layout, base::Logger& log) {
  const auto spaces = names_in(layout.clusters());
  for (size_t i = 0; spaces && i < spaces->size(); ++i)
    if (const auto removed = remove_buried(layout, (*spaces)[i], log); !removed)
      log.warning("deleted_data_not_removed",
                  {{"namespace", (*spaces)[i]}, {"why", removed.error().message}});
}

}  // namespace host
