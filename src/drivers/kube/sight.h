// What the objects of one member say of it. Pure: the objects are found elsewhere.
#pragma once

#include <optional>
#include <string>

#include "base/fact.h"
#include "guard/files.h"
#include "json/value.h"
#include "kube/store.h"
#include "plan/observation.h"
#include "plan/record.h"

namespace k8s {

using Found = base::Fact<kube::Object>;

struct Sight {
  Found set, pod, claim;
  Found volume;              // the PersistentVolume that holds, or held, its claim
  Found node;                // the pod's; absent: the Node object is gone
  bool has_claims = true;    // false: its data lives and ends with its pod
  std::string refusal = {};  // why the pod cannot be made, in the server's words
};

// Without the certificates. How it is judged, where it is not plain:
//   process  a pod on a node that is gone or not ready is unknown, also when it has "ended" there
//   data     of a stopped member its claim's label tells: only "member" counts as data; proof of a
//            loss is its guard's verdict, or that claim and volume are both seen to be gone
//   ticket   of the set's template, once the set's controller has observed it; its member list as
//            the pod has it
plan::MemberFacts judge(const Sight& sight, const plan::MemberRecord& member);

// Small reads of objects.
std::string text_at(const json::Value& object, std::string_view path);  // "" if absent
std::string label(const json::Value& object, std::string_view key);
std::string annotation(const json::Value& object, std::string_view key);
std::string template_annotation(const json::Value& set, std::string_view key);
bool is_going(const json::Value& object);  // it is being deleted
// The uid of the owner that controls it; empty: none does.
std::string owner_uid(const json::Value& object);
bool is_ready(const json::Value& node_or_pod);  // its condition Ready is True
// Of a member's container; no value: none, or not in the guard's form.
std::optional<guard::Verdict> verdict_of(const json::Value& pod);
// "observedGeneration" has come to "generation".
bool is_observed(const json::Value& object);

// Kept on the set when its pod is stopped: the last final verdict.
inline constexpr std::string_view kVerdictAnnotation = "operator.etcd.io/verdict";

}  // namespace k8s
