"""Which level a result of SARIF has, or what a tool tells of its own run, when it does not say so itself."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from gates.checks.sarif_parts import Component, Descriptor, Level, Notification, Override, Reference, Result, Run, Tool

WORST_FIRST: tuple[Level, ...] = ("error", "warning", "note", "none")
NOBODY_FAILS = ("pass", "notApplicable", "informational")
LONGEST_NAME = 200
# Components beside the extensions, which are 0 and more: the tool itself, any extension, one that the report lacks.
DRIVER, ANY_EXTENSION, LACKING = -1, -2, -3
Key = tuple[int, str, str | int]


@dataclass(frozen=True)
class Meant:
    """What a result refers to: its descriptors, that should be one, and the worst level that these have."""

    descriptors: list[Descriptor]
    level: Level


class Rules:
    """The rules of one run, and the levels that its invocations set for them."""

    def __init__(self, one: Run) -> None:
        overrides = [change for invocation in one.invocations for change in invocation.overrides]
        self._rules = _Listed(one.tool, lambda component: component.rules, overrides)
        self.lost = self._rules.lost

    def of(self, result: Result) -> Meant:
        """Return a result's rule and its level: its own, else what an invocation sets for its rule, else the rule's,
        else `warning`. Of several that could be meant the worst counts.
        """
        reference = result.rule or Reference()
        meant = self._rules.meant(reference, result.rule_id, result.rule_index)
        if result.level or result.kind in NOBODY_FAILS:
            return Meant(meant.descriptors, result.level or "none")
        return meant


class Kinds:
    """The kinds of notification of one tool, and the levels that its invocations set for them."""

    def __init__(self, tool: Tool, overrides: Iterable[Override]) -> None:
        self._kinds = _Listed(tool, lambda component: component.notifications, overrides)
        self.lost = self._kinds.lost

    def level(self, note: Notification) -> Level:
        """Return the level of what a tool tells of its own run: its own, else that of its kind, else `warning`."""
        return note.level or self._kinds.meant(note.descriptor or Reference()).level


class _Listed:
    """Descriptors of all components of a tool, by number, name and guid; of several that share one the worst.

    `lost` names a component for which an override is, and which the report lacks; "" without one.
    """

    def __init__(
        self, tool: Tool, listed: Callable[[Component], Sequence[Descriptor]], overrides: Iterable[Override]
    ) -> None:
        self._extensions = len(tool.extensions)
        self._components: dict[str, int] = {}
        for number, component in enumerate([tool.driver, *tool.extensions], DRIVER):
            for name in filter(None, (component.guid, component.name)):
                self._components.setdefault(name, number)
        self.lost = ""
        self._set_for = defaultdict[Key, set[Level]](set)
        for change in overrides:
            self._add(change)
        self._known: dict[Key, Meant] = {}
        for number, component in enumerate([tool.driver, *tool.extensions], DRIVER):
            for index, one in enumerate(listed(component)):
                self._list(number, index, one)

    def _add(self, change: Override) -> None:
        component = self._component(change.descriptor)
        if component == LACKING and change.descriptor.component:
            named = change.descriptor.component
            self.lost = self.lost or named.name or named.guid or str(named.index)
        for key in _keys(component, change.descriptor):
            self._set_for[key].add(change.configuration.level)

    def _component(self, reference: Reference) -> int:
        named = reference.component
        if named is None or not (named.index >= 0 or named.guid or named.name):
            return DRIVER
        if named.index >= 0:
            return named.index if named.index < self._extensions else LACKING
        return self._components.get(named.guid, self._components.get(named.name, LACKING))

    def _list(self, component: int, index: int, one: Descriptor) -> None:
        keys = list(_keys(component, Reference(id=one.id, guid=one.guid, index=index)))
        # What names no component means the driver's; where the driver has none of that name, an extension's.
        unnamed = [] if component == DRIVER else [key for key in _with(DRIVER, keys) if key not in self._known]
        levels = [level for key in (*keys, *unnamed) for level in self._set_for.get(key, ())]
        meant = Meant([one], _worst(levels) or one.configuration.level)
        for key in (*keys, *([] if component == DRIVER else _with(ANY_EXTENSION, keys))):
            known = self._known.setdefault(key, meant)
            if WORST_FIRST.index(meant.level) < WORST_FIRST.index(known.level):
                self._known[key] = meant

    def meant(self, reference: Reference, name: str = "", number: int = -1) -> Meant:
        """Return what a reference, or the name and the number beside it, could mean; `warning` where nothing says."""
        component = self._component(reference)
        beside = Reference(id=name, index=number)
        keys = [key for one in (reference, beside) for key in _keys(component, one, finer=True)]
        if component == DRIVER and not any(key in self._known for key in keys):
            keys += _with(ANY_EXTENSION, keys)
        found = [self._known[key] for key in keys if key in self._known]
        set_for = [level for key in keys if key not in self._known for level in self._set_for.get(key, ())]
        descriptors = [one for each in found for one in each.descriptors]
        return Meant(descriptors, _worst([*set_for, *(each.level for each in found)]) or "warning")


def _keys(component: int, reference: Reference, *, finer: bool = False) -> Iterator[Key]:
    """Yield by what a descriptor is looked up. A `finer` name is one of its rule's too: `CA1000/1` of CA1000."""
    if reference.index >= 0:
        yield component, "number", reference.index
    if reference.guid:
        yield component, "guid", reference.guid.lower()
    if reference.id:
        yield component, "name", reference.id
    if finer:
        yield from (
            (component, "name", each)
            for each in accumulate(reference.id[:LONGEST_NAME].split("/"), "{}/{}".format)
            if each and each != reference.id
        )


def _with(component: int, keys: Iterable[Key]) -> list[Key]:
    """Return the same names and guids for another component; numbers count within one only."""
    return [(component, by, value) for _, by, value in keys if by != "number"]


def _worst(levels: Iterable[Level]) -> Level | None:
    return min(levels, key=WORST_FIRST.index, default=None)
