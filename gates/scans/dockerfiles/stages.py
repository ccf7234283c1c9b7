"""The stages of a Dockerfile, and what each of them comes to: whose image it is, who it runs as, what stays in it.

Variables have the values that a build is known to give them, else their defaults.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gates.scans.dockerfiles.instructions import Instruction, assignments, health_check
from gates.scans.dockerfiles.words import Budget, Expansion
from gates.scans.image_names import full_name
from gates.scans.outcome import ReportError

# What BuildKit declares by itself before the first FROM (dockerfile2llb/platform.go), on the machines that we know.
PLATFORM: Mapping[str, str] = {
    f"{whose}{name}": value
    for whose in ("BUILD", "TARGET")
    for name, value in {
        "PLATFORM": "linux/amd64",
        "OS": "linux",
        "ARCH": "amd64",
        "VARIANT": "",
        "OSVERSION": "",
    }.items()
}
EMPTY = "scratch"
WHEELS = "wheels"  # the context that every build is given
_NAME = re.compile(r"[a-z][a-z0-9_.-]*")
_NUMBER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True)
class Asked:
    """What a build asks of a Dockerfile: a stage by name or number ("" for the last), the arguments that it gives
    (None: nobody here knows the value), and its named contexts, by full names, before stages and images so called.
    """

    target: str = ""
    args: Mapping[str, str | None] = field(default_factory=dict)
    contexts: frozenset[str] = frozenset({full_name(WHEELS)})

    @classmethod
    def of(cls, target: str, args: Mapping[str, str | None], contexts: Iterable[str]) -> "Asked":
        """Return what a build asks that says so itself, with what Slipway gives to each."""
        return cls(target, args, frozenset(full_name(name.lower()) for name in (*contexts, WHEELS)))

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the same for builds that ask the same."""
        return self.target, tuple(sorted(self.args.items())), self.contexts

    def is_context(self, image: str) -> bool:
        """Say whether an image's name is that of a context, whatever its spelling."""
        return full_name(image.lower()) in self.contexts

    def stage(self, all_stages: "Sequence[Stage]") -> "Stage":
        """Return the stage that is built. Raises ReportError if there is none of its name."""
        if not self.target:
            return all_stages[-1]
        named = [stage for stage in all_stages if stage.name == self.target.lower()]
        if named:
            return named[-1]
        if self.target.isdecimal() and len(self.target) < 9 and int(self.target) < len(all_stages):
            return all_stages[int(self.target)]
        raise ReportError(f"it has no stage {self.target[:60]}, which a build names as its target")


NOTHING_ASKED = Asked()


@dataclass(frozen=True)
class Setting:
    """A value that ENV or ARG leaves in the image or in its history."""

    keyword: str
    name: str
    value: str
    line: int


@dataclass(frozen=True)
class Use:
    """An image that COPY --from or RUN --mount takes files of, or what ADD takes without a checksum."""

    subject: str
    line: int


@dataclass(frozen=True)
class Stage:
    """A build stage: `image` with defaults of global ARGs put in, `name` "" without one, `base` the stage built on.

    An image that a variable without a default decides stays as it is written. `user` is None when neither the stage
    nor those that it is built on say who; `written` is the word they say it with.
    """

    image: str
    name: str
    line: int
    body: tuple[Instruction, ...] = ()
    base: "Stage | None" = field(default=None, repr=False, compare=False)
    user: str | None = None
    written: str = ""
    checked: bool = False
    settings: tuple[Setting, ...] = ()
    images: tuple[Use, ...] = ()
    downloads: tuple[Use, ...] = ()

    @property
    def origin(self) -> "Stage":
        """Return the stage below all of it, whose image comes from outside."""
        stage = self
        while stage.base is not None:
            stage = stage.base
        return stage


@dataclass
class _Build:
    """What the instructions of a stage have said so far."""

    values: dict[str, str]
    given: Mapping[str, str]
    asked: Asked
    budget: Budget
    number: int
    user: str | None = None
    written: str = ""
    checked: bool = False
    settings: list[Setting] = field(default_factory=list)
    images: list[Use] = field(default_factory=list)
    downloads: list[Use] = field(default_factory=list)

    def expanded(self, text: str, escape: str) -> str:
        return Expansion(text, self.values, escape, self.budget).result()

    def follow(self, instruction: Instruction) -> None:
        keyword = instruction.keyword
        if keyword == "USER":
            self.written = instruction.value
            self.user = self.expanded(instruction.value, instruction.escape)
        elif keyword == "HEALTHCHECK":
            self.checked = health_check(instruction)
        elif keyword in ("ENV", "ARG"):
            self._assign(instruction)
        elif keyword == "ADD":
            self._download(instruction)
        elif keyword in ("COPY", "RUN"):
            self.images += [Use(image, instruction.line) for image in _images(instruction, self.number)]
        elif instruction.trigger:
            self._promise(instruction.trigger)

    def _assign(self, instruction: Instruction) -> None:
        escape, made = instruction.escape, dict[str, str]()
        for name, word in assignments(instruction):
            if instruction.keyword == "ENV":
                made[self.expanded(name, escape)] = self.expanded(word or "", escape)
                continue
            value = self.given.get(name) if word is None else self.expanded(word, escape)
            if (told := self.asked.args.get(name)) is not None:
                word = value = told
            if value is not None:
                self.values[name] = value
                self.settings.append(Setting("ARG", name, value if word is not None else "", instruction.line))
        self.values |= made
        self.settings += [Setting("ENV", name, value, instruction.line) for name, value in made.items()]

    def _promise(self, trigger: Instruction) -> None:
        """Note what an ONBUILD leaves in the image: it says nothing of the image's own user and health."""
        self.budget.take(len(self.values))
        other = _Build(dict(self.values), self.given, self.asked, self.budget, self.number)
        other.follow(trigger)
        self.settings += other.settings
        self.images += other.images
        self.downloads += other.downloads

    def _download(self, instruction: Instruction) -> None:
        sums = [self.expanded(value, instruction.escape) for value in instruction.flag("checksum")]
        if not any(sums):
            for word in instruction.words[:-1]:
                source = self.expanded(word, instruction.escape)
                self.downloads.append(Use(source, instruction.line))


def _images(instruction: Instruction, number: int) -> Iterator[str]:
    """Return the images that an instruction of stage `number` names; COPY may name a stage before it by its number."""
    for source in instruction.flag("from"):
        if not _NUMBER.fullmatch(source):
            yield source
        elif len(source) > 9 or not 0 <= int(source) < number:
            raise ReportError(f"COPY --from={source[:20]} is no stage before this one")
    for mount in instruction.flag("mount"):
        try:
            fields = next(csv.reader([mount], strict=True), [])
        except csv.Error:
            raise ReportError("RUN --mount: its fields cannot be read") from None
        pairs = (entry.partition("=") for entry in fields)
        yield from (value for key, _, value in pairs if key.lower() == "from" and value)


def stages(written: Sequence[Instruction], asked: Asked = NOTHING_ASKED) -> list[Stage]:
    """Return the build stages in order, as a build with these arguments and contexts has them.

    Raises ReportError if there is none, or what Docker would not build.
    """
    budget = Budget()
    given, hollow = dict(PLATFORM), set[str]()
    head: list[Setting] = []
    found: list[tuple[Stage, list[Instruction]]] = []
    for instruction in written:
        try:
            if instruction.keyword == "FROM":
                found.append((_stage(instruction, given, hollow, budget), []))
            elif found:
                found[-1][1].append(instruction)
            elif instruction.keyword == "ARG":
                head += _declare(instruction, given, hollow, budget, asked)
            else:
                raise ReportError(f"{instruction.keyword} stands before the first FROM")
        except ReportError as error:
            raise ReportError(f"line {instruction.line}: {error}") from None
    if not found:
        raise ReportError("it has no FROM")
    return _settled(found, head, given, budget, asked)


def _stage(instruction: Instruction, given: Mapping[str, str], hollow: set[str], budget: Budget) -> Stage:
    words = instruction.words
    name = words[2].lower() if len(words) == 3 and words[1].casefold() == "as" else ""
    if len(words) != 1 and not _NAME.fullmatch(name):
        raise ReportError("FROM wants an image, or an image AS a name")
    expansion = Expansion(words[0], given, instruction.escape, budget)
    image = expansion.result()
    unknown = not image or expansion.unset or expansion.used & hollow
    return Stage(words[0] if unknown else image, name, instruction.line)


def _declare(
    instruction: Instruction, given: dict[str, str], hollow: set[str], budget: Budget, asked: Asked
) -> list[Setting]:
    """Take an ARG of a file's head: its value, and whether that is made of one that has none."""
    settings = []
    for name, word in assignments(instruction):
        if name in asked.args:
            told = asked.args[name]
            (hollow.add if told is None else hollow.discard)(name)
            given[name] = told or ""
            settings.append(Setting("ARG", name, told or "", instruction.line))
            continue
        if word is None:
            given.pop(name, None)  # whether an earlier value stays depends on Docker's version
            continue
        expansion = Expansion(word, given, instruction.escape, budget)
        value = expansion.result()
        (hollow.add if expansion.unset or expansion.used & hollow else hollow.discard)(name)
        given[name] = value
        settings.append(Setting("ARG", name, value, instruction.line))
    return settings


def _settled(
    found: Sequence[tuple[Stage, Sequence[Instruction]]],
    head: Sequence[Setting],
    given: Mapping[str, str],
    budget: Budget,
    asked: Asked,
) -> list[Stage]:
    made: list[Stage] = []
    named: dict[str, int] = {}
    values: list[dict[str, str]] = []
    for number, (stage, body) in enumerate(found):
        if asked.is_context(stage.image):
            stage = replace(stage, image=EMPTY)
        if stage.name and asked.is_context(stage.name):
            stage, body = replace(stage, image=EMPTY), ()  # the context stands in its place
        below = named.get(stage.image.lower())
        base = None if below is None else made[below]
        build = _Build({}, given, asked, budget, number)
        triggers: list[Instruction] = []
        if base is not None and below is not None:
            budget.take(len(values[below]))
            build = _Build(dict(values[below]), given, asked, budget, number, base.user, base.written, base.checked)
            # What a stage asks of those built on it, and not of itself.
            triggers = [instruction.trigger for instruction in base.body if instruction.trigger]
            budget.take(len(base.body) + 200 * len(triggers))
        for instruction in (*triggers, *body):
            try:
                build.follow(instruction)
            except ReportError as error:
                raise ReportError(f"line {instruction.line}: {error}") from None
        if stage.name:
            named[stage.name] = len(made)
        values.append(build.values)
        made.append(
            replace(
                stage,
                body=tuple(body),
                base=base,
                user=build.user,
                written=build.written,
                checked=build.checked,
                settings=(*head, *build.settings) if not made else tuple(build.settings),
                images=tuple(build.images),
                downloads=tuple(build.downloads),
            )
        )
    return made
