// Jobs as JSON; for this module's sources. The lists are found by their arguments' namespace.
#pragma once

#include <string>

#include "archive/fields.h"
#include "archive/job.h"
#include "archive/tier_fields.h"

namespace archive {

// Cut to whole characters, with a sign that it was.
void shorten(std::string& text, size_t size);

template <class A, Is<StoreRef> X>
void fields(A& a, X& x) {
  a("url", x.url, Need::kYes);
  a("secret", x.secret);
  a("endpoint", x.endpoint);
  a("region", x.region);
  a("pathStyle", x.path_style);
  a("storageClass", x.storage_class);
  a("serverSideEncryption", x.encryption);
  a("sseKMSKeyID", x.kms_key);
  a("ca", x.ca);
}
template <class A, Is<Endpoint> X>
void fields(A& a, X& x) {
  a("member", x.member, Need::kYes);
  a("url", x.url, Need::kYes);
}
template <class A, Is<TlsFiles> X>
void fields(A& a, X& x) {
  a("ca", x.ca, Need::kYes);
  a("cert", x.cert, Need::kYes);
  a("key", x.key, Need::kYes);
}
struct ClusterFields {
  std::string ns, name;
};
template <class A, Is<ClusterFields> X>
void fields(A& a, X& x) {
  a("namespace", x.ns, Need::kYes);
  a("name", x.name, Need::kYes);
}
template <class A, Is<Common> X>
void fields(A& a, X& x) {
  ClusterFields cluster{x.cluster.ns, x.cluster.name};
  a("cluster", cluster, Need::kYes);
  if constexpr (!std::is_const_v<X>) x.cluster = {cluster.ns, cluster.name};
  a("store", x.store, Need::kYes);
  a("direct", x.direct);
  a("scratch", x.scratch, Need::kYes);
  a("encryptionKey", x.encryption_key);
  a("deadlineSeconds", x.deadline);
  a("report", x.report);
}
template <class A, Is<RunJob> X>
void fields(A& a, X& x) {
  fields(a, x.common);
  a("incarnation", x.incarnation, Need::kYes);
  a("epoch", x.epoch);
  a("endpoints", x.endpoints, Need::kYes);
  a("tls", x.tls);
  a("maxBackups", x.max_backups);
  a("retention", x.retention);
  a("notBefore", x.not_before);
  a("lastRevision", x.last_revision);
}
template <class A, Is<FetchJob> X>
void fields(A& a, X& x) {
  fields(a, x.common);
  a("name", x.name);
  a("revision", x.to_revision);
  a("time", x.to_time);
  a("latest", x.latest);
  a("incarnation", x.incarnation);
  a("to", x.to, Need::kYes);
  a("exact", x.exact);
}

// What the form alone does not say.
base::Status check(const RunJob& job);

}  // namespace archive
