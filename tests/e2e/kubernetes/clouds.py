"""Azure Blob Storage as azurite has it, and our fake of Google Cloud Storage, beside the API server,
where pods can reach them; and what these tests look into them for."""
import base64
import email.utils
import glob
import hashlib
import hmac
import json
import os
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

from bed import ROOT, eventually
from kit import machine

AZURITE = os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache")) + \
    "/etcd-operator/object-stores/azurite-3.37.0/node_modules/.bin/azurite-blob"
ACCOUNT_KEY = base64.b64encode(hashlib.sha256(b"the key of an account for tests").digest()).decode()


def ask(url: str, method: str, headers: dict, data: bytes | None = None) -> int:
    try:
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Azure:
    """In CoreOS's words: which type, which block, which keys its Secret has."""

    TYPE, BLOCK, SECRET_FIELD, SCHEME, BUCKET = "ABS", "abs", "absSecret", "azblob", "container"
    REFUSED = "check the storage account, its key"
    ACCOUNT = "acct1"

    def __init__(self, test):
        with socket.create_server((machine.CONTROL_ADDRESS, 0)) as probe:
            port = probe.getsockname()[1]
        self.endpoint = f"http://{machine.CONTROL_ADDRESS}:{port}/{self.ACCOUNT}"
        process = subprocess.Popen(
            [AZURITE, "--blobHost", machine.CONTROL_ADDRESS, "--blobPort", str(port),
             "--inMemoryPersistence", "--silent", "--disableTelemetry"], cwd=test.folder,
            env={**os.environ, "AZURITE_ACCOUNTS": f"{self.ACCOUNT}:{ACCOUNT_KEY}"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        test.addClassCleanup(process.wait)
        test.addClassCleanup(process.terminate)

        def answers():
            with socket.socket() as link:
                return link.connect_ex((machine.CONTROL_ADDRESS, port)) == 0
        eventually(answers, "azurite")
        made = self._ask("PUT", self.BUCKET, {"restype": "container"})
        assert made == 201, f"the container could not be made: {made}"

    def _ask(self, method: str, name: str, query: dict) -> int:
        """Signed by the account's key."""
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
        lines = [method, *[""] * 11, *[f"{key}:{headers[key]}" for key in sorted(headers)],
                 f"/{self.ACCOUNT}/{self.ACCOUNT}/{name}",
                 *[f"{key}:{query[key]}" for key in sorted(query)]]
        signed = hmac.new(base64.b64decode(ACCOUNT_KEY), "\n".join(lines).encode(), hashlib.sha256)
        headers["Authorization"] = \
            f"SharedKey {self.ACCOUNT}:{base64.b64encode(signed.digest()).decode()}"
        asked = "?" + urllib.parse.urlencode(query) if query else ""
        return ask(f"{self.endpoint}/{name}{asked}", method, headers)

    def holds(self, name: str) -> bool:
        return self._ask("HEAD", f"{self.BUCKET}/{name}", {}) == 200

    def keys(self, right: bool = True) -> dict:
        return {"storage-account": self.ACCOUNT, "cloud": "AzurePublicCloud",
                "storage-key": ACCOUNT_KEY if right else "d3Jvbmc="}

    other_keys = keys


class Google:
    """A Secret of it has a token, or what `gcloud auth application-default login` leaves."""

    TYPE, BLOCK, SECRET_FIELD, SCHEME, BUCKET = "GCS", "gcs", "gcpSecret", "gs", "bucket"
    REFUSED = "check the service account and its roles"

    def __init__(self, test):
        built = glob.glob(f"{ROOT}/build/*/bin/gcs-fake")
        assert built, "build it first: cmake --preset dev && ninja -C build/dev gcs-fake"
        process = subprocess.Popen([max(built, key=os.path.getmtime), machine.CONTROL_ADDRESS],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        test.addClassCleanup(process.wait)
        test.addClassCleanup(process.terminate)
        test.addClassCleanup(process.stdin.close)
        test.addClassCleanup(process.stdout.close)
        said = json.loads(process.stdout.readline())
        self.endpoint, self.token, self.credentials = said["url"], said["token"], \
            said["credentials"]

    def holds(self, name: str) -> bool:
        return ask(f"{self.endpoint}/storage/v1/b/{self.BUCKET}/o/" +
                   urllib.parse.quote(name, safe=""), "GET",
                   {"Authorization": f"Bearer {self.token}"}) == 200

    def keys(self, right: bool = True) -> dict:
        return {"access-token": self.token if right else "wrong"}

    def other_keys(self, right: bool = True) -> dict:
        """The other form."""
        credentials = json.loads(self.credentials)
        if not right:
            credentials["refresh_token"] = "wrong"
        return {"credentials.json": json.dumps(credentials)}
