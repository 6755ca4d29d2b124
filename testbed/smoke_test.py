#!/usr/bin/env python3
"""The real thing, up and down. Builds what is not in the cache.

  testbed/smoke_test.py                        the control plane alone
  testbed/smoke_test.py NodesTest              three nodes, with everything that tests do to them
"""
import json
import os
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from kit import images, processes, testbed  # noqa: E402

NAME = f"smoke-{os.getpid()}"


def command(name: str, *arguments: str, text: str = "", check=True):
    done = subprocess.run([f"{HERE}/{name}", *arguments], input=text, text=True, check=False,
                          capture_output=True, env=os.environ | {"TESTBED": NAME})
    if check and done.returncode != 0:
        raise AssertionError(f"{name} {' '.join(arguments)}: {done.returncode}\n{done.stderr}")
    return done


def kubectl(*arguments: str, text: str = "", check=True) -> str:
    return command("kubectl", *arguments, text=text, check=check).stdout


def get(*arguments: str) -> dict:
    return json.loads(kubectl("get", "-o", "json", *arguments))


def command_lines() -> list[str]:
    """Of every process of this computer that knows the testbed."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                found.append(file.read().replace("\0", " "))
        except OSError:
            pass
    return [line for line in found if f"testbeds/{NAME}" in line]


def cgroups() -> list[str]:
    top = "/sys/fs/cgroup"
    return [f"{folder}/{entry}" for folder in (top, *(f"{top}/{e}" for e in os.listdir(top)))
            if os.path.isdir(folder) for entry in os.listdir(folder) if NAME in entry]


class Smoke(unittest.TestCase):
    arguments: tuple = ()

    @classmethod
    def setUpClass(cls):
        cls.addClassCleanup(command, "down")
        began = time.monotonic()
        cls.kubeconfig = command("up", *cls.arguments).stdout.strip()
        print(f"up in {time.monotonic() - began:.1f} s", flush=True)

    def eventually(self, condition, what: str, seconds: float = 90):
        return processes.wait_for(condition, seconds, what, step=0.3)

    def audit(self) -> list[dict]:
        with open(testbed.named(NAME).audit_log, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def take_down(self):
        began = time.monotonic()
        command("down")
        print(f"down in {time.monotonic() - began:.1f} s", flush=True)
        self.assertFalse(os.path.exists(testbed.named(NAME).folder))
        self.eventually(lambda: not command_lines(), "every process to be gone", 10)
        self.assertEqual(cgroups(), [])
        command("down")


class ControlPlaneTest(Smoke):
    arguments = ("--control-plane-only",)

    def test_life(self):
        version = json.loads(kubectl("get", "--raw", "/version"))
        self.assertEqual(version["gitVersion"], "v1.34.4")
        kubectl("create", "configmap", "colours", "--from-literal=sky=blue")
        self.assertEqual(get("configmap", "colours")["data"], {"sky": "blue"})
        mine = [entry for entry in self.audit() if entry["verb"] == "create"
                and entry.get("objectRef", {}).get("name") == "colours"]
        self.assertEqual([entry["user"]["username"] for entry in mine], ["testbed-admin"])

        # The controller manager works: a StatefulSet gets its pod, which nobody runs.
        kubectl("create", "-f", "-", text=json.dumps({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
            "spec": {"serviceName": "s", "selector": {"matchLabels": {"a": "b"}}, "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]}}}}))
        self.eventually(lambda: "s-0" in kubectl("get", "pods", "-o", "name"), "the pod s-0")
        self.assertTrue(get("storageclass", "standard")["allowVolumeExpansion"])

        before = testbed.named(NAME).runs.pid("apiserver")
        command("up", *self.arguments)
        self.assertEqual(testbed.named(NAME).runs.pid("apiserver"), before, "it was left alone")
        self.assertIn("another one", command("up", "--nodes", "1", check=False).stderr)
        command("apiserver", "kill")
        self.assertNotEqual(command("kubectl", "get", "pods", check=False).returncode, 0)
        command("apiserver", "start")
        self.assertEqual(get("configmap", "colours")["data"], {"sky": "blue"})

        other = f"{NAME}-b"
        self.addCleanup(command, "down", "--name", other)
        command("up", "--name", other, *self.arguments)
        self.assertNotIn("colours", command("kubectl", "--name", other, "get", "configmaps").stdout)
        self.assertEqual(command("run", "--name", other, "printenv", "KUBECONFIG").stdout.strip(),
                         testbed.standing(other).kubeconfig)
        command("down", "--name", other)
        self.assertEqual(get("configmap", "colours")["data"], {"sky": "blue"})
        self.take_down()


# One etcd per zone, not joined: enough to see pods, volumes, names and Services at work.
PORT = 2379
WORKLOAD = [
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "e"},
     "spec": {"clusterIP": "None", "selector": {"app": "e"}, "ports": [{"port": PORT}],
              "publishNotReadyAddresses": True}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "first"},
     "spec": {"selector": {"statefulset.kubernetes.io/pod-name": "e-0"},
              "ports": [{"port": PORT}]}},
    {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "e"}, "spec": {
        "serviceName": "e", "replicas": 3, "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": {"app": "e"}},
        "template": {"metadata": {"labels": {"app": "e"}}, "spec": {
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000,
                                "seccompProfile": {"type": "RuntimeDefault"}},
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "e"}}}],
            "containers": [{
                "name": "etcd", "image": "quay.io/coreos/etcd:v3.5.12",
                "command": ["etcd", "--data-dir=/var/lib/etcd/data",
                            f"--listen-client-urls=http://0.0.0.0:{PORT}",
                            f"--advertise-client-urls=http://127.0.0.1:{PORT}"],
                "resources": {"requests": {"cpu": "10m", "memory": "32Mi"},
                              "limits": {"memory": "256Mi"}},
                "readinessProbe": {"httpGet": {"path": "/health", "port": PORT},
                                   "periodSeconds": 1},
                "volumeMounts": [{"name": "data", "mountPath": "/var/lib/etcd"}]}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
            "resources": {"requests": {"storage": "1Gi"}}}}]}},
]


def started(pod: dict):
    """When its container began; None while it does not run."""
    for status in pod["status"].get("containerStatuses", []):
        return status["state"].get("running", {}).get("startedAt")
    return None


class NodesTest(Smoke):
    arguments = ("--nodes", "3", "--kubernetes", "1.34", "--etcd", "3.5.12")

    def etcdctl(self, endpoint: str, *arguments: str, check=True):
        program = f"{images.etcd_folder('3.5.12')}/etcdctl"
        return command("run", program, f"--endpoints=http://{endpoint}:{PORT}", *arguments,
                       check=check)

    def node_of(self, pod: str) -> str:
        return get("pod", pod)["spec"]["nodeName"]

    def ready_pods(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in get("pods", "-l", "app=e")["items"]
                if testbed.is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]

    def all_ready(self):
        self.eventually(lambda: len(self.ready_pods()) == 3, "three pods to be ready", 180)

    def node_ready(self, name: str) -> bool:
        return testbed.is_ready(get("node", name))

    def test_life(self):
        kubectl("apply", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "List", "items": WORKLOAD}))
        began = time.monotonic()
        self.all_ready()
        print(f"three pods with volumes in {time.monotonic() - began:.1f} s", flush=True)
        for step in (self.spread, self.names_and_services, self.growth, self.drain, self.cut,
                     self.off_and_on, self.all_at_once, self.lost_node, self.released_volumes):
            began = time.monotonic()
            step()
            print(f"{step.__name__} in {time.monotonic() - began:.1f} s", flush=True)
        self.take_down()

    def spread(self):
        nodes = {item["metadata"]["name"]: item["metadata"]["labels"]
                 for item in get("nodes")["items"]}
        zones = {nodes[self.node_of(f"e-{n}")]["topology.kubernetes.io/zone"] for n in range(3)}
        self.assertEqual(zones, {"zone-1", "zone-2", "zone-3"})
        for item in get("pv")["items"]:
            self.assertIn("nodeAffinity", item["spec"])

    def names_and_services(self):
        self.etcdctl("e-0.e", "put", "colour", "blue")
        self.assertIn("blue", self.etcdctl("first", "get", "colour").stdout)
        inside = ["exec", "e-1", "--", "etcdctl"]
        self.assertIn("blue", kubectl(*inside, f"--endpoints=http://e-0.e:{PORT}", "get",
                                      "colour"))
        self.assertIn("blue", kubectl(*inside, f"--endpoints=http://first:{PORT}", "get",
                                      "colour"))
        self.assertIn("blue", kubectl("exec", "e-0", "--", "etcdctl",
                                      f"--endpoints=http://first:{PORT}", "get", "colour"),
                      "a pod reaches itself through its Service")
        self.assertIn("etcd-version", kubectl("logs", "e-0"))

    def growth(self):
        kubectl("patch", "pvc", "data-e-0", "-p",
                '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
        self.eventually(lambda: get("pvc", "data-e-0")["status"]["capacity"]["storage"] == "2Gi",
                        "the claim to grow")

    def drain(self):
        """By the eviction of pods, as the budget allows; the volume holds the pod to its node."""
        kubectl("create", "poddisruptionbudget", "e", "--selector=app=e", "--max-unavailable=1")
        where = self.node_of("e-0")
        was = get("pod", "e-0")["metadata"]["uid"]
        kubectl("drain", where, "--ignore-daemonsets", "--timeout=60s")
        other = self.node_of("e-1")
        self.assertNotEqual(command("kubectl", "drain", other, "--timeout=3s",
                                    check=False).returncode, 0)
        self.assertTrue(all(testbed.is_ready(get("pod", f"e-{n}")) for n in (1, 2)),
                        "the budget keeps the others")
        kubectl("uncordon", where, other)
        self.all_ready()
        self.assertNotEqual(get("pod", "e-0")["metadata"]["uid"], was)
        kubectl("delete", "poddisruptionbudget", "e")

    def cut(self):
        where = self.node_of("e-0")
        command("node", "cut", where)
        self.assertIn(f"{where} cut", command("node", "list").stdout)
        self.eventually(lambda: not self.node_ready(where), "the cut node to be NotReady", 60)
        self.assertIn("blue", self.etcdctl(self.pod_address("e-0"), "get", "colour").stdout,
                      "its pods go on")
        command("node", "heal", where)
        self.eventually(lambda: self.node_ready(where), "the node to be Ready again", 60)
        self.all_ready()

    def pod_address(self, pod: str) -> str:
        return get("pod", pod)["status"]["podIP"]

    def off_and_on(self):
        where, address = self.node_of("e-0"), self.pod_address("e-0")
        command("node", "stop", where)
        self.assertNotEqual(self.etcdctl(address, "--command-timeout=2s", "get", "colour",
                                         check=False).returncode, 0)
        self.eventually(lambda: not self.node_ready(where), "the node to be NotReady", 60)
        command("node", "start", where)
        self.all_ready()
        self.assertIn("blue", self.etcdctl("first", "get", "colour").stdout, "its disk stayed")

    def all_at_once(self):
        before = {pod["metadata"]["name"]: started(pod) for pod in get("pods", "-l", "app=e")["items"]}
        command("node", "restart", "node-1", "node-2", "node-3")
        # The server believes its last word of a pod until the node's kubelet says another.
        self.eventually(lambda: all(started(get("pod", name)) not in (None, was)
                                    for name, was in before.items()), "new containers", 120)
        self.all_ready()
        self.eventually(lambda: "blue" in self.etcdctl("e-0.e", "--command-timeout=2s", "get",
                                                       "colour", check=False).stdout,
                        "the data under its name", 30)

    def lost_node(self):
        where = self.node_of("e-2")
        command("node", "delete", where)
        self.assertNotIn(f"node/{where}", kubectl("get", "nodes", "-o", "name"))
        command("node", "wipe", where)
        command("node", "start", where)
        self.assertTrue(self.node_ready(where), "an empty machine, and its images are there")

    def released_volumes(self):
        kubectl("delete", "statefulset", "e", "--wait")
        kubectl("delete", "pvc", "--all", "--wait", "--timeout=90s")
        self.eventually(lambda: not get("pv")["items"], "the volumes to be removed")
        folder = testbed.named(NAME).folder
        self.assertEqual([entry for name in ("node-1", "node-2", "node-3")
                          if os.path.isdir(f"{folder}/machines/{name}/lib/volumes")
                          for entry in os.listdir(f"{folder}/machines/{name}/lib/volumes")], [])


if __name__ == "__main__":
    unittest.main(defaultTest="ControlPlaneTest")
