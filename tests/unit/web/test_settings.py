"""The page's own file: what it means, and all of its faults at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from pxerelay.config.document import parse
from pxerelay.config.findings import ConfigError
from pxerelay.web.settings import OtherRelay, Settings, load, read, wanted

DOCS = Path(__file__).parents[3] / "docs"


def said(text: str) -> Settings:
    return read(parse("web.yml", text))


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        said(text)
    return [f"{one.place}: {one.message}" for one in raised.value.findings]


def test_an_empty_file_listens_at_a_unix_socket() -> None:
    assert said("") == Settings("/run/pxerelay-web/web.sock")
    assert said("").hosts is None


def test_all_keys_are_read() -> None:
    found = said(
        "listen: '[2001:db8::1]:8067'\n"
        "tls: {certificate: /c.pem, key: /k.pem}\n"
        "password_file: /p\n"
        "relays:\n  edge2: https://edge2.example.net:8067/\n"
        "  edge3: {url: 'https://192.0.2.3', login_file: /l, ca_file: /ca}\n"
    )
    assert (found.path, found.address, found.port) == (None, "2001:db8::1", 8067)
    assert found.relays == (
        OtherRelay("edge2", "https://edge2.example.net:8067"),
        OtherRelay("edge3", "https://192.0.2.3", "/l", "/ca"),
    )
    assert found.at == "https://[2001:db8::1]:8067/"


def test_on_the_loopback_interface_it_goes_by_few_names() -> None:
    found = said("listen: 127.0.0.1:8067\nnames: [Boot.example.net]\n")
    assert sorted(found.hosts or ()) == ["127.0.0.1", "boot.example.net", "localhost"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "listen: 192.0.2.1:80\n",
            "web.yml:1:9: listen: others than this host reach 192.0.2.1, so `tls:` and",
        ),
        (
            "listen: 0.0.0.0:80\npassword_file: /p\n",
            "web.yml:1:9: listen: others than this host reach 0.0.0.0",
        ),
        ("listen: 8067\n", "web.yml:1:9: listen: 8067 is not a path that begins with /, or an address"),
        (
            "listen: 127.0.0.1:99999\n",
            "web.yml:1:9: listen: '127.0.0.1:99999' can't be listened at: 99999 is no",
        ),
        ("listen: 127.0.0.300:80\n", "web.yml:1:9: listen: '127.0.0.300:80' can't be listened at: "),
        ("lisen: /a\n", "web.yml:1:1: unknown key 'lisen'; did you mean 'listen'?"),
        ("listen: /a\ntls: {certificate: /c, key: /k}\n", "web.yml:2:1: tls: a Unix socket has no TLS"),
        ("behind_proxy: [192.0.2]\n", "web.yml:1:16: behind_proxy[1]: '192.0.2' is not an IPv4 or IPv6"),
        ("relays: {a: 'ftp://b'}\n", "web.yml:1:13: relays.a: 'ftp://b' is not a URL such as"),
        ("relays: {a: 'http://b:70000'}\n", "web.yml:1:13: relays.a: 'http://b:70000' has no port up to"),
        (
            "relays: {a: {url: 'http://b', login_file: /l}}\n",
            "web.yml:1:13: relays.a: a login goes over https",
        ),
    ],
)
def test_a_fault_is_told_with_its_place_and_what_would_be_right(text: str, expected: str) -> None:
    (told,) = faults(text)
    assert told.startswith(expected)


def test_all_faults_are_told_at_once() -> None:
    assert len(faults("lisen: /a\nnames: 5\nrelays: {a: 5}\n")) == 3


def test_behind_a_proxy_any_address_will_do() -> None:
    assert said("listen: 192.0.2.1:80\nbehind_proxy: [192.0.2.7]\n").behind_proxy == ("192.0.2.7",)


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        load(tmp_path / "web.yml")


def test_the_documentation_has_each_key() -> None:
    text = (DOCS / "web.md").read_text("utf-8")
    assert [key for key in wanted()["properties"] if f"| `{key}` |" not in text] == []
