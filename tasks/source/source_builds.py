"""The packages of a commit's locks that are built from source: which, and what of them goes into the artifact."""

from collections.abc import Collection, Iterable, Sequence

from evidence.bundle import SourceBuild
from evidence.scopes import Scope
from gates.locks import Locked
from gates.source_builds import with_built
from host.files import remove_tree, write_atomically
from settings.locks import LockChoice
from tasks.source.app_locks import AppLocks, shown_line
from tasks.source.built_wheels import BuiltWheel, built_wheel
from tasks.source.locked_environments import Once, at_once


def build_sources(locks: AppLocks, scope: Scope, make_once: Once = at_once, only: Collection[str] = ()) -> list[str]:
    """Build the packages of the installed locks that `build_from_source` names, each once, and write these locks with
    the hashes of their wheels. Return what was built of what, a line each. `only`: for no others than these keys of
    [locks].

    Does nothing when none is named. Safe to repeat. Raises SourceError and ToolError like `built_wheel`.
    """
    made: dict[Locked, BuiltWheel] = {}
    for key, choice in locks.locks.installed.items():
        wanted = locks.from_source(choice) if not only or key in only else ()
        for package in wanted:
            made.setdefault(_alike(package), built_wheel(package, locks.python, scope, make_once))
        if wanted:
            wheels = ((one, made[_alike(one)]) for one in wanted)
            _write(locks, choice, list(wheels))
    return [f"{wheel.record.name} is built {wheel.record.build}" for wheel in made.values()]


def _write(locks: AppLocks, choice: LockChoice, built: Sequence[tuple[Locked, BuiltWheel]]) -> None:
    """Write the list that has the hashes of built wheels, and lay copies of these beside it."""
    file = locks.built_file(choice)
    remove_tree(file.parent)  # of an attempt before this one
    file.parent.mkdir(parents=True)
    for _, wheel in built:
        wheel.copy(file.parent)
    hashes = {(package.name, package.version): wheel.record.sha256 for package, wheel in built}
    head = shown_line(f"made of {choice}; built from source: {', '.join(' '.join(one) for one in sorted(hashes))}")
    write_atomically(file, (f"# {head}\n" + with_built(locks.read(choice), hashes).text()).encode(), 0o644)


def _alike(package: Locked) -> Locked:
    """Return a package without what differs from lock to lock and decides nothing of its wheel."""
    return Locked(0, package.name, package.version, hashes=package.hashes)


def built_of(locks: AppLocks, choices: Iterable[LockChoice], scope: Scope) -> dict[str, SourceBuild]:
    """Return how the wheels of locks were built, by their SHA-256. Builds nothing that was built before."""
    wheels = [built_wheel(one, locks.python, scope) for choice in choices for one in locks.from_source(choice)]
    return {wheel.record.sha256: wheel.record.build for wheel in wheels}
