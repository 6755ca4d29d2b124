// What is wrong, or odd, with something that a user wrote.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace api {

enum class Severity { kError, kWarning };

struct Problem {
  Severity severity = Severity::kError;
  std::string path;     // "spec.size"; empty: the whole document
  std::string message;  // "11 is not allowed: 1 to 9"
  [[nodiscard]] std::string text() const { return path.empty() ? message : path + ": " + message; }
  bool operator==(const Problem&) const = default;
};

// Collects; every check goes on after an error, so that the user sees all of them at once.
class Report {
 public:
  void error(std::string path, std::string message);
  void warning(std::string path, std::string message);
  // The user has set this known field.
  void saw(std::string path) { seen_.push_back(std::move(path)); }

  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }
  [[nodiscard]] const std::vector<std::string>& seen() const { return seen_; }

 private:
  void add(Severity severity, std::string path, std::string message);

  bool failed_ = false;
  std::vector<Problem> problems_;
  std::vector<std::string> seen_;
};

}  // namespace api
