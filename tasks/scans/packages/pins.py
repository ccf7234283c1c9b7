"""Exactly what a requirements lock pins. A line that pins nothing cannot be audited, so it is a problem, named."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from gates.locks import read_lock
from host.masking import declared_secrets, masked


@dataclass(frozen=True, order=True)
class Pin:
    """One package of a lock at one version; the name is canonical."""

    name: str
    version: str


@dataclass(frozen=True)
class Pins:
    """What a lock pins for one Python. `elsewhere` are lines whose marker excludes it, `private` packages that no
    advisory source knows, `problems` lines that cannot be audited.
    """

    audited: tuple[Pin, ...] = ()
    private: tuple[Pin, ...] = ()
    elsewhere: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def read_pins(text: str, python: str, private: tuple[str, ...] = ()) -> Pins:
    """Read a lock as Linux with Python `python` ("3.11") would install it; `private` are globs of canonical names."""
    lock = read_lock(text, hashed=False)
    chosen: dict[str, Pin] = {}
    elsewhere = []
    for package in lock.packages:
        if package.applies(python):
            chosen.setdefault(package.name, Pin(package.name, package.version))
        else:
            elsewhere.append(f"{package.name} {package.version} ({package.marker})")
    secrets = declared_secrets(text)
    problems = [masked(problem, secrets) for problem in (*lock.problems, *lock.conflicts(python))]
    if not chosen and not problems:
        problems.append("it pins nothing; make a lock of it: slipway lock")
    hidden = tuple(pin for pin in chosen.values() if any(fnmatchcase(pin.name, glob) for glob in private))
    audited = tuple(pin for pin in chosen.values() if pin not in hidden)
    return Pins(audited, hidden, tuple(elsewhere), tuple(problems))
