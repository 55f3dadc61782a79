"""The HTML report in a real browser: it works, harms nobody, and everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from analysis.synthetic import RUN, many_tasks, one_task, sequencing_run, table, task
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from report.browser import Opened, chromium, launched, opened, seen_through
from tracer_hooks.analysis.detail import with_detail
from tracer_hooks.analysis.summary import summarise
from tracer_hooks.report import html
from tracer_hooks.report.html.taskrows import ROWS_OF_MANY

pytestmark = [pytest.mark.browser, pytest.mark.engine]

ATTACKS = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "javascript:alert(3)",
    "<svg/onload=alert(4)>",
    "</template><script>alert(5)</script>",
    "'-alert(6)-'",
    "{{ 7 * 7 }}{% raw %}",
    "a\u2028b\u2029c",
    "\u202egnp.exe\u2066",
    "</style><style>*{display:none}</style>",
    "`${alert(8)}`",
    "\ud800 lone",
    "x" * 3000,
]


def written(
    tables: dict[str, Any], path: Path, run: str = RUN, pages: int = 20, store: str | None = None
) -> Path:
    """The report of the run, analysed as the command line does."""
    report = with_detail(summarise(tables, run, store=store), tables, pages)
    path.write_text(html.render(report), "utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with launched(path) as found:
        yield found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(sequencing_run(), tmp_path_factory.mktemp("small") / "report.html")


@pytest.fixture
def report(browser: Browser, small: Path) -> Iterator[Opened]:
    found = opened(browser, small)
    yield found
    found.page.context.close()


def column(page: Page, title: str) -> list[str]:
    """The shown cells under a head of the table of tasks."""
    titles = [text.strip() for text in page.locator("#tasks-table thead th").all_inner_texts()]
    place = titles.index(title) + 1
    cells = page.locator(f"#tasks-table tbody tr:not(.space) > :nth-child({place})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_everything_is_there_and_nothing_else_is_asked_for(report: Opened, small: Path) -> None:
    seen_through(report.page)
    heads = [text.strip() for text in report.page.locator("h2").all_inner_texts()]
    for head in ("What stands out", "Timeline", "Steps", "Tasks", "Tools", "How we know"):
        assert head in heads
    for chart in ("host", "tasks", "timeline", "tree"):
        canvas = report.page.locator(f"#{chart}-chart canvas").first
        assert canvas.bounding_box(), chart
        painted = canvas.evaluate(
            "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
        )
        assert painted, chart
    assert report.complaints == []
    assert report.requests == [small.as_uri()]


def test_sorting(report: Opened) -> None:
    page = report.page
    head = page.locator("#tasks-table thead th", has=page.get_by_role("button", name="Task"))
    assert head.get_attribute("aria-sort") == "none"
    page.get_by_role("button", name="Task", exact=True).click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = column(page, "Task")
    assert len(up) > 20
    assert up[0].startswith("align/S01")
    page.get_by_role("button", name="Task", exact=True).click()
    assert head.get_attribute("aria-sort") == "descending"
    assert column(page, "Task")[0].startswith("wait_for_licence")
    assert page.locator("#tasks-table thead th[aria-sort=descending]").count() == 1


def test_filtering(report: Opened) -> None:
    page = report.page
    page.get_by_role("searchbox").fill("s03 align")
    assert column(page, "Task") == ["align/S03"]
    assert "1 of" in page.locator("#found").inner_text()
    page.get_by_role("searchbox").fill("")
    page.locator("#by-step").select_option("sort")
    assert set(column(page, "Step")) == {"sort"}
    page.locator("#by-status").select_option("failed")
    assert column(page, "Task") == ["sort/S04"]
    page.get_by_role("searchbox").fill("nothing is called so")
    assert column(page, "Task") == []


def test_the_page_of_a_task_opens_and_closes_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    tables = one_task()
    events = [
        {**row, "kind": "oom", "detail": '{"comm": "bwa", "pid": 7, "own": true}'}
        for row in tables["events"].drop_columns("run_id").to_pylist()
    ]
    tables["events"] = table("events", events)
    found = opened(browser, written(tables, tmp_path / "one.html"))
    page = found.page
    button = page.locator("#tasks-table .open").first
    button.focus()
    page.keyboard.press("Enter")
    sheet = page.get_by_role("dialog")
    sheet.wait_for()
    text = sheet.inner_text()
    for words in ("t1", "samtools sort", "gzip ×40", "worker ×4", "exit 1", "tracer-hooks show"):
        assert words in text, words
    assert sheet.locator(".chart canvas").bounding_box()
    assert "31.0 s: out of memory (the kernel killed bwa" in text
    # And it is drawn, in a colour that nothing else in the chart has.
    red = page.evaluate(
        """() => { const c = document.querySelector('#task .chart canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;
        for (let i = 0; i < d.length; i += 4)
          if (d[i] === 179 && d[i + 1] === 32 && d[i + 2] === 60) n += 1;
        return n; }"""
    )
    assert red > 200
    page.keyboard.press("Escape")
    assert not sheet.is_visible()
    assert button.evaluate("b => b === document.activeElement")
    assert found.complaints == []
    page.context.close()


def test_a_task_that_is_not_in_the_file_says_how_to_see_it(
    browser: Browser, tmp_path: Path
) -> None:
    found = opened(browser, written(many_tasks(300), tmp_path / "many.html", pages=3, store="/a b"))
    page = found.page
    page.get_by_role("button", name="Wall").click()  # the shortest first: not among those that tell
    page.locator("#tasks-table .open").first.click()
    text = page.get_by_role("dialog").inner_text()
    assert "3 attempts that tell most" in text
    assert re.search(rf"tracer-hooks show {RUN} job\S* --store '/a b'$", text)
    page.context.close()


def test_names_do_no_harm(browser: Browser, tmp_path: Path) -> None:
    tasks = [
        task(name, task_name=name, step=name, pipeline=name, host=name, user=name, capture=name,
             sample=name, command=name, status="failed", failure_cause=name, at=place,
             engine=name, spool=str(place), cpus_requested=4.0)
        for place, name in enumerate(n.encode("utf-8", "replace").decode() for n in ATTACKS)
    ]  # fmt: skip
    rows = {
        "tools": [{"task_id": t["task_id"], "attempt": 1, "tool": t["step"], "count": 3,
                   "cpu_s": 1.0, "spool": t["spool"]} for t in tasks],
        "processes": [{"task_id": t["task_id"], "attempt": 1, "process_id": 1, "pid": 5,
                       "tool": t["step"], "comm": "x", "started_at": t["started_at"],
                       "spool": t["spool"]} for t in tasks],
        "events": [{"task_id": t["task_id"], "attempt": 1, "at": t["started_at"], "kind": kind,
                    "detail": t["step"], "spool": t["spool"]}
                   for t in tasks for kind in ("degraded", "signal", "mark")],
        "runs": [{"pipeline": ATTACKS[0], "engine": ATTACKS[1], "user": ATTACKS[2],
                  "status": ATTACKS[9]}],
    }  # fmt: skip
    tables = {name: table(name, some, ATTACKS[0]) for name, some in rows.items()}
    tables["tasks"] = table("tasks", tasks, ATTACKS[0])
    found = opened(browser, written(tables, tmp_path / "hostile.html", ATTACKS[0]))
    page = found.page
    seen_through(page)
    for place in range(len(tasks)):
        page.locator("#tasks-table .open").nth(place).click()
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
    page.locator("#timeline-chart").hover()
    page.locator("#tree-chart").hover(position={"x": 40, "y": 60})
    made = page.evaluate(
        "[document.querySelectorAll('img, iframe, object, [onload], a[href^=java]').length,"
        " document.scripts.length, document.styleSheets.length]"
    )
    assert made == [0, 2, 1]
    assert found.complaints == []
    assert len(found.requests) == 1
    shown = page.locator("#tasks").inner_text()
    assert "</script><script>alert(1)</script>" in shown
    assert "\u202e" not in page.locator("body").inner_text()
    page.context.close()


def test_a_script_that_got_in_would_not_run(report: Opened) -> None:
    """The second wall: the policy stops what is not the report's own."""
    with report.page.expect_event("requestfailed") as failed:
        report.page.evaluate(
            "() => { const s = document.createElement('script'); s.textContent = 'window.bad = 1';"
            " document.body.append(s); new Image().src = 'http://127.0.0.1:9/x.png'; }"
        )
    assert "csp" in str(failed.value.failure)
    assert report.page.evaluate("window.bad") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility(browser: Browser, small: Path, scheme: str) -> None:
    found = opened(browser, small, color_scheme=scheme)
    seen_through(found.page)
    said = Axe().run(found.page)
    assert said.violations_count == 0, said.generate_report()
    found.page.locator("#tasks-table .open").first.click()
    found.page.get_by_role("dialog").wait_for()
    said = Axe().run(found.page)
    assert said.violations_count == 0, said.generate_report()
    found.page.context.close()


def test_dark_and_light(browser: Browser, small: Path) -> None:
    found = opened(browser, small, color_scheme="dark")
    page = found.page
    brightness = (
        "getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3)"
        ".map(Number).reduce((a, b) => a + b) / 3"
    )
    assert page.evaluate(brightness) < 60
    toggle = page.get_by_role("button", name="Dark colours")
    assert toggle.get_attribute("aria-pressed") == "true"
    toggle.click()
    assert page.evaluate(brightness) > 200
    assert toggle.get_attribute("aria-pressed") == "false"
    page.context.close()


def test_a_phone(browser: Browser, small: Path) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    found = opened(browser, small, **phone)
    page = found.page
    seen_through(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.locator("#tasks-table .open").first.tap()
    page.get_by_role("dialog").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 360
    assert found.complaints == []
    page.context.close()


def test_on_paper(browser: Browser, small: Path) -> None:
    found = opened(browser, small, color_scheme="dark", viewport={"width": 700, "height": 1000})
    page = found.page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert not page.locator(".top").is_visible()
    assert not page.locator("#filters").is_visible()
    assert page.locator("#tasks-table tbody tr").count() > 20
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert page.pdf()[:5] == b"%PDF-"
    page.context.close()


def test_paper_cuts_no_chart_off(browser: Browser, small: Path) -> None:
    page = opened(browser, small, viewport={"width": 1280, "height": 900}).page
    drawn = "id => document.querySelector(`#${id}-chart canvas`)?.getBoundingClientRect().width"
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for chart in ("host", "tasks", "timeline", "tree"):
        assert 200 < page.evaluate(drawn, chart) <= 703, chart  # A4 less its margins
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(drawn, "timeline") > 1000
    page.context.close()


def test_the_treemap_cuts_no_figure(browser: Browser, tmp_path: Path) -> None:
    found = opened(browser, written(many_tasks(300), tmp_path / "many.html"))
    page = found.page
    page.locator("#tree-chart").scroll_into_view_if_needed()
    page.wait_for_selector("#tree-chart canvas")
    page.evaluate("""() => { window.drawn = []; const pen = CanvasRenderingContext2D.prototype;
        const draw = pen.fillText; pen.fillText = function (text, ...rest) {
          if (this.canvas.closest('#tree-chart')) drawn.push(text);
          draw.call(this, text, ...rest); } }""")
    page.set_viewport_size({"width": 1100, "height": 900})
    page.wait_for_function("drawn.length > 50")
    texts = [text.strip() for text in page.evaluate("drawn")]
    figure = r"(?:<?\d+ %|[\d.]+ (?:m?s|µs))"
    names = [re.sub(rf"(^|  ){figure}$", "", text) for text in texts]
    assert {"python tool00.py", "bash"} & set(names)
    cut = [name for name in names if re.fullmatch(r".{0,2}|<?\d*|.*  .*", name) and name]
    assert cut == []
    assert found.complaints == []
    page.context.close()


def test_without_scripts_the_words_and_tables_are_there(browser: Browser, small: Path) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(small.as_uri())
    text = page.inner_text("main")
    for words in ("rnaseq", "What stands out", "asked for 4 cores", "bwa mem", "Scripts are off"):
        assert words in text, words
    page.context.close()


def test_ten_thousand_tasks_can_be_worked_with(browser: Browser, tmp_path: Path) -> None:
    path = written(many_tasks(10_000), tmp_path / "many.html")
    assert path.stat().st_size < 3_000_000
    found = opened(browser, path)
    page = found.page
    seen_through(page)
    assert page.locator("#tasks-table tbody tr").count() < 100
    assert page.locator("#tasks-table").get_attribute("aria-rowcount") == "10001"
    page.get_by_role("button", name="Task", exact=True).click()
    page.locator("#tasks-table .open").first.focus()
    page.keyboard.press("End")
    page.wait_for_function("document.activeElement.textContent === 'job9999'")
    page.get_by_role("searchbox").fill("job777")
    assert column(page, "Task")[0] == "job777"
    assert len(column(page, "Task")) == 11
    assert page.locator("#timeline-chart canvas").count() >= 1
    assert found.complaints == []
    page.context.close()


def test_a_hundred_thousand_are_summed_up_and_it_says_so(browser: Browser, tmp_path: Path) -> None:
    path = written(many_tasks(100_000), tmp_path / "very-many.html", pages=5)
    assert path.stat().st_size < 3_000_000
    found = opened(browser, path)
    seen_through(found.page)
    text = found.page.inner_text("main")
    assert "100,000 attempts are too many for one page" in text
    assert f"{ROWS_OF_MANY:,} that tell most" in text
    assert "too many attempts for a bar each" in text
    assert found.page.locator("#timeline-chart canvas").first.bounding_box()
    assert found.complaints == []
    found.page.context.close()
