#include "engine/record_codec.h"

#include <fmt/format.h>

#include <array>
#include <type_traits>

#include "base/text.h"
#include "json/json.h"

namespace engine {
namespace {

constexpr std::string_view kHead = "format 1\n";

template <class E>
struct Names;  // the texts of an enum, in its order
template <>
struct Names<plan::Formation> {
  static constexpr std::array<std::string_view, 3> list{"None", "Forming", "Latched"};
};
template <>
struct Names<plan::Permit> {
  static constexpr std::array<std::string_view, 4> list{"Bootstrap", "Join", "Data", "Restore"};
};
template <>
struct Names<plan::Phase> {
  static constexpr std::array<std::string_view, 7> list{"Forming",  "Adding",  "Learner", "Voter",
                                                        "Removing", "Retired", "Survivor"};
};
template <>
struct Names<plan::OperationKind> {
  static constexpr std::array<std::string_view, 13> list{
      "Bootstrap", "ScaleUp",    "ScaleDown", "Replace", "Rollout", "Recovery", "NoSpace",
      "Corrupt",   "Defragment", "Hibernate", "Wake",    "Delete",  "Restore"};
};
template <>
struct Names<plan::Found> {
  static constexpr std::array<std::string_view, 3> list{"Nothing", "Empty", "Backup"};
};
template <>
struct Names<plan::InPlace> {
  static constexpr std::array<std::string_view, 6> list{"None",  "Look", "Save",
                                                        "Begin", "Done", "Refused"};
};
#define EO_REASON_NAME(name, meaning) std::string_view(#name),
template <>
struct Names<plan::RotationPhase> {
  static constexpr std::array<std::string_view, 6> list{"None",    "Prepare",  "Trust",
                                                        "Reissue", "Reissued", "Drop"};
};
template <>
struct Names<plan::Reason> {
  static constexpr std::array list{PLAN_REASONS(EO_REASON_NAME)};
};
#undef EO_REASON_NAME

struct Writer;
struct Reader;

template <class X, class T>
concept Of = std::is_same_v<std::remove_const_t<X>, T>;

// One list of fields for both directions.
template <class A>
void fields(A& a, Of<plan::Addresses> auto& x) {
  a("peer", x.peer_url);
  a("client", x.client_url);
  a("metrics", x.metrics_url);
}
template <class A>
void fields(A& a, Of<api::Version> auto& x) {
  a("major", x.major);
  a("minor", x.minor);
  a("patch", x.patch);
  a("pre", x.pre);
}
template <class A>
void fields(A& a, Of<plan::MemberRecord> auto& x) {
  a("name", x.name);
  a("ordinal", x.ordinal);
  a("addresses", x.addresses);
  a("volume", x.volume);
  a("incarnation", x.incarnation);
  a("origin", x.origin);
  a("id", x.id);
  a("phase", x.phase);
  a("permit", x.permit);
  a("mayStart", x.may_start);
  a("ran", x.ran);
  a("version", x.version);
  a("templateHash", x.template_hash);
  a("auditedTerm", x.audited_term);
  a("auditedIndex", x.audited_index);
  a("seenTerm", x.seen_term);
  a("seenIndex", x.seen_index);
  a("unreachableSince", x.unreachable_since);
  a("startedAt", x.started_at);
}
template <class A>
void fields(A& a, Of<plan::Operation> auto& x) {
  a("id", x.id);
  a("kind", x.kind);
  a("step", x.step);
  a("member", x.member);
  a("startedAt", x.started_at);
  a("deadline", x.deadline);
  a("reason", x.reason);
  a("halted", x.halted);
  a("note", x.note);
}
template <class A>
void fields(A& a, Of<plan::Recovery> auto& x) {
  a("operation", x.operation);
  a("survivor", x.survivor);
  a("bound", x.bound);
  a("oldIncarnation", x.old_incarnation);
  a("chosenAt", x.chosen_at);
  a("approved", x.approved);
  a("vouched", x.vouched);
  a("failed", x.failed);
  a("failure", x.failure);
  a("lookedAt", x.looked_at);
}
template <class A>
void fields(A& a, Of<plan::Rotation> auto& x) {
  a("id", x.id);
  a("request", x.request);
  a("phase", x.phase);
  a("since", x.since);
  a("trust", x.trust);
  a("wish", x.wish);
}
template <class A>
void fields(A& a, Of<plan::BackupRecord> auto& x) {
  a("epoch", x.epoch);
  a("running", x.running);
  a("startedAt", x.started_at);
  a("jobOf", x.job_of);
  a("of", x.of);
  a("since", x.since);
  a("lastSuccess", x.last_success);
  a("revision", x.revision);
  a("name", x.name);
  a("location", x.location);
  a("taken", x.taken);
  a("failures", x.failures);
  a("failedAt", x.failed_at);
  a("error", x.error);
  a("request", x.request);
  a("requestedAt", x.requested_at);
  a("replaces", x.replaces);
  a("upgrade", x.upgrade);
  a("upgradeSince", x.upgrade_since);
}
template <class A>
void fields(A& a, Of<plan::DrillRecord> auto& x) {
  a("epoch", x.epoch);
  a("running", x.running);
  a("startedAt", x.started_at);
  a("jobOf", x.job_of);
  a("of", x.of);
  a("provenAt", x.proven_at);
  a("name", x.name);
  a("location", x.location);
  a("revision", x.revision);
  a("keys", x.keys);
  a("failures", x.failures);
  a("failedAt", x.failed_at);
  a("bad", x.bad);
  a("error", x.error);
  a("since", x.since);
  a("ended", x.ended);
}
template <class A>
void fields(A& a, Of<plan::FollowRecord> auto& x) {
  a("epoch", x.epoch);
  a("running", x.running);
  a("startedAt", x.started_at);
  a("failures", x.failures);
  a("failedAt", x.failed_at);
  a("error", x.error);
  a("overrun", x.overrun);
  a("behindSince", x.behind_since);
  a("holes", x.holes);
}
template <class A>
void fields(A& a, Of<plan::RestoreRecord> auto& x) {
  a("epoch", x.epoch);
  a("running", x.running);
  a("startedAt", x.started_at);
  a("source", x.source);
  a("operation", x.operation);
  a("found", x.found);
  a("location", x.location);
  a("revision", x.revision);
  a("failures", x.failures);
  a("failedAt", x.failed_at);
  a("error", x.error);
  a("afterLoss", x.after_loss);
  a("again", x.again);
}
template <class A>
void fields(A& a, Of<api::ObjectLocation> auto& x) {
  a("kind", x.kind);
  a("path", x.path);
  a("secret", x.secret);
  a("endpoint", x.endpoint);
  a("region", x.region);
  a("forcePathStyle", x.force_path_style);
  a("objectClass", x.object_class);
  a("encryption", x.encryption);
  a("kmsKey", x.kms_key);
  a("volumeBytes", x.volume_bytes);
  a("storageClass", x.storage_class);
}
template <class A>
void fields(A& a, Of<api::Restore> auto& x) {
  a("source", x.source);
  a("backupClusterName", x.backup_cluster_name);
  a("required", x.required);
  a("toRevision", x.to_revision);
  a("toTime", x.to_time);
  a("backup", x.backup);
  a("askedBy", x.asked_by);
  a("refused", x.refused);
  a("request", x.request);
  a("askedAt", x.asked_at);
}
template <class A>
void fields(A& a, Of<plan::InPlaceRecord> auto& x) {
  a("request", x.request);
  a("stage", x.stage);
  a("operation", x.operation);
  a("from", x.from);
  a("since", x.since);
  a("deadline", x.deadline);
  a("safety", x.safety);
  a("safetyRevision", x.safety_revision);
  a("told", x.told);
}
template <class A>
void fields(A& a, Of<base::ClusterKey> auto& x) {
  a("namespace", x.ns);
  a("name", x.name);
}
template <class A>
void fields(A& a, Of<plan::Record> auto& x) {
  a("key", x.key);
  a("declaredBy", x.declared_by);
  a("incarnation", x.incarnation);
  a("token", x.token);
  a("epoch", x.epoch);
  a("formation", x.formation);
  a("clusterID", x.cluster_id);
  a("members", x.members);
  a("strangers", x.strangers);
  a("nextOrdinal", x.next_ordinal);
  a("size", x.size);
  a("version", x.version);
  a("templateHash", x.template_hash);
  a("operation", x.operation);
  a("recovery", x.recovery);
  a("rotation", x.rotation);
  a("backup", x.backup);
  a("drill", x.drill);
  a("follow", x.follow);
  a("restore", x.restore);
  a("inPlace", x.in_place);
  a("hibernated", x.hibernated);
  a("openToClients", x.open_to_clients);
  a("oldTokens", x.old_tokens);
  a("quorumLostSince", x.quorum_lost_since);
  a("lastQuorumRead", x.last_quorum_read);
  a("compactedRevision", x.compacted_revision);
  a("lastDefragmented", x.last_defragmented);
  a("bootstrapSource", x.bootstrap_source);
  a("bootstrappedAt", x.bootstrapped_at);
  a("highestMinorSeen", x.highest_minor_seen);
  a("minorSinceIndex", x.minor_since_index);
}

struct Writer {
  json::Object out;

  template <class T>
  void operator()(const char* key, const T& value) {
    out[key] = to(value);
  }
  static json::Value to(const std::string& v) { return v; }
  template <class T>
    requires std::is_arithmetic_v<T>
  static json::Value to(T v) {
    return v;
  }
  template <class T>
    requires std::is_enum_v<T>
  static json::Value to(T v) {
    return Names<T>::list.at(static_cast<size_t>(v));
  }
  static json::Value to(base::Instant v) {
    return static_cast<std::int64_t>(v.time_since_epoch().count());
  }
  template <class Tag>
  static json::Value to(base::EtcdId<Tag> v) {
    return base::to_text(v);
  }
  template <class T>
  static json::Value to(const std::optional<T>& v) {
    return v ? to(*v) : json::Value();
  }
  static json::Value to(const std::set<std::string>& v) {
    return std::vector<std::string>(v.begin(), v.end());
  }
  template <class T>
  static json::Value to(const std::map<std::string, T>& v) {
    json::Object object;
    for (const auto& [key, item] : v) object[key] = to(item);
    return object;
  }
  template <class T>
    requires std::is_class_v<T>
  static json::Value to(const T& v) {
    Writer w;
    fields(w, v);
    return std::move(w.out);
  }
};

struct Reader {
  const json::Value& in;
  base::Status ok{};

  template <class T>
  void operator()(const char* key, T& value) {
    const json::Value* found = in.find(key);
    if (!ok || found == nullptr) return;
    if (auto read = from(*found, value); !read) ok = std::unexpected(read.error().in(key));
  }
  template <class T>
  static base::Status take(base::Result<T> read, T& to) {
    TRY(to, std::move(read));
    return {};
  }
  static base::Status from(const json::Value& v, std::string& to) {
    return take(v.as_string(), to);
  }
  static base::Status from(const json::Value& v, bool& to) { return take(v.as_bool(), to); }
  static base::Status from(const json::Value& v, std::uint64_t& to) {
    return take(v.as_uint(), to);
  }
  static base::Status from(const json::Value& v, std::int64_t& to) { return take(v.as_int(), to); }
  static base::Status from(const json::Value& v, int& to) {
    TRY(const std::int64_t number, v.as_int());
    if (number < 0 || number > 1'000'000'000)
      return base::fail(base::Code::kInvalidArgument, "is out of range");
    to = static_cast<int>(number);
    return {};
  }
  static base::Status from(const json::Value& v, base::Instant& to) {
    TRY(const std::int64_t number, v.as_int());
    to = base::Instant(base::Duration(number));
    return {};
  }
  template <class T>
    requires std::is_enum_v<T>
  static base::Status from(const json::Value& v, T& to) {
    TRY(const std::string name, v.as_string());
    for (size_t i = 0; i < Names<T>::list.size(); ++i) {
      if (Names<T>::list.at(i) != name) continue;
      to = static_cast<T>(i);
      return {};
    }
    // Under a right check sum. No name is ever taken out of these lists, so it is of a later one.
    return base::fail(base::Code::kUnimplemented, "has the unknown value " + name);
  }
  template <class Tag>
  static base::Status from(const json::Value& v, base::EtcdId<Tag>& to) {
    TRY(const std::string text, v.as_string());
    const auto id = base::parse_hex(text);
    if (!id) return base::fail(base::Code::kInvalidArgument, "is not an id: " + text);
    to.value = *id;
    return {};
  }
  template <class T>
  static base::Status from(const json::Value& v, std::optional<T>& to) {
    to.reset();
    if (v.is_null()) return {};
    T value{};
    TRY_OK(from(v, value));
    to = std::move(value);
    return {};
  }
  static base::Status from(const json::Value& v, std::set<std::string>& to) {
    const auto* items = v.if_array();
    if (items == nullptr) return base::fail(base::Code::kInvalidArgument, "is not a list");
    for (const auto& item : *items) {
      TRY(std::string text, item.as_string());
      to.insert(std::move(text));
    }
    return {};
  }
  template <class T>
  static base::Status from(const json::Value& v, std::map<std::string, T>& to) {
    const auto* object = v.if_object();
    if (object == nullptr) return base::fail(base::Code::kInvalidArgument, "is not an object");
    for (const auto& [key, item] : *object) {
      T value{};
      if (auto read = from(item, value); !read) return std::unexpected(read.error().in(key));
      to.emplace(key, std::move(value));
    }
    return {};
  }
  template <class T>
    requires std::is_class_v<T>
  static base::Status from(const json::Value& v, T& to) {
    if (!v.is_object()) return base::fail(base::Code::kInvalidArgument, "is not an object");
    Reader r{v};
    fields(r, to);
    return r.ok;
  }
};

std::unexpected<base::Error> damaged(std::string_view what) {
  return base::fail(base::Code::kDataLoss, fmt::format("the record is damaged: {}", what));
}

std::unexpected<base::Error> newer(std::string_view sign) {
  return base::fail(base::Code::kUnimplemented,
                    fmt::format("the record was written by a newer etcd-operator ({}): run that "
                                "version again, or a later one",
                                sign));
}

}  // namespace

std::string encode_record(const plan::Record& record) {
  std::string text(kHead);
  text += json::print(Writer::to(record));
  text += '\n';
  text += fmt::format("crc {:08x}\n", base::crc32c(text));
  return text;
}

base::Result<plan::Record> decode_record(std::string_view bytes) {
  constexpr size_t kTail = 13;  // "crc 01234567\n"
  if (bytes.size() < kHead.size() + kTail) return damaged("it is too short");
  const std::string_view body = bytes.substr(0, bytes.size() - kTail);
  if (bytes.substr(body.size()) != fmt::format("crc {:08x}\n", base::crc32c(body)))
    return damaged("its check sum is wrong");
  if (!body.starts_with(kHead)) {
    const auto line = body.substr(0, body.find('\n'));
    if (line.starts_with("format ")) return newer(fmt::format("it begins with \"{}\"", line));
    return damaged("it has no format line");
  }
  const auto root = json::parse(body.substr(kHead.size()));
  if (!root) return damaged(root.error().message);
  plan::Record record;
  if (auto read = Reader::from(*root, record); !read)
    return read.error().code == base::Code::kUnimplemented ? newer(read.error().message)
                                                           : damaged(read.error().message);
  return record;
}

}  // namespace engine
