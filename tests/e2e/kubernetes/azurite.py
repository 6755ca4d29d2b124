"""azurite, the server of Azure Blob Storage that tests and benches talk to."""
import base64
import email.utils
import hashlib
import hmac
import os
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

PROGRAM = os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache")) + \
    "/etcd-operator/object-stores/azurite-3.37.0/node_modules/.bin/azurite-blob"
ACCOUNT = "acct1"
KEY = base64.b64encode(hashlib.sha256(b"the key of an account for tests").digest()).decode()


def ask(url: str, method: str, headers: dict, data: bytes | None = None) -> int:
    try:
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Azurite:
    """Serves from its making on; who made it ends `process`. Blobs lie in the folder, or nowhere."""

    def __init__(self, address: str, folder: str, in_memory: bool):
        with socket.create_server((address, 0)) as probe:
            port = probe.getsockname()[1]
        self.place = (address, port)
        self.endpoint = f"http://{address}:{port}/{ACCOUNT}"
        self.process = subprocess.Popen(
            [PROGRAM, "--blobHost", address, "--blobPort", str(port),
             *(["--inMemoryPersistence"] if in_memory else ["--location", folder]), "--silent",
             "--disableTelemetry"], cwd=folder,
            env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers(self) -> bool:
        with socket.socket() as link:
            return link.connect_ex(self.place) == 0

    def make(self, container: str) -> None:
        made = self.ask("PUT", container, {"restype": "container"})
        assert made == 201, f"the container could not be made: {made}"

    def ask(self, method: str, name: str, query: dict) -> int:
        """Signed by the account's key."""
        headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
        lines = [method, *[""] * 11, *[f"{key}:{headers[key]}" for key in sorted(headers)],
                 f"/{ACCOUNT}/{ACCOUNT}/{name}", *[f"{key}:{query[key]}" for key in sorted(query)]]
        signed = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256)
        headers["Authorization"] = \
            f"SharedKey {ACCOUNT}:{base64.b64encode(signed.digest()).decode()}"
        asked = "?" + urllib.parse.urlencode(query) if query else ""
        return ask(f"{self.endpoint}/{name}{asked}", method, headers)
