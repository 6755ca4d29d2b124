#!/usr/bin/env python3
"""EtcdBackup and EtcdRestore, as CoreOS's users have them, on a real Kubernetes with Azure Blob
Storage (azurite) and Google Cloud Storage (our fake); tests/e2e/kubernetes/requests_test.py has all
else of these objects.

  make image && cmake --preset dev && ninja -C build/dev gcs-fake
  testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/clouds_test.py
"""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import Client, eventually, get, kubectl, member_pods  # noqa: E402
from clouds import Azure, Google  # noqa: E402
from requests_test import VERSIONS, apply, cluster, is_told, status  # noqa: E402
from stores import OWN, Stored  # noqa: E402

SECRET = "cloud-secret"


def told(kind: str, name: str, succeeded, words: str = "", group: str = "coreos",
         seconds: float = 120) -> dict:
    eventually(lambda: is_told(kind, name, succeeded, words, group),
               f"{kind} {name} to say '{words}' and {succeeded}", seconds)
    said = status(kind, name, group)
    print(f"  {kind} {name}: {json.dumps(said)}", flush=True)
    return said


def remove_all_of(name: str) -> None:
    """A cluster with all that it held, as a person would."""
    kubectl("delete", f"{OWN}/{name}", "--timeout=120s")
    eventually(lambda: not member_pods(name), "the pods to go")
    claims = [claim["metadata"]["name"] for claim in get("pvc")["items"]
              if claim["metadata"]["name"].startswith(f"data-{name}-")]
    kubectl("delete", "pvc", *claims, "--timeout=60s")
    kubectl("delete", "configmap", f"{name}-record")


class CloudTest:
    """Of one cloud; a subclass says which."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloud = cls.CLOUD(cls)
        cls.name = cls.cloud.BLOCK
        cls.copy = f"{cls.name}-copy"

    def test_life(self):
        self.steps(self.created, self.wrong_key, self.backed_up, self.wrong_key_of_a_restore,
                   self.brought_back, self.once_more, self.nothing_forbidden)

    def keys(self, values: dict) -> None:
        kubectl("apply", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET},
             "stringData": values}))

    def source(self, path: str) -> dict:
        cloud = self.cloud
        return {cloud.BLOCK: {"path": path, cloud.SECRET_FIELD: SECRET, "endpoint": cloud.endpoint}}

    def object(self, kind: str, type_field: str, **spec) -> dict:
        return {"apiVersion": VERSIONS["coreos"], "kind": kind, "metadata": {"name": self.name},
                "spec": {type_field: self.cloud.TYPE} | self.source(f"{self.cloud.BUCKET}/etcd") |
                spec}

    def put(self, key: str, value: str) -> int:
        done = Client(self.name, self.folder).run("put", key, value, "-w", "json").stdout
        return json.loads(done)["header"]["revision"]

    def read(self, key: str, name: str = "") -> str:
        client = Client(name or self.name, self.folder)
        return client.run("get", key, "--print-value-only").stdout.strip()

    def created(self):
        apply(cluster(self.name))
        self.serves(OWN, self.name)
        type(self).revision = self.put("greeting", "hello")

    def wrong_key(self):
        """Told in the store's words, with what to check; nothing is said to be there."""
        self.keys(self.cloud.keys(right=False))
        apply(self.object("EtcdBackup", "storageType",
                          etcdEndpoints=[f"https://{self.name}-client:2379"]))
        said = told("etcdbackup", self.name, False, self.cloud.REFUSED)
        self.assertNotIn("location", said)
        self.assertNotIn("lastSuccessDate", said)

    def backed_up(self):
        self.keys(self.cloud.keys())
        said = told("etcdbackup", self.name, True, seconds=240)
        self.assertEqual(said["etcdVersion"], "3.5.12")
        self.assertGreaterEqual(said["etcdRevision"], self.revision)
        location, root = said["location"], f"{self.cloud.SCHEME}://{self.cloud.BUCKET}/"
        self.assertTrue(location.startswith(f"{root}etcd/default/{self.name}/"), location)
        name = location.removeprefix(root)
        self.assertTrue(self.cloud.holds(name + ".json"), "its manifest")
        self.assertFalse(self.cloud.holds(name + ".other"))

    def wrong_key_of_a_restore(self):
        """Nothing begins where it could not be looked."""
        self.put("later", "in no backup")
        remove_all_of(self.name)
        self.keys(self.cloud.other_keys(right=False))
        apply(self.object("EtcdRestore", "backupStorageType", etcdCluster={"name": self.name}),
              cluster(self.name))
        told("etcdrestore", self.name, None, "could not be looked into")
        self.assertEqual(member_pods(self.name), [])

    def brought_back(self):
        self.keys(self.cloud.other_keys())
        said = told("etcdrestore", self.name, True, seconds=240)
        backup = status("etcdbackup", self.name)
        self.assertEqual(said["location"], backup["location"])
        self.assertEqual(said["revision"], backup["etcdRevision"])
        self.serves(OWN, self.name, 240)
        self.assertEqual(self.read("greeting"), "hello")
        self.assertEqual(self.read("later"), "")
        self.assertGreater(self.put("greeting", "again"), self.revision)

    def once_more(self):
        """What was brought back is backed up, and comes back where the status says that it is: by
        an object of our own group, into a cluster of another name."""
        again = self.object("EtcdBackup", "storageType",
                            etcdEndpoints=[f"https://{self.name}-client:2379"])
        again["metadata"]["name"] = f"{self.name}-again"
        apply(again)
        location = told("etcdbackup", f"{self.name}-again", True)["location"]
        apply({"apiVersion": VERSIONS["own"], "kind": "EtcdRestore",
               "metadata": {"name": self.copy},
               "spec": {"clusterName": self.copy} | self.source(location.split("://")[1])},
              cluster(self.copy))
        said = told("etcdrestore", self.copy, True, group="own", seconds=240)
        self.assertEqual(said["location"], location)
        self.serves(OWN, self.copy, 240)
        self.assertEqual(self.read("greeting", self.copy), "again")

    def nothing_forbidden(self):
        self.secrets_are_not_read(SECRET)


class AzureTest(CloudTest, Stored):
    CLOUD = Azure


class GoogleTest(CloudTest, Stored):
    CLOUD = Google

    def wrong_key_of_a_restore(self):
        super().wrong_key_of_a_restore()
        told("etcdrestore", self.name, None, "It was revoked")


if __name__ == "__main__":
    unittest.main(verbosity=2)
