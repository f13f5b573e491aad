"""Fleet as a whole, on real hosts, with the real llama.cpp."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controller import Controller

_numbers = itertools.count()
Controllers = Callable[..., Controller]


@pytest.fixture(scope="session")
def controllers(tmp_path_factory: pytest.TempPathFactory, llama_server: Path) -> Controllers:
    """Makes controllers with records of their own; llama.cpp lies in the cache that they share."""
    top = tmp_path_factory.mktemp("controllers")

    def make(cache: Path | None = None) -> Controller:
        return Controller(top / str(next(_numbers)), cache)

    return make
