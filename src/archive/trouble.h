// Why a backup or a fetch did not work: the error for people, its kind for programs.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "archive/job.h"
#include "base/result.h"

namespace archive {

// Of an error of a store or of the scratch directory.
std::string_view kind_of(const base::Error& error);

struct Trouble {
  std::string kind;
  base::Error error;

  Trouble(base::Error e)  // NOLINT: so that TRY works
      : kind(kind_of(e)), error(std::move(e)) {}
  Trouble(std::string_view k, base::Error e) : kind(k), error(std::move(e)) {}
  Trouble(std::string_view k, std::string why)
      : kind(k), error{base::Code::kFailedPrecondition, std::move(why)} {}
  [[nodiscard]] Trouble in(std::string_view what) const { return {kind, error.in(what)}; }
};
template <class T>
using Outcome = std::expected<T, Trouble>;

inline std::unexpected<Trouble> trouble(std::string_view kind, std::string why) {
  return std::unexpected(Trouble(kind, std::move(why)));
}

}  // namespace archive
