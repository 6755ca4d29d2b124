#include <fmt/format.h>

#include "base/text.h"
#include "bin/commands.h"
#include "manager/table.h"
#include "posix/env.h"

namespace bin {
namespace {

std::string text_of(const json::Value& value, std::string_view path) {
  const auto text = json::get_string(value, path);
  return text ? *text : std::string();
}

}  // namespace

std::string status_text(const json::Value& answer, const TextView& view) {
  std::string out;
  if (const auto address = text_of(answer, "operator.httpAddress"); !address.empty()) {
    const auto started = base::parse_rfc3339(text_of(answer, "operator.startedAt"));
    const auto pid = json::get_int(answer, "operator.pid");
    out += fmt::format(
        "etcd-operator {}  pid {}  http://{}{}\n\n", text_of(answer, "operator.version"),
        pid ? *pid : 0, address,
        started ? "  up " + base::to_text(std::chrono::duration_cast<std::chrono::seconds>(
                                std::max(base::Duration{0}, view.now - *started)))
                : std::string());
  } else if (const auto note = text_of(answer, "note"); !note.empty()) {
    out += note + "\n\n";
  }
  const auto* items = answer.find("items");
  const auto* list = items == nullptr ? nullptr : items->if_array();
  manager::TableOptions options{view.now, view.state_dir, view.color,
                                view.details || (list != nullptr && list->size() <= 5)};
  out += manager::status_table(items == nullptr ? json::Value() : *items, options);
  if (const auto* problems = answer.find("problems"); problems != nullptr && problems->if_array())
    for (const auto& problem : *problems->if_array())
      if (const auto* text = problem.if_string()) out += "! manifest " + *text + "\n";
  return out;
}

std::string live_frame(const json::Value& answer, base::Instant now, const std::string& state_dir) {
  // Each line is cleared behind its end and the rest of the screen after the last: no flicker.
  std::string frame = "\x1b[H";
  for (const auto line : base::split(status_text(answer, {now, state_dir, true, false}), '\n'))
    frame += std::string(line) + "\x1b[K\n";
  return frame + "\x1b[J";
}

}  // namespace bin
