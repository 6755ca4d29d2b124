#!/usr/bin/env python3
"""The operator without rights outside one namespace: what it does there, and nothing elsewhere.

  make image && testbed/with --nodes 3 --etcd 3.5.12 tests/e2e/kubernetes/namespace_test.py
"""
import glob
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (ROOT, SYSTEM, Client, Writer, eventually, get, kubectl,  # noqa: E402
                 member_pods)
from stores import BUCKET, OWN, SECRET, Stored, whole  # noqa: E402

NAME, AWAY = "inside", "outside"


def cluster(name: str, size: int) -> dict:
    return {"apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdCluster",
            "metadata": {"name": name}, "spec": {"size": size, "version": "3.5.12"}}


def apply(namespace: str, thing: dict) -> None:
    kubectl("-n", namespace, "apply", "-f", "-", text=json.dumps(thing))


class NamespaceTest(Stored):
    MANIFEST = "deploy/install-one-namespace.yaml"

    def test_life(self):
        self.steps(self.created, self.backed_up, self.volume_deleted, self.left_alone,
                   self.nothing_forbidden, self.deleted)

    def healthy(self, size: int, seconds: float = 180, version: str = "") -> None:
        def there():
            status = get("-n", SYSTEM, OWN, NAME).get("status", {})
            said = {one["type"]: one["status"] for one in status.get("conditions", [])}
            return status.get("readyReplicas") == size and said.get("Available") == "True" and \
                said.get("Progressing") == "False"
        eventually(there, f"{size} healthy members", seconds)
        self.assertEqual(len(self.client().voters()), size)

    def client(self) -> Client:
        return Client(NAME, self.folder, namespace=SYSTEM)

    def tell(self) -> None:
        super().tell()
        print(kubectl("get", "-n", SYSTEM, OWN, NAME, "-o", "yaml", check=False).stdout[-6000:],
              flush=True)

    def created(self):
        apply("default", cluster(AWAY, 1))
        apply(SYSTEM, cluster(NAME, 3))
        eventually(lambda: kubectl("-n", SYSTEM, "get", "secret", f"{NAME}-client-tls",
                                   check=False).returncode == 0, "the clients' certificate", 180)
        self.healthy(3)

    def backed_up(self):
        self.client().run("put", "greeting", "hello")
        self.secret(namespace=SYSTEM)
        apply(SYSTEM, {"apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdBackup",
                       "metadata": {"name": "once"},
                       "spec": {"clusterName": NAME, "storageType": "S3",
                                "s3": {"path": f"{BUCKET}/etcd", "awsSecret": SECRET}}})
        eventually(lambda: get("-n", SYSTEM, "etcdbackup.operator.etcd.io", "once").get(
            "status", {}).get("succeeded"), "the backup", 120)
        self.assertEqual(len(whole(f"{self.bucket}/etcd/{SYSTEM}/{NAME}")), 1)

    def volume_deleted(self):
        """Volumes are not seen, so that it is no proof: waited for like any member that is silent,
        and then replaced without a person."""
        kubectl("-n", SYSTEM, "patch", OWN, NAME, "--type=merge", "-p",
                '{"spec":{"repair":{"timeoutSeconds":20}}}')
        pods = get("-n", SYSTEM, "pods", "-l", f"operator.etcd.io/cluster={NAME}")["items"]
        victim = pods[0]["metadata"]["name"].removesuffix("-0")
        with Writer(self.client()) as writer:
            kubectl("-n", SYSTEM, "delete", "pvc", f"data-{victim}", "--wait=false")
            kubectl("-n", SYSTEM, "delete", "pod", f"{victim}-0")
            eventually(lambda: victim not in self.client().voters(),
                       "the member without data to be removed", 120)
            self.healthy(3)
        writer.check(self)

    def left_alone(self):
        self.assertEqual(member_pods(AWAY), [])
        self.assertEqual(get(OWN, AWAY).get("status", {}), {})

    def nothing_forbidden(self):
        """But a look at the schemas, which are of no namespace; it goes on without."""
        names = [os.path.basename(path).removesuffix(".yaml").split("_")
                 for path in glob.glob(f"{ROOT}/deploy/crds/*.yaml")]
        self.assertGreater(len(names), 1)
        self.secrets_are_not_read(besides=frozenset(
            ("get", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}")
            for group, plural in names))

    def deleted(self):
        kubectl("-n", SYSTEM, "delete", OWN, NAME, "--timeout=120s")
        eventually(lambda: not get("-n", SYSTEM, "sts")["items"], "its members to go")


if __name__ == "__main__":
    unittest.main(verbosity=2)
