"""Which files of a folder of SQL migrate, in what order, and what of a file is the way there.

Each file is a migration, a way back by its ending, or trouble. Left out is what is neither SQL nor numbered, such as a
README.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Lines by which dbmate, goose and sql-migrate part a file in a way there and a way back.
_PARTS = re.compile(r"^--[ \t]*(?:migrate:|\+goose[ \t]+|\+migrate[ \t]+)(up|down)\b", re.MULTILINE | re.IGNORECASE)
_BACK = r"(?:down|rollback|undo|revert)\.sql$"
_WAY_BACK = re.compile(rf"\.{_BACK}", re.IGNORECASE)
# These are a way back only beside the way there: 2_scale_down.sql may scale down.
_PAIRED = re.compile(rf"[_-]{_BACK}", re.IGNORECASE)
_FLYWAY_UNDO = re.compile(r"u([0-9][0-9._]*)__")
_NUMBER = re.compile(r"[VvRrBb]?([0-9]{1,40}(?:[._][0-9]{1,40})*)(?![0-9A-Za-z])|[VvRrBb]?([0-9]{1,40})")
_FOR_PEOPLE = (".md", ".rst", ".txt")


@dataclass(frozen=True)
class SqlFile:
    """A file that migrates, its path below the folder. `repeats`: it has no number, so it may run whenever it changes.
    `trouble` says why it cannot be read, "" when it can.
    """

    path: str
    repeats: bool = False
    trouble: str = ""


def migrating(paths: Sequence[str]) -> list[SqlFile]:
    """Return the files that migrate, in the order of their numbers; those without a number come last."""
    lowered = {path.lower() for path in paths}
    sql = [path for path in paths if path.lower().endswith(".sql") and not _is_way_back(path.lower(), lowered)]
    beside = {path.rpartition("/")[0] for path in sql if _number(path)}
    others = [path for path in paths if _is_step_of_another_kind(path, beside)]
    found = [SqlFile(path, repeats=not _number(path)) for path in sql]
    found += [SqlFile(path, trouble="it is numbered among files of SQL, and is none") for path in others]
    return sorted(found, key=lambda one: (one.repeats, _number(one.path), one.path))


def way_there(text: str) -> str:
    """Return a file without its parts that take the migration back; all of a file that does not say which those are."""
    marks = list(_PARTS.finditer(text))
    if not any(mark[1].lower() == "up" for mark in marks):
        return text
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    parts = [text[mark.start() : end] for mark, end in zip(marks, ends, strict=True) if mark[1].lower() == "up"]
    return text[: marks[0].start()] + "".join(parts)


def _is_way_back(path: str, paths: set[str]) -> bool:
    folder, slash, file = path.rpartition("/")
    if undo := _FLYWAY_UNDO.match(file):
        return any(one.startswith(f"{folder}{slash}v{undo[1]}__") for one in paths)
    if paired := _PAIRED.search(path):
        there = path[: paired.start()]
        return bool({f"{there}.sql", f"{there}{path[paired.start()]}up.sql"} & paths)
    return bool(_WAY_BACK.search(path))


def _is_step_of_another_kind(path: str, beside: set[str]) -> bool:
    folder, _, file = path.rpartition("/")
    return folder in beside and bool(_NUMBER.match(file)) and not file.lower().endswith((".sql", *_FOR_PEOPLE))


def _number(path: str) -> tuple[int, ...]:
    """Return a file's number with those of its folders: (1, 10) of V1.10__x.sql, () of one without."""
    found = [_NUMBER.match(part) for part in path.split("/")]
    numbers = [number[1] or number[2] for number in found if number]
    return tuple(int(digits) for number in numbers for digits in re.split("[._]", number))
