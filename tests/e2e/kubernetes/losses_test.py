#!/usr/bin/env python3
"""Claims, volumes and disks that are lost or come back, and what a deletion leaves: on three nodes.

  make image && testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/losses_test.py
"""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (CLUSTER, NAME, ROOT, Client, Installed, Writer, condition,  # noqa: E402
                 eventually, get, kubectl, member_pods, testbed, tool)

STATE = "operator.etcd.io/volume-state"
BACKUPS = f"PersistentVolumeClaim/{CLUSTER}-backups"


def edit(**spec) -> None:
    kubectl("patch", f"etcd/{CLUSTER}", "--type=merge", "-p", json.dumps({"spec": spec}))


def uids() -> dict:
    """Of the members' pods, by the members' names."""
    return {pod["metadata"]["name"].removesuffix("-0"): pod["metadata"]["uid"]
            for pod in member_pods(CLUSTER)}


def claims() -> dict:
    """The state of every member's volume, by the members' names."""
    return {claim["metadata"]["name"].removeprefix("data-"): claim["metadata"]["labels"].get(STATE)
            for claim in get("pvc")["items"] if claim["metadata"]["name"].startswith("data-")}


def told() -> set[str]:
    """The members' names, by the status."""
    return {member["name"] for member in get("etcd", CLUSTER)["status"].get("members", [])}


def lose(member: str) -> None:
    kubectl("delete", "pvc", f"data-{member}", "--wait=false")
    kubectl("delete", "pod", f"{member}-0", "--wait=false")


def apply(**spec) -> None:
    with open(f"{ROOT}/examples/production-etcd.yaml", encoding="utf-8") as file:
        kubectl("apply", "-f", "-", text=file.read())
    edit(repair={"timeoutSeconds": 20}, **spec)


def left() -> set[str]:
    """Every object, of whatever kind, that has the cluster's name or its label; events aside. And
    the volumes of its members."""
    kinds = kubectl("api-resources", "--verbs=list", "--namespaced", "-o", "name").stdout.split()
    found = set()
    for one in get(",".join(kind for kind in kinds if kind.split(".")[0] != "events"))["items"]:
        name, labels = one["metadata"]["name"], one["metadata"].get("labels", {})
        if CLUSTER in name or labels.get("operator.etcd.io/cluster") == CLUSTER:
            found.add(f"{one['kind']}/{name}")
    for one in get("pv")["items"]:
        claim = one["spec"].get("claimRef", {}).get("name", "")
        if claim.startswith(f"data-{CLUSTER}"):
            found.add(f"PersistentVolume of {claim}")
    return found


def is_ready(pod: dict) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True"
               for one in pod["status"].get("conditions", []))


def containers(pod: dict) -> set[str]:
    return {one["containerID"] for one in pod["status"].get("containerStatuses", [])
            if one.get("containerID")}


def turns() -> list[str]:
    return [one["value"] for pod in member_pods(CLUSTER)
            for one in pod["spec"]["containers"][0]["env"] if one["name"] == "TURN"]


def question(test) -> str:
    """The words that answer what is asked."""
    eventually(lambda: condition(CLUSTER, "NeedsApproval").get("status") == "True",
               "the question", 240)
    message = condition(CLUSTER, "NeedsApproval")["message"]
    print(f"  {message}", flush=True)
    words = re.search(r"kubectl (annotate .*?operator\.etcd\.io/approve=\S+ --overwrite)", message)
    test.assertTrue(words, message)
    return words[1]


class Watched:
    """The members' pods while something is done, change by change."""

    def __enter__(self):
        bed = testbed.standing(NAME)
        self.program = subprocess.Popen(
            [*bed.inside(), f"{bed.programs}/kubectl", f"--kubeconfig={bed.kubeconfig}", "get",
             "pods", "-l", f"operator.etcd.io/cluster={CLUSTER}", "--watch",
             "--output-watch-events", "-o", "json"], stdout=subprocess.PIPE, text=True)
        self.events = []
        return self

    def __exit__(self, *_):
        self.program.terminate()
        text, at = self.program.communicate()[0], 0
        decoder = json.JSONDecoder()
        while True:
            at += len(text[at:]) - len(text[at:].lstrip())
            try:
                event, at = decoder.raw_decode(text, at)
            except ValueError:  # the end, perhaps within an event
                return
            self.events.append((event["type"], event["object"]))

    def joined(self) -> set[str]:
        """The members that had a pod."""
        return {pod["metadata"]["name"].removesuffix("-0") for _, pod in self.events}

    def containers(self, member: str) -> set[str]:
        """Those that a pod of it ever had."""
        return {one for _, pod in self.events if pod["metadata"]["name"] == f"{member}-0"
                for one in containers(pod)}

    def fewest_ready(self, size: int) -> int:
        """Of the pods that are not going, once so many were seen."""
        ready, fewest = {}, size
        for kind, pod in self.events:
            name = pod["metadata"]["name"]
            ready[name] = kind != "DELETED" and is_ready(pod) and \
                "deletionTimestamp" not in pod["metadata"]
            if len(ready) >= size:
                fewest = min(fewest, sum(ready.values()))
        return fewest


class LossesTest(Installed):
    def test_life(self):
        self.steps(self.created, self.drains_beside_a_rollout, self.claim_alone,
                   self.every_claim, self.disk_is_back,
                   self.five_three_five, self.again_with_one, self.asked_first,
                   self.left_by_retain, self.left_by_delete)

    def created(self):
        apply()
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{CLUSTER}")
        self.healthy(3)
        Client(CLUSTER, self.folder).run("put", "colour", "blue")

    def claim_alone(self):
        """Its pod is left alone: the member serves until another one has taken its place."""
        before = uids()
        victim = sorted(before)[0]
        with Writer(Client(CLUSTER, self.folder)) as writer, Watched() as watched:
            kubectl("delete", "pvc", f"data-{victim}", "--wait=false")
            eventually(lambda: condition(CLUSTER, "Degraded").get("reason") == "MemberVolumeGoing",
                       "what is coming to be told")
            self.assertIn(victim, condition(CLUSTER, "Degraded")["message"])
            eventually(lambda: victim not in told(), "the member to be replaced", 180)
            self.healthy(3)
            eventually(lambda: victim not in uids() and victim not in claims(), "it to go")
        writer.check(self)
        after = uids()
        new = watched.joined() - set(before)
        self.assertEqual(len(new), 1, new)
        self.assertEqual({name: uid for name, uid in after.items() if name not in new},
                         {name: uid for name, uid in before.items() if name != victim})

    def every_claim(self):
        """By a slip of the hand, at once: one after the other is replaced, and nothing is lost."""
        before = uids()
        with Writer(Client(CLUSTER, self.folder)) as writer, Watched() as watched:
            kubectl("delete", "pvc", *(f"data-{name}" for name in before), "--wait=false")
            eventually(lambda: not told() & set(before), "all of them to be replaced", 300)
            self.healthy(3)
        writer.check(self)
        self.assertGreaterEqual(watched.fewest_ready(3), 2)
        eventually(lambda: set(claims()) == set(uids()), "their claims to go")
        self.assertIn("blue", Client(CLUSTER, self.folder).run("get", "colour").stdout)

    def disk_is_back(self):
        """A node is off until its member was replaced elsewhere; somebody forces the old pod away.
        Then it is back, with the old disk: nothing starts from that, and nothing touches it."""
        pods = member_pods(CLUSTER)
        nodes = [pod["spec"]["nodeName"] for pod in pods]
        pod = next(pod for pod in pods if nodes.count(pod["spec"]["nodeName"]) == 1)
        where, old = pod["spec"]["nodeName"], pod["metadata"]["name"].removesuffix("-0")
        claim = get("pvc", f"data-{old}")
        client = Client(CLUSTER, self.folder)
        with Writer(client) as writer:
            tool("node", "stop", where)
            eventually(lambda: old not in told(), "the member to be given up", 180)
            self.healthy(3, 300)
            members = client.members()
            kubectl("delete", "pod", f"{old}-0", "--force", "--grace-period=0", check=False)
            with Watched() as watched:
                tool("node", "start", where)
                written = writer.acknowledged
                eventually(lambda: writer.acknowledged > written + 50, "writes beside the old disk")
                self.healthy(3)
            self.assertEqual(client.members(), members)
        writer.check(self)
        self.assertLessEqual(watched.containers(old), containers(pod), "it started again")
        now = get("pvc", f"data-{old}")
        self.assertEqual(now["metadata"]["uid"], claim["metadata"]["uid"])
        self.assertEqual(now["metadata"]["labels"][STATE], "removed")
        disk = f"{testbed.named(NAME).folder}/machines/{where}/lib/volumes/" \
            f"{now['spec']['volumeName']}"
        self.assertIn("member", [name for _, names, _ in os.walk(disk) for name in names])

    def drains_beside_a_rollout(self):
        """A change begins, and a person drains a node: three times, every node once."""
        with Writer(Client(CLUSTER, self.folder)) as writer, Watched() as watched:
            for turn, node in enumerate(testbed.standing(NAME).node_names):
                before = uids()
                edit(podTemplate={"spec": {"env": [{"name": "TURN", "value": str(turn)}]}})
                eventually(lambda uids_then=before: uids() != uids_then, "the change to begin")
                kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
                        "--timeout=240s")
                kubectl("uncordon", node)
            self.healthy(3, 300)
            eventually(lambda: turns() == [str(turn)] * 3, "the last change", 240)
            self.healthy(3)
        writer.check(self)
        self.assertGreaterEqual(watched.fewest_ready(3), 2)

    def five_three_five(self):
        """What a removed member left stays, and nobody starts from it."""
        with Writer(Client(CLUSTER, self.folder)) as writer:
            edit(size=5)
            self.healthy(5, 300)
            five = set(uids())
            edit(size=3)
            self.healthy(3)
            gone = five - set(uids())
            self.assertEqual(len(gone), 2)
            self.assertEqual({claims()[name] for name in gone}, {"removed"})
            edit(size=5)
            self.healthy(5, 300)
            self.assertEqual(set(uids()) & gone, set(), "a name is used once")
            self.assertEqual({claims()[name] for name in gone}, {"removed"})
            edit(size=3)
            self.healthy(3)
        writer.check(self)

    def again_with_one(self):
        """Deleted, two of three claims too, and declared again. Their loss is proven: by default it
        is told, and after a while what is left goes on as another cluster."""
        before, names = get("etcd", CLUSTER)["status"]["clusterID"], sorted(uids())
        kubectl("delete", "etcd", CLUSTER, "--timeout=120s")
        eventually(lambda: not member_pods(CLUSTER), "the pods to go")
        kubectl("delete", "pvc", *(f"data-{name}" for name in names[:2]), "--timeout=60s")
        kept = claims()
        apply(recovery={"waitSeconds": 20})
        eventually(lambda: condition(CLUSTER, "Degraded").get("reason") == "WaitWindow",
                   "the loss to be told")
        message = condition(CLUSTER, "Degraded")["message"]
        print(f"  {message}", flush=True)
        self.assertEqual(message.count("data lost, proven"), 2, message)
        self.assertEqual((claims(), set(uids()) - set(names)), (kept, set()), "nothing begins")
        self.healthy(3, 300)
        self.assertNotEqual(get("etcd", CLUSTER)["status"]["clusterID"], before)
        self.assertIn("what was acknowledged after", condition(CLUSTER, "Restored")["message"])
        self.assertIn("blue", Client(CLUSTER, self.folder).run("get", "colour").stdout)
        self.assertEqual(set(kept) - set(claims()), set(), "what is left is kept")

    def asked_first(self):
        """Two of three volumes are lost where a person wants to be asked, and is."""
        client = Client(CLUSTER, self.folder)
        with Writer(client) as writer:
            eventually(lambda: writer.acknowledged > 20, "writes")
        edit(recovery={"onQuorumLoss": "Approve", "waitSeconds": 5})
        self.healthy(3)
        before, names = uids(), sorted(uids())
        for name in names[:2]:
            lose(name)
        words = question(self)
        self.assertEqual(condition(CLUSTER, "Available").get("status"), "False")
        self.assertEqual((uids()[names[2]], set(uids()) - set(names)), (before[names[2]], set()),
                         "nothing begins")
        self.assertEqual({name: claims().get(name) for name in names},
                         {names[0]: None, names[1]: None, names[2]: "member"})
        kubectl(*words.split())
        self.healthy(3, 400)
        self.assertFalse(set(names) & set(Client(CLUSTER, self.folder).voters()))
        writer.client = Client(CLUSTER, self.folder)
        writer.check(self)

    def left_by_retain(self):
        """The claims, their volumes, the record and the backups; nothing else of any kind."""
        held = claims()
        kinds = {one.split("/")[0] for one in left()}
        self.assertLessEqual({"StatefulSet", "Pod", "Service", "Secret", "Job", "ServiceAccount",
                              "PodDisruptionBudget", "EndpointSlice", "ConfigMap"}, kinds)
        kubectl("delete", "etcd", CLUSTER, "--timeout=120s")
        stays = {f"ConfigMap/{CLUSTER}-record", BACKUPS} | {
            one for name in held for one in (f"PersistentVolumeClaim/data-{name}",
                                             f"PersistentVolume of data-{name}")}
        self.stays(stays)

    def left_by_delete(self):
        """With what earlier ones of its name had left, but for the backups."""
        apply(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"})
        self.healthy(3, 300)
        kubectl("delete", "etcd", CLUSTER, "--timeout=180s")
        self.stays({BACKUPS})

    def stays(self, what: set[str]) -> None:
        found = set()

        def alone():
            nonlocal found
            found = left()
            return found == what
        try:
            eventually(alone, "what has to go")
        except BaseException:
            print(f"  too many: {found - what}\n  too few: {what - found}", flush=True)
            raise


if __name__ == "__main__":
    unittest.main(verbosity=2)
