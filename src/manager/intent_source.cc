#include "manager/intent_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/validate.h"
#include "api/yaml.h"
#include "base/text.h"
#include "json/json.h"

namespace manager {
namespace {

using plan::Wish;

// The part of the file that is this document alone; the whole file if that part does not say the
// same by itself (lists, several objects in one document).
std::string text_of(const api::Manifest& manifest, const api::Document& document,
                    std::string_view bytes, api::Platform platform) {
  int next = 0;  // the line of the document behind this one
  for (const auto& other : manifest.documents)
    if (other.line > document.line && (next == 0 || other.line < next)) next = other.line;
  std::string part;
  int line = 1;
  for (const auto text : base::split(bytes, '\n')) {
    if (line >= document.line && (next == 0 || line < next)) (part += text) += '\n';
    ++line;
  }
  const auto again = api::parse_manifest(part, manifest.file, platform);
  const bool alone = again.ok() && again.documents.size() == 1 && again.documents[0].ok() &&
                     again.documents[0].key == document.key;
  return alone ? part : std::string(bytes);
}

const api::Document* cluster_document(const api::Manifest& manifest, const base::ClusterKey& key) {
  for (const auto& document : manifest.documents)
    if (document.cluster() != nullptr && document.cluster()->key == key) return &document;
  return nullptr;
}

// Of the spec alone, as values: comments, order of documents and white space do not count.
std::string spec_crc_of(const std::string& text, const base::ClusterKey& key) {
  const auto documents = api::read_yaml(text);
  if (!documents) return base::to_hex(base::crc32c(text));
  for (const auto& document : *documents) {
    if (!document.value) continue;
    const auto* name = document.value->at("metadata.name");
    const auto* spec = document.value->find("spec");
    if (spec == nullptr || name == nullptr || name->if_string() == nullptr) continue;
    if (*name->if_string() == key.name) return base::to_hex(base::crc32c(json::print(*spec)));
  }
  return base::to_hex(base::crc32c(text));
}

std::string errors_of(const api::Document& document) {
  std::vector<std::string> texts;
  for (const auto& problem : document.problems)
    if (problem.severity == api::Severity::kError) texts.push_back(problem.text());
  return base::join(texts, "; ");
}

// Why this edit may not replace what is in force; empty: it may. What it does not do is a warning.
std::string refusal_of(const Wanted& wanted, const api::Cluster& next,
                       std::vector<std::string>& warnings) {
  if (!wanted.cluster) return {};
  api::Cluster before = *wanted.cluster;
  // Its object was deleted: the kept data may go on under the other group.
  if (wanted.wish == Wish::kDeleted || wanted.good.deleted) before.group = next.group;
  std::vector<std::string> errors;
  for (const auto& problem : api::validate_update(before, next))
    (problem.severity == api::Severity::kError ? errors : warnings).push_back(problem.text());
  return base::join(errors, "; ");
}

bool is_cluster_claim(const api::Document& document) {
  return document.key &&
         (document.cluster() != nullptr || (!document.ok() && document.kind == "EtcdCluster"));
}

}  // namespace

bool is_manifest_name(std::string_view name) {
  if (name.empty() || name.front() == '.') return false;
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  const auto extension = name.substr(dot);
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

bool same(const Wanted& a, const Wanted& b) {
  return a.good == b.good && a.cluster.has_value() == b.cluster.has_value() && a.wish == b.wish &&
         a.problem == b.problem && a.conflict == b.conflict && a.warnings == b.warnings;
}

void IntentSource::adopt(const base::ClusterKey& key, SavedIntent saved) {
  Wanted wanted;
  const auto manifest = api::parse_manifest(saved.text, saved.file, options_.platform);
  if (const auto* document = cluster_document(manifest, key)) {
    wanted.cluster = *document->cluster();
    wanted.cluster->generation = saved.generation;
  } else {
    wanted.problem = "the last good manifest cannot be read any more";
  }
  wanted.wish = saved.deleted ? Wish::kDeleted : Wish::kStale;
  wanted.good = std::move(saved);
  wanted_.insert_or_assign(key, std::move(wanted));
}

void IntentSource::read(const FolderLook& look) {
  std::set<std::string> names;
  for (const auto& file : look.files) {
    names.insert(file.name);
    File& known = files_[file.name];
    known.open_to_others = file.open_to_others;
    if (!file.bytes) continue;
    known.unread = false;
    if (!*file.bytes) {
      known.problem = file.bytes->error().message;
      continue;
    }
    const std::string& bytes = **file.bytes;
    if (base::trim(bytes).empty()) {  // an editor cuts a file before it fills it
      known.problem = "is empty";
      continue;
    }
    known.problem.clear();
    known.manifest = api::parse_manifest(bytes, file.name, options_.platform);
    known.bytes = bytes;
    if (known.manifest.error) known.problem = known.manifest.error->message;
  }
  std::erase_if(files_, [&](const auto& entry) { return !names.contains(entry.first); });
}

// A folder that loses everything at once was unmounted, moved or wiped: that is not a person who
// deletes clusters. A last manifest may go if something else stays to prove that the folder is
// there.
void IntentSource::watch_for_emptiness(const FolderLook& look, base::Tick now) {
  // Looks may be far apart: what the one before saw was there until this one.
  if (std::max(look.files.size(), std::exchange(manifests_before_, look.files.size())) >= 2)
    last_crowded_ = now;
  if (!look.files.empty()) {
    emptied_ = false;
    return;
  }
  const bool crowded = last_crowded_ && now - *last_crowded_ <= options_.grace;
  if (!looked_ || crowded || look.other_entries == 0) emptied_ = true;
}

void IntentSource::collect_secret(const std::string& name, const File& file,
                                  const api::Document& document) {
  const auto* secret = std::get_if<api::Secret>(&document.object);
  if (secret == nullptr) return;
  if (file.open_to_others)
    problems_.push_back(fmt::format("{}: Secret {} is refused: others can read the file: chmod 600",
                                    name, secret->key.text()));
  else
    secrets_.insert_or_assign(secret->key, *secret);
}

IntentSource::Claims IntentSource::collect() {
  Claims claims;
  secrets_.clear();
  problems_.clear();
  for (const auto& [name, file] : files_) {
    if (!file.problem.empty()) problems_.push_back(name + ": " + file.problem);
    for (const auto& document : file.manifest.documents) {
      collect_secret(name, file, document);
      if (is_cluster_claim(document))
        claims[*document.key].push_back({&name, &file, &document});
      else if (!document.ok())
        problems_.push_back(fmt::format("{}:{}: {}", name, document.line, errors_of(document)));
    }
  }
  return claims;
}

std::string IntentSource::file_problem(const std::string& name) const {
  const auto at = files_.find(name);
  if (at == files_.end()) return {};
  if (!at->second.problem.empty()) return name + ": " + at->second.problem;
  for (const auto& document : at->second.manifest.documents)
    if (!document.ok() && !document.key)
      return fmt::format("{}:{}: {}", name, document.line, errors_of(document));
  return {};
}

void IntentSource::accept(Wanted& wanted, const Claim& claim) const {
  const api::Cluster& cluster = *claim.document->cluster();
  auto text =
      text_of(claim.content->manifest, *claim.document, claim.content->bytes, options_.platform);
  const auto crc = spec_crc_of(text, cluster.key);
  if (crc != wanted.good.spec_crc || wanted.good.generation == 0) ++wanted.good.generation;
  wanted.good.spec_crc = crc;
  wanted.good.file = *claim.file;
  wanted.good.text = std::move(text);
  wanted.good.deleted = false;
  wanted.cluster = cluster;
  wanted.cluster->generation = wanted.good.generation;
}

void IntentSource::vanish(Wanted& wanted, base::Tick now) const {
  if (wanted.wish == Wish::kDeleted) return;
  if (emptied_) {
    wanted.wish = Wish::kStale;
    wanted.vanished_at.reset();
    wanted.problem = fmt::format(
        "{} lost all its manifests at once: unmounted or emptied? Nothing is deleted. If you meant "
        "it: put any other file there (touch {}/.keep), put the manifest back, and remove it again",
        options_.folder, options_.folder);
    return;
  }
  if (!wanted.vanished_at) wanted.vanished_at = now;
  if (now - *wanted.vanished_at >= options_.grace) {
    wanted.wish = Wish::kDeleted;
    wanted.good.deleted = true;
    wanted.problem.clear();
    return;
  }
  wanted.wish = Wish::kStale;
  wanted.problem = fmt::format(
      "its manifest is gone: unless it comes back within {}, the members "
      "stop and the data is kept",
      base::to_text(options_.grace));
}

void IntentSource::settle(const base::ClusterKey& key, Wanted& wanted,
                          const std::vector<Claim>& claims, base::Tick now) {
  wanted.conflict.clear();
  wanted.warnings.clear();
  const auto in_file = [&](const Claim& c) { return *c.file == wanted.good.file; };
  const auto own = files_.find(wanted.good.file);
  if (own != files_.end() && own->second.unread) {
    // Neither declared nor gone, and what was once deleted may be declared again.
    wanted.vanished_at.reset();
    wanted.wish = Wish::kStale;
    wanted.problem = wanted.good.file + " was written a moment ago and is not read yet";
    return;
  }
  if (std::ranges::none_of(claims, in_file)) {
    // Its file is there and cannot be read as a whole: it may still declare the cluster.
    const auto held = wanted.wish == Wish::kDeleted ? "" : file_problem(wanted.good.file);
    if (!held.empty()) {
      wanted.vanished_at.reset();
      wanted.wish = Wish::kPresent;
      wanted.problem = held;
      if (!claims.empty())
        wanted.conflict = fmt::format(
            "{}:{} declares {} too and is ignored until {} is mended or "
            "removed",
            *claims[0].file, claims[0].document->line, key.text(), wanted.good.file);
      return;
    }
    if (claims.empty()) return vanish(wanted, now);
  }
  wanted.vanished_at.reset();
  const auto holds = [&](const Claim& c) {
    return in_file(c) && c.document->cluster() != nullptr &&
           (!wanted.cluster || c.document->cluster()->group == wanted.cluster->group);
  };
  auto owner = std::ranges::find_if(claims, holds);
  if (owner == claims.end()) owner = std::ranges::find_if(claims, in_file);
  if (owner == claims.end()) owner = claims.begin();
  for (const auto& claim : claims)
    if (claim.document != owner->document)
      wanted.conflict =
          fmt::format("{}:{} declares {} too and is ignored; {}:{} holds the name", *claim.file,
                      claim.document->line, key.text(), *owner->file, owner->document->line);
  wanted.wish = Wish::kPresent;
  if (!owner->content->problem.empty()) {  // the newest text was not even read
    wanted.problem = *owner->file + ": " + owner->content->problem;
    return;
  }
  if (owner->document->cluster() == nullptr) {
    wanted.problem =
        fmt::format("{}:{}: {}", *owner->file, owner->document->line, errors_of(*owner->document));
    return;
  }
  wanted.problem.clear();
  for (const auto& problem : owner->document->problems)
    if (problem.severity == api::Severity::kWarning) wanted.warnings.push_back(problem.text());
  wanted.problem = refusal_of(wanted, *owner->document->cluster(), wanted.warnings);
  if (!wanted.problem.empty()) {
    wanted.problem = fmt::format("{}:{}: {}", *owner->file, owner->document->line, wanted.problem);
    if (wanted.good.deleted) wanted.wish = Wish::kDeleted;  // a refused edit brings nothing back
    return;
  }
  accept(wanted, *owner);
}

std::set<base::ClusterKey> IntentSource::take(const base::Result<FolderLook>& look,
                                              base::Tick now) {
  std::map<base::ClusterKey, Wanted> before = wanted_;
  if (!look) {
    for (auto& [key, wanted] : wanted_) {
      // A deletion of an earlier life is not gone on with before the folder was seen once.
      if (wanted.wish == Wish::kDeleted && looked_) continue;
      wanted.wish = Wish::kStale;
      wanted.vanished_at.reset();
      wanted.problem = fmt::format("cannot read {}: {}", options_.folder, look.error().message);
    }
  } else {
    read(*look);
    watch_for_emptiness(*look, now);
    looked_ = true;
    const auto claims = collect();
    for (const auto& [key, list] : claims) wanted_.try_emplace(key);
    static const std::vector<Claim> kNone;
    for (auto& [key, wanted] : wanted_) {
      const auto at = claims.find(key);
      settle(key, wanted, at == claims.end() ? kNone : at->second, now);
    }
    // Never good and no longer claimed: only an error message was left of it.
    std::erase_if(wanted_, [&](const auto& entry) {
      return !entry.second.cluster && entry.second.good.file.empty() &&
             !claims.contains(entry.first);
    });
  }
  std::set<base::ClusterKey> changed;
  for (const auto& [key, wanted] : wanted_) {
    const auto at = before.find(key);
    if (at == before.end() || !same(at->second, wanted)) changed.insert(key);
  }
  for (const auto& [key, wanted] : before)
    if (!wanted_.contains(key)) changed.insert(key);
  return changed;
}

base::Fact<api::Secret> IntentSource::secret(const base::ClusterKey& key) const {
  const auto at = secrets_.find(key);
  if (at != secrets_.end()) return at->second;
  if (!looked_) return base::Fact<api::Secret>::unknown("the manifests are not read yet");
  return base::Fact<api::Secret>::absent();
}

std::optional<base::Tick> IntentSource::next_deadline() const {
  std::optional<base::Tick> next;
  for (const auto& [key, wanted] : wanted_)
    if (wanted.vanished_at && wanted.wish != Wish::kDeleted) {
      const auto due = *wanted.vanished_at + options_.grace;
      if (!next || due < *next) next = due;
    }
  return next;
}

void IntentSource::forget(const base::ClusterKey& key) {
  wanted_.erase(key);
}

}  // namespace manager
