// What is made of the parser of etcdadm beside the reference: completions for shells and pages for
// man(1).
#include <fmt/format.h>

#include <algorithm>

#include "bin/cli_parts.h"
#include "bin/etcdadm_line.h"

namespace bin {
namespace {

// A command as typed, "certs renew"; what may follow it.
struct Node {
  std::string path, text;
  struct Word {
    std::string word, text;
    bool value = false;  // a flag that takes one
  };
  std::vector<Word> commands, flags;
  const CLI::App* app = nullptr;  // as long as its parser lives
};

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  std::vector<const CLI::App*> out;
  for (const auto* one : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!one->get_group().empty()) out.push_back(one);
  return out;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& out) {
  Node node{path, app.get_description(), {}, {}, &app};
  for (const auto* one : commands_of(app))
    node.commands.push_back({one->get_name(), one->get_description(), false});
  for (const auto* option : app.get_options()) {
    if (option->get_positional() || option->get_group().empty()) continue;
    for (const auto& name : option->get_lnames())
      node.flags.push_back(
          {"--" + name, option->get_description(), option->get_items_expected_max() > 0});
  }
  std::ranges::sort(node.flags, {}, &Node::Word::word);
  out.push_back(std::move(node));
  for (const auto* one : commands_of(app))
    collect(*one, path + (path.empty() ? "" : " ") + one->get_name(), out);
}

std::vector<Node> nodes() {
  std::vector<Node> out;
  with_etcdadm([&](const CLI::App& root) { collect(root, "", out); });
  return out;
}

std::string words_of(const std::vector<Node::Word>& words) {
  std::string out;
  for (const auto& w : words) out += (out.empty() ? "" : " ") + w.word;
  return out;
}

// `case` arms that lengthen the path by a word that is a command there.
std::string steps(const std::vector<Node>& all) {
  std::string out;
  for (const auto& node : all)
    for (const auto& command : node.commands) {
      out += fmt::format("      '{}:{}') at='{}{}{}' ;;\n", node.path, command.word, node.path,
                         node.path.empty() ? "" : " ", command.word);
    }
  return out;
}

std::string bash(const std::vector<Node>& all) {
  std::string out =
      "# Completion of etcdadm for bash: source it, or put it into\n"
      "# /usr/share/bash-completion/completions/etcdadm\n"
      "_etcdadm() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} at='' word words=''\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"$at:$word\" in\n" +
      steps(all) +
      "    esac\n"
      "  done\n"
      "  case \"$at\" in\n";
  for (const auto& node : all)
    out += fmt::format("    '{}') [[ $cur == -* ]] && words='{}' || words='{}' ;;\n", node.path,
                       words_of(node.flags), words_of(node.commands));
  return out +
         "  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -o default -F _etcdadm etcdadm\n";
}

// In single quotes, and no ':' that would part the word from its text.
std::string quoted(std::string text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out;
}

std::string zsh_words(const std::vector<Node::Word>& words) {
  std::string out;
  for (const auto& w : words) out += fmt::format(" '{}:{}'", w.word, quoted(w.text));
  return out;
}

std::string zsh(const std::vector<Node>& all) {
  std::string out =
      "#compdef etcdadm\n"
      "# Completion of etcdadm for zsh: put it as _etcdadm into a folder of $fpath.\n"
      "_etcdadm() {\n"
      "  local at='' word\n"
      "  local -a found\n"
      "  for word in ${words[2,CURRENT-1]}; do\n"
      "    case \"$at:$word\" in\n" +
      steps(all) +
      "    esac\n"
      "  done\n"
      "  if [[ $PREFIX == -* ]]; then\n"
      "    case \"$at\" in\n";
  for (const auto& node : all)
    out += fmt::format("      '{}') found=({} ) ;;\n", node.path, zsh_words(node.flags));
  out += "    esac\n  else\n    case \"$at\" in\n";
  for (const auto& node : all)
    if (!node.commands.empty())
      out += fmt::format("      '{}') found=({} ) ;;\n", node.path, zsh_words(node.commands));
  return out +
         "    esac\n"
         "  fi\n"
         "  (( $#found )) && _describe etcdadm found || _files\n"
         "}\n"
         "_etcdadm \"$@\"\n";
}

std::string fish(const std::vector<Node>& all) {
  std::string out =
      "# Completion of etcdadm for fish: put it into ~/.config/fish/completions/etcdadm.fish\n"
      "function __etcdadm_at\n"
      "  set -l at ''\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch \"$at:$word\"\n";
  for (const auto& node : all)
    for (const auto& command : node.commands)
      out += fmt::format("      case '{}:{}'\n        set at '{}{}{}'\n", node.path, command.word,
                         node.path, node.path.empty() ? "" : " ", command.word);
  out +=
      "    end\n"
      "  end\n"
      "  test \"$at\" = \"$argv\"\n"
      "end\n";
  for (const auto& node : all) {
    for (const auto& command : node.commands)
      out += fmt::format("complete -c etcdadm -f -n \"__etcdadm_at '{}'\" -a {} -d '{}'\n",
                         node.path, command.word, quoted(command.text));
    for (const auto& one : node.flags)
      out += fmt::format("complete -c etcdadm -n \"__etcdadm_at '{}'\" -l {}{} -d '{}'\n",
                         node.path, one.word.substr(2), one.value ? " -r" : "", quoted(one.text));
  }
  return out;
}

// What troff would take for its own.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c != '`')
      out += c;
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string page_name(const std::string& path) {
  std::string out = "etcdadm";
  if (!path.empty()) out += "-" + path;
  std::ranges::replace(out, ' ', '-');
  return out;
}

std::string man_page(const Node& node) {
  const std::string name = page_name(node.path);
  std::string upper = name;
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  std::string out = fmt::format(
      ".\\\" Generated by `etcdadm reference`; do not edit.\n.TH {} 1 \"\" \"etcdadm " EO_VERSION
      "\" \"etcd\\-operator\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B etcdadm{}\n",
      plain(upper), plain(name), plain(node.text), node.path.empty() ? "" : " " + plain(node.path));
  std::string usage, flags;
  for (const auto* option : node.app->get_options()) {
    if (option->get_group().empty()) continue;
    if (option->get_positional()) {
      const auto word = option->get_name(true);
      usage += option->get_required() ? " " + word : " [" + word + "]";
      continue;
    }
    const auto type = option->get_type_name();
    flags += fmt::format(".TP\n.B {}{}\n{}\n", plain(option->get_name(false, true)),
                         type.empty() ? "" : " " + plain(type), plain(option->get_description()));
    if (!option->get_default_str().empty())
      flags += fmt::format("Default: {}\n", plain(option->get_default_str()));
  }
  usage += node.commands.empty() ? " [FLAGS]" : " [COMMAND] [FLAGS]";
  out += plain(usage.substr(1)) + "\n";
  if (!node.app->get_footer().empty())
    out += ".SH DESCRIPTION\n" + plain(node.app->get_footer()) + "\n";
  if (!node.commands.empty()) {
    out += ".SH COMMANDS\n";
    for (const auto& command : node.commands)
      out += fmt::format(".TP\n.B {}\n{}\n", plain(command.word), plain(command.text));
  }
  out += ".SH FLAGS\n" + flags;
  out += ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : exit_meanings())
    out += fmt::format(".TP\n.B {}\n{}\n", static_cast<int>(code), plain(std::string(meaning)));
  if (!node.path.empty()) out += ".SH SEE ALSO\n.BR etcdadm (1)\n";
  return out;
}

}  // namespace

adm::Reply completion(const adm::Context& context) {
  const auto script = etcdadm_completion(context.flags.subject);
  if (!script)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("SHELL: '{}' is none of bash, zsh, fish",
                                  context.flags.subject.substr(0, 200)));
  adm::Answer out;
  out.text = *script;
  out.value["script"] = *script;
  return out;
}

std::optional<std::string> etcdadm_completion(const std::string& shell) {
  if (shell == "bash") return bash(nodes());
  if (shell == "zsh") return zsh(nodes());
  if (shell == "fish") return fish(nodes());
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> etcdadm_man_pages() {
  std::vector<std::pair<std::string, std::string>> out;
  with_etcdadm([&](const CLI::App& root) {
    std::vector<Node> all;
    collect(root, "", all);
    for (const auto& node : all)
      if (!node.path.ends_with("phase"))
        out.emplace_back(page_name(node.path) + ".1", man_page(node));
  });
  return out;
}

}  // namespace bin
