#!/usr/bin/env python3
"""tools/analyze joins only files that can be joined, and remembers only what is still so."""
import importlib.machinery
import importlib.util
import json
import os
import shutil
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("analyze", os.path.join(HERE, "analyze"))
spec = importlib.util.spec_from_loader("analyze", loader)
analyze = importlib.util.module_from_spec(spec)
loader.exec_module(analyze)

# Stands in for clang-tidy: refuses what holds the word FINDING, and a unit that holds CLASH twice.
TOOL = """#!/usr/bin/env python3
import re, sys
def text_of(path):
    with open(path) as file: text = file.read()
    return re.sub(r'#include "(/[^"]+)"', lambda m: text_of(m.group(1)), text)
if "--version" in sys.argv: print("1"); sys.exit(0)
path = sys.argv[sys.argv.index("--") - 1]
open("looked", "a").write(path + "\\n")
text = text_of(path)
if text.count("CLASH") > 1: print("error: twice [clang-diagnostic-error]"); sys.exit(1)
if "FINDING" in text: print("error: found"); sys.exit(1)
"""


class AnalyzeTest(unittest.TestCase):
    def setUp(self):
        self.root = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.root)
        analyze.CACHE = os.path.join(self.root, "cache")
        analyze.TOOL = os.path.join(self.root, "tool")
        self.write("tool", TOOL)
        os.chmod("tool", 0o755)
        self.write(".clang-tidy", "Checks: a\n")
        self.write("src/g/.clang-tidy", "Checks: b\n")

    def write(self, path, text):
        os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as file:
            file.write(text)

    def build(self, **sources):
        """A configured build of src/NAME.cc (two underlines: a folder)."""
        entries = []
        for name, text in sources.items():
            path = "src/" + name.replace("__", "/") + ".cc"
            self.write(path, text)
            entries.append({"file": os.path.join(self.root, path), "directory": self.root,
                            "command": f"clang++ -DX -I{self.root}/src -c {path} -o x.o"})
        self.write("build/compile_commands.json", json.dumps(entries))

    def looked(self):
        if not os.path.exists("looked"):
            return 0
        with open("looked", encoding="utf-8") as file:
            count = len(file.readlines())
        os.remove("looked")
        return count

    def run_all(self, *wanted):
        """(exit status, how often the tool ran)"""
        analyze.sys.argv = ["analyze", "build", *wanted]
        out, analyze.sys.stdout = analyze.sys.stdout, open(os.devnull, "w", encoding="utf-8")
        try:
            status = analyze.main()
        finally:
            analyze.sys.stdout.close()
            analyze.sys.stdout = out
        return status, self.looked()

    def test_files_with_names_of_their_own_are_one_unit(self):
        self.build(a="namespace n {\nnamespace {\nint f() {\n}\n", b="namespace n {\nint g();\n")
        self.assertEqual(self.run_all(), (0, 1))

    def test_a_name_in_two_files_makes_two_units(self):
        for text in ("int f() {\n}\n", "constexpr int f = 1;\n", "struct f {\n", "using f = int;\n",
                     "TEST(A, f) {\n"):
            with self.subTest(text=text):
                self.build(a="namespace n {\n" + text, b="namespace n {\n" + text)
                self.assertEqual(self.run_all()[1], 2)

    def test_another_namespace_is_no_clash(self):
        self.build(a="namespace n {\nint f() {\n}\n", b="namespace m {\nint f() {\n}\n")
        self.assertEqual(self.run_all(), (0, 1))

    def test_rules_of_a_folder_count_for_its_files_only(self):
        self.build(a="int f();\n", g__b="int g();\n", g__c="int h();\n")
        self.assertEqual(self.run_all(), (0, 2))
        with open("build/analyze/src/g/.clang-tidy", encoding="utf-8") as rules:
            self.assertEqual(rules.read(), "Checks: b\n")

    def test_a_unit_that_does_not_compile_is_taken_apart(self):
        self.build(a="int f();  // CLASH\n", b="int g();  // CLASH\n")
        self.assertEqual(self.run_all(), (0, 3))
        self.build(a="int f();  // CLASH FINDING\n", b="int g();  // CLASH\n")
        self.assertEqual(self.run_all()[0], 1)

    def test_what_is_clean_is_remembered_until_something_changes(self):
        self.write("src/h.h", "int a;\n")
        self.build(a='#include "h.h"\nint f();\n', b="int g();\n")
        self.assertEqual(self.run_all(), (0, 1))
        self.assertEqual(self.run_all(), (0, 0))
        self.write("src/h.h", "int b;\n")
        self.assertEqual(self.run_all(), (0, 1))
        self.write(".clang-tidy", "Checks: c\n")
        self.assertEqual(self.run_all(), (0, 1))

    def test_a_finding_fails_each_time(self):
        self.build(a="int f();  // FINDING\n")
        self.assertEqual(self.run_all(), (1, 1))
        self.assertEqual(self.run_all(), (1, 1))

    def test_without_a_place_to_remember_everything_is_looked_at(self):
        self.write("file", "")
        analyze.CACHE = os.path.join(self.root, "file", "cache")
        self.build(a="int f();\n")
        self.assertEqual(self.run_all(), (0, 1))
        self.assertEqual(self.run_all(), (0, 1))

    def test_named_files_are_looked_at_alone(self):
        self.build(a="int f();\n", b="int g();\n", c="int h();\n")
        self.assertEqual(self.run_all("src/a.cc", "src/b.cc"), (0, 2))


if __name__ == "__main__":
    unittest.main()
