"""The studio in a real browser: the command in a process, and users with pages of it."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt-get install chromium"),
]

OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--autoplay-policy=no-user-gesture-required",
)
MILLISECONDS = 120_000
"""Patience with a busy machine."""


class Server:
    """The command in a process of its own, and the address that it prints.

    `before`: code that runs before it.
    """

    def __init__(self, folder: Path, *options: str, before: str = ""):
        entry = f"{before}\nfrom cli import main; main()"
        command = [sys.executable, "-c", entry, "studio", str(folder), "--port", "0", *options]
        self.folder = folder
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout
        self.address = self.process.stdout.readline().split()[-1]

    def close(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


class User:
    """A user with a page of the studio, on which nothing fails and nothing leaves the machine."""

    def __init__(self, chromium: Any, address: str, **looks: Any):
        self.page = chromium.new_context(**looks).new_page()
        self.page.set_default_timeout(MILLISECONDS)
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._request)
        self.page.goto(address, wait_until="domcontentloaded")

    def _request(self, request: Any) -> None:
        if not request.url.startswith(
            ("http://localhost:", "http://127.0.0.1:", "blob:", "data:")
        ):
            self.faults.append(request.url)

    def enter(self, room: str) -> None:
        """Click on a room's tab until it opens: the page may still be loading."""
        tab = self.page.get_by_role("tab", name=room, exact=True)
        while tab.get_attribute("aria-selected") != "true":
            tab.click()
            self.page.wait_for_timeout(200)

    def _field(self, label: str) -> Any:
        """The visible field of this label."""
        return self.page.get_by_label(label, exact=True).locator("visible=true").first

    def fill(self, label: str, text: str) -> None:
        self._field(label).fill(text)

    def choose(self, label: str, option: str) -> None:
        self._field(label).click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).locator("visible=true").first.wait_for()

    def asks(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def waits_until(self, expression: str) -> None:
        self.page.wait_for_function(expression)

    def leave(self) -> None:
        self.page.context.close()
        assert self.faults == []
