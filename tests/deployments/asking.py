"""Requests all the time, while something is changed, and how many of them got no good answer."""

import ssl
import threading
from collections.abc import Callable

import httpx

from tests.waiting import wait_for


class Asking:
    """Asks all the time, on fresh connections and on kept ones, and counts what was not answered well."""

    def __init__(self, url: str, trusted: ssl.SSLContext | None = None, server_name: str = "") -> None:
        self.url, self.asked, self.lost = url, 0, 0
        self.errors: list[str] = []
        self._options = {"verify": trusted or False, "trust_env": False, "timeout": 10.0}
        self._extensions = {"sni_hostname": server_name} if server_name else {}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in (self._fresh, self._kept())]

    def _fresh(self) -> int:
        with httpx.Client(**self._options) as client:  # type: ignore[arg-type]
            return client.get(self.url, extensions=self._extensions).status_code

    def _kept(self) -> Callable[[], int]:
        client = httpx.Client(**self._options)  # type: ignore[arg-type]
        return lambda: client.get(self.url, extensions=self._extensions).status_code

    def _run(self, ask: Callable[[], int]) -> None:
        while not self._stop.wait(0.005):
            self.asked += 1
            try:
                if (status := ask()) != 200:
                    self.lost += 1
                    self.errors.append(str(status))
            except httpx.HTTPError as error:
                self.lost += 1
                self.errors.append(repr(error))

    def more(self, count: int = 10) -> None:
        """Wait until so many more were asked: on a busy machine a change can be faster than a request."""
        until = self.asked + count
        wait_for(lambda: self.asked >= until, f"{count} more requests to {self.url}")

    def __enter__(self) -> "Asking":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
