"""What a testbed is built of: exact versions, and what each Go build is made from.

Another Kubernetes is one more line in KUBERNETES; the staging modules are read from its go.mod.
"""
import dataclasses

# What `--kubernetes` may say, and the release that it means.
KUBERNETES = {"1.34": "1.34.4"}
# The etcd of the API server. Any of the product's would do; one that the tests fetch costs nothing.
ETCD = "3.6.16"
COREDNS = "1.12.4"
PAUSE = "3.10"

GO_AT_LEAST = (1, 24)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Programs that are built together, in a Go module made for the purpose."""
    name: str                     # folder of the cache, with the version in it
    require: dict                 # module -> version
    packages: dict                # program -> package
    ldflags: str = ""
    sources: str = ""             # a folder of testbed/ that is copied into the module


def release(wanted: str) -> str:
    """The exact release that the user's words mean; ValueError says what there is."""
    short = wanted.removeprefix("v")
    for minor, exact in KUBERNETES.items():
        if short in (minor, exact):
            return exact
    raise ValueError(f"Kubernetes {wanted} is not pinned here; there is: "
                     + ", ".join(f"{minor} ({exact})" for minor, exact in KUBERNETES.items()))


def kubernetes(version: str) -> Recipe:
    """All six programs. Without the link flags the server calls itself v0.0.0-master."""
    major, minor = version.split(".")[:2]
    prefix = "k8s.io/component-base/version"
    flags = f"-X {prefix}.gitVersion=v{version} -X {prefix}.gitMajor={major} " \
            f"-X {prefix}.gitMinor={minor} -X {prefix}.gitTreeState=clean"
    programs = ("kube-apiserver", "kube-controller-manager", "kubectl", "kube-scheduler",
                "kubelet", "kube-proxy")
    return Recipe(f"v{version}", {"k8s.io/kubernetes": f"v{version}"},
                  {program: f"k8s.io/kubernetes/cmd/{program}" for program in programs}, flags)


def etcd(version: str) -> Recipe:
    module = "go.etcd.io/etcd/{}/v3"
    parts = {"etcd": "server", "etcdctl": "etcdctl", "etcdutl": "etcdutl"}
    return Recipe(f"etcd-v{version}", {module.format(part): f"v{version}" for part in parts.values()},
                  {program: module.format(part) for program, part in parts.items()})


def coredns() -> Recipe:
    return Recipe(f"coredns-v{COREDNS}", {"github.com/coredns/coredns": f"v{COREDNS}"},
                  {"coredns": "github.com/coredns/coredns"})


def pause() -> Recipe:
    return Recipe(f"pause-{PAUSE}", {}, {"pause": "testbed/pause"}, sources="pause")
