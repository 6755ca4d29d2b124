#include "manager/saved_intent.h"

#include <algorithm>
#include <utility>

#include "base/ids.h"
#include "base/text.h"
#include "json/json.h"

namespace manager {
namespace {

constexpr int kFormat = 1;

json::Value to_json(const std::optional<api::Restore>& wish) {
  if (!wish) return {};
  return json::Object{
      {"request", wish->request},
      {"askedAt", base::to_rfc3339(wish->asked_at)},
      {"askedBy", wish->asked_by},
      {"backup", wish->backup},
      {"toRevision", wish->to_revision},
      {"toTime", wish->to_time ? json::Value(base::to_rfc3339(*wish->to_time)) : json::Value()}};
}

base::Result<api::Restore> in_place_from(const json::Value& value) {
  api::Restore out;
  out.required = true;
  TRY(out.request, json::get_string(value, "request"));
  TRY(const auto asked_at, json::get_string(value, "askedAt"));
  TRY(out.asked_at, base::parse_rfc3339(asked_at));
  TRY(out.asked_by, json::get_string(value, "askedBy"));
  TRY(out.backup, json::get_string(value, "backup"));
  TRY(out.to_revision, json::get_int(value, "toRevision"));
  if (const auto* time = value.find("toTime"); time != nullptr && !time->is_null()) {
    TRY(const auto text, time->as_string());
    TRY(out.to_time, base::parse_rfc3339(text));
  }
  return out;
}

base::Result<SavedIntent> from_json(const json::Value& value) {
  TRY(const auto format, json::get_int(value, "format"));
  if (format != kFormat)
    return base::fail(base::Code::kUnimplemented, "written by a newer etcd-operator");
  SavedIntent out;
  TRY(out.file, json::get_string(value, "file"));
  TRY(out.text, json::get_string(value, "text"));
  TRY(out.spec_crc, json::get_string(value, "specCrc"));
  TRY(out.generation, json::get_int(value, "generation"));
  TRY(out.deleted, json::get_bool(value, "deleted"));
  TRY(out.paused, json::get_bool(value, "paused"));
  TRY(out.stop, json::get_bool(value, "stop"));
  if (value.find("backupNow") != nullptr) {
    TRY(out.backup_now, json::get_string(value, "backupNow"));
  }
  if (const auto* wish = value.find("restoreInPlace"); wish != nullptr && wish->is_object()) {
    TRY(out.in_place, in_place_from(*wish));
  }
  const auto* approvals = value.find("approvals");
  if (approvals == nullptr || approvals->if_array() == nullptr) return out;
  for (const auto& item : *approvals->if_array()) {
    plan::Approval approval;
    TRY(approval.operation, json::get_string(item, "operation"));
    TRY(const auto expires, json::get_string(item, "expires"));
    TRY(approval.expires, base::parse_rfc3339(expires));
    out.approvals.push_back(std::move(approval));
  }
  return out;
}

}  // namespace

bool operator==(const SavedIntent& a, const SavedIntent& b) {
  const auto same_approval = [](const plan::Approval& x, const plan::Approval& y) {
    return x.operation == y.operation && x.expires == y.expires;
  };
  return a.file == b.file && a.text == b.text && a.spec_crc == b.spec_crc &&
         a.generation == b.generation && a.deleted == b.deleted && a.paused == b.paused &&
         a.stop == b.stop && a.backup_now == b.backup_now && a.in_place == b.in_place &&
         std::ranges::equal(a.approvals, b.approvals, same_approval);
}

std::string encode(const SavedIntent& saved) {
  json::Array approvals;
  for (const auto& approval : saved.approvals)
    approvals.push_back(json::Object{{"operation", approval.operation},
                                     {"expires", base::to_rfc3339(approval.expires)}});
  const auto body =
      json::print(json::Value(json::Object{{"format", kFormat},
                                           {"file", saved.file},
                                           {"generation", saved.generation},
                                           {"specCrc", saved.spec_crc},
                                           {"deleted", saved.deleted},
                                           {"paused", saved.paused},
                                           {"stop", saved.stop},
                                           {"backupNow", saved.backup_now},
                                           {"restoreInPlace", to_json(saved.in_place)},
                                           {"approvals", std::move(approvals)},
                                           {"text", saved.text}}));
  return body + "\n" + base::to_hex(base::crc32c(body)) + "\n";
}

base::Result<SavedIntent> decode_saved_intent(std::string_view bytes) {
  const auto lines = base::split(bytes, '\n');
  if (lines.size() != 3 || lines[1] != base::to_hex(base::crc32c(lines[0])))
    return base::fail(base::Code::kDataLoss, "the saved intent fails its check");
  auto value = json::parse(lines[0], {16, size_t{32} << 20});
  if (!value) return base::fail(base::Code::kDataLoss, value.error().message);
  auto out = from_json(*value);
  if (!out) return std::unexpected(out.error().in("the saved intent"));
  return out;
}

}  // namespace manager
