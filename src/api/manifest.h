// A manifest file to the objects that it declares: YAML (several documents) or JSON, both API
// groups. Pure; any bytes are fine as input.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/objects.h"
#include "api/problem.h"
#include "api/support.h"
#include "base/result.h"

namespace api {

struct Document {
  int line = 1;      // of the file, where it begins
  std::string kind;  // as written; empty if not even that could be read
  // Whose last good declaration stays in force if this one is wrong; none if it could not be read.
  std::optional<base::ClusterKey> key;
  // monostate: there are errors. Otherwise defaulted and valid, perhaps with warnings.
  std::variant<std::monostate, Cluster, Secret, BackupRequest, RestoreRequest> object;
  std::vector<Problem> problems;

  [[nodiscard]] bool ok() const { return !std::holds_alternative<std::monostate>(object); }
  [[nodiscard]] const Cluster* cluster() const { return std::get_if<Cluster>(&object); }
};

struct Manifest {
  std::string file;
  // The whole file could not be read (too long, not text, torn); then there are no documents.
  std::optional<base::Error> error;
  std::vector<Document> documents;  // in the order of the file; a bad one hides no good one

  [[nodiscard]] bool ok() const;
  // "prod.yaml:14: EtcdCluster default/a: spec.size: 11 is not allowed: 1 to 9", one a problem.
  [[nodiscard]] std::vector<std::string> lines(Severity severity) const;
};

// `file` is for messages and tells JSON (".json") from YAML.
Manifest parse_manifest(std::string_view bytes, std::string_view file, Platform platform);

}  // namespace api
