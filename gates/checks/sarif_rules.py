"""Which level a result of SARIF has, when it does not say so itself."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from gates.checks.sarif_parts import Descriptor, Notification, Reference, Result, Run

WORST_FIRST = ("error", "warning", "note", "none")
NOBODY_FAILS = ("pass", "notApplicable", "informational")
LONGEST_NAME = 200


class Rules:
    """The rules of one run, and the levels that its invocations set for them."""

    def __init__(self, one: Run) -> None:
        self._driver = _Listed(one.tool.driver.rules)
        self._extensions = [_Listed(extension.rules) for extension in one.tool.extensions]
        self._notifications = _Listed(one.tool.driver.notifications)
        self._set_for = defaultdict[str | int, set[str]](set)
        for change in (change for invocation in one.invocations for change in invocation.overrides):
            self._set_for[change.descriptor.id or change.descriptor.index].add(change.configuration.level)

    def of(self, result: Result) -> list[Descriptor]:
        """Return what a result's rule could be, by number and by name. That should be one."""
        reference = result.rule or Reference()
        names, numbers = [result.rule_id, reference.id], [result.rule_index, reference.index]
        component = reference.component.index if reference.component else -1
        if 0 <= component < len(self._extensions):
            return self._extensions[component].meant(names, numbers)
        meant = self._driver.meant(names, numbers)
        return meant or [rule for extension in self._extensions[:100] for rule in extension.meant(names, [])]

    def level(self, result: Result) -> str:
        """Return a result's level: its own, else what an invocation sets for its rule, else the rule's, else `warning`.

        Of several that could be meant the worst counts.
        """
        if result.level:
            return result.level
        if result.kind in NOBODY_FAILS:
            return "none"
        rules, reference = self.of(result), result.rule or Reference()
        names = {result.rule_id, reference.id, *(rule.id for rule in rules)} - {""}
        keys: list[str | int] = [*names, *({result.rule_index, reference.index} - {-1})]
        set_for = [level for key in keys for level in self._set_for.get(key, ())]
        return _worst(set_for) or _worst(rule.configuration.level for rule in rules) or "warning"

    def level_of(self, note: Notification) -> str:
        """Return the level of what a tool tells of its own run: its own, else that of its kind, else `warning`."""
        reference = note.descriptor or Reference()
        kinds = self._notifications.meant([reference.id], [reference.index])
        return note.level or _worst(kind.configuration.level for kind in kinds) or "warning"


class _Listed:
    """Descriptors by number and by name; of several of one name the worst."""

    def __init__(self, descriptors: Sequence[Descriptor]) -> None:
        self._descriptors = descriptors
        self._named: dict[str, Descriptor] = {}
        for one in descriptors:
            known = self._named.setdefault(one.id, one)
            if WORST_FIRST.index(one.configuration.level) < WORST_FIRST.index(known.configuration.level):
                self._named[one.id] = one

    def meant(self, names: Iterable[str], numbers: Iterable[int]) -> list[Descriptor]:
        found = [self._descriptors[number] for number in numbers if 0 <= number < len(self._descriptors)]
        for name in filter(None, names):
            # `CA1000/1` is a finer name of the rule CA1000.
            parts = name[:LONGEST_NAME].split("/")
            wanted = {name, *("/".join(parts[:count]) for count in range(1, len(parts) + 1))}
            found += [self._named[each] for each in sorted(wanted) if each in self._named]
        return found


def _worst(levels: Iterable[str]) -> str:
    return min(levels, key=WORST_FIRST.index, default="")
