"""How long a server may send next to nothing."""

import asyncio
import math
from pathlib import Path

import pytest

from fleet.core.errors import DeadlineError
from fleet.io.fetch.arrivals import Arrivals
from fleet.io.fetch.part_file import PartFile

IDLE = 4.0  # seconds


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    url = "http://127.0.0.1/file"
    part = PartFile(tmp_path / "part", url)
    part.begin(None, None)
    return Arrivals(url, part, lambda line: None, IDLE)


async def test_a_server_that_asked_for_a_pause_has_all_of_the_time_after_it(arrivals: Arrivals):
    assert arrivals.quiet() == math.inf
    arrivals.add(1 << 20)
    watching = asyncio.create_task(arrivals.watch())
    with arrivals.waiting():
        await asyncio.sleep(IDLE * 1.9)
    await asyncio.wait({watching}, timeout=IDLE / 2)
    assert not watching.done()
    assert arrivals.quiet() < math.inf
    with pytest.raises(DeadlineError, match="sends less than"):
        await asyncio.wait_for(watching, 60)
