import re
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given

from gates.branch_names import branch_problem
from gates.release.health_rules import HealthRules
from host.errors import ConfigError
from host.home import CHECKOUT
from host.resources.shares import Shares
from settings.locks import LockChoice
from settings.pipeline import App, Pipeline, read_pipeline
from tests.settings.documents import tables

SOUND = """
[app]
name = "shop"
repository = "https://git.example.org/shop.git"
[locks]
runtime = "requirements.lock"
ci = "requirements-dev.lock"
[run]
command = ["python", "-m", "shop", "{port}"]
"""
BUILD = """
[[build]]
name = "frontend"
commands = [{}]
inputs = ["frontend"]
outputs = ["static"]
"""


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SLIPWAY_REPOSITORY", raising=False)
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))


def write(folder: Path, text: str = SOUND) -> Path:
    file = folder / "pipeline.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as told:
        read_pipeline(file)
    assert str(told.value).startswith(f"{file}: ")
    assert len(str(told.value)) < 500
    return str(told.value).removeprefix(f"{file}: ")


def test_the_file_of_this_repository_is_sound() -> None:
    pipeline = read_pipeline(CHECKOUT / "config" / "pipeline.toml")
    assert {"black", "isort", "flake8", "mypy", "eslint", "tsc", "vitest"} == set(pipeline.quality)
    assert {"unit", "integration", "e2e", "performance", "regression"} == set(pipeline.suites)


def test_ten_lines_are_enough(tmp_path: Path) -> None:
    pipeline = read_pipeline(write(tmp_path))
    assert (pipeline.app.branch, pipeline.app.python, pipeline.run.health) == ("main", "3.11", ("/health",))
    assert pipeline.locks.shipped == (LockChoice(file="requirements.lock"),)


def test_health_is_asked_and_read_as_its_section_says(tmp_path: Path) -> None:
    text = 'paths = ["/ready", "/db"]\nhost = "shop.example.com"\nforwarded_proto = "https"\ngood = ["rosy"]\n'
    pipeline = read_pipeline(write(tmp_path, SOUND + "[health]\n" + text + 'pointer = "/data/status"\n'))
    rules = HealthRules(host="shop.example.com", forwarded_proto="https", good=("rosy",), pointer="/data/status")
    assert (pipeline.run.health, pipeline.run.rules) == (("/ready", "/db"), rules)
    only = read_pipeline(write(tmp_path, SOUND + '[health]\nhost = "shop.example.com"\n'))
    assert (only.run.health, only.run.rules.host) == (("/health",), "shop.example.com")


def test_the_paths_of_either_place_are_the_same_rules_and_a_file_without_keeps_its_digest(tmp_path: Path) -> None:
    old = read_pipeline(write(tmp_path, SOUND.replace("[run]", '[run]\nhealth = ["/ready"]')))
    new = read_pipeline(write(tmp_path, SOUND + '[health]\npaths = ["/ready"]\n'))
    assert (old.run, old.digest) == (new.run, new.digest)
    assert '"rules"' not in old.model_dump_json() and not old.run.rules.headers
    asked = read_pipeline(write(tmp_path, SOUND + '[health]\npaths = ["/ready"]\nhost = "a.example"\n'))
    assert asked.digest != old.digest


@pytest.mark.fuzz
@given(tables(SOUND))
def test_whatever_the_file_holds_it_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, suppress(ConfigError):
        pipeline = read_pipeline(write(Path(folder), text))
        assert "\0" not in repr(pipeline) and not branch_problem(pipeline.app.branch)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "a = " + "9" * 5000,
        "a = 9999-99-99",
        "a." * 5000 + "b = 1",
        "[a" + ".a" * 5000 + "]",
        "\ufeff",
    ],
    ids=["nested", "number", "date", "dotted", "table", "mark"],
)
def test_what_python_cannot_hold_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read_pipeline(write(tmp_path, text))


def test_what_speed_is_held_against_has_defaults(tmp_path: Path) -> None:
    limits = read_pipeline(write(tmp_path, SOUND + '[performance]\nlocustfile = "l.py"\n')).performance
    assert limits and (limits.max_benchmark_regression_percent, limits.compare_seconds) == (25, 60)
    never = read_pipeline(write(tmp_path, SOUND + '[performance]\nlocustfile = "l.py"\ncompare_seconds = 0\n'))
    assert never.performance and never.performance.compare_seconds == 0


def test_the_smoke_lock_is_shipped(tmp_path: Path) -> None:
    pipeline = read_pipeline(write(tmp_path, SOUND.replace("[run]", 'smoke = "smoke.lock"\n[run]')))
    assert [str(lock) for lock in pipeline.locks.shipped] == ["requirements.lock", "smoke.lock"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "shop"\n', "", "app.name: Field required"),
        ('name = "shop"', 'name = ""', "app.name: got ''"),
        ('name = "shop"', 'name = "Shop"', "app.name: got 'Shop'"),
        ('name = "shop"', 'name = "../shop"', "app.name: got '../shop'"),
        ('name = "shop"', 'name = "shop\\n"', "app.name: got"),
        ('name = "shop"', "name = 7", "app.name: got '7'"),
        ('name = "shop"', 'name = "shop"\nnmae = "x"', "app.nmae: a key that Slipway does not know"),
        ('"https://git.example.org/shop.git"', '""', "app.repository: got ''"),
        ('name = "shop"', 'name = "shop"\npython = "3"', "app.python: got '3'"),
        ('runtime = "requirements.lock"\n', "", "locks.runtime: Field required"),
        ("[locks]", "[lock]", "lock: a key that Slipway does not know"),
        ("[locks]", "[[locks]]", "locks: got"),
        ('command = ["python", "-m", "shop", "{port}"]', "", "run.command: Field required"),
        ('["python", "-m", "shop", "{port}"]', "[]", "run.command: got '[]'"),
        ('["python", "-m", "shop", "{port}"]', '"python -m shop"', "run.command: got 'python -m shop'"),
        ('["python", "-m", "shop", "{port}"]', '["python", 7]', "run.command.1: got '7'"),
        ("[run]", "[run]\nhealth = []", "run.health: got"),
        ("[run]", '[run]\nhealth = ["health"]', "run.health.0: got 'health'"),
        ("[run]", '[run]\nhelth = ["/h"]', 'run.helth: a key that Slipway does not know; did you mean "health"?'),
        ("[run]", "[healht]\n[run]", 'healht: a key that Slipway does not know; did you mean "health"?'),
        (
            "[run]",
            '[health]\npath = ["/h"]\n[run]',
            'health.path: a key that Slipway does not know; did you mean "paths"?',
        ),
        ("[run]", '[health]\npaths = ["h"]\n[run]', "health.paths.0: got 'h'"),
        ("[run]", "[health]\npaths = []\n[run]", "health.paths: got '[]'"),
        ("[run]", '[health]\nhost = "a b"\n[run]', "health.host: got 'a b'"),
        ("[run]", '[health]\nforwarded_proto = "tls"\n[run]', "health.forwarded_proto: got 'tls'"),
        ("[run]", '[health]\npointer = "status"\n[run]', "health.pointer: got 'status'"),
        ("[run]", '[health]\ngood = "fine"\n[run]', "health.good: got 'fine'"),
        ("[run]", '[health]\ngood = [""]\n[run]', "health.good.0: got ''"),
        ("[run]", '[health]\ngood = ["x"]\nbad = ["X"]\n[run]', "health: good, warning, bad: 'x' stands"),
        ("[run]", "[[health]]\n[run]", "health: got"),
        (
            "[run]",
            '[run]\nhealth = ["/a"]\n[health]\npaths = ["/b"]\n[suites]',
            "the health paths stand in run.health and",
        ),
        ("[run]", "[run.rules]\n[run]", "run.rules is no key"),
        ('"{port}"', '"$PORT"', "run.command: got '$PORT', and no shell runs this command: write {port} for the port"),
        ("[run]", '[run]\nmigrate = ["flask", "db", "upgrade", "&&", "x"]', "run.migrate: got '&&'"),
        ("[run]", '[run]\nsmoke = ["x", "`y`"]', "run.smoke: got '`y`'"),
        ("[run]", '[run]\nseed = ["~/x"]', "run.seed: got '~/x'"),
        ("[run]", '[run.processes.a]\ncommand = ["x", "${N:-2}"]\nrole = "slot"\n[run]', "processes.a.command: got"),
        ("[run]", '[run.processes.a]\ncommand = ["x", "{port}"]\nrole = "slot"\n[run]', "got {port}, which only"),
        ("[run]", '[run.processes.a]\ncommand = ["x"]\n[run]', "run.processes.a.role: Field required"),
        ("[run]", '[run.processes.a]\ncommand = ["x"]\nrole = "task"\n[run]', "run.processes.a.role: got 'task'"),
        ("[run]", '[run.processes.web]\ncommand = ["x"]\nrole = "slot"\n[run]', "web is the service itself"),
        ("[run]", '[run.processes.A]\ncommand = ["x"]\nrole = "slot"\n[run]', "run.processes.A"),
        (
            "[run]",
            '[quality.mypy]\ncomand = ["p"]\n[run]',
            'mypy.comand: a key that Slipway does not know; did you mean "command"?',
        ),
        ("[run]", '[[build]]\nnmae = "f"\n[run]', "build.0"),
        ('name = "shop"', 'name = "shop"\nbranch = "a\\u0000b"', "app.branch: holds a NUL character"),
        (
            'name = "shop"',
            'name = "shop"\nbranch = "-x"',
            "app.branch: got '-x', not a branch name that git",
        ),
        ('name = "shop"', 'name = "shop"\nbranch = "a\u202eb"', "app.branch: got"),
        ('name = "shop"', 'name = "shop"\nprotected = ["main", "a..b"]', "app.protected.1: got 'a..b'"),
        ("[run]", '[suites.unit]\ncommand = ["p", "\\u0000"]\n[run]', "suites.unit.command.1: holds a NUL character"),
        ("[run]", "[run]\nstop_seconds = -1", "run.stop_seconds: got '-1'"),
        ("[run]", "[run]\nstop_seconds = nan", "run.stop_seconds: got 'nan'"),
        ("[run]", '[suites.unit]\ncommand = ["p"]\ntimeout_seconds = inf\n[run]', "suites.unit.timeout_seconds: got"),
        ("[run]", '[suites.unit]\ncommand = ["p"]\ntimeout_seconds = 0\n[run]', "suites.unit.timeout_seconds: got"),
        ("[run]", "[suites.unit]\n[run]", "suites.unit.command: Field required"),
        ("[run]", '[suites."../x"]\ncommand = ["p"]\n[run]', "suites.../x"),
        ("[run]", '[suites.unit]\ncommand = ["p"]\ndatabase = "maybe"\n[run]', "suites.unit.database: got 'maybe'"),
        ("[run]", '[quality.mypy]\ncommnd = ["p"]\n[run]', "quality.mypy"),
        ("[run]", '[[build]]\nname = "f"\n[run]', "build.0.commands: Field required"),
        ("[run]", BUILD.format('["npm", "ci", "--omit=dev"]') + "[run]", "npm ci: got --omit=dev, expected none but"),
        (
            "[run]",
            '[suites.unit]\ncommand = ["p"]\nenvironment = { BROKER = "{REDIS_URL}" }\n[run]',
            "suites.unit: environment: BROKER has {REDIS_URL}, which only redis = true gives",
        ),
        (
            "[run]",
            '[quality.unit]\ncommand = ["p"]\n[suites.unit]\ncommand = ["p"]\n[run]',
            "quality.unit and suites.unit: a check's name is unique",
        ),
        (
            "[run]",
            '[suites.compatibility]\ncommand = ["p"]\n[run]',
            "suites.compatibility: compatibility is the name of a check of its own",
        ),
        (
            "[run]",
            '[performance]\nlocustfile = "l.py"\ncompare_seconds = -1\n[run]',
            "performance.compare_seconds: got '-1'",
        ),
        ("[app]", "[sutes.unit]\n[app]", "sutes: a key that Slipway does not know"),
    ],
)
def test_bad_input_names_file_and_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert SOUND.count(old) == 1
    told = refusal(write(tmp_path, SOUND.replace(old, new)))
    assert said in told, told


@pytest.mark.parametrize("text", ["[app", "app = ", "[app]\nname = 'a'\nname = 'b'\n", "\0"])
def test_what_is_no_toml_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    assert re.match(r"not valid TOML: .*\(at (line \d|end of document)", refusal(write(tmp_path, text)))


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "pipeline.toml")
    (tmp_path / "folder").mkdir()
    assert "cannot be read" in refusal(tmp_path / "folder")
    file = tmp_path / "pipeline.toml"
    file.write_bytes(b"name = '\xff'")
    assert "not valid TOML" in refusal(file)
    assert "app: Field required" in refusal(write(tmp_path, ""))


def test_home_in_the_repository_is_the_state_directory(tmp_path: Path) -> None:
    text = SOUND.replace("https://git.example.org/shop.git", "{home}/demo/shop")
    assert read_pipeline(write(tmp_path, text)).app.repository == str(tmp_path / "state" / "demo" / "shop")


def test_the_repository_is_overridden_for_one_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_REPOSITORY", "{home}/other")
    assert read_pipeline(write(tmp_path)).app.repository == str(tmp_path / "state" / "other")
    without = SOUND.replace('repository = "https://git.example.org/shop.git"\n', "")
    assert read_pipeline(write(tmp_path, without)).app.repository == str(tmp_path / "state" / "other")


@pytest.mark.parametrize("text", ["app = 'shop'\n", "app = []\n", "", "[app]\nname = 'shop'\n"])
def test_an_override_does_not_hide_a_malformed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SLIPWAY_REPOSITORY", "/somewhere")
    refusal(write(tmp_path, text))


def test_the_environment_overrides_where_advisories_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, SOUND + '\n[scans]\nosv_url = "https://osv.example.org"\n')
    assert read_pipeline(file).scans.osv_url == "https://osv.example.org"
    assert read_pipeline(file).scans.npm_audit_url == ""
    monkeypatch.setenv("SLIPWAY_OSV_URL", "http://127.0.0.1:4270")
    monkeypatch.setenv("SLIPWAY_NPM_AUDIT_URL", "https://npm.example.org")
    for one in (file, write(tmp_path)):
        scans = read_pipeline(one).scans
        assert (scans.osv_url, scans.npm_audit_url) == ("http://127.0.0.1:4270", "https://npm.example.org")
    monkeypatch.setenv("SLIPWAY_OSV_URL", "osv.example.org")
    assert "scans.osv_url: got 'osv.example.org'" in refusal(file)


def test_a_pipeline_is_not_changed_afterwards(tmp_path: Path) -> None:
    pipeline: Pipeline = read_pipeline(write(tmp_path))
    with pytest.raises(ValueError, match="frozen"):
        setattr(pipeline.app, "name", "other")


@pytest.mark.parametrize(
    ("line", "good"),
    [
        ("app_memory_mb = 255", False),
        ("app_memory_mb = 256", True),
        ("app_memory_mb = 1000000", True),
        ("app_memory_mb = 1000001", False),
        ("app_processes = 63", False),
        ("app_processes = 64", True),
        ("app_processes = 100000", True),
        ("app_processes = 100001", False),
    ],
)
def test_what_a_check_may_use_has_bounds(tmp_path: Path, line: str, good: bool) -> None:
    file = write(tmp_path, SOUND.replace("[app]\n", f"[app]\n{line}\n"))
    if good:
        key, _, value = line.partition(" = ")
        assert getattr(read_pipeline(file).app, key) == int(value)
    else:
        assert f"app.{line.split()[0]}: got" in refusal(file)


def test_what_a_check_may_use_has_defaults(tmp_path: Path) -> None:
    assert read_pipeline(write(tmp_path)).app.shares == Shares(memory_mb=4096, processes=512)


@pytest.mark.parametrize(
    ("repository", "good"),
    [
        ("https://github.com/team/shop.git", True),
        ("http://github.com/team/shop.git", False),
        ("git@github.com:team/shop.git", False),
        ("/srv/shop.git", False),
    ],
)
def test_a_token_is_sent_over_https_only(repository: str, good: bool) -> None:
    fields = {"name": "shop", "repository": repository, "credentials_block": "reader"}
    if good:
        assert App.model_validate(fields).credentials_block == "reader"
    else:
        with pytest.raises(ValueError, match="credentials_block: expected a repository that begins with https://"):
            App.model_validate(fields)


def test_a_build_step_has_no_network_unless_it_asks_for_it(tmp_path: Path) -> None:
    plain = read_pipeline(write(tmp_path, SOUND + BUILD.format('["npm", "ci", "--no-audit", "--no-fund"]')))
    asked = BUILD.format('["npm", "ci", "--omit=dev"]').replace('name = "f', 'network = true\nname = "f')
    wide = read_pipeline(write(tmp_path, SOUND + asked))
    assert (plain.build[0].network, wide.build[0].network) == (False, True)


def test_the_rules_of_an_older_version_keep_their_digest(tmp_path: Path) -> None:
    step = read_pipeline(write(tmp_path, SOUND + BUILD.format('["make"]'))).build[0]
    assert "network" not in step.model_dump_json()
    assert '"network":true' in step.model_copy(update={"network": True}).model_dump_json()


def test_who_may_read_the_repository_is_no_rule_of_a_check(tmp_path: Path) -> None:
    pipeline = read_pipeline(write(tmp_path))
    app = pipeline.app.model_copy(update={"credentials_block": "reader"})
    assert pipeline.model_copy(update={"app": app}).digest == pipeline.digest
