"""References to secrets in an environment's file: a value says where a secret is, and never what it is."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from host.errors import ConfigError

REFERENCE = re.compile(r"generated|file:.+|env:[A-Za-z_][A-Za-z0-9_]*|template:.+")
TEMPLATE_NAME = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
ANY_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Keys of their own, which are no SECRET_ settings: nobody but the server's administrator makes what they name.
URLS = ("DATABASE_URL", "REDIS_URL")
CURE = (
    "make the password a secret of its own, SECRET_DATABASE_PASSWORD=file:PATH, and name that in its place: "
    "{key}=template:TEXT with {{DATABASE_PASSWORD}} in the text"
)
SHOWN = "(not shown)"


def checked_reference(source: str, key: str, value: str) -> str:
    """Return a value that is a reference. Raises ConfigError, which never repeats the value: it may be the secret."""
    made = "" if key in URLS else "generated, "
    if holds_password(value.removeprefix("template:")):
        raise ConfigError(f"{source}: {key}: got an address with a password in it {SHOWN}; {CURE.format(key=key)}")
    if not REFERENCE.fullmatch(value) or value == "generated" and not made:
        raise ConfigError(
            f"{source}: {key}: expected {made}file:PATH, env:NAME or template:TEXT, got something else {SHOWN}"
        )
    return value


def check_plain(source: str, key: str, value: str) -> None:
    """Raise ConfigError for an APP_ setting with a password in its address: everybody who reads the file has it."""
    if holds_password(value):
        secret = f"SECRET_{key.removeprefix('APP_')}"
        raise ConfigError(f"{source}: {key}: got an address with a password in it {SHOWN}; {CURE.format(key=secret)}")


def check_templates(sources: Mapping[str, str], references: Mapping[str, str]) -> None:
    """Raise ConfigError for a template that names what is no secret of the file, or is itself one of a template.

    `references` are all of the file by key, `sources` say where each stands.
    """
    for key, reference in references.items():
        if not reference.startswith("template:"):
            continue
        for name in ANY_NAME.findall(reference):
            named = references.get(f"SECRET_{name}", "")
            if not TEMPLATE_NAME.fullmatch(f"{{{name}}}") or not named or named.startswith("template:"):
                raise ConfigError(
                    f"{sources[key]}: {key}: its template names {{{name}}}; "
                    f"set SECRET_{name.upper()} to generated, file:PATH or env:NAME"
                    + (f", and name it {{{name.upper()}}}" if name != name.upper() else "")
                )


def holds_password(value: str) -> bool:
    """Return whether a text is an address with a password that is written out; a template's names are none."""
    try:
        return "://" in value and bool(urlsplit(ANY_NAME.sub("", value.strip())).password)
    except ValueError:
        return False
