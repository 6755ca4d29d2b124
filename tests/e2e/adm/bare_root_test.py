#!/usr/bin/env python3
"""etcdadm is one file that needs the C library and nothing else.

  tests/e2e/adm/bare_root_test.py [build/bin/etcdadm]

In a root that holds the program, glibc's own files and a cache of etcd, with no network but its own
loopback, `version`, `init`, `status` and `snapshot save` work. Needs root, for the namespaces; without it
nothing is run, which CI takes for a failure.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

VERSION = "3.5.12"
GLIBC = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libresolv.so.2"}
COMMANDS = [["version"],
            ["init", "--init-system", "none", "--version", VERSION, "--name", "etcd-1",
             "--bind-address", "127.0.0.1", "--token-ttl", "0"],
            ["status"],
            ["snapshot", "save", "/snapshot.db"],
            ["snapshot", "status", "/snapshot.db"],
            ["reset", "--yes", "--delete-data"]]


def libraries(program):
    """[path] of what the program is linked with; ends the test if one is not glibc's."""
    text = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    paths = re.findall(r"(/\S+) \(0x", text)
    strangers = [p for p in paths
                 if os.path.basename(p) not in GLIBC and "/ld-linux" not in p]
    if strangers:
        sys.exit(f"{program} needs more than glibc: {', '.join(strangers)}")
    return paths


def make_root(root, program):
    for path in libraries(program):
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)
    for folder in ("proc", "dev", "tmp", "root", "bin"):
        os.makedirs(f"{root}/{folder}", exist_ok=True)
    shutil.copy(program, f"{root}/bin/etcdadm")
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    kept = f"etcd-operator/etcd/v{VERSION}"
    shutil.copytree(f"{cache}/{kept}", f"{root}/root/.cache/{kept}", symlinks=True)


def run(root):
    """Everything that was started ends with the process namespace."""
    script = ["set -e", "ip link set lo up", f"mount -t proc proc {root}/proc",
              f"mount --rbind /dev {root}/dev"]
    for words in COMMANDS:
        script.append(f"echo '--- etcdadm {' '.join(words)}'")
        script.append(f"chroot {root} /bin/etcdadm {' '.join(words)}")
    return subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                           "sh", "-c", "\n".join(script)],
                          env={"PATH": os.environ["PATH"], "HOME": "/root"}, timeout=300)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build/bin/etcdadm"
    if os.geteuid() != 0:
        print("not run: namespaces need root")
        return 1 if os.environ.get("CI") else 0
    with tempfile.TemporaryDirectory(prefix="eo-bare-") as root:
        make_root(root, program)
        return run(root).returncode


if __name__ == "__main__":
    sys.exit(main())
