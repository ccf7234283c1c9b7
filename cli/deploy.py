"""The deployments of `prefect.yaml` and of each environment: created in this process, as `prefect deploy --all` would
in one of its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from host.errors import ConfigError, SourceError, ToolError
from host.git import git
from host.home import CHECKOUT
from settings.targets import Target

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

FILE = CHECKOUT / "prefect.yaml"
GENERATED = "deployments:\n"  # what follows in the file is written by `write_deployments`
AT_ONCE = 4
# What is read of each part of the file. All else is refused: `prefect deploy` would heed it.
FILE_KEYS = {"name", "prefect-version", "definitions", "deployments"}
POOL_KEYS = {"name", "job_variables"}
SCHEDULE_KEYS = {"cron", "timezone", "slug"}
Entry = dict[str, Any]
# Which environments an entry of `definitions.each-environment` is for, by what `when` says.
CONDITIONS: dict[str | None, Callable[[Target], bool]] = {
    None: lambda target: True,
    "green": lambda target: target.takes_green,
    "not green": lambda target: not target.takes_green,
    "production": lambda target: target == Target.production(),
}


def read_deployments(file: Path = FILE) -> "Sequence[RunnerDeployment]":
    """Return what the file describes, for every environment there is; loads every flow, which takes seconds but needs
    no server.

    PREFECT_API_URL and its like must be set before: Prefect reads its settings when it is imported. Raises ConfigError
    if the file says something that is not understood here, or its `deployments` are not what its `definitions` say.
    """
    version = _commit()
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        _refuse_unknown("the file", document, FILE_KEYS)
        defined, written = _defined(document), _by_key(document["deployments"] or ())
        for key, entry in defined.items():
            if written.setdefault(key, entry) != entry:
                raise ValueError(f"{key} is not what `definitions` say; change them, then run: make deployments")
        return [_read(entry, version) for entry in written.values()]
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"{file}: deployments: {type(error).__name__}: {error}") from error


def write_deployments(file: Path = FILE) -> bool:
    """Write the file's `deployments` anew from its `definitions` and the environments; return whether it changed.

    Only `prefect deploy` reads them: `make up` creates the deployments of a new environment in any case.
    """
    before = file.read_text(encoding="utf-8")
    head = before[: before.index(f"\n{GENERATED}") + 1]
    entries = _defined(yaml.safe_load(head)).values()
    after = head + GENERATED + "".join(f"- {_one_line(entry)}\n" for entry in entries)
    if after != before:
        file.write_text(after, encoding="utf-8")
    return after != before


def _defined(document: Mapping[str, Any]) -> dict[str, Entry]:
    """Return the entries of `definitions`: those that are there once, and those of each environment."""
    definitions = document.get("definitions") or {}
    entries = [*definitions.get("once", ())]
    for template in definitions.get("each-environment", ()):
        entry = dict(template)
        wanted = CONDITIONS.get(when := entry.pop("when", None))
        if wanted is None:
            raise ValueError(f'when: got "{when}", expected one of: {", ".join(filter(None, CONDITIONS))}')
        entries += [_filled(entry, target) for target in Target.all() if wanted(target)]
    return _by_key(entries)


def _by_key(entries: Iterable[Entry]) -> dict[str, Entry]:
    by_key: dict[str, Entry] = {}
    for entry in entries:
        if by_key.setdefault(key := _key(entry), entry) is not entry:
            raise ValueError(f"{key} is there twice")
    return by_key


def _filled(value: Any, target: Target) -> Any:
    """Return a part of a template with the environment's names in it."""
    if isinstance(value, dict):
        return {_filled(key, target): _filled(part, target) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, target) for part in value]
    if isinstance(value, str):
        return value.replace("{environment}", target.value).replace("{short}", target.short)
    return value


def _key(entry: Entry) -> str:
    return f"{str(entry['entrypoint']).rpartition(':')[2]}/{entry['name']}"


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _one_line(entry: Entry) -> str:
    return str(yaml.dump(entry, Dumper=_Plain, default_flow_style=True, sort_keys=False, width=100_000)).strip()


def _read(described: dict[str, Any], version: str | None) -> "RunnerDeployment":
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.deployments.runner import RunnerDeployment
    from prefect.flows import Flow, load_flow_from_entrypoint
    from prefect.runner.storage import LocalStorage

    left = dict(described)
    entrypoint, pool, cron = left.pop("entrypoint"), left.pop("work_pool"), left.pop("schedules", [])
    flow: Flow[..., Any] = load_flow_from_entrypoint(str(CHECKOUT / entrypoint))
    name = left.pop("name")
    _refuse_unknown(f"{flow.name}/{name}: work_pool", pool, POOL_KEYS)
    for one in cron:
        _refuse_unknown(f"{flow.name}/{name}: schedules", one, SCHEDULE_KEYS)
    triggers = [
        {"name": f"{name}__automation_{number}", **one} for number, one in enumerate(left.pop("triggers", []), 1)
    ]
    # A deployment without schedules names none: what a person added in the UI stays.
    schedules = [
        DeploymentScheduleCreate(schedule=CronSchedule(cron=one["cron"], timezone=one["timezone"]), slug=one["slug"])
        for one in cron
    ]
    made = RunnerDeployment(
        name=name,
        flow_name=flow.name,
        entrypoint=entrypoint,
        version=version,
        work_pool_name=pool["name"],
        job_variables=pool["job_variables"],
        storage=LocalStorage(path=str(CHECKOUT)),
        triggers=triggers,
        tags=left.pop("tags"),
        description=left.pop("description"),
        parameters=left.pop("parameters", {}),
        **({"schedules": schedules} if schedules else {}),
    )
    _refuse_unknown(f"{flow.name}/{name}", left, set())
    made._set_defaults_from_flow(flow)
    return made


def _refuse_unknown(where: str, said: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(said) - known):
        raise ValueError(f"{where}: {', '.join(unknown)} is not understood here")


def _commit() -> str | None:
    """Return the first eight digits of the checkout's commit, None if it is no git repository."""
    try:
        return git("rev-parse", "--short=8", "HEAD", at=CHECKOUT) or None
    except SourceError:
        return None


def create_deployments(wanted: "Sequence[RunnerDeployment]") -> None:
    """Create or update the deployments on the server, a few at a time. Safe to repeat.

    Raises ToolError with the first deployment that the server refused.
    """
    from prefect.client.schemas.objects import VersionInfo

    def create(one: "RunnerDeployment") -> None:
        # Named here, else Prefect asks git several times for each, in whatever directory this is.
        one.apply(version_info=VersionInfo(type="prefect:simple", version=one.version or ""))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        for one, done in [(one, threads.submit(copy_context().run, create, one)) for one in wanted]:
            if error := done.exception():
                raise ToolError(f"the deployment {one.flow_name}/{one.name} was not created: {error}") from error
