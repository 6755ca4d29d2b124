#!/usr/bin/env python3
"""The operator by its Helm chart: installed with a cluster, upgraded, uninstalled, installed again.

  make image && tools/go-program helm &&
      testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/chart_test.py
"""
import glob
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (ROOT, SYSTEM, Client, Steps, command, eventually, get, kubectl,  # noqa: E402
                 member_pods, tool)

CHART, RELEASE, NAME = f"{ROOT}/deploy/helm/etcd-operator", "etcd-operator", "charted"


class ChartTest(Steps):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.program = command(f"{ROOT}/tools/go-program", "helm").stdout.strip()
        archive, = glob.glob(f"{ROOT}/build/image/etcd-operator-*.oci.tar")
        tool("load-image", archive)

    def helm(self, *arguments: str, **options):
        return command(self.program, "--namespace", SYSTEM, *arguments, **options)

    def values(self, size: int) -> str:
        path = f"{self.folder}/values.yaml"
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"clusters": [{"name": NAME, "namespace": "default",
                                     "spec": {"size": size, "version": "3.5.12"}}]}, out)
        return path

    def test_life(self):
        self.steps(self.installed, self.upgraded, self.uninstalled, self.again)

    def serves(self, size: int) -> Client:
        eventually(lambda: get("etcd", NAME).get("status", {}).get("readyReplicas") == size,
                   f"{size} ready members", 180)
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{NAME}")
        client = Client(NAME, self.folder)
        self.assertEqual(len(client.voters()), size)
        return client

    def installed(self):
        """The CRDs, the operator and a cluster, by one command."""
        self.helm("install", RELEASE, CHART, "--create-namespace", "--wait", "--timeout", "3m",
                  "-f", self.values(1))
        self.serves(1).run("put", "kept", "yes")

    def upgraded(self):
        self.helm("upgrade", RELEASE, CHART, "--wait", "--timeout", "3m", "-f", self.values(3))
        self.serves(3)

    def uninstalled(self):
        """The operator goes, the cluster serves on and is not being deleted."""
        before = {pod["metadata"]["uid"] for pod in member_pods(NAME)}
        self.helm("uninstall", RELEASE, "--wait", "--timeout", "2m")
        eventually(lambda: not get("-n", SYSTEM, "pods")["items"], "the operator's pods to go")
        self.assertNotIn("deletionTimestamp", get("etcd", NAME)["metadata"])
        self.assertEqual({pod["metadata"]["uid"] for pod in member_pods(NAME)}, before)
        self.assertIn("yes", Client(NAME, self.folder).run("get", "kept").stdout)

    def again(self):
        """Another release of that name takes the cluster over; a person deletes it."""
        before = {pod["metadata"]["uid"] for pod in member_pods(NAME)}
        self.helm("install", RELEASE, CHART, "--wait", "--timeout", "3m", "-f", self.values(3))
        self.assertIn("yes", self.serves(3).run("get", "kept").stdout)
        self.assertEqual({pod["metadata"]["uid"] for pod in member_pods(NAME)}, before)
        kubectl("delete", "etcd", NAME, "--timeout=120s")
        eventually(lambda: not member_pods(NAME), "its pods to go")
        self.helm("uninstall", RELEASE, "--wait", "--timeout", "2m")


if __name__ == "__main__":
    unittest.main(verbosity=2)
