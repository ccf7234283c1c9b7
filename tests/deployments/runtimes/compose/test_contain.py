"""Hostile files: a ConfigError that names the file, in bounded time, and nothing else."""

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
from tests.docker_engine import needs_docker

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
        raise ConfigError("; ".join(contain(top / "compose.yml", top, tmp_path / "scratch", ()).problems))
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


def env_files(directory: Path, files: dict[str, str], named: list[str], known: tuple[str, ...] = ()) -> Any:
    """Return what is found of a service that names files of variables."""
    top = place(directory, compose=f"services: {{web: {{image: x, env_file: {named}}}}}")
    for name, text in files.items():
        (top / name).write_text(text)
    return contain(top / "compose.yml", top, directory / "scratch", known)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("A=1\nDB_PASSWORD: s3$cret9\n", 'a.env:2: DB_PASSWORD: a "$" begins a variable that nothing sets; write $$'),
        ("A=1\nB c=d\n", "a.env:2: compose cannot read this line, expected NAME=value"),
        ("A='x\nB=c\n", "a.env:1: compose cannot read this line"),
        ("A=1\nexport B\n", "a.env:2: B: it has no value, and nothing sets it; give it one, set APP_B"),
    ],
)
def test_what_of_a_file_of_variables_is_lost_is_refused_by_its_line(tmp_path: Path, text: str, why: str) -> None:
    (said,) = env_files(tmp_path, {"a.env": text}, ["a.env"]).problems
    assert why in said and said.startswith("compose.yml:1: service web: env_file: ") and "cret9" not in said


@pytest.mark.parametrize("text", ["A: b\nB: $A\n", "A\nB=$A\n", "C=1\nC\n", "# x y\n\nD=x # y z\n", "D: '$x'\n"])
def test_what_compose_reads_of_a_file_of_variables_is_quiet(tmp_path: Path, text: str) -> None:
    assert env_files(tmp_path, {"a.env": text}, ["a.env"], known=("A",)).problems == []


def test_an_earlier_file_sets_what_a_later_one_names(tmp_path: Path) -> None:
    files = {"a.env": "A=1\n", "b.env": "A\nB=$A\n"}
    assert env_files(tmp_path, files, ["a.env", "b.env"]).problems == []
    assert len(env_files(tmp_path, files, ["b.env", "a.env"]).problems) == 2


def test_files_of_variables_that_are_named_often_are_read_once(tmp_path: Path) -> None:
    found = env_files(tmp_path, {"a.env": "A=1\n" * 100}, ["a.env"] * 1_000)
    assert found.problems == [] and found.told == {"A": "1"}
    with pytest.raises(ConfigError, match="a.env: the files of variables have more than"):
        env_files(tmp_path, {"a.env": "A=1\n" * 20_000}, ["a.env"] * 20)
    many = {f"{number}.env": "#" * 900_000 for number in range(3)}
    with pytest.raises(ConfigError, match="2.env: the files of variables have more than"):
        env_files(tmp_path, many, list(many))


@needs_docker
def test_a_long_list_of_what_is_wrong_is_cut(tmp_path: Path) -> None:
    top = place(tmp_path, compose="services: {web: {image: x, env_file: a.env, cpus: [1]}}")
    (top / "a.env").write_text("".join(f"A{number}=$B{number}\n" for number in range(2_000)))
    with pytest.raises(ConfigError, match="and 1800 more") as raised:
        read_model(Engine(), top / "compose.yml", top, "shop", {}, ())
    assert len(str(raised.value)) < 100_000


# Files beside compose.yml, and what is told of them.
BESIDE = {
    "an override": ({"compose.override.yml": ""}, ["compose.override.yml: compose merges it when nobody names a file"]),
    "of before": ({"docker-compose.override.yaml": ""}, ["docker-compose.override.yaml: compose merges it"]),
    "another file": ({"compose.dev.yml": "", "docker-compose.prod.yml": ""}, []),
    "settings of compose": (
        {".env": "COMPOSE_FILE=a.yml:b.yml\nCOMPOSE_PROFILES=web\nCOMPOSE_IGNORE_ORPHANS: 1\nA=b\n"},
        [
            ".env: COMPOSE_FILE: this file is not read; [image.compose]",
            ".env: COMPOSE_IGNORE_ORPHANS: this file is not read; a release has no such setting",
            ".env: COMPOSE_PROFILES: this file is not read; remove `profiles`",
        ],
    ),
    "other settings": ({".env": "A=COMPOSE_FILE\n#COMPOSE_FILE=x\n"}, []),
}


@pytest.mark.parametrize("case", BESIDE)
def test_what_compose_reads_by_itself_is_told(tmp_path: Path, case: str) -> None:
    files, wanted = BESIDE[case]
    found = env_files(tmp_path, files, []).left_out
    assert len(found) == len(wanted) and all(line.startswith(start) for line, start in zip(found, wanted, strict=True))


def test_a_file_that_somebody_names_is_not_merged_with_others(tmp_path: Path) -> None:
    top = place(tmp_path, prod="services: {web: {image: x}}")
    (top / "compose.override.yml").write_text("")
    assert contain(top / "prod.yml", top, tmp_path / "scratch", ()).left_out == []
