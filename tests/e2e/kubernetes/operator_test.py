#!/usr/bin/env python3
"""The operator's image on a real Kubernetes of three nodes in three zones, as a black box.

  make image && testbed/with --nodes 3 --etcd 3.5.12,3.5.33 tests/e2e/kubernetes/operator_test.py
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (ACCOUNT, CLUSTER, NAME, SYSTEM, Client, Installed, Writer,  # noqa: E402
                 eventually, get, kubectl, member_pods, testbed, tool)


class LifeTest(Installed):
    def test_life(self):
        self.steps(self.created, self.secured, self.grows, self.pod_deleted, self.drained,
                   self.operator_killed, self.shrinks, self.nothing_forbidden, self.deleted)

    def created(self):
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{CLUSTER}")
        self.healthy(3)
        nodes = {pod["spec"]["nodeName"] for pod in member_pods(CLUSTER)}
        self.assertEqual(len(nodes), 3, "one node, and so one zone, for each")

    def secured(self):
        client = Client(CLUSTER, self.folder)
        host = f"{CLUSTER}-client.default"
        plain = tool("run", client.program, f"--endpoints=http://{host}:2379",
                     "--command-timeout=3s", "get", "a", check=False)
        self.assertNotEqual(plain.returncode, 0)
        nameless = tool("run", client.program, f"--endpoints=https://{host}:2379",
                        f"--cacert={self.folder}/ca.crt", "--command-timeout=3s", "get", "a",
                        check=False)
        self.assertNotEqual(nameless.returncode, 0)
        client.run("put", "a", "b")

    def grows(self):
        with Writer(Client(CLUSTER, self.folder)) as writer:
            kubectl("scale", f"etcd/{CLUSTER}", "--replicas=5")
            self.healthy(5)
        writer.check(self)

    def pod_deleted(self):
        victim = member_pods(CLUSTER)[0]["metadata"]
        with Writer(Client(CLUSTER, self.folder)) as writer:
            kubectl("delete", "pod", victim["name"])
            eventually(lambda: any(pod["metadata"]["name"] == victim["name"]
                                   and pod["metadata"]["uid"] != victim["uid"]
                                   for pod in member_pods(CLUSTER)), "another pod")
            self.healthy(5)
        writer.check(self)

    def drained(self):
        with Writer(Client(CLUSTER, self.folder)) as writer:
            for node in testbed.standing(NAME).node_names:
                kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
                        "--timeout=120s")
                kubectl("uncordon", node)
                self.healthy(5)
        writer.check(self)

    def operator_killed(self):
        kubectl("-n", SYSTEM, "delete", "pod", "--all", "--grace-period=0", "--force")
        kubectl("patch", f"etcd/{CLUSTER}", "--type=merge", "-p", '{"spec":{"size":4}}')
        self.healthy(4)

    def shrinks(self):
        with Writer(Client(CLUSTER, self.folder)) as writer:
            kubectl("scale", f"etcd/{CLUSTER}", "--replicas=3")
            self.healthy(3)
        writer.check(self)

    def nothing_forbidden(self):
        with open(testbed.named(NAME).audit_log, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file]
        ours = [entry for entry in entries if entry["user"].get("username") == ACCOUNT]
        self.assertGreater(len(ours), 50)
        refused = {(entry["verb"], entry["requestURI"].split("?")[0]) for entry in ours
                   if entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"}
        self.assertEqual(refused, set())
        listed = [entry["requestURI"] for entry in ours if entry["verb"] in ("list", "watch")
                  and entry.get("objectRef", {}).get("resource") == "secrets"]
        self.assertEqual(listed, [])

    def deleted(self):
        kubectl("delete", "etcd", CLUSTER, "--timeout=120s")
        eventually(lambda: not member_pods(CLUSTER), "the pods to go")
        self.assertEqual(get("sts")["items"], [])
        self.assertNotEqual(get("pvc")["items"], [], "volumes are retained")


if __name__ == "__main__":
    unittest.main(verbosity=2)
