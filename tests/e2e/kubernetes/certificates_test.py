#!/usr/bin/env python3
"""Certificates on three nodes: leaves that are renewed, authorities that are replaced, TLS off and
on.

  make image && testbed/with --nodes 3 --etcd 3.5.33 tests/e2e/kubernetes/certificates_test.py
"""
import base64
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (Client, Installed, Writer, condition, eventually, get,  # noqa: E402
                 kubectl, member_pods)

NAME = "safe"


def apply(name: str, tls: dict, size: int = 3) -> None:
    kubectl("apply", "-f", "-", text=json.dumps(
        {"apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdCluster",
         "metadata": {"name": name},
         "spec": {"size": size, "version": "3.5.33", "tls": tls}}))


def lives(name: str) -> dict:
    return {pod["metadata"]["uid"]: [status["restartCount"] for status
                                     in pod["status"]["containerStatuses"]]
            for pod in member_pods(name)}


def settled(name: str, size: int = 3) -> bool:
    status = get("etcd", name).get("status", {})
    return status.get("readyReplicas") == size and \
        condition(name, "Available").get("status") == "True" and \
        condition(name, "Progressing").get("status") != "True"


def client_ca(name: str) -> bytes:
    return base64.b64decode(get("secret", f"{name}-client-tls")["data"]["ca.crt"])


class PlainClient(Client):
    def flags(self, host: str = "") -> list[str]:
        host = host or f"{self.cluster}-client.{self.namespace}"
        return [f"--endpoints=http://{host}:2379", "--command-timeout=5s"]


class CertificatesTest(Installed):
    def test_life(self):
        self.steps(self.created, self.renewed, self.authorities, self.plain_and_back)

    def created(self):
        apply(NAME, {"providerCfg": {"autoCfg": {"validityDuration": "3m"}}})
        eventually(lambda: settled(NAME), "three members", 180)

    def read_again(self) -> Client:
        """As a client does whose Secret is mounted: the files of the one folder are new."""
        return Client(NAME, self.folder)

    def renewed(self):
        """Leaves that live three minutes: new ones come in without a restart or a failed write."""
        before, first = lives(NAME), get("secret", f"{NAME}-server-tls")["data"]
        with Writer(Client(NAME, self.folder)) as writer:
            eventually(lambda: self.read_again() and
                       get("secret", f"{NAME}-server-tls")["data"] != first, "new leaves", 240)
            written = writer.acknowledged
            eventually(lambda: self.read_again() and writer.acknowledged > written + 50,
                       "writes after it")
        writer.check(self)
        self.assertEqual(lives(NAME), before)

    def authorities(self):
        """New ones in phases; a person says when the clients have read their files again."""
        apply(NAME, {"providerCfg": {"autoCfg": {"validityDuration": "2h"}}})
        eventually(lambda: settled(NAME), "the longer life", 240)
        old = client_ca(NAME)
        with Writer(self.read_again()) as writer:
            kubectl("annotate", "etcd", NAME, "operator.etcd.io/rotate-authority=first")
            approved = set()
            for words in ("are issued on", "are dropped on"):
                eventually(lambda words=words: words in condition(NAME, "CertificatesValid").get(
                    "message", ""), words, 300)
                message = condition(NAME, "CertificatesValid")["message"]
                match = re.search(r"`kubectl (annotate [^`]*)`", message)
                self.assertTrue(match, message)
                self.assertNotIn(match[1], approved)
                approved.add(match[1])
                self.assertIn(old.strip(), client_ca(NAME))
                self.read_again()
                kubectl(*match[1].split())
            eventually(lambda: old.strip() not in client_ca(NAME), "the old one to be dropped", 300)
            self.read_again()
            eventually(lambda: settled(NAME), "all members", 240)
        writer.check(self)

    def plain_and_back(self):
        """TLS off and on again while the cluster serves: Migrating lies between."""
        for mode in ("Migrating", "Disabled", "Migrating", "Required"):
            client = Client if mode != "Disabled" else PlainClient
            with Writer(PlainClient(NAME, self.folder) if mode == "Disabled"
                        else self.read_again()) as writer:
                apply(NAME, {"mode": mode})
                eventually(lambda mode=mode: get("etcd", NAME)["metadata"]["generation"] ==
                           get("etcd", NAME)["status"].get("observedGeneration") and
                           settled(NAME), mode, 300)
            writer.check(self)
            self.assertEqual(client(NAME, self.folder).run("get", "x").returncode, 0)
        plain = PlainClient(NAME, self.folder).run("get", "x", check=False)
        self.assertNotEqual(plain.returncode, 0, "TLS alone")


if __name__ == "__main__":
    unittest.main(verbosity=2)
