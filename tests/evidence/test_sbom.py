import base64
import json
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from evidence.sbom import components, make_bom
from evidence.store import Store
from host.errors import ArtifactError
from tests.evidence.artifacts import artifact


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_it_is_valid_and_names_every_wheel(store: Store) -> None:
    digest, bundle = artifact(store)
    bom = make_bom(store, digest, bundle)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom)) is None
    assert components(bom) == set(bundle.wheels.values())
    assert make_bom(store, digest, bundle) == bom


def test_licences_are_those_that_the_wheels_state(store: Store) -> None:
    bom = make_bom(store, *artifact(store))
    found = {part["name"]: part.get("licenses") for part in bom["components"]}
    assert found == {
        "pkg-expression": [{"expression": "MIT OR Apache-2.0"}],
        "pkg-classifier": [{"license": {"name": "BSD License"}}],
        "pkg-free": [{"license": {"name": "ISC"}}],
        "pkg-none": None,
    }


def npm_lock(**packages: dict[str, object]) -> bytes:
    places = {f"node_modules/{name.replace('__', '/')}": about for name, about in packages.items()}
    return json.dumps({"lockfileVersion": 3, "packages": {"": {"name": "page"}, **places}}).encode()


def test_npm_packages_that_are_shipped_are_in_it_with_their_hashes(store: Store) -> None:
    sha512 = "sha512-" + base64.b64encode(b"5" * 64).decode()
    react = {"version": "19.2.0", "integrity": f"sha1-AAAA {sha512} sha512-!!", "license": "MIT"}
    scoped = {"version": "1.0.0-rc.1", "license": "(MIT OR Apache-2.0)"}
    files = {
        "frontend/package-lock.json": npm_lock(
            react=react, **{"@scope__part": scoped}, vite={"version": "8.0.0", "dev": True}
        ),
        "admin/package-lock.json": npm_lock(react=react),
        "frontend/node_modules/x/package-lock.json": b"never read",
    }
    digest, bundle = artifact(store, files=files)
    bom = make_bom(store, digest, bundle)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom)) is None
    found = [part for part in bom["components"] if part["purl"].startswith("pkg:npm/")]
    assert [(part.get("group"), part["name"], part["purl"]) for part in found] == [
        ("@scope", "part", "pkg:npm/%40scope/part@1.0.0-rc.1"),
        (None, "react", "pkg:npm/react@19.2.0"),
    ]
    assert found[1]["hashes"] == [{"alg": "SHA-512", "content": (b"5" * 64).hex()}]
    assert found[1]["licenses"] == [{"license": {"name": "MIT"}}] and "hashes" not in found[0]
    assert {part["bom-ref"] for part in bom["components"]} == set(bom["dependencies"][0]["dependsOn"])
    assert components(bom) == set(bundle.wheels.values())


def test_it_says_which_locks_it_leaves_out(store: Store) -> None:
    files = {"web/pnpm-lock.yaml": b"", "bun.lock": b"", "web/node_modules/x/yarn.lock": b""}
    bom = make_bom(store, *artifact(store, files=files))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bom)) is None
    unread = [one["value"] for one in bom["metadata"]["properties"] if one["name"] == "slipway:not-read"]
    assert unread == ["bun.lock", "web/pnpm-lock.yaml"]
    assert bom["compositions"] == [{"aggregate": "incomplete", "assemblies": ["app"]}]
    assert "compositions" not in make_bom(store, *artifact(store))


@pytest.mark.parametrize("content", [b"{", b'{"lockfileVersion": 1, "dependencies": {}}'])
def test_a_lock_of_npm_that_cannot_be_read_is_an_error(store: Store, content: bytes) -> None:
    digest, bundle = artifact(store, files={"frontend/package-lock.json": content})
    with pytest.raises(ArtifactError, match="frontend/package-lock.json: .*; run: npm install --package-lock-only"):
        make_bom(store, digest, bundle)


def test_a_source_that_is_no_archive_is_an_error(store: Store, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    digest, bundle = artifact(store, source=store.put_file(tmp_path / "text"))
    with pytest.raises(ArtifactError, match="the source of v1 cannot be read"):
        make_bom(store, digest, bundle)


@pytest.mark.parametrize("kind", ["text", "empty archive", "no metadata", "huge metadata"])
def test_a_wheel_that_is_none_is_an_error(store: Store, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "bad-1-py3-none-any.whl"
    if kind == "text":
        file.write_text("text")
    else:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            if kind == "no metadata":
                archive.writestr("a/b/bad-1.dist-info/METADATA", "Name: bad")
            if kind == "huge metadata":
                archive.writestr("bad-1.dist-info/METADATA", b" " * 6_000_000)
    digest, bundle = artifact(store, wheels={file.name: store.put_file(file)})
    with pytest.raises(ArtifactError, match="bad-1-py3"):
        make_bom(store, digest, bundle)
