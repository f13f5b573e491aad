"""A limit that is typed, or written in the inventory, is kept on a real push."""

import os
import shutil
from pathlib import Path

import pytest

from tests.controller import SMOKE
from tests.embedded import Embedded
from tests.inside import Inside

LIMIT = 4_000_000  # bytes/s
SIZE = 9 << 20  # bytes; from 8 MiB a push takes connections of its own


@pytest.mark.parametrize("is_typed", [True, False], ids=["--limit-rate", "limit_rate"])
def test_no_more_is_sent_than_the_limit_says(
    embedded: Embedded, tmp_path: Path, capsys: pytest.CaptureFixture[str], is_typed: bool
) -> None:
    (host,) = embedded.up([f"slow-{int(is_typed)}"]).values()
    model = tmp_path / "big.gguf"
    model.write_bytes(SMOKE.read_bytes() + os.urandom(SIZE))
    fleet = Inside(tmp_path / "desk", capsys)
    settings = {} if is_typed else {host.name: {"limit_rate": LIMIT}}
    fleet.write([host], {}, {"big": {"source": f"file:{model}", "allow_unpinned": True}}, settings)
    words = ["push", host.name, "--model", "big", "--yes", "--jsonl"]
    done = fleet.well(*words, *(["--limit-rate", "4M"] if is_typed else []))
    (step,) = done.events("step_done")
    # A slow machine takes longer, none takes less; half, for what pipes take at once.
    assert step["seconds"] >= SIZE / LIMIT / 2
    host.close()
    shutil.rmtree(host.home, ignore_errors=True)


def test_a_limit_that_is_no_rate_is_refused_before_anything_moves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = Inside(tmp_path / "desk", capsys)
    fleet.write([], {}, {})
    ended = fleet("push", "all", "--yes", "--limit-rate", "fast")
    assert ended.code == 2
    assert "-> next: " in ended.err
