// Errors as values. A fallible function returns Result<T> or Status; no exception crosses a module.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace base {

// Canonical codes; a code exists only where some caller reacts to it.
enum class Code {
  kInvalidArgument,     // the input is wrong, whatever the state: do not retry
  kNotFound,            // proven absent
  kAlreadyExists,       // proven present
  kFailedPrecondition,  // do not retry until the state changes
  kAborted,             // redo the whole read-modify-write
  kUnavailable,         // retry the call with backoff
  kDeadlineExceeded,    // the call may or may not have happened
  kResourceExhausted,   // quota or disk
  kPermissionDenied,
  kDataLoss,   // bytes that fail their check
  kCancelled,  // our own stop token
  kUnimplemented,
  kInternal,  // a broken assumption of ours
};

std::string_view name_of(Code code);

struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string message;

  // "<what>: <message>", the same code: each boundary says what it was doing and to what.
  [[nodiscard]] Error in(std::string_view what) const;
  [[nodiscard]] std::string text() const;  // "<message> (<code>)"
  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

}  // namespace base

#define EO_CAT_(a, b) a##b
#define EO_CAT(a, b) EO_CAT_(a, b)
// TRY(auto x, f()); declares x or returns f's error. TRY_OK(f()); does so for a Status.
#define TRY(decl, ...) TRY_(EO_CAT(try_, __LINE__), decl, __VA_ARGS__)
#define TRY_(tmp, decl, ...)                                \
  auto tmp = (__VA_ARGS__);                                 \
  if (!tmp) return std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
#define TRY_OK(...)                                       \
  do {                                                    \
    if (auto try_ok_ = (__VA_ARGS__); !try_ok_)           \
      return std::unexpected(std::move(try_ok_).error()); \
  } while (false)
// The same with context: TRY_IN("read " + path, auto x, f());
#define TRY_IN(what, decl, ...) TRY_IN_(EO_CAT(try_, __LINE__), what, decl, __VA_ARGS__)
#define TRY_IN_(tmp, what, decl, ...)                     \
  auto tmp = (__VA_ARGS__);                               \
  if (!tmp) return std::unexpected(tmp.error().in(what)); \
  decl = *std::move(tmp)
