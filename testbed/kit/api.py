"""As much of a Kubernetes client as the testbed needs for itself."""
import contextlib
import http.client
import json
import ssl

from . import namespaces


class Refused(RuntimeError):
    def __init__(self, status: int, what: str):
        super().__init__(what)
        self.status = status


class _Connection(http.client.HTTPSConnection):
    def __init__(self, address, context, network, timeout):
        super().__init__(*address, context=context, timeout=timeout)
        self.address, self.tls, self.network = address, context, network

    def connect(self):
        plain = namespaces.connect(self.address, self.network, self.timeout)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.address[0])


class Api:
    """One caller at a time. `network` is a process in whose network the server is reached."""

    def __init__(self, address, authority, user: str, network=None):
        self.address, self.network = address, network
        self.tls = ssl.create_default_context(cafile=authority.path("ca.crt"))
        self.tls.load_cert_chain(authority.path(f"{user}.crt"), authority.path(f"{user}.key"))

    @contextlib.contextmanager
    def _answer(self, method, path, body, content_type, timeout):
        connection = _Connection(self.address, self.tls, self.network, timeout)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": content_type,
                                                    "Accept": "application/json"})
            yield connection.getresponse()
        finally:
            connection.close()

    def call(self, method: str, path: str, body=None, content_type="application/json",
             timeout: float = 10):
        """The answer as JSON (text where it is none); Refused for every status above 299."""
        with self._answer(method, path, body, content_type, timeout) as answer:
            text = answer.read().decode()
            if answer.status > 299:
                raise Refused(answer.status, f"{method} {path}: {answer.status} {text[:300]}")
            return json.loads(text) if text.startswith("{") else text

    def get(self, path: str):
        return self.call("GET", path)

    def apply(self, path: str, value: dict):
        return self.call("PATCH", f"{path}?fieldManager=testbed&force=true", value,
                         "application/apply-patch+yaml")

    def merge(self, path: str, value: dict):
        return self.call("PATCH", path, value, "application/merge-patch+json")

    def watch(self, path: str, version: str, timeout: float):
        """Yields (type, object) until the server ends it; a silent `timeout` is a TimeoutError."""
        query = f"{path}?watch=1&resourceVersion={version}&allowWatchBookmarks=true"
        with self._answer("GET", query, None, "application/json", timeout) as answer:
            if answer.status > 299:
                raise Refused(answer.status, f"watch {path}: {answer.status}")
            while line := answer.readline():
                event = json.loads(line)
                yield event["type"], event["object"]

    def ready(self) -> bool:
        try:
            return self.call("GET", "/readyz", timeout=3) == "ok"
        except (OSError, Refused, http.client.HTTPException):
            return False
