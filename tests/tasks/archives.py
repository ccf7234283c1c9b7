"""Archives of commits, made of a few files without git."""

import io
import tarfile
from pathlib import Path

from tests.tasks.scans.commits import Files


def packed(folder: Path, files: Files) -> Path:
    """The archive of a commit with these files."""
    archive = folder / "source.tar"
    with tarfile.open(archive, "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            raw = content if isinstance(content, bytes) else content.encode()
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return archive
