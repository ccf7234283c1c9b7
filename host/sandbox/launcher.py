"""Start one program of the app, cut off from the host, and outlive it by nothing.

A stand-alone launcher: `python -I -S launch.py SPEC -- program argument...`, standard library only (and the filter
of system calls beside it), because it also runs from a supervisor's configuration. SPEC is the path of a JSON file or
`fd:N`, an inherited descriptor that holds the JSON (host/sandbox/run.py writes both); the app's environment stands in
it, never in our arguments.

    launcher  on the host: forwards signals, returns the app's exit status, dies with its parent when asked to
      init    process 1 of the sandbox (level `namespaces` only): builds the root, collects orphans
        app   other uid, no new privileges, filtered system calls, own session, exactly the given environment

When the launcher ends, nothing of the app is left: the kernel ends a process namespace with its process 1; on the
levels without one the launcher adopts orphans and kills what descends from it. Ends with 128+n for signal n, and with
97 and one line "sandbox: ..." when the sandbox could not be built (the reason also goes to `report_fd`, which the app
cannot reach).
"""

import ctypes
import fcntl
import json
import os
import re
import resource
import select
import signal
import stat
import struct
import sys
import time
import warnings  # noqa: F401  os.execvpe imports it when our own library may be out of sight
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

from host.sandbox import system_calls

# The sandbox's own, never the host's.
TMP = "/tmp"  # nosec B108
VAR_TMP = "/var/tmp"  # nosec B108
SHM = "/dev/shm"  # nosec B108

SETUP_FAILED = 97
# Asks a launcher to kill the whole tree at once. A real-time signal, since apps give the others a meaning of their own.
KILL_TREE = signal.SIGRTMAX
LOCK_WAIT_S = 10.0
# In place of a SPEC: the program is one of ours, and only yields.
YIELD = "yield:"
# In place of a SPEC, with a descriptor: nothing is run, a network is made.
NETWORK = "network:"
# What a network is called that is joined: descriptors of its namespaces follow, outer ones first, with commas.
SHARED = "shared:"
CHECK_OOM_ADJ, YIELDING_OOM_ADJ = 900, 300
# Not more, and not SCHED_IDLE: beside a few busy programs of others a check would then come to no end.
NICE = 10

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>: the same numbers on every architecture.
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x00020000, 0x08000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 1024, 2048, 4096, 16384
MS_SLAVE, MS_RELATIME, MNT_DETACH = 1 << 19, 1 << 21, 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 8, 47, 2
# <linux/capability.h>
CAPABILITY_VERSION_3, CAP_NET_BIND_SERVICE = 0x20080522, 10
MOUNT_FLAGS = {
    b"ro": MS_RDONLY,
    b"nosuid": MS_NOSUID,
    b"nodev": MS_NODEV,
    b"noexec": MS_NOEXEC,
    b"noatime": MS_NOATIME,
    b"nodiratime": MS_NODIRATIME,
    b"relatime": MS_RELATIME,
}

FORWARDED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
WATCHED = (*FORWARDED, signal.SIGCHLD, KILL_TREE)

SYSTEM_DIRECTORIES = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
ETC_DIRECTORIES = ("ssl", "pki", "ca-certificates", "alternatives", "ld.so.conf.d")
ETC_FILES = (
    "ca-certificates.conf",
    "gai.conf",
    "host.conf",
    "hosts",
    "ld.so.cache",
    "ld.so.conf",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "protocols",
    "resolv.conf",
    "services",
    "timezone",
)
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launch.py")
OLD, NEW = "/oldroot", "/newroot"
# Never bound, nor what lies in them: the host's processes, devices, kernel and sockets.
CLOSED = ("/proc", "/sys", "/dev", "/run", "/boot")
libc = ctypes.CDLL(None, use_errno=True)


class SetupError(Exception):
    """The sandbox cannot be built; nothing of the app has run."""


class Bind(NamedTuple):
    """One file or directory of the host, seen at `target` inside. `descriptor` holds what was asked for, opened."""

    source: str
    target: str
    read_only: bool
    descriptor: int | None = None

    @property
    def is_directory(self) -> bool:
        if self.descriptor is None:
            return os.path.isdir(OLD + self.source)
        return stat.S_ISDIR(os.fstat(self.descriptor).st_mode)

    @property
    def place(self) -> str:
        """Return where the host's root is under OLD and the source there; what was opened cannot be exchanged."""
        return OLD + (self.source if self.descriptor is None else f"/proc/self/fd/{self.descriptor}")


class Spec:
    """What host/sandbox/run.py asks for; every path is absolute. `uid` None keeps ours.

    `groups` are the `cgroup.procs` that the app enters (`entries`: opened); `yields` puts it behind what serves;
    `processes` is the most of the whole uid, `memory_bytes` the most in the private /tmp and /dev/shm each.
    `exact`: no source may have a symbolic link in its path. Without it links are followed, as descriptions say
    that were written before there was the word.
    `public`: the router, which may listen on low ports and open its own output.
    """

    def __init__(
        self,
        isolation: str,
        env: dict[str, str],
        cwd: str,
        uid: int | None = None,
        gid: int | None = None,
        read_only: Sequence[Sequence[str]] = (),
        writable: Sequence[Sequence[str]] = (),
        network: str = "host",
        parent: int | None = None,
        report_fd: int | None = None,
        lock: str | None = None,
        groups: Sequence[str] = (),
        yields: bool = False,
        processes: int | None = None,
        memory_bytes: int | None = None,
        exact: bool = False,
        public: bool = False,
    ) -> None:
        self.isolation, self.env, self.cwd, self.uid, self.gid = isolation, env, cwd, uid, gid
        self.read_only, self.writable, self.exact = read_only, writable, exact
        self.public = public
        self.network, self.parent, self.report_fd, self.lock = network, parent, report_fd, lock
        self.groups, self.yields, self.processes, self.memory_bytes = groups, yields, processes, memory_bytes
        self.entries: list[int] = []


# ---- system calls


def _call(name: str, *arguments: Any, about: str = "") -> None:
    if getattr(libc, name)(*arguments) != 0:
        problem = os.strerror(ctypes.get_errno())
        raise SetupError(f"{name} {about}: {problem}".replace(" :", ":"))


def prctl(option: int, *values: int) -> None:
    padded = [*values, 0, 0, 0][:4]
    _call("prctl", option, *map(ctypes.c_ulong, padded), about=str(option))


def unshare(flags: int) -> None:
    _call("unshare", flags, about=hex(flags))


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    _call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        data.encode() or None,
        about=f"{source or kind} on {target.removeprefix(NEW)}",
    )


# ---- the root that the app sees


def system_binds() -> tuple[list[Bind], dict[str, str], dict[str, bytes]]:
    """Return the host's programs and libraries: (binds, symbolic links by path, file contents by path)."""
    binds: list[Bind] = []
    links: dict[str, str] = {VAR_TMP: TMP}
    files: dict[str, bytes] = {}
    for name in SYSTEM_DIRECTORIES:
        path = f"/{name}"
        if os.path.islink(path):
            links[path] = os.readlink(path)
        elif os.path.isdir(path):
            binds.append(Bind(path, path, True))
    for name in ETC_DIRECTORIES:
        if os.path.isdir(f"/etc/{name}"):
            binds.append(Bind(os.path.realpath(f"/etc/{name}"), f"/etc/{name}", True))
    for name in ETC_FILES:
        real = os.path.realpath(f"/etc/{name}")
        if real.startswith("/usr/"):
            # kept as a link: tzlocal and others read the zone's name from where localtime points
            links[f"/etc/{name}"] = real
        elif os.path.isfile(real):
            with open(real, "rb") as file:
                files[f"/etc/{name}"] = file.read()
    return binds, links, files


def asked_binds(spec: Spec) -> list[Bind]:
    """Return what the caller binds, outer directories first, each opened; a source elsewhere than its target also at
    its own path. Raises SetupError for what is absent, closed to everybody or behind a symbolic link.
    """
    found: dict[str, Bind] = {}
    for pairs, read_only in ((spec.read_only, True), (spec.writable, False)):
        for source, target in pairs:
            real = source if spec.exact else os.path.realpath(source)
            refuse_closed(real)
            descriptor = open_exactly(real)
            for place in (target, real):
                found[place] = Bind(real, place, read_only, descriptor)
    return sorted(found.values(), key=lambda bind: bind.target.count("/"))


def refuse_closed(path: str) -> None:
    """Raise SetupError for a path that no program is given: the root, what Linux makes up, what daemons listen on."""
    plain = path.startswith("/") and not path.startswith("//") and os.path.normpath(path) == path
    if not plain or path == "/" or any(path == closed or path.startswith(closed + "/") for closed in CLOSED):
        raise SetupError(f"cannot bind {path}: no sandbox is given that part of the host")


def open_exactly(path: str) -> int:
    """Return a descriptor (O_PATH) of a file or directory to which no symbolic link leads. Raises SetupError."""
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.open("/", flags)
    for name in path.strip("/").split("/"):
        try:
            below = os.open(name, flags, dir_fd=here)
        except OSError as error:
            raise SetupError(f"cannot bind {path}: {name}: {os.strerror(error.errno or 0).lower()}") from error
        finally:
            os.close(here)
        here = below
        if stat.S_ISLNK(os.fstat(here).st_mode):
            raise SetupError(f"cannot bind {path}: a symbolic link stands in its path: {name}")
    return here


def accounts(uid: int, gid: int) -> dict[str, bytes]:
    passwd = ["root:x:0:0:root:/root:/usr/sbin/nologin"]
    group = ["root:x:0:"]
    if uid not in (0, 65534):
        passwd.append(f"app:x:{uid}:{gid}:app:/tmp/home:/bin/sh")
    if gid not in (0, 65534):
        group.append(f"app:x:{gid}:")
    passwd.append("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin")
    group.append("nogroup:x:65534:")
    return {"/etc/passwd": "\n".join([*passwd, ""]).encode(), "/etc/group": "\n".join([*group, ""]).encode()}


def build_root(spec: Spec) -> None:
    """Replace the root of this mount namespace; afterwards nothing of the host is reachable but what was bound."""
    binds, links, files = system_binds()
    files |= accounts(os.geteuid() if spec.uid is None else spec.uid, _group(spec))
    binds += asked_binds(spec)
    mount("", "/", flags=MS_SLAVE | MS_REC)
    mount("tmpfs", TMP, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    os.mkdir(TMP + OLD)
    os.mkdir(TMP + NEW)
    mount("tmpfs", TMP + NEW, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")
    _call("pivot_root", os.fsencode(TMP), os.fsencode(TMP + OLD), about=TMP)
    os.chdir("/")
    _build_devices(spec)
    os.mkdir(NEW + "/proc")
    mount("proc", NEW + "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.mkdir(NEW + TMP)
    mount("tmpfs", NEW + TMP, "tmpfs", MS_NOSUID | MS_NODEV, _scratch_options(spec))
    for path, target in links.items():
        os.makedirs(os.path.dirname(NEW + path), exist_ok=True)
        os.symlink(target, NEW + path)
    for path, content in files.items():
        os.makedirs(os.path.dirname(NEW + path), exist_ok=True)
        with open(NEW + path, "wb") as file:
            file.write(content)
    for bind in binds:
        _bind(bind)
    for descriptor in {bind.descriptor for bind in binds if bind.descriptor is not None}:
        os.close(descriptor)  # they lead out of the new root
    _restrict(binds)
    make_home(spec, NEW)
    mount("", NEW, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    _call("umount2", os.fsencode(OLD), MNT_DETACH, about=OLD)
    os.chdir(NEW)
    _call("pivot_root", b".", b".", about=NEW)
    _call("umount2", b".", MNT_DETACH, about=NEW)
    os.chdir("/")


def _group(spec: Spec) -> int:
    return os.getegid() if spec.gid is None else spec.gid


def _scratch_options(spec: Spec) -> str:
    return "mode=1777" + (f",size={spec.memory_bytes}" if spec.memory_bytes else "")


def _build_devices(spec: Spec) -> None:
    os.mkdir(NEW + "/dev")
    for name in DEVICES:
        if os.path.exists(f"{OLD}/dev/{name}"):
            _touch(f"{NEW}/dev/{name}")
            mount(f"{OLD}/dev/{name}", f"{NEW}/dev/{name}", flags=MS_BIND)
    for name, target in DEVICE_LINKS.items():
        os.symlink(target, f"{NEW}/dev/{name}")
    os.mkdir(NEW + SHM)
    mount("tmpfs", NEW + SHM, "tmpfs", MS_NOSUID | MS_NODEV, _scratch_options(spec))
    os.mkdir(NEW + "/dev/pts")
    pts = "newinstance,ptmxmode=0666,mode=0620"
    mount("devpts", NEW + "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, pts)


def _bind(bind: Bind) -> None:
    target = NEW + bind.target
    # A directory that the app may write could hold a link here, laid by an earlier run to have us mount elsewhere.
    if os.path.realpath(target) != os.path.normpath(target):
        raise SetupError(f"cannot bind {bind.target}: a symbolic link stands in its path")
    if bind.is_directory:
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _touch(target)
    mount(bind.place, target, flags=MS_BIND | MS_REC)


def _restrict(binds: Sequence[Bind]) -> None:
    """Make what was bound free of devices and set-uid programs, and read-only where asked, mounts below included."""
    with open(OLD + "/proc/self/mountinfo", "rb") as file:
        lines = file.read().splitlines()
    for line in lines:
        fields = line.split(b" ")
        where = os.fsdecode(re.sub(rb"\\([0-7]{3})", _octal, fields[4]))
        owner = _innermost(binds, where.removeprefix(NEW)) if where.startswith(NEW + "/") else None
        if owner is None:
            continue
        flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | (MS_RDONLY if owner.read_only else 0)
        for option in fields[5].split(b","):
            flags |= MOUNT_FLAGS.get(option, 0)
        mount("", where, flags=flags)


def _octal(match: "re.Match[bytes]") -> bytes:
    return bytes([int(match[1], 8)])


def _innermost(binds: Sequence[Bind], path: str) -> Bind | None:
    around = [b for b in binds if path == b.target or path.startswith(b.target.rstrip("/") + "/")]
    return max(around, key=lambda bind: len(bind.target), default=None)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def make_home(spec: Spec, root: str = "") -> None:
    """Give the app a HOME that it may write when none was given, or when the given one lies in its private /tmp."""
    home = spec.env.setdefault("HOME", TMP + "/home")
    if home.startswith(TMP + "/") and not os.path.exists(root + home):
        os.makedirs(root + home)
        os.chmod(root + home, 0o700)
        if spec.uid is not None:
            os.chown(root + home, spec.uid, _group(spec))


def raise_loopback() -> None:
    """Bring up `lo` in a fresh network namespace (ioctl SIOCGIFFLAGS and SIOCSIFFLAGS, IFF_UP)."""
    import socket  # what few sandboxes need is loaded by them: each start pays for it

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, 0x8913, struct.pack("16sH14x", b"lo", 0))
        flags = struct.unpack("16sH14x", request)[1]
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", flags | 1))


# ---- processes


def attend(child: int, kill_tree: Callable[[], None]) -> int:
    """Collect children and forward signals until `child` ends; return its exit status, 128+n for signal n."""
    while True:
        number = signal.sigwait(WATCHED)
        if number == KILL_TREE:
            kill_tree()
        elif number != signal.SIGCHLD:
            _send(child, number)
        else:
            for pid, code in _collect():
                if pid == child:
                    return code if code >= 0 else 128 - code


def _collect() -> list[tuple[int, int]]:
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def descendants(ancestor: int) -> list[int]:
    """Return the process ids that descend from `ancestor`, read from /proc/*/stat; those that are ending included."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    pending = [ancestor]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def signal_descendants() -> None:
    for pid in descendants(os.getpid()):
        _send(pid, signal.SIGKILL)


def kill_descendants() -> None:
    """Kill and collect everything that descends from us; what detached itself came back to us as its subreaper."""
    until = time.monotonic() + 5
    while descendants(os.getpid()) and time.monotonic() < until:
        signal_descendants()
        _collect()
        time.sleep(0.01)


def take_place(spec: Spec) -> None:
    """Enter the groups that the app is limited in, and step behind what serves. Raises SetupError when it cannot."""
    for descriptor in spec.entries:
        try:
            os.write(descriptor, b"0")
        except OSError as error:
            raise SetupError(f"cannot enter its control group: {error.strerror}") from error
    if spec.yields:
        prctl(PR_SET_DUMPABLE, 1)  # else the files below are root's; what we hold is the app's own
        step_back(CHECK_OOM_ADJ)
    if spec.processes is not None and spec.uid is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (spec.processes, spec.processes))


def step_back(oom_score_adj: int) -> None:
    """Weigh a ninth of what serves, also where Linux weighs sessions, and be among the first to be ended for want of
    memory. What this kernel does not have is left out; who may not raise priorities cannot undo it.
    """
    for file, value in (("autogroup", NICE), ("oom_score_adj", oom_score_adj)):
        for _ in range(5):  # a user's changes of autogroups are at least 0.1 s apart
            try:
                with open(f"/proc/self/{file}", "w", encoding="ascii") as opened:
                    opened.write(str(value))
            except BlockingIOError:
                time.sleep(0.1)
                continue
            except OSError:
                pass
            break
    os.nice(NICE)


def yielding_command(entry: str, command: list[str]) -> list[str]:
    """Return the command that runs one of our own behind what serves; `entry` is the `cgroup.procs` of its group."""
    return [sys.executable, "-I", "-S", START, f"{YIELD}{entry}", "--", *command]


def network_command(descriptor: int) -> list[str]:
    """Return the command that makes a network of its own and sends it through a socket that it inherits."""
    return [sys.executable, "-I", "-S", START, f"{NETWORK}{descriptor}"]


def make_network(descriptor: int) -> NoReturn:
    """Make a network with nothing but a loopback, send what opens it to who asked, and end."""
    import socket

    try:
        unshare_as_ourselves(CLONE_NEWNET)
        raise_loopback()
        owner = [] if os.geteuid() == 0 else ["user"]
        opened = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in (*owner, "net")]
        with socket.socket(fileno=descriptor) as asker:
            socket.send_fds(asker, [b"n"], opened)
    except (SetupError, OSError) as error:
        tell(str(error), None)
        os._exit(SETUP_FAILED)
    os._exit(0)


def become_yielding(entry: str, command: list[str]) -> NoReturn:
    """Become a program of ours, as ourselves, in a session of its own. What cannot be had of it is left out."""
    if os.getpgrp() != os.getpid():
        os.setsid()
    try:
        if entry:
            with open(entry, "w", encoding="ascii") as group:
                group.write("0")
    except OSError:
        pass
    step_back(YIELDING_OOM_ADJ)
    try:
        os.execvp(command[0], command)  # nosec B606
    except OSError as error:
        tell(f"cannot run {command[0]}: {error.strerror}", None)
        os._exit(127)


def give_output(uid: int, gid: int) -> None:
    """Let the program open its output by name (/dev/stdout), as one in a container may: Envoy does."""
    for descriptor in (1, 2):
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(kind) or stat.S_ISREG(kind):
            os.fchown(descriptor, uid, gid)


def become(uid: int, gid: int, public: bool) -> None:
    """Become another user, who keeps no privilege, or that of the router."""
    if public:
        give_output(uid, gid)
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if public:
        keep_low_ports()


def keep_low_ports() -> None:
    """Keep one capability over the change of uid and the start of the program: ports below 1024 (capabilities(7))."""
    wanted = 1 << CAP_NET_BIND_SERVICE
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    _call("capset", header, struct.pack("6I", wanted, wanted, wanted, 0, 0, 0))
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE)


def become_app(spec: Spec, command: list[str]) -> NoReturn:
    """Give up every privilege and become the app's program. Raises SetupError when it cannot be started."""
    launcher = os.getppid()
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o022)
    take_place(spec)
    if spec.uid is not None:
        become(spec.uid, _group(spec), spec.public)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    if system_calls.supported():
        system_calls.restrict()
    if spec.isolation != "namespaces":
        # after the change of uid, which clears it
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != launcher:
            os._exit(SETUP_FAILED)
    try:
        os.chdir(spec.cwd)
    except OSError as error:
        raise SetupError(f"cannot enter {spec.cwd} as uid {os.geteuid()}: {error.strerror}") from error
    try:
        os.execvpe(command[0], command, spec.env)
    except OSError as error:
        raise SetupError(f"cannot run {command[0]} as uid {os.geteuid()}: {error.strerror}") from error


def guarded(spec: Spec, work: Callable[[], int]) -> NoReturn:
    """Do `work` in a forked process and end it with what it returns; tell a failed setup to who asked for it."""
    try:
        os._exit(work())
    except (SetupError, OSError, ValueError) as error:
        tell(str(error), spec.report_fd)
    os._exit(SETUP_FAILED)


def fork(spec: Spec, work: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        guarded(spec, work)
    return pid


def tell(message: str, report_fd: int | None) -> None:
    line = f"sandbox: {message}\n".encode(errors="replace")
    os.write(2, line)
    if report_fd is not None:
        os.write(report_fd, line)


def unshare_as_ourselves(flags: int) -> None:
    """Enter new namespaces; unless we are root also one of users, in which we are who we were."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(flags if uid == 0 else flags | CLONE_NEWUSER)
    if uid != 0:
        maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
        for name, content in maps.items():
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(content)


def shared_namespaces(spec: Spec) -> list[int]:
    """Return the descriptors of the network that others share; none when it has another."""
    return [int(word) for word in spec.network.removeprefix(SHARED).split(",")] if SHARED in spec.network else []


def join_network(spec: Spec) -> None:
    """Enter the network that others share. Raises SetupError when it is gone: the host's is no substitute."""
    for descriptor in shared_namespaces(spec):
        _call("setns", descriptor, 0, about="a shared network")
        os.close(descriptor)


def in_namespaces(spec: Spec, command: list[str]) -> int:
    join_network(spec)
    unshare_as_ourselves(CLONE_NEWPID)
    die_with(spec)
    alive, ours = os.pipe()

    def init() -> int:
        os.close(ours)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if select.select([alive], [], [], 0)[0]:
            return SETUP_FAILED  # the launcher died before we asked to die with it
        os.close(alive)
        unshare(CLONE_NEWNS | CLONE_NEWIPC | (CLONE_NEWNET if spec.network == "loopback" else 0))
        if spec.network == "loopback":
            raise_loopback()
        build_root(spec)
        prctl(PR_SET_DUMPABLE, 0)  # without user change the app could read our memory and environment
        app = fork(spec, lambda: become_app(spec, command))
        return attend(app, lambda: None)

    pid = fork(spec, init)
    return attend(pid, lambda: _send(pid, signal.SIGKILL))


def without_namespaces(spec: Spec, command: list[str]) -> int:
    import shutil
    import tempfile

    prctl(PR_SET_CHILD_SUBREAPER, 1)
    die_with(spec)
    own_home = None if "HOME" in spec.env else tempfile.mkdtemp(prefix="home-")
    if own_home:
        spec.env["HOME"] = own_home
        if spec.uid is not None:
            os.chown(own_home, spec.uid, _group(spec))
    app = fork(spec, lambda: become_app(spec, command))
    status = attend(app, signal_descendants)
    kill_descendants()
    if own_home:
        shutil.rmtree(own_home, ignore_errors=True)
    return status


def die_with(spec: Spec) -> None:
    if spec.parent is not None:
        prctl(PR_SET_PDEATHSIG, KILL_TREE)
        if os.getppid() != spec.parent:
            raise SetupError("the process that asked for it has ended")


def hold_lock(path: str) -> int:
    """Lock a file for as long as any process of the app lives; wait for a predecessor to end.

    Process 1 of a sandbox holds it, which the app's processes do not outlive. Without one they inherit it, to read;
    then they could let it go.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise SetupError(f"{path} is locked: another one is running") from error
            time.sleep(0.05)
        else:
            return descriptor


def read_spec(where: str) -> Spec:
    if where.startswith("fd:"):
        with open(int(where[3:]), encoding="utf-8") as file:
            return Spec(**json.load(file))
    with open(where, encoding="utf-8") as file:
        return Spec(**json.load(file))


def close_others(kept: set[int | None]) -> None:
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor > 2 and descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                pass  # the one that listed the directory


def main(arguments: list[str]) -> NoReturn:
    if len(arguments) > 2 and arguments[0].startswith(YIELD):
        become_yielding(arguments[0].removeprefix(YIELD), arguments[2:])
    if arguments and arguments[0].startswith(NETWORK):
        make_network(int(arguments[0].removeprefix(NETWORK)))
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    if len(arguments) < 3 or arguments[1] != "--":
        tell("usage: launch.py SPEC -- program argument...", None)
        os._exit(SETUP_FAILED)
    try:
        spec = read_spec(arguments[0])
    except (OSError, ValueError, TypeError) as error:
        tell(f"cannot read {arguments[0]}: {error}", None)
        os._exit(SETUP_FAILED)
    os.umask(0o022)
    close_others({spec.report_fd, *shared_namespaces(spec)})
    if spec.report_fd is not None:
        os.set_inheritable(spec.report_fd, False)
    run = in_namespaces if spec.isolation == "namespaces" else without_namespaces

    def work() -> int:
        if spec.lock is not None:
            os.set_inheritable(hold_lock(spec.lock), spec.isolation != "namespaces")
        if spec.isolation != "namespaces" and spec.network != "host":
            raise SetupError(f"a network of its own needs isolation 'namespaces', not {spec.isolation!r}")
        spec.entries = [os.open(group, os.O_WRONLY | os.O_CLOEXEC) for group in spec.groups]
        return run(spec, arguments[2:])

    guarded(spec, work)
