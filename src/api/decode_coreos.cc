// etcd.database.coreos.com/v1beta2 EtcdCluster: the fields of 0.9.4, those of 0.5–0.6, the forms
// that articles show, and our own beside them.
#include <fmt/format.h>

#include "api/decode.h"
#include "api/etcd_options.h"
#include "api/names.h"

namespace api {
namespace {

void decode_pod(Fields& spec, ClusterSpec& into) {
  auto pod = spec.object("pod");
  into.pod.labels = pod.text_map("labels");
  check_labels(pod, "labels", into.pod.labels, true);
  into.pod.node_selector = pod.text_map("nodeSelector");
  check_labels(pod, "nodeSelector", into.pod.node_selector, false);
  into.pod.annotations = pod.text_map("annotations");
  check_annotation_keys(pod, "annotations", into.pod.annotations);
  if (into.pod.annotations.contains("etcd.version"))
    pod.error("annotations", "etcd.version is set by the operator itself; use another key");
  decode_resources(pod, into.pod);
  if (const auto* env = pod.raw("etcdEnv"))
    decode_environment(*env, pod.path_of("etcdEnv"), pod.report(), into);
  if (pod.boolean("antiAffinity").value_or(false)) keep_raw(pod, "antiAffinity", into.pod);
  for (const auto* name : {"affinity", "tolerations", "securityContext"})
    keep_raw(pod, name, into.pod);
  if (pod.text("busyboxImage")) keep_raw(pod, "busyboxImage", into.pod);
  if (pod.text("ClusterDomain")) keep_raw(pod, "ClusterDomain", into.pod);
  if (pod.integer("DNSTimeoutInSecond")) keep_raw(pod, "DNSTimeoutInSecond", into.pod);
  pod.exclusive({"persistentVolumeClaimSpec", "pv"});
  auto claim = pod.object("persistentVolumeClaimSpec");
  if (claim.given()) decode_claim(claim, into.storage);
  auto volume = pod.object("pv");
  if (volume.given()) {
    into.storage.given = true;
    if (const auto mb = volume.integer("volumeSizeInMB", {1, 1 << 30}))
      into.storage.request_bytes = *mb << 20;
    into.storage.storage_class = volume.text("storageClass");
  }
}

}  // namespace

Cluster decode_coreos_cluster(Fields& root) {
  Cluster out;
  out.group = Group::kCoreOs;
  auto metadata = decode_metadata(root);
  auto spec = root.object("spec");
  if (!spec.given() && !root.has("spec")) root.error("spec", "is required");
  if (spec.given()) {
    out.spec.version = decode_version(spec, kDefaultVersion);
    decode_common(spec, out.spec);
    spec.exclusive({"repository", "baseImage"});
    auto repository = spec.text("repository");
    const auto base_image = spec.text("baseImage");
    if (!repository) repository = base_image;
    out.spec.image_repository = repository.value_or(std::string(kCoreOsRepository));
    decode_pod(spec, out.spec);
    auto tls = spec.object("TLS");
    decode_static_tls(tls, out.spec.tls);
    decode_tls_annotation(metadata, root.report(), out.spec);
    out.spec.backup = decode_backup(spec, out.group);
    out.spec.restore = decode_restore(spec, out.spec.backup);
    auto self_hosted = spec.object("selfHosted");
    self_hosted.text("bootMemberClientEndpoint");
    self_hosted.boolean("skipBootMemberRemoval");
  }
  out.key = std::move(metadata.key);
  out.uid = std::move(metadata.uid);
  out.generation = metadata.generation;
  out.labels = std::move(metadata.labels);
  out.annotations = std::move(metadata.annotations);
  return out;
}

}  // namespace api
