"""`pxerelay web`: the page of a real daemon, whose clients and servers are real packets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pxerelay.linux import control_client
from tests.integration.conftest import BASE, BASE6
from tests.lab import dhcp6
from tests.lab.daemon import PXERELAY, Daemon
from tests.lab.page import Page, free_port
from tests.lab.wire import FakeServer, Station
from tests.lab.wire6 import Station6
from tests.unit.messages import reply, request

Start = Callable[..., Daemon]

LISTED, UNLISTED, HOSTILE = "02:00:00:10:00:01", "02:00:00:00:00:01", "02:00:00:10:00:97"

NOTED = BASE.replace(
    '"02:00:00:10:00:01": altiris',
    '"02:00:00:10:00:01": {server: altiris, owner: lab team, until: "2099-12-31", note: thin client}',
)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Callable[..., Page]]:
    made: list[Page] = []

    def begin(daemon: Daemon, more: str = "", port: int | None = None) -> Page:
        folder = tmp_path / f"page{len(made)}"
        folder.mkdir()
        made.append(Page(daemon.socket, folder, more, port))
        page = made[-1]
        page.wait_for(lambda: page.get("/healthz")[0] == 200)
        return page

    yield begin
    for one in made:
        assert one.stop() == 0, one.log
        assert "Traceback" not in one.log, one.log


def listens(page: Page, station: Station) -> None:
    """Wait until the page is told of messages."""
    page.wait_for(lambda: page.json(f"/api/v1/search?q={LISTED}")["client"]["listening_since"] is not None)
    assert station


def asked(daemon: Daemon, station: Station, server: FakeServer) -> None:
    """Have a client's request reach its server; on a busy machine it may have to ask again."""

    def once() -> bool:
        station.send(request(chaddr=UNLISTED))
        return server.receive() is not None

    daemon.wait_for(once, 40)


def test_a_search_tells_what_runs_and_what_was_heard(
    start: Start, station: Station, server: FakeServer, page: Callable[..., Page]
) -> None:
    daemon = start(NOTED, options=())
    shown = page(daemon)
    listens(shown, station)
    client = shown.json("/api/v1/search?q=020000100001")["client"]
    first = client["mapping"][0]
    assert (first["reason"], first["choice"], first["servers"]) == ("mac", "altiris", ["altiris 10.20.0.20"])
    assert first["source"] == f"{daemon.config}:8"
    assert (first["owner"], first["until"], first["note"]) == ("lab team", "2099-12-31", "thin client")
    assert {one["reason"] for one in first["lost"]} == {"default"}
    assert first["lost"][0]["source"] == f"{daemon.config}:3"
    assert client["advice"][0].startswith("The request does not get here")

    def heard() -> bool:
        station.send(request(chaddr=UNLISTED))
        if server.receive() is not None:
            server.send(reply(file=b"ris/boot.0"), "10.10.10.1")
        seen = shown.json(f"/api/v1/search?q={UNLISTED}")["client"]["seen"].get("4", {})
        return bool(seen.get("asked") and seen.get("answered"))

    shown.wait_for(heard)
    spelled = UNLISTED.replace(":", "-")
    shown.wait_for(lambda: shown.json(f"/api/v1/search?q={spelled}")["client"]["fell_to_default"] is not None)
    client = shown.json(f"/api/v1/search?q={spelled}")["client"]
    seen = client["seen"]["4"]
    assert seen["asked"]["interface"] == "vlan10"
    assert seen["asked"]["servers"] == ["ris 10.20.0.10"]
    assert seen["answered"]["server"] == "ris 10.20.0.10"
    assert seen["answered"]["boot_file"] == "ris/boot.0"
    assert seen["answered"]["milliseconds"] >= 0
    assert client["fell_to_default"]["interface"] == "vlan10"
    found = shown.json("/api/v1/search?q=lab%20team")
    assert [rule["key"] for rule in found["rules"]] == [LISTED]
    found = shown.json("/api/v1/search?q=02:00:00:00")
    assert UNLISTED in [one["mac"] for one in found["clients"]]


def test_every_page_is_there_and_a_browser_may_do_nothing_else_with_it(
    start: Start, station: Station, server: FakeServer, page: Callable[..., Page]
) -> None:
    daemon = start(options=())
    shown = page(daemon)
    asked(daemon, station, server)
    for path in ("/", f"/?q={UNLISTED}", "/?q=altiris", "/now", "/unknown", "/flows", f"/follow/{UNLISTED}"):
        status, headers, body = shown.get(path)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert "set-cookie" not in headers
        assert " style=" not in body
        assert "onclick" not in body
    assert shown.get("/nothing")[0] == 404
    assert "pxerelay_web_daemon_up 1" in shown.get("/metrics")[2]
    now = shown.json("/api/v1/now")
    assert now["config"]["sha256"] == daemon.status()["config"]["sha256"]
    assert {one["name"] for one in now["servers"]} == {"ris", "altiris"}


def test_what_clients_say_is_text_and_nothing_else(
    start: Start, station: Station, page: Callable[..., Page]
) -> None:
    daemon = start(options=())
    shown = page(daemon)
    hostile = b"PXEClient<script>alert(1)</script>\x1b[2J\"'>\n"

    def heard() -> bool:
        station.send(request(chaddr=HOSTILE, vendor=hostile, arch=None))
        return HOSTILE in shown.get("/unknown")[2]

    shown.wait_for(heard)
    for path in ("/unknown", "/?q=02000010", "/?q=<script>alert(1)</script>", f"/?q={HOSTILE}"):
        status, _, body = shown.get(path.replace("<", "%3C").replace(">", "%3E"))
        assert status == 200
        assert "<script>alert" not in body
        assert "\x1b" not in body
    text = shown.get("/api/v1/unknown?format=yaml")[2]
    assert text.count("\n") == 3, "a title, rules:, and one rule"


def test_a_client_is_followed_live_and_the_daemon_sees_one_trace(
    start: Start, station: Station, server: FakeServer, page: Callable[..., Page]
) -> None:
    daemon = start(options=())
    shown = page(daemon)
    followers = [http.client.HTTPConnection("127.0.0.1", shown.port, timeout=40) for _ in range(2)]
    try:
        answers = []
        for follower in followers:
            follower.request("GET", f"/api/v1/follow/{UNLISTED}")
            answers.append(follower.getresponse())
        assert {answer.status for answer in answers} == {200}
        assert answers[0].headers["content-type"].startswith("text/event-stream")
        assert "listening to" in _next_line(answers[0])["text"]
        assert "listening to" in _next_line(answers[1])["text"]
        third = shown.get(f"/api/v1/follow/{UNLISTED}")
        assert third[0] == 503, "one peer has so many seats"
        asked(daemon, station, server)
        for answer in answers:
            line = _next_line(answer)
            assert line["text"].startswith(f"{UNLISTED} on vlan10: DISCOVER")
            assert f"the default ({daemon.config}:3) says ris; sent to ris 10.20.0.10" in line["text"]
    finally:
        for follower in followers:
            follower.close()
    shown.wait_for(lambda: "pxerelay_web_followers 0" in shown.get("/metrics")[2])


def _next_line(answer: http.client.HTTPResponse) -> dict[str, str]:
    while True:
        line = answer.readline()
        assert line, "it was ended"
        if line.startswith(b"data: "):
            found: dict[str, str] = json.loads(line[6:])
            return found


def test_a_daemon_that_is_gone_is_told_of_and_one_that_is_back_is_asked_again(
    start: Start, station: Station, page: Callable[..., Page]
) -> None:
    daemon = start(options=())
    shown = page(daemon)
    listens(shown, station)
    assert daemon.stop() == 0
    shown.wait_for(lambda: shown.get("/healthz")[0] == 503)
    for path in ("/now", "/unknown", f"/?q={UNLISTED}"):
        status, _, body = shown.get(path)
        assert status == 503
        assert "no daemon answers at" in body
    files = ("--config", str(daemon.config), "--socket", str(daemon.socket))
    again = daemon.process = server_side(daemon, files)
    shown.wait_for(lambda: shown.get("/healthz")[0] == 200)

    def heard() -> bool:
        station.send(request(chaddr=UNLISTED))
        return bool(shown.json(f"/api/v1/search?q={UNLISTED}")["client"]["seen"])

    shown.wait_for(heard)
    assert again.poll() is None


def server_side(daemon: Daemon, files: tuple[str, ...]) -> subprocess.Popen[str]:
    """Start the daemon again, where it was."""
    namespace = daemon.process.args[3]  # type: ignore[index]
    with daemon.log_path.open("a") as log:
        return subprocess.Popen(
            ["ip", "netns", "exec", str(namespace), *PXERELAY, "run", *files],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )


def test_other_relays_are_asked_and_who_does_not_answer_is_named(
    start: Start, station: Station, page: Callable[..., Page]
) -> None:
    daemon = start(options=())
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        other = page(daemon)
        more = (
            f"relays: {{edge2: '{other.url}', gone: 'http://127.0.0.1:{free_port()}', "
            f"silent: 'http://127.0.0.1:{silent.getsockname()[1]}'}}\n"
        )
        shown = page(daemon, more)
        listens(other, station)

        def heard() -> bool:
            station.send(request(chaddr=UNLISTED))
            return bool(other.json(f"/api/v1/search?q={UNLISTED}")["client"]["seen"])

        other.wait_for(heard)
        found = {}

        def answered() -> bool:  # on a busy machine the other one may take too long as well
            nonlocal found
            found = {one["name"]: one for one in shown.json(f"/api/v1/search?q={UNLISTED}")["relays"]}
            return found["edge2"]["answer"] is not None

        shown.wait_for(answered)
    assert found["edge2"]["answer"]["client"]["seen"]["4"]["asked"]["interface"] == "vlan10"
    assert "Connect" in found["gone"]["error"] or "refused" in found["gone"]["error"]
    assert found["silent"]["error"] == "has not answered within 2 s"
    shown.wait_for(lambda: "<strong>saw it</strong>" in shown.get(f"/?q={UNLISTED}")[2])
    assert "did not answer" in shown.get(f"/?q={UNLISTED}")[2]


def test_what_the_daemon_says_of_many_clients_at_once_is_what_it_does(
    start: Start, station: Station, server: FakeServer
) -> None:
    """The question that searches share: one answer for each MAC, and who fell to a default."""
    daemon = start(options=())
    asked(daemon, station, server)
    stranger = "02:00:00:00:99:99"
    told = control_client.ask(daemon.socket, "clients", macs=[LISTED, UNLISTED, stranger])
    assert told["config"]["sha256"] == daemon.status()["config"]["sha256"]
    assert 0 < told["seconds"] < 1
    chosen = {
        mac: (said["mapping"][0]["rule"], said["mapping"][0]["servers"])
        for mac, said in told["clients"].items()
    }
    assert chosen == {
        LISTED: (LISTED, ["altiris 10.20.0.20"]),
        UNLISTED: ("default", ["ris 10.20.0.10"]),
        stranger: ("default", ["ris 10.20.0.10"]),
    }
    unknown = {mac: said["unknown"] and said["unknown"]["mac"] for mac, said in told["clients"].items()}
    assert unknown == {LISTED: None, UNLISTED: UNLISTED, stranger: None}
    for macs in (None, [], "02", ["02:00"], [LISTED] * 65, [5]):
        assert "MAC" in control_client.ask(daemon.socket, "clients", macs=macs)["error"]


def test_who_search_at_the_same_time_get_each_their_own_answer(
    start: Start, page: Callable[..., Page]
) -> None:
    daemon = start(options=())
    shown = page(daemon)
    macs = [LISTED, *(f"02:00:00:00:77:{number:02x}" for number in range(15))]
    with ThreadPoolExecutor(len(macs)) as pool:
        found = list(pool.map(lambda mac: shown.json(f"/api/v1/search?q={mac}")["client"], macs))
    assert [client["mac"] for client in found] == macs
    assert [client["mapping"][0]["rule"] for client in found] == [LISTED] + ["default"] * 15


def test_a_hundred_thousand_rules_are_searched_in_little_memory(
    start: Start, station: Station, page: Callable[..., Page], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yml"
    lines = (
        f"  02:aa:{at >> 16:02x}:{at >> 8 & 255:02x}:{at & 255:02x}:01: altiris\n" for at in range(100_000)
    )
    rules.write_text("rules:\n" + "".join(lines))
    daemon = start(options=())
    shown = page(daemon)
    assert daemon.reload(f"include: {rules}\n" + BASE)["rules"] == 100_004
    wanted = "02:aa:01:86:9f:01"  # the last one
    shown.wait_for(
        lambda: (
            shown.json(f"/api/v1/search?q={wanted}")["client"]["mapping"][0]["source"] == f"{rules}:100001"
        )
    )
    found = shown.json("/api/v1/search?q=01869f")
    assert [rule["key"] for rule in found["rules"]] == [wanted]
    megabytes = float(shown.get("/metrics")[2].rsplit("pxerelay_web_resident_memory_bytes ", 1)[1]) / 2**20
    assert megabytes < 50
    assert station


def test_others_than_this_host_and_its_names_are_refused(start: Start, page: Callable[..., Page]) -> None:
    daemon = start(options=())
    shown = page(daemon, "names: [boot.example.net]\n")
    assert shown.get("/", {"Host": "evil.example.com"})[0] == 421
    assert shown.get("/", {"Host": f"boot.example.net:{shown.port}"})[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", shown.port, timeout=30)
    connection.request("POST", "/")
    assert connection.getresponse().status == 405
    connection.close()


def test_a_unix_socket_is_for_its_group_and_gone_afterwards(start: Start, tmp_path: Path) -> None:
    daemon = start(options=())
    path, config = tmp_path / "web.sock", tmp_path / "web.yml"
    config.write_text(f"listen: {path}\n")
    command = [*PXERELAY, "web", "--config", str(config), "--socket", str(daemon.socket)]
    process = subprocess.Popen(command)
    try:
        daemon.wait_for(lambda: b" 200 " in first_line(path), 40)
        assert path.stat().st_mode & 0o777 == 0o660
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0
    assert not path.exists()


def first_line(path: Path) -> bytes:
    """Return how the page at a socket answers; nothing while nobody listens there."""
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
        sock.settimeout(30)
        sock.connect(str(path))
        sock.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        return sock.recv(4096).partition(b"\r\n")[0]
    return b""


def test_the_service_manager_is_told_once_it_answers(start: Start, tmp_path: Path) -> None:
    daemon = start(options=())
    path, config = tmp_path / "web.sock", tmp_path / "web.yml"
    config.write_text(f"listen: {path}\n")
    command = [*PXERELAY, "web", "--config", str(config), "--socket", str(daemon.socket)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        process = subprocess.Popen(command, env=os.environ | {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        try:
            assert manager.recv(100) == b"READY=1"
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
        finally:
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(30) == 0


def test_both_families_are_told_of(start: Start, station6: Station6, page: Callable[..., Page]) -> None:
    daemon = start(BASE6, options=())
    shown = page(daemon)

    def heard() -> bool:
        station6.send(dhcp6.solicit(dhcp6.duid_ll(station6.mac)))
        return "6" in shown.json(f"/api/v1/search?q={UNLISTED}")["client"]["seen"]

    shown.wait_for(heard)
    client = shown.json(f"/api/v1/search?q={UNLISTED}")["client"]
    servers = {(told["family"], *told["servers"]) for told in client["mapping"] if "vlan10" in told["where"]}
    assert servers == {(4, "ris 10.20.0.10"), (6, "ris 2001:db8:20::10")}
    asked = client["seen"]["6"]["asked"]
    assert (asked["interface"], asked["message"]) == ("vlan10", "SOLICIT")
    assert asked["servers"] == ["ris 2001:db8:20::10"]
    assert "DHCPv6" in shown.get(f"/?q={UNLISTED}")[2]
