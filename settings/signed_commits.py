"""Reader of a checkout's history: the commit that added something to a file, and the SSH key that signed it."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from host.errors import SourceError
from host.git import NO_USER_SETTINGS, run_git

MOST_COMMITS = 20_000
# A signature of another kind must not be judged by programs and key rings of this host: with these it never verifies.
SSH_ONLY = (
    "gpg.format=ssh",
    "gpg.ssh.program=ssh-keygen",
    "gpg.ssh.revocationFile=",
    "gpg.program=false",
    "gpg.openpgp.program=false",
    "gpg.x509.program=false",
    "gpg.minTrustLevel=undefined",
)
SIGNER = "approver"
ENVIRONMENT = {**NO_USER_SETTINGS, "GIT_NO_REPLACE_OBJECTS": "1"}


@dataclass(frozen=True)
class History:
    """The history of one file of a checkout, from its HEAD back: parents and the file's blob for each commit."""

    checkout: Path
    head: str
    shallow: bool
    parents: Mapping[str, tuple[str, ...]]
    blobs: Mapping[str, str]
    _contents: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, checkout: Path, file: str) -> "History":
        """Read the history. Raises SourceError if the directory is no git checkout or has no commit."""
        top = Path(_git(checkout, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
        if top.resolve() != checkout.resolve():
            raise SourceError(f"{checkout} is not the top of a git checkout")
        rows = _git(checkout, "rev-list", "--parents", f"--max-count={MOST_COMMITS}", "HEAD").decode().splitlines()
        parents = {row.split()[0]: tuple(row.split()[1:]) for row in rows}
        wanted = "".join(f"{commit}:{file}\n" for commit in parents)
        found = _git(checkout, "cat-file", "--batch-check=%(objecttype) %(objectname)", feed=wanted.encode())
        blobs = {
            commit: line.split(" ")[1]
            for commit, line in zip(parents, found.decode(errors="replace").splitlines(), strict=True)
            if line.startswith("blob ")
        }
        shallow = _git(checkout, "rev-parse", "--is-shallow-repository").decode().strip() != "false"
        return cls(checkout, next(iter(parents)), shallow, parents, blobs)

    def content(self, commit: str) -> bytes | None:
        """Return the file as it was in a commit, None if it did not exist."""
        blob = self.blobs.get(commit)
        if blob is None:
            return None
        if blob not in self._contents:
            self._contents[blob] = _git(self.checkout, "cat-file", "blob", blob)
        return self._contents[blob]

    def introduced(self, holds: Callable[[bytes], bool]) -> str:
        """Return the newest commit since which `holds` is true of the file; it must be true at HEAD.

        A merge brings what one of its sides has, unless the other side removed it: then the merge itself put it back.
        Raises SourceError if that commit is older than the commits that were read.
        """
        known: dict[str, bool] = {}

        def true_in(commit: str) -> bool:
            if commit not in self.parents:  # of what was not read nobody knows whether it held there
                raise SourceError(f"it is older than the newest {MOST_COMMITS} commits")
            blob = self.blobs.get(commit, "")
            if blob not in known:
                known[blob] = bool(blob) and holds(self.content(commit) or b"")
            return known[blob]

        commit = self.head
        while True:
            parents = self.parents[commit]
            sides = [parent for parent in parents if true_in(parent)]
            if not sides or (len(sides) < len(parents) and self._was_taken_away(parents, true_in)):
                return commit
            commit = sides[0]

    def _was_taken_away(self, parents: Sequence[str], true_in: Callable[[str], bool]) -> bool:
        bases = _git(self.checkout, "merge-base", "--all", "--octopus", *parents, fails=(1,)).decode().split()
        return any(true_in(base) for base in bases)

    def date(self, commit: str) -> str:
        """Return the committer's time of a commit, ISO 8601."""
        return _git(self.checkout, "show", "-s", "--no-show-signature", "--format=%cI", commit).decode().strip()

    def signed_by(self, commit: str, keys: Sequence[str]) -> str:
        """Return "" if one of the OpenSSH public keys signed the commit; else the problem, up to "... by"."""
        if "\ngpgsig" not in "\n" + _git(self.checkout, "cat-file", "commit", commit).decode(errors="replace"):
            return "carries no signature by"
        with tempfile.TemporaryDirectory(prefix="slipway-signers-") as folder:
            signers = Path(folder, "signers")
            signers.write_text("".join(f'{SIGNER} namespaces="git" {key}\n' for key in keys), encoding="utf-8")
            settings = [word for one in (*SSH_ONLY, f"gpg.ssh.allowedSignersFile={signers}") for word in ("-c", one)]
            done = run_git(*settings, "verify-commit", "--raw", commit, at=self.checkout, env=ENVIRONMENT)
        said = done.stderr.decode(errors="replace")
        good = any(line.startswith(f'Good "git" signature for {SIGNER} with ') for line in said.splitlines())
        if done.returncode == 0 and good:
            return ""
        if "ssh-keygen" in said and ("cannot run" in said or "not found" in said):
            return "cannot be verified (ssh-keygen is not installed) as signed by"
        return "is not signed with a key of"


def _git(checkout: Path, *argv: str, feed: bytes = b"", fails: Sequence[int] = ()) -> bytes:
    done = run_git(*argv, at=checkout, stdin=feed, env=ENVIRONMENT)
    if done.returncode and done.returncode not in fails:
        raise SourceError(f"git {argv[0]} in {checkout}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout
