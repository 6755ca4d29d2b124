"""Azure Blob Storage as azurite has it, and our fake of Google Cloud Storage, beside the API server,
where pods can reach them; and what these tests look into them for."""
import glob
import json
import os
import subprocess
import urllib.parse

import azurite
from azurite import ask
from bed import ROOT, eventually
from kit import machine


class Azure:
    """In CoreOS's words: which type, which block, which keys its Secret has."""

    TYPE, BLOCK, SECRET_FIELD, SCHEME, BUCKET = "ABS", "abs", "absSecret", "azblob", "container"
    REFUSED = "check the storage account, its key"

    def __init__(self, test):
        self.server = azurite.Azurite(machine.CONTROL_ADDRESS, test.folder, in_memory=True)
        test.addClassCleanup(self.server.process.wait)
        test.addClassCleanup(self.server.process.terminate)
        eventually(self.server.answers, "azurite")
        self.server.make(self.BUCKET)
        self.endpoint = self.server.endpoint

    def holds(self, name: str) -> bool:
        return self.server.ask("HEAD", f"{self.BUCKET}/{name}", {}) == 200

    def keys(self, right: bool = True) -> dict:
        return {"storage-account": azurite.ACCOUNT, "cloud": "AzurePublicCloud",
                "storage-key": azurite.KEY if right else "d3Jvbmc="}

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
