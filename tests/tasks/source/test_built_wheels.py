"""Wheels are built of their sources in the real sandbox, once, and what a hostile one does stays there."""

import os
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from evidence.scopes import OURS, Scope
from gates.locks import Locked
from host.errors import SourceError, ToolError
from host.files import sha256_file
from host.home import Home
from host.sandbox.run import Isolation, available
from host.sdists import built as building
from host.sdists.built import only_wheel
from tasks.source.built_wheels import BACKENDS, BuiltWheel, built_wheel
from tests.host.sdists.archives import FLIT, HATCH, make_archive, make_sdist, with_project, with_setup
from tests.tasks.small_app import processes_with

PYTHON = "3.11"
CREDENTIAL = "slipway:the-canary-of-the-api-credential"
OTHER = "0" * 64
alone = pytest.mark.skipif(available() is not Isolation.NAMESPACES, reason="this host has no namespaces")


@pytest.fixture
def index(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of sources that this host's settings name, and no index beside it."""
    folder = tmp_path / "index"
    folder.mkdir()
    folder.chmod(0o755)  # the sandbox's user reads it
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def package(digest: str, name: str = "said", version: str = "1.0") -> Locked:
    return Locked(1, name, version, hashes=(digest,))


def build(index: Path, files: dict[str, str]) -> BuiltWheel:
    return built_wheel(package(make_sdist(index, files)), PYTHON, OURS)


def failure(index: Path, files: dict[str, str]) -> str:
    """Build what cannot be built; return the message, and see that nothing is kept."""
    kept = set(Home.find().cache.glob("built/*/*/.complete"))
    with pytest.raises(SourceError) as failed:
        build(index, files)
    assert not failed.value.transient
    assert set(Home.find().cache.glob("built/*/*/.complete")) == kept
    return str(failed.value)


@pytest.mark.parametrize(
    ("files", "backend", "tool"),
    [
        (with_setup(), "setuptools.build_meta:__legacy__", "setuptools"),
        (with_project(HATCH), "hatchling.build", "hatchling"),
        (with_project(FLIT), "flit_core.buildapi", "flit-core"),
    ],
    ids=["setuptools", "hatchling", "flit"],
)
def test_a_wheel_is_built_with_the_backend_that_its_sources_name(
    index: Path, tmp_path: Path, files: dict[str, str], backend: str, tool: str
) -> None:
    digest = make_sdist(index, files)
    made = built_wheel(package(digest), PYTHON, OURS)
    found = made.record.build
    assert re.fullmatch(r"said-1.0-(py2\.)?py3-none-any.whl", made.record.name) and found.backend == backend
    assert (found.source, found.source_sha256) == ("said-1.0.tar.gz", digest)
    assert [one.split()[0] for one in found.tools] == [tool] and found.unlike == ()
    assert found.tools_lock == sha256_file(BACKENDS) and found.isolation.startswith(str(available()))
    wheel = made.copy(tmp_path)
    assert sha256_file(wheel) == made.record.sha256
    with zipfile.ZipFile(wheel) as archive:
        assert any(name.startswith("said") and b"built" in archive.read(name) for name in archive.namelist())


def test_the_same_sources_make_the_same_wheel(index: Path, tmp_path: Path) -> None:
    digest = make_sdist(index, with_setup("# twice\n"))
    one = built_wheel(package(digest), PYTHON, OURS)
    other = built_wheel(package(digest), PYTHON, Scope("feature", protected=False))
    assert one.file == other.file  # what protected branches made is everybody's
    shutil.rmtree(one.file.parent)
    assert built_wheel(package(digest), PYTHON, OURS).record == one.record


def test_a_branch_keeps_what_it_had_built_to_itself(index: Path) -> None:
    digest = make_sdist(index, with_setup("# of a branch\n"))
    branch = built_wheel(package(digest), PYTHON, Scope("feature", protected=False))
    assert built_wheel(package(digest), PYTHON, OURS).file != branch.file


def test_what_was_built_is_not_built_again(index: Path) -> None:
    digest = make_sdist(index, with_setup("# once\n"))
    first = built_wheel(package(digest), PYTHON, OURS)
    (index / "said-1.0.tar.gz").unlink()
    asked: list[str] = []
    again = built_wheel(package(digest), PYTHON, OURS, lambda what, *_: asked.append(what))
    assert again == first and asked == []


@pytest.mark.parametrize("harm", ["changed", "gone", "a link"])
def test_a_kept_wheel_that_is_no_longer_what_was_built_is_refused(index: Path, tmp_path: Path, harm: str) -> None:
    made = build(index, with_setup(f"# {harm}\n"))
    if harm == "changed":
        with open(made.file, "ab") as file:
            file.write(b"x")
    else:
        made.file.unlink()
    if harm == "a link":
        made.file.symlink_to("/etc/passwd")
    with pytest.raises(ToolError, match="no longer what was built .* remove that folder") as refused:
        made.copy(tmp_path)
    assert str(made.file.parent) in str(refused.value) and not list(tmp_path.glob("*.whl"))
    shutil.rmtree(made.file.parent)


def test_a_kept_record_that_cannot_be_read_is_refused(index: Path) -> None:
    digest = make_sdist(index, with_setup("# record\n"))
    made = built_wheel(package(digest), PYTHON, OURS)
    (made.file.parent / "built.json").write_text("{}")
    with pytest.raises(ToolError, match="the record of the wheel of said 1.0 cannot be read; remove that folder"):
        built_wheel(package(digest), PYTHON, OURS)
    shutil.rmtree(made.file.parent)


def test_a_python_older_than_our_build_backends_is_refused_with_the_way_out(index: Path) -> None:
    with pytest.raises(SourceError, match="is not built from source for Python 3.9: .* raise app.python"):
        built_wheel(package(make_sdist(index, with_setup())), "3.9", OURS)


def test_sources_with_another_hash_are_not_taken(index: Path) -> None:
    make_sdist(index, with_setup())
    with pytest.raises(SourceError, match="none of the hashes in the lock"):
        built_wheel(package(OTHER), PYTHON, OURS)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (with_setup(name="other"), "a wheel of other 1.0, not of said 1.0"),
        (with_setup(version="1.1"), "a wheel of said 1.1, not of said 1.0"),
    ],
    ids=["name", "version"],
)
def test_a_wheel_of_another_package_is_refused(index: Path, files: dict[str, str], words: str) -> None:
    assert words in failure(index, files)


def test_a_backend_that_is_none_of_ours_is_named_before_anything_is_run(index: Path) -> None:
    project = '[build-system]\nrequires = ["meson-python"]\nbuild-backend = "mesonpy"\n'
    said = failure(index, {"pyproject.toml": project, "setup.py": "raise SystemExit('was run')\n"})
    assert said.startswith(
        "said 1.0 cannot be built from said-1.0.tar.gz: it is built with meson-python, which is none"
    )
    assert "was run" not in said


def test_what_a_setup_imports_and_is_not_there_is_named(index: Path) -> None:
    said = failure(index, with_setup("import numpy_of_nobody\n"))
    assert "Its build wants numpy_of_nobody, which is none of Slipway's build backends" in said


def test_nothing_is_fetched_for_a_setup(index: Path) -> None:
    setup = "from setuptools import setup\nsetup(name='said', version='1.0', setup_requires=['of-nobody'])\n"
    assert build(index, {"setup.py": setup}).record.name == "said-1.0-py3-none-any.whl"


EXTENSION = """
import os
os.environ.update({environment!r})
from setuptools import Extension, setup
setup(name="said", version="1.0", ext_modules=[Extension("said", ["said.c"])])
"""
SAID_C = '#include <Python.h>\n{header}static struct PyModuleDef said = {{PyModuleDef_HEAD_INIT, "said", 0, -1, 0}};\n'
SAID_C += "PyMODINIT_FUNC PyInit_said(void) {{ return PyModule_Create(&said); }}\n"


def extension(environment: dict[str, str], header: str = "") -> dict[str, str]:
    return {"setup.py": EXTENSION.format(environment=environment), "said.c": SAID_C.format(header=header)}


@pytest.mark.skipif(not shutil.which("gcc", path="/usr/local/bin:/usr/bin:/bin"), reason="this host has no compiler")
def test_an_extension_module_is_compiled_for_this_python(index: Path) -> None:
    assert "-cp311-cp311-linux_" in build(index, extension({})).record.name


def test_a_compiler_that_is_missing_is_named(index: Path) -> None:
    assert "It needs a compiler that this host does not have: no-such-cc" in failure(
        index, extension({"CC": "no-such-cc"})
    )


@pytest.mark.skipif(not shutil.which("gcc", path="/usr/local/bin:/usr/bin:/bin"), reason="this host has no compiler")
def test_a_header_that_is_missing_is_named(index: Path) -> None:
    said = failure(index, extension({}, "#include <of_nobody.h>\n"))
    assert "This host does not have the header of_nobody.h: install its development package" in said


# ---- hostile sources


def test_links_out_of_the_sources_are_refused_by_name(index: Path) -> None:
    link = tarfile.TarInfo("said-1.0/setup.py")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    digest = make_archive(index / "said-1.0.tar.gz", [link], [b""])
    with pytest.raises(SourceError, match="said 1.0 cannot be built from said-1.0.tar.gz: .*the link is absolute"):
        built_wheel(package(digest), PYTHON, OURS)


def test_a_link_in_the_place_of_the_project_is_not_followed(index: Path) -> None:
    link = tarfile.TarInfo("said-1.0/pyproject.toml")
    link.type, link.linkname = tarfile.SYMTYPE, "setup.py"
    digest = make_archive(index / "said-1.0.tar.gz", [link, tarfile.TarInfo("said-1.0/setup.py")], [b"", b"x"])
    with pytest.raises(SourceError, match="its pyproject.toml is a link"):
        built_wheel(package(digest), PYTHON, OURS)


@alone
def test_a_build_has_no_network(index: Path, httpserver: HTTPServer) -> None:
    port = httpserver.port
    setup = (
        "import socket\n"
        "try:\n"
        f"    socket.create_connection(('127.0.0.1', {port}), 5)\n"
        "except OSError:\n"
        "    pass\n"
        "else:\n"
        "    raise SystemExit('reached it')\n"
    )
    assert build(index, with_setup(setup)).record.name == "said-1.0-py3-none-any.whl"
    assert httpserver.log == []


@alone
def test_a_build_sees_nothing_of_ours_and_writes_nothing_elsewhere(
    index: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_OURS", "canary")
    (home / "keys").mkdir(exist_ok=True)
    (home / "keys" / "canary").write_text("key")
    setup = (
        "import os, sys\n"
        f"for place in ({str(home / 'keys')!r}, {str(index)!r}, {str(BACKENDS.parent)!r}, '/root/.ssh'):\n"
        "    if os.path.exists(place):\n"
        "        raise SystemExit('saw ' + place)\n"
        "if 'canary' in os.environ.values() or any(name.startswith(('PIP_FIND', 'PREFECT')) for name in os.environ):\n"
        "    raise SystemExit('saw an environment')\n"
        f"for place in (os.path.dirname(os.__file__), sys.prefix, '/usr', {str(tmp_path)!r}):\n"
        "    try:\n"
        "        open(os.path.join(place, 'written.pth'), 'w')\n"
        "    except OSError:\n"
        "        continue\n"
        "    raise SystemExit('wrote to ' + place)\n"
    )
    assert build(index, with_setup(setup)).record.name == "said-1.0-py3-none-any.whl"


def test_what_a_build_says_is_masked_and_bounded(index: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "keys").mkdir(exist_ok=True)
    (home / "keys" / "prefect-auth").write_text(f"{CREDENTIAL}\n")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", CREDENTIAL)
    noise = "for _ in range(20_000): print('x' * 1000)\n"
    said = failure(index, with_setup(f"{noise}print('\\x1b[2J it is {CREDENTIAL}')\nraise SystemExit(3)\n"))
    assert len(said) < 4000 and "it is" in said
    assert CREDENTIAL not in said and "\x1b" not in said
    (home / "keys" / "prefect-auth").unlink()


def test_a_build_that_does_not_end_is_ended(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "BUILD_TIMEOUT_S", 3)
    digest = make_sdist(index, with_setup("while True: print('x' * 1000)\n"))
    with pytest.raises(ToolError, match="said 1.0 was not built within"):
        built_wheel(package(digest), PYTHON, OURS)


def test_nothing_of_a_build_lives_on(index: Path) -> None:
    mark = f"lives-on-{os.getpid()}"
    setup = (
        "import os, sys\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    null = os.open(os.devnull, os.O_RDWR)\n"
        "    for number in (0, 1, 2): os.dup2(null, number)\n"
        f"    os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(3600)', {mark!r}])\n"
    )
    build(index, with_setup(setup))
    assert processes_with(mark) == []


def test_a_fork_bomb_ends_the_build(index: Path) -> None:
    bomb = "import os, time\nfor _ in range(1000):\n    if os.fork() == 0: time.sleep(3600)\n"
    assert re.search(r"its build (used more than \d+ processes|ended with)", failure(index, with_setup(bomb)))


@pytest.mark.parametrize("kind", ["nothing", "two", "a link", "a folder", "a pipe", "no wheel", "hard link"])
def test_what_a_build_leaves_beside_one_wheel_is_refused(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    wheel = out / "said-1.0-py3-none-any.whl"
    if kind in ("two", "hard link"):
        wheel.write_bytes(b"")
    if kind == "two":
        (out / "other-1.0-py3-none-any.whl").write_bytes(b"")
    elif kind == "a link":
        wheel.symlink_to("/etc/passwd")
    elif kind == "a folder":
        wheel.mkdir()
    elif kind == "a pipe":
        os.mkfifo(wheel)
    elif kind == "no wheel":
        (out / "said-1.0.tar.gz").write_bytes(b"")
    elif kind == "hard link":
        os.link(wheel, tmp_path / "outside")
    with pytest.raises(SourceError, match="did not leave one wheel and nothing else"):
        only_wheel(out)


def test_a_wheel_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "LARGEST_WHEEL_BYTES", 3)
    (tmp_path / "said-1.0-py3-none-any.whl").write_bytes(b"four")
    with pytest.raises(SourceError, match="its wheel is larger than"):
        only_wheel(tmp_path)
