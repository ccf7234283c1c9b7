"""Hostile app code against every level of isolation that this host permits."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from host.errors import ConfigError, ToolError
from host.ports import free_port
from host.resources.shares import Shares
from host.sandbox import follow as launched
from host.sandbox import run as sandbox
from host.sandbox.run import Completed, Isolation, Network, Sandbox
from tests.waiting import wait_for

CHECKOUT = Path(__file__).resolve().parents[3]
LEVELS = list(Isolation)[list(Isolation).index(sandbox._probe()) :]
if os.geteuid() != 0 and Isolation.UID in LEVELS:
    LEVELS.remove(Isolation.UID)
every_level = pytest.mark.parametrize("level", LEVELS)
only_namespaces = pytest.mark.skipif(Isolation.NAMESPACES not in LEVELS, reason="this host permits no namespaces")


def reachable(path: Path) -> bool:
    """Whether any user of the host can run `path`."""
    real = path.resolve()
    return real.exists() and all(p.stat().st_mode & 0o001 for p in (real, *real.parents))


def python(level: Isolation) -> str:
    """An interpreter that the app can run on that level."""
    own = Path(sys.base_prefix) / "bin" / "python3"
    if level is not Isolation.UID or reachable(own):
        return str(own)
    for candidate in map(Path, ("/usr/bin/python3", "/usr/local/bin/python3")):
        if reachable(candidate):
            return str(candidate)
    pytest.skip(f"{own} is closed to other users and the system brings no other")


def running(token: str) -> list[int]:
    """Process ids on the host with `token` among their arguments, whoever they belong to."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if token.encode() in Path(f"/proc/{name}/cmdline").read_bytes() and int(name) != os.getpid():
                found.append(int(name))
    return found


@pytest.fixture
def ground() -> Iterator[Path]:
    """A directory that others may pass through, unlike tmp_path, with `app` inside that the app may write."""
    path = Path(tempfile.mkdtemp(prefix="ground-"))
    path.chmod(0o755)
    (path / "app").mkdir()
    if os.geteuid() == 0:
        os.chown(path / "app", sandbox.APP_UID, sandbox.APP_UID)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def token(ground: Path) -> str:
    return f"token-{ground.name}"


def script(
    level: Isolation,
    ground: Path,
    code: str,
    *arguments: str,
    timeout_s: float = 60,
    env: dict[str, str] | None = None,
    read_only: tuple[Path, ...] = (),
    network: Network = Network.HOST,
    on_output: Callable[[str], None] | None = None,
    output_limit_bytes: int = 8_000_000,
    cancelled: threading.Event | None = None,
    log: Path | None = None,
    epoch: str | None = None,
) -> Completed:
    return sandbox.run(
        [python(level), "-c", textwrap.dedent(code), *arguments],
        cwd=ground / "app",
        env={"PATH": "/usr/bin:/bin"} | (env or {}),
        sandbox=Sandbox(level, writable=(ground / "app",), read_only=read_only, network=network),
        timeout_s=timeout_s,
        on_output=on_output,
        output_limit_bytes=output_limit_bytes,
        cancelled=cancelled,
        log=log,
        epoch=epoch,
    )


HOSTILE = """
import json, os, socket, sys
key, wall, outside, secret = sys.argv[1:]

def can(act):
    try:
        return bool(act())
    except OSError:
        return False

def environments():
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        if int(name) != os.getpid():
            found.append(can(lambda: secret.encode() in open(f"/proc/{name}/environ", "rb").read()))
    return any(found)

def connect():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(wall)
    return True

print(json.dumps({
    "key": can(lambda: open(key).read()),
    "environment": environments(),
    "parent": can(lambda: open(f"/proc/{os.getppid()}/environ").read()),
    "socket": can(connect),
    "outside": can(lambda: open(outside, "w").write("x")),
    "inside": can(lambda: open("mine", "w").write("x")),
}))
"""
CONTAINED = {"key": False, "environment": False, "parent": False, "socket": False, "outside": False, "inside": True}


@contextlib.contextmanager
def hostile_surroundings(ground: Path) -> Iterator[list[str]]:
    """Yield the hostile script's arguments: a key, a socket, a place to write and a secret in a process of this
    user.
    """
    private = ground / "private"
    private.mkdir(mode=0o700)
    key = private / "key"
    key.write_text("secret key")
    key.chmod(0o600)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(private / "socket"))
        server.listen()
        secret = f"secret-{ground.name}"
        ours = subprocess.Popen(["sleep", "600"], env={"SECRET": secret})
        try:
            yield [str(key), str(private / "socket"), str(private / "laid"), secret]
        finally:
            ours.kill()
            ours.wait()


@every_level
def test_app_gets_at_nothing_of_ours(level: Isolation, ground: Path) -> None:
    with hostile_surroundings(ground) as arguments:
        seen = json.loads(script(level, ground, HOSTILE, *arguments).output)
    if level is Isolation.NONE:
        # what this level does not contain: whatever this user may, the app may
        assert seen == dict.fromkeys(CONTAINED, True)
    else:
        assert seen == CONTAINED


@every_level
def test_environment_is_the_given_one(level: Isolation, ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "1")
    given = {"ODD": "a'b\"c\nd é", "LC_ALL": "C.UTF-8"}
    done = script(level, ground, "import json, os; print(json.dumps(dict(os.environ)))", env=given, epoch="e:1:")
    seen = json.loads(done.output)
    home = seen.pop("HOME")
    assert seen == {"PATH": "/usr/bin:/bin", **given}
    assert not Path(home).exists(), "a home of its own does not outlive the app"


@every_level
def test_app_may_write_its_home(level: Isolation, ground: Path) -> None:
    assert script(level, ground, "from pathlib import Path; (Path.home() / 'x').write_text('x')").returncode == 0


@only_namespaces
def test_app_sees_only_its_own_processes_and_root(ground: Path) -> None:
    code = """
    import json, os
    print(json.dumps({
        "processes": len([n for n in os.listdir("/proc") if n.isdigit()]),
        "root": sorted(os.listdir("/")), "checkout": os.path.exists(CHECKOUT), "uid": os.getuid(),
        "groups": os.getgroups(), "privileges": "NoNewPrivs:\\t1" in open("/proc/self/status").read(),
        "etc": sorted({"shadow", "ssh", "machine-id", "gitconfig", "pip.conf"} & set(os.listdir("/etc"))),
    }))
    """
    done = script(Isolation.NAMESPACES, ground, code.replace("CHECKOUT", repr(str(CHECKOUT / "evidence"))))
    seen = json.loads(done.output)
    assert seen["processes"] == 2  # process 1 and itself
    assert not {"home", "opt", "srv", "sys", "run", "mnt", "boot"} & set(seen["root"])
    assert not seen["checkout"]
    assert seen["privileges"]
    assert seen["etc"] == []
    if os.geteuid() == 0:
        assert seen["uid"] == sandbox.APP_UID
        assert seen["groups"] in ([], [sandbox.APP_UID])


@every_level
def test_no_daemon_survives(level: Isolation, ground: Path, token: str) -> None:
    code = """
    import os, subprocess, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            nap = [sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]]
            subprocess.Popen(nap, start_new_session=True)
            time.sleep(600)
        os._exit(0)
    time.sleep(0.3)
    print("leaving")
    """
    done = script(level, ground, code, token)
    assert (done.returncode, done.output) == (0, "leaving\n")
    wait_for(lambda: not running(token), "its processes end")


@every_level
def test_flood_is_read_but_not_kept(level: Isolation, ground: Path) -> None:
    blocks: list[str] = []
    code = "import sys\nfor _ in range(50): sys.stdout.write('x' * 999_999 + '\\n')\nprint('end')"
    log = ground / "flood.log"
    done = script(level, ground, code, on_output=blocks.append, output_limit_bytes=1_000_000, log=log)
    assert (done.returncode, done.truncated) == (0, True)
    assert len(done.output) == 1_000_000 and done.output.endswith("\nend\n")
    assert log.stat().st_size == 1_000_000
    assert sum(map(len, blocks)) == 1_000_000 and len(blocks) < 200


@every_level
def test_binary_output_is_no_error(level: Isolation, ground: Path) -> None:
    blocks: list[str] = []
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 3 + 'é'.encode() + b'\\xc3')"
    done = script(level, ground, code, on_output=blocks.append, log=ground / "log")
    assert done.returncode == 0
    assert "�" in done.output and "é" in done.output
    assert "".join(blocks) == done.output
    assert (ground / "log").read_bytes().endswith(b"\xc3")


@every_level
@pytest.mark.parametrize("stubborn", [True, False], ids=["ignores TERM", "ends at TERM"])
def test_hanging_app_is_ended(
    level: Isolation, stubborn: bool, ground: Path, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if stubborn:
        monkeypatch.setattr(launched, "TERM_WAIT_S", 0.3)
    code = """
    import os, signal, sys, time
    if sys.argv[1] == "True":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.fork()
    print("hanging", flush=True)
    time.sleep(600)
    """
    done = script(level, ground, code, str(stubborn), token, timeout_s=1.5)
    assert done.timed_out and not done.cancelled
    assert done.returncode == (128 + signal.SIGKILL if stubborn else 128 + signal.SIGTERM)
    assert "hanging" in done.output
    wait_for(lambda: not running(token), "its processes end")


@every_level
def test_app_that_closed_its_output_is_awaited(level: Isolation, ground: Path) -> None:
    done = script(level, ground, "import os, time; os.close(1); os.close(2); time.sleep(0.5); os._exit(5)")
    assert done.returncode == 5


@every_level
def test_cancelling_ends_it(level: Isolation, ground: Path) -> None:
    cancelled = threading.Event()
    code = "print('up', flush=True); import time; time.sleep(600)"
    done = script(level, ground, code, cancelled=cancelled, on_output=lambda text: cancelled.set())
    assert done.cancelled and not done.timed_out
    assert done.returncode == 128 + signal.SIGTERM


@every_level
def test_exception_of_ours_ends_it(level: Isolation, ground: Path, token: str) -> None:
    def fail(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        script(level, ground, "print('up', flush=True); import time; time.sleep(600)", token, on_output=fail)
    wait_for(lambda: not running(token), "its processes end")


@every_level
@pytest.mark.parametrize("code", [0, 3, 97, 127, 255])
def test_exit_status_passes_through(level: Isolation, code: int, ground: Path) -> None:
    assert script(level, ground, "import sys; sys.exit(int(sys.argv[1]))", str(code)).returncode == code


@every_level
def test_death_by_signal_passes_through(level: Isolation, ground: Path) -> None:
    done = script(level, ground, "import os; os.kill(os.getpid(), 11)")
    assert done.returncode == 128 + signal.SIGSEGV
    assert not list((ground / "app").iterdir()), "no core file"


@every_level
@pytest.mark.parametrize(
    ("argv", "where", "told"),
    [
        (["no-such-program"], "app", "no-such-program"),
        (["true"], "absent", "absent"),
        (["/etc/passwd"], "app", "Permission denied"),
    ],
)
def test_what_could_not_start_is_not_blamed_on_the_app(
    level: Isolation, argv: list[str], where: str, told: str, ground: Path
) -> None:
    box = Sandbox(level, writable=(ground / "app",))
    with pytest.raises(ToolError, match=told):
        sandbox.run(argv, cwd=ground / where, env={"PATH": "/usr/bin:/bin"}, sandbox=box, timeout_s=20)


@only_namespaces
def test_missing_bind_is_told(ground: Path) -> None:
    with pytest.raises(ToolError, match="cannot bind .*absent"):
        script(Isolation.NAMESPACES, ground, "", read_only=(ground / "absent",))


@only_namespaces
def test_link_laid_by_the_app_does_not_divert_a_bind(ground: Path) -> None:
    (ground / "app" / "tree").symlink_to("/etc")
    (ground / "tree").mkdir()
    with pytest.raises(ToolError, match="symbolic link"):
        sandbox_at = Sandbox(Isolation.NAMESPACES, writable=(ground / "app",), read_only=(ground / "app/tree/ssl",))
        sandbox.run(["true"], cwd=ground / "app", env={}, sandbox=sandbox_at, timeout_s=20)


@only_namespaces
def test_read_only_inside_writable_stays_read_only(ground: Path) -> None:
    (ground / "app" / "lock").mkdir()
    (ground / "app" / "lock").chmod(0o777)
    code = "open('mine', 'w')\nopen('lock/mine', 'w')"
    done = script(Isolation.NAMESPACES, ground, code, read_only=(ground / "app" / "lock",))
    assert "Read-only file system" in done.output
    assert (ground / "app" / "mine").exists()


@only_namespaces
def test_virtual_environment_works_read_only(ground: Path) -> None:
    done = sandbox.run(
        [sys.executable, "-c", "import sys, psutil; print(psutil.__file__); open(sys.prefix + '/laid', 'w')"],
        cwd=ground / "app",
        env={},
        sandbox=Sandbox(Isolation.NAMESPACES, read_only=(Path(sys.prefix),), writable=(ground / "app",)),
        timeout_s=600,
    )
    assert str(Path(sys.prefix) / "lib") in done.output
    assert "Read-only file system" in done.output


@every_level
def test_server_inside_answers_on_the_host_and_ends_with_its_launcher(level: Isolation, ground: Path) -> None:
    port = free_port()
    words = sandbox.command(
        [python(level), "-m", "http.server", "--bind", "127.0.0.1", str(port)],
        cwd=ground / "app",
        env={"API_KEY": "a secret"},
        sandbox=Sandbox(level, writable=(ground / "app",)),
        spec_directory=ground / "spec",
    )
    assert "a secret" not in " ".join(words)
    launcher = subprocess.Popen(words, env={}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=120) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b"200 OK" in client.recv(100)
        return False

    try:
        wait_for(answers, "it answers")
        if level is Isolation.NAMESPACES:
            # the kernel's promise; below, only the app's first process follows a killed launcher
            launcher.kill()
        else:
            launcher.terminate()
        launcher.wait(120)
        wait_for(lambda: not answers(), "it is ended")
    finally:
        launcher.kill()
        launcher.wait()


def test_specification_is_private_and_named_by_its_content(ground: Path) -> None:
    def spec(value: str) -> Path:
        box = Sandbox(Isolation.NONE)
        words = sandbox.command(["true"], cwd=ground, env={"A": value}, sandbox=box, spec_directory=ground / "spec")
        return Path(words[words.index("--") - 1])

    assert spec("1") == spec("1") != spec("2")
    assert spec("1").stat().st_mode & 0o777 == 0o600
    assert spec("1").parent.stat().st_mode & 0o777 == 0o700


@every_level
def test_killed_parent_takes_the_app_along(level: Isolation, ground: Path, token: str) -> None:
    driver = """
    import sys
    from pathlib import Path
    from host.sandbox.run import Isolation, Sandbox, run
    level, app, python, token = sys.argv[1:]
    run([python, "-c", "import os, time; os.fork(); print('up', flush=True); time.sleep(600)", token],
        cwd=Path(app), env={}, sandbox=Sandbox(Isolation(level), writable=(Path(app),)), timeout_s=600,
        on_output=lambda text: print(text, flush=True))
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(driver), level, str(ground / "app"), python(level), token],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
    )
    assert parent.stdout and b"up" in parent.stdout.readline()
    assert running(token)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not running(token), "its processes end")


@only_namespaces
def test_own_network_has_only_loopback(ground: Path) -> None:
    code = """
    import socket, sys
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        print("own")
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=120)
        print("host")
    except OSError:
        print("alone")
    """
    with socket.create_server(("127.0.0.1", 0)) as host:
        port = str(host.getsockname()[1])
        alone = script(Isolation.NAMESPACES, ground, code, port, network=Network.LOOPBACK)
        shared = script(Isolation.NAMESPACES, ground, code, port)
    assert (alone.output, shared.output) == ("own\nalone\n", "own\nhost\n")


def test_own_network_is_refused_where_it_cannot_be(ground: Path) -> None:
    with pytest.raises(ConfigError, match="own network"):
        script(Isolation.NONE, ground, "", network=Network.LOOPBACK)


@every_level
def test_a_check_has_a_network_of_its_own_as_far_as_the_level_permits(
    level: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_ISOLATION", level)
    expected = Network.LOOPBACK if level is Isolation.NAMESPACES else Network.HOST
    box = sandbox.for_check(Shares())
    assert (box.isolation, box.network) == (level, expected)
    assert sandbox.for_check(Shares(), network=Network.HOST).network is Network.HOST


@every_level
def test_an_epoch_is_killed_and_its_neighbour_is_not(level: Isolation, ground: Path, token: str) -> None:
    ended: dict[str, Completed] = {}
    up = threading.Semaphore(0)

    def hang(epoch: str) -> None:
        code = "import os, time; os.fork(); print('up', flush=True); time.sleep(600)"
        ended[epoch] = script(level, ground, code, f"{token}-{epoch}", epoch=epoch, on_output=lambda t: up.release())

    names = [f"{token}:{number}:" for number in (1, 11)]
    threads = [threading.Thread(target=hang, args=[name]) for name in names]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert up.acquire(timeout=120)
    assert sandbox.kill_epoch(names[0]) >= 1
    threads[0].join(20)
    assert ended[names[0]].returncode == 128 + signal.SIGKILL
    wait_for(lambda: not running(f"{token}-{names[0]}"), "the first one ends")
    assert running(f"{token}-{names[1]}")
    assert sandbox.kill_epoch(f"{token}:") >= 1
    threads[1].join(20)
    wait_for(lambda: not running(token), "its processes end")
    with pytest.raises(ValueError):
        sandbox.kill_epoch("")


@every_level
def test_lock_is_held_while_the_app_lives(level: Isolation, ground: Path) -> None:
    def command(code: str) -> list[str]:
        return sandbox.command(
            [python(level), "-c", code],
            cwd=ground / "app",
            env={},
            sandbox=Sandbox(level, writable=(ground / "app",), lock=ground / "lock"),
            spec_directory=ground / "spec",
        )

    first = "import time\nopen('first', 'w')\ntime.sleep(1)\nopen('first-ended', 'w')"
    with subprocess.Popen(command(first)) as before:
        wait_for((ground / "app" / "first").exists, "the first run begins")
        second = subprocess.run(command("import os; print(os.path.exists('first-ended'))"), capture_output=True)
        assert second.stdout == b"True\n"
        assert before.wait(120) == 0


@every_level
def test_the_lock_is_none_of_the_apps(level: Isolation, ground: Path) -> None:
    """It could write to it; on the level `namespaces` not even let it go, which would let a second database start."""
    code = """
        import os
        for name in os.listdir("/proc/self/fd"):
            try:
                if os.readlink(f"/proc/self/fd/{name}").endswith("lock"):
                    print("held", os.write(int(name), b"x"))
            except OSError as error:
                print(error.strerror)
    """
    command = sandbox.command(
        [python(level), "-c", textwrap.dedent(code)],
        cwd=ground / "app",
        env={},
        sandbox=Sandbox(level, writable=(ground / "app",), lock=ground / "lock"),
        spec_directory=ground / "spec",
    )
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "held" not in done.stdout and (ground / "lock").read_bytes() == b""
    assert level is not Isolation.NAMESPACES or "Bad file descriptor" not in done.stdout


@pytest.mark.parametrize(("asked", "expected"), [("none", Isolation.NONE), ("", sandbox._probe())])
def test_level_can_be_lowered(asked: str, expected: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ISOLATION", asked)
    assert sandbox.available() is expected


def test_unknown_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_ISOLATION", "best")
    with pytest.raises(ConfigError, match="SLIPWAY_ISOLATION: got 'best', expected one of namespaces, uid, none"):
        sandbox.available()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root and setpriv to become another")
def test_without_root_the_same_holds(ground: Path) -> None:
    """As uid 65534: a key of that very uid, our environment and our sockets stay out of reach."""
    system = next((p for p in (sys.executable, "/usr/bin/python3") if reachable(Path(p))), None)
    if not system or not reachable(CHECKOUT / "deployments"):
        pytest.skip("no interpreter or checkout that another user may read")
    driver = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from host.sandbox.run import Sandbox, available, run
    app = Path(sys.argv[2])
    level = available()
    done = run([sys.executable, "-c", *sys.argv[3:]], cwd=app, env={"PATH": "/usr/bin:/bin"},
               sandbox=Sandbox(level, writable=(app,)), timeout_s=600)
    print(level, done.output)
    """
    with hostile_surroundings(ground) as arguments:
        for path in (ground / "app", ground / "private", *(ground / "private").iterdir()):
            os.chown(path, 65534, 65534)
        words = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", system, "-c"]
        inner = [*words, "import os, subprocess, sys; subprocess.run(sys.argv[1:], check=True)"]
        done = subprocess.run(
            [*inner, system, "-c", textwrap.dedent(driver), str(CHECKOUT), str(ground / "app"), HOSTILE, *arguments],
            capture_output=True,
            text=True,
            timeout=600,
            cwd="/",
            env={"SECRET": arguments[-1], "PATH": "/usr/bin:/bin"},
        )
    level, _, seen = done.stdout.partition(" ")
    assert level, done.stderr
    if level == Isolation.NAMESPACES:
        assert json.loads(seen) == CONTAINED
    else:
        assert (level, json.loads(seen)["key"]) == (Isolation.NONE, True)
