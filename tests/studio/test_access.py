"""The studio for everyone: by keyboard, on a phone, in the dark, and read aloud."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from browsing import IN_A_BROWSER, Server, User
from tunes import tune

pytestmark = IN_A_BROWSER

ROOMS = ("Songs", "Clips", "Your files", "Train", "Runs", "Models")
PHONE = {"viewport": {"width": 390, "height": 844}}


def open_tune(user: User, tmp_path: Path) -> None:
    """Put a song on the shelf without composing one."""
    (tmp_path / "mine.mid").write_bytes(tune(1))
    user.page.locator("input[type=file][accept*='.mid']").first.set_input_files(
        tmp_path / "mine.mid"
    )
    user.page.locator(".stage h2", has_text="mine").wait_for()


def test_a_song_is_played_by_keyboard(user: User, tmp_path: Path):
    open_tune(user, tmp_path)
    user.waits_until("document.querySelector('.stage audio').duration > 0")
    roll = user.page.locator(".roll")
    roll.focus()
    for key, bar in (("ArrowRight", "2"), ("ArrowRight", "3"), ("ArrowLeft", "2"), ("Home", "1")):
        roll.press(key)
        user.waits_until(f"document.querySelector('.roll').ariaValueNow === '{bar}'")
    roll.press("End")
    assert roll.get_attribute("aria-valuenow") == roll.get_attribute("aria-valuemax")
    roll.press("Home")
    roll.press(" ")
    user.waits_until("!document.querySelector('.stage audio').paused")
    roll.press(" ")
    user.waits_until("document.querySelector('.stage audio').paused")
    lock = user.page.get_by_role("button", name="Lock Bass", exact=True)
    lock.focus()
    lock.press("Enter")
    assert lock.get_attribute("aria-pressed") == "true"


def test_every_room_fits_a_phone(server: Server, chromium: Any, tmp_path: Path):
    user = User(chromium, server.address, **PHONE)
    open_tune(user, tmp_path)
    for room in ROOMS:
        user.enter(room)
        user.page.wait_for_timeout(500)
        assert user.asks("document.documentElement.scrollWidth") <= 390, room
    user.leave()


@pytest.mark.skipif(
    not importlib.util.find_spec("axe_playwright_python"), reason="needs axe-playwright-python"
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(server: Server, chromium: Any, tmp_path: Path, scheme: str):
    from axe_playwright_python.sync_playwright import Axe  # pyright: ignore[reportMissingImports]

    user = User(chromium, f"{server.address}/?__theme={scheme}", color_scheme=scheme)
    open_tune(user, tmp_path)
    for room in ROOMS:
        user.enter(room)
        user.page.wait_for_timeout(1000)
        found = Axe().run(user.page).response["violations"]
        serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], room
    user.leave()
