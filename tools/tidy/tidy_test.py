#!/usr/bin/env python3
"""Every check of tidy.py, failing and passing, on small trees made for it."""
import os
import shutil
import subprocess
import tempfile
import unittest

import tidy

LAYERS = ("base:\nposix: base\napi: base\nplan: base api\n"
          "engine: base plan guard/files.h\nguard: base\n"
          "sim/world: base plan engine/a.h\nsim/checkers: base sim/world\n")


class TidyTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        subprocess.run(["git", "init", "-q", self.root], check=True)
        self.write("rules/layers.txt", LAYERS)
        self.write("rules/exceptions.txt", "")
        for folder in ("base", "posix", "api", "plan", "engine", "guard"):
            self.write(f"src/{folder}/CMakeLists.txt",
                       f"eo_module({folder} SOURCES a.cc b.cc TESTS a_test.cc)\n")
        for folder in ("world", "checkers"):
            self.write(f"sim/{folder}/CMakeLists.txt",
                       f"eo_sim_module({folder} SOURCES a.cc b.cc TESTS a_test.cc)\n")

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def problems(self):
        return tidy.Tidy(self.root, os.path.join(self.root, "rules")).run()

    def expect(self, *checks):
        found = self.problems()
        self.assertEqual([problem.split(": ")[1] for problem in found], list(checks), found)

    def test_a_clean_tree_passes(self):
        self.write("src/base/a.h", "// What it is.\n#pragma once\nint f();\n")
        self.write("src/plan/a.cc", '#include "base/a.h"\n#include "plan/b.h"\nint f();\n')
        self.expect()

    def test_an_unpacked_archive_is_checked_too(self):
        shutil.rmtree(os.path.join(self.root, ".git"))
        self.write("src/base/a.cc", '#include "api/a.h"\n')
        self.write("build/src/base/a.cc", '#include "api/a.h"\n')
        self.expect("layers")

    def test_an_include_against_the_layers_fails(self):
        self.write("src/base/a.cc", '#include "api/a.h"\n')
        self.expect("layers")
        self.write("src/base/a.cc", '#include "base/a.h"\n')
        self.write("src/plan/a.cc", '#include "posix/a.h"\n')
        self.expect("layers")

    def test_a_test_may_include_what_it_needs(self):
        self.write("src/plan/a_test.cc", '#include "posix/a.h"\n')
        self.expect()

    def test_one_header_of_a_folder_may_be_allowed(self):
        self.write("src/engine/a.cc", '#include "guard/files.h"\n')
        self.expect()
        self.write("src/engine/a.cc", '#include "guard/lock.h"\n')
        self.expect("layers")

    def test_a_link_against_the_layers_fails(self):
        def module(deps):
            return (f"eo_module(x SOURCES a.cc b.cc\n  DEPS {deps}\n  LIBS foo TESTS a_test.cc)\n"
                    "eo_module(engine_part)\n")
        self.write("src/guard/CMakeLists.txt", "eo_module(guard)\neo_module(guard_files)\n")
        self.write("src/engine/CMakeLists.txt", module("base plan guard_files engine_part"))
        self.expect()
        self.write("src/engine/CMakeLists.txt", module("base guard"))
        self.expect("layers")
        self.write("src/engine/CMakeLists.txt", module("base api"))
        self.expect("layers")

    def test_the_proof_has_its_layers(self):
        self.write("sim/world/a.h", "// What it is.\n#pragma once\nint f();\n")
        self.write("sim/world/a.cc", '#include "plan/a.h"\n#include "sim/world/a.h"\n')
        self.write("sim/checkers/a.cc", '#include "base/a.h"\n#include "sim/world/a.h"\n')
        self.write("sim/checkers/a_test.cc", '#include "plan/a.h"\n')
        self.expect()
        for path, included in (("sim/checkers/a.cc", "plan/a.h"),
                               ("sim/world/a.cc", "sim/checkers/a.h"),
                               ("sim/world/a.cc", "engine/b.h"),
                               ("sim/world/a.cc", "tests/support/a.h"),
                               ("src/plan/a.cc", "sim/world/a.h"),
                               ("sim/new/a.cc", "base/a.h")):
            with self.subTest(path=path, included=included):
                folder = os.path.dirname(path)
                self.write(folder + "/CMakeLists.txt", "a.cc b.cc a_test.cc\n")
                self.write(path, f'#include "{included}"\n')
                self.expect("layers")
                self.write(path, "\n")
                if folder == "sim/new":
                    shutil.rmtree(os.path.join(self.root, folder))

    def test_the_proof_links_by_its_layers(self):
        def module(deps):
            return f"eo_sim_module(checkers SOURCES a.cc b.cc a_test.cc DEPS {deps})\n"
        self.write("sim/checkers/CMakeLists.txt", module("base sim_world"))
        self.expect()
        self.write("sim/checkers/CMakeLists.txt", module("base plan sim_world"))
        self.expect("layers")
        self.write("sim/checkers/CMakeLists.txt", module("sim_world"))
        self.write("src/plan/CMakeLists.txt", "eo_module(plan DEPS sim_world)\n")
        self.expect("layers")
        self.write("src/plan/CMakeLists.txt", "")
        self.write("sim/world/CMakeLists.txt", "eo_sim_module(world DEPS engine plan)\n")
        self.expect()

    def test_a_folder_without_a_row_fails(self):
        self.write("src/new/CMakeLists.txt", "a.cc\n")
        self.write("src/new/a.cc", "int f();\n")
        self.expect("layers")

    def test_sizes(self):
        self.write("src/base/a.h", "// What it is.\n#pragma once\n" + "\n" * 149)
        self.write("src/base/a.cc", "\n" * 501)
        self.write("src/base/b.cc", "// " + "x" * 98 + "\n")
        self.expect("file-size", "file-size", "line-size")

    def test_sizes_at_their_limits_pass(self):
        self.write("src/base/a.h", "// What it is.\n#pragma once\n" + "\n" * 148)
        self.write("src/base/a.cc", "\n" * 500)
        self.write("src/base/b.cc", "// " + "x" * 97 + "\n")
        self.expect()

    def test_functions_of_every_form_are_measured(self):
        body = "{\n" + "  g();\n" * 69 + "}\n"
        for head in ("int f() ", "A::A() : a_{1}, b_(2) ", "template <class T>\nauto f(T x = {}) ",
                     "bool operator==(A a, A b) ",
                     "namespace n {\nclass [[nodiscard]] A {\n void f() ",
                     "A::A(int a)\n    : a_(a), b_{b} ", "void f() const noexcept "):
            with self.subTest(head=head):
                self.write("src/base/a.cc", head + body)
                self.expect("function-size")

    def test_tables_and_short_functions_are_no_long_functions(self):
        rows = "  {1, f()},\n" * 90
        short = "void f() {\n" + "  g([&] { return '}'; });\n" * 20 + "}\n"
        self.write("src/base/a.cc", "const A kTable[] = {\n" + rows + "};\n" + short * 10)
        members = "struct B {\n" + "int a;\n" * 99 + "};\n"
        self.write("src/base/b.cc", "const A kTable{\n" + rows + "};\n" + members)
        self.expect()

    def test_braces_in_text_do_not_count(self):
        text = 'auto f() {\n  return R"({{{)" + "}" + 1\'000;  // {\n}\n'
        self.write("src/base/a.cc", text + "int g();\n" * 99)
        self.expect()

    def test_calls_belong_to_their_modules(self):
        for call, check in (("std::chrono::steady_clock::now()", "clock"),
                            ("::open(p, 0)", "syscall"),
                            ('getenv("HOME")', "environment"), ("std::random_device{}()", "random"),
                            ("std::this_thread::sleep_for(d)", "sleep"), ("fork()", "syscall"),
                            ("std::ifstream in(p)", "file"), ("fs::filesystem::exists(p)", "file")):
            with self.subTest(call=call):
                self.write("src/api/a.cc", f"int f() {{ return {call}; }}\n")
                self.expect(check)
                here, there = (os.path.join(self.root, f"src/{f}/a.cc") for f in ("api", "posix"))
                shutil.move(here, there)
                self.expect()
                os.remove(there)

    def test_other_things_of_the_same_name_pass(self):
        self.write("src/api/a.cc", "// getenv( and ::open(\nint f() { return my::open(1) + "
                                   'x.read(2) + wait("::open(") + strand(3); }\n')
        self.expect()

    def test_no_test_sleeps(self):
        self.write("src/posix/a_test.cc", "void f() { usleep(5); }\n")
        self.expect("sleep")

    def test_todo_needs_a_name_and_a_reason(self):
        good = "// TODO(ann): split, when 3.8 is out\n"
        self.write("src/base/a.cc", "// TODO: later\n// FIXME\n" + good)
        self.expect("todo", "todo")

    def test_a_header_says_what_it_is_once(self):
        self.write("src/base/a.h", "int f();\n")
        self.expect("header", "header")

    def test_a_third_party_type_stays_in_its_module(self):
        self.write("src/base/a.h", "// What it is.\n#pragma once\n#include <boost/json.hpp>\n")
        self.write("src/base/b.h", '// What it is.\n#pragma once\n#include "base/a.h"\n')
        self.write("src/base/a.cc", '#include "base/b.h"\n')
        self.expect()
        self.write("src/api/a.cc", '#include "base/b.h"\n')
        self.expect("third-party")

    def test_a_file_that_is_not_built_is_dead(self):
        self.write("src/base/c.cc", "int f();\n")
        self.expect("dead-file")

    def test_what_names_an_interpreter_can_be_run(self):
        self.write("tools/a.py", "#!/usr/bin/env python3\n")
        self.write("tools/b.py", "import a\n")
        self.expect("mode")
        os.chmod(os.path.join(self.root, "tools/a.py"), 0o755)
        self.expect()

    def test_markdown_has_a_title_and_live_links(self):
        self.write("docs/a.md", "text [x](b.md) [y](https://example.org/z.md)\n")
        self.expect("markdown", "markdown")
        self.write("docs/b.md", "# B\n")
        self.write("docs/a.md", "# A\n[x](b.md#part)\n")
        self.expect()

    def test_an_exception_counts_for_its_file_and_dies_with_its_cause(self):
        self.write("rules/exceptions.txt", "clock src/api/a.cc it is the clock\n")
        self.write("src/api/a.cc", "auto f() { return system_clock::now(); }\n")
        self.expect()
        self.write("src/api/b.cc", "auto f() { return system_clock::now(); }\n")
        self.expect("clock")
        self.write("src/api/b.cc", "\n")
        self.write("src/api/a.cc", "\n")
        self.expect("exceptions")

    def test_an_exception_needs_a_reason(self):
        self.write("rules/exceptions.txt", "clock src/api/a.cc\n")
        with self.assertRaises(SystemExit):
            self.problems()


if __name__ == "__main__":
    unittest.main()
