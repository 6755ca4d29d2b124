"""The control plane: etcd, API server, controller manager, and with nodes also the scheduler, DNS
and the provisioner of volumes. On the control machine, or without nodes as plain processes on
loopback, which needs no root."""
import json
import os
import signal
import sys
import time

from . import api, build, images, machine, processes, versions, volumes

HERE = os.path.dirname(os.path.abspath(__file__))
# A stopped node is NotReady after this long, and its pods are evicted after the second: a real
# cluster takes 50 s and five minutes, which no test waits for.
NODE_GRACE, TOLERATION = "20s", "30"
ISSUER = "https://kubernetes.default.svc.cluster.local"

# Every write of everybody; reads only of those who are not part of Kubernetes.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}],
         "userGroups": ["system:nodes"]},
        {"level": "None", "verbs": ["get", "list", "watch"], "userGroups": ["system:nodes"]},
        {"level": "None", "verbs": ["get", "list", "watch"],
         "users": ["system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy",
                   "system:apiserver", "system:testbed"]},
        {"level": "None", "verbs": ["get", "list", "watch"],
         "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "Metadata"},
    ],
}

# certificate -> (CN, O). What belongs to the testbed itself may do everything.
USERS = {
    "admin": ("testbed-admin", "system:masters"),
    "testbed": ("system:testbed", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet-client": ("kube-apiserver-kubelet-client", "system:masters"),
}


def kubeconfig(server: str, authority, user: str) -> str:
    """JSON is YAML."""
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "testbed",
        "clusters": [{"name": "testbed", "cluster": {
            "server": server, "certificate-authority": authority.path("ca.crt")}}],
        "users": [{"name": user, "user": {
            "client-certificate": authority.path(f"{user}.crt"),
            "client-key": authority.path(f"{user}.key")}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
    }, indent=1)


class ControlPlane:
    """What of it runs is found out each time: starting what runs is nothing."""

    def __init__(self, testbed):
        self.testbed, self.runs, self.pki = testbed, testbed.runs, testbed.authority
        self.folder = testbed.folder

    def _start(self, name: str, *command: str) -> None:
        prefix = self.testbed.control.enter() if self.testbed.control else []
        self.runs.start(self.process(name), [*prefix, *command])

    def process(self, name: str) -> str:
        """The name that it runs under; a machine's processes begin with the machine's."""
        return f"{self.testbed.control.name}-{name}" if self.testbed.control else name

    def log(self, name: str) -> str:
        return self.runs.log(self.process(name))

    def prepare(self) -> None:
        testbed = self.testbed
        sans = ["DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc",
                "DNS:kubernetes.default.svc.cluster.local", "DNS:localhost", "IP:127.0.0.1",
                "IP:10.96.0.1", f"IP:{testbed.host}"]
        self.pki.issue("apiserver", "kube-apiserver", sans=",".join(dict.fromkeys(sans)))
        for name, (common_name, organization) in USERS.items():
            self.pki.issue(name, common_name, organization)
            build.write(f"{self.pki.folder}/{name}.kubeconfig",
                        kubeconfig(testbed.server, self.pki, name))
        build.write(testbed.kubeconfig, kubeconfig(testbed.server, self.pki, "admin"))
        build.write(f"{self.folder}/audit-policy.json", json.dumps(AUDIT_POLICY, indent=1))

    def start_store(self) -> None:
        client, peer = (f"http://127.0.0.1:{self.testbed.ports[name]}"
                        for name in ("etcd", "etcd-peer"))
        # A testbed does not outlive a power cut, so its etcd need not either.
        self._start("etcd", etcd_program(print), "--name", "testbed", "--data-dir",
                    f"{self.folder}/etcd", "--unsafe-no-fsync",
                    "--listen-client-urls", client, "--advertise-client-urls", client,
                    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                    "--initial-cluster", f"testbed={peer}", "--log-level", "warn")

    def start_server(self) -> None:
        testbed, pki = self.testbed, self.pki
        # The address of the Service `kubernetes`; without nodes nobody asks for it.
        endpoints = "lease" if testbed.control else "none"
        self._start(
            "apiserver", f"{testbed.programs}/kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{testbed.ports['etcd']}",
            f"--bind-address={testbed.host}", f"--advertise-address={testbed.host}",
            f"--secure-port={testbed.ports['server']}", f"--endpoint-reconciler-type={endpoints}",
            f"--tls-cert-file={pki.path('apiserver.crt')}",
            f"--tls-private-key-file={pki.path('apiserver.key')}",
            f"--client-ca-file={pki.path('ca.crt')}",
            f"--service-account-key-file={pki.path('service-accounts.key')}",
            f"--service-account-signing-key-file={pki.path('service-accounts.key')}",
            f"--service-account-issuer={ISSUER}", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
            f"--service-cluster-ip-range={machine.SERVICE_NETWORK}",
            f"--kubelet-client-certificate={pki.path('kubelet-client.crt')}",
            f"--kubelet-client-key={pki.path('kubelet-client.key')}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--default-not-ready-toleration-seconds={TOLERATION}",
            f"--default-unreachable-toleration-seconds={TOLERATION}",
            f"--audit-policy-file={self.folder}/audit-policy.json",
            f"--audit-log-path={testbed.audit_log}", "--audit-log-maxsize=2000")

    def stop_server(self, force: bool) -> None:
        self.runs.stop(self.process("apiserver"), grace=0 if force else 20)

    def freeze_server(self, frozen: bool) -> None:
        """A server that takes connections and answers none of them."""
        self.runs.signal(self.process("apiserver"), signal.SIGSTOP if frozen else signal.SIGCONT)

    def wait_for_server(self) -> None:
        processes.wait_for(self.testbed.api("testbed").ready, 60,
                           f"the API server; see {self.log('apiserver')}")

    def start_controllers(self) -> None:
        testbed, pki = self.testbed, self.pki
        self._start(
            "controller-manager", f"{testbed.programs}/kube-controller-manager",
            f"--kubeconfig={pki.folder}/controller-manager.kubeconfig", "--leader-elect=false",
            "--secure-port=0", "--use-service-account-credentials=true",
            f"--service-account-private-key-file={pki.path('service-accounts.key')}",
            f"--root-ca-file={pki.path('ca.crt')}",
            f"--node-monitor-grace-period={NODE_GRACE}", "--node-monitor-period=2s")
        if not testbed.control:
            return
        self._start(
            "scheduler", f"{testbed.programs}/kube-scheduler", "--leader-elect=false",
            f"--kubeconfig={pki.folder}/scheduler.kubeconfig", "--secure-port=0")
        build.write(f"{self.folder}/Corefile", self._corefile())
        self._start("coredns", f"{build.folder(versions.coredns())}/coredns", "-conf", f"{self.folder}/Corefile")
        # Outside of the machine: it has to see which of the nodes are on.
        self.runs.start("volumes", [sys.executable, "-m", "kit.volumes", self.folder],
                        dict(os.environ, PYTHONPATH=os.path.dirname(HERE)))
        # So that programs of the control machine (`testbed/run`) reach Services like everybody.
        start_proxy(self._start, testbed, "control")

    def _corefile(self) -> str:
        """DNS on the control machine: it stays when nodes go, as in a cluster of more nodes."""
        return (f".:53 {{\n  bind {machine.CONTROL_ADDRESS}\n  errors\n"
                "  kubernetes cluster.local in-addr.arpa {\n    ttl 5\n"
                f"    kubeconfig {self.pki.folder}/testbed.kubeconfig testbed\n  }}\n}}\n")

    def create_objects(self) -> None:
        """A server that is ready refuses some of them for a moment: no namespace, no addresses."""
        server = self.testbed.api("testbed")
        for path, value in objects():
            deadline = time.monotonic() + 20
            while True:
                try:
                    server.apply(path, value)
                    break
                except api.Refused:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.1)


def start_proxy(start, testbed, node: str) -> None:
    start("proxy", f"{testbed.programs}/kube-proxy", f"--hostname-override={node}",
          f"--kubeconfig={testbed.authority.folder}/proxy.kubeconfig", "--proxy-mode=iptables",
          f"--cluster-cidr={machine.POD_NETWORK}", "--conntrack-max-per-core=0",
          "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
          "--oom-score-adj=0")


def objects() -> list:
    """What a cluster has before anybody uses it: the storage class, and the name service."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"},
             {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    system = "/api/v1/namespaces/kube-system"
    return [
        ("/apis/storage.k8s.io/v1/storageclasses/standard", {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": "standard", "annotations": {
                "storageclass.kubernetes.io/is-default-class": "true"}},
            "provisioner": volumes.PROVISIONER, "reclaimPolicy": "Delete",
            "volumeBindingMode": "WaitForFirstConsumer", "allowVolumeExpansion": True}),
        (f"{system}/services/kube-dns", {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns"},
            "spec": {"clusterIP": machine.DNS_ADDRESS, "ports": ports}}),
        ("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns", {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": "kube-dns", "labels": {
                "kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4", "ports": ports,
            "endpoints": [{"addresses": [machine.CONTROL_ADDRESS], "conditions": {
                "ready": True}}]}),
    ]


def etcd_program(say) -> str:
    """The API server's etcd: one that the tests have fetched, else one of our own."""
    fetched = f"{images.etcd_folder(versions.ETCD)}/etcd"
    if os.access(fetched, os.X_OK):
        return fetched
    return build.ensure(versions.etcd(versions.ETCD), ["etcd"], say) + "/etcd"
