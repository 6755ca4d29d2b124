#!/usr/bin/env python3
"""What a person waits for with etcdadm, beside etcdctl and etcdutl in the same run.

    bench/adm_bench.py [--bin build/bin] [--version 3.5.33] [--rounds 5] [--megabytes 200]

Hosts are addresses of the loopback interface. Prints a table; never fails on a time.
"""
import argparse
import base64
import http.client
import json
import os
import shutil
import ssl
import statistics
import subprocess
import tempfile
import time

CLIENT, PEER, METRICS = 22979, 22980, 22981


def timed(argv, env=None):
    start = time.monotonic()
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return seconds


def row(what, values, limit=""):
    print(f"| {what} | {statistics.median(values):.3g} s (min {min(values):.3g}, "
          f"max {max(values):.3g}, n={len(values)}) | {limit} |", flush=True)


class Host:
    def __init__(self, root, number, args):
        self.dir, self.address = f"{root}/{number}", f"127.76.0.{number}"
        self.adm = os.path.abspath(f"{args.bin}/etcdadm")
        self.env = dict(os.environ)
        for name, value in {
                "NAME": f"etcd-{number}", "BIND_ADDRESS": self.address,
                "STATE_DIR": f"{self.dir}/state", "CERTS_DIR": f"{self.dir}/pki",
                "DATA_DIR": f"{self.dir}/data", "CONFIG_DIR": f"{self.dir}/etc",
                "INSTALL_DIR": f"{self.dir}/bin", "CACHE_DIR": f"{root}/cache",
                "INIT_SYSTEM": "none", "TOKEN_TTL": "0", "VERSION": args.version, "CLIENT_PORT": CLIENT,
                "PEER_PORT": PEER, "METRICS_PORT": METRICS}.items():
            self.env["ETCDADM_" + name] = str(value)

    def run(self, *words):
        return timed([self.adm, *words], self.env)

    def end(self):
        subprocess.run([self.adm, "reset", "--yes", "--delete-data", "--skip-remove-member"],
                       env=self.env, capture_output=True, check=False)

    def etcdctl(self, *words):
        pki = self.dir + "/pki/"
        return timed([f"{self.dir}/bin/etcdctl", "--cacert", pki + "ca.crt", "--cert",
                      pki + "etcdctl-etcd-client.crt", "--key", pki + "etcdctl-etcd-client.key",
                      "--endpoints", f"https://{self.address}:{CLIENT}", *words])

    def fill(self, megabytes):
        pki = self.dir + "/pki/"
        context = ssl.create_default_context(cafile=pki + "ca.crt")
        context.load_cert_chain(pki + "etcdctl-etcd-client.crt", pki + "etcdctl-etcd-client.key")
        link = http.client.HTTPSConnection(self.address, CLIENT, context=context)
        for i in range(megabytes):
            key = base64.b64encode(b"k%06d" % i).decode()
            value = base64.b64encode(os.urandom(1 << 20)).decode()
            link.request("POST", "/v3/kv/put", json.dumps({"key": key, "value": value}))
            answer = link.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"put: {answer.status}")


def build(root, args):
    """A member alone, then one that joins it; all of it gone again."""
    first, second = Host(root, 1, args), Host(root, 2, args)
    try:
        serving = first.run("init")
        os.makedirs(f"{second.dir}/pki", exist_ok=True)
        for name in ("ca.crt", "ca.key"):
            shutil.copy(f"{first.dir}/pki/{name}", f"{second.dir}/pki/{name}")
        return serving, second.run("join", f"https://{first.address}:{PEER}")
    finally:
        second.end()
        first.end()


def snapshots(root, args):
    host, out = Host(root, 3, args), {}
    try:
        host.run("init")
        host.fill(args.megabytes)
        for i in range(args.rounds):
            file = f"{root}/s{i}.db"
            out.setdefault("save", []).append(host.run("snapshot", "save", file))
            out.setdefault("ctl save", []).append(
                host.etcdctl("snapshot", "save", f"{root}/c{i}.db"))
            out.setdefault("restore", []).append(
                host.run("snapshot", "restore", file, "--data-dir", f"{root}/r{i}"))
            out.setdefault("utl restore", []).append(
                timed([f"{host.dir}/bin/etcdutl", "snapshot", "restore", file,
                       "--data-dir", f"{root}/u{i}"]))
            for left in (file, f"{root}/c{i}.db"):
                os.remove(left)
            for left in (f"{root}/r{i}", f"{root}/u{i}"):
                shutil.rmtree(left)
    finally:
        host.end()
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--version", default="3.5.33")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=200)
    args = parser.parse_args()
    root = tempfile.mkdtemp(prefix="adm-bench-")
    try:
        print("| What | Measured | Goal |\n|---|---|---|")
        size = os.stat(f"{args.bin}/etcdadm").st_size / 1e6
        print(f"| `etcdadm`, stripped | {size:.1f} MB | |")
        row("`etcdadm version`: start and end",
            [timed([f"{args.bin}/etcdadm", "version"]) for _ in range(10 * args.rounds)])
        pairs = [build(f"{root}/b{i}", args) for i in range(args.rounds)]
        row("`init` → it serves", [p[0] for p in pairs])
        row("`join` → it votes", [p[1] for p in pairs])
        times = snapshots(root, args)
        row(f"`snapshot save`, {args.megabytes} MB, judged", times["save"])
        row("… `etcdctl snapshot save`", times["ctl save"])
        row("`snapshot restore` into a folder, judged before", times["restore"])
        row("… `etcdutl snapshot restore`", times["utl restore"])
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
