#!/usr/bin/env python3
"""What steers is away or dies, on a real Kubernetes: the API server for a minute, and the operators
again and again while a cluster is made, grows, is upgraded and shrinks.

  make image && testbed/with --nodes 3 --etcd 3.5.12,3.5.33 tests/e2e/kubernetes/restarts_test.py

  EO_SEED   of the moments at which operators are killed; printed
  EO_DEPTH  full: 50 of them, else 12
"""
import json
import os
import random
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bed import (CLUSTER, SYSTEM, Client, Installed, Writer, eventually, get, kill,  # noqa: E402
                 kubectl, member_pods, operators, page, tool)

AWAY = 60  # seconds
SEED = int(os.environ.get("EO_SEED") or random.randrange(1_000_000))
KILLS = 50 if os.environ.get("EO_DEPTH") == "full" else 12
STAGES = 4


def lives(pods: list[dict]) -> dict:
    """Which pods there are, and how often their containers were started."""
    return {pod["metadata"]["name"]: (pod["metadata"]["uid"],
                                      [status["restartCount"] for status
                                       in pod["status"]["containerStatuses"]]) for pod in pods}


def edit(**spec) -> None:
    kubectl("patch", f"etcd/{CLUSTER}", "--type=merge", "-p", json.dumps({"spec": spec}))


def told(reason: str) -> int:
    """How often it was said of the cluster."""
    events = get("events", "--field-selector",
                 f"involvedObject.name={CLUSTER},reason={reason}")["items"]
    return sum(event.get("series", {}).get("count", 1) for event in events)


def leaders() -> list[dict]:
    return [pod for pod in operators() if "leads" in page(pod, "/readyz")]


def said(pod: dict) -> list[str]:
    """What its metrics say of the cluster."""
    return [line for line in page(pod, "/metrics").splitlines()
            if line.startswith("etcd_operator_cluster_") and f'cluster="{CLUSTER}"' in line]


class RestartsTest(Installed):
    def test_api_server(self):
        self.steps(self.created, self.killed_for_a_minute, self.frozen_for_a_minute, self.deleted)

    def test_operators(self):
        self.steps(self.operators_killed_at_random, self.deleted)

    def created(self):
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        kubectl("wait", "--for=condition=Available", "--timeout=120s", f"etcd/{CLUSTER}")
        self.healthy(3)

    def deleted(self):
        kubectl("delete", "etcd", CLUSTER, "--timeout=120s")
        eventually(lambda: not member_pods(CLUSTER), "the pods to go")
        claims = [claim["metadata"]["name"] for claim in get("pvc")["items"]]
        kubectl("delete", "pvc", *claims, "--timeout=60s")
        kubectl("delete", "configmap", f"{CLUSTER}-record")

    def away(self, leave: str, come: str, size: int) -> None:
        """Members go on, nobody tells of the cluster what they cannot know, nobody is restarted,
        and what is then wanted is done."""
        pods, stewards = lives(member_pods(CLUSTER)), operators()
        before, warned = lives(stewards), told("MemberDataLost") + told("ReplaceMember")
        with Writer(Client(CLUSTER, self.folder)) as writer:
            eventually(lambda: any(said(pod) for pod in stewards), "a word of the cluster")
            tool("apiserver", leave)
            begun, written = time.monotonic(), writer.acknowledged
            eventually(lambda: not any(said(pod) for pod in stewards),
                       "no operator to tell what it cannot know", AWAY)
            print(f"  nothing is told any more after {time.monotonic() - begun:.1f} s", flush=True)
            for pod in stewards:
                self.assertEqual(page(pod, "/healthz")[:2], "ok", "it is not to be restarted")
            eventually(lambda: time.monotonic() - begun >= AWAY, "the minute to pass")
            self.assertGreater(writer.acknowledged, written + 20)
            tool("apiserver", come)
            back = time.monotonic()
            eventually(lambda: any(said(pod) for pod in stewards), "a word of the cluster")
            print(f"  told again after {time.monotonic() - back:.1f} s", flush=True)
            now = lives(member_pods(CLUSTER))
            self.assertEqual(now, pods)
            edit(size=size)
            self.healthy(size)
        writer.check(self)
        now = lives(member_pods(CLUSTER))
        self.assertEqual({name: now[name] for name in pods if name in now},
                         {name: life for name, life in pods.items() if name in now})
        self.assertEqual(lives(operators()), before)
        self.assertEqual(told("MemberDataLost") + told("ReplaceMember"), warned)

    def killed_for_a_minute(self):
        self.away("kill", "start", 5)

    def frozen_for_a_minute(self):
        """It takes connections and never answers."""
        self.away("freeze", "thaw", 3)

    def kill_operators(self, dice: random.Random, times: int) -> None:
        """The one that leads, a moment after it began to, or both."""
        for _ in range(times):
            eventually(leaders, "an operator that leads")
            until = time.monotonic() + dice.uniform(0, 4)
            eventually(lambda: time.monotonic() >= until, "the moment")
            both = dice.random() < 0.3
            dying = operators() if both else leaders()
            for pod in dying:
                kill(pod)
            # A pod of its own for the next one: the kubelet makes a container wait longer each time.
            for pod in dying:
                kubectl("-n", SYSTEM, "delete", "pod", pod["metadata"]["name"], "--force",
                        "--grace-period=0", "--ignore-not-found", "--wait=false")

    def operators_killed_at_random(self):
        """While a cluster is made, grows, is upgraded and shrinks: nothing is done twice, and no
        write is lost."""
        print(f"  EO_SEED={SEED}, {KILLS} kills", flush=True)
        dice = random.Random(SEED)
        times = [KILLS // STAGES + (stage < KILLS % STAGES) for stage in range(STAGES)]
        kubectl("apply", "-f", "examples/production-etcd.yaml")
        self.kill_operators(dice, times[0])
        self.healthy(3, 300)
        first = {f"{CLUSTER}-{n}" for n in range(3)}
        self.assertEqual(set(Client(CLUSTER, self.folder).voters()), first)
        with Writer(Client(CLUSTER, self.folder)) as writer:
            edit(size=5)
            self.kill_operators(dice, times[1])
            self.healthy(5, 300)
            five = first | {f"{CLUSTER}-{n}" for n in (3, 4)}
            self.assertEqual(set(writer.client.voters()), five, "no member was made in vain")
            before = lives(member_pods(CLUSTER))
            edit(version="3.5.33")
            self.kill_operators(dice, times[2])
            self.healthy(5, 420, "3.5.33")
            self.assertEqual(set(writer.client.voters()), five)
            after = lives(member_pods(CLUSTER))
            self.assertFalse([name for name in after if after[name] == before[name]])
            self.assertEqual([life[1] for life in after.values()], [[0]] * 5)
            edit(size=3)
            self.kill_operators(dice, times[3])
            self.healthy(3, 300)
            left = lives(member_pods(CLUSTER))
            self.assertEqual(left, {name: after[name] for name in left}, "nobody else restarted")
        writer.check(self)
        self.assertEqual(told("MemberDataLost") + told("ReplaceMember"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
