"""A compose file before compose reads it: everything that it leads to is a file of the artifact, or is refused.

The files are parsed and written anew, so that compose reads what was checked and no text of the app's. In these copies
every path is absolute; `develop` and extensions are left out, and no variables come from the app's `.env`.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployments.runtimes.compose import builds
from deployments.runtimes.compose.allowed import SERVICE, TOP, WAYS_OUT, Config, Secret
from deployments.runtimes.compose.env_files import VARIABLE, EnvFiles, faults
from deployments.runtimes.compose.judge import real_path
from deployments.runtimes.compose.left_out import WHY
from deployments.runtimes.compose.limits import unlimited
from deployments.runtimes.compose.marks import with_marks
from deployments.runtimes.compose.parse import Document, read_document, text_of, written
from deployments.runtimes.compose.problems import TooMuch, places_of
from deployments.runtimes.compose.variables import may_be_shown, mentions
from host.docker.engine import PASSED_ON
from host.errors import ConfigError

NOTHING = "/dev/null"
MOST_FILES = 50
# [^\S\n] is a blank within a line: a search for any would begin anew at each of many empty lines.
DEFINED = re.compile(r"^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_]*)[^\S\n]*[=:]", re.MULTILINE)
# These the docker command has of ours.
OF_THE_HOST = frozenset({*PASSED_ON, "DOCKER_HOST"})
# The files that compose reads when nobody names one, and what it then merges.
BY_ITSELF = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = tuple(name.replace("compose.", "compose.override.") for name in BY_ITSELF)
OF_ENV = {
    "COMPOSE_FILE": "[image.compose] of config/pipeline.toml names the file",
    "COMPOSE_PROFILES": "remove `profiles` from what is released",
    "COMPOSE_PROJECT_NAME": WHY["name"],
}
INCLUDE = ("path", "project_directory")
EXTENDS = ("file", "service")
ENV_FILE = ("format", "path", "required")
Place = tuple[str | int, ...]


@dataclass
class Contained:
    """The copies of one file and of all that it reaches, by name. `copy` is the one that compose is given.

    `places`: where each variable stands first, and whether its name may be told; `dangling`: those of files of
    variables that are refused already. `told`: variables of containers with their values, not to be repeated.
    `needed`: where variables stand that the file must have (`${NAME:?}`) and that are set nowhere. `left_out`: what
    compose is not given, or drops, since it means nothing here. `main`: the value of `copy`. `services`: where services
    stand.
    """

    problems: list[str] = field(default_factory=list)
    variables: set[str] = field(default_factory=set)
    names: dict[Path, str] = field(default_factory=dict)
    dangling: set[str] = field(default_factory=set)
    places: dict[str, tuple[str, bool]] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    needed: dict[str, tuple[str, bool]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    services: dict[str, dict[str, str]] = field(default_factory=dict)
    copy: Path | None = None
    main: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Reader:
    top: Path
    scratch: Path
    known: Collection[str]
    found: Contained = field(default_factory=Contained)
    copies: dict[tuple[Path, Path, str | None], Path] = field(default_factory=dict)
    env_files: EnvFiles = field(default_factory=EnvFiles)

    def read(self, file: Path, base: Path, only: str | None = None, main: bool = False) -> Path:
        """Write a file's copy, return its path. `base`: where its paths start; `only`: the service that is extended."""
        key = (file, base, only)
        if key in self.copies:
            return self.copies[key]
        if len(self.copies) >= MOST_FILES:
            raise TooMuch(f"more than {MOST_FILES} files; put them together")
        copy = self.copies[key] = self.scratch / f"{len(self.copies)}.yml"
        name = self.found.names[copy] = str(file.relative_to(self.top))
        document = read_document(text_of(file, name), name)
        self.found.problems += document.problems
        for service, places in places_of(document).items() if only is None else ():
            self.found.services.setdefault(service, places)
        value = _File(self, document, base).rewritten(only)
        if main and isinstance(value.get("name"), str):
            value[builds.PROJECT] = value["name"]
        if main:
            self.found.main = value
        copy.write_text(written(value), encoding="utf-8")
        return copy

    def also(self, file: Path, base: Path, only: str | None = None) -> Path | None:
        """Return the copy of a file that another one names, None if it is unusable: the others are read on."""
        try:
            return self.read(file, base, only)
        except TooMuch:
            raise
        except ConfigError as error:
            self.found.problems.append(str(error))
            return None

    def has(self, path: Path) -> bool:
        """Say whether a path, links followed, is of the artifact."""
        return path.is_relative_to(self.top)


def contain(file: Path, top: Path, scratch: Path, known: Collection[str]) -> Contained:
    """Write copies of a compose file and of all that it reaches into `scratch`; return what is wrong with them.

    `top` is the directory of the artifact's files, `known` the variables that the environment gives. Raises ConfigError
    if a file is no plain YAML.
    """
    reader = _Reader(top.resolve(), scratch, known)
    real = real_path(file)
    if real is None or not reader.has(real):
        raise ConfigError(f"{file.name}: it leads out of the artifact; replace the link by the file")
    reader.found.copy = reader.read(real, real.parent, main=True)
    reader.found.problems += _defaults_overlooked(reader, real.parent)
    reader.found.left_out += _beside(reader, real)
    return reader.found


def _beside(reader: _Reader, file: Path) -> Iterator[str]:
    """Name what compose by itself reads beside a file, and a release does not."""
    for name in OVERRIDES if file.name in BY_ITSELF else ():
        if (file.parent / name).exists():
            yield f"{name}: compose merges it when nobody names a file; write what a release needs into {file.name}"
    for name in sorted(one for one in _defined(reader, file.parent) if one.startswith("COMPOSE_")):
        yield f".env: {name}: this file is not read; {OF_ENV.get(name, 'a release has no such setting')}"


def _defined(reader: _Reader, directory: Path) -> set[str]:
    """Return the variables that `.env` of a directory sets."""
    file = directory / ".env"
    real = real_path(file)
    if real is None or not reader.has(real) or not real.is_file():
        return set()
    return set(DEFINED.findall(text_of(real, file.name)))


def _defaults_overlooked(reader: _Reader, directory: Path) -> Iterator[str]:
    """Name the variables that `.env` gives a value: it is not read, and a default would silently take its place."""
    defined = _defined(reader, directory)
    for name in sorted((defined & reader.found.variables) - set(reader.known)):
        yield f".env: {name}: this file is not read; set APP_{name} or SECRET_{name} in config/<environment>.env"


@dataclass
class _File:
    """One file on its way to its copy."""

    reader: _Reader
    document: Document
    base: Path

    def rewritten(self, only: str | None) -> dict[str, Any]:
        """Return the file's value for compose, and note what is wrong with it."""
        value = self.document.value
        if not isinstance(value, dict):
            raise ConfigError(f"{self.document.name}: expected a mapping with services")
        services = value.get("services")
        if services is not None and not isinstance(services, dict):
            raise ConfigError(f"{self.document.at(('services',))}: expected a mapping of services")
        if only is not None:
            # Of a file that is extended compose takes this service alone.
            value = {"services": _chain(services or {}, only)}
        kept = self._known(value, (), TOP)
        for key in ("name", "version"):
            if kept.get(key) is not None:
                self.leave_out((key,), WHY[key])
        for key, read in self._parts().items():
            if key in kept:
                kept[key] = read(kept[key], (key,))
        self._note_variables(kept, ())
        return kept

    def _parts(self) -> dict[str, Callable[[Any, Place], Any]]:
        return {
            "include": self._includes,
            "services": lambda given, where: self._each(given, where, self._service),
            "configs": lambda given, where: self._each(given, where, self._config),
            "secrets": lambda given, where: self._each(given, where, self._secret),
        }

    def refuse(self, where: Place, why: str) -> None:
        """Note that a place in the file is refused."""
        self.reader.found.problems.append(f"{self.document.at(where)}: {_shown(where)}: {why}")

    def leave_out(self, where: Place, why: str) -> None:
        """Note that a place in the file means nothing."""
        self.reader.found.left_out.append(f"{self.document.at(where)}: {_shown(where)}: {why}")

    def _known(
        self, given: Mapping[str, Any], where: Place, allowed: Collection[str], ways: Mapping[str, str] = WAYS_OUT
    ) -> dict[str, Any]:
        """Return a mapping without extensions and without keys that are not allowed, which are refused."""
        kept = {}
        for key, value in given.items():
            if key in allowed:
                kept[key] = value
            elif not key.startswith("x-"):
                self.refuse((*where, key), f"not allowed; {ways.get(key, 'remove it')}")
        return kept

    def _each(self, given: Any, where: Place, read: Callable[[Any, Place], Any]) -> Any:
        return {name: read(one, (*where, name)) for name, one in self._mapping(given, where).items()}

    def _mapping(self, given: Any, where: Place) -> dict[str, Any]:
        if given is None or isinstance(given, dict):
            return given or {}
        self.refuse(where, "expected a mapping")
        return {}

    def _service(self, given: Any, where: Place) -> Any:
        kept = self._known(self._mapping(given, where), where, SERVICE)
        if kept.pop("develop", None) is not None:
            self.leave_out((*where, "develop"), WHY["develop"])
        kept = with_marks(kept, self.document.at((*where, "read_only")))
        if kept.get("profiles"):
            self.leave_out(
                (*where, "profiles"), "compose starts it only where somebody names a profile; remove the key"
            )
        for why in unlimited(kept, zero_alone=True):
            self.refuse(where, why)
        readers: dict[str, Callable[[Any, Place], Any]] = {
            "build": self._build,
            "extends": self._extends,
            "env_file": self._env_files,
            "label_file": self._label_files,
            "environment": self._environment,
            "volumes": self._volumes,
            "post_start": self._hooks,
        }
        for key, read in readers.items():
            if kept.get(key) is not None:
                kept[key] = read(kept[key], (*where, key))
        return kept

    def _includes(self, given: Any, where: Place) -> Any:
        found = []
        for index, one in enumerate(given if isinstance(given, list) else [given]):
            there = (*where, index)
            entry = self._known(one if isinstance(one, dict) else {"path": one}, there, INCLUDE)
            paths = entry.get("path")
            files = [self._inside(path, there) for path in (paths if isinstance(paths, list) else [paths])]
            directory = self._below(entry["project_directory"], there) if "project_directory" in entry else None
            base = directory or (files[0].parent if files[0] else self.base)
            read = [self.reader.also(file, base) for file in files if file]
            copies = [str(copy) for copy in read if copy]
            if copies:
                self.reader.found.problems += _defaults_overlooked(self.reader, base)
                found.append({"path": copies, "project_directory": str(base), "env_file": NOTHING})
        return found

    def _extends(self, given: Any, where: Place) -> Any:
        if isinstance(given, str):
            return given
        kept = self._known(self._mapping(given, where), where, EXTENDS)
        if "file" in kept:
            file, service = self._inside(kept.pop("file"), (*where, "file")), kept.get("service")
            if file is None or not isinstance(service, str):
                return None
            copy = self.reader.also(file, file.parent, service)
            if copy is None:
                return None
            kept["file"] = str(copy)
        return kept

    def _env_files(self, given: Any, where: Place) -> Any:
        found = []
        known = set(self.reader.known)
        for one in given if isinstance(given, list) else [given]:
            entry = self._known(one if isinstance(one, dict) else {"path": one}, where, ENV_FILE)
            if file := self._inside(entry.get("path"), where, optional=entry.get("required") is False):
                known |= self._env_file(file, where, None if entry.get("format") == "raw" else known)
                found.append({**entry, "path": str(file)} if isinstance(one, dict) else str(file))
        return found

    def _env_file(self, file: Path, where: Place, known: Collection[str] | None) -> set[str]:
        """Refuse what of a file of variables would lose a value, unless it is read as it is (`known` None). Returns
        what the file sets.
        """
        found = self.reader.found
        try:
            given = self.reader.env_files.read(file)
        except TooMuch:
            raise
        except ConfigError as error:
            found.problems.append(str(error))
            return set()
        found.variables |= given.mentioned
        self._refuse_host(given.looked_up, where, f"{file.name}: ")
        if known is None:
            return set()
        found.told |= {one.key: one.value for one in given.entries if one.value is not None}
        for why, name in faults(file.name, given, known):
            found.dangling |= {name} if name else set()
            self.refuse(where, why)
        return {one.key for one in given.entries if one.value is not None}

    def _label_files(self, given: Any, where: Place) -> Any:
        files = [self._inside(one, where) for one in (given if isinstance(given, list) else [given])]
        return [str(file) for file in files if file]

    def _build(self, given: Any, where: Place) -> Any:
        """Hold a build to the artifact's files. What compose makes of it with others, by `extends`: builds.py."""
        build = given if isinstance(given, dict) else {"context": given}
        kept = self._known(build, where, builds.KEYS, builds.WAYS_OUT)
        kept = {key: value for key, value in kept.items() if key not in builds.MEANINGLESS}
        base, file = self.base, kept.get("dockerfile")
        # else it lies in the context of what is extended
        whole = "context" in kept or not isinstance(file, str) or file.startswith("/") or "$" in file
        if "context" in kept:
            base = self._below(kept["context"], (*where, "context")) or self.reader.top
            kept["context"] = _literal(base)
        if file is not None and whole and self._path(file, (*where, "dockerfile"), base) is None:
            del kept["dockerfile"]
        if (contexts := kept.pop("additional_contexts", None)) is not None:
            found = {key: self._context(path, (*where, "additional_contexts", key)) for key, path in _pairs(contexts)}
            kept["additional_contexts"] = {key: _literal(path) for key, path in found.items() if path}
        self._arguments(kept.get("args"), (*where, "args"))
        return kept

    def _arguments(self, given: Any, where: Place) -> None:
        """An argument without a value is one of the environment's; compose would leave out one that has none."""
        self._environment(given, where)
        for name in _valueless(given):
            if name not in self.reader.known and name not in OF_THE_HOST:
                self.refuse(
                    (*where, name), "it has no value; write one, or remove it: the Dockerfile's default counts then"
                )

    def _context(self, given: str, where: Place) -> Path | None:
        if not given.startswith("service:"):
            return self._below(given, where)
        self.refuse(where, "the image of another service; build both from one Dockerfile, by target")
        return None

    def _environment(self, given: Any, where: Place) -> Any:
        """A variable without a value is one of the environment's, never one of the docker command's own."""
        for name, value in _items(given) if isinstance(given, dict) else _pairs(given):
            if isinstance(value, str):
                self.reader.found.told[name] = value
        for name in _valueless(given):
            if name in OF_THE_HOST and name not in self.reader.known:
                self.refuse(where, f"{name} is the host's; give it a value, or set APP_{name}")
        return given

    def _hooks(self, given: Any, where: Place) -> Any:
        for index, one in enumerate(given if isinstance(given, list) else []):
            if isinstance(one, dict):
                self._environment(one.get("environment"), (*where, index, "environment"))
        return given

    def _volumes(self, given: Any, where: Place) -> Any:
        if not isinstance(given, list):
            return given
        return [self._mount(one, (*where, index)) for index, one in enumerate(given)]

    def _mount(self, given: Any, where: Place) -> Any:
        """Write relative sources out. What may be mounted is judged later, on what compose made of it."""
        if isinstance(given, dict):
            source = given.get("source")
            relative = given.get("type") == "bind" and isinstance(source, str) and not source.startswith(("/", "$"))
            return {**given, "source": self._mounted(str(source), where)} if relative else given
        if isinstance(given, str) and given.startswith((".", "~")):
            source, colon, rest = given.partition(":")
            return f"{self._mounted(source, where)}{colon}{rest}"
        return given

    def _mounted(self, source: str, where: Place) -> str:
        return _literal(self._path(source, where, self.base) or self.reader.top)

    def _config(self, given: Any, where: Place) -> Any:
        kept = self._known(self._mapping(given, where), where, tuple(Config.model_fields))
        if (name := kept.get("environment")) is not None and str(name) not in self.reader.known:
            self.refuse((*where, "environment"), f"{name} is not of this environment; set APP_{name}, or remove it")
            kept["content"] = str(kept.pop("environment"))
        if kept.get("file") is not None:
            kept["file"] = str(self._inside(kept["file"], (*where, "file")) or self.reader.top)
        return kept

    def _secret(self, given: Any, where: Place) -> Any:
        """Hold a secret to the artifact's files, and keep only its name: its value is the environment's SECRET_."""
        kept = self._known(self._mapping(given, where), where, tuple(Secret.model_fields))
        instead = f"its value is SECRET_{str(where[-1]).upper()} of config/<environment>.env"
        if kept.get("file") is not None:
            self._path(kept["file"], (*where, "file"), self.base, instead)
        if (name := kept.get("environment")) is not None and str(name) not in self.reader.known:
            self.refuse((*where, "environment"), f"{name} is not of this environment; {instead}: remove it")
        for key in kept:
            self.leave_out((*where, key), instead)
        return {"file": NOTHING}

    def _inside(self, given: Any, where: Place, optional: bool = False) -> Path | None:
        """Return a file of the artifact. Refuses what is none; one that is `optional` may be absent."""
        path = self._path(given, where, self.base)
        if path is None or path.is_file():
            return path
        if not optional or path.exists():
            self.refuse(where, f"the artifact has no file {given}; add it to the repository, or remove this")
        return None

    def _below(self, given: Any, where: Place) -> Path | None:
        return self._path(given, where, self.base)

    def _path(self, given: Any, where: Place, base: Path, instead: str = "") -> Path | None:
        """Return where a path leads, which need not exist. Refuses what is not below the artifact's files."""
        way = instead or "name a file of the repository, or remove it"
        if not isinstance(given, str) or not given:
            self.refuse(where, f"expected a path; {way}")
        elif "$" in given or "://" in given or given.startswith(("~", "git@", "github.com/")) or "\0" in given:
            self.refuse(where, f"{given[:200]}: expected a plain path, without variables, ~ and addresses; {way}")
        elif given.startswith("/") or (path := real_path(base / given)) is None or not self.reader.has(path):
            self.refuse(where, f"{given[:200]} is outside of the artifact; {way}")
        else:
            return path
        return None

    def _note_variables(self, value: Any, where: Place) -> None:
        if isinstance(value, Mapping):
            for key, one in value.items():
                self._note_variables(one, (*where, key))
        elif isinstance(value, list):
            for index, one in enumerate(value):
                self._note_variables(one, (*where, index))
        elif isinstance(value, str):
            self._host_variables(value, where)

    def _host_variables(self, text: str, where: Place) -> None:
        """Note the variables of a text, and refuse those that the docker command has of the host's."""
        names = set(filter(None, VARIABLE.findall(text)))
        self.reader.found.variables |= names
        for mention in mentions(text):
            if not mention.name:
                self.refuse(where, 'a "${" is not closed; write $$ for a plain $')
            elif mention.alone or (mention.needed and mention.name not in self.reader.known):
                key = str(where[-1]) if isinstance(where[-1], str) else text.partition("=")[0]
                place = f"{self.document.at(where)}: {_shown(where)}", may_be_shown(mention, key)
                of = self.reader.found.places if mention.alone else self.reader.found.needed
                of.setdefault(mention.name, place)
        self._refuse_host(names, where)

    def _refuse_host(self, names: Collection[str], where: Place, what: str = "") -> None:
        for name in sorted(OF_THE_HOST & set(names)):
            self.refuse(where, f"{what}{name} is the host's; write its value, or $${name} if the container has it")


def _chain(services: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a service, and those of the same file that it extends."""
    found: dict[str, Any] = {}
    while name in services and name not in found:
        found[name] = services[name]
        extends = services[name].get("extends") if isinstance(services[name], dict) else None
        if isinstance(extends, dict):
            extends = None if "file" in extends else extends.get("service")
        if not isinstance(extends, str):
            break
        name = extends
    return found


def _literal(path: Path) -> str:
    """Return a path as it is written where compose fills in variables once more."""
    return str(path).replace("$", "$$")


def _valueless(given: Any) -> list[str]:
    """Return the names of variables that stand without a value, in either form."""
    names = given if isinstance(given, list) else [name for name, value in _items(given) if value is None]
    return [name for name in names if isinstance(name, str) and "=" not in name]


def _items(given: Any) -> Iterator[tuple[Any, Any]]:
    yield from given.items() if isinstance(given, dict) else ()


def _pairs(given: Any) -> Iterator[tuple[str, str]]:
    if isinstance(given, dict):
        yield from ((str(key), str(value)) for key, value in given.items())
    elif isinstance(given, list):
        for one in given:
            key, _, value = str(one).partition("=")
            yield key, value


def _shown(where: Place) -> str:
    if len(where) > 1 and where[0] in ("services", "configs", "secrets"):
        words = [f"{str(where[0]).removesuffix('s')} {where[1]}", ".".join(map(str, where[2:]))]
        return ": ".join(filter(None, words))
    return ".".join(map(str, where)) or "the file"
