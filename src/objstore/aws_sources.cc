#include "objstore/aws_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "json/json.h"
#include "objstore/s3_words.h"
#include "objstore/xml.h"

namespace objstore {
namespace {

using base::Code;
using Fresh = Kept<AwsKeys>::Fresh;
using Profile = std::map<std::string, std::string, std::less<>>;

constexpr int kMostRoles = 5;  // profiles that lead to each other

// The parts that outlive the call which makes a source.
struct Shared {
  Surroundings around;
  std::shared_ptr<Asker> asker;  // of several sources: a role and what it is taken with
};

std::string value_of(const Profile& profile, std::string_view key) {
  const auto found = profile.find(key);
  return found == profile.end() ? std::string() : found->second;
}

Courier::Options quick(unsigned tries, base::Duration attempt) {
  Courier::Options options;
  options.tries = tries;
  options.attempt = attempt;
  options.max_answer = size_t{1} << 20;
  return options;
}

struct Role {
  std::string arn, session, external_id, token_file, region, endpoint;
  std::string seconds = "3600";
};

base::Result<Request> sts_request(const Role& role, Pairs fields) {
  const auto region = s3::is_region(role.region) ? role.region : std::string("us-east-1");
  auto url = role.endpoint;
  if (url.empty())
    url = fmt::format("https://sts.{}.amazonaws.com{}", region,
                      region.starts_with("cn-") ? ".cn" : "");
  TRY(auto request, request_of(url, "the endpoint of STS"));
  request.method = "POST";
  fields.emplace_back("Version", "2011-06-15");
  fields.emplace_back("RoleArn", role.arn);
  fields.emplace_back("RoleSessionName", role.session.empty() ? "etcd-operator" : role.session);
  fields.emplace_back("DurationSeconds", role.seconds);
  request.body = to_form(fields);
  request.set("Content-Type", "application/x-www-form-urlencoded");
  return request;
}

std::unique_ptr<AwsCredentials> by_web_identity(const Shared& shared, const Role& role) {
  return fetched_aws_keys([shared, role](base::Instant, const Call& call) -> base::Result<Fresh> {
    // Anew each time: it is replaced long before it ends.
    TRY(const auto token, read_trimmed(shared.around, role.token_file));
    TRY(const auto request,
        sts_request(role, {{"Action", "AssumeRoleWithWebIdentity"}, {"WebIdentityToken", token}}));
    TRY(const auto reply, shared.asker->ask(request, "web identity of " + role.arn, call));
    return aws::parse_sts(reply.body);
  });
}

std::unique_ptr<AwsCredentials> by_role(const Shared& shared, const Role& role,
                                        std::unique_ptr<AwsCredentials> with) {
  // Shared because a std::function must be copyable.
  return fetched_aws_keys([shared, role, with = std::shared_ptr<AwsCredentials>(std::move(with))](
                              base::Instant now, const Call& call) -> base::Result<Fresh> {
    TRY(const auto keys, with->get(now, call));
    Pairs fields = {{"Action", "AssumeRole"}};
    if (!role.external_id.empty()) fields.emplace_back("ExternalId", role.external_id);
    TRY(auto request, sts_request(role, std::move(fields)));
    const auto region = s3::is_region(role.region) ? role.region : std::string("us-east-1");
    if (keys) sign_v4(request, *keys, {.region = region, .service = "sts"}, now);
    TRY(const auto reply, shared.asker->ask(request, "role " + role.arn, call));
    return aws::parse_sts(reply.body);
  });
}

base::Result<std::unique_ptr<AwsCredentials>> by_container(const Shared& shared) {
  const auto relative = env_of(shared.around, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const auto full = env_of(shared.around, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
  const auto url = relative.empty() ? full : "http://169.254.170.2" + relative;
  TRY(auto request, request_of(url, "the address of the container's credentials"));
  TRY_OK(aws::check_container_url(request));
  return fetched_aws_keys(
      [shared, request](base::Instant, const Call& call) mutable -> base::Result<Fresh> {
        auto token = env_of(shared.around, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
        if (const auto file = env_of(shared.around, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
            !file.empty()) {
          TRY(token, read_trimmed(shared.around, file));
        }
        if (!token.empty()) request.set("Authorization", token);
        TRY(const auto reply, shared.asker->ask(request, "the container's credentials", call));
        return aws::parse_keys_json(reply.body);
      });
}

std::unique_ptr<AwsCredentials> by_instance(const Shared& shared) {
  return fetched_aws_keys([shared](base::Instant, const Call& call) -> base::Result<Fresh> {
    constexpr std::string_view kWhat = "the instance's metadata";
    auto server = env_of(shared.around, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (server.empty()) server = "http://169.254.169.254";
    while (server.ends_with('/')) server.pop_back();
    Request ask{.method = "PUT", .server = server, .path = "/latest/api/token"};
    ask.set("X-aws-ec2-metadata-token-ttl-seconds", "300");
    auto token = shared.asker->ask(ask, kWhat, call);
    if (!token) {
      token.error().message +=
          "; no credentials were given, and none of this machine were found: check the Secret of "
          "the backup, the service account's role, and in pods the hop limit of the instance";
      return std::unexpected(token.error());
    }
    Request names{.server = server, .path = "/latest/meta-data/iam/security-credentials/"};
    names.set("X-aws-ec2-metadata-token", std::string(base::trim(token->body)));
    TRY(const auto roles, shared.asker->ask(names, kWhat, call));
    const auto role = base::trim(roles.body);
    if (role.empty() || role.find_first_of("/\r\n ?#") != std::string_view::npos)
      return base::fail(Code::kPermissionDenied, "this instance has no role");
    auto keys = names;
    keys.path += role;
    TRY(const auto reply, shared.asker->ask(keys, kWhat, call));
    return aws::parse_keys_json(reply.body);
  });
}

class Profiles {
 public:
  Profiles(Shared shared, const Ini& credentials, const Ini& config)
      : shared_(std::move(shared)), credentials_(credentials), config_(config) {}

  // What both files say; the one with the credentials wins.
  [[nodiscard]] Profile merged(const std::string& name) const {
    Profile all;
    for (const auto& section : {std::string("profile ") + name, name})
      if (const auto found = config_.find(section); found != config_.end())
        for (const auto& [key, value] : found->second) all.insert_or_assign(key, value);
    if (const auto found = credentials_.find(name); found != credentials_.end())
      for (const auto& [key, value] : found->second) all.insert_or_assign(key, value);
    return all;
  }

  // Null: the profile says nothing of credentials.
  [[nodiscard]] base::Result<std::unique_ptr<AwsCredentials>> credentials(const std::string& name,
                                                                          int depth = 0) const {
    if (depth > kMostRoles)
      return base::fail(Code::kInvalidArgument, "source_profile leads from profile to profile");
    const auto profile = merged(name);
    const Role role{.arn = value_of(profile, "role_arn"),
                    .session = value_of(profile, "role_session_name"),
                    .external_id = value_of(profile, "external_id"),
                    .token_file = value_of(profile, "web_identity_token_file"),
                    .region = value_of(profile, "region"),
                    .endpoint = env_of(shared_.around, "AWS_ENDPOINT_URL_STS")};
    if (!role.arn.empty() && !role.token_file.empty()) return by_web_identity(shared_, role);
    if (!role.arn.empty()) {
      TRY(auto with, source_of(profile, name, depth));
      return by_role(shared_, role, std::move(with));
    }
    const AwsKeys keys{.id = value_of(profile, "aws_access_key_id"),
                       .secret = value_of(profile, "aws_secret_access_key"),
                       .session_token = value_of(profile, "aws_session_token")};
    if (keys.id.empty() && keys.secret.empty()) return nullptr;
    if (keys.id.empty() || keys.secret.empty())
      return base::fail(Code::kInvalidArgument,
                        fmt::format("the profile {} has only one of aws_access_key_id and "
                                    "aws_secret_access_key",
                                    name));
    return fixed_aws_keys(keys);
  }

 private:
  [[nodiscard]] base::Result<std::unique_ptr<AwsCredentials>> source_of(const Profile& profile,
                                                                        const std::string& name,
                                                                        int depth) const {
    const auto other = value_of(profile, "source_profile");
    const auto source = value_of(profile, "credential_source");
    if (!other.empty()) {
      // A profile may name itself: then its own keys are meant.
      auto keys = other == name ? own_keys(profile) : credentials(other, depth + 1);
      if (keys && *keys == nullptr)
        return base::fail(Code::kInvalidArgument,
                          fmt::format("the profile {} has no credentials", other));
      return keys;
    }
    if (source == "EcsContainer") return by_container(shared_);
    if (source == "Ec2InstanceMetadata") return by_instance(shared_);
    if (source == "Environment")
      return fixed_aws_keys({.id = env_of(shared_.around, "AWS_ACCESS_KEY_ID"),
                             .secret = env_of(shared_.around, "AWS_SECRET_ACCESS_KEY"),
                             .session_token = env_of(shared_.around, "AWS_SESSION_TOKEN")});
    return base::fail(Code::kInvalidArgument,
                      fmt::format("the profile {} has a role_arn and neither source_profile nor a "
                                  "credential_source that is known",
                                  name));
  }
  static base::Result<std::unique_ptr<AwsCredentials>> own_keys(const Profile& profile) {
    AwsKeys keys{.id = value_of(profile, "aws_access_key_id"),
                 .secret = value_of(profile, "aws_secret_access_key"),
                 .session_token = value_of(profile, "aws_session_token")};
    if (keys.id.empty()) return nullptr;
    return fixed_aws_keys(std::move(keys));
  }

  const Shared shared_;
  const Ini& credentials_;
  const Ini& config_;
};

void set_places(AwsSetup& setup, const Profile& profile, const Surroundings& around) {
  const auto first = [](std::initializer_list<std::string> values) {
    for (const auto& value : values)
      if (!value.empty()) return value;
    return std::string();
  };
  setup.region = first({value_of(profile, "region"), env_of(around, "AWS_REGION"),
                        env_of(around, "AWS_DEFAULT_REGION")});
  setup.endpoint =
      first({value_of(profile, "s3.endpoint_url"), value_of(profile, "endpoint_url"),
             env_of(around, "AWS_ENDPOINT_URL_S3"), env_of(around, "AWS_ENDPOINT_URL")});
  const auto style = value_of(profile, "s3.addressing_style");
  setup.path_style = style == "path";
  setup.host_style = style == "virtual";
}

Shared shared_of(const Surroundings& around, const Outside& outside) {
  constexpr base::Duration kAttempt{5'000};
  return {.around = around, .asker = std::make_shared<Asker>(outside, quick(4, kAttempt))};
}

}  // namespace

namespace aws {

base::Result<Fresh> parse_sts(std::string_view xml) {
  const auto root = parse_xml(xml);
  if (!root) return base::fail(Code::kDataLoss, "STS answered no XML");
  for (const auto& result : root->children) {
    const auto* found = result.child("Credentials");
    if (found == nullptr) continue;
    Fresh fresh{.value = {.id = std::string(found->text_at("AccessKeyId")),
                          .secret = std::string(found->text_at("SecretAccessKey")),
                          .session_token = std::string(found->text_at("SessionToken"))}};
    const auto end = base::parse_rfc3339(found->text_at("Expiration"));
    if (fresh.value.id.empty() || fresh.value.secret.empty() || !end) break;
    fresh.expires = *end;
    return fresh;
  }
  return base::fail(Code::kDataLoss, "STS's answer has no whole credentials");
}

base::Result<Fresh> parse_keys_json(std::string_view text) {
  const auto value = json::parse(text);
  if (!value) return base::fail(Code::kDataLoss, "the answer with the credentials is no JSON");
  if (const auto code = json::get_string(*value, "Code"); code && *code != "Success")
    return base::fail(Code::kPermissionDenied, fmt::format("no credentials: {}", quoted(*code)));
  Fresh fresh{.value = {.id = json::get_string(*value, "AccessKeyId").value_or(""),
                        .secret = json::get_string(*value, "SecretAccessKey").value_or(""),
                        .session_token = json::get_string(*value, "Token").value_or("")}};
  const auto end = base::parse_rfc3339(json::get_string(*value, "Expiration").value_or(""));
  if (fresh.value.id.empty() || fresh.value.secret.empty() || !end)
    return base::fail(Code::kDataLoss, "the answer has no whole credentials");
  fresh.expires = *end;
  return fresh;
}

base::Status check_container_url(const Request& request) {
  if (request.server.starts_with("https://")) return {};
  auto host = request.host();
  if (host.starts_with('['))
    host = host.substr(0, host.find(']') + 1);
  else
    host = host.substr(0, host.find(':'));
  for (const std::string_view safe :
       {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost", "127.0.0.1", "[::1]"})
    if (host == safe) return {};
  return base::fail(Code::kInvalidArgument,
                    "the address of the container's credentials is http and not of this machine");
}

}  // namespace aws

base::Result<AwsSetup> aws_from_files(const AwsFiles& files, const Surroundings& around,
                                      const Outside& outside) {
  TRY_IN("credentials", const auto credentials, parse_ini(files.credentials));
  TRY_IN("config", const auto config, parse_ini(files.config));
  const Profiles profiles(shared_of(around, outside), credentials, config);
  AwsSetup setup{.credentials = nullptr, .source = "the profile " + files.profile};
  TRY(setup.credentials, profiles.credentials(files.profile));
  if (setup.credentials == nullptr)
    return base::fail(Code::kInvalidArgument,
                      fmt::format("no credentials in the profile {}: aws_access_key_id and "
                                  "aws_secret_access_key are missing",
                                  files.profile));
  set_places(setup, profiles.merged(files.profile), around);
  return setup;
}

base::Result<AwsSetup> aws_ambient(const Surroundings& around, const Outside& outside) {
  const auto shared = shared_of(around, outside);
  const auto home = env_of(around, "HOME");
  const auto file = [&](const std::string& variable, const std::string& usual) {
    const auto named = env_of(around, variable);
    return around.read(named.empty() ? home + usual : named).value_or("");
  };
  auto name = env_of(around, "AWS_PROFILE");
  if (name.empty()) name = "default";
  TRY_IN("shared credentials file", const auto credentials,
         parse_ini(file("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials")));
  TRY_IN("shared config file", const auto config,
         parse_ini(file("AWS_CONFIG_FILE", "/.aws/config")));
  const Profiles profiles(shared, credentials, config);
  AwsSetup setup;
  set_places(setup, profiles.merged(name), around);
  const AwsKeys keys{.id = env_of(around, "AWS_ACCESS_KEY_ID"),
                     .secret = env_of(around, "AWS_SECRET_ACCESS_KEY"),
                     .session_token = env_of(around, "AWS_SESSION_TOKEN")};
  const Role role{.arn = env_of(around, "AWS_ROLE_ARN"),
                  .session = env_of(around, "AWS_ROLE_SESSION_NAME"),
                  .external_id = {},
                  .token_file = env_of(around, "AWS_WEB_IDENTITY_TOKEN_FILE"),
                  .region = setup.region,
                  .endpoint = env_of(around, "AWS_ENDPOINT_URL_STS")};
  if (!keys.id.empty() && !keys.secret.empty()) {
    setup.credentials = fixed_aws_keys(keys);
    setup.source = "the environment";
    return setup;
  }
  if (!role.arn.empty() && !role.token_file.empty()) {
    setup.credentials = by_web_identity(shared, role);
    setup.source = "the web identity of " + role.arn;
    return setup;
  }
  TRY(setup.credentials, profiles.credentials(name));
  setup.source = "the profile " + name;
  if (setup.credentials != nullptr) return setup;
  if (!env_of(around, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty() ||
      !env_of(around, "AWS_CONTAINER_CREDENTIALS_FULL_URI").empty()) {
    TRY(setup.credentials, by_container(shared));
    setup.source = "the container's credentials";
    return setup;
  }
  if (env_of(around, "AWS_EC2_METADATA_DISABLED") == "true")
    return base::fail(Code::kPermissionDenied,
                      "no credentials: none in the environment, the shared files or the container, "
                      "and the instance's metadata may not be asked");
  constexpr base::Duration kAttempt{1'000};
  setup.credentials = by_instance(
      {.around = around, .asker = std::make_shared<Asker>(outside, quick(2, kAttempt))});
  setup.source = "the instance's role";
  return setup;
}

}  // namespace objstore
