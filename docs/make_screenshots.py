"""The pictures of the HTML report in docs/images, made by a real browser: one command.

    python docs/make_screenshots.py [--store DIR] [--run RUN] [--output DIR]

The default is the last run in `.tracer`, which `make demo` records. Needs chromium and what the
`dev` extra installs. `report.png` is for the README; the dark page, the phone, a task's page and
the print are for looking at, and go to .cache/screenshots.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OTHERS = ROOT / ".cache" / "screenshots"
sys.path.insert(0, str(ROOT / "tests"))

from report.browser import chromium, launched, opened, seen_through  # noqa: E402 - from the tests

# Twice the pixels, for screens that have them.
DESK: dict[str, Any] = {"viewport": {"width": 1200, "height": 1160}, "device_scale_factor": 2}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True,
    "has_touch": True,
}  # fmt: skip
# Only what differs between two runs of the script may differ between two pictures.
STILL = "document.documentElement.style.scrollBehavior = 'auto'"


def main() -> int:
    """Make them all; what is asked for and missing is one line."""
    parser = argparse.ArgumentParser(description="Make the pictures of the HTML report.")
    parser.add_argument("--store", default=str(ROOT / ".tracer"))
    parser.add_argument("--run", default="latest")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args()
    browser_path = chromium()
    if browser_path is None:
        sys.exit("no chromium here: apt-get install chromium")
    for folder_ in (options.output, OTHERS):
        folder_.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "report.html")
        command = [sys.executable, "-m", "tracer_hooks", "report", options.run]
        command += ["--store", options.store, "--format", "html", "--output", str(page)]
        if subprocess.run(command, check=False).returncode:
            return 1
        _pictures(browser_path, page, options.output)
    return 0


def _pictures(browser_path: str, report: Path, folder: Path) -> None:
    with launched(browser_path) as browser:
        for name, context in (
            ("report", {**DESK, "color_scheme": "light"}),
            ("report-dark", {**DESK, "color_scheme": "dark"}),
            ("report-phone", PHONE),
        ):
            picture = (folder if name == "report" else OTHERS) / f"{name}.png"
            found = opened(browser, report, **context)
            found.page.evaluate(STILL)
            seen_through(found.page)
            if name == "report":
                # From the headline to the timeline: what a reader of the README should see.
                end = "document.querySelector('#cost').getBoundingClientRect().top + scrollY"
                clip = {"x": 0, "y": 0, "width": 1200, "height": float(found.page.evaluate(end))}
                found.page.screenshot(path=picture, full_page=True, clip=clip)
                found.page.pdf(path=OTHERS / "report-print.pdf", format="A4")
                found.page.locator("#tasks-table .open").first.click()
                found.page.get_by_role("dialog").wait_for()
                found.page.wait_for_selector("#task .chart canvas")
                found.page.screenshot(path=OTHERS / "report-task.png")
            else:
                found.page.screenshot(path=picture, full_page=True)
            found.page.context.close()
            sys.stdout.write(f"{picture}\n")


if __name__ == "__main__":
    sys.exit(main())
