"""The pages inside Airflow, in a browser, as a person comes to them."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page

from tests.airflow.conftest import RUN_ID, Everything
from tests.airflow.engine import PASSWORD, USER
from tests.report.browser import chromium, launched

pytestmark = [
    pytest.mark.engine, pytest.mark.airflow, pytest.mark.browser, pytest.mark.timeout(900),
]  # fmt: skip
PATIENCE_MS = 120_000
# As `airflow users create` does, which takes ten seconds for what comes with it.
_ADMIN = """
import sqlite3, sys
from werkzeug.security import generate_password_hash
path, name, password = sys.argv[1:]
with sqlite3.connect(path, timeout=60) as base:
    user = base.execute(
        "insert into ab_user (first_name, last_name, username, password, active, email)"
        " values ('Ada', 'L', ?, ?, 1, 'ada@example.org')",
        (name, generate_password_hash(password)),
    ).lastrowid
    (role,) = base.execute("select id from ab_role where name = 'Admin'").fetchone()
    base.execute("insert into ab_user_role (user_id, role_id) values (?, ?)", (user, role))
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip("no Chromium: install Debian's package chromium")
    with launched(path) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: Browser, everything: Everything) -> Iterator[Page]:
    """A page of somebody who has logged in."""
    airflow = everything.airflow
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(PATIENCE_MS)
    found = context.new_page()
    if airflow.major == 2:
        airflow.wait(lambda: answers(airflow.url + "/health"), "the web server")
        done = airflow.run("-c", _ADMIN, str(airflow.home / "airflow.db"), USER, PASSWORD)
        assert done.returncode == 0, done.stderr[-2000:]
        found.goto(airflow.url + "/login/")
        found.fill("#username", USER)
        found.fill("#password", PASSWORD)
        found.click("input[type=submit]")
        found.wait_for_url(lambda url: "login" not in url)
    else:
        context.add_cookies([{"name": "_token", "value": airflow.token(), "url": airflow.url}])
    yield found
    context.close()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=20):  # noqa: S310 - http
            return True
    except OSError:
        return False


def test_nobody_sees_pages_without_logging_in(everything: Everything) -> None:
    airflow = everything.airflow
    health = "/health" if airflow.major == 2 else "/api/v2/monitor/health"
    airflow.wait(lambda: answers(airflow.url + health), "the web server")
    address = f"{airflow.url}/tracer-hooks/run?dag_id=every_kind&run_id={RUN_ID}"
    if airflow.major == 2:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - http
            assert "/login" in answer.url
        return
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address, timeout=60)  # noqa: S310 - http
    assert refused.value.code in (401, 403)


def test_from_the_task_instance_to_its_record(everything: Everything, page: Page) -> None:
    airflow = everything.airflow
    if airflow.major == 2:
        page.goto(f"{airflow.url}/dags/every_kind/grid?dag_run_id={RUN_ID}&task_id=storm")
        link = page.locator("a", has_text="What ran").first
        link.wait_for()
        page.goto(urljoin(airflow.url, link.get_attribute("href") or ""))
        text = page.locator("pre.record").inner_text()
    else:
        page.goto(f"{airflow.url}/dags/every_kind/runs/{RUN_ID}/tasks/storm")
        page.get_by_role("link", name="What ran").first.wait_for()
        page.goto(
            f"{airflow.url}/dags/every_kind/runs/{RUN_ID}/tasks/storm/plugin/tracer-hooks-task"
        )
        text = page.frame_locator("iframe").locator("pre.record").inner_text()
    assert "storm" in text
    assert "true" in text, "its processes"


def test_the_report_of_the_run(everything: Everything, page: Page) -> None:
    airflow = everything.airflow
    if airflow.major == 2:
        page.goto(f"{airflow.url}/tracer-hooks/run?dag_id=every_kind&run_id={RUN_ID}")
        page.wait_for_selector("html[data-ready]")
        assert "every_kind" in page.locator("h1").first.inner_text()
        return
    page.goto(f"{airflow.url}/dags/every_kind/runs/{RUN_ID}/plugin/tracer-hooks-run")
    frame = page.frame_locator("iframe")
    frame.locator("html[data-ready]").wait_for(state="attached")
    assert "every_kind" in frame.locator("h1").first.inner_text()


def test_a_run_without_a_record_says_so(everything: Everything, page: Page) -> None:
    airflow = everything.airflow
    address = f"{airflow.url}/tracer-hooks/run?dag_id=every_kind&run_id=none"
    answer = page.request.get(address)
    assert answer.status == 404
    assert "Nothing is recorded of this yet" in answer.text()
