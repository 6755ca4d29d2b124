// Commands that need no state directory and no operator.
#include <fmt/format.h>

#include <cstdio>
#include <stop_token>

#include "api/manifest.h"
#include "bin/commands.h"
#include "drivers/host/binaries.h"
#include "manager/intent_source.h"
#include "posix/files.h"
#include "posix/signals.h"

namespace bin {
namespace {

// FILE may be a folder: then the manifests in it.
base::Result<std::vector<std::string>> files_of(const std::vector<std::string>& given) {
  std::vector<std::string> out;
  for (const auto& file : given) {
    const auto info = file == "-" ? base::Result<posix::FileInfo>() : posix::file_info(file);
    if (!info) return std::unexpected(info.error());
    if (!info->directory) {
      out.push_back(file);
      continue;
    }
    TRY(const auto names, posix::list_dir(file));
    for (const auto& name : names)
      if (manager::is_manifest_name(name)) out.push_back(file + "/" + name);
  }
  return out;
}

json::Value to_json(const api::Manifest& manifest) {
  json::Array documents;
  for (const auto& document : manifest.documents) {
    json::Array problems;
    for (const auto& p : document.problems)
      problems.push_back(
          json::Object{{"severity", p.severity == api::Severity::kError ? "error" : "warning"},
                       {"path", p.path},
                       {"message", p.message}});
    documents.push_back(json::Object{{"line", document.line},
                                     {"kind", document.kind},
                                     {"cluster", document.key ? document.key->text() : ""},
                                     {"valid", document.ok()},
                                     {"problems", std::move(problems)}});
  }
  json::Object out{{"file", manifest.file}, {"valid", manifest.ok()}};
  if (manifest.error) out["error"] = manifest.error->message;
  out["documents"] = std::move(documents);
  return out;
}

}  // namespace

int validate(const ValidateFlags& flags) {
  const auto platform =
      flags.platform == "host" ? api::Platform::kHost : api::Platform::kKubernetes;
  const auto files = files_of(flags.files);
  if (!files) return report(files.error());
  bool good = true;
  json::Array all;
  for (const auto& file : *files) {
    const auto text = read_input(file);
    if (!text) return report(text.error());
    const auto manifest =
        api::parse_manifest(*text, file == "-" ? "standard input" : file, platform);
    good = good && manifest.ok();
    if (flags.output != Output::kText) {
      all.push_back(to_json(manifest));
      continue;
    }
    for (const auto& line : manifest.lines(api::Severity::kError))
      print_text("error: " + line + "\n");
    for (const auto& line : manifest.lines(api::Severity::kWarning))
      print_text("warning: " + line + "\n");
    for (const auto& document : manifest.documents)
      if (document.ok())
        print_text(fmt::format("ok: {}:{}: {} {}\n", manifest.file, document.line, document.kind,
                               document.key ? document.key->text() : ""));
  }
  if (flags.output != Output::kText) print_value(all, flags.output);
  return good ? kDone : kBadInput;
}

int fetch(const FetchFlags& flags) {
  const auto version = api::parse_version(flags.version);
  if (!version) return report(version.error());
  const auto stop = posix::StopOnSignal::install();
  if (!stop) return report(stop.error());
  host::FetchOptions options{flags.etcd_dir, flags.release_url, flags.build};
  const auto programs = host::fetch_etcd(
      *version, options,
      [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); },
      (*stop)->source().get_token());
  if (!programs) return report(programs.error());
  print_text(programs->etcd + "\n");
  return kDone;
}

int print_version(const VersionFlags& flags) {
  if (flags.output == Output::kText)
    print_text("etcd-operator " EO_VERSION "\n");
  else
    print_value(json::Object{{"program", "etcd-operator"}, {"version", EO_VERSION}}, flags.output);
  return kDone;
}

}  // namespace bin
