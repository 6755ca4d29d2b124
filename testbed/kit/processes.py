"""Long-lived processes that outlive the program that started them, each known by a record on disk.

A record is written by the process itself before it becomes the program, and names it by pid, start
time and boot: nothing that was not started here is ever signalled, also after a pid came round.
"""
import os
import signal
import time

# The record is the process's own line of /proc, and the boot that it belongs to.
RECORDER = 'cd / && cat /proc/$$/stat /proc/sys/kernel/random/boot_id >"$0" && exec "$@"'


def parse_stat(line: str) -> tuple[int, str, int, int]:
    """(pid, state, parent, start in ticks since boot); the name in brackets may hold anything."""
    head, tail = line.rsplit(")", 1)
    fields = tail.split()
    return int(head.split()[0]), fields[0], int(fields[1]), int(fields[19])


def stat(pid: int):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return parse_stat(file.read())
    except (OSError, ValueError, IndexError):
        return None


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def children(pid: int) -> list[int]:
    found = (stat(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [line[0] for line in found if line and line[2] == pid]


class Processes:
    """The processes of one testbed. Records in FOLDER/pids, output in FOLDER/log."""

    def __init__(self, folder: str):
        self.pids, self.logs = f"{folder}/pids", f"{folder}/log"

    def start(self, name: str, command: list[str], environment=None) -> bool:
        """False if it runs already."""
        if self.pid(name):
            return False
        os.makedirs(self.pids, exist_ok=True)
        os.makedirs(self.logs, exist_ok=True)
        output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.posix_spawnp("sh", ["sh", "-c", RECORDER, f"{self.pids}/{name}", *command],
                        os.environ if environment is None else environment, setsid=True,
                        file_actions=[(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                                      (os.POSIX_SPAWN_OPEN, 1, self.log(name), output, 0o644),
                                      (os.POSIX_SPAWN_DUP2, 1, 2)])
        wait_for(lambda: self.pid(name), 10, f"{name} to start")
        return True

    def log(self, name: str) -> str:
        return f"{self.logs}/{name}.log"

    def names(self) -> list[str]:
        return sorted(os.listdir(self.pids)) if os.path.isdir(self.pids) else []

    def pid(self, name: str):
        """The pid if it is alive and the one that was started, else None."""
        try:
            with open(f"{self.pids}/{name}", encoding="utf-8", errors="replace") as file:
                line, boot = file.read().splitlines()
            pid, _, _, began = parse_stat(line)
        except (OSError, ValueError, IndexError):
            return None
        now = stat(pid)
        alive = now and now[3] == began and now[1] not in "ZX" and boot == boot_id()
        return pid if alive else None

    def inner_pid(self, name: str):
        """Of a process behind nsenter or unshare: the program itself."""
        pid = self.pid(name)
        return next(iter(children(pid)), None) if pid else None

    def signal(self, name: str, number: int) -> None:
        if pid := self.pid(name):
            for each in [*children(pid), pid]:
                try:
                    os.kill(each, number)
                except ProcessLookupError:
                    pass

    def stop(self, name: str, grace: float = 5) -> None:
        """Ends it, after `grace` seconds by force, and forgets it once it is gone."""
        pid = self.pid(name)
        family = [each for each in (stat(p) for p in [pid, *children(pid)]) if each] if pid else []
        gone = lambda: all(not (now := stat(was[0])) or now[3] != was[3] or now[1] in "ZX"
                           for was in family)
        # nsenter passes no signal on: what it started is asked, and it ends by itself.
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 20)):
            if gone() or not patience:
                continue
            for was in reversed(family):
                if (now := stat(was[0])) and now[3] == was[3]:
                    try:
                        os.kill(was[0], number)
                    except ProcessLookupError:
                        pass
            if poll(gone, patience):
                break
        if not gone():
            raise RuntimeError(f"{name} (pid {pid}) does not end")
        if os.path.exists(f"{self.pids}/{name}"):
            os.remove(f"{self.pids}/{name}")


def poll(condition, seconds: float, step: float = 0.05):
    """The condition's value once it is true, else its last one at the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(step)
    return value


def wait_for(condition, seconds: float, what: str, step: float = 0.05):
    if not (value := poll(condition, seconds, step)):
        raise RuntimeError(f"waited {seconds:g} s in vain for {what}")
    return value
