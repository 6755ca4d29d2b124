#!/usr/bin/env python3
"""Backups on a real Kubernetes: both examples as they are, a volume and an S3 server, clusters that
come back from it.

  make image && testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/backup_test.py
"""
import glob
import json
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (CLUSTER, NAME, SYSTEM, Client, eventually, get, kubectl,  # noqa: E402
                 member_pods, testbed)
from stores import COREOS, OWN, SECRET, Stored, condition, whole  # noqa: E402

CLOUD = "cloud-etcd"


def says(name: str, which: str, words: str) -> bool:
    one = condition(COREOS, name, which)
    return words in one.get("reason", "") + " " + one.get("message", "")


def jobs(name: str) -> list[str]:
    return [job["metadata"]["name"] for job in
            get("jobs", "-l", f"operator.etcd.io/job-of={name}")["items"]]


class BackupTest(Stored):
    def put(self, key: str, value: str) -> int:
        done = Client(CLOUD, self.folder).run("put", key, value, "-w", "json").stdout
        return json.loads(done)["header"]["revision"]

    def read(self, key: str) -> str:
        return Client(CLOUD, self.folder).run("get", key, "--print-value-only").stdout.strip()

    def proven(self, kind: str, name: str) -> None:
        """An etcd was made of it, in a pod."""
        eventually(lambda: condition(kind, name, "BackupProven").get("status") == "True",
                   f"a drill of {name}", 240)
        self.assertTrue([job for job in jobs(name) if job.startswith(f"{name}-drill-")])

    def ask(self, kind: str, name: str, words: str) -> None:
        kubectl("annotate", "--overwrite", f"{kind}/{name}",
                f"operator.etcd.io/backup-now={words}")

    def remove(self, data: bool) -> None:
        kubectl("delete", f"{COREOS}/{CLOUD}", "--timeout=120s")
        eventually(lambda: not member_pods(CLOUD), "the pods to go")
        if data:
            kubectl("delete", "pvc", *self.claims(), "--timeout=60s")

    def claims(self) -> list[str]:
        return sorted(claim["metadata"]["name"] for claim in get("pvc")["items"]
                      if claim["metadata"]["name"].startswith(f"data-{CLOUD}-"))

    def test_life(self):
        self.steps(self.into_a_volume, self.without_a_secret, self.wrong_credentials,
                   self.an_empty_bucket, self.intervals, self.volumes_kept,
                   self.some_volumes_kept, self.restored,
                   self.secrets_are_not_read)

    def into_a_volume(self):
        """The first example: no destination, so a volume that outlives its cluster."""
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        self.serves(OWN, CLUSTER)
        eventually(lambda: get(OWN, CLUSTER)["status"].get("lastBackup"), "its first backup", 120)
        self.assertEqual(condition(OWN, CLUSTER, "BackupHealthy")["status"], "True")
        self.proven(OWN, CLUSTER)
        shown = kubectl("get", OWN, CLUSTER).stdout.splitlines()
        at = shown[0].index("BACKUP")
        self.assertNotEqual(shown[1][at:at + 6].strip(), "", shown)
        kubectl("delete", f"{OWN}/{CLUSTER}", "--timeout=120s")
        eventually(lambda: not member_pods(CLUSTER), "the pods to go")
        eventually(lambda: not jobs(CLUSTER), "its jobs to go")
        claim = get("pvc", f"{CLUSTER}-backups")
        volume = glob.glob(f"{testbed.named(NAME).folder}/machines/*/lib/volumes/"
                           f"{claim['spec']['volumeName']}")
        self.assertEqual(len(volume), 1)
        self.assertEqual(len(whole(volume[0])), 1)
        claims = [one["metadata"]["name"] for one in get("pvc")["items"]]
        kubectl("delete", "pvc", *claims, "--timeout=60s")
        kubectl("delete", "configmap", f"{CLUSTER}-record")

    def without_a_secret(self):
        kubectl("apply", "-f", "examples/cloud-etcd.yaml")
        eventually(lambda: says(CLOUD, "Restored", f'"{SECRET}" not found'), "the Secret's name",
                   90)
        self.assertEqual(member_pods(CLOUD), [])

    def wrong_credentials(self):
        self.secret("wrong")
        eventually(lambda: says(CLOUD, "Restored", "access key"), "a word about the key", 150)
        self.assertEqual(member_pods(CLOUD), [], "it could not be looked: nothing begins")

    def an_empty_bucket(self):
        self.secret()
        self.serves(COREOS, CLOUD, 240)
        self.assertTrue(says(CLOUD, "Restored", "NoBackupFound"))
        events = kubectl("get", "events", "-o", "json", "--field-selector",
                         f"involvedObject.name={CLOUD},type=Warning").stdout
        self.assertIn("NoBackupFound", events)

    def intervals(self):
        """As it is: soon after it serves. Then with an interval of seconds: the last three stay, and the newest proven one."""
        root = f"{self.bucket}/default/{CLOUD}"
        eventually(lambda: whole(root), "the first backup", 120)
        self.proven(COREOS, CLOUD)
        kubectl("patch", f"{COREOS}/{CLOUD}", "--type=merge", "-p", json.dumps(
            {"spec": {"backup": {"backupPolicy": {"backupIntervalInSecond": 5,
                                                  "maxBackups": 3}}}}))
        seen, began = set(), time.monotonic()
        while len(seen) < 5:
            self.put("tick", str(time.monotonic()))
            seen |= whole(root)
            self.assertLess(time.monotonic() - began, 240, f"only {sorted(seen)}")
            time.sleep(0.5)
        # One more stays that a drill has proven.
        eventually(lambda: len(whole(root)) in (3, 4), "three to be kept")
        self.assertEqual(condition(COREOS, CLOUD, "BackupHealthy")["status"], "True")
        self.assertLessEqual(len(jobs(CLOUD)), 4)
        kubectl("apply", "-f", "examples/cloud-etcd.yaml")
        type(self).revision = self.put("greeting", "hello")
        self.ask(COREOS, CLOUD, "before it goes")
        eventually(lambda: get(COREOS, CLOUD)["status"].get("lastBackup", {}).get(
            "revision", 0) >= self.revision, "the backup that was asked for", 120)

    def volumes_kept(self):
        """The same cluster goes on, with what no backup holds."""
        self.put("later", "in no backup")
        self.remove(data=False)
        kubectl("apply", "-f", "examples/cloud-etcd.yaml")
        self.serves(COREOS, CLOUD)
        self.assertEqual(self.read("later"), "in no backup")

    def some_volumes_kept(self):
        """Fewer than a quorum: what is left and what the bucket holds are two answers."""
        before = self.ids()
        self.remove(data=False)
        kept, *lost = self.claims()
        kubectl("delete", "pvc", *lost, "--timeout=60s")
        kubectl("apply", "-f", "examples/cloud-etcd.yaml")
        kubectl("patch", f"{COREOS}/{CLOUD}", "--type=merge", "-p",
                '{"spec":{"recovery":{"waitSeconds":5}}}')
        asked = eventually(lambda: condition(COREOS, CLOUD, "NeedsApproval").get("status") == "True"
                           and condition(COREOS, CLOUD, "NeedsApproval")["message"],
                           "a person to be asked", 180)
        print(f"  {asked}", flush=True)
        self.assertIn("To begin from s3:", asked)
        self.assertEqual(self.claims(), [kept], "nothing begins")
        kubectl(*re.search(r"kubectl (annotate .*?/approve=\S+ --overwrite)", asked)[1].split())
        self.serves(COREOS, CLOUD, 300)
        self.assertFalse(before & self.ids())
        self.assertEqual(self.read("later"), "in no backup")

    def ids(self) -> set:
        return {member["ID"] for member in Client(CLOUD, self.folder).members()}

    def damage(self, revision: int) -> str:
        """Bytes in the middle of a backup."""
        name, = glob.glob(f"{self.bucket}/default/{CLOUD}/*/full-{revision:020}-*.db.zst")
        with open(name, "r+b") as file:
            file.seek(os.path.getsize(name) // 2)
            file.write(b"damaged!")
        return os.path.basename(name).removesuffix(".db.zst")

    def restored(self):
        newest = self.put("newest", "in a backup that gets damaged")
        self.ask(COREOS, CLOUD, "the newest")
        eventually(lambda: get(COREOS, CLOUD)["status"].get("lastBackup", {}).get(
            "revision", 0) >= newest, "the newest backup", 120)
        damaged = self.damage(get(COREOS, CLOUD)["status"]["lastBackup"]["revision"])
        before = self.put("last", "in no backup either")
        kubectl("patch", f"{COREOS}/{CLOUD}", "--type=merge", "-p",
                '{"spec":{"backup":{"enabled":false}}}')
        self.remove(data=True)
        kubectl("apply", "-f", "examples/cloud-etcd.yaml")
        # Whoever works on it dies on the way: the operators, and the pod that fetches the backup.
        eventually(lambda: member_pods(CLOUD), "the first member's pod", 120)
        pod = member_pods(CLOUD)[0]["metadata"]["name"]
        kubectl("delete", "pod", pod, "--timeout=60s")
        kubectl("-n", SYSTEM, "delete", "pod", "--all", "--grace-period=0", "--force")
        self.serves(COREOS, CLOUD, 300)
        self.assertEqual(condition(COREOS, CLOUD, "Restored")["status"], "True")
        self.assertEqual(self.read("greeting"), "hello")
        self.assertEqual(self.read("newest"), "")
        events = kubectl("get", "events", "-o", "json", "--field-selector",
                         f"involvedObject.name={CLOUD},type=Warning").stdout
        self.assertRegex(events, f"{damaged} was passed over")
        self.assertGreater(self.put("greeting", "again"), before, "no revision is used again")
        self.assertEqual(len(Client(CLOUD, self.folder).voters()), 3)
        eventually(lambda: get(COREOS, CLOUD)["status"].get("lastBackup"), "the next backup", 120)


if __name__ == "__main__":
    unittest.main(verbosity=2)
