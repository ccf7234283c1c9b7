"""A package, a commit or a running app tries to widen its sandbox, or to use the kernel's rarer parts."""

import json
import os
import socket
import stat
import sys
import textwrap
import threading
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from host.errors import ConfigError, ToolError
from host.home import CHECKOUT, Home
from host.sandbox import launcher
from host.sandbox import run as sandbox
from host.sandbox import system_calls
from host.sandbox.run import Isolation, Sandbox
from host.sandbox.uids import environment_uid
from host.virtual_environments import interpreter, make_venv
from tasks.scans.tools import output_folder, run_tool
from tasks.source.git import Source
from tasks.source.workspace import Workspace

CANARY = "canary-of-keys"
LEVEL = sandbox.available()
PYTHON = str(Path(sys.base_prefix) / "bin" / "python3")
only_namespaces = pytest.mark.skipif(LEVEL is not Isolation.NAMESPACES, reason="this host permits no namespaces")
only_filtered = pytest.mark.skipif(not system_calls.supported(), reason="this machine has no filter of system calls")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory with a key in it."""
    root = tmp_path / "state"
    for name in ("keys", "work/run/source", "cache/environments", "bin", "environments/production"):
        (root / name).mkdir(parents=True)
    (root / "keys" / "prefect-auth").write_text(CANARY)
    monkeypatch.setenv("SLIPWAY_HOME", str(root))
    return root


def wheel(folder: Path, files: Mapping[str, str], links: Mapping[str, str]) -> Path:
    """Make a lock and the wheel that it names; `files` and `links` go to the environment's own folder."""
    content = {
        "evil-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: evil\nVersion: 1\n",
        "evil-1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    } | {f"evil-1.data/data/{name}": text for name, text in files.items()}
    linked = {f"evil-1.data/data/{name}": target for name, target in links.items()}
    rows = [f"{name},sha256={_digest(text)},{len(text)}" for name, text in (content | linked).items()]
    content["evil-1.dist-info/RECORD"] = "\n".join([*rows, "evil-1.dist-info/RECORD,,"]) + "\n"
    folder.mkdir()
    file = folder / "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
        for name, text in linked.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, text)
    lock = folder / "lock"
    lock.write_text(f"evil==1 --hash=sha256:{sha256(file.read_bytes()).hexdigest()}\n")
    return lock


def _digest(text: str) -> str:
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def environment(home: Path, tmp_path: Path, files: Mapping[str, str], links: Mapping[str, str]) -> Path:
    """Make an environment as a check's is made, with an app's hash-locked package."""
    directory = home / "cache" / "environments" / "0123"
    lock = wheel(tmp_path / "wheels", files, links)
    python = interpreter(f"{sys.version_info.major}.{sys.version_info.minor}")
    make_venv(directory, python, lock, lock.parent, tmp_path / "uv")
    return directory


def run_in(environment: Path, home: Path, code: str) -> str:
    """Run code of the app by the environment's own Python, which needs no more to start, and return what it printed."""
    done = sandbox.run(
        [str(environment / "bin" / "python"), "-c", textwrap.dedent(code)],
        cwd=Path("/"),
        env={"PATH": "/usr/bin:/bin", "PYTHONHOME": sys.base_prefix},
        sandbox=Sandbox(LEVEL, read_only=(environment,), writable=(home / "work" / "run" / "source",)),
        timeout_s=600,
    )
    return done.output


@pytest.mark.parametrize(
    ("files", "links", "named"),
    [
        ({"pyvenv.cfg": "home = /proc/x\nversion = 3.11\n"}, {}, "pyvenv.cfg"),
        ({".complete": ""}, {}, ".complete"),
        ({}, {"lib/keys": "../../../../keys"}, None),
        ({}, {"pyvenv.cfg": "/etc/passwd"}, None),
    ],
    ids=["a configuration", "a mark of ours", "a link", "a configuration that is a link"],
)
def test_a_package_cannot_write_what_is_ours_in_its_environment(
    files: dict[str, str], links: dict[str, str], named: str | None, home: Path, tmp_path: Path
) -> None:
    try:
        made = environment(home, tmp_path, files, links)
    except ToolError as refusal:
        assert named is None or named in str(refusal)
    else:
        assert named is None, f"{named} was written over"
        assert not any(os.path.islink(made / name) for name in links), "a link was installed"


@only_namespaces
def test_what_an_environment_says_of_its_interpreter_binds_nothing(home: Path, tmp_path: Path) -> None:
    """The environment is one that an older version made, without looking."""
    made = environment(home, tmp_path, {}, {})
    config = made / "pyvenv.cfg"
    config.chmod(0o644)
    key = home / "keys" / "prefect-auth"
    code = f"""
    import os
    print(os.path.exists({str(key)!r}), os.path.exists("/run"), os.path.exists("/sys"),
          len([name for name in os.listdir("/proc") if name.isdigit()]))
    """
    for where in (home / "bin", home / "keys" / "x", "/proc/x", "/run/x", "/sys/x"):
        config.write_text(f"home = {where}\nversion = 3.11\n")
        assert run_in(made, home, code).split() == ["False", "False", "False", "2"], where


@only_namespaces
def test_a_record_in_the_apps_own_tree_is_not_believed(home: Path) -> None:
    source = home / "work" / "run" / "source"
    (source / "tools").mkdir()
    (source / "tools.prefix").write_text(f"{home / 'bin'}\n")
    (source / "tools" / "pyvenv.cfg").write_text(f"home = {home / 'bin' / 'x'}\n")
    done = sandbox.run(
        [PYTHON, "-c", f"print(open({str(home / 'keys' / 'prefect-auth')!r}).read())"],
        cwd=source,
        env={},
        sandbox=Sandbox(LEVEL, read_only=(source / "tools",)),
        timeout_s=600,
    )
    assert CANARY not in done.output and "No such file" in done.output


@only_namespaces
@pytest.mark.parametrize("lead", ["{home}/keys", "{home}", "/proc", "/"])
def test_a_link_that_takes_the_place_of_a_bind_is_refused(lead: str, home: Path) -> None:
    laid = home / "work" / "run" / "source" / "report"
    laid.symlink_to(lead.format(home=home))
    with pytest.raises(ToolError, match=r"report: a symbolic link"):
        sandbox.run(["true"], cwd=Path("/"), env={}, sandbox=Sandbox(LEVEL, read_only=(laid,)), timeout_s=600)
    with pytest.raises(launcher.SetupError, match=r"symbolic link stands in its path: report"):
        launcher.asked_binds(launcher.Spec("namespaces", {}, "/", read_only=[[str(laid / "x")] * 2], exact=True))


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/proc", "/proc/1", "/sys", "/sys/fs/cgroup", "/dev", "/dev/shm", "/run", "/run/docker.sock", "/boot"),
        *("/etc", "/root", "/root/.ssh", "/home", "/var", "/tmp", "/usr/../root"),
        *(
            "{home}",
            "{home}/..",
            "{home}/keys",
            "{home}/keys/prefect-auth",
            "{home}/work",
            "{home}/cache",
            "{home}/bin",
        ),
        *("{home}/environments/production", "{home}/environments/production/secrets", "{home}/work/../keys"),
        *("{home}/installed", "{home}/store/blobs", "{home}/control/run", "{home}/environments/production/run"),
        *("{checkout}", "{checkout}/..", "{checkout}/.env", "{checkout}/config", "{checkout}/.git"),
    ],
)
@pytest.mark.parametrize("how", ["read_only", "writable"])
def test_what_is_not_ours_to_give_is_refused(path: str, how: str, home: Path) -> None:
    asked = Path(path.format(home=home, checkout=CHECKOUT))
    box = Sandbox(LEVEL, **{how: (asked,)})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="given to no sandbox"):
        sandbox.run(["true"], cwd=Path("/"), env={}, sandbox=box, timeout_s=600)


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self", "/sys/kernel", "/dev", "/run", "/tmp/../proc", "//proc"])
def test_the_launcher_refuses_it_whoever_asks(path: str) -> None:
    for exact in (True, False):
        spec = launcher.Spec("namespaces", {}, "/", writable=[[path, "/x"]], exact=exact)
        with pytest.raises(launcher.SetupError, match="no sandbox is given"):
            launcher.asked_binds(spec)


# ---- other environments

READER = """
import os, sys
for name in filter(str.isdigit, os.listdir("/proc")):
    for part in ("environ", "maps", "root/etc/hostname", "fd"):
        path = f"/proc/{name}/{part}"
        try:
            seen = os.listdir(path) if part == "fd" else open(path, "rb").read()
        except OSError:
            continue
        try:
            mark = sys.argv[1] in open(f"/proc/{name}/cmdline").read() and int(name) != os.getpid()
        except OSError:
            continue
        if mark:
            print("reached", part, seen[:200])
print("looked")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs environments as users of their own")
@pytest.mark.parametrize("reader", ["staging", "a check"])
def test_no_app_reads_the_processes_of_another_environment(reader: str, home: Path) -> None:
    """On the level without namespaces, where all processes of the host are in sight."""
    state = Home(home)
    mark = f"victim-{os.getpid()}"
    victim = Sandbox(Isolation.UID, uid=environment_uid(state, "production"))
    uid = sandbox.CHECK_UID if reader == "a check" else environment_uid(state, reader)
    system = next(path for path in (PYTHON, "/usr/bin/python3") if os.stat("/root").st_mode & 1 or "/root" not in path)
    up, stop = threading.Event(), threading.Event()
    code = "import sys, time; print('up', flush=True); time.sleep(600)"
    with ThreadPoolExecutor() as pool:
        serving = pool.submit(
            sandbox.run,
            *([system, "-c", code, mark],),
            cwd=Path("/"),
            env={"DATABASE_URL": CANARY},
            sandbox=victim,
            timeout_s=600,
            on_output=lambda text: up.set(),
            cancelled=stop,
        )
        try:
            assert up.wait(120)
            box = Sandbox(Isolation.UID, uid=uid)
            done = sandbox.run([system, "-c", READER, mark], cwd=Path("/"), env={}, sandbox=box, timeout_s=600)
        finally:
            stop.set()
        serving.result(30)
    assert done.output == "looked\n"


def test_an_environment_keeps_its_uid_and_none_gets_it_after_it(home: Path) -> None:
    state = Home(home)
    uids = {name: environment_uid(state, name) for name in ("development", "staging", "production")}
    assert len({*uids.values(), sandbox.APP_UID, sandbox.CHECK_UID, 0}) == 6
    assert {name: environment_uid(state, name) for name in reversed(uids)} == uids
    file = home / "uids.json"
    assert file.stat().st_mode & 0o777 == 0o600
    contents: list[object] = [{"staging": 0}, {"staging": "64110"}, {"staging": 64110, "qa": 64110}, []]
    for content in contents:
        file.write_text(json.dumps(content))
        with pytest.raises(ConfigError, match="uids.json"):
            environment_uid(state, "staging")


# ---- system calls

KERNEL = """
import ctypes, errno, json, mmap, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments)) >= 0:
        return "permitted"
    return errno.errorcode[ctypes.get_errno()]

def sock(family, kind):
    try:
        socket.socket(family, kind).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "permitted"

def by_32_bits():
    # mov eax, 20 (getpid); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3]))
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    answer = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return "permitted" if answer >= 0 else errno.errorcode[-answer]

numbers, x86 = json.loads(sys.argv[1]), sys.argv[2] == "x86_64"
# Arguments that no call accepts: without the filter nothing must happen to this machine.
seen = {name: call(number, *[2**64 - 1] * 5) for name, number in numbers.items()}
clone, unshare = (56, 272) if x86 else (220, 97)
for name, flag in (("user", 0x10000000), ("mount", 0x20000), ("pid", 0x20000000), ("net", 0x40000000),
                   ("ipc", 0x8000000), ("uts", 0x4000000), ("cgroup", 0x2000000)):
    seen[f"unshare {name}"] = call(unshare, flag)
    seen[f"unshare {name} and files"] = call(unshare, flag | 0x400)
    seen[f"clone {name}"] = call(clone, flag | 17, 0, 0, 0, 0)
seen["unshare time"] = call(unshare, 0x80)
seen |= {f"socket {family} {kind}": sock(family, kind) for family, kind in (
    (2, 3), (10, 3), (2, 10), (17, 3), (17, 2), (38, 5), (40, 1), (29, 3))}
seen["ioctl TIOCSTI"] = call(16 if x86 else 29, 0, 0x5412, 0)
if x86:
    seen["getpid by x32"] = call(0x40000000 | 39)
    seen["getpid by int 0x80"] = by_32_bits()
for words in (["unshare", "-Ur", "true"], ["unshare", "--net", "true"]):
    seen[" ".join(words)] = "permitted" if subprocess.run(words, capture_output=True).returncode == 0 else "EPERM"
seen["ordinary"] = [sock(2, 1), sock(10, 2), sock(1, 1), sock(16, 3), call(unshare, 0x400)]
print(json.dumps(seen))
"""


@only_filtered
@pytest.mark.parametrize("level", [LEVEL, Isolation.NONE], ids=["best level", "no isolation"])
def test_the_kernels_rarer_parts_are_refused(level: Isolation, tmp_path: Path) -> None:
    machine = os.uname().machine
    column = system_calls.ARCHITECTURES[machine][1]
    calls = system_calls.REFUSED | system_calls.ABSENT
    numbers = {name: pair[column] for name, pair in calls.items() if pair[column] is not None}
    for name in ("ptrace", "keyctl", "bpf", "io_uring_setup", "userfaultfd", "mount", "process_vm_readv", "clone3"):
        assert name in numbers
    done = sandbox.run(
        [PYTHON, "-c", KERNEL, json.dumps(numbers), machine],
        cwd=Path("/"),
        env={"PATH": "/usr/bin:/bin"},
        sandbox=Sandbox(level),
        timeout_s=600,
    )
    seen = json.loads(done.output.splitlines()[-1])
    assert seen.pop("ordinary") == ["permitted"] * 5
    refusals = {"EPERM", "ENOSYS", "EAFNOSUPPORT"}
    assert {name: answer for name, answer in seen.items() if answer not in refusals} == {}
    assert seen["clone3"] == "ENOSYS" and seen["ptrace"] == "EPERM"


# ---- scanners, which parse what a commit brings

SCANNER = """#!/usr/bin/env python3
import os, socket, sys
key, mirror, port, report = sys.argv[1:]
for path in (key, mirror, os.path.dirname(os.path.dirname(key)) + "/bin"):
    print(path, "reached" if os.path.exists(path) else "out of sight")
try:
    socket.create_connection(("127.0.0.1", int(port)), timeout=120).close()
    print("network reached")
except OSError:
    print("network out of reach")
print("environment", sorted(os.environ))
os.symlink(key, "laid")
try:
    open(report + "/changed", "w")
    print("tree written")
except OSError:
    print("tree not writable")
"""


@only_namespaces
@pytest.mark.parametrize("network", [False, True], ids=["alone", "with the network"])
def test_a_scanner_that_a_file_takes_over_reaches_nothing(
    network: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", CANARY)
    root = home / "work" / "run"
    tree = root / "tree"
    tree.mkdir()
    program = tmp_path / "scanner"
    program.write_text(SCANNER)
    program.chmod(0o755)
    monkeypatch.setenv("SLIPWAY_SCANNER", str(program))
    mirror, key = home / "cache" / "repositories" / "a.git", home / "keys" / "prefect-auth"
    mirror.mkdir(parents=True)
    workspace = Workspace(root, Source("c" * 40, "1.0", "main", (), root / "source.tar"), root / "environment")
    with socket.create_server(("127.0.0.1", 0)) as server:
        said = run_tool(
            [str(program), str(key), str(mirror), str(server.getsockname()[1]), str(tree)],
            workspace=workspace,
            out=output_folder(root / "scan"),
            reads=(tree,),
            timeout_s=600,
            exits=(0,),
            network=network,
        )
    assert said.count("out of sight") == 3 and "tree not writable" in said
    assert ("network reached" in said) is network
    assert "PREFECT" not in said and CANARY not in said


@pytest.mark.parametrize("place", ["keys", "state", "home"])
def test_no_scanner_is_given_what_is_no_commits(place: str, home: Path, tmp_path: Path) -> None:
    asked = {"keys": home / "keys", "state": home, "home": Path.home()}[place]
    root = home / "work" / "run"
    workspace = Workspace(root, Source("c" * 40, "1.0", "main", (), root / "source.tar"), root / "environment")
    with pytest.raises(ConfigError, match="given to no sandbox"):
        run_tool(
            ["/usr/bin/true"],
            workspace=workspace,
            out=output_folder(root / "scan"),
            reads=(asked,),
            timeout_s=600,
            exits=(0,),
        )
