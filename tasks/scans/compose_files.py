"""The compose files of a commit, with those that they lead to, and the Dockerfiles that their services are built of."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from gates.scans.compose import judge_compose
from gates.scans.compose_builds import builds_of
from gates.scans.compose_tree import Part, files_of
from gates.scans.dockerfiles.judge import ImageRules
from gates.scans.dockerfiles.stages import Asked
from gates.scans.outcome import ReportError, ScanOutcome, merge_parts
from host.errors import SourceError
from tasks.build.compose_builds import TAKEN_ALONG
from tasks.scans import Subject
from tasks.scans.files import RELEASE, chosen, named_path, read_compose
from tasks.scans.tools import look_at_part

MOST_FOLLOWED = 200
COMPOSE = ("compose.y*ml", "compose.*.y*ml", "docker-compose.y*ml", "docker-compose.*.y*ml", "docker-compose-*.y*ml")
Place = tuple[str, str]  # a file, and the folder in which its paths begin


@dataclass
class ComposeFiles:
    """What was read. `paths` are the files that were chosen; included ones are judged as well, extended ones read.

    `outcome` holds what could not be read, and why.
    """

    subject: Subject
    paths: Mapping[str, Path]
    outcome: ScanOutcome = field(default_factory=ScanOutcome)
    documents: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    included: dict[Place, list[Part]] = field(default_factory=dict)

    @property
    def judged(self) -> list[Place]:
        """Return the files that were read and are judged."""
        own = [(name, posixpath.dirname(name)) for name in self.paths]
        more = [(name, part.folder) for parts in self.included.values() for part in parts for name in part.files]
        return [place for place in dict.fromkeys([*own, *more]) if place[0] in self.documents]

    def judge(self, rules: ImageRules) -> ScanOutcome:
        """Hold each file against the policy."""

        def judge(name: str, folder: str) -> ScanOutcome:
            return ScanOutcome(tuple(judge_compose(name, self.documents, rules, self.lines[name], folder)))

        return merge_parts(look_at_part(name, partial(judge, name, folder)) for name, folder in self.judged)

    def builds(self, name: str) -> list[tuple[str, Asked]]:
        """Return the Dockerfiles that the services of a file, and of those that it includes, are built of, as paths in
        the commit, and what each build asks. A file that could not be read has none.
        """
        found = []
        for part in self._parts(name):
            try:
                found += list(builds_of(part, self.documents))
            except ReportError:
                continue  # it is no verdict of the compose files
        return [(_in_commit(file), asked) for file, asked in found if not file.startswith("..")]

    def _parts(self, name: str) -> Iterator[Part]:
        waiting, seen = [Part.of(name)], set[Part]()
        while waiting:
            if (part := waiting.pop()) not in seen:
                seen.add(part)
                yield part
                waiting += [one for file in part.files for one in self.included.get((file, part.folder), ())]


def read_compose_files(subject: Subject) -> ComposeFiles:
    """Read the commit's compose files, those that pipeline.toml names, and all that they lead to."""
    image = subject.pipeline.image
    found = ComposeFiles(subject, chosen(subject, COMPOSE, list(image.compose.values()) if image else []))
    waiting = [(name, posixpath.dirname(name)) for name in list(found.paths)[::-1]]
    seen = set(waiting)
    while waiting:
        place = waiting.pop()
        led: list[Place] = []
        found.outcome += look_at_part(place[0], partial(_read, found, place, led))
        waiting += [one for one in led if one not in seen]
        seen |= set(led)
        if len(seen) > len(found.paths) + MOST_FOLLOWED:
            found.outcome += ScanOutcome(problems=(f"compose files lead to more than {MOST_FOLLOWED} others",))
            break
    return found


def _read(found: ComposeFiles, place: Place, led: list[Place]) -> ScanOutcome:
    """Read a file, and note to which files it leads."""
    name, folder = place
    if name not in found.documents:
        path = found.paths.get(name) or named_path(found.subject, name)
        found.documents[name], found.lines[name] = read_compose(path, name)
    included, extended = files_of(name, found.documents[name], folder)
    other = [(one, part.folder) for part in included for one in part.files]
    other += [(one, posixpath.dirname(one)) for one in extended]
    if not name.startswith(RELEASE) and any(one.startswith(RELEASE) for one, _ in other):
        raise SourceError(f"{name}: {RELEASE} is not a folder of the commit")
    found.included[place] = included
    led += other
    return ScanOutcome()


def _in_commit(file: str) -> str:
    """Return where a file beside one of this repository lies: the artifact takes that along."""
    return f"{TAKEN_ALONG}/{file.removeprefix(RELEASE)}" if file.startswith(RELEASE) else file
