// What the command lines of all programs share. For sources of this folder only.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "bin/command_line.h"

namespace bin {

void add_output(CLI::App& app, Output& output);  // -o, --output
// A command, and those below it, as Markdown; `name` as typed after the program.
void put_command(const CLI::App& app, const std::string& program, const std::string& name,
                 std::string& out);

// The parser of etcdadm, as it is before a command line.
void with_etcdadm(const std::function<void(const CLI::App&)>& use);

}  // namespace bin
