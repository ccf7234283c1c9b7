"""Fetch one source distribution with pip's own finder, which heeds what this host says of indexes, and run nothing of
it: `pip download` would build it to read its metadata. Started in the sandbox by host/sdists/fetched.py, with

    OUT LARGEST-BYTES NAME VERSION SHA256...

It leaves one file in OUT, which is of one of the hashes, or ends with one of the codes below and says why.
"""

import hashlib
import os
import re
import sys
from optparse import Values

from pip._internal.commands.download import DownloadCommand
from pip._internal.models.link import Link
from pip._internal.network.session import PipSession
from pip._internal.network.utils import HEADERS, raise_for_status, response_chunks
from pip._vendor.packaging.version import Version

NONE, OTHERS, TOO_LARGE = 10, 11, 12  # how it ends when there is no such file
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,199}")
CHUNK_BYTES = 1_000_000


class Fetch(DownloadCommand):
    """`pip download` up to where it has found the files."""

    def run(self, options: Values, args: list[str]) -> int:
        """Fetch the file and return how that ended."""
        out, largest, name, version, *hashes = args
        session = self.get_default_session(options)
        finder = self._build_package_finder(options, session, ignore_requires_python=True)
        found = [one.link for one in finder.find_all_candidates(name) if one.version == Version(version)]
        links = [link for link in found if not link.is_wheel and FILE_NAME.fullmatch(link.filename)]
        if not links:
            print(f"the index has no source distribution of {name} {version}")
            return NONE
        # Of a link without a hash only its content can tell.
        wanted = [link for link in links if link.hash_name != "sha256" or link.hash in hashes]
        for link in wanted:
            code = _fetch(session, link, os.path.join(out, link.filename), int(largest), hashes)
            if code != OTHERS:
                return code
        print(f"the index has {', '.join(link.filename for link in links[:5])}, none of the hashes in the lock")
        return OTHERS


def _fetch(session: PipSession, link: Link, file: str, largest: int, hashes: list[str]) -> int:
    response = session.get(link.url_without_fragment, headers=HEADERS, stream=True)
    raise_for_status(response)
    digest, left = hashlib.sha256(), largest
    with open(file, "xb") as sink:
        for chunk in response_chunks(response, CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            sink.write(chunk)
    if left >= 0 and digest.hexdigest() in hashes:
        return 0
    os.unlink(file)
    if left >= 0:
        return OTHERS
    print(f"{link.filename} is larger than {largest // 1_000_000} MB")
    return TOO_LARGE


if __name__ == "__main__":
    command = Fetch("download", "")
    sys.exit(command.main(["--no-binary", sys.argv[3], "--no-cache-dir", "-q", "--", *sys.argv[1:]]))
