"""What tests do to the nodes of a testbed that is up."""
import concurrent.futures
import os
import shutil

from . import api, machine
from .testbed import Testbed


def _together(work, bed: Testbed, names: list[str]) -> None:
    with concurrent.futures.ThreadPoolExecutor(max(1, len(names))) as pool:
        for done in [pool.submit(work, bed.node(name)) for name in names]:
            done.result()


def stop(bed: Testbed, names: list[str]) -> None:
    with bed.lock():
        _together(lambda node: node.stop(), bed, names)


def start(bed: Testbed, names: list[str]) -> None:
    """A node whose object was deleted makes itself a new one."""
    with bed.lock():
        archives, before = bed.archives(), bed.node_heartbeats()

        def on(node):
            was_on = node.machine.pid() and is_registered(bed, node.name)
            if not was_on:
                node.stop()  # a kubelet registers once in its life
            node.start()
            node.load_missing(archives)
            node.start_kubelet()

        _together(on, bed, names)
        bed.wait_for_nodes([name for name in names if not is_cut(bed, name)], older=before)


def restart(bed: Testbed, names: list[str]) -> None:
    stop(bed, names)
    start(bed, names)


def delete(bed: Testbed, names: list[str]) -> None:
    stop(bed, names)
    for name in names:
        if is_registered(bed, name):
            bed.api("testbed").call("DELETE", f"/api/v1/nodes/{name}")


def wipe(bed: Testbed, names: list[str]) -> None:
    stop(bed, names)
    with bed.lock():
        for name in names:
            bed.node(name).machine.wipe()


def cut(bed: Testbed, names: list[str]) -> None:
    for name in names:
        machine.cut(bed.node(name).machine)


def heal(bed: Testbed, names: list[str]) -> None:
    for name in names:
        machine.heal(bed.node(name).machine)


def is_cut(bed: Testbed, name: str) -> bool:
    there = bed.node(name).machine
    return bool(there.pid()) and machine.is_cut(there)


def is_registered(bed: Testbed, name: str) -> bool:
    try:
        bed.api("testbed").get(f"/api/v1/nodes/{name}")
        return True
    except api.Refused as error:
        if error.status != 404:
            raise
        return False


def describe(bed: Testbed, name: str) -> str:
    if not bed.node(name).machine.pid():
        return "off"
    return "cut" if is_cut(bed, name) else "on"


ACTIONS = {act.__name__: act for act in (stop, start, restart, delete, wipe, cut, heal)}


def load(bed: Testbed, archives: list[str]) -> None:
    """Copies the archives, so that a node that is off or wiped gets them when it starts."""
    kept = f"{bed.folder}/images"
    with bed.lock():
        os.makedirs(kept, exist_ok=True)
        for archive in archives:
            # A new name for new content: nodes remember by name what they have.
            note = os.stat(archive)
            copy = f"{kept}/{note.st_mtime_ns}-{note.st_size}-{os.path.basename(archive)}"
            if not os.path.exists(copy):
                shutil.copyfile(archive, f"{kept}/.new")
                os.rename(f"{kept}/.new", copy)
            if copy not in bed.config["archives"]:
                bed.config["archives"].append(copy)
        bed.save()
        on = [name for name in bed.node_names if bed.node(name).machine.pid()]
        _together(lambda node: node.load_missing(bed.archives()), bed, on)
