"""The environments of this installation: one for each file `config/<name>.env`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from host.errors import ConfigError
from host.home import CHECKOUT
from settings.env_files import read_env_file

CONFIG = CHECKOUT / "config"
NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
LONGEST_NAME = 30
# What a file of one of these names means when it does not say so itself.
DEFAULTS = {
    "development": {"SHORT": "dev", "RELEASE_ON_GREEN": "true"},
    "production": {"SHORT": "prod", "PRODUCTION": "true"},
}
# Every host of an installation must agree on these, so no host may override them.
OF_THE_FILE_ALONE = ("SHORT", "PRODUCTION", "RELEASE_ON_GREEN")
TAKEN = ("ci",)  # the work pool of checks
BOOL = TypeAdapter(bool)


class Target(str):
    """One environment, by the name that people and directories use: that of its file."""

    def __new__(cls, name: str) -> Self:
        """Raises ValueError for a name that has no file."""
        known = names()
        if name not in known:
            raise ValueError(f'unknown environment "{name}", expected one of: {", ".join(known)}')
        return super().__new__(cls, name)

    @property
    def value(self) -> str:
        return str(self)

    @property
    def short(self) -> str:
        """Return the name used by deployments and work pools: SHORT, by default the name itself."""
        return _said(self, "SHORT") or self.value

    @property
    def is_production(self) -> bool:
        """Return whether its file says PRODUCTION=true."""
        return _flag(self, "PRODUCTION")

    @property
    def takes_green(self) -> bool:
        """Return whether its file says RELEASE_ON_GREEN=true."""
        return _flag(self, "RELEASE_ON_GREEN")

    def variable(self, key: str) -> str:
        """Return the environment variable that overrides a key of its file on one host."""
        return f"SLIPWAY_{self.value.upper().replace('-', '_')}_{key}"

    def overrides(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return key -> name of the variable that overrides it. SLIPWAY_QA_EU_PORT is qa-eu's, if there is a qa-eu."""
        prefix = self.variable("")
        prefixes = [Target(name).variable("") for name in names()]
        longer = tuple(other for other in prefixes if other != prefix and other.startswith(prefix))
        return {
            name.removeprefix(prefix): name
            for name in variables
            if name.startswith(prefix) and not name.startswith(longer)
        }

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the environment of a name or a short name. Raises ConfigError that lists the known ones."""
        for target in cls.all():
            if name.lower() in (target.value, target.short):
                return target
        raise ConfigError(f'unknown environment "{name}", expected one of: {", ".join(cls.all())}')

    @classmethod
    def all(cls) -> "tuple[Self, ...]":
        """Return all environments, from where a version comes first to where it comes last."""
        return tuple(sorted(map(cls, names()), key=lambda target: target._rank()))

    @classmethod
    def production(cls) -> Self:
        """Return the last environment with PRODUCTION=true. Raises ConfigError when there is none."""
        for target in reversed(cls.all()):
            if target.is_production:
                return target
        raise ConfigError(f"{CONFIG}: no environment is production; set PRODUCTION=true in one of its *.env files")

    def chain(self) -> "Iterator[Self]":
        """Yield the environments that a version must be promoted in before this one, the nearest first.

        Raises ConfigError for a name that has no file, and for a circle.
        """
        passed = [self]
        while before := _said(passed[-1], "REQUIRES_PROMOTION_IN"):
            where = f"{CONFIG / passed[-1].value}.env: REQUIRES_PROMOTION_IN"
            if before not in names():
                raise ConfigError(f'{where}: got "{before}", expected one of: {", ".join(names())}')
            if before in passed:
                raise ConfigError(f"{where}: a circle: {' <- '.join((*passed, before))}")
            passed.append(type(self)(before))
            yield passed[-1]

    def _rank(self) -> tuple[int, bool, bool, str]:
        try:
            length = len(list(self.chain()))
        except ConfigError:
            length = 0  # whoever reads its settings is told
        return length, self.is_production, not self.takes_green, self.value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema by which Prefect's form offers the environments."""
        return {"type": "string", "enum": [target.value for target in cls.all()]}


def names() -> tuple[str, ...]:
    """Return the names of the environments, in alphabetical order."""
    return tuple(sorted(file.stem for file in CONFIG.glob("*.env") if is_name(file.stem)))


def is_name(name: str) -> bool:
    """Return whether a file may be called so: it becomes part of paths, pools and variables."""
    return bool(NAME.fullmatch(name)) and len(name) <= LONGEST_NAME


def check_targets() -> None:
    """Raises ConfigError when the files do not make a set of environments: names, short names, chains."""
    for file in sorted(CONFIG.glob("*.env")):
        if not is_name(file.stem):
            raise ConfigError(
                f'{file}: got the name "{file.stem}", expected at most {LONGEST_NAME} of a-z, 0-9 and single hyphens'
            )
    owners: dict[str, str] = dict.fromkeys(TAKEN, "the work pool of checks")
    for target in Target.all():
        list(target.chain())
        if target.short != target.value and target.short in names():
            owners[target.short] = f"{target.short}.env"
        if target.short in owners:
            raise ConfigError(
                f'{CONFIG / target.value}.env: SHORT: got "{target.short}", which is taken by {owners[target.short]}'
            )
        owners[target.short] = f"{target.value}.env"


def defaults(name: str) -> dict[str, str]:
    """Return what the file of an environment means when it does not say so itself."""
    return dict(DEFAULTS.get(name, {}))


def _said(name: str, key: str) -> str:
    """Return what an environment's file says, "" when it does not, or cannot be read: whoever opens it is told why."""
    try:
        return (defaults(name) | read_env_file(CONFIG / f"{name}.env")).get(key, "")
    except ConfigError:
        return defaults(name).get(key, "")


def _flag(name: str, key: str) -> bool:
    """Return whether a flag is set. One that is neither true nor false is refused where the settings are read."""
    try:
        return BOOL.validate_python(_said(name, key) or False)
    except ValidationError:
        return False
