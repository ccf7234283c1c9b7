"""certbot's manual hooks: one answers an ACME authority on the port of plain HTTP, the other ends that.

`python -m deployments.router.answer_challenge present|cleanup DIRECTORY SOCKETS UID PORT`; certbot sets the variables
CERTBOT_TOKEN and CERTBOT_VALIDATION. Exits 1 with the reason.
"""

import os
import sys
from pathlib import Path

from deployments.router.bootstrap import Edge
from deployments.router.router import Envoy
from host.errors import SlipwayError


def main() -> int:
    """Answer, or end it."""
    what, directory, sockets, uid, port = sys.argv[1:]
    router = Envoy(Path(directory), Path(sockets), Edge(int(port)), uid=int(uid))
    try:
        router.answer(os.environ["CERTBOT_TOKEN"], os.environ["CERTBOT_VALIDATION"] if what == "present" else None)
    except (SlipwayError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
