"""A device that another program lends: offloading for real, on a machine without a GPU.

A ggml-rpc-server on loopback, of the same build, is a device to llama.cpp as a card is: with lines
about offloading, and a fall back to the processor that must be noticed.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.controller import BUILD_DEADLINE, CHAT, SMOKE, Ended, compiling, share_compilations
from tests.live.sites import Site

TRIES = 3000  # of 20 ms
EMPTY: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class Lent:
    """A host whose llama.cpp computes on a device that is lent."""

    site: Site
    place: str  # ADDRESS:PORT of the lender
    lender: Path  # the program
    refused: Ended  # the build, while nobody lent anything

    @property
    def build(self) -> Path:
        (found,) = self.site.root.glob("builds/*")
        return found


@pytest.fixture(scope="module")
def lent(embedded, controllers) -> Lent:
    """Built by fleet, or from the cache; and proven, which takes somebody who lends."""
    site = Site(controllers(), embedded.up(["b1"])["b1"])
    share_compilations(site.home)
    place = f"127.0.0.1:{free_port()}"
    site.controller.write([site.host], settings={"b1": {"backend": "rpc", "rpc": [place]}})
    with compiling():
        refused = site.controller("build", "b1", "--yes", deadline=BUILD_DEADLINE)
        program = site.root / "work" / "build" / "bin" / "ggml-rpc-server"
        if not program.exists():  # it came from the cache
            (packed,) = site.root.glob("parts/build-*.tar.gz")
            wanted = ["tar", "-xzf", str(packed), "-C", str(site.home), "bin/ggml-rpc-server"]
            subprocess.run(wanted, check=True)
            program = site.home / "bin" / "ggml-rpc-server"
        with lending(program, place):
            site.controller.well("build", "b1", "--yes", deadline=BUILD_DEADLINE)
    return Lent(site, place, program, refused)


def test_a_build_is_not_proven_where_nobody_lends_and_says_who_is_away(lent):
    assert lent.refused.code == 1
    assert f"no ggml-rpc-server answers at {lent.place}" in lent.refused.err
    assert "start ggml-rpc-server there, of the same llama.cpp" in lent.refused.err


def test_the_build_computes_with_the_device_that_is_lent(lent):
    record = json.loads((lent.build / "BUILD.json").read_text())
    assert record["backend"] == "rpc"
    assert "GGML_RPC=ON" in record["options"]
    assert sorted(record["files"]) == ["ggml-rpc-server", "llama-bench", "llama-fit-params", "llama-server"]
    assert f"RPC0: {lent.place}" in (lent.build / "says" / "devices.txt").read_text()


def test_a_server_puts_its_weights_on_the_device(lent):
    with lending(lent.lender, lent.place), serving(lent, "--device", "RPC0", "--gpu-layers", "99") as server:
        assert complete(server) == 200
        log = server.log()
        assert re.search(r"offloaded (\d+)/\1 layers to GPU", log)
        assert f"RPC0[{lent.place}] model buffer size" in log


def test_a_server_that_falls_back_to_the_processor_says_so_only_in_its_buffers(lent):
    """The line about offloaded layers is the same; that is why fleet reads the buffers."""
    with lending(lent.lender, lent.place), serving(lent, "--device", "none", "--gpu-layers", "99") as server:
        assert complete(server) == 200
        log = server.log()
        assert re.search(r"offloaded (\d+)/\1 layers to GPU", log)
        assert "CPU_Mapped model buffer size" in log
        assert "RPC0[" not in log


def test_a_device_that_is_not_there_is_refused_when_it_is_named(lent):
    with lending(lent.lender, lent.place):
        argv = (lent.build / "bin" / "llama-server", "--rpc", lent.place, "--device", "RPC1")
        said = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "invalid device: RPC1" in said.stderr


def test_a_server_whose_lender_dies_gives_up(lent):
    with contextlib.ExitStack() as stack:
        lender = stack.enter_context(lending(lent.lender, lent.place))
        server = stack.enter_context(serving(lent, "--device", "RPC0", "--gpu-layers", "99"))
        assert complete(server) == 200
        lender.kill()
        lender.wait()
        assert complete(server) is None
        assert server.process.wait(60) == -signal.SIGABRT
        assert "Remote RPC server crashed or returned malformed response" in server.log()


def test_fleet_serves_from_the_device_and_shows_that_it_does(lent):
    with lending(lent.lender, lent.place), deployed(lent, "chat") as ended:
        assert ended.code == 0, ended
        assert lent.site.server()["state"] == "ready"
        assert f"RPC0[{lent.place}] model buffer size" in served(lent)
        assert lent.site.controller.well("deploy", "b1", "--yes", "--json").host["steps"] == []


def test_fleet_does_not_call_a_server_ready_whose_weights_are_on_the_processor(lent):
    with lending(lent.lender, lent.place), deployed(lent, "slow", {"gpu-layers": 0}) as ended:
        assert ended.code == 1
        assert "slow answers, but not on the GPU: its weights are in main memory" in ended.err


def test_fleet_says_in_words_that_the_lender_is_away(lent):
    with contextlib.ExitStack() as stack:
        lender = stack.enter_context(lending(lent.lender, lent.place))
        ended = stack.enter_context(deployed(lent, "orphan"))
        assert ended.code == 0, ended
        lender.kill()
        lender.wait()
        again = lent.site.controller("restart", "orphan@b1", "--yes")
        assert again.code == 1
        assert f"the RPC server {lent.place} does not answer" in again.err


@contextlib.contextmanager
def deployed(lent: Lent, name: str, args: Mapping[str, object] = EMPTY) -> Iterator[Ended]:
    """What the deploy of one server said; it is stopped at the end of the block, and stays so."""
    site = lent.site
    keys = {"backend": "rpc", "rpc": [lent.place]}
    server = dict(CHAT) | ({"args": args} if args else {})
    site.controller.write([site.host], servers={name: server}, settings={"b1": keys})
    try:
        yield site.controller("deploy", "b1", "--yes")
    finally:
        site.controller("stop", f"{name}@b1", "--yes")


def served(lent: Lent) -> str:
    """The log of the server that fleet started."""
    (written,) = lent.site.root.glob("services/chat/log/server.log")
    return written.read_text(errors="replace")


@dataclass
class Server:
    process: "subprocess.Popen[bytes]"
    port: int
    written: Path

    def log(self) -> str:
        return self.written.read_text(errors="replace")


@contextlib.contextmanager
def lending(program: Path, place: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A ggml-rpc-server, until the end of the block."""
    address, _, port = place.rpartition(":")
    with _ended(
        subprocess.Popen(
            [program, "-H", address, "-p", port], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    ) as process:
        for _ in range(TRIES):
            with contextlib.suppress(OSError), socket.create_connection((address, int(port))):
                break
            assert process.poll() is None
            time.sleep(0.02)
        yield process


@contextlib.contextmanager
def serving(lent: Lent, *words: str) -> Iterator[Server]:
    """The llama-server of the build, with the tiny model, until the end of the block."""
    port = free_port()
    written = lent.site.home / f"server-{port}.log"
    argv: Sequence[str | os.PathLike[str]] = (
        lent.build / "bin" / "llama-server", "--rpc", lent.place, "--model", SMOKE, "--port", str(port),
        "--ctx-size", "256", "--parallel", "1", "--log-verbosity", "4", "--log-colors", "off",
        "--cache-ram", "0", *words,
    )  # fmt: skip
    with written.open("wb") as log, _ended(subprocess.Popen(argv, stdout=log, stderr=log)) as process:
        yield Server(process, port, written)


@contextlib.contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def complete(server: Server) -> int | None:
    """The status of one completion once the model is loaded; None where the server went away."""
    body = json.dumps({"prompt": "a", "n_predict": 2}).encode()
    for _ in range(TRIES):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/completion", body) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            assert error.code == 503  # the model is being loaded
        except (urllib.error.URLError, OSError):
            if server.process.poll() is not None:
                return None
        time.sleep(0.02)
    raise AssertionError(server.log()[-2000:])


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
