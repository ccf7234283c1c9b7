"""Lines of the environment files: what the app needs to be told, which gates count where, and the ports."""

import re
from collections.abc import Collection, Mapping, Sequence

from gates.adopt.containers import DEFAULT_RUNTIME
from gates.adopt.database import SQLITE, Database
from gates.adopt.draft import ALL, Draft, Setting
from gates.adopt.needs import GIVEN
from gates.adopt.needs import NAME as VARIABLE
from gates.adopt.needs import Need
from gates.adopt.processes import Kamal
from gates.scans.secret_names import looks_secret

# Random is right for these: nobody else must know the same.
OWN_SECRET = re.compile(
    r"(?:^|_)(?:SECRET_KEY|SECRET|SIGNING_KEY|ENCRYPTION_KEY|JWT_\w*|SESSION_\w*|SALT|COOKIE_\w*|CSRF_\w*"
    r"|FIRST_\w*PASSWORD)(?:_KEY)?$"
)
PLACEHOLDER = re.compile(r"^$|<[^>]*>|change|your|xxx|example|todo|secret|password|\.\.\.|\$\{|^\*+$", re.IGNORECASE)
NAMES_ENVIRONMENT = re.compile(r"(?:[A-Z]+_)?(?:ENV|ENVIRONMENT|APP_ENV|STAGE)")
MOST = 60
SHOWN = 12
SCANS = (
    "compatibility",
    "dependency",
    "code",
    "container",
    "secrets",
    "sast",
    "licence",
    "policy",
    "provenance",
    "sbom",
)
AT_ONCE = ("secrets",)
PORTS = {"development": 8000, "staging": 8001, "production": 8080}
# Settings of each environment that differ from their default, with why.
KEYS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "development": (
        ("STRATEGY", "direct", "stops the old version, then starts the new one"),
        ("APPROVAL", "none", "nobody is asked"),
        ("BAKE_SECONDS", "0", "promoted as soon as it is healthy"),
        ("BAKE_MAX_SECONDS", "20", "a default of adopt"),
        ("MIN_REQUESTS", "5", "Slipway's own probes are enough"),
        ("DRAIN_SECONDS", "5", "a default of adopt"),
        ("ROLLBACK_WINDOW_SECONDS", "0", "the old version is not kept warm"),
        ("MAX_DOWNTIME_SECONDS", "60", "`direct` has a moment in which nothing serves"),
        ("ALLOWED_BRANCHES", "*", "any branch"),
    ),
    "staging": (
        ("STRATEGY", "direct", "stops the old version, then starts the new one"),
        ("APPROVAL", "required", "a person of approvers.toml is asked"),
        ("BAKE_SECONDS", "5", "a default of adopt"),
        ("BAKE_MAX_SECONDS", "60", "a default of adopt"),
        ("MIN_REQUESTS", "10", "a default of adopt"),
        ("ROLLBACK_WINDOW_SECONDS", "0", "the old version is not kept warm"),
        ("MAX_DOWNTIME_SECONDS", "60", "`direct` has a moment in which nothing serves"),
    ),
    "production": (
        ("STRATEGY", "blue-green", "switches without losing a request"),
        ("APPROVAL", "required", "a person of approvers.toml is asked"),
        ("REQUIRES_PROMOTION_IN", "staging", "what staging promoted, and nothing else"),
        ("WATCH", "full", "every health path is probed"),
    ),
}
ONE_WRITER = (
    ("STRATEGY", "direct", "two versions must not write to one SQLite file"),
    ("MAX_DOWNTIME_SECONDS", "60", "`direct` has a moment in which nothing serves"),
)


def propose_environments(
    runtime: str,
    because: str,
    automatic: Sequence[str],
    suites: Sequence[str],
    tools: Sequence[str],
    database: Database,
    draft: Draft,
) -> None:
    """Propose the settings of Slipway itself. `automatic` are the tools that the project's own automation runs."""
    for environment in ALL:
        here = (environment,)
        draft.settings.append(Setting("PORT", str(PORTS[environment]), "a default of adopt", here))
        keys = {key: (value, why) for key, value, why in KEYS[environment]}
        if runtime == DEFAULT_RUNTIME and database.kind == SQLITE:
            keys |= {key: (value, why) for key, value, why in ONE_WRITER}
        draft.settings += [Setting(key, value, why, here) for key, (value, why) in keys.items()]
        required = [*automatic, *suites, *AT_ONCE] if environment == "development" else [*tools, *suites, *SCANS]
        why = (
            "suites, and the tools that the project's own automation runs"
            if environment == "development"
            else "everything; make ci shows what is red today"
        )
        draft.settings.append(Setting("REQUIRED_GATES", ",".join(dict.fromkeys(required)), why, here))
    if runtime != DEFAULT_RUNTIME:
        draft.settings.append(Setting("RUNTIME", runtime, because))


def propose_needs(
    needs: Mapping[str, Need], examples: Mapping[str, Need], kamal: Kamal, taken: Collection[str], draft: Draft
) -> None:
    """Propose an APP_ or SECRET_ line for each variable that the app must be told; others stand as comments."""
    found = dict(needs)
    for name, need in examples.items():
        known = found.get(name)
        found[name] = (
            need if known is None else Need(name, known.because, known.required, known.default or need.default)
        )
    for name in (*kamal.secret, *kamal.clear):
        if VARIABLE.fullmatch(name):
            found[name] = Need(name, kamal.file, True, kamal.clear.get(name, ""))
        else:
            draft.note(f"{kamal.file}: a variable is left out: {name!r} is no plain name")
    wanted = [need for need in found.values() if need.name not in taken and need.name not in GIVEN]
    wanted.sort(key=lambda need: (not need.required, need.name not in examples))
    secrets = {*kamal.secret}
    for need in wanted[:MOST]:
        if need.required or need.name in examples:
            _propose(need, need.name in secrets or looks_secret(need.name, need.default or "x"), draft)
    if beyond := [need.name for need in wanted[MOST:] if need.required]:
        what = f"the app needs more than {MOST} variables; not listed: {_shown(beyond)}"
        draft.block(what, "set them in each environment file", wanted[MOST].because)
    left_out = [
        need.name for at, need in enumerate(wanted) if not need.required and (at >= MOST or need.name not in examples)
    ]
    if left_out:
        draft.note(f"read with a default or under a condition, and not listed: {_shown(left_out)}")


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _propose(need: Need, secret: bool, draft: Draft) -> None:
    if NAMES_ENVIRONMENT.fullmatch(need.name) and not secret and not need.default:
        for environment in ALL:
            draft.settings.append(
                Setting(f"APP_{need.name}", environment, need.because, (environment,), not need.required)
            )
        return
    if secret and OWN_SECRET.search(need.name):
        draft.settings.append(Setting(f"SECRET_{need.name}", "generated", need.because, off=not need.required))
    elif secret:
        _from_file(need, draft)
    else:
        _plain(need, draft)


def _from_file(need: Need, draft: Draft) -> None:
    value = f"file:/etc/slipway/{need.name.lower()}"
    draft.settings.append(Setting(f"SECRET_{need.name}", value, need.because, off=not need.required))
    if need.required:
        cure = f"write it to the file that SECRET_{need.name} names, or change the line"
        draft.block(f"the app needs {need.name}", cure, need.because)


def _plain(need: Need, draft: Draft) -> None:
    value = need.default or ""
    told = bool(value) and not PLACEHOLDER.search(value) and value.isprintable() and "'" not in value
    if told:
        draft.settings.append(Setting(f"APP_{need.name}", value, need.because, off=not need.required))
        return
    if not need.required:
        draft.settings.append(Setting(f"APP_{need.name}", "", need.because, off=True))
        return
    answer, why = draft.ask(
        f"APP_{need.name}", f"the value of {need.name}", "", f"{need.because} reads it and has no default"
    )
    if looks_secret(need.name, answer):  # an address with a password: everybody who reads the file would have it
        _from_file(need, draft)
        return
    draft.settings.append(Setting(f"APP_{need.name}", answer, f"{need.because}; {why}", off=not answer))
    if not answer:
        draft.block(f"the app needs {need.name}", f"set APP_{need.name} in each environment file", need.because)
