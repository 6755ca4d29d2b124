"""What the tests of backups have in common: an S3 server that pods can reach, and who read what."""
import glob
import json
import os
import socket
import subprocess
import tempfile

from bed import ACCOUNT, NAME, Installed, eventually, get, kubectl, testbed
from kit import machine

OWN, COREOS = "etcdclusters.operator.etcd.io", "etcdclusters.etcd.database.coreos.com"
BUCKET, SECRET = "my-etcd-backups", "aws-secret"
SERVER = os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache")) + \
    "/etcd-operator/object-stores/versitygw-1.8.0"


def condition(kind: str, name: str, which: str) -> dict:
    found = get(kind, name).get("status", {}).get("conditions", [])
    return next((one for one in found if one["type"] == which), {})


def whole(folder: str) -> set:
    """Backups that have their manifests."""
    names = glob.glob(f"{folder}/**/full-*.json", recursive=True)
    return {os.path.basename(name) for name in names if os.path.basename(name).count(".") == 1}


class Stored(Installed):
    """The operator, and beside the API server an S3 server with one bucket."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data = tempfile.mkdtemp(dir=cls.folder)
        cls.bucket = f"{cls.data}/store/{BUCKET}"
        os.makedirs(cls.bucket)
        os.makedirs(f"{cls.data}/iam")
        # This program is in the network of the control plane, which pods can reach.
        with socket.create_server((machine.CONTROL_ADDRESS, 0)) as probe:
            cls.port = probe.getsockname()[1]
        cls.server = subprocess.Popen(
            [SERVER, "--port", f"{machine.CONTROL_ADDRESS}:{cls.port}", "--iam-dir",
             f"{cls.data}/iam", "--quiet", "posix", f"{cls.data}/store"],
            env={**os.environ, "ROOT_ACCESS_KEY": "testkey", "ROOT_SECRET_KEY": "testsecret12345"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.server.wait)
        cls.addClassCleanup(cls.server.terminate)

        def answers():
            with socket.socket() as link:
                return link.connect_ex((machine.CONTROL_ADDRESS, cls.port)) == 0
        eventually(answers, "the S3 server")

    def secret(self, key: str = "testsecret12345", namespace: str = "default") -> None:
        """As an AWS user has it; the server is named in the profile."""
        kubectl("-n", namespace, "apply", "-f", "-", text=json.dumps({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "stringData": {
                "credentials": "[default]\naws_access_key_id = testkey\n"
                               f"aws_secret_access_key = {key}\n",
                "config": "[default]\nregion = us-east-1\n"
                          f"endpoint_url = http://{machine.CONTROL_ADDRESS}:{self.port}\n"}}))

    def serves(self, kind: str, name: str, seconds: float = 180) -> None:
        eventually(lambda: condition(kind, name, "Available").get("status") == "True" and
                   condition(kind, name, "Progressing").get("status") == "False" and
                   kubectl("get", "secret", f"{name}-client-tls", check=False).returncode == 0,
                   f"{name} to serve", seconds)

    def tell(self) -> None:
        super().tell()
        for words in (["get", "jobs,pods", "-o", "wide"], ["describe", "jobs"],
                      ["logs", "-l", "operator.etcd.io/job-of", "--tail=20", "--prefix"]):
            print(kubectl(*words, check=False).stdout[-6000:], flush=True)
        print(sorted(whole(self.data)), flush=True)

    def secrets_are_not_read(self, *names: str, besides: frozenset = frozenset()) -> None:
        """Of the operator's requests none was forbidden (but for what is named), and none was for
        a Secret of a store, or one of these names."""
        with open(testbed.named(NAME).audit_log, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file]
        ours = [entry for entry in entries if entry["user"].get("username") == ACCOUNT]
        self.assertGreater(len(ours), 50)
        refused = {(entry["verb"], entry["requestURI"].split("?")[0]) for entry in ours
                   if entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"}
        self.assertEqual(refused - besides, set())
        touched = [entry["requestURI"] for entry in ours
                   if entry.get("objectRef", {}).get("resource") == "secrets"
                   and (entry["objectRef"].get("name") in (SECRET, *names)
                        or entry["verb"] in ("list", "watch"))]
        self.assertEqual(touched, [])
