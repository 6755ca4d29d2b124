#!/usr/bin/env python3
"""EtcdRestore to a revision and to a time on a real Kubernetes: over a cluster that serves, whose
operators die on the way; back to the safety copy; and into a new cluster while the follower works.

  make image && testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/points_test.py
"""
import datetime
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import continuous_test  # noqa: E402
from bed import Client, eventually, get, kubectl, operators_die  # noqa: E402
from continuous_test import KEPT, manifest  # noqa: E402
from stores import OWN, SECRET, condition  # noqa: E402

RESTORES = "etcdrestores.operator.etcd.io"
THEN = "then"


def told(name: str) -> dict:
    return get(RESTORES, name).get("status", {})


def claims() -> set:
    return {claim["metadata"]["uid"] for claim in get("pvc")["items"]}


class PointsTest(continuous_test.ContinuousTest):
    def test_life(self):
        self.steps(self.created, self.not_there, self.to_a_revision, self.once,
                   self.to_the_safety_copy, self.to_a_time_elsewhere, self.secrets_are_not_read)

    def restore(self, name: str, path: str, cluster: str = KEPT, **spec) -> None:
        kubectl("apply", "-f", "-", text=json.dumps({
            "apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdRestore",
            "metadata": {"name": name},
            "spec": {"clusterName": cluster, "s3": {"path": path, "awsSecret": SECRET}} | spec}))

    def says(self, name: str, succeeded: bool, seconds: float = 240) -> dict:
        eventually(lambda: told(name).get("succeeded") is succeeded,
                   f"{name} to say {succeeded}", seconds)
        print(f"  {name}: {json.dumps(told(name))}", flush=True)
        return told(name)

    def value(self, name: str = KEPT) -> str:
        done = Client(name, self.folder).run("get", "asked-for", "--print-value-only")
        return done.stdout.strip()

    def ids(self) -> set:
        return {member["ID"] for member in Client(KEPT, self.folder).members()}

    def written(self, value: str) -> int:
        """Its revision, once it is in the store."""
        revision = self.put(value)
        eventually(lambda: self.reached() >= revision, f"revision {revision} in the store")
        return revision

    def not_there(self):
        """The cluster goes on as it is."""
        before = self.ids()
        self.restore("nowhere", continuous_test.BUCKET, restoreInPlace=True,
                     toRevision=self.put("here") + 1_000_000)
        self.assertIn("goes on as it is", self.says("nowhere", False)["reason"])
        self.serves(OWN, KEPT)
        self.assertEqual((self.ids(), self.value()), (before, "here"))

    def to_a_revision(self):
        point, before, volumes = self.put("before"), self.ids(), claims()
        self.written("after")
        self.restore("back", continuous_test.BUCKET, restoreInPlace=True, toRevision=point)
        eventually(lambda: told("back").get("reason"), "back to say something")
        operators_die()
        eventually(lambda: condition(OWN, KEPT, "Available").get("status") != "True",
                   "the members to stop", 180)
        operators_die()
        said = self.says("back", True)
        self.serves(OWN, KEPT, 300)
        eventually(lambda: len(Client(KEPT, self.folder).voters()) == 3, "three voters", 180)
        self.assertEqual(self.value(), "before")
        self.assertFalse(before & self.ids())
        self.assertLessEqual(volumes, claims(), "what the old members held is kept")
        type(self).copy = said["reason"][said["reason"].rindex("s3://"):].split()[0].rstrip(".;,)")

    def once(self):
        """Nobody comes back to it."""
        revision, before = self.written("since"), self.ids()
        operators_die()
        kubectl("annotate", f"{OWN}/{KEPT}", "example.com/looked-at=now")
        self.serves(OWN, KEPT)
        self.kept()
        self.assertEqual(self.ids(), before)
        self.assertGreaterEqual(self.reached(), revision)

    def to_the_safety_copy(self):
        before = self.ids()
        self.restore("forth", self.copy.removeprefix("s3://"), restoreInPlace=True)
        self.says("forth", True)
        self.serves(OWN, KEPT, 300)
        self.assertEqual(self.value(), "after")
        self.assertFalse(before & self.ids())
        self.kept()

    def to_a_time_elsewhere(self):
        """Its follower goes on all the while."""
        self.written("early")
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.5)
        eventually(lambda: datetime.datetime.now(datetime.timezone.utc) > at, "that time to pass")
        self.written("late")
        # After a restore in place it is told again once the store was looked at.
        place = eventually(lambda: get(OWN, KEPT)["status"].get("lastBackup", {}).get("location"),
                           "its last backup to be told").removeprefix("s3://")
        self.restore("elsewhere", place, THEN, toTime=at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        other = json.loads(manifest())
        other["metadata"]["name"] = THEN
        other["spec"] = {"size": 1, "version": "3.5.12"}
        kubectl("apply", "-f", "-", text=json.dumps(other))
        self.says("elsewhere", True)
        self.serves(OWN, THEN)
        self.assertEqual(self.value(THEN), "early")
        self.assertEqual(self.value(), "late")
        self.kept()


if __name__ == "__main__":
    unittest.main(verbosity=2)
