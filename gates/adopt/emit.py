"""The files of config/ as text: each line with a comment that says what it was inferred from."""

import json
import re
from collections.abc import Mapping, Sequence

from gates.adopt.draft import ALL, Draft, Entry, Setting, Value

WIDEST = 120
PLAIN_KEY = re.compile("[A-Za-z0-9_-]+")
KEY = re.compile("[A-Z][A-Z0-9_]*")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
SURROGATE = re.compile("[\ud800-\udfff]")  # no text of UTF-8 has one
ORDER = (
    "app",
    "locks",
    "database",
    "run",
    "run.processes",
    "health",
    "migrations",
    "build",
    "image",
    "quality",
    "suites",
)
HEAD = """\
# Proposed by `slipway adopt`: each line says what it was inferred from. Nothing of the app was run.
# Every key: docs/configuration.md. Then: make ci APP=PATH
"""
ENVIRONMENT = """\
# {name}: proposed by `slipway adopt`. Each line says what it was inferred from. Keys, units and defaults:
# docs/configuration.md
"""
APPROVERS = """\
# Who may answer the approval questions: proposed by `slipway adopt`. An author of a released commit cannot approve it:
# name a second person before the first release to staging.
"""


def pipeline_text(draft: Draft) -> str:
    """Return pipeline.toml."""
    tables: dict[str, list[Entry]] = {}
    for entry in draft.entries:
        tables.setdefault(entry.table, []).append(entry)
    ordered = sorted(tables, key=lambda table: (_place(table), list(tables).index(table)))
    return HEAD + "".join(_table(table, tables[table]) for table in ordered)


def _place(table: str) -> int:
    starts = [at for at, name in enumerate(ORDER) if table == name or table.startswith(f"{name}.")]
    return max(starts, default=len(ORDER))


def _table(table: str, entries: Sequence[Entry]) -> str:
    head = "[[build]]" if table.startswith("build.") else f"[{table}]"
    return f"\n{head}\n" + "".join(_line(entry) for entry in entries)


def _line(entry: Entry) -> str:
    because = _comment(entry.because)
    if not entry.key:
        return f"# {_comment(str(entry.value))} ({because})\n"
    return _with_comment(f"{entry.key} = {toml_value(entry.value)}", because)


def _with_comment(line: str, because: str) -> str:
    whole = f"{line}  # {because}"
    return f"{whole}\n" if len(whole) <= WIDEST else f"# {because}\n{line}\n"


def _comment(text: str) -> str:
    return CONTROL.sub("?", text)[:300]


def toml_value(value: Value) -> str:
    """Return a value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(SURROGATE.sub("?", value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return str(value)


def _key(key: str) -> str:
    return key if PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def environment_text(draft: Draft, environment: str) -> str:
    """Return an environment's file."""
    lines = [_setting(one) for one in draft.settings if environment in one.environments]
    return ENVIRONMENT.format(name=environment.capitalize()) + "".join(dict.fromkeys(lines))


def _setting(setting: Setting) -> str:
    if not KEY.fullmatch(setting.key):  # a name of the repository's must never become more than one line
        raise ValueError(f"{setting.key!r} is no key of an environment's file")
    value = setting.value
    if re.search(r"[\s#'\"$\\]", value):
        quote = "'" if "'" not in value else '"'
        escaped = value.replace("\\", "\\\\").replace(quote, "\\" + quote)
        value = f"{quote}{escaped}{quote}"
    line = f"{setting.key}={CONTROL.sub('', value)}"
    return f"# {_comment(setting.because)}{': fill in, or leave out' * setting.off}\n{'# ' * setting.off}{line}\n"


def approvers_text(author: str, email: str) -> str:
    """Return approvers.toml with the author of the newest commit; without one it names nobody."""
    if not author or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        return APPROVERS + "# git names no author here.\n"
    lines: list[tuple[str, Value]] = [("name", author[:60].strip()), ("emails", (email,))]
    lines.append(("environments", ("staging", "production")))
    body = "".join(f"{key} = {toml_value(value)}\n" for key, value in lines)
    return f"{APPROVERS}\n[[approver]]  # the author of the newest commit\n{body}"


def files(draft: Draft, author: str, email: str) -> dict[str, str]:
    """Return the files of config/ by name."""
    return {
        "pipeline.toml": pipeline_text(draft),
        **{f"{name}.env": environment_text(draft, name) for name in ALL},
        "approvers.toml": approvers_text(author, email),
    }
