// Any bytes as a manifest: never a crash, never an object beside an error, and whatever is accepted
// can be used.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "api/manifest.h"
#include "api/validate.h"
#include "render/etcd_args.h"

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void check(const api::Document& document) {
  size_t errors = 0;
  for (const auto& problem : document.problems)
    if (problem.severity == api::Severity::kError) ++errors;
  require(document.ok() == (errors == 0), "an object is given if and only if there is no error");
  const auto* cluster = document.cluster();
  if (cluster == nullptr) return;
  require(document.key == cluster->key, "a cluster's document has its key");
  require(cluster->spec.size >= 1 && cluster->spec.size <= 9, "the size is in its range");
  require(api::validate_update(*cluster, *cluster).empty(), "no change is always allowed");
  const auto args = render::etcd_args(cluster->spec, cluster->spec.version, {}, {});
  require(args.has_value(), "an accepted spec can be rendered");
  require(render::options_left_out(cluster->spec, cluster->spec.version).empty(),
          "an accepted option exists in the version of the spec");
}

void check(std::string_view bytes, std::string_view name) {
  const auto manifest = api::parse_manifest(bytes, name, api::Platform::kHost);
  require(!manifest.error || manifest.documents.empty(), "an error of the whole leaves nothing");
  for (const auto& document : manifest.documents) check(document);
  require(manifest.ok() == manifest.lines(api::Severity::kError).empty(),
          "every refusal has a message");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes, "f.yaml");
  check(bytes, "f.json");
  return 0;
}
