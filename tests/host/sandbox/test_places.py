"""What a sandbox may be given: our places, also where the operator laid them elsewhere."""

import sys
from pathlib import Path

import pytest

from host.errors import ConfigError, ToolError
from host.sandbox.places import STATE, Places, has_record, record_interpreter, recorded_interpreters


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.mark.parametrize("pattern", STATE)
def test_each_place_of_the_state_is_given_and_the_folder_around_it_is_not(pattern: str, home: Path) -> None:
    place = home / pattern.replace("*", "x")
    for path in (place, place / "below"):
        assert Places().source(path) == path
    with pytest.raises(ConfigError, match=f"{place.parent} is given to no sandbox"):
        Places().source(place.parent)


def test_a_part_of_the_state_may_lie_on_another_disk(home: Path, tmp_path: Path) -> None:
    (tmp_path / "disk" / "environments" / "a").mkdir(parents=True)
    home.mkdir()
    (home / "cache").symlink_to(tmp_path / "disk")
    assert Places().source(home / "cache/environments/a") == tmp_path / "disk" / "environments" / "a"


@pytest.mark.parametrize("target", ["keys", "work/other"])
def test_a_link_below_a_place_is_not_followed(target: str, home: Path) -> None:
    (home / "work" / "run").mkdir(parents=True)
    (home / target).mkdir()
    (home / "work" / "run" / "tree").symlink_to(home / target)
    with pytest.raises(ToolError, match="a symbolic link stands in its path"):
        Places().source(home / "work" / "run" / "tree")


def test_the_environment_that_runs_us_is_given_and_its_neighbours_are_not(home: Path) -> None:
    assert Places().source(Path(sys.prefix) / "lib") == (Path(sys.prefix) / "lib").resolve()
    with pytest.raises(ConfigError):
        Places().source(Path(sys.prefix).parent)


def test_what_the_operator_names_is_given_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path("/etc/cron.daily") / "x"
    with pytest.raises(ConfigError):
        Places().source(program)
    certificates = Path("/etc/passwd")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    assert Places().source(certificates) == certificates
    with pytest.raises(ConfigError):
        Places().source(certificates.parent)
    monkeypatch.setenv("SLIPWAY_STORE", str(home / "keys"))
    with pytest.raises(ConfigError):
        Places().source(home / "keys")


def test_the_record_of_an_interpreter_counts_beside_our_environments_only(home: Path) -> None:
    ours, elsewhere = home / "cache" / "environments" / "a", home / "work" / "run" / "a"
    for environment in (ours, elsewhere):
        assert not has_record(environment)
        record_interpreter(environment, Path("/srv/python"))
        assert has_record(environment)
    assert list(recorded_interpreters([ours, elsewhere, ours / "bin"])) == [Path("/srv/python")]
    record = ours.with_name("a.prefix")
    assert record.stat().st_mode & 0o777 == 0o600
    record.chmod(0o666)
    with pytest.raises(ConfigError, match="others can write it"):
        list(recorded_interpreters([ours]))
    record.chmod(0o600)
    record.write_text("python\n")
    with pytest.raises(ConfigError, match="expected the prefix of a Python"):
        list(recorded_interpreters([ours]))
