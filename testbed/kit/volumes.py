"""Makes, grows and removes the volumes of class `standard`: folders on the node that the scheduler
chose, which any user may write to.

A stand-in for a provisioner that runs on every node: for a node that is off or cut off from the API
server it does nothing until the node is back.

    python3 -m kit.volumes FOLDER      FOLDER: of the testbed
"""
import decimal
import http.client
import os
import shutil
import sys
import threading
import time

PROVISIONER = "testbed.local/node-volumes"
INSIDE = "/var/lib/volumes"                      # as the node sees it
CLAIMS, VOLUMES = "/api/v1/persistentvolumeclaims", "/api/v1/persistentvolumes"
UNITS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30,
         "Ti": 2**40, "": 1}


def quantity(text: str) -> decimal.Decimal:
    number = text.rstrip("".join(UNITS))
    return decimal.Decimal(number) * UNITS[text[len(number):]]


def wanted_size(claim: dict) -> str:
    return claim["spec"]["resources"]["requests"]["storage"]


def volume_of(claim: dict) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def decide(claims: list[dict], volumes: list[dict]) -> list[tuple]:
    """What is to be done: (provision, claim, node), (remove, volume, node), (grow, claim, volume)."""
    ours = {volume["metadata"]["name"]: volume for volume in volumes
            if volume["metadata"].get("annotations", {}).get("pv.kubernetes.io/provisioned-by")
            == PROVISIONER}
    todo = []
    for claim in claims:
        notes = claim["metadata"].get("annotations", {})
        bound = ours.get(claim["spec"].get("volumeName", ""))
        if "deletionTimestamp" in claim["metadata"]:
            continue
        if bound and claim.get("status", {}).get("phase") == "Bound":
            sizes = [bound["spec"]["capacity"], claim["status"].get("capacity", {})]
            if any(quantity(size.get("storage", "0")) < quantity(wanted_size(claim))
                   for size in sizes):
                todo.append(("grow", claim, bound))
        elif (not claim["spec"].get("volumeName") and volume_of(claim) not in ours
              and notes.get("volume.kubernetes.io/storage-provisioner") == PROVISIONER
              and notes.get("volume.kubernetes.io/selected-node")):
            todo.append(("provision", claim, notes["volume.kubernetes.io/selected-node"]))
    for volume in ours.values():
        if (volume.get("status", {}).get("phase") == "Released"
                and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
                and "deletionTimestamp" not in volume["metadata"]):
            todo.append(("remove", volume, node_of(volume)))
    return todo


def node_of(volume: dict) -> str:
    terms = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    return terms[0]["matchExpressions"][0]["values"][0]


def volume_object(claim: dict, node: str, policy: str) -> dict:
    name = volume_of(claim)
    return {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {
            "pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "accessModes": claim["spec"]["accessModes"],
            "capacity": {"storage": wanted_size(claim)},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                         **{field: claim["metadata"][field]
                            for field in ("namespace", "name", "uid")}},
            "local": {"path": f"{INSIDE}/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}},
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": claim["spec"].get("storageClassName", ""),
            "volumeMode": "Filesystem",
        },
    }


class Store:
    """What the server has, kept by a watch on a thread of its own."""

    def __init__(self, api, path: str, changed: threading.Event):
        self.api, self.path, self.changed = api, path, changed
        self.objects, self.lock = {}, threading.Lock()
        threading.Thread(target=self._follow, daemon=True).start()

    def values(self) -> list[dict]:
        with self.lock:
            return list(self.objects.values())

    def _follow(self) -> None:
        while True:
            try:
                listed = self.api.get(self.path)
                with self.lock:
                    self.objects = {item["metadata"]["uid"]: item for item in listed["items"]}
                self.changed.set()
                version = listed["metadata"]["resourceVersion"]
                for kind, value in self.api.watch(self.path, version, timeout=120):
                    self._take(kind, value)
            except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
                print(f"watch {self.path}: {error}", flush=True)
                time.sleep(0.5)

    def _take(self, kind: str, value: dict) -> None:
        if kind == "ERROR":
            raise RuntimeError(value.get("message", "the watch ended"))
        if kind == "BOOKMARK":
            return
        with self.lock:
            if kind == "DELETED":
                self.objects.pop(value["metadata"]["uid"], None)
            else:
                self.objects[value["metadata"]["uid"]] = value
        self.changed.set()


class Provisioner:
    def __init__(self, testbed):
        self.testbed, self.api = testbed, testbed.api("testbed")
        self.changed = threading.Event()
        self.claims = Store(testbed.api("testbed"), CLAIMS, self.changed)
        self.volumes = Store(testbed.api("testbed"), VOLUMES, self.changed)

    def run(self) -> None:
        while True:
            self.changed.wait(1)  # what had to wait for a node is tried again
            self.changed.clear()
            for act, first, second in decide(self.claims.values(), self.volumes.values()):
                try:
                    getattr(self, act)(first, second)
                except (OSError, RuntimeError, KeyError, http.client.HTTPException) as error:
                    print(f"{act} {first['metadata']['name']}: {error}", flush=True)

    def folder(self, node: str, volume: str) -> str:
        return self.testbed.node(node).machine.folder + f"/lib/volumes/{volume}"

    def provision(self, claim: dict, node: str) -> None:
        if not self.testbed.reaches_server(node):
            return
        storage = self.api.get("/apis/storage.k8s.io/v1/storageclasses/"
                               + claim["spec"]["storageClassName"])
        path = self.folder(node, volume_of(claim))
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)
        try:
            self.api.call("POST", VOLUMES, volume_object(claim, node, storage["reclaimPolicy"]))
        except RuntimeError as error:
            if getattr(error, "status", 0) != 409:  # made before, and not seen yet
                raise

    def remove(self, volume: dict, node: str) -> None:
        if self.testbed.reaches_server(node):
            name = volume["metadata"]["name"]
            shutil.rmtree(self.folder(node, name), ignore_errors=True)
            self.api.call("DELETE", f"{VOLUMES}/{name}")

    def grow(self, claim: dict, volume: dict) -> None:
        """A folder has the size of its disk: only the words change."""
        if not self.testbed.reaches_server(node_of(volume)):
            return
        size = {"capacity": {"storage": wanted_size(claim)}}
        self.api.merge(f"{VOLUMES}/{volume['metadata']['name']}", {"spec": size})
        meta = claim["metadata"]
        self.api.merge(f"/api/v1/namespaces/{meta['namespace']}/persistentvolumeclaims/"
                       f"{meta['name']}/status", {"status": size})


def main() -> None:
    from . import testbed  # not above: the testbed's own modules name this one
    Provisioner(testbed.Testbed(sys.argv[1])).run()


if __name__ == "__main__":
    main()
