#!/usr/bin/env python3
"""Every alert fires in Prometheus's own rule engine when it must, says what it must, and else not.

  tests/alerts/alerts_test.py [--promtool FILE]     without: the one of tools/go-program
"""
import argparse
import os
import subprocess
import sys
import tempfile
import unittest

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RULES = os.path.join(ROOT, "deploy", "monitoring", "alerts.yaml")


def read(path):
    with open(path, encoding="utf-8") as text:
        return yaml.safe_load(text)


def rules():
    return {rule["alert"]: rule for group in read(RULES)["groups"] for rule in group["rules"]}


def unit(case, rule):
    """Two of promtool's tests: the alert as it must be, and none."""
    def test(series, expected):
        return {"interval": "1m",
                "input_series": [{"series": name, "values": values}
                                 for name, values in series.items()],
                "alert_rule_test": [{"eval_time": case["at"], "alertname": case["alert"],
                                     "exp_alerts": expected}]}
    alert = {"exp_labels": {**case["labels"], **rule["labels"]},
             "exp_annotations": {**rule["annotations"], "summary": case["summary"]}}
    return [test(case["fires"], [alert]), test(case["silent"], [])]


class AlertsTest(unittest.TestCase):
    promtool = ""

    def run_units(self, units):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "test.yaml")
            with open(path, "w", encoding="utf-8") as out:
                yaml.safe_dump({"rule_files": [RULES], "evaluation_interval": "1m",
                                "tests": units}, out)
            return subprocess.run([self.promtool, "test", "rules", path], text=True, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_prometheus_takes_the_rules(self):
        done = subprocess.run([self.promtool, "check", "rules", RULES], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_every_alert_has_a_case(self):
        self.assertEqual(sorted(case["alert"] for case in read(os.path.join(HERE, "cases.yaml"))),
                         sorted(rules()))

    def test_each_fires_when_it_must_and_else_not(self):
        known = rules()
        for case in read(os.path.join(HERE, "cases.yaml")):
            with self.subTest(case["alert"]):
                done = self.run_units(unit(case, known[case["alert"]]))
                self.assertEqual(done.returncode, 0, done.stdout)

    def test_an_alert_that_stays_silent_is_seen(self):
        case = dict(read(os.path.join(HERE, "cases.yaml"))[0])
        case["fires"] = case["silent"]
        self.assertNotEqual(self.run_units(unit(case, rules()[case["alert"]])).returncode, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promtool")
    options, rest = parser.parse_known_args()
    AlertsTest.promtool = options.promtool or subprocess.run(
        [os.path.join(ROOT, "tools", "go-program"), "promtool"], text=True, check=True,
        stdout=subprocess.PIPE).stdout.strip()
    print(f"depth: {len(rules())} alerts in Prometheus's rule engine", flush=True)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
