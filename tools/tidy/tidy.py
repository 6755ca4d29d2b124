#!/usr/bin/env python3
"""Checks the rules of STYLE.md that a script can check; prints FILE:LINE: CHECK: what, and fails.

  tools/tidy/tidy.py [--root DIR]

The rules are text beside this file: layers.txt (who may include whom), exceptions.txt (which file
may break which check, and why). tidy_test.py shows every check failing and passing.
"""
import argparse
import os
import re
import subprocess
import sys

HEADER_LINES, SOURCE_LINES, FUNCTION_LINES, COLUMNS = 150, 500, 70, 100

# Calls that only some folders may make. "posix" is the one module that touches the machine, "bin"
# wires it in, "guard" is a program of its own without our other modules.
MACHINE = ("src/posix/", "src/bin/", "src/guard/")
TESTS = ("tests/", "fuzz/", "bench/", "testbed/")
CALLS = [
    ("clock", r"\b(system_clock|steady_clock|high_resolution_clock)::now\b", True),
    ("environment", r"\b(secure_)?getenv\s*\(|\b(set|put|unset)env\s*\(", True),
    ("random", r"\b(s?rand|random|drand48|getrandom)\s*\(|\brandom_device\b", True),
    ("sleep", r"\bsleep_(for|until)\b|\b(u|nano)?sleep\s*\(", False),
    ("syscall", r"(?<![\w>:])::(open|openat|creat|read|pread|write|pwrite|close|unlink|rename|fsync"
     r"|mkdir|rmdir|stat|lstat|flock|fork|vfork|exec[lv]p?e?|posix_spawn|kill|waitpid|pipe2?|socket"
     r"|bind|listen|accept|connect|send|recv|poll|mmap|ioctl|inotify_\w+)\s*\(|"
     r"\b(fork|popen|system)\s*\(", True),
    ("file", r"\b(std::)?[io]?fstream\b|\bfopen\s*\(|\bfilesystem::(exists|is_\w+|create_\w+|"
     r"remove\w*|rename|copy\w*|(recursive_)?directory_iterator|file_size|resize_file|status|canonical|"
     r"temp_directory_path|current_path|last_write_time|space)\b", True),
]
# Libraries whose types stay in one .cc: they never appear in a header that another module includes.
THIRD_PARTY = re.compile(r'#include [<"](grpc|google/|boost/|yaml-cpp/|openssl/|curl/|prometheus/|'
                         r'httplib|CLI/|zstd|[^>"]*\.pb\.h)')


LAYERED = ("src/", "sim/")
MODULE = re.compile(r"eo_(?:sim_)?module\(([^)]*)\)")


class Tidy:
    def __init__(self, root, rules):
        self.root = root
        self.problems = []
        self.layers = read_layers(os.path.join(rules, "layers.txt"))
        self.exceptions = read_exceptions(os.path.join(rules, "exceptions.txt"))
        self.used = set()
        self.includes = {}  # file -> [(line number, included path)]
        self.libraries = {}  # library -> the folder that makes it
        self.bound = set()  # headers that show a third party's type

    def report(self, path, line, check, text):
        if (check, path) in self.exceptions:
            self.used.add((check, path))
        else:
            self.problems.append(f"{path}:{line}: {check}: {text}")

    def run(self):
        files = self.files()
        self.libraries = libraries_of(self.root, files)
        for path in files:
            with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as source:
                text = source.read()
            self.check_mode(path, text)
            if path.endswith((".h", ".cc")):
                self.check_source(path, text)
            elif path.startswith(LAYERED) and path.endswith("/CMakeLists.txt"):
                self.check_links(path, text)
            elif path.endswith(".md"):
                self.check_markdown(path, text)
        self.check_third_party()
        for check, path in sorted(set(self.exceptions) - self.used):
            self.problems.append(f"{path}:1: exceptions: nothing breaks '{check}' any more")
        return sorted(self.problems)

    def files(self):
        git = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=self.root,
                             capture_output=True, text=True, check=False)
        listed = git.stdout.splitlines()
        if git.returncode != 0:  # an unpacked archive: everything that is not built or hidden
            for folder, folders, names in os.walk(self.root):
                folders[:] = [f for f in folders if f != "build" and not f.startswith(".")]
                listed += [os.path.relpath(os.path.join(folder, n), self.root) for n in names]
        return [path for path in listed if os.path.isfile(os.path.join(self.root, path))]

    def check_mode(self, path, text):
        if text.startswith("#!") and not os.access(os.path.join(self.root, path), os.X_OK):
            self.report(path, 1, "mode", "names its interpreter and cannot be run: chmod +x")

    def check_source(self, path, text):
        code = without_comments_and_strings(text)
        self.check_sizes(path, text, code)
        self.check_includes(path, text)
        self.check_calls(path, code)
        self.check_words(path, text)
        self.check_listed(path)

    def check_sizes(self, path, text, code):
        lines = text.splitlines()
        limit = HEADER_LINES if path.endswith(".h") else SOURCE_LINES
        if len(lines) > limit:
            self.report(path, limit, "file-size", f"{len(lines)} lines, at most {limit}")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS and "http" not in line and "#include" not in line:
                self.report(path, number, "line-size", f"{len(line)} columns, at most {COLUMNS}")
        for first, last in functions(code):
            if last - first + 1 > FUNCTION_LINES:
                self.report(path, first, "function-size",
                            f"{last - first + 1} lines, at most {FUNCTION_LINES}")
        if path.endswith(".h"):
            if "#pragma once" not in text:
                self.report(path, 1, "header", "no #pragma once")
            if not text.startswith("//"):
                self.report(path, 1, "header", "does not begin with a comment that says what it is")

    def check_includes(self, path, text):
        header = path.endswith(".h")
        folder = self.folder_of(path)
        if folder == "":
            self.report(path, 1, "layers", "its folder has no row in layers.txt")
        for number, line in enumerate(text.splitlines(), 1):
            if header and path.startswith(LAYERED) and THIRD_PARTY.match(line):
                self.bound.add(path)
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if match:
                self.includes.setdefault(path, []).append((number, in_tree(match.group(1))))
            if not match or not folder or path.endswith("_test.cc"):
                continue
            included = match.group(1)
            target = self.folder_of(in_tree(included))
            if target is None:  # beside src/ and sim/: a row has to name it, too
                target = os.path.dirname(included)
            if target in ("", folder):
                continue
            allowed = self.layers.get(folder, [])
            if target not in allowed and included not in allowed:
                self.report(path, number, "layers", f"{folder} may not include {included}")

    def check_links(self, path, text):
        """eo_module(… DEPS …) names the same edges: a library is the folder that makes it,
        guard_files is the header guard/files.h."""
        folder = self.folder_of(path)
        for match in MODULE.finditer(text):
            words = re.split(r"\b(?:SOURCES|DEPS|LIBS|TESTS|TEST_DEPS)\b", match.group(1))
            keys = [""] + re.findall(r"\b(?:SOURCES|DEPS|LIBS|TESTS|TEST_DEPS)\b", match.group(1))
            for key, names in zip(keys, words):
                for name in names.split() if key == "DEPS" else []:
                    if not self.may_link(folder, name):
                        line = text[:match.start()].count("\n") + 1
                        self.report(path, line, "layers", f"{folder} may not link {name}")

    def may_link(self, folder, name):
        """One header that a row names allows the library of that header, guard_files of
        guard/files.h; where there is none, those of its folder."""
        for edge in [folder, *self.layers.get(folder, [])]:
            library = edge.removesuffix(".h").replace("/", "_")
            if edge.endswith(".h") and library not in self.libraries:
                edge = os.path.dirname(edge)
            if name == library or self.libraries.get(name) == edge:
                return True
        return False

    def check_third_party(self):
        """A header that shows a third party's type, itself or by inclusion, stays in its module."""
        grown = True
        while grown:
            more = {path for path, included in self.includes.items() if path.endswith(".h")
                    and any(target in self.bound for _, target in included)}
            grown = not more <= self.bound
            self.bound |= more
        for path, included in self.includes.items():
            for number, target in included:
                if target in self.bound and self.folder_of(path) != self.folder_of(target):
                    self.report(path, number, "third-party", f"comes in by {target[4:]}")

    def folder_of(self, path):
        """The row of layers.txt that a file belongs to; "" without a row; None outside src/ and
        sim/. Rows of src/ are named without it."""
        if not path.startswith(LAYERED):
            return None
        folder = os.path.dirname(path).removeprefix("src/")
        while folder and folder not in self.layers:
            folder = os.path.dirname(folder)
        return folder

    def check_calls(self, path, code):
        test = path.endswith("_test.cc") or path.startswith(TESTS)
        for check, pattern, tests_may in CALLS:
            if path.startswith(MACHINE) and not path.endswith("_test.cc"):
                continue
            if test and tests_may:
                continue
            for number, line in enumerate(code.splitlines(), 1):
                if re.search(pattern, line):
                    where = "wait for a condition instead" if test else "only in posix, bin, guard"
                    self.report(path, number, check, f"{line.strip()[:60]} ({where})")

    def check_words(self, path, text):
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\bTODO\b(?!\([a-z][\w-]*\): \S+ \S+ \S+)", line):
                self.report(path, number, "todo", "write TODO(name): what, and why not now")
            if re.search(r"\b(FIXME|XXX|HACK)\b", line):
                self.report(path, number, "todo", "finish it, or write TODO(name): reason")

    def check_listed(self, path):
        if not path.startswith(LAYERED) or not path.endswith(".cc"):
            return
        folder = os.path.dirname(path)
        while folder and not os.path.isfile(os.path.join(self.root, folder, "CMakeLists.txt")):
            folder = os.path.dirname(folder)
        with open(os.path.join(self.root, folder, "CMakeLists.txt"), encoding="utf-8") as build:
            if os.path.relpath(path, folder) not in build.read():
                self.report(path, 1, "dead-file", f"not in {folder}/CMakeLists.txt")

    def check_markdown(self, path, text):
        if not text.startswith("# "):
            self.report(path, 1, "markdown", "does not begin with a title")
        for number, line in enumerate(text.splitlines(), 1):
            for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", line):
                target = os.path.join(self.root, os.path.dirname(path), link)
                if "://" not in link and not os.path.exists(target):
                    self.report(path, number, "markdown", f"link to {link}, which does not exist")


def in_tree(included):
    """The file that an #include "…" names: by src/, or by the root."""
    return included if included.startswith(("sim/", "tests/")) else "src/" + included


def libraries_of(root, files):
    """{library as DEPS names it: the folder that makes it, as a row names it}"""
    found = {}
    for path in files:
        if not path.startswith(LAYERED) or not path.endswith("/CMakeLists.txt"):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as text:
            for match in re.finditer(r"eo_(sim_)?module\((\w+)", text.read()):
                name = (match.group(1) or "") + match.group(2)
                found[name] = os.path.dirname(path).removeprefix("src/")
    return found


def read_layers(path):
    layers = {}
    for line in rules_of(path):
        folder, _, allowed = line.partition(":")
        layers[folder.strip()] = allowed.split()
    return layers


def read_exceptions(path):
    exceptions = {}
    for line in rules_of(path):
        check, name, reason = (line.split(None, 2) + ["", ""])[:3]
        if not reason:
            sys.exit(f"{path}: an exception needs CHECK PATH REASON: {line}")
        exceptions[(check, name)] = reason
    return exceptions


def rules_of(path):
    with open(path, encoding="utf-8") as rules:
        lines = [line.strip() for line in rules]
    return [line for line in lines if line and not line.startswith("#")]


# A raw string, a string, a character (not the separator of 1'000), or a comment.
LEXEME = re.compile(r'R"([^()\s\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
                    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'|//[^\n]*|/\*.*?\*/", re.DOTALL)


def without_comments_and_strings(text):
    """The same lines with comments blanked and every literal emptied."""
    def blank(match):
        lexeme = match.group(0)
        keep = "\n" * lexeme.count("\n")
        return keep if lexeme.startswith("/") else '""' + keep
    return LEXEME.sub(blank, text)


def functions(code):
    """(first line, last line) of every function with its head; lambdas belong to theirs."""
    found, stack, head, head_line, line = [], [], "", 1, 1
    preprocessor = False
    for at, char in enumerate(code):
        if char == "\n":
            line += 1
            preprocessor = preprocessor and code[at - 1] == "\\"
        if char == "#" and not head.strip():
            preprocessor = True
        if preprocessor:
            continue
        if char == "{":
            kind = kind_of(head, stack)
            # A member initialised in braces is in the middle of a head, which goes on after it.
            stack.append((kind, head_line, head if kind == "initialiser" else ""))
            head = ""
        elif char == "}":
            kind, head_line, head = stack.pop() if stack else ("value", line, "")
            if kind == "function":
                found.append((head_line, line))
        elif char == ";":
            head = ""
        else:
            if not head.strip():
                head_line = line
            head += char
    return found


def kind_of(head, stack):
    """What a brace begins: scope (namespace, class), function, initialiser, or value (the rest)."""
    if stack and stack[-1][0] != "scope":
        return "value"
    words = re.sub(r"\[\[.*?\]\]", " ", head)
    while words.lstrip().startswith("template"):
        words = after_template(words.lstrip())
    words = words.strip()
    if re.match(r"(inline\s+)?(namespace|extern)\b", words):
        return "scope"
    if re.match(r"(typedef\s+)?(class|struct|union|enum)\b", words) and "(" not in words:
        return "scope"
    if re.search(r"[\w>]$", head) and re.search(r"\)\s*(noexcept\s*)?:[^:]|,\s*\w+_?$", words):
        return "initialiser"
    if ")" in words and not re.search(r"(?<![=!<>+\-*/%&|^])=(?!=)", after_arguments(words)):
        return "function"
    return "value"


def after_template(words):
    depth = 0
    for at, char in enumerate(words):
        depth += (char == "<") - (char == ">")
        if char == ">" and depth == 0:
            return words[at + 1:]
    return ""


def after_arguments(words):
    """What is outside of parentheses; `operator==` and default arguments do not make a value."""
    depth, outside = 0, ""
    for char in re.sub(r"operator\s*[^\w\s(]+", "operator", words):
        depth += char == "("
        if depth == 0:
            outside += char
        depth -= char == ")"
    return outside


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    parser.add_argument("--rules", default=here)
    options = parser.parse_args()
    problems = Tidy(options.root, options.rules).run()
    print("\n".join(problems) if problems else "tidy: nothing to say")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
