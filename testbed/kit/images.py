"""Images made by hand: an archive with one layer, under the name that manifests use.

What the real image lacks these lack as well: etcd's has no shell and no libc.
"""
import fcntl
import hashlib
import io
import json
import os
import subprocess
import tarfile

from . import build, versions

ETCD_NAMES = ("gcr.io/etcd-development/etcd", "quay.io/coreos/etcd")
PASSWD = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n" \
         "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"


def etcd_folder(version: str) -> str:
    """Where the product keeps that etcd (`make etcd`)."""
    return os.path.join(build.cache_root(), "etcd", f"v{version}")


def fetched_etcd_versions() -> list[str]:
    """Of the versions that the tests use, those that are here."""
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/etcd-versions")
    used = subprocess.run([tool], capture_output=True, text=True, check=True).stdout.split()
    return [version for version in used if os.path.exists(f"{etcd_folder(version)}/etcd")]


def etcd_archive(version: str) -> str:
    source = etcd_folder(version)
    if not os.path.exists(f"{source}/etcd"):
        raise RuntimeError(f"etcd {version} is not in {source}; "
                           f"build/bin/etcd-operator fetch-etcd {version}")
    programs = {f"usr/local/bin/{name}": f"{source}/{name}"
                for name in ("etcd", "etcdctl", "etcdutl") if os.path.exists(f"{source}/{name}")}
    return archive([f"{name}:v{version}" for name in ETCD_NAMES], programs,
                   {"Cmd": ["/usr/local/bin/etcd"]})


def pause_archive(program: str) -> str:
    return archive([f"registry.k8s.io/pause:{versions.PAUSE}"], {"pause": program},
                   {"Entrypoint": ["/pause"], "User": "65535:65535"})


def archive(names: list[str], programs: dict, config: dict) -> str:
    """The path of the archive in the cache. Made anew when a name or a program has changed."""
    inputs = [names, config, [(inside, os.path.getsize(path), os.stat(path).st_mtime_ns)
                              for inside, path in sorted(programs.items())]]
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]
    short = names[0].rsplit("/", 1)[1].replace(":", "-")
    folder = os.path.join(build.cache_root(), "kubernetes", "images")
    path = f"{folder}/{short}-{digest}.tar"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(path):
            for old in os.listdir(folder):
                if old.startswith(f"{short}-"):
                    os.remove(f"{folder}/{old}")
            write_archive(f"{path}.new", names, programs, config)
            os.rename(f"{path}.new", path)
    return path


def layer(programs: dict) -> bytes:
    """The same bytes for the same programs: no time, no owner but root."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        folders = {"tmp": 0o1777, "etc": 0o755}
        for inside in programs:
            parts = inside.split("/")[:-1]
            folders |= {"/".join(parts[:n]): 0o755 for n in range(1, len(parts) + 1)}
        for name, mode in sorted(folders.items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        files = {"etc/passwd": (PASSWD.encode(), 0o644)}
        for inside, path in programs.items():
            with open(path, "rb") as file:
                files[inside] = (file.read(), 0o755)
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def write_archive(path: str, names: list[str], programs: dict, config: dict) -> None:
    content = layer(programs)
    defaults = {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "WorkingDir": "/"}
    image = json.dumps({
        "architecture": "amd64", "os": "linux", "config": defaults | config,
        "rootfs": {"type": "layers",
                   "diff_ids": ["sha256:" + hashlib.sha256(content).hexdigest()]},
        "history": [{"created_by": "etcd-operator testbed"}]}).encode()
    name = hashlib.sha256(image).hexdigest() + ".json"
    manifest = json.dumps([{"Config": name, "RepoTags": names, "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, data in ((name, image), ("layer.tar", content), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(member)
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
