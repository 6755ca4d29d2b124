#!/usr/bin/env python3
"""Upstream's definitions, objects of others, two operators that both think they lead, one name in
two namespaces, and the order in which members restart: on three nodes.

  make image && testbed/with --nodes 3 --etcd 3.5.12,3.5.33 tests/e2e/kubernetes/neighbours_test.py

  EO_SEED   of the moments at which operators are frozen; printed
"""
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (ACCOUNT, CLUSTER, NAME, ROOT, SYSTEM, Client, Installed, Writer,  # noqa: E402
                 condition, eventually, get, kubectl, member_pods, operators, page, processes_of,
                 testbed)

OWN = "etcdclusters.operator.etcd.io"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
SEED = int(os.environ.get("EO_SEED") or random.randrange(1_000_000))
LEASE = 15  # seconds; a frozen operator is restarted by its kubelet after sixty


def upstreams_definition() -> dict:
    """What upstream's operator installs, with its own fields and no others."""
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    spec = {"type": "object", "required": ["size", "version"], "properties": {
        "size": {"type": "integer", "minimum": 1}, "version": text, "imageRegistry": text,
        "etcdOptions": texts, "podTemplate": loose, "tls": loose,
        "storageSpec": {"type": "object", "properties": {
            "accessModes": text, "storageClassName": text, "pvcName": text,
            "volumeSizeRequest": {"x-kubernetes-int-or-string": True},
            "volumeSizeLimit": {"x-kubernetes-int-or-string": True}}}}}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": OWN},
            "spec": {"group": "operator.etcd.io", "scope": "Namespaced",
                     "names": {"kind": "EtcdCluster", "listKind": "EtcdClusterList",
                               "plural": "etcdclusters", "singular": "etcdcluster"},
                     "versions": [{"name": "v1alpha1", "served": True, "storage": True,
                                   "subresources": {"status": {}},
                                   "schema": {"openAPIV3Schema": {
                                       "type": "object",
                                       "properties": {"spec": spec, "status": loose}}}}]}}


def cluster(name: str, **spec) -> dict:
    return {"apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdCluster",
            "metadata": {"name": name}, "spec": {"size": 1, "version": "3.5.12"} | spec}


def apply(*objects: dict, namespace: str = "default") -> None:
    kubectl("-n", namespace, "apply", "-f", "-", text=json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def edit(**spec) -> None:
    kubectl("patch", f"etcd/{CLUSTER}", "--type=merge", "-p", json.dumps({"spec": spec}))


def available(name: str, namespace: str = "default") -> None:
    kubectl("-n", namespace, "wait", "--for=condition=Available", "--timeout=180s",
            f"{OWN}/{name}")
    eventually(lambda: kubectl("-n", namespace, "get", "secret", f"{name}-client-tls",
                               check=False).returncode == 0, "the clients' certificate")


def refusal(pod: dict) -> str:
    """Why this operator is not ready, in its own words; empty: it is, or it says nothing."""
    address = pod["status"].get("podIP")
    try:
        with urllib.request.urlopen(f"http://{address}:8080/readyz", timeout=5):
            return ""
    except urllib.error.HTTPError as error:
        return error.read().decode()
    except OSError:
        return ""


def refusals() -> str:
    return " ".join(refusal(pod) for pod in operators())


def leaders() -> list[dict]:
    return [pod for pod in operators() if page(pod, "/readyz").startswith("ok, leads")]


def written_by_operators(since: float = 0, pod: str = "") -> list[str]:
    """What they changed, but for leases and events; `pod`: by this one alone."""
    with open(testbed.named(NAME).audit_log, "rb") as file:
        lines = file.read().split(b"\n")[:-1]
    out = []
    for line in lines:
        if ACCOUNT.encode() not in line or pod.encode() not in line:
            continue
        entry = json.loads(line)
        of = entry.get("objectRef", {})
        by = entry["user"].get("extra", {}).get("authentication.kubernetes.io/pod-name", [])
        if entry["user"].get("username") == ACCOUNT and entry["verb"] in WRITES and \
                of.get("resource") not in ("leases", "events") and (not pod or pod in by) and \
                moment(entry["requestReceivedTimestamp"]) > since:
            out.append(f"{entry['verb']} {entry['requestURI']}")
    return out


def moment(text: str) -> float:
    whole, _, part = text.rstrip("Z").partition(".")
    return (time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone
            + float(f"0.{part or 0}"))


def identity(kind: str, name: str) -> tuple:
    metadata = get(kind, name)["metadata"]
    return metadata["uid"], metadata["resourceVersion"]


def is_ready(pod: dict) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in pod.get("status", {}).get("conditions", []))


class PodWatch:
    """Every change of a cluster's pods, in the API server's order."""

    def __init__(self, name: str):
        self.changes, self.ready = [], {}  # (member, uid, is it ready), and what is so now
        bed = testbed.standing(NAME)
        self.process = subprocess.Popen(
            [f"{ROOT}/testbed/kubectl", "get", "pods", "-l", f"operator.etcd.io/cluster={name}",
             "--watch", "--output-watch-events", "-o", "json"], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, env=os.environ | {"TESTBED": bed.name})
        self.thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self.thread.start()
        eventually(lambda: len(self.changes) >= 3, "the pods as they are")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()

    def _read(self) -> None:
        decoder, text = json.JSONDecoder(), ""
        for line in self.process.stdout:
            text += line
            with contextlib.suppress(json.JSONDecodeError):
                event, end = decoder.raw_decode(text.lstrip())
                text = text.lstrip()[end:]
                pod = event["object"]
                member = pod["metadata"]["name"].removesuffix("-0")
                self.changes.append((member, pod["metadata"]["uid"],
                                     event["type"] != "DELETED" and is_ready(pod)))

    def restarts(self) -> list[str]:
        """The members whose pods were replaced, in the order in which the new ones came."""
        seen, out = {}, []
        for member, uid, _ in self.changes:
            if seen.setdefault(member, uid) != uid:
                seen[member] = uid
                out.append(member)
        return out

    def most_away(self) -> int:
        """How many were not ready at one time, at most, once all were."""
        ready, most, complete = {}, 0, False
        for member, _, is_so in self.changes:
            ready[member] = is_so
            complete = complete or sum(ready.values()) == 3
            if complete:
                most = max(most, sum(not one for one in ready.values()))
        return most


class NeighboursTest(Installed):
    @classmethod
    def install(cls):
        """All but our definitions, where upstream's is there before."""
        cls.began = time.time()
        apply(upstreams_definition())
        kubectl("wait", "--for=condition=Established", "--timeout=30s", f"crd/{OWN}")
        with open(f"{ROOT}/{cls.MANIFEST}", encoding="utf-8") as file:
            documents = re.split(r"^---$", file.read(), flags=re.MULTILINE)
        kubectl("apply", "-f", "-", text="---\n".join(
            one for one in documents if "kind: CustomResourceDefinition" not in one))

    def test_life(self):
        print(f"  EO_SEED={SEED}", flush=True)
        self.dice = random.Random(SEED)
        self.steps(self.upstreams_definitions, self.objects_of_others, self.two_namespaces,
                   self.created, self.upgraded_in_order, self.template_changed,
                   self.frozen_while_it_led)

    def upstreams_definitions(self):
        """Ours would be stripped of fields there: it refuses to act, and says why."""
        apply(cluster("upstreams", version="v3.5.12", etcdOptions=["--max-txn-ops=200"],
                      storageSpec={"volumeSizeRequest": "64Mi"}))
        before = identity(OWN, "upstreams")
        for words in ("another operator's", "deploy/crds"):
            eventually(lambda words=words: words in refusals(), f"a word of {words}")
        print(f"  {refusals().strip()}", flush=True)
        eventually(lambda: kubectl("-n", SYSTEM, "logs", "-l",
                                   "app.kubernetes.io/name=etcd-operator").stdout.count(
                                       "SchemasTooOld") > 2, "it to be looked at again")
        self.assertEqual(written_by_operators(self.began), [])
        self.assertEqual(identity(OWN, "upstreams"), before)
        self.assertEqual(get("sts")["items"], [])
        kubectl("apply", "-f", self.MANIFEST)
        kubectl("-n", SYSTEM, "rollout", "status", "deployment/etcd-operator", "--timeout=120s")
        available("upstreams")
        Client("upstreams", self.folder).run("put", "whose", "ours")
        self.assertEqual(get("pvc", "data-upstreams-0")["spec"]["resources"]["requests"]["storage"],
                         "64Mi")
        kubectl("delete", OWN, "upstreams", "--timeout=120s")

    def objects_of_others(self):
        """Of another operator, under names that ours would use: told one after the other, and left
        alone; when they are gone the cluster forms."""
        apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "neighbour"}})
        owner = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "neighbour", "controller": True,
                  "uid": get("configmap", "neighbour")["metadata"]["uid"]}]
        labels = {"app": "theirs"}
        pod = {"metadata": {"labels": labels},
               "spec": {"containers": [{"name": "theirs", "image": "registry.k8s.io/pause:3.10"}]}}
        size = {"resources": {"requests": {"storage": "16Mi"}}, "accessModes": ["ReadWriteOnce"]}
        another = "its owner is ConfigMap neighbour"
        theirs = [("service", "taken", another), ("secret", "taken-ca", "it has no owner"),
                  ("pvc", "data-taken-0", "it lacks our label"),
                  ("statefulset", "taken-0", another)]
        apply({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 1}]},
               "metadata": {"name": "taken", "ownerReferences": owner}},
              {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "taken-ca"}},
              {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": size,
               "metadata": {"name": "data-taken-0"}},
              {"apiVersion": "apps/v1", "kind": "StatefulSet",
               "metadata": {"name": "taken-0", "ownerReferences": owner},
               "spec": {"replicas": 0, "serviceName": "theirs", "template": pod,
                        "selector": {"matchLabels": labels}}})
        eventually(lambda: get("statefulset", "taken-0").get("status", {}).get(
            "observedGeneration"), "the StatefulSet's own controller to have seen it")
        before = {name: identity(kind, name) for kind, name, _ in theirs}
        apply(cluster("taken"))
        for kind, name, why in theirs:
            eventually(lambda name=name, why=why: f"/{name} is there and is not ours: {why}" in
                       condition("taken", "ForeignObjects").get("message", ""),
                       f"{kind} {name} to be told")
            print(f"  {condition('taken', 'ForeignObjects')['message']}", flush=True)
            self.assertEqual(member_pods("taken"), [])
            self.assertEqual({name: identity(kind, name) for kind, name, _ in theirs
                              if name in before}, before)
            kubectl("delete", kind, name)
            del before[name]
        available("taken")
        eventually(lambda: condition("taken", "ForeignObjects") == {}, "nothing more to be told")
        self.assertEqual([one.get("name") for one in Client("taken", self.folder).members()],
                         ["taken-0"], "no member was made in vain")
        kubectl("delete", OWN, "taken", "--timeout=120s")

    def two_namespaces(self):
        """One name at once, each with its own data; one deleted with its volumes."""
        kubectl("create", "namespace", "other")
        spaces = ("default", "other")
        for space in spaces:
            apply(cluster("same", persistentVolumeClaimRetentionPolicy={"whenDeleted": "Delete"}),
                  namespace=space)
        for space in spaces:
            available("same", space)
            Client("same", self.folder, space).run("put", "whose", space)
        clients = {space: Client("same", self.folder_of(space), space) for space in spaces}
        for space, client in clients.items():
            self.assertEqual(client.run("get", "whose", "--print-value-only").stdout.strip(), space)
        self.assertFalse(clients["default"].seen()["cluster"] & clients["other"].seen()["cluster"])

        def lives() -> list:
            found = [one for kind in ("sts", "pods", "pvc", "secrets", "services")
                     for one in get("-n", "other", kind, "-l", "operator.etcd.io/cluster=same")[
                         "items"]]
            return [(one["kind"], one["metadata"]["name"], one["metadata"]["uid"],
                     [status["restartCount"] for status
                      in one.get("status", {}).get("containerStatuses", [])]) for one in found]
        before = lives()
        self.assertGreater(len(before), 5)
        kubectl("delete", OWN, "same", "--timeout=120s")
        eventually(lambda: not get("pods", "-l", "operator.etcd.io/cluster=same")["items"] and
                   not get("pvc", "-l", "operator.etcd.io/cluster=same")["items"],
                   "its pods and volumes to go")
        self.assertEqual(lives(), before)
        clients["other"].run("put", "still", "there")
        kubectl("-n", "other", "delete", OWN, "same", "--timeout=120s")

    def folder_of(self, space: str) -> str:
        """For certificates of its own."""
        folder = f"{self.folder}/{space}"
        os.makedirs(folder, exist_ok=True)
        return folder

    def created(self):
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{CLUSTER}")
        self.healthy(3)

    def rolls(self, there, running: str = "", **spec) -> None:
        """Under a writer: each member once, the leader last, and never more than one away."""
        leader = get("etcd", CLUSTER)["status"]["leader"]
        with PodWatch(CLUSTER) as watch, Writer(Client(CLUSTER, self.folder)) as writer:
            edit(**spec)
            eventually(lambda: len(watch.restarts()) >= 3 and
                       all(there(pod) for pod in member_pods(CLUSTER)), "it to come to all", 300)
            self.healthy(3, 240, running)
        writer.check(self)
        order = watch.restarts()
        self.assertEqual(sorted(order), sorted({member for member, _, _ in watch.changes}), order)
        self.assertEqual(order[-1], leader, order)
        self.assertEqual(watch.most_away(), 1)

    def upgraded_in_order(self):
        self.rolls(lambda pod: "3.5.33" in json.dumps(pod["spec"]), "3.5.33", version="3.5.33")

    def template_changed(self):
        """Flags, resources, and annotations with labels go the way of versions."""
        def etcd(pod: dict) -> dict:
            return next(one for one in pod["spec"]["containers"] if one["name"] == "etcd")
        self.rolls(lambda pod: "--max-txn-ops=200" in json.dumps(pod),
                   etcdOptions=["--max-txn-ops=200"])
        self.rolls(lambda pod: etcd(pod)["resources"].get("requests", {}).get("cpu") == "30m",
                   podTemplate={"spec": {"resources": {"requests": {"cpu": "30m"}}}})
        self.rolls(lambda pod: pod["metadata"]["annotations"].get("team") == "green" and
                   pod["metadata"]["labels"].get("team") == "blue",
                   podTemplate={"metadata": {"annotations": {"team": "green"},
                                             "labels": {"team": "blue"}}})

    def frozen(self, change, **spec) -> None:
        """The one that leads is stopped in the middle of a change for longer than its lease, and
        goes on while another leads: it does nothing any more."""
        eventually(leaders, "an operator that leads")
        victim, = leaders()
        name = victim["metadata"]["name"]
        pids = processes_of(victim)
        self.assertTrue(pids)
        edit(**spec)
        eventually(lambda: change() or get("etcd", CLUSTER)["status"].get("operation"),
                   "the change to begin")
        until = time.monotonic() + self.dice.uniform(0, 3)
        eventually(lambda: time.monotonic() >= until, "the moment")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            eventually(lambda: any(one["metadata"]["name"] != name for one in leaders()),
                       "another to lead", 3 * LEASE)
        finally:
            woken = time.time()
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        eventually(lambda: page(victim, "/readyz").startswith("ok, stands by"),
                   "the first one to know that it does not lead")
        eventually(change, "the change to be done", 300)
        self.assertNotEqual(written_by_operators(pod=name), [])
        self.assertEqual(written_by_operators(woken, name), [])
        now = next(one for one in operators() if one["metadata"]["name"] == name)
        self.assertEqual(now["status"]["containerStatuses"][0]["restartCount"],
                         victim["status"]["containerStatuses"][0]["restartCount"])

    def frozen_while_it_led(self):
        def members() -> list[str]:
            return sorted(pod["metadata"]["name"].removesuffix("-0")
                          for pod in member_pods(CLUSTER) if is_ready(pod))
        three = [f"{CLUSTER}-{n}" for n in range(3)]
        five = [f"{CLUSTER}-{n}" for n in range(5)]
        with Writer(Client(CLUSTER, self.folder)) as writer:
            with PodWatch(CLUSTER) as watch:
                self.frozen(lambda: members() == five, size=5)
                self.healthy(5, 240)
                self.assertEqual(watch.restarts(), [])
                self.assertEqual({member for member, _, _ in watch.changes}, set(five))
            with PodWatch(CLUSTER) as watch:
                self.frozen(lambda: len(set(watch.restarts())) == 5, version="3.5.12")
                self.healthy(5, 240, "3.5.12")
                self.assertEqual(sorted(watch.restarts()), five, "each once")
            with PodWatch(CLUSTER) as watch:
                self.frozen(lambda: members() == three, size=3)
                self.healthy(3, 240)
                self.assertEqual(watch.restarts(), [])
        writer.check(self)
        self.assertEqual(sorted(writer.client.voters()), three)


if __name__ == "__main__":
    unittest.main(verbosity=2)
