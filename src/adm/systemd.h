// systemd, by systemctl.
#pragma once

#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace adm {

class Systemctl {
 public:
  // FailedPrecondition: this machine was not booted with systemd.
  static base::Result<Systemctl> find();
  static Systemctl at(std::string program) { return Systemctl(std::move(program)); }
  base::Status run(std::vector<std::string> args, base::Duration deadline,
                   const std::stop_token& stop) const;

 private:
  explicit Systemctl(std::string program) : program_(std::move(program)) {}
  std::string program_;
};

// As a word of a unit file: quoted, with what is special there escaped.
std::string unit_word(const std::string& text);

}  // namespace adm
