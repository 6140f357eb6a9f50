"""requests' own adapter, held to our rules: connections, proxies, cookies, what is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import requests

import rawllm
from rawllm.adapters import Session
from tests.servers import AUTHORITY, CHAT, answer, serve


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


# --- connections ------------------------------------------------------------


def test_a_connection_is_used_again_until_the_session_is_closed(session: Session) -> None:
    with serve(answer(b"a")) as server:
        for path in "/a", "/b", "/a":
            assert session.get(server.url + path).content == b"a"
        session.close()
        session.close()
        assert session.get(server.url + "/a").content == b"a"
        session.close()
    assert [r.connection for r in server.requests] == [0, 0, 0, 1]


def test_ever_new_addresses_use_one_connection(session: Session) -> None:
    with serve(answer(b"a")) as server:
        for number in range(150):
            assert session.get(f"{server.url}/{number}").content == b"a"
        session.close()
    assert {r.connection for r in server.requests} == {0}


@pytest.mark.parametrize("verify", [AUTHORITY, False], ids=["an authority", "anybody"])
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_who_is_trusted_is_said_with_each_request(session: Session, verify: Any) -> None:
    with serve(answer(b"a"), tls=True) as server:
        for _ in range(2):
            assert session.get(server.url, verify=verify).content == b"a"
        with pytest.raises(requests.exceptions.SSLError):
            session.get(server.url)
        session.close()


def test_authorities_that_are_not_there_are_not_taken_for_trust(session: Session) -> None:
    with serve(answer(b"a"), tls=True) as server:
        for _ in range(2):
            with pytest.raises(OSError, match="nowhere"):
                session.get(server.url, verify="/nowhere.pem")
        session.close()


# --- proxies ----------------------------------------------------------------


def test_a_proxy_gets_the_whole_address_and_its_password(session: Session) -> None:
    with serve(answer(b"a")) as proxy:
        proxies = {"http": f"http://me:pw@127.0.0.1:{proxy.port}"}
        for _ in range(2):
            session.get("http://server.test/v1/x", proxies=proxies).close()
        session.close()
    assert proxy.requests[1].path == "http://server.test/v1/x"
    assert proxy.requests[1].headers["proxy-authorization"] == "Basic bWU6cHc="


def test_a_socks_proxy_keeps_its_own_connections() -> None:
    with rawllm.Client(
        "http://server.test/v1?key=s3cret", proxies={"http": "socks5h://127.0.0.1:9"}
    ) as client:
        with pytest.raises(rawllm.APIError, match="SOCKS"):
            client.chat("m", "x")


# --- an answer --------------------------------------------------------------


def test_no_cookies_are_kept() -> None:
    with serve(answer(CHAT, set_cookie="a=b; Path=/")) as server:
        with rawllm.Client(server.url) as client:
            client.chat("m", "x")
            client.chat("m", "x")
        assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("headers", [{}, {"set_cookie": "a=b; Path=/"}], ids=["plain", "cookies"])
def test_an_answer_has_all_that_requests_says_of_one(
    session: Session, headers: dict[str, str]
) -> None:
    with serve(answer("ä".encode(), 404, content_type="text/x; charset=utf-8", **headers)) as here:
        ours = session.get(f"{here.url}/x")
        with requests.Session() as other:
            theirs = other.get(f"{here.url}/x")
        session.close()
    same = ("status_code", "reason", "encoding", "url", "headers", "text", "history", "is_redirect")
    assert [getattr(ours, name) for name in same] == [getattr(theirs, name) for name in same]
    assert ours.cookies.get_dict() == theirs.cookies.get_dict()
    assert vars(ours).keys() == vars(theirs).keys()
    assert ours.request.url == theirs.request.url
    assert type(ours.connection).__bases__ == (type(theirs.connection),)


# --- secrets ----------------------------------------------------------------


def test_what_urllib3_logs_of_an_address_has_no_secret(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(answer(b"a")) as server:
        session.get(f"{server.url}/x", params={"key": "s3cret", "n": "1"})
        session.get(f"{server.url}/y", params={"n": "s3cret"})
        session.get("http://server.test/z?token=s3cret", proxies={"http": server.url[:-3]})
        session.close()
    assert [r.path.partition(":")[2] or r.path for r in server.requests] == [
        "/v1/x?key=s3cret&n=1",
        "/v1/y?n=s3cret",
        "//server.test/z?token=s3cret",
    ]
    assert "/v1/x?key=***&n=1" in caplog.text
    assert "/z?token=***" in caplog.text
    assert caplog.text.count("s3cret") == 1  # what no name says to be a secret
