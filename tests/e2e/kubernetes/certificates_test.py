#!/usr/bin/env python3
"""Certificates on three nodes: leaves that are renewed, authorities that are replaced, TLS off and
on, and the user's own.

  make image && testbed/with --nodes 3 --etcd 3.5.33 tests/e2e/kubernetes/certificates_test.py
"""
import base64
import json
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (Client, Installed, Writer, command, condition, eventually,  # noqa: E402
                 get, images, kubectl, member_pods, tool)
from kit import pki  # noqa: E402

NAME, THEIRS = "safe", "theirs"


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


class UsersAuthority:
    """As a company has one: it gives a cluster its three Secrets, under names of its own."""

    KEYS = {"company-peer": "peer", "company-server": "server", "company-client": "etcd-client"}

    def __init__(self, folder: str):
        self.authority, self.issued = pki.Authority(folder), 0

    def give(self, secret: str, lacking: str = "") -> str:
        """A new leaf in it; gives its number."""
        key, self.issued = self.KEYS[secret], self.issued + 1
        name = f"{key}-{self.issued}"
        zones = ("default.svc", "default.svc.cluster.local")
        names = [f"{host}.{zone}" for host in (f"*.{THEIRS}", f"{THEIRS}-client") for zone in zones]
        names += ["localhost", f"{THEIRS}-client", f"{THEIRS}-client.default"]
        self.authority.issue(name, "root" if key == "etcd-client" else THEIRS,
                             sans=",".join([f"DNS:{name}" for name in names] + ["IP:127.0.0.1"]))
        files = {f"{key}.crt": f"{name}.crt", f"{key}.key": f"{name}.key",
                 f"{key}-ca.crt": "ca.crt"}
        data = {}
        for entry, path in files.items():
            with open(self.authority.path(path), encoding="ascii") as file:
                data[entry] = file.read()
        data.pop(lacking, None)
        kubectl("apply", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret},
             "stringData": data}))
        return self.number(self.authority.path(f"{name}.crt"))

    @staticmethod
    def number(path: str) -> str:
        return command("openssl", "x509", "-noout", "-serial", "-in", path).stdout.strip()


class UsersClient(Client):
    """With a certificate of the user's; the operator gives none."""

    def __init__(self, users: UsersAuthority):  # pylint: disable=super-init-not-called
        self.cluster, self.namespace = THEIRS, "default"
        self.program = f"{images.etcd_folder('3.5.33')}/etcdctl"
        self.users = users.authority
        self.users.issue("someone", "someone")

    def flags(self, host: str = "") -> list[str]:
        return [f"--endpoints=https://{host or THEIRS + '-client.default'}:2379",
                "--command-timeout=5s", f"--cacert={self.users.path('ca.crt')}",
                f"--cert={self.users.path('someone.crt')}",
                f"--key={self.users.path('someone.key')}"]


class CertificatesTest(Installed):
    def test_life(self):
        self.steps(self.users_own, self.users_renewed, self.created, self.renewed,
                   self.authorities, self.plain_and_back)

    def users_own(self):
        """Secrets that come after the cluster, one by one: it says which it waits for."""
        users = type(self).users = UsersAuthority(f"{self.folder}/company")
        apply(THEIRS, {"provider": "secrets", "static": {
            "member": {"peerSecret": "company-peer", "serverSecret": "company-server"},
            "operatorSecret": "company-client"}})
        for secret, key in users.KEYS.items():
            self.valid_says(f"Secret {secret} is not there")
            users.give(secret, lacking=f"{key}.key")
            self.valid_says(f"Secret {secret} lacks the key {key}.key")
            self.assertEqual(member_pods(THEIRS), [])
            users.give(secret)
        eventually(lambda: settled(THEIRS), "three members", 180)
        self.assertEqual(len(UsersClient(users).voters()), 3)
        made = [one["metadata"]["name"] for one in get("secrets")["items"]
                if one["metadata"]["name"].startswith(f"{THEIRS}-")]
        self.assertEqual(made, [], "nothing is signed where all is given")

    def valid_says(self, words: str) -> None:
        eventually(lambda: words in condition(THEIRS, "CertificatesValid").get("message", ""),
                   words, 60)

    def users_renewed(self):
        """New leaves in the Secrets come in without a restart, once the kubelet has brought
        them."""
        before, client = lives(THEIRS), UsersClient(self.users)
        with Writer(client) as writer:
            number = self.users.give("company-server")
            self.users.give("company-peer")
            eventually(lambda: self.served() == number, "the new leaf", 240)
        writer.check(self)
        self.assertEqual(lives(THEIRS), before)
        kubectl("delete", "etcd", THEIRS, "--timeout=120s")
        eventually(lambda: not member_pods(THEIRS), "the pods to go")

    def served(self) -> str:
        """The number of the leaf that a client meets."""
        path = f"{self.folder}/served.pem"
        done = tool("run", "openssl", "s_client", "-connect", f"{THEIRS}-client.default:2379",
                    check=False)
        with open(path, "w", encoding="utf-8") as file:
            file.write(done.stdout)
        return command("openssl", "x509", "-noout", "-serial", "-in", path,
                       check=False).stdout.strip()

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
