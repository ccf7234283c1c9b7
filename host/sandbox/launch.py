"""Start the launcher: `python -I -S launch.py SPEC -- program argument...`.

A file of its own, since Python compiles what it is given anew each time, and keeps what is imported.
"""

import os
import sys

# Started by its path it knows nothing of ours. Last in line: nothing of ours stands in for a part of the library.
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
from host.sandbox.launcher import main  # noqa: E402

if __name__ == "__main__":
    main(sys.argv[1:])
