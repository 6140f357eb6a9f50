"""A client and a mock of its server, where one request and its JSON are the subject."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import responses

import rawllm
from tests.servers import BASE


@pytest.fixture
def client() -> Iterator[rawllm.Client]:
    with rawllm.Client(BASE, "sk-1", max_retries=0) as client:
        yield client


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock
