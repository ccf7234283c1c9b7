"""Real git repositories whose commits are signed with real SSH keys."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Repository:
    """A git repository in `path`, and a folder beside it for keys."""

    path: Path

    @classmethod
    def create(cls, path: Path) -> "Repository":
        path.mkdir(parents=True)
        made = cls(path)
        made.git("init", "-q", "-b", "main")
        return made

    def git(self, *argv: str, date: str = "2026-02-20T12:00:00+00:00") -> str:
        who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com"}
        who |= {"GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com"}
        who |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_GLOBAL": os.devnull}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *argv],
            cwd=self.path,
            env={**clean, **who},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: dict[str, str], key: Path | None = None, date: str = "2026-02-20T12:00:00+00:00") -> str:
        """Write files and commit them, signed when a key is given; return the commit."""
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "-A")
        return self.record(key, date)

    def record(self, key: Path | None = None, date: str = "2026-02-20T12:00:00+00:00") -> str:
        signed = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"] if key else []
        self.git(*signed, "commit", "-q", "--allow-empty", *(["-S"] if key else []), "-m", "change", date=date)
        return self.git("rev-parse", "HEAD")


def ssh_key(folder: Path, name: str, kind: str = "ed25519") -> tuple[Path, str]:
    """Make a key pair; return the private key's file and the public key's line."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"{name} laptop", "-f", str(file)], check=True, timeout=600
    )
    return file, file.with_suffix(".pub").read_text().strip()
