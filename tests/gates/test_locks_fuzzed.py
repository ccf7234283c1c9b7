"""Whatever a lock of pip's or npm's says: it comes out, or it is refused by name."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from gates.locks import read_lock
from gates.npm_manifests import read_manifests
from gates.scans.npm_lock import locked_packages, read_npm_lock
from gates.scans.outcome import ReportError
from tests.growth import assert_in_proportion

HASH = f"--hash=sha256:{'a' * 64}"
INTEGRITY = "sha512-" + "A" * 86 + "=="
NAMES = st.from_regex(r"[a-z](?:[a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,2}(?:\.[0-9]{1,2}){0,2}(?:rc1|\.post2|\+cpu)?", fullmatch=True)
ENDS = st.sampled_from([f" {HASH}", f" \\\n    {HASH}", f" \\\n  {HASH} \\\n  {HASH}  # via x", f"\t{HASH} # -r x.in"])
MARKERS = st.sampled_from(["", " ; python_version >= '3.8'", ' ; sys_platform == "win32"', ";os_name!='nt'"])
GOOD = st.tuples(NAMES, st.sampled_from(["", "[a]", "[a, b]"]), VERSIONS, MARKERS, ENDS)
BAD = st.sampled_from(
    [
        *(
            "--index-url https://a:b@c.example/",
            "-r other.txt",
            "-e .",
            "--pre",
            "-i x",
            "--hash=sha256:abc",
            "./x.whl",
        ),
        *("x", "x>=1", "x==1", "x==1.*", "x===1", "x @ https://c.example/x.whl", "git+https://c.example/x", "$X==1"),
        *("x==1 --no-binary=x", f"x=1 {HASH}", f"x==1 ; nonsense > 3 {HASH}", "x\u20281==1", "\x00", "%", "'", "{"),
        *("\\\n-r x", "x \\\n\\\n>=1", f"x=={'9' * 300} {HASH}"),
    ]
)
EMPTY = st.sampled_from(["", "   ", "# a comment", "  # -r other.txt", "\t"])
LINES = st.lists(st.one_of(GOOD, BAD, EMPTY), max_size=12)


@pytest.mark.fuzz
@settings(deadline=None)
@given(LINES, st.sampled_from(["\n", "\r\n"]))
def test_every_requirement_of_a_lock_comes_out_or_is_refused_with_its_line(lines: list[Any], end: str) -> None:
    text, number, wanted, refused = "", 1, [], []
    for line in lines:
        if isinstance(line, tuple):
            wanted.append((canonicalize_name(line[0]), number))
            line = "{}{}=={}{}{}".format(*line)
        elif line.split("#")[0].strip():
            refused.append(number)
        text += line.replace("\n", end) + end
        number += line.count("\n") + 1
    lock = read_lock(text)
    assert [(package.name, package.line) for package in lock.packages] == wanted
    assert [int(re.match(r"line (\d+): ", said)[1]) for said in lock.problems] == refused  # type: ignore[index]
    assert read_lock(lock.text()).text() == lock.text() and not read_lock(lock.text()).problems


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.text(alphabet=st.characters() | st.sampled_from("\\\n\r#=-;[]@/ x1.\t'\""), max_size=200))
def test_no_text_is_lost_without_a_word(text: str) -> None:
    lock = read_lock(text)
    for line in text.replace("\\", "").replace("\r", "").split("\n"):
        if re.match(r"\s*[^\s#]", line):  # something is said
            assert lock.packages or lock.problems
    assert all(package.hashes for package in lock.packages)
    assert not read_lock(lock.text()).problems


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=3,
)
ENTRY = st.fixed_dictionaries(
    {"version": st.sampled_from(["1.0.0", "1.0.0-rc.1", "", "file:x", "1"]) | JSON},
    optional={
        "integrity": st.sampled_from([INTEGRITY, "", "md5-x"]) | JSON,
        "resolved": st.sampled_from(["https://registry.example/x.tgz", "file:x", "git+ssh://x"]) | JSON,
        "dependencies": st.dictionaries(NAMES, st.sampled_from(["^1", "npm:x@1", "file:.", "a/b"])) | JSON,
        "link": st.booleans() | JSON,
        "inBundle": st.booleans() | JSON,
        "bundleDependencies": JSON,
        "name": NAMES | JSON,
        "hasShrinkwrap": JSON,
        "license": JSON,
        "dev": st.booleans(),
    },
)
PLACES = st.one_of(
    st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/".join(f"node_modules/{name}" for name in names)),
    st.sampled_from(["node_modules/@a/b", "node_modules/.bin/x", "packages/x", "../x", "node_modules/../x", "/x"]),
)


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.dictionaries(PLACES, ENTRY, max_size=5), JSON, JSON, st.text(max_size=40))
def test_every_package_of_an_npm_lock_is_handed_on_as_it_is_or_refused_by_name(
    packages: dict[str, Any], root: Any, overrides: Any, npmrc: str
) -> None:
    entries = {"": root, **packages} if isinstance(root, dict) else packages
    package = {"dependencies": root, "overrides": overrides}
    lock = {"lockfileVersion": 3, "packages": entries}
    manifests = read_manifests(package, lock, npmrc, {"registry.example"})
    for place, entry in packages.items():
        refused = [said for said in manifests.problems if said.startswith(f"package-lock.json: {place}: ")]
        written = manifests.lock["packages"][place]
        assert refused or written["version"] == entry["version"]
        assert refused or set(entry) - set(written) <= {"resolved", "license", "link"}
        assert refused or written.get("integrity") == INTEGRITY or entry.get("inBundle")


@pytest.mark.fuzz
@settings(deadline=None)
@given(st.dictionaries(PLACES, ENTRY, max_size=5), st.integers(0, 5), st.binary(max_size=3), st.integers(0, 300))
def test_every_package_of_an_npm_lock_is_told_to_the_scans_or_the_lock_is_refused(
    packages: dict[str, Any], version: int, noise: bytes, at: int
) -> None:
    content = json.dumps({"lockfileVersion": version, "packages": packages}).encode()
    try:
        found = locked_packages(read_npm_lock(content))
    except ReportError:
        found = []
    else:
        assert version in (2, 3)
        own = [place for place, entry in packages.items() if entry.get("link") or "node_modules/" not in place]
        assert bool(found) is (len(own) < len(packages))
    try:
        read_npm_lock(content[:at] + noise + content[at:])
    except ReportError:
        pass


@pytest.mark.parametrize(
    "piece",
    [
        f"x==1 {HASH}\n",
        "x==1 \\\n",
        "-i https://a:b@c.example/\n",
        "x @ ",
        "://",
        ": @",
        "#",
        " #",
        "\\",
        "'",
        "x[a,",
        "1.",
        "--hash sha256:",
        "x==1;(",
        "\x00\n",
    ],
)
def test_a_megabyte_takes_about_ten_times_as_long_as_a_tenth_of_it(piece: str) -> None:
    def prepared(size: int) -> Callable[[], object]:
        text = piece * (size // len(piece))
        return lambda: read_lock(text)

    assert_in_proportion(prepared, 100_000, 1_000_000)


@pytest.mark.parametrize("levels", [90, 101, 100_000])
def test_npm_locks_as_deep_as_they_like_are_read_or_refused(levels: int) -> None:
    deep = '{"a":' * levels + '""' + "}" * levels
    content = f'{{"lockfileVersion": 3, "packages": {{"": {{"overrides": {deep}}}}}}}'.encode()
    if levels < 100:
        manifests = read_manifests({}, json.loads(content), "", ())
        assert read_npm_lock(content) and manifests.problems == ()
    else:
        with pytest.raises(ReportError, match="nested too deeply"):
            read_npm_lock(content)


def test_overrides_of_any_depth_are_looked_at() -> None:
    deep: Any = "git+https://user:word@x.example/y"
    for _ in range(5000):
        deep = {"a": deep}
    (problem,) = read_manifests({"overrides": deep}, {"lockfileVersion": 3, "packages": {}}, "", ()).problems
    assert problem == "package.json: overrides: a: git+https://x.example... is no version in a registry"
