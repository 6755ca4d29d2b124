#include "bin/cli_parts.h"

#include <fmt/format.h>

namespace bin {

void add_output(CLI::App& app, Output& output) {
  app.add_option_function<std::string>(
         "-o,--output",
         [&output](const std::string& text) {
           output = text == "json" ? Output::kJson : text == "yaml" ? Output::kYaml : Output::kText;
         },
         "how to print the result (default: text)")
      ->check(CLI::IsMember({"text", "json", "yaml"}))
      ->type_name("FORMAT");
}

void put_command(const CLI::App& app, const std::string& program, const std::string& name,
                 std::string& out) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* command : commands)
    put_command(*command, program, name + " " + command->get_name(), out);
  if (!commands.empty() && app.get_require_subcommand_min() > 0) return;
  std::string usage = program + " " + name;
  std::string rows;
  for (const auto* option : app.get_options()) {
    if (option->get_name() == "--help" || option->get_group().empty()) continue;
    const bool positional = option->get_positional();
    const auto flag = positional ? option->get_name(true) : option->get_name(false, true);
    if (positional) usage += option->get_required() ? " " + flag : " [" + flag + "]";
    rows += fmt::format(
        "| `{}`{} | {} | {} | {} |\n", flag,
        option->get_type_name().empty() || positional ? std::string()
                                                      : " " + option->get_type_name(),
        option->get_required() ? "yes" : "",
        option->get_default_str().empty() ? std::string() : "`" + option->get_default_str() + "`",
        option->get_description());
  }
  out +=
      fmt::format("\n## {}\n\n{}.\n\n```\n{} [flags]\n```\n", name, app.get_description(), usage);
  if (!rows.empty())
    out += "\n| Name | Required | Default | Meaning |\n| --- | --- | --- | --- |\n" + rows;
  if (!app.get_footer().empty()) out += "\n" + app.get_footer() + "\n";
}

}  // namespace bin
