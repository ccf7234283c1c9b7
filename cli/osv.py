"""`slipway osv`: serve a directory of OSV records as the advisory source, for hosts without the internet."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from host.home import CHECKOUT


def osv(
    directory: Annotated[Path, typer.Argument(help="OSV records, one JSON file each", exists=True, file_okay=False)],
    port: Annotated[int, typer.Option(help="on 127.0.0.1", min=1, max=65535)] = 4270,
) -> None:
    """Serve OSV records on 127.0.0.1 until stopped. Scans use them with SLIPWAY_OSV_URL=http://127.0.0.1:4270."""
    records = str(directory.absolute())
    os.chdir(CHECKOUT)
    os.execv(sys.executable, [sys.executable, "-m", "services.osv", records, str(port)])
