"""`slipway setup`: make the state that a fresh checkout needs beyond its Python environment."""

from pathlib import Path

from cli.screen import say
from control.plane import Control
from control.secret_references import create_webhook_secrets
from evidence.signing import Keys
from host.errors import ConfigError
from host.files import write_atomically
from host.home import Home

OURS = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")


def setup() -> None:
    """Make the state directory, the signing key, and the credential for `prefect` commands in this folder."""
    home = Home.find()
    prepare(home)
    say(f"state in {home.root}; signing key and API credential are there; {home.env_file} lets `prefect` work here")


def prepare(home: Home) -> None:
    """Make them without output. Safe to repeat: keys are kept."""
    home.create()
    Keys(home.keys).create()
    control = Control(home)
    control.create_auth()
    create_webhook_secrets(home)
    write_env(home.env_file, {name: control.client_environment()[name] for name in OURS})


def write_env(file: Path, values: dict[str, str]) -> None:
    """Set Slipway's lines in a .env (0600); keep all other lines."""
    try:
        before = file.read_bytes() if file.exists() else b""
        lines = before.decode().removesuffix("\n").split("\n") if before else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}; mend it or move it away, then: make setup") from error
    kept = [line for line in lines if _name(line) not in values]
    text = "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"
    if before != text.encode():
        write_atomically(file, text.encode())
    file.chmod(0o600)


def _name(line: str) -> str:
    return line.split("=", 1)[0].strip().removeprefix("export ").strip()
