"""Hostile files: a ConfigError that names the file, in bounded time, and nothing else."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deployments.runtimes.compose.allowed import SERVICE, TOP
from deployments.runtimes.compose.contain import contain
from deployments.runtimes.compose.judge import Reach
from deployments.runtimes.compose.model import read_stack
from deployments.runtimes.compose.parse import parse, written
from deployments.runtimes.compose.read import read_model
from host.docker.engine import Engine
from host.errors import ConfigError

needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="the docker command reads compose files")
WEB = '{image: x, labels: {slipway.role: slot}, expose: ["8000"]}'


def place(directory: Path, **files: str | bytes) -> Path:
    """Write files NAME.yml of an artifact; return its directory."""
    top = directory / "artifact"
    top.mkdir(exist_ok=True)
    (directory / "scratch").mkdir(exist_ok=True)
    for name, content in files.items():
        (top / f"{name}.yml").write_bytes(content.encode() if isinstance(content, str) else content)
    return top


def said(directory: Path, content: str | bytes, **files: str | bytes) -> str:
    """Return why a file is refused, by our own reading or by compose's."""
    top = place(directory, compose=content, **files)
    with pytest.raises(ConfigError) as raised:
        _, problems, _ = read_model(Engine(), top / "compose.yml", top, "shop", {}, ())
        raise ConfigError("; ".join(problems))
    return str(raised.value)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("#" * 50_000_000, "expected less than 1000000 bytes"),
        ("services:\n" + "".join(f"  s{n}: {{image: x}}\n" for n in range(10_000)), "more than 20000 values"),
        (BOMB, "values"),
        ("a: &a {b: *a}\n", "levels"),
        ("x: &x {<<: *x}\n", "levels"),
        ("services: {web: {image: \xff}}".encode("latin-1"), "cannot be read as text"),
        (b"\x00\x01\x02", "it is not YAML"),
        ("services: {1: {image: x}}", "write it in quotes"),
        ("services: {null: {image: x}}", "write it in quotes"),
        ("services: {true: {image: x}}", "write it in quotes"),
        ("1.5: x", "write it in quotes"),
        ("services: {{a: b}: c}", "a key is no text"),
        ("[1, 2]", "expected a mapping"),
        ("text", "expected a mapping"),
        ("", "documents, expected one"),
        ("services: text", "expected a mapping of services"),
        ("{" * 100_000, "levels"),
        ("services: {web: !reset null}", "the tag !reset"),
        ("services: !override {web: {image: x}}", "the tag !override"),
        ("services: {web: !mine {image: x}}", "the tag !mine"),
    ],
)
def test_a_hostile_file_is_refused_before_compose_reads_it(tmp_path: Path, content: str | bytes, why: str) -> None:
    top = place(tmp_path, compose=content)
    with pytest.raises(ConfigError) as raised:
        contain(top / "compose.yml", top, tmp_path / "scratch", ())
    assert "compose.yml" in str(raised.value) and why in str(raised.value) and len(str(raised.value)) < 1_000


@needs_docker
@pytest.mark.parametrize(
    ("content", "other"),
    [
        (f"include: [other.yml]\nservices: {{web: {WEB}}}\n", f"include: [compose.yml]\nservices: {{o: {WEB}}}\n"),
        (f"include: [compose.yml]\nservices: {{web: {WEB}}}\n", ""),
        (
            "services: {web: {extends: {file: other.yml, service: o}}}\n",
            "services: {o: {extends: {file: compose.yml, service: web}}}\n",
        ),
        ("services: {web: {extends: b}, b: {extends: web}}\n", ""),
        ("services: {web: {extends: web}}\n", ""),
        ("services: {web: {extends: {file: compose.yml, service: web}}}\n", ""),
        ("services: {web: {image: x, depends_on: [b]}, b: {image: x, depends_on: [web]}}\n", ""),
        ("services: {web: {image: x, network_mode: 'service:b'}, b: {image: x, network_mode: 'service:web'}}\n", ""),
    ],
)
def test_what_leads_to_itself_has_an_end(tmp_path: Path, content: str, other: str) -> None:
    assert "compose.yml" in said(tmp_path, content, other=other)


def test_many_files_have_an_end(tmp_path: Path) -> None:
    top = place(tmp_path, **{f"f{number}": f"include: [f{number + 1}.yml]\n" for number in range(100)})
    with pytest.raises(ConfigError, match="more than 50 files"):
        contain(top / "f0.yml", top, tmp_path / "scratch", ())


@needs_docker
@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "volumes: {media: {driver_opts: {type: nfs, o: 'addr=192.0.2.10,rw', device: ':/x'}}}",
            "volume media: driver_opts",
        ),
        ("volumes: {media: {driver: rclone}}", 'volume media: driver "rclone"'),
        ("volumes: {media: {name: shop_data}}", "the volume shop_data is not of the project shop"),
        ("volumes: {media: {external: true}}", "the volume media is not of the project shop"),
        ("networks: {default: {driver_opts: {com.docker.network.driver.mtu: '1400'}}}", "network default: driver_opts"),
        (
            "networks: {default: {name: production_default}}",
            "the network production_default is not of the project shop",
        ),
        ("networks: {default: {driver: macvlan}}", 'network default: driver "macvlan"'),
    ],
)
def test_options_without_an_equivalent_are_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    web = WEB.removesuffix("}") + ", volumes: ['media:/m']}"
    extra = "" if text.startswith("volumes") else "\nvolumes: {media: {}}"
    top = place(tmp_path, compose=f"services: {{web: {web}}}\n{text}{extra}\n")
    model, problems, _ = read_model(Engine(), top / "compose.yml", top, "shop", {}, ())
    with pytest.raises(ConfigError) as raised:
        read_stack(model, "compose.yml", Reach("shop", str(top)), problems)
    assert why in str(raised.value)


TEXTS = st.text(alphabet="abx:{}[]-&*!<?|>'\"\\,# \n\t%@`~$\u00e9\u2028\x00\ufeff0123.", max_size=120)


@pytest.mark.fuzz
@given(TEXTS | st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_a_document_or_a_config_error(text: str) -> None:
    try:
        document = parse(text, "c.yml")
    except ConfigError as error:
        assert str(error).startswith("c.yml")
        return
    assert parse(written(document.value), "c.yml").value == document.value


KEYS = st.sampled_from([*SERVICE, *TOP, "file", "path", "service", "source", "type", "x-a", "<<", "privileged"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(["/etc/passwd", "../x", "~/x", "${A}", "compose.yml", "other.yml", "web", "x", "$PATH"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=15,
)


@pytest.mark.fuzz
@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(KEYS, VALUES, max_size=6))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_contained_or_refused(tmp_path: Path, top: dict[str, Any], web: dict[str, Any]) -> None:
    """What is written for compose names no file that is not of the artifact."""
    directory = place(tmp_path, compose=written({**top, "services": {"web": web}}), other="services: {x: {image: x}}")
    try:
        found = contain(directory / "compose.yml", directory, tmp_path / "scratch", ("A",))
    except ConfigError:
        return
    assert found.copy is not None
    value = parse(found.copy.read_text(), "copy.yml").value
    service = value["services"]["web"]
    read = [one for key in ("env_file", "label_file") for one in _list(service.get(key))]
    read += [one.get("file") for kind in ("configs", "secrets") for one in (value.get(kind) or {}).values()]
    for one in read:
        path = one.get("path") if isinstance(one, dict) else one
        assert path in (None, "/dev/null") or str(path).startswith(str(directory.resolve()))


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]
