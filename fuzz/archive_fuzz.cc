// Any bytes as what lies beside backups, or as a job: no crash, a name that is read is spelled in
// one way, a manifest that is read is written and read again, and data never comes out longer than
// noted.
#include <cstdint>

#include "archive/job.h"
#include "archive/manifest.h"
#include "archive/names.h"
#include "archive/seal.h"
#include "fuzz/check.h"
#include "json/json.h"
#include "pki/digest.h"

namespace {

using fuzz::require;

const archive::Name& some_name() {
  static const auto name = *archive::Name::parse(
      "20261122T031500Z-8f3a9c02/full-00000000000000000012-20261122T031607Z-0123456789abcdef");
  return name;
}

void names(std::string_view text) {
  if (const auto name = archive::Name::parse(text)) require(name->text() == text, "one spelling");
  if (const auto part = archive::parse_part(text))
    require(part->name.text() + std::string(suffix_of(part->part)) == text, "one spelling");
}

// With the digest that a mutation cannot guess.
void manifest(std::string_view text) {
  auto value = json::parse(text, {.bytes = archive::kLargestManifest});
  if (!value || value->if_object() == nullptr) return;
  value->if_object()->erase("digest");
  (*value)["name"] = some_name().text();
  (*value)["digest"] = pki::to_hex(pki::sha256(json::print(*value)));
  const auto read = archive::parse_manifest(json::print(*value), some_name());
  if (!read) return;
  const auto again = archive::parse_manifest(archive::to_json(*read), some_name());
  require(again && *again == *read, "a manifest comes back");
}

void jobs(std::string_view text) {
  if (const auto job = archive::parse_run_job(text)) {
    const auto again = archive::parse_run_job(archive::to_json(*job));
    require(again && *again == *job, "a job comes back");
  }
  if (const auto job = archive::parse_fetch_job(text)) {
    const auto again = archive::parse_fetch_job(archive::to_json(*job));
    require(again && *again == *job, "a job comes back");
  }
  if (const auto report = archive::parse_run_report(text))
    require(archive::to_json(*report).size() <= 2048, "a report is short");
  if (const auto report = archive::parse_fetch_report(text))
    require(archive::to_json(*report).size() <= 2048, "a report is short");
  static_cast<void>(archive::parse_mark(text));
}

void data(std::string_view text) {
  archive::Manifest noted;
  noted.snapshot.size_bytes = 10'000;
  noted.data.size_bytes = text.size();
  std::size_t out = 0;
  const auto unsealer = archive::Unsealer::make(noted, nullptr, [&](std::string_view bytes) {
    out += bytes.size();
    return base::Status();
  });
  require(unsealer.has_value(), "an unsealer starts");
  if ((*unsealer)->write(text))
    require(!(*unsealer)->finish(), "a digest that is empty fits nothing");
  require(out <= 10'000, "no more comes out than was noted");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto text = fuzz::text_of(bytes, size);
  names(text);
  manifest(text);
  jobs(text);
  data(text);
  return 0;
}
