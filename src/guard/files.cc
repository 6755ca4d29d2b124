#include "guard/files.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"

namespace guard {
namespace {

using base::Code;

constexpr int kMajor = 1;
constexpr int kOldestMajor = 1;
constexpr size_t kCrcLine = 13;  // "crc 01234567\n"

constexpr std::array kClasses{
    std::pair{Class::kNone, std::string_view("None")},
    std::pair{Class::kStopped, std::string_view("Stopped")},
    std::pair{Class::kRetry, std::string_view("Retry")},
    std::pair{Class::kDataLost, std::string_view("DataLost")},
    std::pair{Class::kDataCorrupt, std::string_view("DataCorrupt")},
    std::pair{Class::kForeign, std::string_view("Foreign")},
    std::pair{Class::kRemoved, std::string_view("Removed")},
    std::pair{Class::kConfig, std::string_view("Config")},
    std::pair{Class::kNode, std::string_view("Node")},
    std::pair{Class::kNoVolume, std::string_view("NoVolume")},
};
constexpr std::array kPermits{
    std::pair{Permit::kBootstrap, std::string_view("Bootstrap")},
    std::pair{Permit::kJoin, std::string_view("Join")},
    std::pair{Permit::kData, std::string_view("Data")},
    std::pair{Permit::kRestore, std::string_view("Restore")},
};
constexpr std::array kPhases{
    std::pair{Phase::kStarting, std::string_view("Starting")},
    std::pair{Phase::kRunning, std::string_view("Running")},
    std::pair{Phase::kBackoff, std::string_view("Backoff")},
    std::pair{Phase::kEnded, std::string_view("Ended")},
};

template <class Table, class E>
std::string_view name_in(const Table& table, E value) {
  for (const auto& [v, name] : table)
    if (v == value) return name;
  return "?";
}

std::string escape(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::optional<std::string> unescape(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\') {
      out += value[i];
      continue;
    }
    if (++i == value.size()) return std::nullopt;
    if (value[i] != '\\' && value[i] != 'n') return std::nullopt;
    out += value[i] == 'n' ? '\n' : '\\';
  }
  return out;
}

class Writer {
 public:
  explicit Writer(std::string_view kind) {
    out_ = fmt::format("format {}.0\nkind {}\n", kMajor, kind);
  }
  void text(std::string_view key, std::string_view value) {
    out_ += fmt::format("{} {}\n", key, escape(value));
  }
  void number(std::string_view key, std::uint64_t value) { text(key, std::to_string(value)); }
  void hex(std::string_view key, std::uint64_t value) { text(key, base::to_hex(value)); }
  [[nodiscard]] std::string finish() {
    out_ += fmt::format("crc {:08x}\n", base::crc32c(out_));
    return std::move(out_);
  }

 private:
  std::string out_;
};

struct Line {
  std::string_view key;
  std::string value;
};

base::Status check_format(std::string_view value) {
  const size_t dot = value.find('.');
  const auto major = base::parse_int(value.substr(0, dot));
  const auto minor = dot == std::string_view::npos ? std::optional<std::int64_t>(0)
                                                   : base::parse_int(value.substr(dot + 1));
  if (!major || !minor || *major < 0 || *minor < 0)
    return base::fail(Code::kDataLoss, fmt::format("'{}' is not a format number", value));
  if (*major > kMajor || *major < kOldestMajor)
    return base::fail(Code::kUnimplemented, fmt::format("format {} (this program reads {} to {})",
                                                        value, kOldestMajor, kMajor));
  return {};
}

// The lines between the head and the check, once both are right.
base::Result<std::vector<Line>> parse(std::string_view bytes, std::string_view kind) {
  const auto torn = [](std::string_view why) {
    return base::fail(Code::kDataLoss, fmt::format("torn or damaged file: {}", why));
  };
  if (bytes.size() < kCrcLine) return torn("too short");
  const std::string_view body = bytes.substr(0, bytes.size() - kCrcLine);
  if (bytes.substr(body.size()) != fmt::format("crc {:08x}\n", base::crc32c(body)))
    return torn("the check at its end is wrong");
  if (body.empty() || body.back() != '\n') return torn("no lines");
  std::vector<Line> lines;
  for (const auto text : base::split(body.substr(0, body.size() - 1), '\n')) {
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || space == 0) return torn("a line without a value");
    auto value = unescape(text.substr(space + 1));
    if (!value) return torn("a bad escape");
    lines.push_back({text.substr(0, space), *std::move(value)});
  }
  if (lines[0].key != "format") return torn("no format");
  TRY_OK(check_format(lines[0].value));
  if (lines.size() < 2 || lines[1].key != "kind") return torn("no kind");
  if (lines[1].value != kind)
    return base::fail(Code::kDataLoss, fmt::format("this is a {}, not a {}", lines[1].value, kind));
  lines.erase(lines.begin(), lines.begin() + 2);
  return lines;
}

// Takes values out of the lines; the first wrong one is kept as the error.
class Reader {
 public:
  explicit Reader(std::vector<Line> lines) : lines_(std::move(lines)) {
    std::set<std::string_view> seen;
    for (const auto& line : lines_)
      if (line.key != "arg" && !seen.insert(line.key).second) bad(line.key, "given twice");
  }

  void text(std::string_view key, std::string& out) {
    if (const auto* v = find(key)) out = *v;
  }
  void texts(std::string_view key, std::vector<std::string>& out) {
    for (const auto& line : lines_)
      if (line.key == key) out.push_back(line.value);
  }
  template <class T>
  void number(std::string_view key, T& out, int radix = 10) {
    const auto* v = find(key);
    if (v == nullptr) return;
    const char* end = v->data() + v->size();
    T value{};
    const auto [at, ec] = std::from_chars(v->data(), end, value, radix);
    if (ec != std::errc() || at != end)
      bad(key, *v);
    else
      out = value;
  }
  void flag(std::string_view key, bool& out) {
    int value = out ? 1 : 0;
    number(key, value);
    if (value != 0 && value != 1) bad(key, std::to_string(value));
    out = value == 1;
  }
  void time(std::string_view key, base::Instant& out) {
    const auto* v = find(key);
    if (v == nullptr) return;
    if (const auto at = base::parse_rfc3339(*v))
      out = *at;
    else
      bad(key, *v);
  }
  // A name this program does not know comes from a newer one: it must not be guessed.
  template <class Table, class E>
  void name(std::string_view key, const Table& table, E& out) {
    const auto* v = find(key);
    if (v == nullptr) return bad(key, "missing");
    for (const auto& [value, text] : table) {
      if (text != *v) continue;
      out = value;
      return;
    }
    bad(key, *v, Code::kUnimplemented);
  }
  template <class T>
  base::Result<T> finish(T value) {
    if (error_) return std::unexpected(*error_);
    return value;
  }

 private:
  const std::string* find(std::string_view key) const {
    for (const auto& line : lines_)
      if (line.key == key) return &line.value;
    return nullptr;
  }
  void bad(std::string_view key, std::string_view value, Code code = Code::kDataLoss) {
    if (!error_) error_ = base::Error{code, fmt::format("{}: unexpected '{}'", key, value)};
  }

  std::vector<Line> lines_;
  std::optional<base::Error> error_;
};

}  // namespace

bool is_final(Class c) {
  switch (c) {
    case Class::kDataLost:
    case Class::kDataCorrupt:
    case Class::kForeign:
    case Class::kRemoved:
    case Class::kConfig:
    case Class::kNoVolume:
      return true;
    case Class::kNone:
    case Class::kStopped:
    case Class::kRetry:
    case Class::kNode:
      return false;
  }
  return true;
}

int exit_code_of(Class c) {
  switch (c) {
    case Class::kNone:
    case Class::kStopped:
      return 0;
    case Class::kDataLost:
      return 10;
    case Class::kDataCorrupt:
      return 11;
    case Class::kForeign:
      return 12;
    case Class::kRemoved:
      return 13;
    case Class::kConfig:
      return 14;
    case Class::kNoVolume:
      return 15;
    case Class::kRetry:
    case Class::kNode:
      return 1;
  }
  return 1;
}

std::string_view name_of(Class c) {
  return name_in(kClasses, c);
}
std::string_view name_of(Permit p) {
  return name_in(kPermits, p);
}
std::string_view name_of(Phase p) {
  return name_in(kPhases, p);
}

std::string encode(const Ticket& t) {
  Writer w("ticket");
  w.text("cluster_ns", t.cluster_ns);
  w.text("cluster_name", t.cluster_name);
  w.text("member_name", t.member_name);
  w.text("incarnation", t.incarnation);
  w.text("volume_id", t.volume_id);
  w.text("origin", t.origin);
  w.text("permit", name_of(t.permit));
  w.hex("cluster_id", t.cluster_id.value);
  w.hex("member_id", t.member_id.value);
  w.text("peer_address", t.peer_address);
  w.number("audited_term", t.audited_term);
  w.number("audited_index", t.audited_index);
  w.text("restore_operation", t.restore_operation);
  w.text("restore_snapshot", t.restore_snapshot);
  w.text("restore_token", t.restore_token);
  w.text("etcd", t.etcd);
  w.text("etcdutl", t.etcdutl);
  w.text("version", t.version);
  w.text("initial_cluster", t.initial_cluster);
  w.text("token", t.token);
  for (const auto& arg : t.args) w.text("arg", arg);
  w.text("template_hash", t.template_hash);
  return w.finish();
}

base::Result<Ticket> decode_ticket(std::string_view bytes) {
  TRY(auto lines, parse(bytes, "ticket"));
  Reader r(std::move(lines));
  Ticket t;
  r.text("cluster_ns", t.cluster_ns);
  r.text("cluster_name", t.cluster_name);
  r.text("member_name", t.member_name);
  r.text("incarnation", t.incarnation);
  r.text("volume_id", t.volume_id);
  r.text("origin", t.origin);
  r.name("permit", kPermits, t.permit);
  r.number("cluster_id", t.cluster_id.value, 16);
  r.number("member_id", t.member_id.value, 16);
  r.text("peer_address", t.peer_address);
  r.number("audited_term", t.audited_term);
  r.number("audited_index", t.audited_index);
  r.text("restore_operation", t.restore_operation);
  r.text("restore_snapshot", t.restore_snapshot);
  r.text("restore_token", t.restore_token);
  r.text("etcd", t.etcd);
  r.text("etcdutl", t.etcdutl);
  r.text("version", t.version);
  r.text("initial_cluster", t.initial_cluster);
  r.text("token", t.token);
  r.texts("arg", t.args);
  r.text("template_hash", t.template_hash);
  return r.finish(std::move(t));
}

std::string encode(const State& s) {
  Writer w("state");
  w.text("phase", name_of(s.phase));
  w.text("boot_id", s.boot_id);
  w.text("guard_pid", std::to_string(s.guard_pid));
  w.text("etcd_pid", std::to_string(s.etcd_pid));
  w.text("version", s.version);
  w.text("template_hash", s.template_hash);
  w.number("starts", s.starts);
  w.text("since", base::to_rfc3339(s.since));
  return w.finish();
}

base::Result<State> decode_state(std::string_view bytes) {
  TRY(auto lines, parse(bytes, "state"));
  Reader r(std::move(lines));
  State s;
  r.name("phase", kPhases, s.phase);
  r.text("boot_id", s.boot_id);
  r.number("guard_pid", s.guard_pid);
  r.number("etcd_pid", s.etcd_pid);
  r.text("version", s.version);
  r.text("template_hash", s.template_hash);
  r.number("starts", s.starts);
  r.time("since", s.since);
  return r.finish(std::move(s));
}

std::string encode(const Verdict& v) {
  Writer w("verdict");
  w.text("class", name_of(v.klass));
  w.text("signature", v.signature);
  w.text("exit_code", std::to_string(v.exit_code));
  w.text("signal", std::to_string(v.signal));
  w.number("failures", v.failures);
  w.text("at", base::to_rfc3339(v.at));
  if (!v.volume.empty()) w.text("volume", v.volume);
  return w.finish();
}

std::string place_text(const Place& place) {
  return fmt::format("{}:{}", place.device, place.inode);
}

base::Result<Verdict> decode_verdict(std::string_view bytes) {
  TRY(auto lines, parse(bytes, "verdict"));
  Reader r(std::move(lines));
  Verdict v;
  r.name("class", kClasses, v.klass);
  r.text("signature", v.signature);
  r.number("exit_code", v.exit_code);
  r.number("signal", v.signal);
  r.number("failures", v.failures);
  r.time("at", v.at);
  r.text("volume", v.volume);
  return r.finish(std::move(v));
}

std::string encode(const Marker& m) {
  Writer w("marker");
  w.text("cluster_ns", m.cluster_ns);
  w.text("cluster_name", m.cluster_name);
  w.text("member_name", m.member_name);
  w.text("incarnation", m.incarnation);
  w.text("volume_id", m.volume_id);
  w.text("peer_address", m.peer_address);
  w.text("origin", m.origin);
  w.hex("cluster_id", m.cluster_id.value);
  w.hex("member_id", m.member_id.value);
  w.number("started", m.started ? 1 : 0);
  w.number("last_term", m.last_term);
  w.number("last_index", m.last_index);
  w.number("hard_term", m.hard_term);
  w.number("commit", m.commit);
  w.text("restored", m.restored);
  w.text("restoring", m.restoring);
  w.text("condemned", name_of(m.condemned));
  return w.finish();
}

base::Result<Marker> decode_marker(std::string_view bytes) {
  TRY(auto lines, parse(bytes, "marker"));
  Reader r(std::move(lines));
  Marker m;
  r.text("cluster_ns", m.cluster_ns);
  r.text("cluster_name", m.cluster_name);
  r.text("member_name", m.member_name);
  r.text("incarnation", m.incarnation);
  r.text("volume_id", m.volume_id);
  r.text("peer_address", m.peer_address);
  r.text("origin", m.origin);
  r.number("cluster_id", m.cluster_id.value, 16);
  r.number("member_id", m.member_id.value, 16);
  r.flag("started", m.started);
  r.number("last_term", m.last_term);
  r.number("last_index", m.last_index);
  r.number("hard_term", m.hard_term);
  r.number("commit", m.commit);
  r.text("restored", m.restored);
  r.text("restoring", m.restoring);
  r.name("condemned", kClasses, m.condemned);
  return r.finish(std::move(m));
}

}  // namespace guard
