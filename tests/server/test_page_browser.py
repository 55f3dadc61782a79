"""The pages of `serve` in a real Chromium: they follow a run, and nothing in them complains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import chromium, launched
from tests.server.serving import end, run, served

pytestmark = [pytest.mark.engine, pytest.mark.browser, pytest.mark.timeout(300)]


def test_the_pages_follow_a_run(tmp_path: Path) -> None:
    path = chromium()
    if path is None:
        pytest.skip("chromium is not installed")
    step = "a<b>&'\"step"
    busy = run(tmp_path, "sleep", "120", wait=False, run="the/run 1", step=step, pipeline="p")
    more = None
    complaints: list[str] = []
    try:
        with served(tmp_path, "--interval", "0.5") as serve, launched(path) as browser:
            page = browser.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(serve.url + "/")
            page.get_by_role("cell", name=step, exact=True).first.wait_for(timeout=30_000)
            figures_fit(browser, serve.url)
            # It follows by itself.
            more = run(tmp_path, "sleep", "120", wait=False, run="the/run 1", step="later")
            page.get_by_role("cell", name="later", exact=True).first.wait_for(timeout=30_000)
            page.get_by_role("link", name="the/run 1").first.click()
            page.wait_for_selector("#report", state="attached")
            assert page.url.endswith("/runs/the%2Frun%201")
            report = page.frame_locator("#report")
            report.get_by_role("heading").first.wait_for(timeout=120_000)
            shown = page.locator("#state")
            assert "2 tasks running" in shown.inner_text()
            end(more)
            # Our policy forbids what the driver would evaluate: selectors wait instead.
            page.locator("#state", has_text="1 ended").wait_for(timeout=60_000)
            page.locator("#report[src*='-1-1-']").wait_for(timeout=120_000)
            report.get_by_role("heading").first.wait_for(timeout=120_000)
    finally:
        end(busy)
        if more is not None:
            end(more)
    assert complaints == []


def figures_fit(browser: Any, url: str) -> None:
    """Every figure is in sight on a laptop and on a phone, without scrolling to the side."""
    for width in (1280, 390):
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.goto(url + "/")
        last = page.locator("#tasks + table tbody td, #runs + table tbody td")
        last.first.wait_for()
        for cell in last.all():
            box = cell.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width
        page.close()
