"""Who may read what: a fuzz of the real server finds no way around."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from tests.cli.command import here, one_error, tracer_hooks
from tests.server.serving import Served, served
from tests.store import spools
from tracer_hooks.server.access import Access

ELSEWHERE = "what another folder holds"
TOKEN = "0123456789abcdef0123"  # noqa: S105 (for this test alone)
STRANGE = "../../a b/%2e?x=1&<script>alert(1)</script>'\"\n"
PATHS = ("/", "/now", "/metrics", "/health", "/assets/live.js", "/runs/r1", "/runs/r1/report")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("around")
    (folder / "secret.html").write_text(ELSEWHERE)
    (folder / "store").mkdir()
    spools.write(folder / "store", spools.attempt("t1", "r1"))
    spools.write(
        folder / "store", spools.attempt("t1", STRANGE, card={"pipeline": STRANGE + "\udcff"})
    )
    spools.write(folder / "store", spools.attempt("t1", "nul\0nul"))
    return folder / "store"


@pytest.fixture(scope="module")
def local(store: Path) -> Iterator[Served]:
    with served(store) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("guarded")
    spools.write(folder, spools.attempt("t1", "r1"))
    with served(folder, TRACER_HOOKS_TOKEN=TOKEN) as found:
        yield found


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "here.example"])  # noqa: S104
def test_no_address_but_loopback_without_a_token(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, host: str
) -> None:
    done = here(capsys, "serve", "--host", host, "--store", tmp_path)
    assert "needs a token" in one_error(done, 2)


def test_an_address_that_is_not_ours_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACER_HOOKS_TOKEN", TOKEN)
    for host in ("192.0.2.1", "no-such-host.invalid"):
        said = one_error(here(capsys, "serve", "--host", host, "--store", tmp_path), 1)
        assert f"{host} is no address of this machine" in said
        assert "--host" in said


def test_loopback_of_ipv6_needs_no_token(tmp_path: Path) -> None:
    with served(tmp_path, "--host", "::1") as found:
        assert found.url == f"http://[::1]:{found.port}"
        assert found.get("/health")[0] == 200


def test_a_token_of_any_characters_is_known_by_its_bytes() -> None:
    token = "0123456789-é€-0123456789"  # noqa: S105 (for this test alone)
    refusal = Access(lambda *_: None, token)._refusal  # type: ignore[arg-type, return-value]

    def status(header: bytes) -> int | None:
        scope = {"type": "http", "method": "GET", "headers": [(b"authorization", header)]}
        refused = refusal(Request(scope))
        return None if refused is None else refused.status_code

    assert status(b"Bearer " + token.encode()) is None
    assert status(b"Basic " + base64.b64encode(b"me:" + token.encode())) is None
    assert status(b"Bearer " + token.replace("é", "e").encode()) == 401
    assert status(b"Basic " + base64.b64encode(b"\xff\xfe:\xff")) == 401
    assert status(b"Basic \xff") == 401


def test_a_token_is_long(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short\n")
    done = tracer_hooks("serve", "--token-file", tmp_path / "token", "--store", tmp_path)
    assert "at least 16" in one_error(done, 2)


@pytest.mark.parametrize("path", PATHS)
def test_with_a_token_nothing_is_told_without_it(guarded: Served, path: str) -> None:
    assert guarded.get(path)[0] == 401
    assert guarded.get(path, Authorization="Bearer wrong")[0] == 401
    assert guarded.get(path, Authorization="Basic !!!")[0] == 401
    assert guarded.get(path, Authorization=f"Bearer {TOKEN}x")[0] == 401
    if path != "/runs/r1/report":
        assert guarded.get(path, Authorization=f"Bearer {TOKEN}")[0] == 200
        basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
        assert guarded.get(path, Authorization=f"Basic {basic}")[0] == 200


def test_a_page_of_another_site_cannot_read_through_its_own_name(local: Served) -> None:
    assert local.get("/metrics", Host="evil.example")[0] == 421
    assert local.get("/metrics", Host=f"localhost:{local.port}")[0] == 200
    assert local.get("/metrics", Host="[::1]:80")[0] == 200
    assert local.get("/metrics", Host="127.0.0.1.evil.example")[0] == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_changed(local: Served, method: str) -> None:
    request = f"{method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    assert local.raw(request.encode())[0] == 405


def test_health(local: Served) -> None:
    status, text, _ = local.get("/health")
    assert (status, json.loads(text)["status"]) == (200, "ok")


def test_a_strange_run_is_shown_under_its_name_and_escaped(local: Served) -> None:
    status, text, headers = local.get("/")
    assert status == 200
    assert "<script>alert" not in text
    assert "script-src 'self'" in headers["content-security-policy"]
    link = "/runs/" + quote(STRANGE, safe="")
    assert f'href=".{link}"' in text
    status, text, _ = local.get(link)
    assert status == 200
    assert "<script>alert" not in text
    assert local.get("/runs/" + quote(STRANGE))[0] == 404  # its slashes are the path's


def test_a_run_that_no_command_can_name_has_no_report(local: Served) -> None:
    status, text, _ = local.get("/runs/nul%00nul/report")
    assert status == 500
    assert text.startswith("no report: ")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../looks.py", "/assets/%2e%2e%2flooks.py", "/assets/..%5clooks.py",
        "/../secret.html",
        "/runs/..", "/runs/../..", "/runs/%2e%2e%2fsecret.html", "/runs/%2e%2e/report",
        "/runs/--output=%2ftmp%2fx/report", "/runs/latest/report", "/runs/r/report", "//etc/passwd",
        "/runs/r1%00/report", "/runs//report", "/assets/", "/runs/",
    ],
)  # fmt: skip
def test_only_what_the_store_has_can_be_asked_for(local: Served, path: str) -> None:
    status, body = local.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert status == 404
    assert ELSEWHERE.encode() not in body


segments = st.one_of(
    st.sampled_from(
        [
            *("", ".", "..", "%2e%2e", "%2f", "%5c", "%00", "runs", "r1", "report", "version"),
            *("now", "assets", "live.js", "metrics", "health", "secret.html", "etc", "passwd"),
            *("%ff", "%", "latest", "--help", "-", "*", "~root", "store", ".serve", "spool"),
        ]
    ),
    st.binary(max_size=12).map(quote),
    st.binary(max_size=8).map(lambda data: data.decode("latin-1")),
)
queries = st.one_of(st.just(""), st.binary(max_size=30).map(lambda data: "?" + quote(data)))
names = st.sampled_from(["Accept", "Range", "If-None-Match", "X-Forwarded-For", "Cookie", "Te"])
values = st.binary(max_size=30).map(
    lambda data: data.decode("latin-1").replace("\r", "").replace("\n", "")
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "FOO"]),
    path=st.lists(segments, max_size=5),
    query=queries,
    headers=st.dictionaries(names, values, max_size=3),
)
def test_no_request_gets_out_of_the_store_or_breaks_it(
    local: Served, method: str, path: list[str], query: str, headers: dict[str, str]
) -> None:
    if path[:1] == ["runs"] and path[-1:] == ["report"] and "r1" in path:
        return  # a real report, which takes seconds, is another test's
    lines = [f"{method} /{'/'.join(path)}{query} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    status, body = local.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    assert status < 500
    assert ELSEWHERE.encode() not in body
    assert b"root:x:" not in body
    assert local.process.poll() is None


def test_without_the_extra_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ImportError('no', name='uvicorn')\n")
    from tests.cli.command import environment

    env = environment(PYTHONPATH=str(tmp_path))
    done = tracer_hooks("serve", "--store", tmp_path, env=env)
    assert "pip install 'tracer-hooks[serve]'" in one_error(done, 1)


def test_two_cannot_count_the_same(local: Served) -> None:
    done = tracer_hooks("serve", "--port", "0", "--store", local.store)
    assert "another `tracer-hooks serve`" in one_error(done, 1)


def test_what_is_wrong_with_the_settings_is_said(tmp_path: Path) -> None:
    (tmp_path / "alerts.toml").write_text("[rules.stale]\n")
    done = tracer_hooks("serve", "--alerts", tmp_path / "alerts.toml", "--store", tmp_path)
    assert "no alert rule 'stale'" in one_error(done, 2)
