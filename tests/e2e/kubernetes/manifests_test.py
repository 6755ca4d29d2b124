#!/usr/bin/env python3
"""What deploy/ installs, on a real API server: it is taken, it takes every good manifest without
dropping a field, and it refuses the broken ones that a schema can know, with a message.

  testbed/with --control-plane-only tests/e2e/kubernetes/manifests_test.py
"""
import glob
import json
import os
import sys
import time
import unittest
import urllib.parse

import yaml

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import NAME, ROOT, get, kubectl, processes, testbed  # noqa: E402
from kit import api  # noqa: E402

GROUPS = {"operator.etcd.io", "etcd.database.coreos.com"}
MISSPELT = "did-you-mean.yaml"  # its fields are, on purpose
NULLS = "cluster.json"          # good for the program, not for an API server: a null in a value's place


class Loader(yaml.SafeLoader):
    """As an API server reads: a date is a text, and so are bytes."""


Loader.add_constructor("tag:yaml.org,2002:binary", lambda loader, node: loader.construct_yaml_binary(
    node).decode("utf-8", "replace"))
Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def documents(path: str) -> list:
    with open(path, encoding="utf-8-sig") as text:
        found = [document for document in yaml.load_all(text, Loader) if document is not None]
    out = []
    for document in found:
        is_list = isinstance(document, dict) and document.get("kind") == "List"
        out += document["items"] if is_list else [document]
    return out


def is_ours(document) -> bool:
    return isinstance(document, dict) and \
        str(document.get("apiVersion", "")).split("/")[0] in GROUPS


class ManifestsTest(unittest.TestCase):
    """In the order of their names, on one server; the first installs."""

    @classmethod
    def setUpClass(cls):
        cls.server = testbed.standing(NAME).api("admin")
        began = time.monotonic()
        kubectl("apply", "-f", "deploy/install.yaml")
        for crd in get("crd")["items"]:
            kubectl("wait", "--for=condition=Established", "--timeout=30s",
                    f"crd/{crd['metadata']['name']}")
        print(f"deploy/install.yaml in {time.monotonic() - began:.1f} s", flush=True)
        cls.told = cls.read_refused()

    @staticmethod
    def read_refused() -> dict:
        with open(f"{ROOT}/tests/crds/refused.txt", encoding="utf-8") as file:
            rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
        return {name: by for name, by in rows}

    def dry_create(self, document: dict, strict: bool):
        """None, or the refusal. Nothing is kept."""
        kind = str(document.get("kind"))
        plural = {"EtcdCluster": "etcdclusters", "EtcdBackup": "etcdbackups",
                  "EtcdRestore": "etcdrestores"}.get(kind)
        metadata = document.get("metadata")
        namespace = (metadata or {}).get("namespace", "default") \
            if isinstance(metadata, (dict, type(None))) else "default"
        if plural is None:
            return None
        if not self.make_namespace(str(namespace)):  # else nothing but that would be judged
            namespace = metadata["namespace"] = "default"
        path = (f"/apis/{document['apiVersion']}/namespaces/{urllib.parse.quote(str(namespace))}/"
                f"{plural}?dryRun=All&fieldValidation={'Strict' if strict else 'Ignore'}")
        try:
            self.server.call("POST", path, document)
            return None
        except api.Refused as refused:
            return refused

    def make_namespace(self, name: str) -> bool:
        """False: no name for one."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            self.server.call("POST", "/api/v1/namespaces", body)
        except api.Refused as refused:
            if refused.status == 422:
                return False
            if refused.status != 409:
                raise
        return True

    def test_installation_is_whole_and_can_be_repeated(self):
        for path in ("deploy/install.yaml", "deploy/crds"):
            again = kubectl("apply", "-f", path).stdout.splitlines()
            self.assertTrue(again)
            self.assertEqual([line for line in again if not line.endswith("unchanged")], [])
        for crd in get("crd")["items"]:
            conditions = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
            self.assertNotEqual(conditions.get("NonStructuralSchema"), "True")
            self.assertEqual(conditions["NamesAccepted"], "True", crd["metadata"]["name"])
        kubectl("delete", "-f", "deploy/install-one-namespace.yaml", "--dry-run=server",
                "--ignore-not-found")
        kubectl("apply", "-f", "deploy/install-one-namespace.yaml", "--dry-run=server")

    def test_good_manifests_are_taken_whole(self):
        count = 0
        for path in sorted([*glob.glob(f"{ROOT}/examples/*.yaml"),
                            *glob.glob(f"{ROOT}/tests/crds/accepted/*.yaml"),
                            *glob.glob(f"{ROOT}/tests/manifests/good/*.yaml"),
                            *glob.glob(f"{ROOT}/tests/manifests/good/*.json")]):
            if os.path.basename(path) == NULLS:
                continue
            for document in filter(is_ours, documents(path)):
                with self.subTest(os.path.relpath(path, ROOT)):
                    strict = os.path.basename(path) != MISSPELT
                    self.assertIsNone(self.dry_create(document, strict))
                    count += 1
        print(f"\ndepth: {count} good objects taken by a real API server", flush=True)
        self.assertGreater(count, 40)

    def test_broken_manifests_are_refused_with_a_message(self):
        refused = 0
        for name, by in sorted(self.told.items()):
            with self.subTest(name):
                try:
                    found = [self.dry_create(document, strict=False) for document
                             in filter(is_ours, documents(f"{ROOT}/tests/manifests/bad/{name}"))]
                except (yaml.YAMLError, TypeError):
                    self.assertEqual(by, "program")
                    continue
                found = [answer for answer in found if answer]
                if by != "schema":
                    # But what every object has, a server knows without a schema.
                    of_schema = [str(answer) for answer in found
                                 if answer.status == 422 and "[metadata." not in str(answer)]
                    self.assertEqual(of_schema, [])
                    continue
                self.assertTrue(found, "the server takes it")
                for answer in found:
                    self.assertIn(answer.status, (400, 422))
                    self.assertGreater(len(str(answer)), 60)
                refused += 1
        print(f"\ndepth: {refused} broken files refused by a real API server", flush=True)

    def test_examples_by_kubectl_and_what_people_do_with_them(self):
        for path in sorted(glob.glob(f"{ROOT}/examples/*.yaml")):
            self.addCleanup(kubectl, "delete", "--ignore-not-found", "-f", path)
            for document in documents(path):
                if isinstance(document, dict):
                    self.make_namespace(document["metadata"].get("namespace", "default"))
            kubectl("apply", "-f", path)
            for document in filter(is_ours, documents(path)):
                self.live(document)
            kubectl("delete", "--wait", "-f", path)

    def live(self, document: dict):
        if document["kind"] != "EtcdCluster":
            return
        name, space = document["metadata"]["name"], document["metadata"].get("namespace", "default")
        group = document["apiVersion"].split("/")[0]
        what = ("-n", space, f"etcdclusters.{group}/{name}")
        before = get(*what)
        self.assertEqual(before["metadata"]["generation"], 1)
        self.assertNotIn("status", before)
        table = kubectl("get", *what).stdout.splitlines()
        self.assertEqual(table[0].split()[:2], ["NAME", "READY"], table[0])
        kubectl("scale", *what, "--replicas=5")
        self.assertEqual(get(*what)["spec"]["size"], 5)
        for size in ("0", "-1"):
            no = kubectl("patch", *what, "--type=merge", "-p", f'{{"spec":{{"size":{size}}}}}',
                         check=False)
            self.assertNotEqual(no.returncode, 0)
            self.assertIn("spec.size", no.stderr)
        # The status is a part of its own, and only it is written there.
        kubectl("patch", *what, "--subresource=status", "--type=merge", "-p",
                json.dumps({"spec": {"size": 7}, "status": {"conditions": [{
                    "type": "Available", "status": "True", "reason": "QuorumHealthy",
                    "message": "for the test", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}))
        after = get(*what)
        self.assertEqual(after["spec"]["size"], 5)
        self.assertEqual(after["metadata"]["generation"], 2)
        kubectl("wait", "--for=condition=Available", "--timeout=10s", *what)
        if group == "operator.etcd.io":
            processes.wait_for(lambda: name in kubectl("get", "etcd", "-A").stdout, 20,
                               "the short name `etcd`")


if __name__ == "__main__":
    unittest.main(verbosity=2)
