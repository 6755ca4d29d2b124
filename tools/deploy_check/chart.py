"""The Helm chart against install.yaml. Without helm only its files are compared."""
import glob
import json
import os
import re
import shutil
import subprocess

import yaml

CHART = "deploy/helm/etcd-operator"
SPACE = "etcd-operator-system"
HELMS = ("app.kubernetes.io/managed-by", "helm.sh/chart")


def check(problems, judge):
    """`judge` gives (errors, unknown fields) of a cluster that the chart renders."""
    check_versions(problems)
    check_values(problems)
    helm = find_helm()
    if not helm:
        return "chart not rendered (no helm here)"
    lint = subprocess.run([helm, "lint", "--strict", CHART], capture_output=True, text=True,
                          check=False)
    if lint.returncode:
        problems.append(f"helm lint: {lint.stdout}{lint.stderr}")
    compare(problems, "deploy/install.yaml", render(helm))
    compare(problems, "deploy/install-one-namespace.yaml", render(helm, "oneNamespace=true"))
    check_clusters(problems, judge, helm)
    check_monitoring(problems, helm)
    return "chart rendered"


def find_helm():
    cached = glob.glob(os.path.expanduser("~/.cache/etcd-operator/helm/*/helm"))
    return shutil.which("helm") or (sorted(cached)[-1] if cached else None)


def check_versions(problems):
    with open("CMakeLists.txt") as text:
        version = re.search(r"project\(\w+ VERSION ([\d.]+)", text.read()).group(1)
    with open(f"{CHART}/Chart.yaml") as text:
        chart = yaml.safe_load(text)
    if str(chart["appVersion"]) != version:
        problems.append(f"{CHART}/Chart.yaml: appVersion is not {version}")


def flat(values, path=""):
    for key, value in values.items():
        here = f"{path}{key}"
        if isinstance(value, dict) and value:
            yield from flat(value, here + ".")
        else:
            yield here, value


def check_values(problems):
    """docs/helm.md names every value with its default, and no other."""
    with open(f"{CHART}/values.yaml") as text:
        values = dict(flat(yaml.safe_load(text)))
    with open("docs/helm.md") as text:
        rows = re.findall(r"^\| `([\w.]+)` \| `([^`]*)` \|", text.read(), re.MULTILINE)
    told = {name: yaml.safe_load(default) for name, default in rows}
    for name in sorted(set(values) | set(told)):
        if name not in told:
            problems.append(f"docs/helm.md: {name} is not in it")
        elif name not in values:
            problems.append(f"docs/helm.md: there is no value {name}")
        elif values[name] != told[name]:
            problems.append(f"docs/helm.md: the default of {name} is {values[name]!r}")


def render(helm, *settings):
    # One that was built from its module takes every cluster for Kubernetes 1.20.
    command = [helm, "template", "etcd-operator", CHART, "--namespace", SPACE, "--include-crds",
               "--kube-version", "1.34.0"]
    for setting in settings:
        command += ["--set-json" if "=[" in setting else "--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return [{"kind": "Error", "metadata": {"name": done.stderr.strip()}}]
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def keyed(documents):
    out = {}
    for document in documents:
        clean(document)
        if document["kind"] != "Namespace":
            out[document["kind"], document["metadata"]["name"]] = document
    return out


def clean(value):
    if isinstance(value, dict):
        for label in HELMS:
            value.pop(label, None)
        for item in value.values():
            clean(item)
    elif isinstance(value, list):
        for item in value:
            clean(item)


def compare(problems, path, rendered):
    with open(path) as text:
        there = keyed(yaml.safe_load_all(text))
    chart = keyed(rendered)
    for key in sorted(set(there) | set(chart)):
        if key not in chart:
            problems.append(f"{path}: the chart has no {' '.join(key)}")
        elif key not in there:
            problems.append(f"{path}: only the chart has {' '.join(key)}")
        elif chart[key] != there[key]:
            problems.append(f"{path}: {' '.join(key)} differs in the chart: "
                            f"{difference(there[key], chart[key])}")


def difference(one, other, path=""):
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(set(one) | set(other)):
            if one.get(key) != other.get(key):
                return difference(one.get(key), other.get(key), f"{path}.{key}")
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, pair in enumerate(zip(one, other)):
            if pair[0] != pair[1]:
                return difference(*pair, f"{path}[{place}]")
    return f"{path}: {one!r} and {other!r}"


def check_monitoring(problems, helm):
    names = ("serviceMonitor", "podMonitor", "prometheusRule", "dashboard")
    rendered = keyed(render(helm, *[f"{name}.enabled=true" for name in names]))
    with open("deploy/monitoring/alerts.yaml") as text:
        groups = yaml.safe_load(text)
    rule = rendered.get(("PrometheusRule", "etcd-operator"))
    if not rule or rule["spec"] != groups:
        problems.append("the chart's PrometheusRule is not deploy/monitoring/alerts.yaml")
    shown = rendered.get(("ConfigMap", "etcd-operator-dashboard"))
    with open("deploy/monitoring/dashboard.json") as text:
        if not shown or json.loads(shown["data"]["etcd-operator.json"]) != json.load(text):
            problems.append("the chart's dashboard is not deploy/monitoring/dashboard.json")
    for key in [("ServiceMonitor", "etcd-operator"), ("PodMonitor", "etcd-operator-members")]:
        if key not in rendered:
            problems.append(f"the chart has no {' '.join(key)}")


def check_clusters(problems, judge, helm):
    with open("examples/production-etcd.yaml") as text:
        example = yaml.safe_load(text)
    cluster = [{"name": "production-etcd", "spec": example["spec"]}]
    rendered = keyed(render(helm, f"clusters={json.dumps(cluster)}"))
    found = rendered.get(("EtcdCluster", "production-etcd"))
    if not found or found["spec"] != example["spec"]:
        problems.append(f"clusters[] of the chart: {found or list(rendered)[:1]}")
        return
    if found["metadata"].get("annotations", {}).get("helm.sh/resource-policy") != "keep":
        problems.append("clusters[] of the chart: `helm uninstall` would delete the clusters")
    errors, unknown = judge(found)
    problems += [f"clusters[] of the chart: {text}" for text in errors + unknown]
