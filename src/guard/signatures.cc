#include "guard/signatures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "guard/child.h"

namespace guard {
namespace {

constexpr std::size_t kMaxLine = 8192;
constexpr std::size_t kMaxWords = 400;
// Unescaped quotes cannot be part of a user's key, so what begins so counts at every level.
constexpr std::string_view kMessage = "\"msg\":\"";

constexpr std::array kTable{
    // The data is less than the id had.
    Signature{"is out of range [lastIndex(", Class::kDataLost, true},
    Signature{"has already been bootstrapped", Class::kDataLost, true},
    Signature{"failed to find database snapshot file", Class::kDataLost},
    // The id is gone.
    Signature{"\"msg\":\"data-dir used by this member must be removed", Class::kRemoved, true},
    Signature{"\"msg\":\"server error\",\"error\":\"the member has been permanently removed",
              Class::kRemoved, true},
    // The machine; before damage, which it can look like.
    Signature{"no space left on device", Class::kNode},
    Signature{"disk quota exceeded", Class::kNode},
    Signature{"read-only file system", Class::kNode},
    Signature{"input/output error", Class::kNode},
    Signature{"cannot access data directory", Class::kNode},
    Signature{"too many open files", Class::kNode},
    Signature{"cannot allocate memory", Class::kNode},
    Signature{"fatal error: runtime: out of memory", Class::kNode},
    Signature{kCannotRun, Class::kNode},
    // Damage.
    Signature{"walpb: crc mismatch", Class::kDataCorrupt},
    Signature{"cannot use none as id", Class::kDataCorrupt},
    Signature{"wal: slice bounds out of range", Class::kDataCorrupt},
    Signature{"wal: conflicting metadata", Class::kDataCorrupt},
    Signature{"max entry size limit exceeded", Class::kDataCorrupt},
    Signature{"unexpected fault address", Class::kDataCorrupt},
    Signature{"fatal error: fault", Class::kDataCorrupt},
    Signature{"invalid database", Class::kDataCorrupt},
    Signature{"Page expected to be", Class::kDataCorrupt},
    Signature{"failed to get all reachable pages", Class::kDataCorrupt},
    Signature{"invalid freelist page", Class::kDataCorrupt},
    Signature{"found data inconsistency with peers", Class::kDataCorrupt},
    // The member list is older than the cluster; it is rewritten, or the peers come up.
    Signature{"member count is unequal", Class::kRetry},
    Signature{"no match found for existing member", Class::kRetry},
    Signature{"could not retrieve cluster information", Class::kRetry},
    Signature{"address already in use", Class::kRetry},
    // Only another ticket helps.
    Signature{"flag provided but not defined", Class::kConfig},
    Signature{"invalid value", Class::kConfig},
    Signature{"\"msg\":\"failed to verify flags\"", Class::kConfig},
    Signature{"error verifying flags", Class::kConfig},
    Signature{"conflicting environment variable", Class::kConfig},
    Signature{"cannot specify both flags", Class::kConfig},
    Signature{"couldn't find local name", Class::kConfig},
    Signature{"expected IP in URL for binding", Class::kConfig},
    Signature{"invalid downgrade", Class::kConfig},
    Signature{"cluster cannot be downgraded", Class::kConfig},
    Signature{"is lower than determined cluster version", Class::kConfig},
    Signature{"Failed to validate schema", Class::kConfig},
    Signature{"unmarshal should never fail", Class::kConfig},
};

// etcd writes JSON lines with a level, Go's runtime and the flag parser plain text.
bool is_fatal_line(std::string_view line) {
  if (!line.starts_with('{')) return true;
  const std::string_view head = line.substr(0, 64);
  return std::ranges::any_of(
      std::array<std::string_view, 4>{"\"level\":\"error\"", "\"level\":\"fatal\"",
                                      "\"level\":\"panic\"", "\"level\":\"dpanic\""},
      [&](std::string_view level) { return head.find(level) != std::string_view::npos; });
}

// Whether a line without a known signature may be shown as the reason of an end.
bool is_last_words(std::string_view line) {
  return line.starts_with("{\"level\":\"fatal\"") || line.starts_with("{\"level\":\"panic\"") ||
         line.starts_with("panic: ") || line.starts_with("fatal error: ") ||
         line.starts_with("Error: ");
}

// The value of a field of a JSON line of etcd's; empty: it has none.
std::string field_of(std::string_view line, std::string_view field) {
  const std::size_t at = line.find(field);
  if (at == std::string_view::npos) return {};
  std::string out;
  for (std::size_t i = at + field.size(); i < line.size() && line[i] != '"'; ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) ++i;
    out += line[i];
  }
  return out;
}

// What a person reads of it: the message and its error, without time, place and stack.
std::string plain_words(const std::string& line) {
  if (!line.starts_with('{')) return line;
  const std::string message = field_of(line, kMessage), error = field_of(line, "\"error\":\"");
  if (message.empty() || error.empty()) return message.empty() ? line : message;
  return message + ": " + error;
}

}  // namespace

std::span<const Signature> signatures() {
  return kTable;
}

void LogScanner::feed(std::string_view bytes, std::int64_t at_ms) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    if (partial_.size() < kMaxLine) partial_ += part.substr(0, kMaxLine - partial_.size());
    if (end == std::string_view::npos) return;
    line(partial_, at_ms);
    partial_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void LogScanner::line(std::string_view text, std::int64_t at_ms) {
  const bool fatal = is_fatal_line(text);
  if (is_last_words(text)) last_words_ = text.substr(0, kMaxWords);
  for (std::size_t rank = 0; rank < table_.size(); ++rank) {
    if (!fatal && !table_[rank].text.starts_with(kMessage)) continue;
    const std::size_t at = text.find(table_[rank].text);
    if (at == std::string_view::npos) continue;
    std::erase_if(hits_, [&](const Hit& h) { return h.rank == rank; });
    // etcd can print a whole member list before it comes to the point.
    const std::size_t from = at < kMaxWords / 2 ? 0 : at - kMaxWords / 2;
    hits_.push_back({rank, at_ms, std::string(text.substr(from, kMaxWords))});
  }
}

LogScanner::Found LogScanner::found(std::int64_t at_ms) const {
  const Hit* best = nullptr;
  for (const auto& hit : hits_)
    if (at_ms - hit.at_ms <= kMemoryMs && (best == nullptr || hit.rank < best->rank)) best = &hit;
  if (best == nullptr) return {};
  return {&table_[best->rank], best->line};
}

Verdict judge(const Exit& exit, const LogScanner& log, std::int64_t at_ms, bool& condemns) {
  Verdict v;
  v.exit_code = exit.code;
  v.signal = exit.signal;
  const auto found = log.found(at_ms);
  condemns = found.signature != nullptr && found.signature->condemns;
  if (found.signature != nullptr) {
    v.klass = found.signature->klass;
    v.signature = plain_words(found.line);
    return v;
  }
  v.klass = Class::kRetry;
  v.signature = !log.last_words().empty() ? plain_words(log.last_words())
                : exit.code >= 0          ? fmt::format("etcd exited with {}", exit.code)
                                 : fmt::format("etcd was killed by signal {}", exit.signal);
  return v;
}

}  // namespace guard
