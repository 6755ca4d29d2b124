// EtcdBackup objects over fakes of Kubernetes: what their stories begin with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/job.h"
#include "conformance/kube_client_story.h"
#include "render/store_jobs.h"

namespace conformance {

class KubeRequestsStory : public KubeClientStory {
 protected:
  static json::Object into_bucket(json::Object spec) {
    spec["storageType"] = "S3";
    spec["s3"] = json::Object{{"path", "backups/etcd"}, {"awsSecret", "aws-secret"}};
    return spec;
  }
  static json::Object of(const std::string& url) {
    return into_bucket({{"etcdEndpoints", json::Array{url}}});
  }
  void ask(const std::string& name, json::Object spec) {
    declare(kube::kCoreosBackups, name, std::move(spec));
  }
  void secret(const std::string& name) {
    node.must(kube::create(kube::kSecrets, "default",
                           json::Object{{"metadata", json::Object{{"name", name}}}}));
  }
  void cluster(const std::string& name) {
    declare(kube::kEtcdClusters, name, {{"size", 1}, {"version", "3.5.12"}});
    ASSERT_TRUE(run_until([&] { return serves(name, 1); }));
  }
  std::optional<bool> succeeded(const std::string& name) {
    const auto* object = find(kube::kCoreosBackups, name);
    const auto* said = object == nullptr ? nullptr : object->at("status.succeeded");
    return said == nullptr ? std::nullopt : std::optional(*said == json::Value(true));
  }
  std::string reason(const std::string& name) {
    return text(kube::kCoreosBackups, name, "status.Reason");
  }
  bool says(const std::string& name, std::string_view words) {
    return reason(name).find(words) != std::string::npos;
  }
  // "Warning BackupFailed: the key is wrong" and how often, of one object.
  std::map<std::string, std::int64_t> events_of(const std::string& name) {
    std::map<std::string, std::int64_t> out;
    for (const auto& event : node.all(kube::kEvents)) {
      const auto says = [&](std::string_view path) {
        return json::get_string(event, path).value_or("");
      };
      if (says("regarding.kind") == "EtcdBackup" && says("regarding.name") == name)
        out[fmt::format("{} {}: {}", says("type"), says("reason"), says("note"))] =
            json::get_int(event, "series.count").value_or(1);
    }
    return out;
  }
  // As Prometheus reads it: "1", "0"; empty: no series.
  std::string healthy(const std::string& name) {
    const auto series = fmt::format(
        "etcd_operator_backup_request_healthy{{namespace=\"default\",backup=\"{}\",group=\"{}\"}} ",
        name, kube::kCoreosBackups.group);
    const auto page = registry.text();
    const auto at = page.find(series);
    if (at == std::string::npos) return {};
    return page.substr(at + series.size(), page.find('\n', at) - at - series.size());
  }
  // Those of one object, the oldest first.
  std::vector<json::Value> jobs_of(const std::string& name) {
    auto out = node.all(kube::kJobs);
    std::erase_if(out, [&](const auto& job) {
      return !json::get_string(job, "metadata.name").value_or("").starts_with(name + "-");
    });
    return out;
  }
  static archive::RunJob file_of(const json::Value& job) {
    const auto* notes = job.at("spec.template.metadata.annotations");
    const auto* text = notes == nullptr ? nullptr : notes->find(render::kJobFileAnnotation);
    const auto file = archive::parse_run_job(text == nullptr ? "" : *text->if_string());
    EXPECT_TRUE(file);
    return file.value_or(archive::RunJob{});
  }
  size_t saved() {
    size_t out = 0;
    for (const auto& [place, all] : node.store.backups) out += all.size();
    return out;
  }
};

}  // namespace conformance
