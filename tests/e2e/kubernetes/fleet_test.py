#!/usr/bin/env python3
"""Many clusters of one member in one operator, and what that costs it and the API server: real
etcd processes at loopback addresses under a kubelet made for tests, beside a control plane that has
no nodes. Times are printed, never asserted; that nothing is written while nothing changes is.

  make programs etcd && testbed/with --control-plane-only tests/e2e/kubernetes/fleet_test.py
  … fleet_test.py --clusters 200     what EO_DEPTH=full takes; 20 else
"""
import collections
import concurrent.futures
import datetime
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (ACCOUNT, NAME, ROOT, SYSTEM, Steps, eventually, kubectl,  # noqa: E402
                 processes, testbed)
from kubelet import LABEL, WITH_US, Kubelet  # noqa: E402
from kit import volumes  # noqa: E402

FULL = os.environ.get("EO_DEPTH") == "full"
CLUSTERS = 200 if FULL else 20
# At full depth longer than the five minutes after which an operator stores again the marks of each
# cluster: how far its log was seen, and when a quorum was last read. They are what a loss is judged
# by, also by the next operator.
BEAT, BEATS = 300, {"patch configmaps", "patch etcdclusters status"}
WINDOW = 330 if FULL else 20
ONCE_EACH = WINDOW >= BEAT
EDITS = 200 if FULL else 40
QUIET = 10
PATH = "/apis/operator.etcd.io/v1alpha1/namespaces/default/etcdclusters"
WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def figure(text: str) -> None:
    print(f"  figure: {text}", flush=True)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def name_of(number: int) -> str:
    return f"fleet-{number:03}"


class Audit:
    """What the API server wrote down of the operator."""

    def __init__(self, path: str):
        self.path = path

    def mark(self) -> int:
        return os.path.getsize(self.path)

    def since(self, mark: int, user: str = ACCOUNT) -> list[dict]:
        """Whole lines only: the last one may still be on its way."""
        with open(self.path, "rb") as file:
            file.seek(mark)
            lines = file.read().split(b"\n")[:-1]
        entries = [json.loads(line) for line in lines if user.encode() in line]
        return [entry for entry in entries if entry["user"].get("username") == user
                and entry["stage"] == "ResponseComplete"]

    def writes(self, mark: int) -> list[dict]:
        return [entry for entry in self.since(mark) if entry["verb"] in WRITES
                and not is_lease(entry)]


def is_lease(entry: dict) -> bool:
    return entry.get("objectRef", {}).get("resource") == "leases"


def what(entry: dict) -> str:
    of = entry.get("objectRef", {})
    return " ".join(filter(None, (entry["verb"], of.get("resource"), of.get("subresource"))))


def time_of(entry: dict, field: str = "requestReceivedTimestamp") -> float:
    return datetime.datetime.fromisoformat(entry[field].replace("Z", "+00:00")).timestamp()


class Operator:
    """A process of this machine, with the rights of the installed one and no others."""

    def __init__(self, bed, folder: str):
        self.log = f"{folder}/operator.log"
        token = kubectl("-n", SYSTEM, "create", "token", "etcd-operator",
                        "--duration=10h").stdout.strip()
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "fleet",
            "clusters": [{"name": "fleet", "cluster": {
                "server": bed.server, "certificate-authority": bed.authority.path("ca.crt")}}],
            "users": [{"name": "operator", "user": {"token": token}}],
            "contexts": [{"name": "fleet", "context": {"cluster": "fleet", "user": "operator"}}]}
        path = os.open(f"{folder}/kubeconfig", os.O_CREAT | os.O_WRONLY, 0o600)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*WITH_US, f"{ROOT}/build/bin/etcd-operator", "run", "--platform=kubernetes",
                 "--operator-image=etcd-operator:test", "--http-addr=127.0.0.1:0",
                 f"--kubeconfig={folder}/kubeconfig"], stdout=log, stderr=log,
                env=os.environ | {"POD_NAMESPACE": SYSTEM, "POD_NAME": "fleet-test"})

    def text(self) -> str:
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def cpu(self) -> float:
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> float:
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read())[1]) / 1024

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


class FleetTest(Steps):
    @classmethod
    def setUpClass(cls):
        cls.bed = testbed.standing(NAME)
        cls.server = cls.bed.api("admin")
        cls.audit = Audit(cls.bed.audit_log)
        cls.folder, cls.counter = tempfile.mkdtemp(), itertools.count()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        kubectl("apply", "-f", "deploy/install.yaml")
        kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        kubectl("-n", SYSTEM, "delete", "deployment", "etcd-operator")  # nobody would run its pods
        cls.kubelet = Kubelet(cls.bed, cls.folder, f"{ROOT}/build/bin")
        cls.addClassCleanup(cls.kubelet.stop)
        cls.operator = Operator(cls.bed, cls.folder)
        cls.addClassCleanup(cls.operator.stop)
        cls.seen = volumes.Store(cls.bed.api("testbed"), PATH, cls.kubelet.changed)

    def tell(self) -> None:
        for path in (self.operator.log, self.kubelet.log):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    print(f"--- {path}\n{file.read()[-6000:]}", flush=True)

    def test_life(self):
        self.steps(self.made, self.at_rest, self.edits, self.all_edited, self.half_silent,
                   self.nothing_forbidden)
        print(f"depth: {CLUSTERS} clusters, {EDITS} edits, {WINDOW} s at rest", flush=True)

    # ---- what is asked of the server

    def clusters(self) -> dict:
        return {one["metadata"]["name"]: one for one in self.seen.values()}

    def available(self) -> set:
        return {name for name, one in self.clusters().items()
                if one.get("status", {}).get("readyReplicas") == 1
                and any(told["type"] == "Available" and told["status"] == "True"
                        for told in one["status"].get("conditions", []))}

    def create(self, number: int) -> None:
        self.server.call("POST", PATH, {
            "apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdCluster",
            "metadata": {"name": name_of(number)}, "spec": {"size": 1, "version": "3.5.12"}})

    def edit(self, number: int, seconds: int) -> tuple[str, int]:
        """Something that no member runs with. Gives the generation that is to be told."""
        name = name_of(number)
        after = self.server.merge(f"{PATH}/{name}", {"spec": {"repair": {
            "timeoutSeconds": seconds}}})
        return name, after["metadata"]["generation"]

    def has_told(self, name: str, generation: int) -> bool:
        return self.clusters()[name]["status"].get("observedGeneration", 0) >= generation

    def rests(self) -> None:
        """The operator has written nothing for some time, but for what it always says again."""
        mark, since = self.audit.mark(), time.monotonic()

        def quiet():
            nonlocal mark, since
            if any(not ONCE_EACH or what(entry) not in BEATS for entry in self.audit.writes(mark)):
                mark, since = self.audit.mark(), time.monotonic()
            return time.monotonic() - since > QUIET
        processes.wait_for(quiet, 240, "the operator to come to rest", step=1)

    def begun_again(self) -> collections.Counter:
        """The clusters whose formation was thrown away: late may be only one that was started."""
        started, again = set(), collections.Counter()
        for line in self.operator.text().splitlines():
            step = re.search(r" step cluster=\S+/(\S+) action=\"?(\w+)", line)
            if step and step[2] == "StartMember":
                started.add(step[1])
            elif step and step[2] == "DiscardFormation":
                self.assertIn(step[1], started, "thrown away while it waited for its operator")
                again[step[1]] += 1
        return again

    # ---- the steps

    def made(self):
        began, mark = time.monotonic(), self.audit.mark()
        for number in range(CLUSTERS):
            self.create(number)
        wanted = {name_of(number) for number in range(CLUSTERS)}
        eventually(lambda: self.available() >= wanted, "all of them", 60 + 5 * CLUSTERS)
        figure(f"{CLUSTERS} clusters declared → all Available in {time.monotonic() - began:.1f} s,"
               f" {self.operator.cpu():.1f} s of the operator's processor time,"
               f" {len(self.audit.since(mark)) / CLUSTERS:.0f} requests for each")
        again = self.begun_again()
        figure(f"{sum(again.values())} formations thrown away, as etcd did not serve in time")
        self.assertLessEqual(len(self.kubelet.pods), CLUSTERS + sum(again.values()))

    def at_rest(self):
        """Nothing changes, so nothing is written but what says that it is looked after."""
        self.rests()
        mark, cpu, rss, began = (self.audit.mark(), self.operator.cpu(), self.operator.rss(),
                                 time.monotonic())
        time.sleep(WINDOW)
        minutes = (time.monotonic() - began) / 60
        cpu = self.operator.cpu() - cpu
        entries = self.audit.since(mark)
        counts = collections.Counter(what(entry) for entry in entries)
        leases = sum(count for name, count in counts.items() if name.endswith(" leases"))
        figure(f"at rest for {60 * minutes:.0f} s: {len(entries) / minutes:.1f} requests a minute, "
               f"{leases / minutes:.1f} of them for the lease")
        for name, count in counts.most_common():
            figure(f"  {name}: {count / minutes:.1f} a minute, "
                   f"{count / minutes / CLUSTERS:.3f} for each cluster")
        figure(f"processor time of the operator: {100 * cpu / minutes / 60:.2f} % of a core")
        figure(f"resident memory of the operator: {self.operator.rss():.1f} MB, "
               f"{rss:.1f} MB before")
        writes = collections.Counter((what(entry), entry["objectRef"].get("name", ""))
                                     for entry in entries
                                     if entry["verb"] in WRITES and not is_lease(entry))
        figure(f"writes but for the lease: {sum(writes.values()) / minutes:.1f} a minute")
        many = {one: count for one, count in writes.items()
                if not ONCE_EACH or one[0] not in BEATS or count > 1 + WINDOW // BEAT}
        self.assertEqual(many, {}, "written while nothing changed")

    def edits(self):
        mark, asked = self.audit.mark(), []
        for number in range(EDITS):
            asked.append(self.edit(number * 7 % CLUSTERS, 301 + number))
            processes.wait_for(lambda: self.has_told(*asked[-1]), 60, f"a word of {asked[-1]}")
        self.tell_reactions(f"{EDITS} edits, one after the other", mark, asked)

    def all_edited(self):
        self.edit_at_once(range(CLUSTERS), f"all {CLUSTERS} edited at once")

    def edit_at_once(self, numbers, title: str) -> None:
        mark, seconds = self.audit.mark(), 900 + next(self.counter)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asked = list(pool.map(lambda number: self.edit(number, seconds), numbers))
        eventually(lambda: all(self.has_told(*one) for one in asked), "a word of all", 120)
        self.tell_reactions(title, mark, asked)

    def half_silent(self):
        """Members that do not answer hold nobody else up."""
        quiet = {name_of(number) for number in range(0, CLUSTERS, 2)}
        frozen = [pod for pod in self.kubelet.pods.values()
                  if pod.is_alive() and pod.found["metadata"]["labels"][LABEL] in quiet]
        self.assertEqual(len(frozen), len(quiet))
        try:
            for pod in frozen:
                pod.freeze(True)
            eventually(lambda: not self.available() & quiet, "their silence to be noticed", 120)
            self.edit_at_once(range(1, CLUSTERS, 2), "one half does not answer, the other is edited")
            self.assertEqual(self.available() & quiet, set())
        finally:
            for pod in frozen:
                pod.freeze(False)
        eventually(lambda: len(self.available()) == CLUSTERS, "all to be Available again", 180)

    def tell_reactions(self, title: str, mark: int, asked: list[tuple[str, int]]) -> None:
        """By the API server's clock: from the edit's arrival to that of what the operator wrote
        of this cluster next."""
        time_of_edit = [(entry["objectRef"]["name"], time_of(entry))
                        for entry in self.audit.since(mark, "testbed-admin")
                        if entry["verb"] == "patch"
                        and entry["objectRef"]["resource"] == "etcdclusters"]
        self.assertEqual(len(time_of_edit), len(asked))
        written = self.audit.writes(mark)
        times = [min(time_of(entry) for entry in written
                     if entry["objectRef"].get("name") == name and time_of(entry) > began) - began
                 for name, began in time_of_edit]
        figure(f"{title} → the operator's write: p50 {1e3 * percentile(times, 0.5):.0f} ms, "
               f"p99 {1e3 * percentile(times, 0.99):.0f} ms (goal: 1000), "
               f"{len(written) / len(asked):.1f} writes for each")

    def nothing_forbidden(self):
        refused = {what(entry) for entry in self.audit.since(0)
                   if entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"}
        self.assertEqual(refused, set())
        self.assertEqual(sum(pod.restarts for pod in self.kubelet.pods.values()), 0)
        self.assertIsNone(self.operator.process.poll())
        figure(f"resident memory of the operator at the end: {self.operator.rss():.1f} MB")


if __name__ == "__main__":
    if "--clusters" in sys.argv:
        at = sys.argv.index("--clusters")
        CLUSTERS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    unittest.main(verbosity=2)
