#include "api/schema.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "api/decode.h"
#include "api/status_json.h"

namespace api {
namespace {

using json::Value;

struct Shape {
  std::string name;
  Group group;
  Value schema;
  void (*decode)(Fields&, Group);
};

void decode_cluster(Fields& root, Group group) {
  if (group == Group::kCoreOs)
    decode_coreos_cluster(root);
  else
    decode_operator_cluster(root);
}
void decode_backup_object(Fields& root, Group group) {
  decode_backup_request(root, group);
}
void decode_restore_object(Fields& root, Group group) {
  decode_restore_request(root, group);
}

std::vector<Shape> shapes() {
  std::vector<Shape> out;
  for (const auto group : {Group::kOperatorEtcdIo, Group::kCoreOs}) {
    const std::string of = group == Group::kCoreOs ? " (CoreOS)" : "";
    out.push_back({"EtcdCluster" + of, group, cluster_schema(group), decode_cluster});
    out.push_back({"EtcdBackup" + of, group, backup_schema(group), decode_backup_object});
    out.push_back({"EtcdRestore" + of, group, restore_schema(group), decode_restore_object});
  }
  return out;
}

Value* properties_of(Value& node) {
  return node.is_object() && node.find("properties") != nullptr ? &node["properties"] : nullptr;
}

// Every declared field once, at any depth: objects are there, everything else is null.
Value hollow(Value& node) {
  auto* properties = properties_of(node);
  if (properties == nullptr) return {};
  json::Object out;
  for (auto& [name, child] : *properties->if_object()) out[name] = hollow(child);
  return out;
}

Report decoded(const Shape& shape, const Value& document) {
  Report report;
  {
    Fields root(&document, "", report);
    for (const auto* known : {"apiVersion", "kind", "status"}) root.has(known);
    shape.decode(root, shape.group);
  }
  return report;
}

std::set<std::string> unknown_fields(const Shape& shape, const Value& document) {
  std::set<std::string> out;
  for (const auto& problem : decoded(shape, document).problems())
    if (problem.message.find("unknown field") != std::string::npos) out.insert(problem.path);
  return out;
}

// Some fields are read only in the absence of others, so the document comes in some variants.
std::vector<Value> variants_of(const Value& document) {
  Value nested = document, inline_only = document, s3 = document, abs = document;
  if (document.at("spec.restore.restorePolicy") != nullptr) {
    auto& policy = *nested["spec"]["restore"]["restorePolicy"].if_object();
    for (const auto* store : {"s3", "gcs", "abs", "oss", "local", "pvc"}) policy.erase(store);
    inline_only["spec"]["restore"]["restorePolicy"].if_object()->erase("storageSource");
  }
  if (document.at("spec.backup.storageType") != nullptr) {
    s3["spec"]["backup"]["storageType"] = "S3";
    abs["spec"]["backup"]["storageType"] = "ABS";
  }
  return {nested, inline_only, s3, abs};
}

TEST(Schema, NothingIsDeclaredThatNoDecoderReads) {
  for (auto& shape : shapes()) {
    const auto document = hollow(shape.schema);
    std::set<std::string> unread = unknown_fields(shape, document);
    for (const auto& variant : variants_of(document)) {
      const auto here = unknown_fields(shape, variant);
      std::erase_if(unread, [&](const std::string& path) { return !here.contains(path); });
    }
    for (const auto& path : unread) ADD_FAILURE() << shape.name << " " << path;
  }
}

struct Leaf {
  std::string path;
  Value node;
};

void collect(Value& node, const std::string& path, std::vector<Leaf>& out) {
  out.push_back({path, node});
  if (auto* properties = properties_of(node))
    for (auto& [name, child] : *properties->if_object())
      collect(child, path.empty() ? name : path + "." + name, out);
}

std::vector<Leaf> spec_leaves(Shape& shape) {
  std::vector<Leaf> out;
  collect(shape.schema["properties"]["spec"], "spec", out);
  return out;
}

// A document in which only this field is set, and what makes the decoder look at it.
Value document_with(const std::string& path, const Value& value) {
  Value document = json::Object{};
  const auto put = [&](std::string_view at, const Value& what) {
    Value* node = &document;
    for (size_t dot = at.find('.'); dot != std::string_view::npos; dot = at.find('.')) {
      node = &(*node)[at.substr(0, dot)];
      at.remove_prefix(dot + 1);
    }
    (*node)[at] = what;
  };
  if (path.starts_with("spec.restore.")) put("spec.restore.backupClusterName", "a");
  if (path.starts_with("spec.backup.pv.")) put("spec.backup.storageType", "PersistentVolume");
  put(path, value);
  return document;
}

bool refuses(const Shape& shape, const std::string& path, const Value& value) {
  const auto report = decoded(shape, document_with(path, value));
  return std::ranges::any_of(report.problems(), [&](const Problem& problem) {
    return problem.severity == Severity::kError && problem.path == path &&
           (problem.message.find("is not allowed") != std::string::npos ||
            problem.message.find("is needed") != std::string::npos);
  });
}

TEST(Schema, NumbersHaveTheBoundsOfTheDecoders) {
  size_t checked = 0;
  for (auto& shape : shapes())
    for (const auto& leaf : spec_leaves(shape)) {
      if (leaf.node.find("type") == nullptr || *leaf.node.find("type") != Value("integer"))
        continue;
      // Kept as it is for Kubernetes.
      if (leaf.path.ends_with("terminationGracePeriodSeconds")) continue;
      if (leaf.node.find("minimum") == nullptr) continue;  // any that 64 bits hold
      const auto least = *leaf.node.find("minimum")->as_int();
      EXPECT_FALSE(refuses(shape, leaf.path, least)) << shape.name << " " << leaf.path;
      EXPECT_TRUE(refuses(shape, leaf.path, least - 1)) << shape.name << " " << leaf.path;
      if (const auto* most = leaf.node.find("maximum")) {
        EXPECT_FALSE(refuses(shape, leaf.path, *most)) << shape.name << " " << leaf.path;
        EXPECT_TRUE(refuses(shape, leaf.path, *most->as_int() + 1))
            << shape.name << " " << leaf.path;
      }
      ++checked;
    }
  EXPECT_GE(checked, 30U);
}

TEST(Schema, ChoicesAreThoseOfTheDecoders) {
  size_t checked = 0;
  for (auto& shape : shapes())
    for (const auto& leaf : spec_leaves(shape)) {
      const auto* allowed = leaf.node.find("enum");
      if (allowed == nullptr) continue;
      for (const auto& value : *allowed->if_array())
        EXPECT_FALSE(refuses(shape, leaf.path, value)) << shape.name << " " << leaf.path;
      EXPECT_TRUE(refuses(shape, leaf.path, "Whatever")) << shape.name << " " << leaf.path;
      ++checked;
    }
  EXPECT_GE(checked, 20U);
}

// A default that the API server fills in says what the decoder would have taken anyway.
TEST(Schema, DefaultsChangeNothing) {
  size_t checked = 0;
  for (auto& shape : shapes())
    for (const auto& leaf : spec_leaves(shape)) {
      const auto* fallback = leaf.node.find("default");
      if (fallback == nullptr) continue;
      EXPECT_FALSE(refuses(shape, leaf.path, *fallback)) << shape.name << " " << leaf.path;
      ++checked;
    }
  EXPECT_GE(checked, 20U);
}

ClusterStatus full_status() {
  ClusterStatus status;
  const auto now = base::parse_rfc3339("2026-11-21T12:00:00Z").value();
  status.phase = Phase::kRunning;
  status.observed_generation = 3;
  status.observed_at = now;
  status.conditions = {{ConditionType::kAvailable, Truth::kTrue, "Healthy", "well", now}};
  status.members = {{"a-0", {1}, Role::kLeader, Version{3, 5, 12, {}}, Truth::kTrue, 5, 4, "n"}};
  status.desired_size = status.current_size = status.ready_size = 1;
  status.cluster_id = {7};
  status.leader = {1};
  status.selector = "x=y";
  status.current_version = status.target_version = Version{3, 5, 12, {}};
  status.endpoints = {"https://a-client:2379"};
  status.last_backup = {now, 5, "s3://b", true};
  status.operation = {"op", "Upgrade", "restart", now, now, "r"};
  status.bootstrap = {"New", 1, now};
  return status;
}

void expect_declared(const Value& value, const Value& node, const std::string& path) {
  if (const auto* items = value.if_array()) {
    ASSERT_NE(node.find("items"), nullptr) << path;
    for (const auto& item : *items) expect_declared(item, *node.find("items"), path + "[]");
  } else if (const auto* members = value.if_object()) {
    for (const auto& [name, child] : *members) {
      const auto* properties = node.find("properties");
      ASSERT_NE(properties, nullptr) << path;
      const auto* below = properties->find(name);
      ASSERT_NE(below, nullptr) << path << "." << name << " would be dropped";
      expect_declared(child, *below, path + "." + name);
    }
  } else {
    const std::string type = *node.find("type")->if_string();
    EXPECT_EQ(type, value.is_string()   ? "string"
                    : value.is_number() ? "integer"
                                        : "boolean")
        << path;
  }
}

TEST(Schema, EveryFieldOfTheStatusIsDeclared) {
  const auto schema = cluster_schema(Group::kOperatorEtcdIo);
  expect_declared(to_json(full_status()), *schema.at("properties.status"), "status");
}

TEST(Schema, EveryFieldOfTheOtherGroupsStatusIsDeclared) {
  const auto schema = cluster_schema(Group::kCoreOs);
  const auto& declared = *schema.at("properties.status");
  Cluster cluster;
  cluster.key.name = "a";
  auto status = full_status();
  status.operation->kind = "ScaleUp";
  const auto value = to_coreos_json(status, cluster);
  expect_declared(value, declared, "status");
  EXPECT_EQ(*value.at("phase"), Value("Running"));
  EXPECT_EQ(*value.at("serviceName"), Value("a-client"));
  EXPECT_EQ(*value.at("members.ready.0"), Value("a-0-0"));
  EXPECT_EQ(value.at("members.unready"), nullptr);
  EXPECT_EQ(*value.at("conditions.1.type"), Value("Scaling"));
  EXPECT_EQ(*value.at("memberStatus.0.name"), Value("a-0"));
  status.operation->kind = "Upgrade";
  EXPECT_EQ(*to_coreos_json(status, cluster).at("conditions.1.type"), Value("Upgrading"));
}

// It never says Running when a person is needed, nor ready of what was not seen to be healthy.
TEST(Schema, TheOtherGroupsStatusIsTruthful) {
  Cluster cluster;
  auto status = full_status();
  status.members[0].healthy = Truth::kUnknown;
  status.conditions[0].status = Truth::kFalse;
  status.conditions[0].message = "no quorum";
  auto value = to_coreos_json(status, cluster);
  EXPECT_EQ(*value.at("reason"), Value("no quorum"));
  EXPECT_EQ(value.at("members.ready"), nullptr);
  EXPECT_EQ(value.at("members.unready")->if_array()->size(), 1U);
  status.conditions.push_back({ConditionType::kNeedsApproval, Truth::kTrue, "Lost", "asks", {}});
  value = to_coreos_json(status, cluster);
  EXPECT_EQ(*value.at("phase"), Value("Failed"));
  EXPECT_EQ(*value.at("reason"), Value("asks"));
  status = ClusterStatus();
  EXPECT_EQ(*to_coreos_json(status, cluster).at("phase"), Value(""));
}

}  // namespace
}  // namespace api
