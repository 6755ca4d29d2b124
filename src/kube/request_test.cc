#include "kube/request.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace kube {
namespace {

std::string said(const Request& request) {
  EXPECT_EQ(request.fault, "");
  return std::string(name_of(request.method)) + " " + request.target();
}

TEST(Request, Reads) {
  EXPECT_EQ(said(get(kPods, {"shop", "orders-0"})), "GET /api/v1/namespaces/shop/pods/orders-0");
  EXPECT_EQ(said(get(kNodes, {"", "n1"})), "GET /api/v1/nodes/n1");
  EXPECT_EQ(said(get(kEtcdClusters, {"shop", "orders"})),
            "GET /apis/operator.etcd.io/v1alpha1/namespaces/shop/etcdclusters/orders");
  EXPECT_EQ(said(of_part(get(kStatefulSets, {"a", "b"}), "scale")),
            "GET /apis/apps/v1/namespaces/a/statefulsets/b/scale");
  EXPECT_EQ(said(raw_get("/version")), "GET /version");
  EXPECT_EQ(get(kPods, {"shop", "orders-0"}).what, "get pods shop/orders-0");
}

TEST(Request, ListsByPageAndSelector) {
  EXPECT_EQ(said(list(kPods, "", {.limit = 0})), "GET /api/v1/pods");
  EXPECT_EQ(
      said(list(kPods, "shop",
                {.selection = {.labels = "app=etcd,x in (a,b)", .fields = "spec.nodeName=n"}})),
      "GET /api/v1/namespaces/shop/pods?labelSelector=app%3Detcd%2Cx%20in%20%28a%2Cb%29"
      "&fieldSelector=spec.nodeName%3Dn&limit=500");
  EXPECT_EQ(said(list(kPods, "", {.limit = 2, .resource_version = "0"})),
            "GET /api/v1/pods?limit=2&resourceVersion=0");
  // A version beside a page is refused by the server.
  EXPECT_EQ(said(list(kPods, "", {.limit = 2, .page = "a+b/=", .resource_version = "0"})),
            "GET /api/v1/pods?limit=2&continue=a%2Bb%2F%3D");
}

TEST(Request, WatchesWithBookmarks) {
  EXPECT_EQ(said(watch(kPods, "shop",
                       {.selection = {.labels = "app=etcd"},
                        .resource_version = "17",
                        .timeout = base::Duration(1500)})),
            "GET /api/v1/namespaces/shop/pods?watch=1&allowWatchBookmarks=true"
            "&labelSelector=app%3Detcd&resourceVersion=17&timeoutSeconds=2");
}

json::Value object() {
  return json::Object{{"metadata", json::Object{{"name", "b"}}}, {"x", 1}};
}

TEST(Request, CreatesAndReplaces) {
  const auto made = create(kStatefulSets, "a", object());
  EXPECT_EQ(said(made), "POST /apis/apps/v1/namespaces/a/statefulsets?fieldManager=etcd-operator");
  EXPECT_EQ(made.content_type, "application/json");
  EXPECT_EQ(made.body,
            R"({"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"b"},"x":1})");
  EXPECT_EQ(made.what, "create statefulsets a/b");
  const auto put = replace(kConfigMaps, {"a", "b"}, object());
  EXPECT_EQ(said(put), "PUT /api/v1/namespaces/a/configmaps/b?fieldManager=etcd-operator");
  EXPECT_EQ(put.body, R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b"},"x":1})");
}

TEST(Request, AppliesAsAManager) {
  const auto forced = apply(kServices, {"a", "b"}, object());
  EXPECT_EQ(said(forced),
            "PATCH /api/v1/namespaces/a/services/b?fieldManager=etcd-operator&force=true");
  EXPECT_EQ(forced.content_type, "application/apply-patch+yaml");
  EXPECT_EQ(said(of_part(
                apply(kEtcdClusters, {"a", "b"}, object(), {.manager = "status", .force = false}),
                "status")),
            "PATCH /apis/operator.etcd.io/v1alpha1/namespaces/a/etcdclusters/b/status"
            "?fieldManager=status");
  EXPECT_NE(apply(kServices, {"a", "b"}, object(), {.manager = ""}).fault, "");
}

TEST(Request, PatchesWhatIsExpected) {
  const json::Value patch = json::Object{{"spec", json::Object{{"y", nullptr}}}};
  const auto merge = merge_patch(kPods, {"a", "b"}, patch, {.uid = "u", .resource_version = "7"});
  EXPECT_EQ(merge.content_type, "application/merge-patch+json");
  EXPECT_EQ(merge.body, R"({"spec":{"y":null},"metadata":{"uid":"u","resourceVersion":"7"}})");
  EXPECT_EQ(merge_patch(kPods, {"a", "b"}, patch).body, R"({"spec":{"y":null}})");
  const auto operations =
      json_patch(kPods, {"a", "b"}, {json::Object{{"op", "remove"}, {"path", "/x"}}},
                 {.resource_version = "7"});
  EXPECT_EQ(operations.content_type, "application/json-patch+json");
  EXPECT_EQ(operations.body, R"([{"op":"test","path":"/metadata/resourceVersion","value":"7"},)"
                             R"({"op":"remove","path":"/x"}])");
}

TEST(Request, DeletesEvictsAndScales) {
  const auto gone = remove(kClaims, {"a", "b"},
                           {.expected = {.uid = "u", .resource_version = "7"},
                            .propagation = Propagation::kForeground,
                            .grace_seconds = 0});
  EXPECT_EQ(said(gone), "DELETE /api/v1/namespaces/a/persistentvolumeclaims/b");
  EXPECT_EQ(gone.body,
            R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground",)"
            R"("gracePeriodSeconds":0,"preconditions":{"uid":"u","resourceVersion":"7"}})");
  EXPECT_EQ(remove(kPods, {"a", "b"}, {.propagation = Propagation::kOrphan}).body,
            R"({"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Orphan"})");
  const auto out = evict({"a", "b"}, {.expected = {.uid = "u"}});
  EXPECT_EQ(said(out), "POST /api/v1/namespaces/a/pods/b/eviction");
  EXPECT_EQ(out.body,
            R"({"apiVersion":"policy/v1","kind":"Eviction",)"
            R"("metadata":{"name":"b","namespace":"a"},"deleteOptions":{"apiVersion":"v1",)"
            R"("kind":"DeleteOptions","propagationPolicy":"Background",)"
            R"("preconditions":{"uid":"u"}}})");
  const auto scaled = scale(kStatefulSets, {"a", "b"}, 0, {.resource_version = "7"});
  EXPECT_EQ(said(scaled),
            "PATCH /apis/apps/v1/namespaces/a/statefulsets/b/scale?fieldManager=etcd-operator");
  EXPECT_EQ(scaled.body, R"({"spec":{"replicas":0},"metadata":{"resourceVersion":"7"}})");
}

TEST(Request, OtherForms) {
  EXPECT_EQ(said(pod_log({"a", "b"}, {.container = "etcd", .previous = true, .tail_lines = 5})),
            "GET /api/v1/namespaces/a/pods/b/log?container=etcd&previous=true&tailLines=5"
            "&limitBytes=65536");
  EXPECT_EQ(said(dry_run(create(kPods, "a", object()))),
            "POST /api/v1/namespaces/a/pods?fieldManager=etcd-operator&dryRun=All");
  const auto tried = dry_run(remove(kPods, {"a", "b"}));
  EXPECT_EQ(said(tried), "DELETE /api/v1/namespaces/a/pods/b?dryRun=All");
  EXPECT_EQ(tried.body, R"({"apiVersion":"v1","kind":"DeleteOptions",)"
                        R"("propagationPolicy":"Background","dryRun":["All"]})");
}

// A delete whose name is empty would be a delete of the whole collection.
TEST(Request, WhatNamesNoObjectIsFaulty) {
  for (const auto* name : {"", ".", "..", "a/b", "../x"}) {
    EXPECT_NE(remove(kPods, {"a", name}).fault, "") << name;
    EXPECT_NE(get(kPods, {"a", name}).fault, "") << name;
    EXPECT_NE(evict({"a", name}).fault, "") << name;
  }
  EXPECT_NE(remove(kPods, {"", "x"}).fault, "");
  EXPECT_NE(create(kPods, "", object()).fault, "");
  EXPECT_NE(remove(kPods, {"..", "x"}).fault, "");
  EXPECT_NE(get(kNodes, {"a", "x"}).fault, "");
  EXPECT_NE(raw_get("version").fault, "");
  EXPECT_EQ(get(kPods, {"a", "x?y#z"}).target(), "/api/v1/namespaces/a/pods/x%3Fy%23z");
}

}  // namespace
}  // namespace kube
