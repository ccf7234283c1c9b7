"""Have a port and serve nothing there: `python -I -S keep_port.py HOST PORT`, standard library only.

Bound and not listening, without SO_REUSEADDR: nobody else can bind there, and who connects is refused at once, as if
nobody were there. So people who type "localhost" come to the server on the other loopback address, and to no stranger.
Exits with 75 (EX_TEMPFAIL) and one line if somebody has the port.
"""

import os
import signal
import socket
import sys


def main() -> None:
    """Bind, and wait to be ended."""
    host, port = sys.argv[1:]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as kept:
        try:
            kept.bind((host, int(port)))
        except OSError as error:
            print(f"port {port} of {host} cannot be kept: {error.strerror}", file=sys.stderr)
            sys.exit(os.EX_TEMPFAIL)
        print(f"port {port} of {host} is kept", flush=True)
        while True:
            signal.pause()


if __name__ == "__main__":
    main()
