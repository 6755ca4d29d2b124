#!/usr/bin/env python3
"""backup.continuous on a real Kubernetes: what happens is kept in an S3 server while followers,
operators, credentials and the store come and go, and comes back when all volumes are lost.

  make image && testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/continuous_test.py
"""
import json
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (ROOT, Client, Writer, command, eventually, get, kill, kubectl,  # noqa: E402
                 member_pods, operators, operators_die, page)
from stores import BUCKET, OWN, SECRET, Stored, condition  # noqa: E402

KEPT = "kept"
MAX_LAG = 5  # seconds
HEARD = 10   # seconds: so old may be what the follower said
LAG = "etcd_operator_cluster_backup_lag_seconds{"


def manifest() -> str:
    place = {"s3": {"path": BUCKET, "awsSecret": SECRET}}
    return json.dumps({
        "apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdCluster",
        "metadata": {"name": KEPT},
        "spec": {"size": 3, "version": "3.5.12",
                 "storage": {"type": "PersistentVolumeClaim", "spec": {
                     "resources": {"requests": {"storage": "1Gi"}}}},
                 "backup": {"backupPolicy": {"storageSource": place,
                                             "backupIntervalInSecond": 3600},
                            "continuous": {"maxLagSeconds": MAX_LAG}},
                 "restore": {"restorePolicy": place}}})


def told() -> dict:
    return condition(OWN, KEPT, "BackupContinuous")


def followers() -> dict:
    """Of the pods that run, by the number of the follower."""
    pods = get("pods", "-l", f"operator.etcd.io/job-of={KEPT}")["items"]
    return {int(pod["metadata"]["labels"]["job-name"].rsplit("-", 1)[1]): pod for pod in pods
            if "-follow-" in pod["metadata"]["name"] and pod["status"]["phase"] == "Running"
            and "deletionTimestamp" not in pod["metadata"]}


def lag() -> float | None:
    """What the operators' metrics say."""
    for pod in operators():
        for line in page(pod, "/metrics").splitlines():
            if line.startswith(LAG):
                return float(line.rsplit(" ", 1)[1])
    return None


class ContinuousTest(Stored):
    def test_life(self):
        self.steps(self.created, self.told_true, self.store_away, self.pod_deleted,
                   self.program_killed, self.credentials_changed, self.members_changed,
                   self.all_lost, self.brought_back, self.secrets_are_not_read)

    def reached(self) -> int:
        """The last revision that can be brought back."""
        done = command(f"{ROOT}/build/bin/etcd-operator", "archive", "list", "--store",
                       f"{self.bucket}/default/{KEPT}", "--history", "-o", "json")
        return max((row["toRevision"] for row in json.loads(done.stdout)), default=0)

    def put(self, value: str) -> int:
        done = Client(KEPT, self.folder).run("put", "asked-for", value, "-w", "json").stdout
        return json.loads(done)["header"]["revision"]

    def kept(self, seconds: float = 120) -> None:
        """It is said, one follower is at work, and what is written now gets into the store."""
        eventually(lambda: told().get("status") == "True" and len(followers()) == 1,
                   "what happens to be kept", seconds)
        revision = self.put(str(time.monotonic()))
        eventually(lambda: self.reached() >= revision, f"revision {revision} in the store")

    def tell(self) -> None:
        super().tell()
        print(kubectl("get", OWN, KEPT, "-o", "yaml", check=False).stdout[-6000:], flush=True)
        print(kubectl("logs", "-l", f"operator.etcd.io/job-of={KEPT}", "--tail=30", "--prefix",
                      check=False).stdout, flush=True)

    def created(self):
        self.secret()
        kubectl("apply", "-f", "-", text=manifest())
        self.serves(OWN, KEPT)
        self.kept()
        self.assertEqual(condition(OWN, KEPT, "FieldsNotActedOn").get("status"), "False")

    def told_true(self):
        """A change that is not in the store in time is not told to be kept."""
        with Writer(Client(KEPT, self.folder)) as writer:
            for _ in range(10):
                revision, began = self.put("now"), time.monotonic()
                while self.reached() < revision:
                    if time.monotonic() - began > MAX_LAG + HEARD:
                        self.assertNotEqual(told().get("status"), "True", told())
                        self.assertLess(time.monotonic() - began, 120, told())
            eventually(lambda: told().get("status") == "True", "it to keep up")
            eventually(lambda: lag() is not None and lag() <= MAX_LAG, "the metric")
        writer.check(self)

    def store_away(self):
        """It stops answering. Nobody else is troubled, and what came meanwhile is kept after it."""
        before = followers()
        with Writer(Client(KEPT, self.folder)) as writer:
            self.server.send_signal(signal.SIGSTOP)
            try:
                eventually(lambda: told().get("reason") == "ContinuousBehind", "the lag to be told",
                           120)
                self.assertEqual(told()["status"], "False")
                eventually(lambda: (lag() or 0) > MAX_LAG, "the metric to say so")
                self.assertEqual(condition(OWN, KEPT, "Available")["status"], "True")
                print(f"  {told()['message']}", flush=True)
            finally:
                self.server.send_signal(signal.SIGCONT)
            self.kept()
        writer.check(self)
        self.assertEqual({number: pod["metadata"]["uid"] for number, pod in followers().items()},
                         {number: pod["metadata"]["uid"] for number, pod in before.items()})

    def another(self, before: int, seconds: float = 180) -> int:
        """With a higher number; the log has no hole."""
        eventually(lambda: min(followers(), default=0) > before, "another follower", seconds)
        self.kept()
        # It may be told anew just now: each change of the members is a reason.
        return eventually(lambda: max(followers(), default=0), "a follower")

    def pod_deleted(self):
        (number, pod), = followers().items()
        with Writer(Client(KEPT, self.folder)) as writer:
            kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
            operators_die()
            self.another(number)
        writer.check(self)

    def program_killed(self):
        (number, pod), = followers().items()
        with Writer(Client(KEPT, self.folder)) as writer:
            kill(pod)
            self.another(number)
        writer.check(self)

    def credentials_changed(self):
        """A key more in the Secret: the kubelet brings it into the pod, the follower says so, and
        another one works with it."""
        number, = followers()
        kubectl("patch", "secret", SECRET, "--type=merge", "-p",
                '{"stringData":{"note":"the credentials are others now"}}')
        self.assertGreater(self.another(number, 240), number)

    def members_changed(self):
        """It is told all members, in the end."""
        number, = followers()
        kubectl("scale", f"{OWN}/{KEPT}", "--replicas=5")
        eventually(lambda: len(Client(KEPT, self.folder).voters()) == 5, "five voters", 120)
        self.serves(OWN, KEPT)
        self.another(number)

    def all_lost(self):
        """Whoever keeps it dies first, so that nothing is written on the way out."""
        _, pod = self.kept(), next(iter(followers().values()))
        writer = Writer(Client(KEPT, self.folder))
        writer.PATIENCE = 1
        with writer:
            eventually(lambda: writer.acknowledged > 100, "writes")
            eventually(lambda: told().get("status") == "True", "it to keep up")
            died = time.monotonic()
            kill(pod)
            operators_die()
            kubectl("delete", f"{OWN}/{KEPT}", "--timeout=120s")
            eventually(lambda: not member_pods(KEPT), "the pods to go")
            eventually(lambda: writer.failed, "the writer to notice")
        type(self).writer = writer
        type(self).in_time = sum(1 for at in writer.times if at < died - MAX_LAG)
        type(self).reached_before = self.reached()
        self.assertEqual(followers(), {})
        claims = [claim["metadata"]["name"] for claim in get("pvc")["items"]]
        kubectl("delete", "pvc", *claims, "--timeout=60s")
        kubectl("delete", "configmap", f"{KEPT}-record")

    def brought_back(self):
        kubectl("apply", "-f", "-", text=manifest())
        self.serves(OWN, KEPT, 300)
        self.assertEqual(condition(OWN, KEPT, "Restored")["status"], "True")
        client = Client(KEPT, self.folder)
        found = self.writer.found(client)
        self.assertEqual(self.writer.keys(self.in_time) - found, set(),
                         "acknowledged longer ago than the lag, and not there")
        self.assertEqual(found, self.writer.keys(len(found)), "nothing in between is lost")
        print(f"  {len(found)} of {self.writer.acknowledged} acknowledged, {self.in_time} of them "
              f"older than {MAX_LAG} s; {condition(OWN, KEPT, 'Restored')['message']}", flush=True)
        self.assertEqual(len(client.voters()), 3)
        self.assertGreater(self.put("again"), self.reached_before, "no revision is used again")
        self.kept()


if __name__ == "__main__":
    unittest.main(verbosity=2)
