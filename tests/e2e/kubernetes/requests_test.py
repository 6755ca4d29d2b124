#!/usr/bin/env python3
"""EtcdBackup and EtcdRestore on a real Kubernetes, of both groups: one backup and one after the
other, of a cluster of ours and of others, and clusters that begin from them.

  make image && testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/requests_test.py
"""
import glob
import json
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import SYSTEM, Client, eventually, get, kubectl, member_pods  # noqa: E402
from stores import BUCKET, OWN, SECRET, Stored, whole  # noqa: E402

GROUPS = {"own": "operator.etcd.io", "coreos": "etcd.database.coreos.com"}
VERSIONS = {"own": "operator.etcd.io/v1alpha1", "coreos": "etcd.database.coreos.com/v1beta2"}
SHOP, COPY, LATE = "shop", "copy", "late"
THEIRS, THEIR_SPACE, THEIR_SECRET = "theirs", "elsewhere", "their-tls"


def apply(*objects: dict) -> None:
    kubectl("apply", "-f", "-", text=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def cluster(name: str, size: int = 1, namespace: str = "default") -> dict:
    return {"apiVersion": VERSIONS["own"], "kind": "EtcdCluster",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"size": size, "version": "3.5.12"}}


def in_bucket(path: str) -> dict:
    return {"s3": {"path": path, "awsSecret": SECRET}}


def backup(name: str, group: str = "coreos", path: str = f"{BUCKET}/etcd", **spec) -> dict:
    return {"apiVersion": VERSIONS[group], "kind": "EtcdBackup", "metadata": {"name": name},
            "spec": {"storageType": "S3"} | in_bucket(path) | spec}


def restore(name: str, group: str, path: str, **spec) -> dict:
    return {"apiVersion": VERSIONS[group], "kind": "EtcdRestore", "metadata": {"name": name},
            "spec": in_bucket(path) | spec}


def status(kind: str, name: str, group: str = "coreos") -> dict:
    return get(f"{kind}.{GROUPS[group]}", name).get("status", {})


def is_told(kind: str, name: str, succeeded, words: str = "", group: str = "coreos") -> bool:
    """`succeeded` None: it is not over, or no try of it is."""
    said = status(kind, name, group)
    reason = said.get("Reason", "") + said.get("reason", "")
    return said.get("succeeded") is succeeded and words in reason


def jobs_of(name: str) -> list[str]:
    return [job["metadata"]["name"] for job in get("jobs")["items"]
            if job["metadata"]["ownerReferences"][0]["name"] == name]


class PlainClient(Client):
    """Of an etcd that no operator runs."""

    def __init__(self, folder: str):
        super().__init__(SHOP, folder)

    def flags(self, host: str = "") -> list[str]:
        return [f"--endpoints=http://{THEIRS}.default:2379", "--command-timeout=5s"]


class RequestsTest(Stored):
    def test_life(self):
        self.steps(self.created, self.without_a_secret, self.once, self.no_such_bucket,
                   self.of_others, self.of_others_by_certificate, self.periodic, self.store_away,
                   self.objects_deleted, self.held_by_coreos, self.refused, self.brought_back,
                   self.one_by_its_name, self.nothing_to_begin_from, self.let_go,
                   self.nothing_forbidden)

    def told(self, kind: str, name: str, succeeded, words: str = "", group: str = "coreos",
             seconds: float = 120) -> dict:
        try:
            eventually(lambda: is_told(kind, name, succeeded, words, group),
                       f"{kind} {name} to say '{words}' and {succeeded}", seconds)
        except BaseException:
            print(status(kind, name, group), jobs_of(name), flush=True)
            raise
        said = status(kind, name, group)
        print(f"  {kind} {name}: {json.dumps(said)}", flush=True)
        return said

    def put(self, key: str, value: str, name: str = SHOP) -> int:
        done = Client(name, self.folder).run("put", key, value, "-w", "json").stdout
        return json.loads(done)["header"]["revision"]

    def read(self, key: str, name: str = SHOP) -> str:
        return Client(name, self.folder).run("get", key, "--print-value-only").stdout.strip()

    def is_there(self, said: dict, below: str) -> None:
        """What the status says is in the bucket, whole."""
        location = said["location"]
        self.assertTrue(location.startswith(f"s3://{BUCKET}/{below}/"), location)
        self.assertEqual(len(glob.glob(f"{self.data}/store/{location[5:]}*.json")), 1, location)

    def created(self):
        """A cluster of ours, one of ours in another namespace, an etcd of somebody else."""
        kubectl("create", "namespace", THEIR_SPACE)
        apply(cluster(SHOP, 3), cluster("safe", namespace=THEIR_SPACE),
              {"apiVersion": "v1", "kind": "Service", "metadata": {"name": THEIRS},
               "spec": {"selector": {"app": THEIRS}, "ports": [{"port": 2379}]}},
              {"apiVersion": "v1", "kind": "Pod",
               "metadata": {"name": THEIRS, "labels": {"app": THEIRS}},
               "spec": {"containers": [{
                   "name": "etcd", "image": "gcr.io/etcd-development/etcd:v3.5.12",
                   "command": ["/usr/local/bin/etcd", "--data-dir=/tmp/etcd",
                               "--listen-client-urls=http://0.0.0.0:2379",
                               f"--advertise-client-urls=http://{THEIRS}.default:2379"],
                   "volumeMounts": [{"name": "data", "mountPath": "/tmp"}]}],
                   "volumes": [{"name": "data", "emptyDir": {}}]}})
        self.serves(OWN, SHOP)
        type(self).revision = self.put("greeting", "hello")

    def without_a_secret(self):
        apply(backup("once", etcdEndpoints=[f"https://{SHOP}-client:2379"]))
        self.told("etcdbackup", "once", False, f'"{SECRET}" not found')
        self.assertEqual(whole(self.data), set())

    def once(self):
        """Of each group one of the same name; made once, and told as it is."""
        self.secret()
        apply(backup("once", "own", clusterName=SHOP))
        for group in ("coreos", "own"):
            said = self.told("etcdbackup", "once", True, group=group)
            self.is_there(said, f"etcd/default/{SHOP}")
            self.assertEqual(said["etcdVersion"], "3.5.12")
            self.assertGreaterEqual(said["etcdRevision"], self.revision)
            self.assertTrue(said["lastSuccessDate"].endswith("Z"))
        type(self).location = status("etcdbackup", "once")["location"]
        shown = kubectl("get", f"etcdbackup.{GROUPS['coreos']}", "once").stdout.splitlines()
        self.assertIn("true", shown[1])
        self.assertIn(str(status("etcdbackup", "once")["etcdRevision"]), shown[1])
        made = whole(self.data)
        kubectl("-n", SYSTEM, "rollout", "restart", "deployment/etcd-operator")
        kubectl("-n", SYSTEM, "rollout", "status", "deployment/etcd-operator", "--timeout=120s")
        self.put("greeting", "hello")
        # Another one's backup is made by whoever leads now: those of before are left alone.
        apply(backup("after", etcdEndpoints=[f"https://{SHOP}-client:2379"]))
        self.told("etcdbackup", "after", True)
        self.assertEqual(len(whole(self.data)), len(made) + 1)

    def no_such_bucket(self):
        apply(backup("astray", "own", path="no-such-bucket/etcd", clusterName=SHOP))
        self.told("etcdbackup", "astray", False, "bucket", group="own")
        apply(backup("astray", "own", clusterName=SHOP))
        self.told("etcdbackup", "astray", True, group="own")

    def of_others(self):
        PlainClient(self.folder).run("put", "whose", "theirs")
        apply(backup(THEIRS, etcdEndpoints=[f"http://{THEIRS}:2379"]))
        said = self.told("etcdbackup", THEIRS, True)
        self.is_there(said, f"etcd/default/endpoints.{THEIRS}")
        self.assertNotIn("etcdVersion", said)

    def of_others_by_certificate(self):
        url = f"https://safe-client.{THEIR_SPACE}:2379"
        self.assertEqual(len(kubectl("-n", THEIR_SPACE, "wait", "--for=condition=Available",
                                     "--timeout=120s", f"{OWN}/safe").stdout.splitlines()), 1)
        apply(backup("far", etcdEndpoints=[url]))
        self.told("etcdbackup", "far", False, "clientTLSSecret")
        eventually(lambda: kubectl("-n", THEIR_SPACE, "get", "secret", "safe-client-tls",
                                   check=False).returncode == 0, "the clients' certificate")
        theirs = get("-n", THEIR_SPACE, "secret", "safe-client-tls")["data"]
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": THEIR_SECRET}, "data": {
            "etcd-client-ca.crt": theirs["ca.crt"], "etcd-client.crt": theirs["tls.crt"],
            "etcd-client.key": theirs["tls.key"]}})
        apply(backup("far", etcdEndpoints=[url], clientTLSSecret=THEIR_SECRET))
        self.is_there(self.told("etcdbackup", "far", True), "etcd/default/endpoints.far")

    def periodic(self):
        """Each 10 s, the last two stay; the operators killed on the way."""
        apply(backup("often", path=f"{BUCKET}/often", etcdEndpoints=[f"https://{SHOP}-client:2379"],
                     backupPolicy={"backupIntervalInSecond": 10, "maxBackups": 2}))
        root, seen, began, killed = f"{self.bucket}/often", set(), time.monotonic(), False
        while len(seen) < 5:
            self.put("tick", str(time.monotonic()))
            seen |= whole(root)
            self.assertLess(time.monotonic() - began, 240, f"only {sorted(seen)}")
            self.assertLessEqual(len(jobs_of("often")), 3)
            if len(seen) == 2 and not killed:
                killed = True
                kubectl("-n", SYSTEM, "delete", "pod", "--all", "--grace-period=0", "--force")
            time.sleep(0.5)
        eventually(lambda: len(whole(root)) <= 2, "two to be kept")
        self.told("etcdbackup", "often", True)

    def store_away(self):
        """Told while it lasts, with the last success; and the next backup when it is over."""
        before = status("etcdbackup", "often")
        kubectl("delete", "secret", SECRET)
        said = self.told("etcdbackup", "often", False, f'"{SECRET}" not found')
        self.assertGreaterEqual(said["lastSuccessDate"], before["lastSuccessDate"])
        self.is_there(said, f"often/default/{SHOP}")
        self.secret()
        revision = self.put("tick", "again")
        eventually(lambda: status("etcdbackup", "often").get("etcdRevision", 0) >= revision,
                   "the next backup", 120)
        self.told("etcdbackup", "often", True)

    def objects_deleted(self):
        """Their Jobs and pods go with them, their backups do not."""
        kubectl("delete", f"etcdbackup.{GROUPS['coreos']}", "often", "--timeout=60s")
        eventually(lambda: not jobs_of("often"), "its Jobs to go")
        made = whole(self.data)
        for group in GROUPS.values():
            kubectl("delete", f"etcdbackup.{group}", "--all", "--timeout=60s")
        eventually(lambda: not get("jobs")["items"], "all Jobs to go")
        eventually(lambda: not get("pods", "-l", "operator.etcd.io/job-of")["items"],
                   "their pods to go")
        self.assertEqual(whole(self.data), made)
        self.assertGreaterEqual(len(made), 5)

    def held_by_coreos(self):
        """One that CoreOS's operator made its own, and which is gone."""
        held = backup("held", etcdEndpoints=[f"https://{SHOP}-client:2379"],
                      backupPolicy={"backupIntervalInSecond": 3600})
        held["metadata"]["finalizers"] = ["backup-operator-periodic"]
        apply(held)
        self.told("etcdbackup", "held", True)
        kubectl("delete", f"etcdbackup.{GROUPS['coreos']}", "held", "--wait=false")

    def let_go(self):
        """A minute after it was deleted; what else there is has gone on meanwhile."""
        eventually(lambda: not get(f"etcdbackup.{GROUPS['coreos']}")["items"], "it to go", 120)

    def refused(self):
        """A cluster that has begun is left alone, with what to do."""
        self.put("later", "in no backup")
        pods = {pod["metadata"]["uid"] for pod in member_pods(SHOP)}
        apply(restore("too-late", "coreos", f"{BUCKET}/etcd", etcdCluster={"name": SHOP}))
        said = self.told("etcdrestore", "too-late", False, "has begun already")
        for word in ("nothing was done", "spec.restoreInPlace: true"):
            self.assertIn(word, said["reason"])
        self.assertEqual({pod["metadata"]["uid"] for pod in member_pods(SHOP)}, pods)
        self.assertEqual(self.read("later"), "in no backup")

    def brought_back(self):
        """All of it gone as the refusal says, the object before its cluster; operators killed."""
        kubectl("delete", f"{OWN}/{SHOP}", "--timeout=120s")
        eventually(lambda: not member_pods(SHOP), "the pods to go")
        claims = [claim["metadata"]["name"] for claim in get("pvc")["items"]
                  if claim["metadata"]["name"].startswith(f"data-{SHOP}-")]
        kubectl("delete", "pvc", *claims, "--timeout=60s")
        kubectl("delete", "configmap", f"{SHOP}-record")
        apply(restore(SHOP, "coreos", f"{BUCKET}/etcd", etcdCluster={"name": SHOP}))
        self.told("etcdrestore", SHOP, None, f"waits for EtcdCluster default/{SHOP}")
        apply(cluster(SHOP, 3))
        eventually(lambda: member_pods(SHOP), "the first member's pod", 120)
        kubectl("-n", SYSTEM, "delete", "pod", "--all", "--grace-period=0", "--force")
        said = self.told("etcdrestore", SHOP, True, seconds=240)
        self.is_there(said, f"etcd/default/{SHOP}")
        self.assertGreaterEqual(said["revision"], self.revision)
        self.serves(OWN, SHOP, 240)
        self.assertEqual(self.read("greeting"), "hello")
        self.assertEqual(self.read("later"), "")
        self.assertEqual(len(Client(SHOP, self.folder).voters()), 3)
        # The refused one is over, and has decided about nothing.
        self.assertTrue(is_told("etcdrestore", "too-late", False, "has begun already"))

    def one_by_its_name(self):
        """Exactly that one, for a cluster of another name."""
        apply(restore(COPY, "own", self.location[5:], clusterName=COPY), cluster(COPY))
        said = self.told("etcdrestore", COPY, True, group="own", seconds=240)
        self.assertEqual(said["location"], self.location)
        self.serves(OWN, COPY)
        self.assertEqual(self.read("greeting", COPY), "hello")
        self.assertEqual(self.read("tick", COPY), "", "the newest was not asked for")

    def nothing_to_begin_from(self):
        """An empty place begins no empty cluster, until a person gives it up."""
        apply(restore(LATE, "own", f"{BUCKET}/etcd", clusterName=LATE), cluster(LATE))
        self.told("etcdrestore", LATE, None, "holds no backup", group="own")
        self.assertEqual(member_pods(LATE), [])
        kubectl("delete", f"etcdrestore.{GROUPS['own']}", LATE, "--timeout=60s")
        self.serves(OWN, LATE)

    def nothing_forbidden(self):
        self.secrets_are_not_read(THEIR_SECRET)


if __name__ == "__main__":
    unittest.main(verbosity=2)
