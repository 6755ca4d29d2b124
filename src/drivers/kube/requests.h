// Objects that ask for one thing, EtcdBackup and EtcdRestore, and the Jobs that are made for them.
// A Job belongs to its object and goes with it; what it left in a store stays.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "api/objects.h"
#include "base/fact.h"
#include "base/time.h"
#include "json/value.h"
#include "kube/resource.h"
#include "plan/record.h"
#include "plan/store_jobs.h"

namespace k8s {

enum class RequestKind { kBackup, kRestore };
const kube::Resource& resource_of(RequestKind kind, api::Group group);

struct DeclaredRequest {
  RequestKind kind = RequestKind::kBackup;
  api::Group group = api::Group::kOperatorEtcdIo;
  std::shared_ptr<const json::Value> object;
};

// Which of them, in which text.
struct RequestId {
  RequestKind kind = RequestKind::kBackup;
  api::Group group = api::Group::kOperatorEtcdIo;
  base::ClusterKey key;  // of the object itself
  std::string uid;
  std::int64_t generation = 0;
};

// A Job for an EtcdBackup.
struct BackupTry {
  int epoch = 0;                // counts the Jobs of one object
  int tries = 0;                // of one backup: 1 is the first
  std::int64_t generation = 0;  // of the text that it was made for
  base::Instant started{};      // when the Job was made
  base::Instant not_before{};   // a backup of then or later is a success
  bool running = false;
  plan::JobReport report;  // if it does not run
};

struct BackupOrder {
  RequestId id;
  const api::BackupRequest& wish;
  // A cluster that we run, and its record; null: wish.endpoints are asked, whoever runs them.
  const api::Cluster* cluster = nullptr;
  const plan::Record* record = nullptr;
  base::Instant created{};   // of the object
  std::string etcd_version;  // as it was seen; empty: it is not known
  BackupTry next;
  std::optional<std::int64_t> last_revision;  // the same again needs no upload
};

// For one thread, but for what is const: that may be asked from any.
class Requests {
 public:
  virtual ~Requests() = default;
  // False: not all of them were listed yet.
  [[nodiscard]] virtual bool ready() const = 0;
  [[nodiscard]] virtual std::vector<DeclaredRequest> declared() const = 0;
  // The newest Job for an EtcdBackup; absent: there is none.
  virtual base::Fact<BackupTry> newest(const RequestId& of, const std::stop_token& stop) = 0;
  // Done if that very Job is there. FailedPrecondition: its place is none for a pod.
  virtual base::Status start(const BackupOrder& order, const std::stop_token& stop) = 0;
  // Takes a finalizer off. Done if it is not there.
  virtual base::Status release(const RequestId& of, std::string_view finalizer,
                               const std::stop_token& stop) = 0;
  // Puts it in the place of the object's whole status. NotFound: the object is gone.
  virtual base::Status tell(const RequestId& of, json::Value status,
                            const std::stop_token& stop) = 0;
  // An event on the object. What cannot be sent is lost.
  struct Note {
    bool warning = false;
    std::string reason, text;
  };
  virtual void note(const RequestId& of, const Note& note, const std::stop_token& stop) = 0;
  // Counts of repeated ones that are due. To be called now and then.
  virtual void flush_notes(const std::stop_token& stop) = 0;
};

struct Shared;
std::unique_ptr<Requests> make_requests(Shared& shared);  // which must outlive it

}  // namespace k8s
