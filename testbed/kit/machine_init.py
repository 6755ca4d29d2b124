"""The first process of a machine: arranges what its programs see, then reaps what is left to it.

    machine_init.py NAME FOLDER

It runs in namespaces of its own (network, mounts, host name, pids); when it ends, the kernel ends
every other process of the machine and takes back its mounts and its network.
"""
import os
import signal
import socket
import subprocess
import sys

# kubelet writes these, and they belong to the whole computer: it gets files to write instead.
TUNABLES = {"vm/overcommit_memory": 1, "vm/panic_on_oom": 0, "kernel/panic": 10,
            "kernel/panic_on_oops": 1, "kernel/keys/root_maxkeys": 1000000,
            "kernel/keys/root_maxbytes": 25000000}


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    name, folder = sys.argv[1:]
    # A process of a pid namespace gets no signal that it has not asked for; this one asks for none.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    socket.sethostname(name)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for inside, there in (("lib", "/var/lib"), ("log", "/var/log")):
        os.makedirs(f"{folder}/{inside}", exist_ok=True)
        run("mount", "--bind", f"{folder}/{inside}", there)
    for tunable, value in TUNABLES.items():
        if os.path.exists(f"/proc/sys/{tunable}"):
            substitute = f"/run/{tunable.replace('/', '-')}"
            with open(substitute, "w", encoding="ascii") as file:
                file.write(f"{value}\n")
            run("mount", "--bind", substitute, f"/proc/sys/{tunable}")
    run("ip", "link", "set", "lo", "up")
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
        file.write("1\n")
    with open(f"{folder}/started", "w", encoding="ascii"):
        pass
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


main()
