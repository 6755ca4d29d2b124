#include "manager/control.h"

#include <fmt/format.h>

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include "json/json.h"
#include "posix/socket.h"
#include "posix/wakeup.h"

namespace manager {
namespace {

constexpr std::array kOps{
    std::pair{Op::kStatus, std::string_view("status")},
    std::pair{Op::kPlan, std::string_view("plan")},
    std::pair{Op::kEvents, std::string_view("events")},
    std::pair{Op::kConnect, std::string_view("connect")},
    std::pair{Op::kDebug, std::string_view("debug")},
    std::pair{Op::kApprove, std::string_view("approve")},
    std::pair{Op::kPause, std::string_view("pause")},
    std::pair{Op::kResume, std::string_view("resume")},
    std::pair{Op::kStop, std::string_view("stop")},
    std::pair{Op::kStart, std::string_view("start")},
    std::pair{Op::kBackupNow, std::string_view("backup-now")},
    std::pair{Op::kRestore, std::string_view("restore")},
    std::pair{Op::kShutdown, std::string_view("shutdown")},
};

constexpr std::array kCodes{
    base::Code::kInvalidArgument,    base::Code::kNotFound,          base::Code::kAlreadyExists,
    base::Code::kFailedPrecondition, base::Code::kAborted,           base::Code::kUnavailable,
    base::Code::kDeadlineExceeded,   base::Code::kResourceExhausted, base::Code::kPermissionDenied,
    base::Code::kDataLoss,           base::Code::kCancelled,         base::Code::kUnimplemented,
};

constexpr base::Duration kReadDeadline{2'000};
constexpr base::Duration kWriteDeadline{5'000};
constexpr base::Duration kLastDeadline{300};
constexpr base::Duration kPause{1'000};
constexpr int kConnections = 3;  // at the same time

base::Code code_named(std::string_view name) {
  for (const auto code : kCodes)
    if (base::name_of(code) == name) return code;
  return base::Code::kInternal;
}

// RFC 1123 label of at most 63 characters: what a cluster and a namespace may be called.
bool is_label(std::string_view text) {
  if (text.empty() || text.size() > 63 || text.front() == '-' || text.back() == '-') return false;
  for (const char c : text)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  return true;
}

base::Status serve_one(posix::UnixStream& stream, const Handler& handler,
                       const std::stop_token& stop) {
  auto line = stream.read_line(kRequestBytes, kReadDeadline, stop);
  std::string answer;
  if (line)
    answer = answer_line(*line, handler, stop);
  else if (line.error().code == base::Code::kResourceExhausted)
    answer = encode_answer(
        base::fail(base::Code::kInvalidArgument,
                   fmt::format("a request is one line of at most {} bytes", kRequestBytes)));
  else
    return std::unexpected(line.error());
  // A request to end us is answered all the same, but nobody may keep us by not reading.
  if (stop.stop_requested()) return stream.write_all(answer + "\n", kLastDeadline, {});
  return stream.write_all(answer + "\n", kWriteDeadline, stop);
}

}  // namespace

std::string_view name_of(Op op) {
  for (const auto& [value, name] : kOps)
    if (value == op) return name;
  std::unreachable();
}

base::Result<base::ClusterKey> parse_cluster(std::string_view text) {
  base::ClusterKey key;
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) key.ns = std::string(text.substr(0, slash));
  key.name = std::string(slash == std::string_view::npos ? text : text.substr(slash + 1));
  if (is_label(key.ns) && is_label(key.name)) return key;
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("\"{}\" is no cluster: write NAME or NAMESPACE/NAME, in lower case "
                                "letters, digits and '-'",
                                text.substr(0, 80)));
}

std::string encode(const Request& request) {
  json::Object out{{"v", kProtocol}, {"op", name_of(request.op)}};
  if (request.cluster) out["cluster"] = request.cluster->text();
  if (!request.args.empty()) out["args"] = request.args;
  return json::print(json::Value(std::move(out)));
}

base::Result<Request> decode_request(std::string_view line) {
  TRY_IN("the request is not JSON", const json::Value value,
         json::parse(line, {16, kRequestBytes}));
  TRY(const auto version, json::get_int(value, "v"));
  if (version != kProtocol)
    return base::fail(
        base::Code::kUnimplemented,
        fmt::format("protocol {} is not spoken here: {} is; use the etcd-operator that "
                    "runs",
                    version, kProtocol));
  Request out;
  TRY(const auto op, json::get_string(value, "op"));
  const auto* known =
      std::find_if(kOps.begin(), kOps.end(), [&](const auto& entry) { return entry.second == op; });
  if (known == kOps.end())
    return base::fail(base::Code::kUnimplemented, fmt::format("op \"{}\" is not known", op));
  out.op = known->first;
  if (value.find("cluster") != nullptr) {
    TRY(const auto cluster, json::get_string(value, "cluster"));
    TRY(auto key, parse_cluster(cluster));
    out.cluster = std::move(key);
  }
  if (const auto* args = value.find("args"); args != nullptr) {
    if (args->if_object() == nullptr)
      return base::fail(base::Code::kInvalidArgument, "args is not an object");
    out.args = *args->if_object();
  }
  return out;
}

std::string encode_answer(const base::Result<json::Value>& answer) {
  if (answer)
    return json::print(
        json::Value(json::Object{{"v", kProtocol}, {"ok", true}, {"result", *answer}}));
  return json::print(json::Value(json::Object{{"v", kProtocol},
                                              {"ok", false},
                                              {"code", base::name_of(answer.error().code)},
                                              {"message", answer.error().message}}));
}

base::Result<json::Value> decode_answer(std::string_view line) {
  auto value = json::parse(line, {128, kAnswerBytes});
  if (!value) return base::fail(base::Code::kUnavailable, "no answer: " + value.error().message);
  const auto ok = json::get_bool(*value, "ok");
  if (!ok) return base::fail(base::Code::kUnavailable, "no answer: " + ok.error().message);
  if (*ok) {
    auto* result = value->if_object()->find("result");
    return result == nullptr ? json::Value() : std::move(*result);
  }
  const auto code = json::get_string(*value, "code");
  const auto message = json::get_string(*value, "message");
  return base::fail(code ? code_named(*code) : base::Code::kInternal,
                    message ? *message : "the operator gave no reason");
}

std::string answer_line(std::string_view line, const Handler& handler,
                        const std::stop_token& stop) {
  const auto request = decode_request(line);
  if (!request) return encode_answer(std::unexpected(request.error()));
  return encode_answer(handler(*request, stop));
}

base::Status serve_control(const std::string& socket, const Handler& handler, base::Logger& log,
                           const std::stop_token& stop) {
  TRY_IN("control socket", auto listener, posix::UnixListener::listen(socket));
  const auto loop = [&] {
    bool told = false;
    while (!stop.stop_requested()) {
      auto stream = listener.accept(stop);
      if (!stream && stream.error().code == base::Code::kCancelled) return;
      if (!stream) {  // out of descriptors, most likely: others give some back
        if (!std::exchange(told, true))
          log.error("ControlSocket", {{"why", stream.error().text()}});
        static_cast<void>(posix::poll_until({}, posix::deadline_in(kPause), stop));
        continue;
      }
      told = false;
      if (const auto served = serve_one(*stream, handler, stop);
          !served && served.error().code != base::Code::kCancelled)
        log.debug("ControlClientLost", {{"why", served.error().text()}});
    }
  };
  // A dry run waits for the pass in hand; that must not keep `status` waiting.
  std::vector<std::jthread> others;
  for (int i = 1; i < kConnections; ++i) others.emplace_back(loop);
  loop();
  return {};
}

base::Result<json::Value> call_control(const std::string& socket, const Request& request,
                                       base::Duration deadline, const std::stop_token& stop) {
  TRY(auto stream, posix::UnixStream::connect(socket));
  TRY_OK(stream.write_all(encode(request) + "\n", deadline, stop));
  TRY(const auto line, stream.read_line(kAnswerBytes, deadline, stop));
  return decode_answer(line);
}

}  // namespace manager
