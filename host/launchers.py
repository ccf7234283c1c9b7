"""Our stand-alone programs by the paths that supervisors know them by.

A supervisor compares a program's whole command and restarts what changed, and it starts a slot again from the command
that was written down when the slot was made. So these paths must stay: another one would restart routers and databases
at the next `make upgrade`, and leave slots that cannot start. They are links to the files where the code is.
"""

from host.home import CHECKOUT

PROGRAM = str(CHECKOUT / "deployments" / "supervised.py")
LOCKED = str(CHECKOUT / "deployments" / "locked_exec.py")
SANDBOX = str(CHECKOUT / "deployments" / "sandbox_init.py")
