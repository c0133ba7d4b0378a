"""Pages and JSON, without a server: what is shown, what is refused, how much the daemon is asked."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pxerelay.linux.control_client import NoDaemonError
from pxerelay.web import daemon_client, guard, pages
from pxerelay.web.app import build
from pxerelay.web.daemon_client import PACES, TOGETHER, DaemonClient, Pace, RefusedError
from pxerelay.web.guard import Guard
from pxerelay.web.limits import Bucket, Limits, Seats
from pxerelay.web.live import MOST_TRACES, BusyError, Live
from pxerelay.web.passwords import PasswordError, Passwords, line_of
from pxerelay.web.settings import OtherRelay, Settings
from pxerelay.web.site import Site
from tests.unit.web.asking import STATUS, STRANGER, Answer, daemon, get, usual, word

MAC = "02:00:00:00:00:99"
LOCAL = Settings(None, "127.0.0.1", 8067)

Result = TypeVar("Result")


def with_daemon(
    folder: Path,
    what: Callable[[Guard, Site, list[dict[str, Any]]], Awaitable[Result]],
    settings: Settings = LOCAL,
    says: Any = usual,
) -> Result:
    async def run() -> Result:
        path = folder / "control.sock"
        async with daemon(path, says) as asked:
            app, site = build(path, settings)
            return await what(app, site, asked)

    return asyncio.run(run())


def ask(folder: Path, path: str, query: str = "", settings: Settings = LOCAL, **more: Any) -> Answer:
    says = more.pop("says", usual)
    return with_daemon(folder, lambda app, _, __: get(app, path, query, **more), settings, says)


def test_each_page_says_what_a_browser_may_do_with_it(tmp_path: Path) -> None:
    for path in ("/", "/now", "/unknown", "/flows", "/static/page.js", "/nothing", "/api/v1/now", "/metrics"):
        headers = ask(tmp_path, path).headers
        assert headers["content-security-policy"] == guard.HEADERS["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers


def test_the_state_is_shown(tmp_path: Path) -> None:
    text = ask(tmp_path, "/now").text
    assert "interface vlan20 waits: the interface has no IPv4 address" in text
    assert "75 %" in text
    assert "7.0 ms" not in text
    assert "5.5 ms" in text
    told = json.loads(ask(tmp_path, "/api/v1/now").text)
    assert told["dropped"] == [{"reason": "flood", "count": 2, "family": 4, "fine": False}]
    assert told["servers"][0]["answered_share"] == 0.75


def test_both_families_are_added_up_in_the_state(tmp_path: Path) -> None:
    both = {**STATUS, "counters6": {"dropped": {"flood": 1}, "send_failures": 3, "requests": 0, "replies": 0}}
    told = json.loads(ask(tmp_path, "/api/v1/now", says=lambda _: [both]).text)
    assert {(one["family"], one["count"]) for one in told["dropped"]} == {(4, 2), (6, 1)}
    assert "3 messages could not be sent; the log says why (DHCPv6)" in told["troubles"]


def test_unknown_clients_are_filtered_by_any_of_their_texts(tmp_path: Path) -> None:
    for query in ("q=", "q=00:99", "q=VLAN10", "q=arch:00007", "q=locally", "pxe=1"):
        assert json.loads(ask(tmp_path, "/api/v1/unknown", query).text)["count"] == 1, query
    assert json.loads(ask(tmp_path, "/api/v1/unknown", "q=vlan20").text)["clients"] == []
    text = ask(tmp_path, "/api/v1/unknown", "format=yaml").text
    assert text.splitlines()[1:2] == ["rules:"]
    assert '"02:00:00:00:00:99": ris' in text


def test_a_client_without_a_mac_is_shown_too(tmp_path: Path) -> None:
    stranger = {
        **STRANGER,
        "mac": None,
        "duid": "0004ab",
        "families": [6],
        "router": "2001:db8::1",
        "last_ago": 5,
    }
    stranger["interface"] = None
    answer = {"clients": [STRANGER], "without_mac": [stranger], "most": 1, "forgotten": 0, "overlooked": 0}
    told = ask(tmp_path, "/api/v1/unknown", says=lambda _: [answer])
    assert [client["mac"] for client in json.loads(told.text)["clients"]] == [None, STRANGER["mac"]]
    for query in ("q=0004AB", "q=db8::1"):
        assert json.loads(ask(tmp_path, "/api/v1/unknown", query, says=lambda _: [answer]).text)["count"] == 1
    text = ask(tmp_path, "/unknown", says=lambda _: [answer]).text
    assert "DUID 0004ab" in text
    assert "behind router 2001:db8::1" in text
    assert (
        "#   DUID 0004ab, " in ask(tmp_path, "/api/v1/unknown", "format=yaml", says=lambda _: [answer]).text
    )


def test_what_is_not_a_daemon_is_told_of_and_no_page_breaks(tmp_path: Path) -> None:
    for line in (b"hello", b"[]", b'{"a":' * 2000, b""):
        for path in ("/now", "/unknown", "/flows", "/healthz", "/api/v1/now", "/api/v1/search", "/"):
            assert ask(tmp_path, path, "q=ab", says=lambda _, line=line: [line]).status == 503
    assert "pxerelay_web_daemon_up 0" in ask(tmp_path, "/metrics", says=lambda _: [b"hello"]).text


def test_one_mac_is_followed_and_nothing_else(tmp_path: Path) -> None:
    assert ask(tmp_path, "/api/v1/follow/02:00").status == 400
    assert ask(tmp_path, "/follow/02:00").status == 400
    assert ask(tmp_path, f"/follow/{MAC}").status == 200


def test_only_reading_is_allowed_and_under_its_own_name(tmp_path: Path) -> None:
    assert ask(tmp_path, "/", method="POST").status == 405
    assert ask(tmp_path, "/", host="evil.example.com").status == 421
    assert ask(tmp_path, "/", host="localhost:8067").status == 200
    assert ask(tmp_path, "/", "q=" + "a" * 3000).status == 414


def test_behind_a_proxy_only_the_proxy_may_connect(tmp_path: Path) -> None:
    behind = Settings(None, "192.0.2.1", 80, behind_proxy=("192.0.2.7",))
    assert ask(tmp_path, "/", settings=behind, peer="192.0.2.8").status == 403
    assert ask(tmp_path, "/", settings=behind, peer="192.0.2.7", host="boot.example.net").status == 200


def test_who_asks_too_often_is_told_to_wait_and_others_are_not(tmp_path: Path) -> None:
    async def many(app: Guard, _site: Site, _asked: Any) -> tuple[list[int], int]:
        mine = [(await get(app, "/api/v1/now", peer="192.0.2.1", host="localhost")).status for _ in range(40)]
        return mine, (await get(app, "/api/v1/now", peer="192.0.2.2", host="localhost")).status

    mine, other = with_daemon(tmp_path, many)
    assert mine[0] == 200
    assert mine[-1] == 429
    assert other == 200


def test_who_has_to_wait_is_told_how_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "EACH", (1.0, 0.01))

    async def twice(app: Guard, _site: Site, _asked: Any) -> Answer:
        assert (await get(app, "/")).status == 200
        return await get(app, "/")

    told = with_daemon(tmp_path, twice)
    assert told.status == 429
    assert 30 < int(told.headers["retry-after"]) <= 100
    assert told.text == f"Busy: too many requests; again in {told.headers['retry-after']} s.\n"


def test_fifty_who_look_at_the_state_ask_the_daemon_once(tmp_path: Path) -> None:
    async def many(app: Guard, _site: Site, asked: list[dict[str, Any]]) -> int:
        looks = [get(app, "/api/v1/now", peer=f"192.0.2.{number}") for number in range(50)]
        assert {answer.status for answer in await asyncio.gather(*looks)} == {200}
        return len(asked)

    assert with_daemon(tmp_path, many) == 1


def test_a_login_is_wanted_and_held_against_the_file(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(f"# who\n{line_of('desk', 'a:b ä')}\n")
    settings = Settings(None, "127.0.0.1", 1, password_file=str(path))

    def login(user: str, password: str) -> str:
        return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"

    refused = ask(tmp_path, "/", settings=settings)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Basic ")
    assert ask(tmp_path, "/", settings=settings, authorization=login("desk", "a:b ä")).status == 200
    for bad in (
        login("desk", "x"),
        login("nobody", "a:b ä"),
        "Basic ????",
        "Bearer x",
        "Basic " + "a" * 5000,
    ):
        assert ask(tmp_path, "/", settings=settings, authorization=bad).status == 401, bad


def test_a_right_login_costs_scrypt_once_and_wrong_ones_are_few(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(line_of("desk", "right"))
    tried: list[str] = []

    async def many(app: Guard, _site: Site, _asked: Any) -> None:
        passwords = app._passwords
        assert passwords is not None
        check = passwords.check
        passwords.check = lambda header: tried.append(header) or check(header)  # type: ignore[method-assign, func-returns-value]
        right = f"Basic {base64.b64encode(b'desk:right').decode()}"
        for _ in range(5):
            assert (await get(app, "/", authorization=right)).status == 200
        assert len(tried) == 1
        for number in range(10):
            assert (await get(app, "/", authorization=f"Basic {number}")).status == 401
        assert len(tried) <= 6

    with_daemon(tmp_path, many, Settings(None, "127.0.0.1", 1, password_file=str(path)))


@pytest.mark.parametrize("text", ["", "# nobody\n", "desk:plain\n", "desk:md5:00:00\n", "a:scrypt:zz:00\n"])
def test_a_password_file_that_lets_nobody_in_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "passwords"
    path.write_text(text)
    with pytest.raises(PasswordError, match="passwords"):
        Passwords(path)


@pytest.mark.parametrize(("user", "password"), [("", "x"), ("a:b", "x"), ("a\n", "x"), ("a", "")])
def test_no_line_is_made_that_means_something_else(user: str, password: str) -> None:
    with pytest.raises(PasswordError):
        line_of(user, password)


def test_limits_bound_each_and_all_and_remember_few() -> None:
    limits = Limits((2, 1), (3, 1), 0.0)
    assert [limits.allow("a", 0.0) for _ in range(3)] == [True, True, False]
    assert [limits.allow("b", 0.0) for _ in range(2)] == [True, False], "all together"
    assert limits.allow("a", 10.0)
    bucket = Bucket(1, 0.5, 0.0)
    assert [bucket.take(at) for at in (0.0, 1.0, 2.0)] == [True, False, True]
    seats = Seats(1, 2)
    assert [seats.take(peer) for peer in ("a", "a", "b", "c")] == [True, False, True, False]
    seats.give_back("a")
    assert (seats.take("c"), len(seats)) == (True, 2)
    many = Limits((1, 0), (5000, 0), 0.0)
    for number in range(3000):
        many.allow(str(number), 0.0)
    assert len(many._peers) <= 1024


def test_one_question_of_each_kind_is_on_its_way_at_a_time(tmp_path: Path) -> None:
    async def run() -> tuple[list[str], int]:
        path, waiting, most, asked = tmp_path / "slow.sock", 0, 0, list[str]()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal waiting, most
            request = json.loads(await reader.readline())
            asked.append(request["command"])
            waiting += 1
            most = max(most, waiting)
            await asyncio.sleep(0.05)
            waiting -= 1
            writer.write(json.dumps(usual(request)[0]).encode() + b"\n")
            writer.close()

        server = await asyncio.start_unix_server(serve, path)
        client = DaemonClient(path)
        await asyncio.gather(
            *(client.client(f"02:00:00:00:01:{number:02x}") for number in range(TOGETHER)),
            *(client.status() for _ in range(20)),
            *(client.unknown() for _ in range(20)),
        )
        server.close()
        return sorted(asked), most

    asked, most = asyncio.run(run())
    assert asked == ["clients", "status", "unknown"]
    assert most <= 3


def test_fifty_who_search_at_once_cost_the_daemon_two_questions(tmp_path: Path) -> None:
    """The first is asked about at once, the others together."""

    async def many(_app: Guard, site: Site, asked: list[dict[str, Any]]) -> list[int]:
        first = asyncio.create_task(site.daemon.client(MAC))
        while not asked:
            await asyncio.sleep(0)
        macs = [f"02:00:00:00:01:{number:02x}" for number in range(50)]
        found = await asyncio.gather(*map(site.daemon.client, macs + macs[:10]))
        assert {one["mapping"][0]["rule"] for one in found} == {"default"}
        assert (await first)["unknown"] == STRANGER
        return [len(one["macs"]) for one in asked]

    assert with_daemon(tmp_path, many) == [1, 50]


def test_the_next_question_waits_longer_the_more_the_last_one_cost() -> None:
    pace = Pace(0.5, 10.0, 0.005)
    assert pace.after(0.0) == 0.5
    assert pace.after(0.01) == pytest.approx(2.04)
    assert pace.after(1.0) == 10.0
    assert sum(one.share for one in PACES.values()) < 0.01, (
        "in all less than a hundredth of the daemon's time"
    )


def test_where_that_would_take_too_long_it_is_told_when_to_ask_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of VLANs have a default each, say, so that a question about a client takes a while."""
    monkeypatch.setitem(daemon_client.PACES, "clients", Pace(0.5, 1000.0, 0.005))

    def says(request: Any) -> list[Any]:
        return [word(*request["macs"], seconds=1.0)] if request["command"] == "clients" else usual(request)

    async def many(app: Guard, _site: Site, asked: list[dict[str, Any]]) -> tuple[Answer, Answer]:
        assert (await get(app, "/", f"q={MAC}")).status == 200
        asked.clear()
        shown = await get(app, "/", "q=02:00:00:00:00:98")
        told = await get(app, "/api/v1/search", "q=02:00:00:00:00:98&here=1")
        assert not asked
        return shown, told

    shown, told = with_daemon(tmp_path, many, says=says)
    assert (shown.status, told.status) == (503, 503)
    text = r"busy: as much is being asked of the daemon as may be; again in (\d+) s"
    for one in (shown.text, json.loads(told.text)["error"]):
        found = re.search(text, one)
        assert found, one
        assert 100 < int(found[1]) <= 201


def test_who_waits_for_a_daemon_that_is_gone_is_told_so(tmp_path: Path) -> None:
    async def run() -> None:
        client = DaemonClient(tmp_path / "gone.sock")
        found = await asyncio.gather(*(client.client(MAC) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in found] == [NoDaemonError] * 3
        assert client.asked == 1

    asyncio.run(run())


@pytest.mark.parametrize("answer", [{}, {"config": {}, "waiting": [], "clients": {}}, {"config": 5}])
def test_what_a_daemon_of_another_version_says_of_a_client_is_no_answer(
    tmp_path: Path, answer: dict[str, Any]
) -> None:
    async def run() -> None:
        path = tmp_path / "control.sock"
        async with daemon(path, lambda _: [answer]):
            with pytest.raises(NoDaemonError, match="no daemon of this version"):
                await asyncio.wait_for(DaemonClient(path).client(MAC), 60)

    asyncio.run(run())


def test_followers_of_one_client_share_a_trace_and_others_leave_the_daemon_some(tmp_path: Path) -> None:
    message = {
        "event": "message",
        "family": 4,
        "mac": MAC,
        "interface": "vlan10",
        "sender": "0.0.0.0",
        "at": 5.0,
    }
    message |= {
        "request": True,
        "message": "DISCOVER",
        "client": "PXEClient",
        "reason": "default",
        "failures": [],
    }
    message |= {"rule": "default", "choice": "ris", "servers": [{"name": "ris", "address": "10.20.0.10"}]}

    def says(request: Any) -> list[Any]:
        return [*usual(request), message] if request["command"] == "trace" else usual(request)

    async def run() -> None:
        path = tmp_path / "control.sock"
        async with daemon(path, says) as asked:
            live = Live(DaemonClient(path), lambda *_: "a.yml:3")
            streams = [live.follow(MAC, f"peer{number}") for number in range(3)]
            first = [await anext(stream) for stream in streams]
            assert {line["text"] for line in first} == {f"listening to {MAC}"}
            line = await anext(streams[0])
            assert line["text"].startswith(
                f"{MAC} on vlan10: DISCOVER (PXEClient), the default (a.yml:3) says ris"
            )
            assert line["at"] == 5.0
            more = [live.follow(f"02:00:00:00:00:0{number}", f"p{number}") for number in range(MOST_TRACES)]
            for stream in more[: MOST_TRACES - 1]:
                await anext(stream)
            with pytest.raises(BusyError, match="are being followed already"):
                await anext(more[-1])
            assert len([one for one in asked if one["command"] == "trace"]) == MOST_TRACES
            for stream in (*streams, *more):
                await stream.aclose()
            assert len(live.seats) == 0
            assert live._traces == {}

    asyncio.run(run())


def test_following_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pxerelay.web.live.LONGEST", 0.2)

    async def run() -> list[str]:
        path = tmp_path / "control.sock"
        async with daemon(path, usual):
            live = Live(DaemonClient(path), lambda *_: "")
            return [line["kind"] async for line in live.follow(MAC, "a")]

    assert asyncio.run(run())[-1] == "end"


def test_a_trace_that_the_daemon_refuses_is_told_and_begins_anew_next_time(tmp_path: Path) -> None:
    async def run() -> None:
        path = tmp_path / "control.sock"
        async with daemon(path, lambda _: [{"error": "4 traces are running already"}]):
            live = Live(DaemonClient(path), lambda *_: "")
            for _ in range(2):
                lines = [line async for line in live.follow(MAC, "a")]
                assert [line["text"] for line in lines] == ["4 traces are running already"]
            with pytest.raises(RefusedError):
                await DaemonClient(path).client(MAC)

    asyncio.run(run())


@pytest.mark.parametrize("odd", [{"event": "message", "family": 4}, {"event": "lost"}, {"no": "event"}])
def test_what_a_daemon_of_another_version_says_ends_a_trace_and_no_more(
    tmp_path: Path, odd: dict[str, Any]
) -> None:
    def says(request: Any) -> list[Any]:
        return [*usual(request), odd] if request["command"] == "trace" else usual(request)

    async def run() -> list[str]:
        path = tmp_path / "control.sock"
        async with daemon(path, says):
            live = Live(DaemonClient(path), lambda *_: "")
            lines = [line async for line in live.follow(MAC, "a")]
            site = Site(path, LOCAL)
            async with site.running():
                await asyncio.sleep(0.1)
            return [line["kind"] for line in lines]

    assert asyncio.run(run())[-1] == "error"


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"client": 5}', b'{"client": {}}', b'{"clients": [1]}', b"x", b"[" * 9999]
)
def test_another_relay_may_answer_anything(tmp_path: Path, body: bytes) -> None:
    async def run() -> Answer:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        path = tmp_path / "control.sock"
        async with daemon(path, usual):
            app, _ = build(path, replace(LOCAL, relays=(OtherRelay("edge2", url),)))
            answer = await get(app, "/", f"q={MAC}")
        server.close()
        return answer

    answer = asyncio.run(run())
    assert answer.status == 200
    assert "edge2" in answer.text


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "never"),
        (0.4, "a moment ago"),
        (1.9, "1 second ago"),
        (59, "59 seconds ago"),
        (3600, "1 hour ago"),
        (200_000, "2 days ago"),
    ],
)
def test_how_long_ago_something_was_is_told_in_words(seconds: float | None, told: str) -> None:
    assert pages.ago(seconds) == told
