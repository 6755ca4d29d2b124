#!/usr/bin/env python3
"""What goes wrong around a cluster of three members on three nodes, and an upgrade.

  make image && testbed/with --nodes 3 --etcd 3.5.12,3.5.33 tests/e2e/kubernetes/failures_test.py
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (CLUSTER, NAME, ROOT, Client, Installed, Writer, condition,  # noqa: E402
                 eventually, get, kill, kubectl, member_pods, testbed, tool)


def lives() -> dict:
    """Which pods there are, and how often their containers were started."""
    return {pod["metadata"]["uid"]: [status["restartCount"] for status
                                     in pod["status"]["containerStatuses"]]
            for pod in member_pods(CLUSTER)}


class FailuresTest(Installed):
    def test_life(self):
        self.steps(self.objects_of_others, self.created, self.told, self.autoscaler, self.upgraded,
                   self.container_killed, self.server_away, self.volume_deleted,
                   self.node_off, self.node_lost, self.all_nodes_restarted,
                   self.retained_volumes, self.again_with_all, self.again_with_two,
                   self.again_with_none)

    def objects_of_others(self):
        """Another operator's Service has the name: it is told and left alone, nothing begins."""
        kubectl("create", "service", "clusterip", CLUSTER, "--tcp=1:1")
        before = get("service", CLUSTER)
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        eventually(lambda: "is not ours" in condition(CLUSTER, "Available").get("message", ""),
                   "the other's Service to be told")
        print(f"  {condition(CLUSTER, 'Available')['message']}", flush=True)
        self.assertEqual(get("service", CLUSTER), before)
        self.assertEqual(member_pods(CLUSTER), [])
        kubectl("delete", "service", CLUSTER)

    def created(self):
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{CLUSTER}")
        self.healthy(3)
        Client(CLUSTER, self.folder).run("put", "colour", "blue")

    def told(self):
        """`describe` tells the story: the conditions, and what was done by its events."""
        text = kubectl("describe", "etcd", CLUSTER).stdout
        for words in ("Available", "Bootstrap", "formed", "OpenedToClients"):
            self.assertIn(words, text)

    def autoscaler(self):
        """It can read the size and find the pods; this bed has no metrics to go by."""
        kubectl("apply", "-f", "-", text=json.dumps({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": CLUSTER}, "spec": {
                "minReplicas": 3, "maxReplicas": 5,
                "scaleTargetRef": {"apiVersion": "operator.etcd.io/v1alpha1",
                                   "kind": "EtcdCluster", "name": CLUSTER},
                "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {
                    "type": "Utilization", "averageUtilization": 80}}}]}}))

        def reason(kind: str) -> str:
            found = get("hpa", CLUSTER).get("status", {}).get("conditions", [])
            return next((one["reason"] for one in found if one["type"] == kind), "")
        eventually(lambda: reason("AbleToScale") == "SucceededGetScale", "the size to be read")
        eventually(lambda: reason("ScalingActive") == "FailedGetResourceMetric",
                   "its pods to be found")
        self.assertEqual(get("hpa", CLUSTER)["status"]["currentReplicas"], 3)
        kubectl("delete", "hpa", CLUSTER)

    def upgraded(self):
        with Writer(Client(CLUSTER, self.folder)) as writer:
            kubectl("patch", f"etcd/{CLUSTER}", "--type=merge", "-p",
                    '{"spec":{"version":"3.5.33"}}')
            self.healthy(3, version="3.5.33")
        writer.check(self)
        for pod in member_pods(CLUSTER):
            self.assertIn("v3.5.33", pod["spec"]["containers"][0]["image"])

    def container_killed(self):
        """The same member goes on in the same pod."""
        pod = member_pods(CLUSTER)[0]
        uid, before = pod["metadata"]["uid"], lives()
        ids = sorted(member["ID"] for member in Client(CLUSTER, self.folder).members())
        with Writer(Client(CLUSTER, self.folder)) as writer:
            kill(pod)
            eventually(lambda: lives() != before, "its container to start again")
            self.healthy(3)
        writer.check(self)
        after = lives()
        self.assertEqual(after.keys(), before.keys())
        self.assertEqual([one for one in before if after[one] != before[one]], [uid])
        self.assertEqual(
            sorted(member["ID"] for member in Client(CLUSTER, self.folder).members()), ids)

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

    def all_nodes_restarted(self):
        """At once: the same members go on with their data."""
        client = Client(CLUSTER, self.folder)
        before = sorted(member["ID"] for member in client.members())
        client.run("put", "last", "before it")
        tool("node", "restart", *testbed.standing(NAME).node_names)
        # A server holds its last word of a pod for true until the node's kubelet says another.
        eventually(lambda: client.run("get", "last", check=False).stdout.split() ==
                   ["last", "before", "it"], "an answer", 180)
        self.healthy(3, 300)
        self.assertEqual(sorted(member["ID"] for member in client.members()), before)

    def again(self, lost: int) -> None:
        """Deleted, and declared again with so many of its members' volumes gone."""
        members = sorted(pod["metadata"]["name"].removesuffix("-0")
                         for pod in member_pods(CLUSTER))
        kubectl("delete", "etcd", CLUSTER, "--timeout=120s")
        eventually(lambda: not member_pods(CLUSTER), "the pods to go")
        claims = [f"data-{name}" for name in members[:lost]]
        if lost == len(members):  # and what earlier members left
            claims = [claim["metadata"]["name"] for claim in get("pvc")["items"]]
            kubectl("delete", "configmap", f"{CLUSTER}-record")
        if claims:
            kubectl("delete", "pvc", *claims, "--timeout=60s")
        with open(f"{ROOT}/examples/production-etcd.yaml", encoding="utf-8") as file:
            kubectl("apply", "-f", "-", text=file.read().replace("3.5.12", "3.5.33"))
        self.healthy(3, 400)

    def cluster_id(self) -> str:
        return get("etcd", CLUSTER)["status"]["clusterID"]

    def again_with_all(self):
        before = self.cluster_id()
        self.again(lost=0)
        self.assertEqual(self.cluster_id(), before, "the same cluster goes on")
        self.assertIn("blue", Client(CLUSTER, self.folder).run("get", "colour").stdout)

    def again_with_two(self):
        """They are a quorum."""
        before = self.cluster_id()
        self.again(lost=1)
        self.assertEqual(self.cluster_id(), before, "the same cluster goes on")
        self.assertIn("blue", Client(CLUSTER, self.folder).run("get", "colour").stdout)

    def again_with_none(self):
        """Nothing of it is left, also no record: an empty one."""
        before = self.cluster_id()
        self.again(lost=3)
        self.assertNotEqual(self.cluster_id(), before)
        found = Client(CLUSTER, self.folder).run("get", "", "--prefix", "--keys-only").stdout
        self.assertEqual(found.split(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
