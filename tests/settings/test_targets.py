"""Environments are the files `config/*.env`, in the order in which a version passes them."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from host.errors import ConfigError
from host.home import CHECKOUT
from settings import targets
from settings.environment import read_settings
from settings.hosts import all_pools, pools
from settings.hosts import targets as targets_here
from settings.targets import Target, check_targets, names

QA = "PORT=8002\nSTRATEGY=direct\nREQUIRED_GATES=unit\nREQUIRES_PROMOTION_IN=staging\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this repository's environments, in use."""
    for file in (CHECKOUT / "config").glob("*.env"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(targets, "CONFIG", tmp_path)
    return tmp_path


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def add_qa(config: Path) -> None:
    (config / "qa.env").write_text(QA)
    change(config / "production.env", "REQUIRES_PROMOTION_IN=staging", "REQUIRES_PROMOTION_IN=qa")


def test_the_environments_of_this_repository_are_in_the_order_in_which_a_version_passes_them() -> None:
    assert Target.all() == ("development", "staging", "production")
    assert [target.short for target in Target.all()] == ["dev", "staging", "prod"]
    assert Target.production() == "production" and Target("production").is_production
    assert [target for target in Target.all() if target.takes_green] == ["development"]
    check_targets()


def test_a_file_adds_an_environment_between_two_others(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_POOLS", raising=False)
    add_qa(config)
    check_targets()
    assert Target.all() == ("development", "staging", "qa", "production")
    assert list(Target("production").chain()) == ["qa", "staging"]
    assert all_pools() == ("ci", "dev", "staging", "qa", "prod") and "qa" in targets_here()
    assert read_settings(Target("qa")).requires_promotion_in == "staging"
    monkeypatch.setenv("SLIPWAY_QA_PORT", "9002")
    assert read_settings(Target("qa")).port == 9002
    monkeypatch.setenv("SLIPWAY_POOLS", "qa")
    assert pools() == ("qa",) and targets_here() == ("qa",)


def test_a_form_offers_every_environment_and_refuses_any_other(config: Path) -> None:
    add_qa(config)
    adapter = TypeAdapter(Target)
    assert adapter.json_schema()["enum"] == ["development", "staging", "qa", "production"]
    made = adapter.validate_python("qa")
    assert type(made) is Target and json.loads(adapter.dump_json(made)) == "qa"
    assert pickle.loads(pickle.dumps(made)) == made and type(pickle.loads(pickle.dumps(made))) is Target
    with pytest.raises(ValidationError, match='unknown environment "live", expected one of: development'):
        adapter.validate_python("live")


@pytest.mark.parametrize("name", ["", "live", "../production", "production.env", "Production"])
def test_what_has_no_file_is_no_environment(name: str) -> None:
    with pytest.raises(ValueError, match="expected one of: development, production, staging"):
        Target(name)


def test_files_of_before_need_no_new_keys(config: Path) -> None:
    change(config / "production.env", "SHORT=prod\nPRODUCTION=true\n", "")
    change(config / "development.env", "SHORT=dev\nRELEASE_ON_GREEN=true\n", "")
    assert [target.short for target in Target.all()] == ["dev", "staging", "prod"]
    assert Target.production() == "production" and Target("development").takes_green
    assert read_settings(Target("production")).production


def test_production_is_a_flag_and_not_a_name(config: Path) -> None:
    (config / "live.env").write_text(QA.replace("=staging", "=production") + "PRODUCTION=yes\nSEED=full\n")
    change(config / "production.env", "PRODUCTION=true", "PRODUCTION=false")
    assert Target.production() == "live"
    with pytest.raises(ConfigError, match='live.env: SEED: got "full", expected none'):
        read_settings(Target("live"))


def test_an_installation_without_production_says_how_to_name_one(config: Path) -> None:
    change(config / "production.env", "PRODUCTION=true", "PRODUCTION=false")
    with pytest.raises(ConfigError, match="set PRODUCTION=true in one of its"):
        Target.production()


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("live", 'production.env: REQUIRES_PROMOTION_IN: got "live", expected one of: development, production, qa'),
        ("production", "production.env: REQUIRES_PROMOTION_IN: a circle: production <- production"),
    ],
)
def test_a_chain_that_leads_nowhere_is_refused(config: Path, wanted: str, why: str) -> None:
    add_qa(config)
    change(config / "production.env", "REQUIRES_PROMOTION_IN=qa", f"REQUIRES_PROMOTION_IN={wanted}")
    for check in (check_targets, lambda: read_settings(Target("production"))):
        with pytest.raises(ConfigError) as refused:
            check()
        assert why in str(refused.value)
    assert set(Target.all()) == {"development", "staging", "qa", "production"}  # the others can still be opened
    assert read_settings(Target("qa")).port == 8002


def test_a_circle_of_several_is_refused(config: Path) -> None:
    add_qa(config)
    change(config / "staging.env", "APPROVAL=required", "APPROVAL=required\nREQUIRES_PROMOTION_IN=production")
    with pytest.raises(ConfigError, match="production.env: .*: a circle: qa <- staging <- production <- qa"):
        list(Target("qa").chain())


def test_an_override_that_names_no_environment_is_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PRODUCTION_REQUIRES_PROMOTION_IN", "live")
    with pytest.raises(ConfigError, match='variable SLIPWAY_PRODUCTION_REQUIRES_PROMOTION_IN: .* got "live"'):
        read_settings(Target("production"))


@pytest.mark.parametrize("short", ["ci", "dev", "staging", "production"])
def test_a_short_name_belongs_to_one_environment(config: Path, short: str) -> None:
    add_qa(config)
    (config / "qa.env").write_text(QA + f"SHORT={short}\n")
    with pytest.raises(ConfigError, match=f'SHORT: got "{short}", which is taken by'):
        check_targets()


@pytest.mark.parametrize("name", ["QA", "qa_eu", "1qa", "q" * 31, "qa-", "qa--eu"])
def test_a_name_that_would_not_fit_everywhere_is_refused(config: Path, name: str) -> None:
    (config / f"{name}.env").write_text(QA)
    with pytest.raises(ConfigError, match="expected at most 30 of a-z, 0-9 and single hyphens"):
        check_targets()
    assert name not in names()


def test_a_hyphen_in_a_name_is_an_underscore_in_its_variables(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config / "qa-eu.env").write_text(QA)
    monkeypatch.setenv("SLIPWAY_QA_EU_PORT", "9100")
    assert Target("qa-eu").variable("PORT") == "SLIPWAY_QA_EU_PORT"
    assert read_settings(Target("qa-eu")).port == 9100
    (config / "qa.env").write_text(QA)
    assert read_settings(Target("qa")).port == 8002
    assert read_settings(Target("qa-eu")).port == 9100


def test_a_file_that_cannot_be_read_stops_only_its_own_environment(config: Path) -> None:
    (config / "staging.env").write_text("no key\n")
    assert set(Target.all()) == {"development", "staging", "production"}
    assert read_settings(Target("production")).port == 8080
    with pytest.raises(ConfigError, match="staging.env: line 1"):
        read_settings(Target("staging"))
