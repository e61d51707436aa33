"""The studio and a browser, once for the tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import CHROMIUM, OPTIONS, Server, User


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("browser") / "work")
    yield started
    started.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS])
        yield browser
        browser.close()


@pytest.fixture
def user(server: Server, chromium: Any) -> Iterator[User]:
    someone = User(chromium, server.address)
    yield someone
    someone.leave()
