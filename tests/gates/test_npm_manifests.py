"""What npm is given of an app's manifests. What is refused: tests/attacks/test_locks.py."""

import json

import pytest

from gates.npm_manifests import read_manifests
from host.home import CHECKOUT

FRONTEND = CHECKOUT / "examples" / "assistant" / "frontend"
INTEGRITY = "sha512-" + "A" * 86 + "=="


def test_an_ordinary_lock_is_written_anew_without_addresses() -> None:
    package, lock = (json.loads((FRONTEND / name).read_text()) for name in ("package.json", "package-lock.json"))
    manifests = read_manifests(package, lock, (FRONTEND / ".npmrc").read_text(), ())
    assert manifests.problems == () and manifests.settings == {}
    written = manifests.lock["packages"]
    assert list(written) == list(lock["packages"]) and "scripts" not in manifests.package
    assert all(written[place]["integrity"] for place in written if place)


def test_what_a_package_may_have() -> None:
    entries = {
        "": {"dependencies": {"@a/b": "^1.0.0 || >=2 <3", "other": "npm:real@~1.2"}, "overrides": {"x": "$other"}},
        "node_modules/@a/b": {
            "version": "1.0.0-rc.1+build",
            "resolved": "https://registry.example/@a/b/-/b-1.0.0.tgz",
            "integrity": INTEGRITY,
            "bundleDependencies": ["c"],
            "license": "MIT",
            "workspaces": ["x"],
        },
        "node_modules/@a/b/node_modules/c": {"version": "2.0.0", "inBundle": True},
        "node_modules/other": {"name": "real", "version": "1.2.3", "integrity": INTEGRITY, "dev": True},
    }
    lock = {"name": "app", "version": "1.0.0", "lockfileVersion": 2, "packages": entries, "dependencies": {"old": {}}}
    text = "# ours\nregistry=https://registry.example/npm/\nlegacy-peer-deps = true\nsave-exact\n"
    manifests = read_manifests({"dependencies": {}}, lock, text, {"registry.example"})
    assert manifests.problems == ()
    assert manifests.settings == {"legacy-peer-deps": "true"}
    assert manifests.lock["lockfileVersion"] == 3 and "dependencies" not in manifests.lock
    assert "resolved" not in json.dumps(manifests.lock) and "workspaces" not in json.dumps(manifests.lock)


@pytest.mark.parametrize("bundled", [True, False])
@pytest.mark.parametrize(("length", "refused"), [(4_096, False), (4_097, True)])
def test_a_place_can_be_as_long_as_a_path(length: int, refused: bool, bundled: bool) -> None:
    above = "node_modules/a"
    nested = above + "/node_modules/b" * ((length - len(above)) // len("/node_modules/b") - 1)
    place = f"{nested}/node_modules/{'c' * (length - len(nested) - len('/node_modules/'))}"
    own = {"inBundle": True} if bundled else {"integrity": INTEGRITY}
    entries = {
        above: {"version": "1.0.0", "integrity": INTEGRITY, "bundleDependencies": ["b"]},
        place: {"version": "1.0.0", **own},
    }
    assert len(place) == length
    problems = read_manifests({}, {"lockfileVersion": 3, "packages": entries}, "", ()).problems
    assert problems == ((f"package-lock.json: {place[:120]}...: is longer than a path can be",) if refused else ())


@pytest.mark.parametrize("lock", [None, [], {}, {"lockfileVersion": 1}, {"lockfileVersion": 3, "packages": {"x": 1}}])
def test_what_is_no_lock_is_refused(lock: object) -> None:
    (problem,) = read_manifests({}, lock, "", ()).problems
    assert problem.startswith("package-lock.json: is none of version 2 or 3")
    assert read_manifests([], {}, "", ()).problems == ("package.json: is no object",)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("//evil.example/:_authToken=pass-word", "//evil.example/:_authToken"),
        ("//evil.example/:_authToken pass-word", "//evil.example/:_authToken"),
        ("//user:pass-word@evil.example/:always-auth=true", "//evil.example..."),
        ("@x:registry=https://user:pass-word@evil.example/", "@x:registry"),
    ],
)
def test_no_password_of_an_npmrc_is_told(line: str, shown: str) -> None:
    (problem,) = read_manifests({}, {"lockfileVersion": 3, "packages": {}}, line, ()).problems
    assert problem.startswith(f".npmrc: line 1: {shown} is not accepted; ") and "pass-word" not in problem
