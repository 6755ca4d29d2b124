#!/usr/bin/env python3
"""The ledger counts what ran, and swallows no failure."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import shutil
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
loader = importlib.machinery.SourceFileLoader("ledger", os.path.join(HERE, "ledger"))
spec = importlib.util.spec_from_loader("ledger", loader)
ledger = importlib.util.module_from_spec(spec)
loader.exec_module(ledger)

PASS = {"name": "p", "status": "RUN", "result": "COMPLETED"}
FAIL = {"name": "f", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "no"}]}
SKIP = {"name": "s", "status": "RUN", "result": "SKIPPED"}
DISABLED = {"name": "d", "status": "NOTRUN", "result": "SUPPRESSED"}


class LedgerTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        ledger.ROOT, ledger.LOGS = self.root, os.path.join(self.root, "build/ledger")
        os.makedirs(ledger.LOGS)
        os.makedirs(os.path.join(self.root, "build/dev/gtest"))
        self.junit = os.path.join(ledger.LOGS, "t.xml")

    def run_stage(self, script, preset="", minutes=1.0):
        command = ["sh", "-c", script, "--output-junit", self.junit]
        stage = ledger.Stage("stage", [command], minutes, preset=preset)
        with contextlib.redirect_stdout(io.StringIO()):
            return ledger.run_stage(stage, time.monotonic() + 60, threading.Event())

    def run_stages(self, stages):
        with contextlib.redirect_stdout(io.StringIO()):
            return ledger.run_stages(stages, time.monotonic() + 60)

    def test_a_program_tells_how_far_it_went(self):
        row = self.run_stage("echo 'depth: 7 states'; echo 'depth: 3/1/1'")
        self.assertEqual(row.depth, "7 states, 3/1/1")
        self.assertEqual((row.passed, row.failed), (1, 0))

    def test_a_chosen_stage_brings_what_it_needs(self):
        stages = [ledger.Stage("a", [], 1), ledger.Stage("b", [], 1, ("a",)),
                  ledger.Stage("c", [], 1, ("b",)), ledger.Stage("d", [], 1)]
        self.assertEqual([s.name for s in ledger.chosen(stages, ["c"])], ["a", "b", "c"])
        self.assertEqual([s.name for s in ledger.chosen(stages, [])], ["a", "b", "c", "d"])
        with self.assertRaises(SystemExit):
            ledger.chosen(stages, ["e"])

    def ran(self, programs, status=0):
        """A stage whose ctest ran these programs: {name: (ctest's word, cases or None)}."""
        source = tempfile.mkdtemp(dir=self.root)
        entries = ""
        for name, (word, cases) in programs.items():
            entries += f'<testcase name="{name}" status="{word}"/>'
            if cases is not None:
                with open(f"{source}/{name}.json", "w", encoding="utf-8") as out:
                    json.dump({"testsuites": [{"name": "S", "testsuite": cases}]}, out)
        with open(f"{source}/junit", "w", encoding="utf-8") as out:
            out.write(f"<testsuite>{entries}</testsuite>")
        return self.run_stage(f"cp {source}/*.json build/dev/gtest/ 2>/dev/null; "
                              f"cp {source}/junit {self.junit}; exit {status}", preset="dev")

    def test_a_command_passes_or_fails_by_its_status(self):
        self.assertEqual((1, 0), counts(self.run_stage("exit 0")))
        self.assertEqual((0, 1), counts(self.run_stage("exit 3")))

    def test_a_command_that_hangs_is_killed_and_has_failed(self):
        self.assertEqual((0, 1), counts(self.run_stage("while :; do :; done", minutes=0.01)))

    def test_cases_are_counted(self):
        row = self.ran({"a": ("run", [PASS, PASS]), "b": ("run", [PASS])})
        self.assertEqual((3, 0), counts(row))

    def test_a_failing_case_is_counted(self):
        row = self.ran({"a": ("fail", [PASS, FAIL])}, status=8)
        self.assertEqual((1, 1), counts(row))
        self.assertEqual(["failed: a: S.f"], row.notes)

    def test_a_program_that_fails_outside_its_cases_has_failed(self):
        self.assertEqual((2, 1), counts(self.ran({"a": ("fail", [PASS, PASS])}, status=8)))

    def test_a_program_without_a_report_is_one_case(self):
        self.assertEqual((1, 0), counts(self.ran({"a": ("run", None)})))
        row = self.ran({"a": ("fail", None)}, status=8)
        self.assertEqual((0, 1), counts(row))
        self.assertIn("failed: a (no report", row.notes[0])

    def test_a_status_that_no_test_explains_is_a_failure(self):
        self.assertEqual((1, 1), counts(self.ran({"a": ("run", [PASS])}, status=1)))

    def test_no_report_is_a_failure(self):
        self.assertEqual((0, 1), counts(self.run_stage("exit 0", preset="dev")))

    def test_skips_are_listed(self):
        row = self.ran({"a": ("run", [SKIP, DISABLED]), "b": ("notrun", None)})
        self.assertEqual((0, 0), counts(row))
        self.assertEqual(3, len(row.skipped))

    def test_transcripts_and_depth_are_shown(self):
        row = self.ran({"a": ("run", [{**PASS, "transcripts": "80", "depth": "5 members"}])})
        self.assertEqual((81, 0), counts(row))
        self.assertEqual("5 members", row.depth)

    def test_what_this_machine_cannot_run_is_told_and_not_counted(self):
        row = self.ran({"a": ("run", [{**PASS, "not_run": "no systemd"}, PASS])})
        self.assertEqual((1, 0), counts(row))
        self.assertEqual(["not run: a: no systemd"], row.notes)

    def test_an_old_report_is_not_counted(self):
        self.ran({"a": ("run", [PASS])})
        self.assertEqual((0, 1), counts(self.run_stage("exit 0", preset="dev")))

    def test_the_cases_of_an_earlier_run_are_not_counted(self):
        self.ran({"a": ("fail", [PASS, FAIL])}, status=8)
        self.assertEqual((1, 0), counts(self.ran({"a": ("run", None)})))

    def test_a_stage_beside_others_runs_while_they_do(self):
        meets = os.path.join(self.root, "meets")
        waits = stage("waits", f"read word <{meets}", beside=True)
        os.mkfifo(meets)
        rows = self.run_stages([waits, stage("comes", f"echo word >{meets}")])
        self.assertEqual([(1, 0), (1, 0)], [counts(row) for row in rows])

    def test_what_needs_a_stage_beside_others_waits_for_it(self):
        done, begin = os.path.join(self.root, "done"), os.path.join(self.root, "begin")
        os.mkfifo(begin)
        work = "n=0; while [ $n -lt 100000 ]; do n=$((n + 1)); done"
        rows = self.run_stages([stage("slow", f"read word <{begin}; {work}; touch {done}", beside=True),
                                stage("begins it", f"echo word >{begin}"),
                                stage("needs", f"test -e {done}", needs=("slow",))])
        self.assertEqual([(1, 0), (1, 0), (1, 0)], [counts(row) for row in rows])
        rows = self.run_stages([stage("fails", "exit 1", beside=True),
                                stage("needs", "exit 0", needs=("fails",))])
        self.assertEqual([(0, 1), (0, 1)], [counts(row) for row in rows])
        self.assertEqual(["not run: needs 'fails', which failed"], rows[1].notes)

    def test_an_interrupt_ends_what_runs_beside(self):
        def interrupted(*_):
            raise KeyboardInterrupt
        beside = stage("beside", "while :; do :; done", beside=True)
        real = ledger.run_stage
        self.addCleanup(setattr, ledger, "run_stage", real)
        ledger.run_stage = lambda s, *more: interrupted() if s.name == "next" else real(s, *more)
        with self.assertRaises(KeyboardInterrupt):
            self.run_stages([beside, stage("next", "exit 0")])


def stage(name, script, **more):
    return ledger.Stage(name, [["sh", "-c", script]], 1, **more)


def counts(row):
    return row.passed, row.failed


if __name__ == "__main__":
    unittest.main()
