import math
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.errors import ConfigError
from host.home import CHECKOUT
from host.sandbox.run import Isolation
from settings.environment import Settings, Strategy, read_settings
from settings.pipeline import read_pipeline
from settings.targets import Target
from tasks.scans import all_scans

SOUND = {"PORT": "8080", "STRATEGY": "direct", "REQUIRED_GATES": "unit, mypy"}


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SLIPWAY_DEVELOPMENT_", "SLIPWAY_STAGING_", "SLIPWAY_PRODUCTION_")):
            monkeypatch.delenv(name)


def write(folder: Path, *lines: str, **changes: str | None) -> Path:
    """Write a sound production.env with changes (None removes a key) and further lines; return its folder."""
    values = {key: value for key, value in {**SOUND, **changes}.items() if value is not None}
    text = "\n".join([*(f"{key}={value}" for key, value in values.items()), *lines]) + "\n"
    (folder / "production.env").write_text(text, encoding="utf-8")
    return folder


def read(folder: Path) -> Settings:
    return read_settings(Target("production"), folder)


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as told:
        read(folder)
    return str(told.value)


@pytest.mark.parametrize("host", ["", "shop.example.com", "shop.example.com:8443", "127.0.0.1", "localhost"])
def test_health_is_asked_by_a_name(tmp_path: Path, host: str) -> None:
    assert read(write(tmp_path, HEALTH_HOST=host)).health_host == host


@pytest.mark.parametrize("host", ["http://a", "a/b", "a b", "-a", "a:", "a,b", "a:x"])
def test_what_is_no_name_of_a_host_is_refused(tmp_path: Path, host: str) -> None:
    assert f'HEALTH_HOST: got "{host}"' in refusal(write(tmp_path, HEALTH_HOST=host))


@pytest.mark.parametrize("line", ["APP_X=a\0b", "APP_\0X=a", "\0", "# \0", 'SECRET_X="env:A\0"'])
def test_a_nul_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    assert refusal(write(tmp_path, line)).endswith("line 4: holds a NUL character, which no program can be given")


def test_a_near_miss_is_asked_about(tmp_path: Path) -> None:
    assert 'HELTH_HOST: unknown key; did you mean "HEALTH_HOST"?' in refusal(write(tmp_path, HELTH_HOST="a"))


LINES = st.lists(
    st.tuples(
        st.sampled_from([*(name.upper() for name in Settings.model_fields), "APP_X", "SECRET_X", "export PORT", "#"])
        | st.text(max_size=9),
        st.text(max_size=20)
        | st.sampled_from(["inf", "nan", "1e999", "-1", "'", '"a\\', "${PORT}", "true", "9" * 5000]),
    ).map("=".join)
    | st.text(max_size=30),
    max_size=5,
)


@pytest.mark.fuzz
@given(LINES)
def test_whatever_the_file_holds_it_is_read_or_refused(lines: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(ConfigError):
        (Path(folder) / "production.env").write_bytes(
            "\n".join([*(f"{key}={value}" for key, value in SOUND.items()), *lines]).encode(errors="surrogatepass")
        )
        settings = read(Path(folder))
        assert "\\x00" not in repr(settings)
        assert all(math.isfinite(value) for value in settings.model_dump().values() if isinstance(value, float))


@pytest.mark.parametrize("target", Target.all())
def test_the_files_of_this_repository_are_sound(target: Target) -> None:
    settings = read_settings(target, CHECKOUT / "config")
    pipeline = read_pipeline(CHECKOUT / "config" / "pipeline.toml")
    known = {*pipeline.checks, *all_scans(), "security-score", "provenance", "sbom"}
    assert {*pipeline.quality, "unit", "integration"} <= set(settings.gates) <= known
    assert {one.partition(":")[0] for one in settings.secrets.values()} == {"generated", "template"}


def test_the_environments_of_this_repository_do_not_share_a_port() -> None:
    assert len({read_settings(target, CHECKOUT / "config").port for target in Target.all()}) == 3


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    settings = read(write(tmp_path))
    assert (settings.port, settings.strategy, settings.gates) == (8080, Strategy.DIRECT, ("unit", "mypy"))
    assert settings.approval == "required" and settings.required_isolation is Isolation.NAMESPACES


@pytest.mark.parametrize(("target", "watch", "alerts"), [("development", "basic", False), ("staging", "full", False)])
def test_how_much_is_watched_is_the_environments_own(target: str, watch: str, alerts: bool) -> None:
    settings = read_settings(Target(target), CHECKOUT / "config")
    assert (settings.watch, settings.alerts) == (watch, alerts)
    production = read_settings(Target("production"), CHECKOUT / "config")
    assert (production.watch, production.alerts) == ("full", True)


def test_comments_quotes_spaces_and_exports_are_read(tmp_path: Path) -> None:
    lines = ("# a comment", "", "export DRAIN_SECONDS = '7.5' # why", 'APP_GREETING="a b # c"', "APP_DOLLAR=$HOME")
    settings = read(write(tmp_path, *lines))
    assert settings.drain_seconds == 7.5
    assert settings.app == {"GREETING": "a b # c", "DOLLAR": "$HOME"}


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"PORT": None}, "PORT", "Field required"),
        ({"MAX_SCAN_AGE_HOURS": "0"}, "MAX_SCAN_AGE_HOURS", 'got "0"'),
        ({"MAX_SCAN_AGE_HOURS": "inf"}, "MAX_SCAN_AGE_HOURS", 'got "inf"'),
        ({"STRATEGY": None}, "STRATEGY", "Field required"),
        ({"REQUIRED_GATES": None}, "REQUIRED_GATES", "Field required"),
        ({"PORT": ""}, "PORT", 'got ""'),
        ({"PORT": "0"}, "PORT", 'got "0"'),
        ({"PORT": "65536"}, "PORT", 'got "65536"'),
        ({"PORT": "-1"}, "PORT", 'got "-1"'),
        ({"PORT": "80.5"}, "PORT", 'got "80.5"'),
        ({"PORT": "http"}, "PORT", 'got "http"'),
        ({"STRATEGY": "canari"}, "STRATEGY", 'got "canari"'),
        ({"WATCH": "everything"}, "WATCH", 'got "everything"'),
        ({"ALERTS": "maybe"}, "ALERTS", 'got "maybe"'),
        ({"APPROVAL": "maybe"}, "APPROVAL", 'got "maybe"'),
        ({"APPROVAL": "None"}, "APPROVAL", 'got "None"'),
        ({"RUNTIME": "docker"}, "RUNTIME", 'got "docker"'),
        ({"ALLOW_AUTHOR_APPROVAL": "perhaps"}, "ALLOW_AUTHOR_APPROVAL", 'got "perhaps"'),
        ({"REQUIRES_PROMOTION_IN": "prod"}, "REQUIRES_PROMOTION_IN", 'got "prod"'),
        ({"REQUIRED_ISOLATION": "jail"}, "REQUIRED_ISOLATION", 'got "jail"'),
        ({"BAKE_SECONDS": "-5"}, "BAKE_SECONDS", 'got "-5"'),
        ({"BAKE_SECONDS": "soon"}, "BAKE_SECONDS", 'got "soon"'),
        ({"BAKE_SECONDS": "inf"}, "BAKE_SECONDS", 'got "inf"'),
        ({"BAKE_PROBES_PER_SECOND": "101"}, "BAKE_PROBES_PER_SECOND", 'got "101"'),
        ({"MIN_REQUESTS": "0"}, "MIN_REQUESTS", 'got "0"'),
        ({"MAX_ERROR_RATE": "1.1"}, "MAX_ERROR_RATE", 'got "1.1"'),
        ({"MAX_ERROR_RATE": "5%"}, "MAX_ERROR_RATE", 'got "5%"'),
        # nothing exceeds either: as a limit it would let everything pass
        ({"MAX_ERROR_RATE": "nan"}, "MAX_ERROR_RATE", 'got "nan"'),
        ({"MAX_P95_SECONDS": "nan"}, "MAX_P95_SECONDS", 'got "nan"'),
        ({"MAX_P95_SECONDS": "inf"}, "MAX_P95_SECONDS", 'got "inf"'),
        ({"MAX_P95_SECONDS": "0"}, "MAX_P95_SECONDS", 'got "0"'),
        ({"MAX_P95_RATIO": "0.9"}, "MAX_P95_RATIO", 'got "0.9"'),
        ({"APPROVAL_TIMEOUT_SECONDS": "4"}, "APPROVAL_TIMEOUT_SECONDS", 'got "4"'),
        ({"BAKE_SECONDS": "10", "BAKE_MAX_SECONDS": "9"}, "BAKE_MAX_SECONDS", "must not be below BAKE_SECONDS"),
        ({"STRATEGY": "blue-green", "MAX_DOWNTIME_SECONDS": "1"}, "MAX_DOWNTIME_SECONDS", "must be 0"),
        ({"BAKE_SECOND": "5"}, "BAKE_SECOND", 'unknown key; did you mean "BAKE_SECONDS"?'),
        ({"port": "5"}, "port", "unknown key"),
        ({"COLOUR": "blue"}, "COLOUR", "unknown key; known keys are in docs/configuration.md"),
        ({"APP": "x"}, "APP", "unknown key"),
        ({"SECRETS": "x"}, "SECRETS", "unknown key"),
        ({"APP_": "x"}, "APP_", "unknown key"),
        ({"APP_lower": "x"}, "APP_lower", "unknown key"),
        ({"SECRET_": "x"}, "SECRET_", "unknown key"),
    ],
)
def test_bad_input_names_file_and_key(tmp_path: Path, changes: dict[str, str | None], key: str, said: str) -> None:
    told = refusal(write(tmp_path, **changes))
    assert told.startswith(f"{tmp_path / 'production.env'}: ") and key in told and said in told, told


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PORT", "1"),
        ("PORT", "65535"),
        ("BAKE_SECONDS", "0"),
        ("MIN_REQUESTS", "1"),
        ("MAX_ERROR_RATE", "0"),
        ("MAX_ERROR_RATE", "1"),
        ("MAX_P95_RATIO", "1"),
        ("BAKE_PROBES_PER_SECOND", "100"),
        ("APPROVAL_TIMEOUT_SECONDS", "5"),
        ("MAX_DOWNTIME_SECONDS", "0"),
        ("ALLOW_AUTHOR_APPROVAL", "true"),
        ("REQUIRES_PROMOTION_IN", ""),
    ],
)
def test_the_good_side_of_each_limit(tmp_path: Path, key: str, value: str) -> None:
    read(write(tmp_path, **{key: value}))


@pytest.mark.parametrize(
    "line", ["DRAIN_SECONDS 30", "DRAIN_SECONDS", "DRAIN_SECONDS: 30", "=30", "APP_A='never closed", "hunter2 hunter2"]
)
def test_a_line_that_is_none_is_named_and_not_left_out(tmp_path: Path, line: str) -> None:
    told = refusal(write(tmp_path, "", "# comment", line, "APP_LAST=1"))
    assert f"{tmp_path / 'production.env'}: line {len(SOUND) + 3}: expected KEY=value" == told
    assert "hunter2" not in told


def test_a_key_that_stands_there_twice_is_named(tmp_path: Path) -> None:
    told = refusal(write(tmp_path, "PORT=8081"))
    assert told == f"{tmp_path / 'production.env'}: PORT: stands there twice, again in line 4"


@pytest.mark.parametrize("reference", ["generated", "file:/etc/key", "file:relative", "env:APP_KEY"])
def test_a_secret_is_a_reference(tmp_path: Path, reference: str) -> None:
    assert read(write(tmp_path, SECRET_KEY=reference)).secrets == {"KEY": reference}


@pytest.mark.parametrize("value", ["hunter2", "file:", "env:", "env:2hunter", "generated-hunter2", "", "GENERATED"])
def test_what_may_be_the_secret_itself_is_not_repeated(tmp_path: Path, value: str) -> None:
    told = refusal(write(tmp_path, SECRET_KEY=value))
    assert "SECRET_KEY: expected generated, file:PATH, env:NAME or template:TEXT" in told
    assert "hunter2" not in told


def test_a_misspelt_secret_is_not_repeated_either(tmp_path: Path) -> None:
    assert "hunter2" not in refusal(write(tmp_path, SECERT_KEY="hunter2"))


def test_a_variable_of_the_host_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_PORT", "9080")
    monkeypatch.setenv("SLIPWAY_PRODUCTION_APP_GREETING", "hello")
    monkeypatch.setenv("SLIPWAY_PRODUCTION_SECRET_KEY", "env:KEY")
    monkeypatch.setenv("SLIPWAY_STAGING_PORT", "nonsense")  # another environment's
    settings = read(write(tmp_path))
    assert (settings.port, settings.app, settings.secrets) == (9080, {"GREETING": "hello"}, {"KEY": "env:KEY"})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "x", 'PORT: got "x"'),
        ("PROT", "1", 'PROT: unknown key; did you mean "PORT"?'),
        ("SECRET_KEY", "hunter2", "SECRET_KEY: expected generated"),
    ],
)
def test_a_bad_override_names_the_variable_and_not_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"SLIPWAY_PRODUCTION_{name}", value)
    told = refusal(write(tmp_path))
    assert told.startswith(f"the environment variable SLIPWAY_PRODUCTION_{name}: {said}")
    assert "hunter2" not in told


def test_an_override_mends_what_the_file_has_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_PORT", "9080")
    assert read(write(tmp_path, PORT=None)).port == 9080


def test_a_missing_file_a_folder_and_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path)
    file = tmp_path / "production.env"
    file.write_bytes(b"PORT=\xff\n")
    assert refusal(tmp_path).startswith(f"{file}: cannot be read")
    file.unlink()
    file.mkdir()
    assert "no such file" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "target"), [("prod", Target("production")), ("STAGING", Target("staging")), ("Dev", Target("development"))]
)
def test_an_environment_is_known_by_both_its_names(name: str, target: Target) -> None:
    assert Target.parse(name) == target
    assert Target.parse(target.short) == Target.parse(target.value) == target


@pytest.mark.parametrize("name", ["", "test", "production ", "pro", "../production"])
def test_an_unknown_environment_is_told_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match="expected one of: development, staging, production"):
        Target.parse(name)


def test_gates_are_a_list_without_gaps(tmp_path: Path) -> None:
    assert read(write(tmp_path, REQUIRED_GATES=" unit ,, mypy,")).gates == ("unit", "mypy")
