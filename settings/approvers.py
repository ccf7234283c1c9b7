"""Reader of `config/approvers.toml`: who may approve what."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gates.release.approval import Approver
from host.errors import ConfigError
from host.home import CHECKOUT
from settings.targets import Target
from settings.toml_files import checked, read_toml

# An address with a slip in it never equals an author's, and who wrote a commit could then approve it.
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
# One line of OpenSSH's format, so that it cannot bring a second line or options into the list of who may sign.
SshKey = Annotated[
    str,
    Field(
        pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa|"
        r"sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) "
        r"[A-Za-z0-9+/]{40,}={0,2}( [^\x00-\x1f\x7f]{0,200})?$"
    ),
]


class Person(BaseModel):
    """A person who may approve."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=60)
    """Name as typed in the form. Unique."""
    emails: tuple[Email, ...] = Field(min_length=1)
    """E-mail addresses. They identify the person as an author of commits."""
    environments: tuple[Target, ...]
    """Environments for which the person may approve."""
    ssh_keys: tuple[SshKey, ...] = ()
    """Public SSH keys. Their signatures prove a waiver and a baseline."""

    slack: Annotated[str, Field(pattern="^([UW][A-Z0-9]{2,20})?$")] = ""
    """Member id of the person in Slack."""


class Approvers(BaseModel):
    """The whole file, checked."""

    model_config = ConfigDict(extra="forbid")

    approver: tuple[Person, ...] = ()


def read_approvers(file: Path = CHECKOUT / "config" / "approvers.toml") -> list[Approver]:
    """Read and check the file. Raises ConfigError, which names the file and the key; two people of one name are
    refused.
    """
    if not file.exists():
        raise ConfigError(f"{file}: no such file; it names who may approve a release")
    people = checked(Approvers, read_toml(file), file).approver
    names = [person.name for person in people]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{file}: approver.name: {sorted(twice)[0]!r} stands there twice")
    keys = [" ".join(key.split()[:2]) for person in people for key in person.ssh_keys]
    if shared := {key for key in keys if keys.count(key) > 1}:
        raise ConfigError(f"{file}: approver.ssh_keys: {sorted(shared)[0][:40]}... stands there twice")

    slacks = [person.slack for person in people if person.slack]
    if twice := {one for one in slacks if slacks.count(one) > 1}:
        raise ConfigError(f"{file}: approver.slack: {sorted(twice)[0]!r} stands there twice")
    return [
        Approver(
            person.name,
            person.emails,
            tuple(target.value for target in person.environments),
            ssh_keys=person.ssh_keys,
            slack=person.slack,
        )
        for person in people
    ]
