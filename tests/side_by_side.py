"""How `make test` shares the tests out among its processes: by file, and what needs the one installation together."""

from typing import Any

from xdist.scheduler import LoadFileScheduling

# These use the installation that `conftest.py` makes once, or break things that others must not see broken.
TOGETHER = ("tests/e2e/", "tests/chaos/")
INSTALLATION = "installation"
# The share of the pieces that is given out before that one. It is the longest by far and mostly waits: given out last,
# one process would do it alone while the others have nothing left.
BEFORE = 1 / 3


class FilesSideBySide(LoadFileScheduling):
    """One file is one piece of work; those of TOGETHER are one piece, which starts after a third of the others."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.most = 0

    def _split_scope(self, nodeid: str) -> str:
        return INSTALLATION if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        self.most = max(self.most, len(self.workqueue))
        if INSTALLATION in self.workqueue and len(self.workqueue) <= (1 - BEFORE) * self.most:
            self.workqueue.move_to_end(INSTALLATION, last=False)
        super()._assign_work_unit(node)
