"""The server as a fixture of pytest: the only file that imports it.

In the `conftest.py` of the top directory, or in a file of tests:

    pytest_plugins = ["rawllm.testing.fixtures"]

and then in a test:

    def test_the_user_is_told_that_an_answer_is_cut(llm_server):
        llm_server.scenario = "cut-fin"
        with pytest.raises(rawllm.IncompleteStreamError):
            app.ask("Hello?", base_url=llm_server.url)
        assert llm_server.requests[0].json["messages"][0]["content"] == "Hello?"

(PYTEST_DONT_REWRITE: it may be imported before pytest gets to it.)
"""

from collections.abc import Collection, Iterator

import pytest

from rawllm.testing import Request, Server, Site
from rawllm.testing.scripts import Script


class LLMServer:
    """The server of one test."""

    def __init__(self) -> None:
        #: What was asked so far, oldest first. A request is here before
        #: anything is sent for it.
        self.requests: list[Request] = []
        self._behave("plain", ())
        self._server = Server(self._answer)
        #: What a client is given as `base_url`.
        self.url: str = self._server.url

    @property
    def scenario(self) -> str:
        """How every model behaves whose name is no scenario: "plain" until it is set.

        It is a name of `SCENARIOS`, with its argument if it takes one, as in
        "slow:200". When it is set the server forgets what it has been asked: a
        model that loads does so again. Raises `ValueError` for another name or
        argument.
        """
        return self._scenario

    @scenario.setter
    def scenario(self, name: str) -> None:
        self._behave(name, self._keys)

    @property
    def keys(self) -> Collection[str]:
        """The keys of which one must be sent; while there are none, any will do.

        `TypeError` is raised for a text, which is no collection of keys.
        """
        return self._keys

    @keys.setter
    def keys(self, keys: Collection[str]) -> None:
        self._behave(self._scenario, keys)

    def close(self) -> None:
        """Close every connection; no thread is left."""
        self._server.close()

    def _behave(self, scenario: str, keys: Collection[str]) -> None:
        self._site = Site(scenario, keys=keys)
        self._scenario, self._keys = scenario, frozenset(keys)

    def _answer(self, request: Request) -> Script:
        self.requests.append(request)
        return self._site.answer(request)


@pytest.fixture
def llm_server() -> Iterator[LLMServer]:
    """A server of the protocol, for one test. Nobody has asked it anything yet."""
    server = LLMServer()
    yield server
    server.close()
