"""Why a container is not running, in words."""

import signal

from host.docker.containers import Container

RUNNING = ("running", "created")


def ending(container: Container) -> str:
    """Say how a container ended: its exit code, what that means, and whether its memory limit ended it."""
    if container.state == "paused":
        return "is paused"
    code = container.exit_code
    said = f"ended with exit code {code}"
    if container.oom:
        limit = f" of {container.memory_limit // 2**20} MB" if container.memory_limit else ""
        said += f": it used more than its memory limit{limit} and was killed"
    elif code == 126 or code == 127:
        said += ": its command cannot be run"
    elif 128 < code < 128 + signal.NSIG and code - 128 in set(signal.Signals):
        said += f" ({signal.Signals(code - 128).name})"
    return said
