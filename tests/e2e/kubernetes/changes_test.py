#!/usr/bin/env python3
"""Versions over minors, templates, images that do not exist, and what is lost: on three nodes.

  make image && testbed/with --nodes 3 --etcd 3.5.12,3.5.33,3.6.16 \\
      tests/e2e/kubernetes/changes_test.py
"""
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (CLUSTER, Client, Installed, Writer, condition, eventually, get,  # noqa: E402
                 kubectl, member_pods)


def edit(**spec) -> None:
    kubectl("patch", f"etcd/{CLUSTER}", "--type=merge", "-p", json.dumps({"spec": spec}))


def restarted(version: str) -> list[str]:
    """The members that were restarted with this version, in their order."""
    events = get("events", "--field-selector", f"involvedObject.name={CLUSTER},reason=Upgrade",
                 "--sort-by=.metadata.creationTimestamp")["items"]
    found = [re.match(r"(\S+) restarts with etcd (\S+)", event["message"]) for event in events]
    return [match[1] for match in found if match and match[2] == version]


def lose(member: str) -> None:
    kubectl("delete", "pvc", f"data-{member}", "--wait=false")
    kubectl("delete", "pod", f"{member}-0", "--wait=false")


def uids() -> dict:
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in member_pods(CLUSTER)}


class ChangesTest(Installed):
    def test_life(self):
        self.steps(self.created, self.minors, self.minor_too_far, self.no_such_image,
                   self.environment, self.quorum_lost, self.all_lost)

    def created(self):
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{CLUSTER}")
        self.healthy(3)

    def minors(self):
        """A patch and a minor step under a writer: each member once, the leader last."""
        with Writer(Client(CLUSTER, self.folder)) as writer:
            for version in ("3.5.33", "3.6.16"):
                leader = get("etcd", CLUSTER)["status"]["leader"]
                edit(version=version)
                self.healthy(3, 300, version)
                order = restarted(version)
                self.assertEqual(len(order), len(set(order)), order)
                self.assertEqual(len(order), 3, order)
                self.assertEqual(order[-1], leader, order)
        writer.check(self)

    def minor_too_far(self):
        """Back over a minor that the cluster has reached is refused, and nothing restarts."""
        before = uids()
        edit(version="3.5.33")
        eventually(lambda: condition(CLUSTER, "UpgradeBlocked").get("status") == "True",
                   "the refusal")
        self.assertIn("3.6", condition(CLUSTER, "UpgradeBlocked")["message"])
        self.assertEqual(uids(), before)
        edit(version="3.6.16")
        self.healthy(3)
        self.assertEqual(uids(), before)

    def no_such_image(self):
        """One member waits for it, the others serve; putting the version back heals."""
        before = uids()
        with Writer(Client(CLUSTER, self.folder)) as writer:
            edit(version="3.6.99")
            eventually(lambda: any(
                status.get("state", {}).get("waiting", {}).get("reason") in
                ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull")
                for pod in member_pods(CLUSTER)
                for status in pod["status"].get("containerStatuses", [])
                + pod["status"].get("initContainerStatuses", [])), "an image that is not there")
            eventually(lambda: condition(CLUSTER, "Degraded").get("status") == "True",
                       "the halt to be told")
            now = uids()
            self.assertEqual(sum(before[name] != now.get(name) for name in before), 1)
            edit(version="3.6.16")
            self.healthy(3, 240, "3.6.16")
        writer.check(self)

    def environment(self):
        with Writer(Client(CLUSTER, self.folder)) as writer:
            edit(podTemplate={"metadata": {"labels": {"team": "blue"}},
                              "spec": {"env": [{"name": "ETCD_MAX_TXN_OPS", "value": "256"}]}})
            eventually(lambda: all(pod["metadata"]["labels"].get("team") == "blue"
                                   for pod in member_pods(CLUSTER)), "the new template", 240)
            self.healthy(3, 240)
        writer.check(self)

    def quorum_lost(self):
        """Two of three volumes are gone: the cluster goes on from the third, with all data."""
        client = Client(CLUSTER, self.folder)
        client.run("put", "colour", "blue")
        edit(recovery={"waitSeconds": 5})
        names = sorted(pod["metadata"]["name"].removesuffix("-0") for pod in member_pods(CLUSTER))
        for name in names[:2]:
            lose(name)
        eventually(lambda: condition(CLUSTER, "Available").get("status") != "True", "the loss")
        self.healthy(3, 400)
        client = Client(CLUSTER, self.folder)
        self.assertIn("blue", client.run("get", "colour").stdout)
        self.assertFalse(set(names) & set(client.voters()), "new names for a new incarnation")

    def all_lost(self):
        """Nobody has data: a person is asked, and only their word begins an empty cluster."""
        for pod in member_pods(CLUSTER):
            lose(pod["metadata"]["name"].removesuffix("-0"))
        eventually(lambda: condition(CLUSTER, "NeedsApproval").get("status") == "True",
                   "the question", 240)
        message = condition(CLUSTER, "NeedsApproval")["message"]
        words = re.search(r"kubectl (.*?annotate .*?operator\.etcd\.io/approve=\S+)", message)
        self.assertTrue(words, message)
        kubectl(*words[1].strip("`'\".").split())
        self.healthy(3, 300)
        found = Client(CLUSTER, self.folder).run("get", "", "--prefix", "--keys-only").stdout
        self.assertEqual(found.split(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
