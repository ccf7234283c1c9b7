"""A file of SQLite that an app writes: its size, and the program that copies it whole while it is written.

The file is the app's, so it is opened in the app's own sandbox only.
"""

from pathlib import Path

MAGIC = b"SQLite format 3\0"
# python -c COPY FILE COPY_OF_IT. The pragma makes an empty database a file, too.
COPY = """\
import sqlite3, sys
source, copy = sqlite3.connect(sys.argv[1], timeout=30), sqlite3.connect(sys.argv[2])
source.backup(copy)
copy.execute("PRAGMA user_version = %d" % copy.execute("PRAGMA user_version").fetchone()[0])
copy.commit()
copy.close()
"""


def size_bytes(file: Path) -> int:
    """Return how big the database is, with what is not written back yet; 0 where there is none. No link is followed."""
    size = 0
    for one in (file, file.with_name(f"{file.name}-wal")):
        try:
            size += one.lstat().st_size
        except FileNotFoundError:
            continue
    return size
