"""`slipway setup`: what a fresh checkout needs beyond its Python environment."""

from pathlib import Path

from cli.screen import say
from deployments.control import Control
from deployments.home import CHECKOUT, Home
from evidence.signing import Keys
from evidence.store import write_atomically

OURS = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING")


def setup() -> None:
    """Make the state directory, the signing key, and the credential with which `prefect` commands work in this
    folder.
    """
    home = Home.find()
    prepare(home)
    say(f"state in {home.root}; signing key and API credential are there; {env_file(home)} lets `prefect` work here")


def prepare(home: Home) -> None:
    """Do it, quietly. Safe to repeat: keys are kept."""
    home.create()
    Keys(home.keys).create()
    control = Control(home)
    control.create_auth()
    write_env(env_file(home), {name: control.client_environment()[name] for name in OURS})


def env_file(home: Home) -> Path:
    """Return the .env that belongs to a home: the checkout's for the usual one, else one inside it."""
    return CHECKOUT / ".env" if home.root == CHECKOUT / ".slipway" else home.root / ".env"


def write_env(file: Path, values: dict[str, str]) -> None:
    """Set our lines in a .env (0600) and leave a person's own lines alone."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    kept = [line for line in lines if line.split("=", 1)[0].strip() not in values]
    text = "\n".join([*kept, *(f"{name}={value}" for name, value in values.items())]) + "\n"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        write_atomically(file, text.encode())
