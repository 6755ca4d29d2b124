"""The authority and the certificates of a testbed, by the openssl program. P-256, ten years."""
import os
import secrets
import subprocess

DAYS = "3650"


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")


def _key(path: str) -> None:
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb"):
        pass
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)


class Authority:
    """Files NAME.crt and NAME.key in one folder; what is there already is kept."""

    def __init__(self, folder: str):
        self.folder = folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if not os.path.exists(self.path("ca.crt")):
            _key(self.path("ca.key"))
            _openssl("req", "-x509", "-new", "-key", self.path("ca.key"), "-days", DAYS, "-subj",
                     "/CN=testbed", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                     "-out", self.path("ca.crt"))
        # Signs the tokens of service accounts; no certificate belongs to it.
        if not os.path.exists(self.path("service-accounts.key")):
            _key(self.path("service-accounts.key"))

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def issue(self, name: str, common_name: str, organization: str = "", sans: str = "") -> None:
        if os.path.exists(self.path(f"{name}.crt")):
            return
        key, request, extensions = (self.path(f"{name}.{end}") for end in ("key", "csr", "ext"))
        _key(key)
        subject = (f"/O={organization}" if organization else "") + f"/CN={common_name}"
        _openssl("req", "-new", "-key", key, "-subj", subject, "-out", request)
        with open(extensions, "w", encoding="ascii") as file:
            file.write("keyUsage=critical,digitalSignature\n"
                       "extendedKeyUsage=serverAuth,clientAuth\n"
                       + (f"subjectAltName={sans}\n" if sans else ""))
        _openssl("x509", "-req", "-in", request, "-CA", self.path("ca.crt"), "-CAkey",
                 self.path("ca.key"), "-set_serial", f"0x{secrets.token_hex(16)}", "-days", DAYS,
                 "-extfile", extensions, "-out", self.path(f"{name}.crt"))
        os.remove(request)
        os.remove(extensions)
