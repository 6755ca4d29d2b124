// Says of an error where it happened and what to check. For this module's own sources.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace objstore {

// How an error ends that needs no other advice.
inline constexpr std::string_view kSetItRight = ": set it right";

// "put a/b in s3://bucket: <why>; check …"
struct Context {
  std::string_view operation;
  std::string key;
  std::string store;
  std::string (*hint)(base::Code) = nullptr;  // empty: nothing to check

  [[nodiscard]] base::Error of(const base::Error& error) const {
    const bool says_itself = error.message.ends_with(kSetItRight);
    const auto check = hint == nullptr || says_itself ? std::string() : hint(error.code);
    return {error.code, fmt::format("{}{}{} in {}: {}{}{}", operation, key.empty() ? "" : " ", key,
                                    store, error.message, check.empty() ? "" : "; ", check)};
  }
  template <class T>
  base::Result<T> operator()(base::Result<T> result) const {
    if (result) return result;
    return std::unexpected(of(result.error()));
  }
};

}  // namespace objstore
