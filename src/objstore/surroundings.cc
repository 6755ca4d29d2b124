#include "objstore/surroundings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "http/escape.h"
#include "json/json.h"
#include "objstore/refusal.h"
#include "objstore/xml.h"
#include "posix/env.h"
#include "posix/files.h"

namespace objstore {
namespace {

using base::Code;

constexpr size_t kLongestFile = size_t{1} << 20;  // bytes

}  // namespace

Surroundings real_surroundings() {
  return {.env = posix::get_env,
          .read = [](const std::string& path) { return posix::read_file(path, kLongestFile); }};
}

std::string env_of(const Surroundings& around, const std::string& name) {
  return std::string(base::trim(around.env(name).value_or("")));
}

base::Result<std::string> read_trimmed(const Surroundings& around, const std::string& path) {
  TRY(const auto text, around.read(path));
  auto trimmed = std::string(base::trim(text));
  if (trimmed.empty()) return base::fail(Code::kInvalidArgument, path + " is empty");
  if (trimmed.find_first_of("\r\n") != std::string::npos && !trimmed.starts_with("{"))
    return base::fail(Code::kInvalidArgument, path + " has more than one line");
  return trimmed;
}

base::Result<Ini> parse_ini(std::string_view text) {
  Ini ini;
  std::map<std::string, std::string, std::less<>>* section = nullptr;
  std::string above;  // the key whose value goes on in lines that are indented
  size_t number = 0;
  for (const auto line : base::split(text, '\n')) {
    ++number;
    const auto word = base::trim(line);
    if (word.empty() || word.front() == '#' || word.front() == ';') continue;
    const auto bad = [&](std::string_view why) {
      return base::fail(Code::kInvalidArgument, fmt::format("line {}: {}", number, why));
    };
    if (word.front() == '[') {
      if (word.back() != ']') return bad("a section without ']'");
      section = &ini[std::string(base::trim(word.substr(1, word.size() - 2)))];
      above.clear();
      continue;
    }
    const auto equals = word.find('=');
    if (equals == std::string_view::npos) return bad("no key = value");
    if (section == nullptr) return bad("a value before the first [section]");
    const bool indented = line.front() == ' ' || line.front() == '\t';
    auto key = std::string(base::trim(word.substr(0, equals)));
    std::ranges::transform(key, key.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (indented && !above.empty())
      key.insert(0, above + ".");
    else
      above = key;
    (*section)[key] = base::trim(word.substr(equals + 1));
  }
  return ini;
}

base::Result<Request> request_of(const std::string& url, std::string_view name) {
  const auto bad = [&] {
    return base::fail(Code::kInvalidArgument, fmt::format("{} is no http[s]:// URL", name));
  };
  const auto scheme = url.find("://");
  if (!url.starts_with("http://") && !url.starts_with("https://")) return bad();
  if (url.find_first_of("# \t\r\n") != std::string::npos) return bad();
  const auto slash = std::min(url.find_first_of("/?", scheme + 3), url.size());
  if (slash == scheme + 3 || url.find('@') < slash) return bad();
  const auto question = std::min(url.find('?'), url.size());
  Request request{.server = url.substr(0, slash), .path = url.substr(slash, question - slash)};
  if (request.path.empty()) request.path = "/";
  if (question == url.size()) return request;
  for (const auto pair : base::split(std::string_view(url).substr(question + 1), '&')) {
    const auto middle = std::min(pair.find('='), pair.size());
    const auto value = pair.substr(std::min(middle + 1, pair.size()));
    request.query.emplace_back(pair.substr(0, middle), http::unescape(value).value_or(""));
  }
  return request;
}

base::Status Asker::sign(Request&, base::Instant, const Call&) {
  return {};
}

std::optional<Failure> Asker::judge(const Request& request, const http::Reply& reply,
                                    base::Instant now) {
  if (reply.status >= 200 && reply.status <= 299) return std::nullopt;
  Refusal refusal{.status = reply.status};
  if (const auto xml = parse_xml(reply.body)) {
    refusal.reason = xml->text_at("Error/Code");
    refusal.words = xml->text_at("Error/Message");
  } else if (const auto object = json::parse(reply.body)) {
    refusal.reason = json::get_string(*object, "error").value_or("");
    refusal.words = json::get_string(*object, "error_description").value_or("");
  }
  static constexpr Meaning kMeanings[] = {{"IDPCommunicationError", Code::kUnavailable, true},
                                          {"Throttling", Code::kUnavailable, true},
                                          {"ExpiredTokenException", Code::kPermissionDenied},
                                          {"InvalidIdentityToken", Code::kPermissionDenied},
                                          {"invalid_grant", Code::kPermissionDenied},
                                          {"invalid_client", Code::kPermissionDenied}};
  return failure_of(request, reply, refusal, kMeanings, now);
}

base::Result<http::Reply> Asker::ask(const Request& request, std::string_view what,
                                     const Call& call) {
  auto answer = courier_.send(request, *this, call);
  if (answer) return std::move(answer->reply);
  auto error = base::Error(answer.error()).in(fmt::format("{} ({})", what, request.server));
  // What is absent here are credentials, not an object.
  if (error.code == Code::kNotFound) error.code = Code::kPermissionDenied;
  if (error.code == Code::kDeadlineExceeded) error.code = Code::kUnavailable;
  return std::unexpected(std::move(error));
}

}  // namespace objstore
