"""A compose file for a person to read: values that look like secrets are not shown."""

import re
from collections.abc import Mapping
from typing import Any

from gates.scans.secret_names import looks_secret
from host.masking import SECRET_NAME, SHORTEST_SECRET, masked, secret_values

MASK = "***"
_MORE_NAMES = re.compile(
    r"(^|_)(PASS|PWD|KEY|KEYS|SALT|PEPPER|COOKIE|SIGNATURE|DSN|JWT|HMAC|PIN)(_|$)|PASSPHRASE|ENCRYPTION", re.IGNORECASE
)
# Names that say where a secret is, or what kind it is.
_ABOUT_IT = "FILE|PATH|DIR|NAME|TTL|SECONDS|MINUTES|LENGTH|HEADER|ENABLED|ALGORITHM|TYPE|METHOD|MODE"
_ABOUT = re.compile(rf"_({_ABOUT_IT})$", re.IGNORECASE)
_PLAIN = re.compile(r"|true|false|yes|no|on|off|none|null|[0-9]{1,3}|(\$\{\w+\})+", re.IGNORECASE)
_OPTION = re.compile(
    r"--?[\w-]*(pass(word|wd|phrase)?|secret|token|(api|access|private|secret)[_-]?key|credentials?|requirepass"
    r"|masterauth)",
    re.IGNORECASE,
)
# A reference to a secret, or to a variable of the container.
_NOT_OURS = r"(?!\$\{\w+\}|\*\*\*|\$\$\{?[A-Z_][A-Z0-9_]*\}?(?:[\s\"']|\Z))"
_WORD = rf"{_NOT_OURS}[^\s\"',;]+"


def _option(programs: str, option: str) -> re.Pattern[str]:
    """Return what finds the value behind a program's option, within one command."""
    return re.compile(rf"(\b(?:{programs})\b[^|;&\n]{{0,400}}?\s{option}[\"']?+){_WORD}")


# Each keeps its first group. Where a word must follow, a reference to a secret (${NAME}) stays.
_WORDS = (
    re.compile(rf"(://[^/\s:@]*:){_NOT_OURS}[^/\s@]+(?=@)"),
    re.compile(
        r"((?:pass(?:word|wd|phrase)?|secret|token|(?:api|access|private)[_-]?key|credentials?|requirepass|masterauth)"
        rf"(?![\w-]{{0,60}}[_-](?:{_ABOUT_IT})\b)[\w-]{{0,60}}[\"']?(?>\s*[=:]\s*|\s+(?!-))[\"']?+){_WORD}",
        re.IGNORECASE,
    ),
    re.compile(rf"((?:bearer|basic)\s+(?!-)){_NOT_OURS}[\w.~+/=-]{{6,}}", re.IGNORECASE),
    re.compile(rf"(authorization[\"']?\s*:\s*(?!bearer|basic)){_WORD}", re.IGNORECASE),
    re.compile(
        rf"((?<![\w-])--[\w-]{{0,60}}auth(?!or)(?![\w-]{{0,60}}[_-](?:{_ABOUT_IT})\b)[\w-]{{0,60}}[\s=]+[\"']?+"
        r"(?:[^\s:\"']{0,200}:)?"
        rf"(?!(?:true|false|none|on|off|basic|-)))(?<=[\s=\"':]){_WORD}",
        re.IGNORECASE,
    ),
    _option("(?:redis|valkey|keydb)-cli", r"-a\s+"),
    _option(r"(?:mysql|mariadb)[\w-]{0,20}", "-p"),
    _option(r"mongo\w{0,20}|sshpass", r"-p\s*"),
    _option(r"ldap\w{1,20}", r"-w\s*"),
    _option("sqlcmd", r"-P\s*"),
    _option("curl|wget|https?|xh", r"(?:-u|-U|--user|--proxy-user)[\s=]*[\"']?+[^\s:\"']{0,200}:"),
    re.compile(
        r"(https://(?:hooks\.slack\.com/\w+|(?:\w{1,20}\.)?discord(?:app)?\.com/api/webhooks|api\.telegram\.org"
        rf"|[\w-]{{1,60}}\.webhook\.office\.com)/){_WORD}",
        re.IGNORECASE,
    ),
    re.compile(r"(:)\$\$(?:apr1|2[abxy]|[156])\$\$[^\s,\"']+"),
    re.compile(
        r"()(?:(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
        r"|[sr]k[-_](?:live|test|proj)?[-_]?\w{16,}|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    ),
    re.compile(r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
)
_COMMANDS = ("command", "entrypoint", "test")
_BETWEEN = "\x1f"  # white space that no word of a command has
_RANDOM = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9+/=_-]{32,}")


def without_secrets(file: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file in which *** stands for each value that looks like a secret. A reference (${NAME}) is none."""
    known = []
    for service in (file.get("services") or {}).values():
        for key, value in _told(service).items():
            # Of an address the password alone is one.
            known += secret_values({"": value}) if "://" in value else [value] * _is_secret(key, value)
    wanted = {one for one in known if len(one) >= SHORTEST_SECRET and not _PLAIN.fullmatch(one)}
    longest_first = sorted(wanted, key=len, reverse=True)
    return {key: _shown(value, (key,), longest_first) for key, value in file.items()}


def _told(service: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (service.get("environment") or {}).items() if value is not None}


def _is_secret(name: str, value: str) -> bool:
    if _PLAIN.fullmatch(value) or _ABOUT.search(name):
        return False
    named = SECRET_NAME.search(name) or _MORE_NAMES.search(name) or looks_secret(name, value)
    return bool(named or _RANDOM.fullmatch(value))


def _shown(value: Any, path: tuple[str, ...], known: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown(one, (*path, str(key)), known) for key, one in value.items()}
    if isinstance(value, list) and path[-1] in _COMMANDS and all(isinstance(one, str) for one in value):
        return _command(value, known)
    if isinstance(value, list):
        return [_shown(one, (*path, str(index)), known) for index, one in enumerate(value)]
    told = len(path) == 4 and path[2] == "environment" and value is not None
    if told and "://" not in str(value) and _is_secret(path[3], str(value)):
        return MASK
    return _words(value, known) if isinstance(value, str) and path[-1] not in ("image", "source", "target") else value


def _command(words: list[str], known: list[str]) -> list[str]:
    """Return a command's words: the value of an option may be a word of its own."""
    whole = [MASK if _follows_option(words, index) else word for index, word in enumerate(words)]
    if any(_BETWEEN in word for word in whole):
        return [_words(word, known) for word in whole]
    return _words(_BETWEEN.join(whole), known).split(_BETWEEN)


def _follows_option(words: list[str], index: int) -> bool:
    """Say whether a word of a command line is the value of an option that takes a secret."""
    before = words[index - 1] if index else None
    return before is not None and bool(_OPTION.fullmatch(before)) and not _PLAIN.fullmatch(words[index])


def _words(text: str, known: list[str]) -> str:
    text = masked(text, known)
    for pattern in (*_WORDS, *_WORDS):  # a command may have an option twice
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text
