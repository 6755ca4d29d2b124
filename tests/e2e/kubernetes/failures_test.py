#!/usr/bin/env python3
"""What goes wrong around a cluster of three members on three nodes, and an upgrade.

  make image && testbed/with --nodes 3 --etcd 3.5.12,3.5.33 tests/e2e/kubernetes/failures_test.py
"""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (CLUSTER, Client, Installed, Writer, condition, eventually,  # noqa: E402
                 kubectl, member_pods, tool)


def lives() -> dict:
    """Which pods there are, and how often their containers were started."""
    return {pod["metadata"]["uid"]: [status["restartCount"] for status
                                     in pod["status"]["containerStatuses"]]
            for pod in member_pods(CLUSTER)}


class FailuresTest(Installed):
    def test_life(self):
        self.steps(self.created, self.upgraded, self.server_away, self.volume_deleted,
                   self.node_off, self.node_lost, self.retained_volumes)

    def created(self):
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{CLUSTER}")
        self.healthy(3)
        Client(CLUSTER, self.folder).run("put", "colour", "blue")

    def upgraded(self):
        with Writer(Client(CLUSTER, self.folder)) as writer:
            kubectl("patch", f"etcd/{CLUSTER}", "--type=merge", "-p",
                    '{"spec":{"version":"3.5.33"}}')
            self.healthy(3, version="3.5.33")
        writer.check(self)
        for pod in member_pods(CLUSTER):
            self.assertIn("v3.5.33", pod["spec"]["containers"][0]["image"])

    def server_away(self):
        """Members go on without a word from the operator, and nobody is restarted afterwards."""
        before = lives()
        with Writer(Client(CLUSTER, self.folder)) as writer:
            tool("apiserver", "kill")
            written = writer.acknowledged
            eventually(lambda: writer.acknowledged > written + 20, "writes without a server")
            tool("apiserver", "start")
            self.healthy(3)
        writer.check(self)
        self.assertEqual(lives(), before)

    def volume_deleted(self):
        victim = member_pods(CLUSTER)[0]["metadata"]["name"].removesuffix("-0")
        with Writer(Client(CLUSTER, self.folder)) as writer:
            kubectl("delete", "pvc", f"data-{victim}", "--wait=false")
            kubectl("delete", "pod", f"{victim}-0")
            eventually(lambda: victim not in Client(CLUSTER, self.folder).voters(),
                       "the member without data to be removed")
            self.healthy(3, 300)
        writer.check(self)

    def node_off(self):
        """Its member is waited for: a node that is off may come back with its disk."""
        where = member_pods(CLUSTER)[0]["spec"]["nodeName"]
        with Writer(Client(CLUSTER, self.folder)) as writer:
            tool("node", "stop", where)
            eventually(lambda: condition(CLUSTER, "Degraded").get("status") == "True",
                       "the loss to be told")
            tool("node", "start", where)
            self.healthy(3, 300)
        writer.check(self)

    def node_lost(self):
        """With its disk, for good: the member is replaced without a person."""
        pod = member_pods(CLUSTER)[0]
        where, victim = pod["spec"]["nodeName"], pod["metadata"]["name"].removesuffix("-0")
        with Writer(Client(CLUSTER, self.folder)) as writer:
            tool("node", "delete", where)
            tool("node", "wipe", where)
            tool("node", "start", where)
            # Nothing proves the loss where the volume cannot be mounted: repair.timeoutSeconds is 300.
            eventually(lambda: victim not in Client(CLUSTER, self.folder).voters(),
                       "the member without data to be removed", 420)
            self.healthy(3, 300)
        writer.check(self)
        self.assertIn("blue", Client(CLUSTER, self.folder).run("get", "colour").stdout)

    def retained_volumes(self):
        """What a removed member left is not taken for the next one's."""
        for size in (1, 3):
            kubectl("scale", f"etcd/{CLUSTER}", f"--replicas={size}")
            self.healthy(size)
        self.assertIn("blue", Client(CLUSTER, self.folder).run("get", "colour").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
