#include "api/manifest.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace api {
namespace {

std::string read_example(const std::string& name) {
  std::ifstream in("examples/" + name);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string all_lines(const Manifest& manifest) {
  std::string out;
  for (const auto severity : {Severity::kError, Severity::kWarning})
    for (const auto& line : manifest.lines(severity)) out += line + "\n";
  return out;
}

TEST(Manifest, ProductionExampleIsReadVerbatim) {
  const auto manifest =
      parse_manifest(read_example("production-etcd.yaml"), "production-etcd.yaml", Platform::kHost);
  ASSERT_TRUE(manifest.ok()) << all_lines(manifest);
  ASSERT_EQ(manifest.documents.size(), 1U);
  const Cluster& cluster = *manifest.documents[0].cluster();
  EXPECT_EQ(cluster.group, Group::kOperatorEtcdIo);
  EXPECT_EQ(cluster.key.text(), "default/production-etcd");
  EXPECT_EQ(cluster.spec.size, 3);
  EXPECT_EQ(cluster.spec.version.text(), "3.5.12");
  EXPECT_TRUE(cluster.spec.storage.given);
  EXPECT_EQ(cluster.spec.storage.storage_class, "standard");
  EXPECT_EQ(cluster.spec.storage.request_bytes, std::int64_t{10} << 30);
  ASSERT_TRUE(cluster.spec.backup.has_value());
  EXPECT_TRUE(cluster.spec.backup->enabled);
  EXPECT_EQ(cluster.spec.backup->interval, std::chrono::hours(1));
  EXPECT_EQ(cluster.spec.backup->max_backups, 5);
  EXPECT_FALSE(cluster.spec.backup->destination.has_value());
  EXPECT_FALSE(cluster.spec.restore.has_value());
  EXPECT_EQ(cluster.spec.tls.mode, TlsMode::kRequired);
  EXPECT_EQ(cluster.fields_not_acted_on,
            (std::vector<std::string>{"spec.storage.type (no meaning on a host)",
                                      "spec.storage.spec (no meaning on a host)"}));
}

TEST(Manifest, CloudExampleIsReadVerbatim) {
  const auto manifest =
      parse_manifest(read_example("cloud-etcd.yaml"), "cloud-etcd.yaml", Platform::kHost);
  ASSERT_TRUE(manifest.ok()) << all_lines(manifest);
  const Cluster& cluster = *manifest.documents.at(0).cluster();
  EXPECT_EQ(cluster.group, Group::kCoreOs);
  EXPECT_EQ(cluster.key.text(), "default/cloud-etcd");
  EXPECT_EQ(cluster.spec.size, 3);
  EXPECT_EQ(cluster.spec.version.text(), "3.5.12");
  EXPECT_FALSE(cluster.spec.storage.given);
  EXPECT_EQ(cluster.spec.image_repository, "quay.io/coreos/etcd");
  EXPECT_EQ(cluster.spec.pod.raw_json.at("resources"),
            R"({"requests":{"cpu":"500m","memory":"512Mi"}})");
  ASSERT_TRUE(cluster.spec.backup && cluster.spec.backup->destination);
  EXPECT_EQ(cluster.spec.backup->destination->kind, "s3");
  EXPECT_EQ(cluster.spec.backup->destination->path, "my-etcd-backups");
  EXPECT_EQ(cluster.spec.backup->destination->secret, "aws-secret");
  EXPECT_EQ(cluster.spec.backup->interval, std::chrono::hours(2));
  EXPECT_EQ(cluster.spec.backup->max_backups, 10);
  ASSERT_TRUE(cluster.spec.restore && cluster.spec.restore->source);
  EXPECT_EQ(cluster.spec.restore->source->path, "my-etcd-backups");
  EXPECT_EQ(cluster.spec.restore->source->secret, "aws-secret") << "as the backup block's";
  EXPECT_FALSE(cluster.spec.restore->required);
  EXPECT_EQ(cluster.fields_not_acted_on,
            (std::vector<std::string>{"spec.pod (no meaning on a host)"}));
}

}  // namespace
}  // namespace api
