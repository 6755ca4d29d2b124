#include "api/problem.h"

#include <utility>

namespace api {
namespace {
constexpr size_t kMaxProblems = 100;  // of one document: no input may grow the answer without end
}

void Report::error(std::string path, std::string message) {
  failed_ = true;
  add(Severity::kError, std::move(path), std::move(message));
}

void Report::warning(std::string path, std::string message) {
  add(Severity::kWarning, std::move(path), std::move(message));
}

void Report::add(Severity severity, std::string path, std::string message) {
  if (problems_.size() > kMaxProblems) return;
  if (problems_.size() == kMaxProblems)
    problems_.push_back({severity, "", "there are more problems than are shown"});
  else
    problems_.push_back({severity, std::move(path), std::move(message)});
}

}  // namespace api
