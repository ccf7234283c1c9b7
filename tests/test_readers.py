"""What a reader of outside data does not know is refused by name, at each level; or it says whose document it is.

Every pydantic model of ours is held to it here, also those that will be written: it either forbids keys that it does
not know, or it is a `Foreign` document, which others write and extend.
"""

import importlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError, create_model
from pydantic.dataclasses import is_pydantic_dataclass

from cli.demo.story import read_story
from deployments.journal.entries import Event, LiveData
from evidence.revocation import read_revocations
from gates.documents import Foreign, first_fault
from gates.npm_manifests import read_manifests
from gates.scans.licences import Licences
from gates.scans.policy import Policy
from host.errors import SlipwayError
from host.home import CHECKOUT
from notify.channels import configured
from settings.approvers import read_approvers
from settings.environment import read_settings
from settings.monitoring import read_monitoring
from settings.notify import read_notify
from settings.pipeline import read_pipeline
from settings.targets import Target
from settings.toml_files import read_rules
from settings.waivers import parse_waivers
from traffic.profile import load

UNKNOWN = "unknown_key_1"
PACKAGES = (
    *("cli", "services", "flows", "tasks", "notify", "deployments", "control", "settings", "evidence", "traffic"),
    *("host", "gates"),
)
# They run where pydantic is not: in locust's environment, in the app's, and under the base interpreter.
NOT_OURS_TO_IMPORT = ("tasks/load/recorder.py", "tasks/checks/inside/")
# The journal passes over what a newer Slipway added, so that it stops no environment after a downgrade (decision 19).
PASSING_OVER = (Event, LiveData)


def modules() -> Iterator[Any]:
    for package in PACKAGES:
        for file in sorted((CHECKOUT / package).rglob("*.py")):
            name = file.relative_to(CHECKOUT).as_posix()
            if name.startswith(NOT_OURS_TO_IMPORT):
                assert "pydantic" not in file.read_text()
            elif file.name != "__main__.py":
                yield importlib.import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))


def is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in PACKAGES


def subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)


def all_models() -> list[type[BaseModel]]:
    """Return every model of ours. A generic one that is filled in (`State[str]`) counts where it was written."""
    list(modules())
    found = dict.fromkeys(subclasses(BaseModel))
    return [
        model
        for model in found
        if is_ours(model.__pydantic_generic_metadata__["origin"] or model) and model is not Foreign
    ]


MODELS = all_models()


def fault(model: type[BaseModel]) -> str:
    """Return why a model may not stay as it is, "" when it may."""
    if issubclass(model, RootModel):
        return ""  # it has no keys; what it holds is a model, and stands here itself
    if issubclass(model, Foreign):
        return (
            "" if model.document_of and model.model_config.get("extra") == "ignore" else "a foreign document of nobody"
        )
    try:
        model.model_validate({UNKNOWN: 1})
    except ValidationError as error:
        if any(one["type"] == "extra_forbidden" and one["loc"][-1] == UNKNOWN for one in error.errors()):
            return ""
    return 'neither extra="forbid" nor Foreign'


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_a_model_refuses_an_unknown_key_or_says_whose_document_it_is(model: type[BaseModel]) -> None:
    assert fault(model) == ""


def test_the_models_are_found() -> None:
    names = {model.__name__ for model in MODELS}
    assert {"Pipeline", "BuildStep", "Settings", "Waiver", "Checked", "NpmReport", "Record", "Post", "Model"} <= names
    assert sum(issubclass(model, Foreign) for model in MODELS) > 50 < len(MODELS) / 2


def test_a_new_model_without_either_is_told() -> None:
    assert fault(create_model("New")) == 'neither extra="forbid" nor Foreign'
    assert fault(create_model("New", __config__=ConfigDict(extra="allow"))) == 'neither extra="forbid" nor Foreign'
    assert fault(create_model("New", __config__=ConfigDict(extra="forbid"))) == ""
    with pytest.raises(TypeError, match="whose document is it"):
        type("New", (Foreign,), {})
    part = type("Part", (type("Whole", (Foreign,), {}, of="somebody"),), {})
    assert (fault(part), part.document_of) == ("", "somebody")  # type: ignore[arg-type, attr-defined]


def test_the_dataclasses_that_pydantic_reads_are_the_journals() -> None:
    found = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and is_ours(value) and is_pydantic_dataclass(value)
    }
    assert LiveData in found and len(found) > 20
    assert [one for one in found if not issubclass(one, PASSING_OVER)] == []


def test_a_fault_is_told_by_its_key_and_without_its_value() -> None:
    part = create_model("Part", __config__=ConfigDict(extra="forbid"), port=(int, ...))
    whole = create_model("Whole", __config__=ConfigDict(extra="forbid"), part=(part, ...))
    for value, said in (
        ({"part": {"port": 1, UNKNOWN: "secret"}}, f"part.{UNKNOWN}: a key that Slipway does not know"),
        (
            {"part": {"port": "secret"}},
            "part.port: Input should be a valid integer, unable to parse string as an integer",
        ),
        ("secret", "Input should be a valid dictionary or instance of Whole"),
    ):
        with pytest.raises(ValidationError) as error:
            whole.model_validate(value)
        assert first_fault(error.value) == said


def with_unknown_keys(text: str) -> Iterator[str]:
    """Yield a TOML document with an unknown key more, once at each of its levels: the top, tables, inline tables."""
    yield f"{UNKNOWN} = 1\n{text}"
    for header in re.finditer(r"^\[.*\].*\n", text, re.MULTILINE):
        yield f"{text[:header.end()]}{UNKNOWN} = 1\n{text[header.end():]}"
    for table in re.finditer(
        r"(?<!headers = )(?<!json = )(?<!capture = )\{(?= ?[a-z_]+ ?=)", text
    ):  # these have any key
        yield f"{text[:table.end()]} {UNKNOWN} = 1, {text[table.end():]}"


FULL_PIPELINE = (CHECKOUT / "config" / "pipeline.toml").read_text()
WAIVER = """
[[waiver]]
fingerprint = "0123456789abcdef01234567"
approver = "Robin"
reason = "not reachable from outside"
expires = 2030-01-01
"""
REVOKED = '[[revoked]]\nkey = "0123456789abcdef"\nreason = "lost"\n'
TOML_READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "pipeline.toml": (FULL_PIPELINE, read_pipeline),
    "approvers.toml": ((CHECKOUT / "config" / "approvers.toml").read_text(), read_approvers),
    "monitoring.toml": ((CHECKOUT / "config" / "monitoring.toml").read_text(), read_monitoring),
    "notify.toml": ((CHECKOUT / "config" / "notify.toml").read_text(), lambda file: configured(read_notify(file))),
    "licences.toml": (
        (CHECKOUT / "config" / "licences.toml").read_text(),
        lambda file: read_rules(Licences, "licences", file.parent),
    ),
    "policy.toml": (
        (CHECKOUT / "config" / "policy.toml").read_text(),
        lambda file: read_rules(Policy, "policy", file.parent),
    ),
    "story.toml": ((CHECKOUT / "examples" / "story" / "story.toml").read_text(), lambda file: read_story(file.parent)),
    "traffic.toml": ((CHECKOUT / "examples" / "story" / "traffic.toml").read_text(), load),
    "revoked.toml": (REVOKED, read_revocations),
}


@pytest.mark.parametrize("name", TOML_READERS)
def test_an_unknown_key_at_any_level_of_a_file_is_named_with_the_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, read = TOML_READERS[name]
    file = tmp_path / name
    file.write_text(text)
    read(file)
    documents = list(with_unknown_keys(text))
    assert len(documents) > 1
    for document in documents:
        file.write_text(document)
        assert tomllib.loads(document) != tomllib.loads(text)
        with pytest.raises(SlipwayError) as refused:
            read(file)
        assert UNKNOWN in str(refused.value) and name in str(refused.value), document


def test_an_unknown_key_of_a_waiver_is_named() -> None:
    assert len(parse_waivers(WAIVER.encode()).waivers) == 1
    for document in with_unknown_keys(WAIVER):
        (refused,) = parse_waivers(document.encode()).malformed
        assert UNKNOWN in str(refused)


def test_an_unknown_key_of_an_environment_is_named(tmp_path: Path) -> None:
    text = (CHECKOUT / "config" / "production.env").read_text()
    file = tmp_path / "production.env"
    file.write_text(text)
    read_settings(Target("production"), tmp_path)
    file.write_text(f"{text}\n{UNKNOWN.upper()}=1\n")
    with pytest.raises(SlipwayError) as refused:
        read_settings(Target("production"), tmp_path)
    assert UNKNOWN.upper() in str(refused.value) and "production.env" in str(refused.value)


def test_an_unknown_key_of_a_locked_npm_package_is_named() -> None:
    entry = {"version": "1.0.0", "integrity": "sha512-" + "A" * 86 + "=="}
    lock = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/x": {**entry, UNKNOWN: 1}}}
    (problem,) = read_manifests({}, json.loads(json.dumps(lock)), "", ()).problems
    assert problem == f"package-lock.json: node_modules/x: {UNKNOWN} is not accepted"


def test_an_unknown_key_is_told_before_what_is_missing() -> None:
    model = create_model("Server", __config__=ConfigDict(extra="forbid"), host=(str, ...))
    with pytest.raises(ValidationError) as error:
        model.model_validate({"hosst": "x"})
    assert first_fault(error.value) == "hosst: a key that Slipway does not know"
