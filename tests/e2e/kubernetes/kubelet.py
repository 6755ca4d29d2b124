"""A kubelet made for tests, where there is a control plane and nothing else: for every pod of an
etcd member it runs the pod's own commands as processes of this machine, at a loopback address of
the pod's own, and tells the API server of them as a kubelet does. Needs no root and no container.

A pod's mounts are folders; in its commands and in its ticket their paths take the place of the
mounts', and the pod's address that of 0.0.0.0. What is taken from a real node is the rest: binding
to a node, volumes for claims, Secrets, the start of init containers, probes, restarts with what the
guard said at its end, the pod's end.
"""
import base64
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

from kit import api, images, processes, volumes

NODE = "made-for-tests"
LABEL = "operator.etcd.io/cluster"
POD_PATH = "/api/v1/namespaces/{namespace}/pods/{name}"
MESSAGE = "/dev/termination-log"
HEARTBEAT, RESTART_PAUSE = 5, 1.0  # seconds; the control plane of a testbed waits for 20
PORTS_WAIT = 0.2                   # between looks at a program that starts
WITH_US = ["/usr/bin/setpriv", "--pdeathsig", "TERM"]  # ends with the test, however that ends


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Addresses:
    """127.X.0.1 and on; X by the process, so that two tests do not share them."""

    def __init__(self):
        self.first, self.numbers, self.lock = 16 + os.getpid() % 200, itertools.count(1), \
            threading.Lock()

    def take(self) -> str:
        with self.lock:
            number = next(self.numbers)
        return f"127.{self.first}.{number // 250}.{number % 250 + 1}"


class Pod(threading.Thread):
    """One pod from its binding to its end, on a thread of its own."""

    def __init__(self, kubelet: "Kubelet", found: dict):
        super().__init__(daemon=True, name=found["metadata"]["name"])
        self.kubelet, self.server, self.found = kubelet, kubelet.server, found
        self.changed = threading.Event()
        self.uid, self.name = found["metadata"]["uid"], found["metadata"]["name"]
        self.namespace = found["metadata"]["namespace"]
        self.path = POD_PATH.format(namespace=self.namespace, name=self.name)
        self.folder, self.address = f"{kubelet.folder}/pods/{self.uid}", kubelet.addresses.take()
        self.process, self.restarts, self.last_end = None, 0, None
        self.started_at = now()

    def take(self, found: dict) -> None:
        self.found = found
        self.changed.set()

    @property
    def is_going(self) -> bool:
        return "deletionTimestamp" in self.found["metadata"]

    def run(self) -> None:
        while not self.kubelet.stopping.is_set():
            try:
                return self._live()
            except (OSError, RuntimeError, KeyError, http.client.HTTPException) as error:
                if getattr(error, "status", 0) == 404 and self.is_gone():
                    break
                self.kubelet.say(f"{self.name}: {error}")
                self.changed.wait(1)
                self.changed.clear()
        self._end_process()

    def is_gone(self) -> bool:
        try:
            return self.server.get(self.path)["metadata"]["uid"] != self.uid
        except api.Refused as refused:
            return refused.status == 404

    def _live(self) -> None:
        if not self.is_going and not self.process:
            self._bind()
            self._mount()
            self._tell(ready=False, running=False)
            for container in self.found["spec"].get("initContainers", []):
                done = subprocess.run(self._words(container), check=False, capture_output=True,
                                      text=True)
                if done.returncode != 0:
                    raise RuntimeError(f"{container['name']}: {done.stderr[-300:]}")
        while not self.is_going and not self.kubelet.stopping.is_set():
            self._run_once()
        self._end_process()
        if self.is_going:
            self._tell(ready=False, running=False)
            self.server.call("DELETE", self.path, {
                "gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}})
        shutil.rmtree(self.folder, ignore_errors=True)

    def _bind(self) -> None:
        if not self.found["spec"].get("nodeName"):
            self.server.call("POST", self.path + "/binding", {
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": self.name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE}})

    # ---- its files

    def _mount(self) -> None:
        """The folders of its volumes; and what takes the place of which path in its texts."""
        self.places = {volume["name"]: self._volume(volume)
                       for volume in self.found["spec"]["volumes"]}
        self.paths = {}
        for container in [*self.found["spec"].get("initContainers", []), self._etcd()]:
            for mount in container["volumeMounts"]:
                place = self.places[mount["name"]]
                if "subPath" in mount:
                    place = f"{place}/{mount['subPath']}"
                    os.makedirs(place, exist_ok=True)
                self.paths[mount["mountPath"]] = place
        # One mount below another's path: only by a link is it found from there.
        for path, place in self.paths.items():
            parent = self.paths.get(os.path.dirname(path))
            link = f"{parent}/{os.path.basename(path)}"
            if parent and not os.path.islink(link):
                os.symlink(place, link)
        self.paths[MESSAGE] = f"{self.folder}/message"
        self.paths["/usr/bin"] = self.kubelet.programs
        self.paths["/usr/local/bin"] = images.etcd_folder(self._etcd()["image"].rsplit(":v", 1)[1])
        self._write_ticket()

    def _etcd(self) -> dict:
        return next(one for one in self.found["spec"]["containers"] if one["name"] == "etcd")

    def _volume(self, volume: dict) -> str:
        if claim := volume.get("persistentVolumeClaim"):
            return self.kubelet.place_of_claim(self.namespace, claim["claimName"])
        place = f"{self.folder}/{volume['name']}"
        os.makedirs(place, exist_ok=True)
        if secret := volume.get("secret"):
            data = self.server.get(f"/api/v1/namespaces/{self.namespace}/secrets/"
                                   f"{secret['secretName']}")["data"]
            names = {item["key"]: item["path"] for item in secret.get("items", [])} or \
                {key: key for key in data}
            for key, name in names.items():
                with open(f"{place}/{name}", "wb") as file:
                    file.write(base64.b64decode(data[key]))
        return place

    def _mapped(self, text: str) -> str:
        inside = "|".join(map(re.escape, sorted(self.paths, key=len, reverse=True)))
        text = re.sub(f"(?<![\\w/])({inside})(?![\\w.-])", lambda at: self.paths[at[1]], text)
        return text.replace("0.0.0.0", self.address)

    def _words(self, container: dict) -> list[str]:
        return [self._mapped(word) for word in container["command"]]

    def _write_ticket(self) -> None:
        """As the downward API would, after every change of the pod."""
        notes = self.found["metadata"].get("annotations", {})
        for volume in self.found["spec"]["volumes"]:
            for item in volume.get("downwardAPI", {}).get("items", []):
                note = re.fullmatch(r"metadata\.annotations\['(.*)'\]", item["fieldRef"]["fieldPath"])
                body = self._mapped(notes.get(note[1], "").rsplit("crc ", 1)[0])
                path = f"{self.places[volume['name']]}/{item['path']}"
                with open(path + ".new", "w", encoding="utf-8") as file:
                    file.write(f"{body}crc {crc32c(body.encode()):08x}\n")
                os.rename(path + ".new", path)

    # ---- its process

    def _start(self) -> None:
        environment = {one["name"]: self._mapped(one.get("value", ""))
                       for one in self._etcd().get("env", [])}
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen([*WITH_US, *self._words(self._etcd())],
                                            env=environment, stdout=log, stderr=log,
                                            start_new_session=True)
        self.started_at = now()

    def _run_once(self) -> None:
        """From one start of the guard to its end, or to the pod's. Also goes on with one that runs:
        the API server may fail us in between."""
        if not self.process or self.process.poll() is not None:
            self._start()
        ready, step = False, PORTS_WAIT
        self._tell(ready=False, running=True)
        while self.process.poll() is None and not self.is_going:
            if self.kubelet.stopping.is_set():
                return
            if self.changed.wait(step):
                self.changed.clear()
                self._write_ticket()
                if ready:
                    continue
            was, ready = ready, self._is_ready()
            if was != ready:
                self._tell(ready=ready, running=True)
            probe = self._etcd()["readinessProbe"]["periodSeconds"]
            step = probe if ready else PORTS_WAIT
        if not self.is_going:
            self._note_end()
            self._tell(ready=False, running=False)
            self.changed.wait(RESTART_PAUSE)

    def _is_ready(self) -> bool:
        probe = self._etcd()["readinessProbe"]["httpGet"]
        port = next(one["containerPort"] for one in self._etcd()["ports"]
                    if one["name"] == probe["port"])
        connection = http.client.HTTPConnection(self.address, port, timeout=5)
        try:
            connection.request("GET", probe["path"])
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _note_end(self) -> None:
        message = ""
        if os.path.exists(self.paths[MESSAGE]):
            with open(self.paths[MESSAGE], encoding="utf-8", errors="replace") as file:
                message = file.read(4096)
        code = self.process.returncode
        self.last_end = {"exitCode": code if code >= 0 else 128 - code, "message": message,
                         "reason": "Completed" if code == 0 else "Error",
                         "startedAt": self.started_at, "finishedAt": now(),
                         "containerID": self._container()}
        self.restarts += 1

    def _end_process(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def freeze(self, frozen: bool) -> None:
        """Guard and etcd take connections and answer none of them."""
        for pid in [self.process.pid, *processes.children(self.process.pid)]:
            os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    # ---- its status

    def _container(self) -> str:
        return f"made-for-tests://{self.uid}-{self.restarts}"

    def _status(self, ready: bool, running: bool) -> dict:
        conditions = [{"type": kind, "status": "True" if true else "False",
                       "lastTransitionTime": now()}
                      for kind, true in (("PodScheduled", True), ("Initialized", True),
                                         ("ContainersReady", ready), ("Ready", ready))]
        etcd = {"name": "etcd", "image": self._etcd()["image"], "imageID": "made-for-tests",
                "ready": ready, "started": ready, "restartCount": self.restarts,
                "lastState": {"terminated": self.last_end} if self.last_end else {}}
        if running:
            etcd["state"] = {"running": {"startedAt": self.started_at}}
            etcd["containerID"] = self._container()
        elif self.last_end:
            etcd["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
        else:
            etcd["state"] = {"waiting": {"reason": "PodInitializing"}}
        return {"phase": "Running" if running or self.last_end else "Pending",
                "conditions": conditions, "containerStatuses": [etcd], "hostIP": "127.0.0.1",
                "podIP": self.address, "podIPs": [{"ip": self.address}],
                "startTime": self.found["metadata"]["creationTimestamp"]}

    def _tell(self, ready: bool, running: bool) -> None:
        self.server.call("PATCH", self.path + "/status",
                         {"metadata": {"uid": self.uid}, "status": self._status(ready, running)},
                         "application/merge-patch+json")


class Kubelet:
    """Of one node, for the pods of members in every namespace. `programs`: where etcd-guard is."""

    def __init__(self, bed, folder: str, programs: str):
        self.server, self.folder, self.programs = bed.api("testbed"), folder, programs
        self.addresses, self.stopping = Addresses(), threading.Event()
        self.pods, self.lock, self.log = {}, threading.Lock(), f"{folder}/kubelet.log"
        self._make_node()
        self.changed = threading.Event()
        self.seen = volumes.Store(bed.api("testbed"), "/api/v1/pods", self.changed)
        for work in (self._beat, self._follow):
            threading.Thread(target=work, daemon=True).start()

    def say(self, text: str) -> None:
        with self.lock, open(self.log, "a", encoding="utf-8") as file:
            file.write(f"{time.monotonic():.2f} {text}\n")

    def stop(self) -> None:
        """Ends every process; the API server is told nothing."""
        self.stopping.set()
        self.changed.set()
        for pod in list(self.pods.values()):
            pod.changed.set()
        for pod in list(self.pods.values()):
            pod.join()

    def _make_node(self) -> None:
        self.server.apply(f"/api/v1/nodes/{NODE}", {
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}})
        self.server.merge(f"/api/v1/nodes/{NODE}/status", {"status": {"conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "for the test",
            "lastHeartbeatTime": now(), "lastTransitionTime": now()}]}})

    def _beat(self) -> None:
        """A node without a fresh lease is NotReady, and one that is not there loses its pods."""
        while not self.stopping.is_set():
            try:
                self.server.apply(
                    f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{NODE}", {
                        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                        "metadata": {"name": NODE}, "spec": {
                            "holderIdentity": NODE, "leaseDurationSeconds": 40,
                            "renewTime": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())}})
            except (OSError, RuntimeError, http.client.HTTPException) as error:
                self.say(f"lease: {error}")
            self.stopping.wait(HEARTBEAT)

    def _follow(self) -> None:
        while not self.stopping.is_set():
            self.changed.wait()
            self.changed.clear()
            found = {pod["metadata"]["uid"]: pod for pod in self.seen.values()
                     if LABEL in pod["metadata"].get("labels", {})}
            for uid, pod in found.items():
                known = self.pods.get(uid)
                if known is None:
                    self.pods[uid] = Pod(self, pod)
                    self.pods[uid].start()
                elif known.found["metadata"]["resourceVersion"] != pod["metadata"]["resourceVersion"]:
                    known.take(pod)

    def place_of_claim(self, namespace: str, name: str) -> str:
        """The folder of its volume, made if there is none; waits until Kubernetes has bound it."""
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}"
        claim = self.server.get(path)
        volume = volumes.volume_object(claim, NODE, "Delete")
        del volume["spec"]["nodeAffinity"], volume["spec"]["local"]
        place = f"{self.folder}/{volume['metadata']['name']}"
        volume["spec"]["hostPath"] = {"path": place}
        if not claim["spec"].get("volumeName"):
            try:
                self.server.call("POST", volumes.VOLUMES, volume)
            except api.Refused as refused:
                if refused.status != 409:
                    raise
        deadline = time.monotonic() + 30
        while self.server.get(path)["status"].get("phase") != "Bound":
            if time.monotonic() > deadline:
                raise RuntimeError(f"claim {name} is not bound")
            self.stopping.wait(0.2)
        os.makedirs(place, exist_ok=True)
        return place
