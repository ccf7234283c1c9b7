"""What app code prints, on its way into a run's log: cheap, harmless, and without the secrets that we know."""

import re
import sys
from collections.abc import Iterable

from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from host.masking import masked, whole_before

LONGEST_LINE = 4_000
# PostgreSQL's text holds no NUL, and the rest would act on a terminal.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class LogBlocks:
    """Passes a program's output to the run's log in the blocks that it comes in, whole lines only.

    The unfinished last line waits for its end (up to 4,000 characters), and of a longer one what may be the beginning
    of a secret, so that none is cut in two unseen.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = tuple(secrets)
        self._rest = ""

    def __call__(self, text: str) -> None:
        text = self._rest + text
        whole, newline, self._rest = text.rpartition("\n")
        if len(self._rest) > LONGEST_LINE:
            at = whole_before(text, self.secrets)
            whole, newline, self._rest = text[:at], "\n", text[at:]
        if newline:
            self._tell(whole)

    def close(self) -> None:
        """Pass on what is left."""
        if self._rest:
            self._tell(self._rest)
        self._rest = ""

    def _tell(self, text: str) -> None:
        shown = CONTROL.sub("�", masked(text, self.secrets)).rstrip()
        if not shown:
            return
        try:
            get_run_logger().info("%s", shown)
        except MissingContextError:
            sys.stdout.write(f"{shown}\n")
