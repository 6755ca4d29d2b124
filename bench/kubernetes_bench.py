#!/usr/bin/env python3
"""What a person waits for on Kubernetes: three nodes in three zones, one machine.

  make bench-kubernetes [BENCH_ARGS="--rounds 3"]

Needs the image (make image) and a testbed of three nodes with etcd 3.5.12, 3.5.33 and 3.6.16. "Done"
is what an etcd client sees, not what the operator says: voters in the member list, and each member
healthy. Prints a table; never fails on a time.
"""
import argparse
import glob
import json
import os
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/e2e/kubernetes"))
from bed import Client, Installed, get, kubectl, member_pods  # noqa: E402

NAME, PATIENCE = "bench", 300
STANDS = 10  # seconds that a cluster has served before it is changed


def manifest(version: str) -> str:
    """TLS, a volume each, and nothing left when it is deleted."""
    return json.dumps({
        "apiVersion": "operator.etcd.io/v1alpha1", "kind": "EtcdCluster",
        "metadata": {"name": NAME},
        "spec": {"size": 3, "version": version,
                 "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete",
                                                          "whenScaled": "Delete"},
                 "storage": {"type": "PersistentVolumeClaim", "spec": {
                     "storageClassName": "standard",
                     "resources": {"requests": {"storage": "1Gi"}}}}}})


def seconds_until(condition, what: str, begin: float) -> float:
    while not condition():
        if time.monotonic() - begin > PATIENCE:
            raise SystemExit(f"waited {PATIENCE} s in vain for {what}")
        time.sleep(0.05)
    return time.monotonic() - begin


def edit(**spec) -> None:
    kubectl("patch", f"etcd/{NAME}", "--type=merge", "-p", json.dumps({"spec": spec}))


def pods() -> dict:
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in member_pods(NAME)}


class Bench:
    def __init__(self, folder: str):
        self.folder, self.client, self.values = folder, None, {}

    def measure(self, what: str, act, done) -> None:
        begin = time.monotonic()
        act()
        self.values.setdefault(what, []).append(seconds_until(done, what, begin))
        print(f"  {what}: {self.values[what][-1]:.1f} s", file=sys.stderr, flush=True)

    def serving(self, voters: int) -> bool:
        if self.client is None:
            if kubectl("get", "secret", f"{NAME}-client-tls", check=False).returncode != 0:
                return False
            self.client = Client(NAME, self.folder)
        members = self.client.run("member", "list", "-w", "json", check=False)
        if members.returncode != 0:
            return False
        listed = json.loads(members.stdout)["members"]
        if len(listed) != voters or any(one.get("isLearner") for one in listed):
            return False
        health = self.client.run("endpoint", "health", "--cluster", "-w", "json", check=False)
        return health.returncode == 0 and all(one["health"] for one in json.loads(health.stdout))

    def settled(self) -> None:
        """Nothing of the last measurement is still under way."""
        def quiet():
            status = get("etcd", NAME).get("status", {})
            states = {one["type"]: one["status"] for one in status.get("conditions", [])}
            return states.get("Progressing") == "False" and states.get("Available") == "True"
        seconds_until(quiet, "the operator to have nothing to do", time.monotonic())

    def versions(self) -> set:
        status = self.client.run("endpoint", "status", "--cluster", "-w", "json", check=False)
        if status.returncode != 0:
            return set()
        return {one["Status"]["version"] for one in json.loads(status.stdout)}

    def grown(self, version: str) -> None:
        self.client = None
        self.measure("apply → 3 voters with volumes",
                     lambda: kubectl("apply", "-f", "-", text=manifest(version)),
                     lambda: self.serving(3))
        self.settled()
        # etcd takes no change of members in the 5 s after one of them connected.
        stands = time.monotonic() + STANDS
        seconds_until(lambda: time.monotonic() > stands, "time to pass", time.monotonic())
        self.measure(f"3 → 5 ({version})", lambda: edit(size=5), lambda: self.serving(5))
        self.settled()

    def gone(self) -> None:
        kubectl("delete", "etcd", NAME, "--timeout=120s")
        seconds_until(lambda: not member_pods(NAME), "the pods to go", time.monotonic())

    def killed(self) -> None:
        name, uid = next(iter(pods().items()))
        self.measure("pod killed → voter that is healthy",
                     lambda: kubectl("delete", "pod", name, "--grace-period=0", "--force"),
                     lambda: pods().get(name, uid) != uid and self.serving(3))
        self.settled()

    def lost(self) -> None:
        name = next(iter(pods()))

        def lose():
            kubectl("delete", "pvc", f"data-{name.removesuffix('-0')}", "--wait=false")
            kubectl("delete", "pod", name, "--wait=false")
        self.measure("volume lost → healthy voter", lose,
                     lambda: name not in pods() and self.serving(3))
        self.settled()

    def drained(self) -> None:
        node = member_pods(NAME)[0]["spec"]["nodeName"]

        def drain():
            kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data",
                    "--timeout=120s")
            kubectl("uncordon", node)
        self.measure("drain of a node, until all are healthy again", drain,
                     lambda: self.serving(3))
        self.settled()

    def round(self) -> None:
        self.grown("3.5.12")
        self.gone()
        self.grown("3.5.33")
        self.measure("5 → 3", lambda: edit(size=3), lambda: self.serving(3))
        self.settled()
        self.killed()
        self.lost()
        self.drained()
        self.measure("3.5.33 → 3.6.16, 3 members", lambda: edit(version="3.6.16"),
                     lambda: self.versions() == {"3.6.16"} and self.serving(3))
        self.settled()
        self.gone()


GOALS = {"apply → 3 voters with volumes": "≤ 6 s", "3 → 5 (3.5.33)": "≤ 6 s",
         "3 → 5 (3.5.12)": "≤ 10 s"}


def megabytes_of_operators() -> float:
    """The largest operator of this testbed, resident."""
    most = 0
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{folder}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"{folder}/statm", encoding="ascii") as file:
                pages = int(file.read().split()[1])
        except OSError:
            continue
        if words[0].endswith(b"etcd-operator") and b"--platform=kubernetes" in words:
            most = max(most, pages * os.sysconf("SC_PAGE_SIZE"))
    return most / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    Installed.setUpClass()
    try:
        bench = Bench(Installed.folder)
        for _ in range(rounds):
            bench.round()
    finally:
        Installed.doClassCleanups()
    print(f"load average {', '.join(f'{one:.1f}' for one in os.getloadavg())} after it, "
          f"{os.cpu_count()} cores\n")
    print("| What | Measured | Goal |\n|---|---|---|")
    for what, values in bench.values.items():
        print(f"| {what} | {statistics.median(values):.1f} s ({min(values):.1f}–{max(values):.1f}, "
              f"{len(values)} times) | {GOALS.get(what, '')} |")
    archive, = glob.glob(f"{ROOT}/build/image/etcd-operator-*.oci.tar")
    print(f"| operator RSS after it | {megabytes_of_operators():.1f} MB | |")
    print(f"| image, compressed | {os.stat(archive).st_size / 1e6:.1f} MB | ≤ 60 MB |")


if __name__ == "__main__":
    main()
