"""Prefect's own web page in a real browser, used as a person uses it: read, click, type."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

# A headless Chromium that talks to nobody but the address it is given, and needs neither GPU nor a sandbox of its own.
ARGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PATIENCE_MS = 300_000
WINDOW = {"width": 1400, "height": 1000}
CODE = re.compile(r"\b[0-9a-f]{4}-[0-9a-f]{4}\b")


def chromium() -> str:
    """Return the path of Chromium. Without one the test is skipped, in CI (the variable CI is "true") it fails."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found:
        return found
    reason = "no chromium on PATH; install it (Debian: apt-get install chromium)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class PrefectUi:
    """One browser window. Pictures are kept in the directory that SLIPWAY_SCREENSHOTS names, if it is set."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def log_in(self, auth: str) -> None:
        """Open the page; it asks for the shared credential."""
        self.page.goto(f"{self.url}/runs")
        self.page.locator("input[type=password]").fill(auth)
        self.page.get_by_role("button", name="Login").click()
        self.page.wait_for_url("**/runs")

    def open_run(self, run: str) -> None:
        """Look at a run."""
        self.page.goto(f"{self.url}/runs/flow-run/{run}")

    def open_runs(self) -> None:
        """Look at the list of runs."""
        self.page.goto(f"{self.url}/runs")
        expect(self.page.get_by_text("Items per page")).to_be_visible()

    def expect_state(self, name: str) -> None:
        """Wait until the open run shows this state."""
        expect(self.page.locator(".state-badge").first).to_contain_text(name, timeout=2 * PATIENCE_MS)

    def open_artifact(self, title: str) -> str:
        """Open one of the run's pages by its title; return its text."""
        self.page.get_by_text("Artifacts", exact=True).last.click()
        self.page.locator("a[href*='/artifacts/artifact/']", has_text=title).first.click()
        shown = self.page.locator(".markdown-renderer").filter(has=self.page.get_by_role("heading")).first
        expect(shown).to_be_visible()
        return shown.inner_text()

    def resume(self) -> "Dialog":
        """Press Resume."""
        self.page.get_by_role("button", name="Resume", exact=True).click()
        dialog = self.page.locator(".p-modal")
        # Until the form is loaded the dialog only asks "Do you want to resume this flow run?". The question, with
        # the code in it, may be shown after the fields.
        expect(dialog.locator(".schema-form-property").last).to_be_visible()
        expect(dialog).to_contain_text(CODE)
        return Dialog(self.page, dialog)

    def picture(self, name: str) -> None:
        """Keep what the window shows, if anybody wants it."""
        directory = os.environ.get("SLIPWAY_SCREENSHOTS")
        if directory:
            self.page.wait_for_timeout(3000)  # what moves on the page has come to rest
            self.page.screenshot(path=Path(directory) / f"{name}.png")  # makes the directory


class Dialog:
    """The form that Resume opens."""

    def __init__(self, page: Page, box: Locator) -> None:
        self.page = page
        self.box = box

    @property
    def text(self) -> str:
        return self.box.inner_text()

    @property
    def code(self) -> str:
        """Return the code, read off the page."""
        found = CODE.search(self.text)
        assert found, self.text
        return found[0]

    def answer(self, decision: str, approver: str, code: str, comment: str = "") -> None:
        """Fill in every field and submit."""
        self.fill(decision, approver, code, comment)
        self.box.get_by_role("button", name="Submit").click()
        expect(self.box).to_be_hidden()

    def fill(self, decision: str, approver: str, code: str, comment: str = "") -> None:
        """Fill in every field."""
        select = self.box.locator(".p-select-button__control")
        select.focus()
        select.press("ArrowDown")
        self.page.locator(".p-select-option", has_text=decision).click()
        for label, value in (("Approver", approver), ("Code", code), ("Comment", comment)):
            name = re.compile(f"^{label}")
            field = self.box.locator(".schema-form-property").filter(
                has=self.page.locator(".schema-form-property__label", has_text=name)
            )
            field.locator("textarea, input").fill(value)


@contextmanager
def browser_window(executable: str, url: str, auth: str) -> Iterator[PrefectUi]:
    """Open a window, logged in, while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGS)
        try:
            page = browser.new_page(viewport={"width": WINDOW["width"], "height": WINDOW["height"]})
            page.set_default_timeout(PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)  # without it 5 s, which a busy host misses
            ui = PrefectUi(page, url)
            ui.log_in(auth)
            yield ui
        finally:
            browser.close()
