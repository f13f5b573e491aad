"""Real starts of the real llama-server, and what it said it took."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from fleet.core.facts import Facts
from fleet.io.models.memory import read_header
from fleet.models import buffers
from fleet.models.buffers import Buffers
from fleet.models.layout import Layout, layout
from fleet.models.placement import Model, Placement, whole
from fleet.models.repack import reordered
from fleet.models.room import HOST, Pool
from fleet.models.wish import Wish
from tests.models.values import BARE

MOST_LINES = 20_000
ENDS = ("model loaded", "exiting due to", "error:")
PLANNED = "sched_reserve: graph"  # a file without weights is not run: all is allocated here


def start(server: Path, model: Path, wish: Wish, *more: str, is_whole: bool = True) -> Buffers:
    """What a start took, until the model is loaded; it is ended then.

    Args:
        is_whole: wait until it is ready; without, until everything is allocated.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [str(server), "--model", str(model), *arguments(wish), "--port", str(port), *more]
    argv += ["--log-verbosity", "4", "--fit", "off", "--offline"]
    argv += [] if is_whole else ["--no-warmup"]
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        return buffers.read(list(_until(process.stderr, ENDS if is_whole else (*ENDS, PLANNED))))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def arguments(wish: Wish) -> list[str]:
    """The wish as llama-server takes it."""
    words: list[str | int] = ["--parallel", wish.parallel, "--ubatch-size", wish.ubatch]
    words += ["--cache-type-k", wish.kv_type_k, "--cache-type-v", wish.kv_type_v]
    words += ["--ctx-size", wish.context] if wish.context else []
    words.append("--kv-unified" if wish.unified and wish.parallel > 1 else "--no-kv-unified")
    words += ["--swa-full"] if wish.swa_full else []
    words += ["--batch-size", max(2048, wish.ubatch)]
    return [str(word) for word in words]


def predicted(model: Path, wish: Wish) -> Placement:
    """What fleet says of the same start on this machine's processor."""
    return whole(
        Model(_layout(model), wish, reordered=reordered(here(), "cpu")), (Pool(HOST, "", None, None),)
    )


def here() -> Facts:
    """This machine, as far as its memory depends on it."""
    flags: tuple[str, ...] = ()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("flags", "Features")):
            flags = tuple(line.partition(":")[2].split())
            break
    arch = "arm64" if "asimd" in flags else "x86_64"
    return replace(BARE, arch=arch, cpu=replace(BARE.cpu, flags=flags))


def _layout(model: Path) -> Layout:
    return layout(read_header(model))


def _until(stream: IO[str], words: tuple[str, ...]) -> Iterator[str]:
    for _, line in zip(range(MOST_LINES), stream, strict=False):
        yield line
        if any(word in line for word in words):
            return
    print("llama-server ended before it was loaded", file=sys.stderr)
