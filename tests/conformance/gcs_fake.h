// Google Cloud Storage in memory, behind http::Session: stricter than the servers that can be had,
// none of which checks a token or finishes an upload as the real one does. By Google's description.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "http/session.h"
#include "json/value.h"

namespace conformance {

// What becomes of a chunk of an upload.
enum class Chunk {
  kWhole,
  kHalf,        // half of it is kept, and the answer says so
  kLostAnswer,  // all of it is kept, and nobody hears of it
  kCutOff       // half of it is kept, and nobody hears of it
};

// Thread-safe.
class GcsFake {
 public:
  static constexpr const char* kServer = "https://storage.test";
  static constexpr const char* kBucket = "bucket";
  using Reply = std::expected<http::Reply, http::Broken>;

  Reply answer(const http::Exchange& exchange);
  std::unique_ptr<http::Session> session();

  // Called for each chunk with its number; set before anything is sent.
  std::function<Chunk(unsigned)> chunks = {};
  bool checks_at_begin = false;   // preconditions of an upload: at its begin as well
  std::string token = "token-1";  // whoever brings another one gets a 401
  std::string server = kServer;   // where it is, as an upload's address says it
  void expire(std::string next);

 private:
  struct Stored {
    std::string bytes, content_type, updated;
    json::Value metadata;
    unsigned long generation = 0;
  };
  struct Started {
    json::Value about;
    std::string condition, bytes;
  };
  struct Asked {
    std::string path;
    std::map<std::string, std::string> query, headers;
    std::string name;  // of an object in the path
  };
  Reply route(const http::Exchange& exchange, const Asked& asked);
  Reply object(const http::Exchange& exchange, const Asked& asked);
  Reply list(const Asked& asked) const;
  Reply begin(const http::Exchange& exchange, const Asked& asked);
  Reply multipart(const http::Exchange& exchange, const Asked& asked);
  Reply chunk(const http::Exchange& exchange, const Asked& asked);
  Reply place(const json::Value& about, std::string bytes, const std::string& condition);
  [[nodiscard]] bool holds(const std::string& name, const std::string& condition) const;
  static json::Value about(const std::string& name, const Stored& stored);

  std::mutex mutex_;
  std::map<std::string, Stored> objects_;   // this and the rest: guarded by mutex_
  std::map<std::string, Started> started_;  // by upload_id
  unsigned long count_ = 0;
  unsigned chunk_count_ = 0;
};

}  // namespace conformance
