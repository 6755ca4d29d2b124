// `crds` and `install-manifest`: what is applied to a Kubernetes cluster before the operator runs.
#include "render/install.h"

#include "api/yaml_text.h"
#include "bin/commands.h"
#include "posix/files.h"
#include "render/crds.h"

namespace bin {
namespace {

int print_crds(const std::string& folder) {
  std::vector<json::Value> all;
  for (auto& [name, crd] : render::crds()) all.push_back(std::move(crd));
  if (folder.empty()) {
    print_text(api::to_yaml(all));
    return kDone;
  }
  if (const auto made = posix::make_dirs(folder, 0755); !made) return report(made.error());
  for (const auto& [name, crd] : render::crds()) {
    const auto text = render::kGeneratedCrd + api::to_yaml(crd);
    if (const auto written = posix::write_atomic(folder + "/" + name, text, 0644); !written)
      return report(written.error());
  }
  return kDone;
}

}  // namespace

int print_install(const InstallFlags& flags) {
  if (flags.crds) return print_crds(flags.folder);
  render::InstallOptions options;
  options.name_space = flags.name_space;
  options.image = flags.image.empty() ? "etcd-operator:" EO_VERSION : flags.image;
  options.version = EO_VERSION;
  options.one_namespace = flags.one_namespace;
  print_text(api::to_yaml(render::install_objects(options)));
  return kDone;
}

}  // namespace bin
