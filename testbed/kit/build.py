"""Builds pinned Go programs into a cache outside the checkout: a second call finds them there."""
import fcntl
import os
import re
import shutil
import subprocess
import time

from . import versions

HERE = os.path.dirname(os.path.abspath(__file__))


def cache_root() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "etcd-operator")


def folder(recipe: versions.Recipe) -> str:
    return os.path.join(cache_root(), "kubernetes", recipe.name)


def staging_modules(go_mod: str) -> list[str]:
    """The modules that Kubernetes' go.mod requires as v0.0.0: they live in its own tree."""
    return sorted(set(re.findall(r"^\s*(?:require\s+)?(k8s\.io/\S+) v0\.0\.0\s*(?://.*)?$",
                                 go_mod, re.MULTILINE)))


def go_mod_text(recipe: versions.Recipe, staging: list[str], kubernetes_version: str) -> str:
    """The wrapper module. A staging module is published as v0.MINOR.PATCH."""
    lines = ["module testbed", f"go {versions.GO_AT_LEAST[0]}.{versions.GO_AT_LEAST[1]}.0"]
    lines += [f"require {module} {version}" for module, version in recipe.require.items()]
    published = "v0." + kubernetes_version.split(".", 1)[1] if staging else ""
    lines += [f"replace {module} => {module} {published}" for module in staging]
    return "\n".join(lines) + "\n"


def tools_go_text(recipe: versions.Recipe) -> str:
    """Names the packages that are built, so that `go mod tidy` keeps what they need."""
    foreign = [package for package in recipe.packages.values() if not package.startswith("testbed/")]
    imports = "".join(f'\t_ "{package}"\n' for package in foreign)
    return f"//go:build tools\n\npackage tools\n\nimport (\n{imports})\n"


def go_program() -> str:
    tool = os.path.join(os.path.dirname(os.path.dirname(HERE)), "tools", "go")
    major, minor = versions.GO_AT_LEAST
    found = subprocess.run([tool, f"{major}.{minor}.0"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, check=False)
    if found.returncode != 0:
        raise RuntimeError("Kubernetes is built from its modules: " + found.stderr.strip())
    return found.stdout.strip()


def ensure(recipe: versions.Recipe, programs: list[str], say) -> str:
    """Returns the folder that holds these programs; builds the ones that are missing.

    A program gets its name only when it is whole, so an interrupted build begins again, and
    several testbeds that start at once build one after the other, once."""
    target = folder(recipe)
    if missing(target, programs):
        os.makedirs(target, exist_ok=True)
        with open(f"{target}/.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if wanted := missing(target, programs):
                _build(recipe, wanted, target, say)
    return target


def missing(target: str, programs: list[str]) -> list[str]:
    return [program for program in programs if not os.access(f"{target}/{program}", os.X_OK)]


def _build(recipe: versions.Recipe, programs: list[str], target: str, say) -> None:
    go = go_program()
    work = f"{target}/.build"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    environment = dict(os.environ, CGO_ENABLED="0", GOWORK="off", GOFLAGS="-mod=mod")

    def run(*arguments: str) -> str:
        log = f"{target}/build.log"
        with open(log, "a", encoding="utf-8") as out:
            done = subprocess.run([go, *arguments], cwd=work, env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=out, check=False)
            out.write(done.stdout)
        if done.returncode != 0:
            raise RuntimeError(f"`go {arguments[0]}` for {recipe.name} failed; see {log}:\n"
                               + tail(log, 15))
        return done.stdout

    kubernetes = recipe.require.get("k8s.io/kubernetes", "").removeprefix("v")
    staging = []
    if kubernetes:
        run("mod", "init", "testbed")
        run("mod", "download", f"k8s.io/kubernetes@v{kubernetes}")
        published = f"{run('env', 'GOMODCACHE').strip()}/cache/download/k8s.io/kubernetes/@v"
        with open(f"{published}/v{kubernetes}.mod", encoding="utf-8") as file:
            staging = staging_modules(file.read())
    if recipe.sources:
        shutil.copytree(os.path.join(os.path.dirname(HERE), recipe.sources),
                        os.path.join(work, recipe.sources))
    write(f"{work}/go.mod", go_mod_text(recipe, staging, kubernetes))
    write(f"{work}/tools.go", tools_go_text(recipe))
    say(f"{recipe.name}: resolving modules")
    run("mod", "tidy")
    for program in programs:
        begin = time.monotonic()
        say(f"{recipe.name}: building {program}")
        run("build", "-trimpath", "-ldflags", f"-s -w {recipe.ldflags}", "-o",
            f"{target}/.{program}.new", recipe.packages[program])
        os.rename(f"{target}/.{program}.new", f"{target}/{program}")
        say(f"{recipe.name}: {program} built in {time.monotonic() - begin:.0f} s")
    shutil.rmtree(work)


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def tail(path: str, lines: int) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return "".join(file.readlines()[-lines:])
