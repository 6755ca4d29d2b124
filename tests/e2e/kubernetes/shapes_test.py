#!/usr/bin/env python3
"""Clusters of other shapes than the first example, and neighbours: on three nodes.

  make image && testbed/with --nodes 3 --etcd 3.5.12,3.6.16 tests/e2e/kubernetes/shapes_test.py
"""
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (SYSTEM, Client, Installed, condition, eventually, get,  # noqa: E402
                 kubectl, member_pods, tool)

OWN, COREOS = "etcdclusters.operator.etcd.io", "etcdclusters.etcd.database.coreos.com"


def cluster(name: str, size: int = 1, api: str = "operator.etcd.io/v1alpha1", **spec) -> dict:
    return {"apiVersion": api, "kind": "EtcdCluster", "metadata": {"name": name},
            "spec": {"size": size, "version": "3.5.12"} | spec}


def apply(*objects: dict) -> None:
    kubectl("apply", "-f", "-", text=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def available(kind: str, name: str, seconds: int = 120) -> None:
    kubectl("wait", "--for=condition=Available", f"--timeout={seconds}s", f"{kind}/{name}")
    # The clients' certificate comes a moment after the first answer of etcd.
    eventually(lambda: kubectl("get", "secret", f"{name}-client-tls", check=False).returncode == 0,
               "the clients' certificate")


def all_available() -> set:
    return {found["metadata"]["name"] for found in get(OWN)["items"]
            if any(one["type"] == "Available" and one["status"] == "True"
                   for one in found.get("status", {}).get("conditions", []))}


def pods_of_many() -> set:
    """The pods of the twenty clusters."""
    return {pod["metadata"]["uid"] for pod in get("pods", "-l", "operator.etcd.io/cluster")["items"]
            if pod["metadata"]["labels"]["operator.etcd.io/cluster"].startswith("many-")}


def says(kind: str, name: str) -> str:
    return " ".join(one.get("reason", "") + " " + one.get("message", "")
                    for one in get(kind, name).get("status", {}).get("conditions", []))


class ShapesTest(Installed):
    def test_life(self):
        self.steps(self.second_example, self.names, self.both_groups, self.many, self.cut_off,
                   self.quorum)

    def second_example(self):
        """There is no backup to begin from: it waits, says so, and never starts empty."""
        kubectl("apply", "-f", "examples/cloud-etcd.yaml")
        eventually(lambda: "restore" in says(COREOS, "cloud-etcd").lower(), "a word about restore")
        self.assertEqual(member_pods("cloud-etcd"), [])
        kubectl("patch", f"{COREOS}/cloud-etcd", "--type=json", "-p",
                '[{"op":"remove","path":"/spec/restore"}]')
        available(COREOS, "cloud-etcd")
        status = get(COREOS, "cloud-etcd")["status"]
        self.assertEqual(status["phase"], "Running")
        self.assertEqual(len(status["members"]["ready"]), 3)
        kubectl("delete", f"{COREOS}/cloud-etcd", "--timeout=120s")

    def names(self):
        """As long as they may be, one the beginning of the other, and a newer etcd."""
        names = ["n" * 45, "a", "a-b", "b-1"]
        apply(*(cluster(name) for name in names), cluster("newer", version="3.6.16"))
        for name in [*names, "newer"]:
            available(OWN, name)
        for name in ("a", "a-b", "newer"):
            client = Client(name, self.folder)
            client.run("put", "whose", name)
        for name in ("a", "a-b", "newer"):
            self.assertIn(name, Client(name, self.folder).run("get", "whose").stdout)
        kubectl("delete", OWN, "--all", "--timeout=120s")
        eventually(lambda: not get("pods")["items"], "their pods to go")

    def both_groups(self):
        """One name in both groups: one of them is refused, and says so; nothing is shared."""
        apply(cluster("twin"))
        available(OWN, "twin")
        before = [pod["metadata"]["uid"] for pod in member_pods("twin")]
        apply(cluster("twin", size=3, api="etcd.database.coreos.com/v1beta2"))
        eventually(lambda: "twin" in says(COREOS, "twin"), "a word about the other")
        self.assertEqual([pod["metadata"]["uid"] for pod in member_pods("twin")], before)
        kubectl("delete", f"{COREOS}/twin", "--timeout=60s")
        self.assertEqual([pod["metadata"]["uid"] for pod in member_pods("twin")], before)

    def many(self):
        """Declared at once, by one operator of which another takes over; each has its own data."""
        names = {f"many-{n}" for n in range(20)}
        apply(*(cluster(name) for name in sorted(names)))
        eventually(all_available, "the first of them", 120)
        kubectl("-n", SYSTEM, "delete", "pod", "--all", "--grace-period=0", "--force")
        began = time.monotonic()
        eventually(lambda: all_available() >= names, "all of them", 400)
        print(f"  all {time.monotonic() - began:.0f} s after the operators were killed", flush=True)
        pods = pods_of_many()
        self.assertEqual(len(pods), len(names))
        for name in names:
            available(OWN, name)
            Client(name, self.folder).run("put", "whose", name)
        for name in names:
            found = Client(name, self.folder).run("get", "whose", "--print-value-only").stdout
            self.assertEqual(found.strip(), name)
        self.assertEqual(pods_of_many(), pods, "nobody was begun twice")
        kubectl("delete", OWN, *names, "--timeout=180s")
        eventually(lambda: len(pods_of_many() & pods) == 0, "their pods to go")

    def cut_off(self):
        """A node without a word for the API server, whose member serves on: nothing is rebuilt."""
        apply(cluster("cut", size=3))
        available(OWN, "cut")
        client = Client("cut", self.folder)
        before = sorted(member["ID"] for member in client.members())
        where = next(pod["spec"]["nodeName"] for pod in member_pods("cut"))
        tool("node", "cut", where)
        eventually(lambda: not any(c["type"] == "Ready" and c["status"] == "True" for c
                                   in get("node", where)["status"]["conditions"]), "NotReady")
        # Longer than the pods' tolerations, after which Kubernetes wants them gone.
        eventually(lambda: any("deletionTimestamp" in pod["metadata"]
                               for pod in member_pods("cut")), "its pod to be given up", 120)
        self.assertEqual(sorted(member["ID"] for member in client.members()), before)
        health = json.loads(client.run("endpoint", "health", "--cluster", "-w", "json").stdout)
        self.assertEqual([one["health"] for one in health], [True] * 3)
        tool("node", "heal", where)
        eventually(lambda: get(OWN, "cut")["status"].get("readyReplicas") == 3, "all three", 180)
        self.assertEqual(sorted(member["ID"] for member in client.members()), before)

    def quorum(self):
        """Two of three claims and pods gone: told, and nobody begins again from nothing."""
        names = sorted(pod["metadata"]["name"].removesuffix("-0") for pod in member_pods("cut"))
        for name in names[:2]:
            kubectl("delete", "pvc", f"data-{name}", "--wait=false")
            kubectl("delete", "pod", f"{name}-0")
        eventually(lambda: condition("cut", "Available").get("status") in ("False", "Unknown"),
                   "the loss to be told")
        eventually(lambda: "data lost" in says(OWN, "cut"), "what was lost to be told", 120)
        kept = f"data-{names[2]}"
        self.assertEqual(get("pvc", kept)["status"]["phase"], "Bound")


if __name__ == "__main__":
    unittest.main(verbosity=2)
