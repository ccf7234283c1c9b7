import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evidence.bundle import (
    Build,
    Bundle,
    Image,
    OtherImage,
    Process,
    Run,
    blobs,
    copy_blobs,
    find_digest,
    put_bundle,
    read_bundle,
    verify_bundle,
)
from evidence.store import Store
from host.errors import ArtifactError

BEAT = Process(command=("python", "-m", "beat"), role="singleton")
COMMIT = "c0ffee" + "0" * 34


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, content: str) -> str:
    file = store.root.parent / "file"
    file.write_text(content)
    return store.put_file(file)


def bundle(store: Store, commit: str = COMMIT, version: str = "v1", **more: Any) -> Bundle:
    fields: dict[str, Any] = {
        "app": "assistant",
        "commit": commit,
        "version": version,
        "python": "3.11",
        "source": put(store, f"source of {commit} {version}"),
        "lock": put(store, "lock"),
        "wheels": {"a-1-py3-none-any.whl": put(store, "a"), "b-1-py3-none-any.whl": put(store, "b")},
        "smoke_lock": put(store, "smoke"),
        "smoke_wheels": {"c-1-py3-none-any.whl": put(store, "c")},
        "run": Run(command=("python", "-m", "app")),
    }
    return Bundle(**{**fields, **more})


def test_the_same_content_is_the_same_artifact(store: Store) -> None:
    first, second = put_bundle(store, bundle(store)), put_bundle(store, bundle(store))
    assert first == second and read_bundle(store, first) == bundle(store)
    turned = dict(reversed(list(bundle(store).wheels.items())))
    assert put_bundle(store, bundle(store, wheels=turned)) == first


@pytest.mark.parametrize(
    "change",
    [
        {"version": "v2"},
        {"python": "3.12"},
        {"lock": "0" * 64},
        {"wheels": {}},
        {"smoke_lock": None},
        {"run": Run(command=("python", "-m", "other"))},
        {"run": Run(command=("python", "-m", "app"), directory="backend")},
        {"run": Run(command=("python", "-m", "app"), processes={"beat": BEAT})},
    ],
)
def test_everything_that_runs_is_in_the_digest(store: Store, change: dict[str, Any]) -> None:
    assert put_bundle(store, bundle(store, **change)) != put_bundle(store, bundle(store))


def test_a_bundle_without_further_processes_keeps_its_digest(store: Store) -> None:
    assert "processes" not in bundle(store).model_dump_json()
    run = Run(command=("a",), processes={"beat": BEAT, "work": Process(command=("b",), role="slot")})
    assert read_bundle(store, put_bundle(store, bundle(store, run=run))).run == run
    assert (list(run.of_role("slot")), list(run.of_role("singleton"))) == (["work"], ["beat"])


def test_a_whole_bundle_verifies_and_each_damaged_blob_is_found(store: Store) -> None:
    digest = put_bundle(store, bundle(store))
    assert verify_bundle(store, digest) == bundle(store)
    named = blobs(bundle(store))
    assert len(named) == len(set(named)) == 6
    for blob in named:
        file = store.root / "blobs" / "sha256" / blob
        content = file.read_bytes()
        file.write_bytes(content + b"!")
        with pytest.raises(ArtifactError, match=f"{blob}: changed"):
            verify_bundle(store, digest)
        file.unlink()
        with pytest.raises(ArtifactError, match=f"{blob}: missing"):
            verify_bundle(store, digest)
        file.write_bytes(content)
    verify_bundle(store, digest)


def test_a_bundle_without_smoke_tests_needs_no_lock_for_them(store: Store) -> None:
    assert len(blobs(bundle(store, smoke_lock=None, smoke_wheels={}))) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"commit": "main"},
        {"commit": "C" * 40},
        {"python": "2.7"},
        {"python": "3.11\n"},
        {"source": "../../etc/passwd"},
        {"wheels": {"a.whl": "nope"}},
        {"run": {"command": []}},
        {"run": {"command": ["x"], "health": []}},
        {"run": {"command": ["x"], "health": ["health"]}},
        {"run": {"command": ["x"], "health": ["http://elsewhere/"]}},
        {"run": {"command": ["x"], "stop_seconds": 0}},
        {"unheard": 1},
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(store: Store, change: dict[str, Any]) -> None:
    raw = json.dumps({**bundle(store).model_dump(mode="json"), **change}).encode()
    digest = store.put_manifest(raw)
    with pytest.raises(ArtifactError, match=f"artifact {digest[:12]}: unreadable manifest"):
        read_bundle(store, digest)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff"])
def test_a_manifest_that_is_no_json_is_refused(store: Store, raw: bytes) -> None:
    with pytest.raises(ArtifactError, match="unreadable manifest"):
        read_bundle(store, store.put_manifest(raw))


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1.0])
def test_seconds_are_a_number_above_zero(seconds: float) -> None:
    with pytest.raises(ValidationError):
        Run(command=("x",), stop_seconds=seconds)


def dated(store: Store, *bundles: Bundle) -> list[str]:
    digests = []
    for age, one in enumerate(bundles):
        digests.append(put_bundle(store, one))
        os.utime(store.root / "artifacts" / f"{digests[-1]}.json", (1_000_000 + age, 1_000_000 + age))
    return digests


def test_an_artifact_is_found_by_digest_commit_and_version(store: Store) -> None:
    other = "deadbeef" + "0" * 32
    one, two = dated(store, bundle(store), bundle(store, other, "v2"))
    for wanted in (one, one[:8], one[:12].upper(), f"sha256:{one}", f"sha256:{one[:8]}", COMMIT, COMMIT[:7], "v1"):
        assert find_digest(store, wanted) == one, wanted
    assert find_digest(store, "deadbee") == find_digest(store, "v2") == two


@pytest.mark.parametrize("wanted", ["", "v", "v3", "sha256:", "0" * 8, "c0ffee", "../x", "sha256:v1", "*"])
def test_what_fits_nothing_says_how_to_build_it(store: Store, wanted: str) -> None:
    dated(store, bundle(store))
    with pytest.raises(ArtifactError, match="no artifact for .*ci/push"):
        find_digest(store, wanted)


def test_a_digest_too_short_to_mean_one_is_not_taken_behind_its_prefix_either(store: Store) -> None:
    (one,) = dated(store, bundle(store))
    for wanted in (one[:1], one[:7], f"sha256:{one[:1]}", f"sha256:{one[:7]}"):
        with pytest.raises(ArtifactError, match="no artifact"):
            find_digest(store, wanted)


def test_an_empty_store_has_nothing(store: Store) -> None:
    with pytest.raises(ArtifactError, match="no artifact"):
        find_digest(store, "v1")


def test_a_name_that_several_builds_have_is_an_error_that_lists_them(store: Store) -> None:
    digests = dated(store, bundle(store), bundle(store, python="3.12"))
    for name, kind in (("v1", "version"), (COMMIT, "commit"), (COMMIT[:7], "commit")):
        with pytest.raises(ArtifactError) as refused:
            find_digest(store, name)
        assert all(f"{digest} (by its {kind})" in str(refused.value) for digest in digests)


def test_a_shortened_digest_that_fits_several_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = dated(store, bundle(store))
    twin = one[:20] + "0" * 44
    monkeypatch.setattr(store, "artifacts", lambda: [one, twin])
    monkeypatch.setattr(store, "manifest", lambda digest, real=store.manifest: real(one))
    with pytest.raises(ArtifactError, match="fits several artifacts"):
        find_digest(store, one[:12])
    assert find_digest(store, one) == one


@pytest.mark.parametrize(
    "name", ["../evil.whl", "/etc/evil.whl", "..", ".", "", "a/b.whl", "a/../b.whl", "a.whl/", "a\0.whl"]
)
def test_a_hostile_file_name_leaves_its_folder_alone(store: Store, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside" / "wheels"
    with pytest.raises(ArtifactError, match="outside its folder"):
        copy_blobs(store, {name: put(store, "a")}, folder)
    assert list(folder.iterdir()) == [] and list(folder.parent.iterdir()) == [folder]


def test_blobs_are_laid_out_under_their_names_again_and_again(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    names = {"a-1 (ü).whl": put(store, "a"), "..b.whl": put(store, "b")}
    for _ in range(2):
        copy_blobs(store, names, folder)
        assert {file.name: file.read_text() for file in folder.iterdir()} == {"a-1 (ü).whl": "a", "..b.whl": "b"}
        assert not any(file.is_symlink() for file in folder.iterdir())  # what was hashed is what lies there


def test_a_damaged_blob_is_not_laid_out(store: Store, tmp_path: Path) -> None:
    digest = put(store, "a")
    (store.root / "blobs" / "sha256" / digest).write_text("b")
    with pytest.raises(ArtifactError, match="changed"):
        copy_blobs(store, {"a.whl": digest}, tmp_path / "wheels")
    assert not (tmp_path / "wheels" / "a.whl").exists()


ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
WEB, EDGE = Build(dockerfile="Dockerfile", target="web"), Build(context="edge", dockerfile="edge/Dockerfile")


def test_several_images_are_in_the_digest_and_are_read_again(store: Store) -> None:
    runs = {"production": {"web": "", "edge": "edge"}}
    image = Image(id=ONE, build=WEB, others={"edge": OtherImage(id=TWO, build=EDGE)}, services=runs)
    digest = put_bundle(store, bundle(store, image=image))
    read = read_bundle(store, digest).image
    assert read == image and read.ids == {"": ONE, "edge": TWO}
    for change in ({"others": {"edge": OtherImage(id=ONE, build=EDGE)}}, {"services": {"production": {"web": "edge"}}}):
        assert put_bundle(store, bundle(store, image=image.model_copy(update=change))) != digest


def test_an_artifact_of_one_image_has_the_digest_that_it_had_before_there_were_several(store: Store) -> None:
    digest = put_bundle(store, bundle(store, image=Image(id=ONE, compose={"production": "compose.yml"})))
    manifest = json.loads(store.manifest(digest))
    assert manifest["image"] == {"id": ONE, "reference": None, "compose": {"production": "compose.yml"}}
    read = read_bundle(store, digest).image
    assert read and read.services is None and read.ids == {"": ONE}


@pytest.mark.parametrize(
    "change",
    [
        {"services": {"production": {"web": "edge"}}},
        {"others": {"../edge": {"id": TWO, "build": {"dockerfile": "Dockerfile"}}}},
        {"others": {"": {"id": TWO, "build": {"dockerfile": "Dockerfile"}}}},
        {"others": {"edge": {"id": "edge:latest", "build": {"dockerfile": "Dockerfile"}}}},
        {"others": {"edge": {"id": TWO}}},
        {"build": {"dockerfile": "Dockerfile", "network": "host"}},
    ],
)
def test_images_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Image.model_validate({"id": ONE, **change})


def test_a_bundle_that_starts_at_the_top_is_as_before_there_were_directories(store: Store) -> None:
    digest = put_bundle(store, bundle(store, run=Run(command=("python", "-m", "app"), directory="./")))
    assert "directory" not in json.loads(store.manifest(digest))["run"]
    assert digest == put_bundle(store, bundle(store))
    below = put_bundle(store, bundle(store, run=Run(command=("python", "-m", "app"), directory="apps/api")))
    assert read_bundle(store, below).run.directory == "apps/api"


def test_a_bundle_that_would_start_outside_of_its_source_is_unreadable(store: Store) -> None:
    named = bundle(store).model_dump(mode="json", exclude_none=True)
    digest = store.put_manifest(json.dumps({**named, "run": {**named["run"], "directory": "../other"}}).encode())
    with pytest.raises(ArtifactError, match="unreadable manifest"):
        read_bundle(store, digest)
