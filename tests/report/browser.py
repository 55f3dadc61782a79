"""A real browser for the HTML report: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

SCROLLED = "document.documentElement.scrollHeight"


def chromium() -> str | None:
    """The path of the system's Chromium, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """A headless Chromium. Its own sandbox does not work as root."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Opened:
    """A page, and what it did that it must not: messages, errors, requests."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def opened(browser: Browser, path: Path, **context: Any) -> Opened:
    """The report at `path`, drawn as far as it is in sight."""
    options: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, **context}
    page = browser.new_context(**options).new_page()
    found = Opened(page)
    page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.on("dialog", lambda dialog: (found.complaints.append("a dialog"), dialog.dismiss()))
    page.on("request", lambda request: found.requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    if page.locator("#tasks-table").count():
        page.wait_for_selector("html[data-drawn]", timeout=60_000)
    return found


def seen_through(page: Page) -> None:
    """Scroll through the page, so that every chart is drawn."""
    for top in range(0, int(page.evaluate(SCROLLED)), 600):
        page.evaluate("top => scrollTo({top, behavior: 'instant'})", top)
        page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 30)))"
        )
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
