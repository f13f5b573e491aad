"""Predicted against real: the real llama-server, the real model, and files in published shapes."""

import asyncio

import pytest

from fleet.core.inventory import Model
from fleet.io.folders import find
from fleet.io.hubs.access import Access
from fleet.io.models import search as model_search
from fleet.models import buffers
from fleet.models.buffers import MIB
from fleet.models.layout import layout
from fleet.models.placement import Model as Sized
from fleet.models.placement import whole
from fleet.models.repack import Q4_K
from fleet.models.room import Pool
from fleet.models.wish import Wish
from tests.controller import GEMMA
from tests.models.values import GIB, read
from tests.shapes import SHAPES, write
from tests.starts import predicted, start

WISHES = {
    "one slot": Wish(4096, 1),
    "four slots that share": Wish(8192, 4),
    "four slots apart, q8_0": Wish(4096, 4, unified=False, kv_type_k="q8_0", kv_type_v="q8_0"),
    "large batches, the whole window": Wish(2048, 1, ubatch=1024, swa_full=True),
}
# a dense model, one with experts, one with windows, one that recurs
MADE = ("qwen3-8b", "qwen3-30b-a3b", "gemma3-27b", "qwen3.5-27b")


@pytest.fixture(scope="module")
def gemma(tmp_path_factory):
    """The real model, from the user's cache."""
    wish, base, folders = Model(**GEMMA), tmp_path_factory.mktemp("gemma"), find()
    access = Access({}, base)

    async def fetched():
        found = await model_search.find("gemma", wish, base, folders, access, print)
        return await model_search.path("gemma", wish, found, base, folders, access, print)

    return asyncio.run(fetched())


@pytest.mark.parametrize("name", WISHES)
def test_a_real_start_takes_what_was_predicted(llama_server, gemma, name):
    wish = WISHES[name]
    real, said = start(llama_server, gemma, wish), predicted(gemma, wish).host
    assert abs(said.logged - real.total) < 0.02 * real.total
    # and not by luck: each part is right
    assert abs(said.kv - real.kv) < 0.05 * MIB
    assert abs(said.compute - real.compute) < 0.1 * MIB
    assert abs(said.weights + said.other + said.again - real.weights - real.output) < 0.1 * MIB


def test_embeddings_take_the_outputs_of_every_token(llama_server, gemma):
    wish = Wish(2048, 2, ubatch=1024, all_outputs=True)
    real = start(llama_server, gemma, wish, "--embeddings", "--pooling", "mean", "--batch-size", "1024")
    said = predicted(gemma, wish).host
    assert abs(said.logged - real.total) < 0.02 * real.total


@pytest.mark.parametrize(("log", "layers"), [("all_layers", None), ("partial_10", 10)])
def test_what_lies_on_a_device_and_beside_it_is_what_the_log_says(shared, gemma, log, layers):
    text = (shared / f"recordings/llama.cpp/b11434-cpu/rpc/log_lv4_rpc_{log}.stderr.txt").read_text()
    real = buffers.read(text.splitlines())
    room = (Pool("RPC0", "", None, GIB), Pool("host", "", None, GIB))
    wish = Wish(2048, 1, gpu_layers=layers)
    device, host = whole(Sized(layout(read(gemma)), wish, reordered=frozenset({Q4_K})), room).uses
    for use in (device, host):
        assert abs(use.logged - real.on(use.pool)) < 0.02 * real.on(use.pool)
    assert abs(device.weights - real.of("weights", "RPC0")) < 0.02 * MIB
    assert abs(host.weights + host.other + host.again - real.of("weights", "host") - real.output) < 0.02 * MIB
    assert device.kv == real.of("kv", "RPC0")


@pytest.mark.parametrize("name", MADE)
def test_a_published_shape_takes_what_was_predicted(llama_server, tmp_path, name):
    wish = Wish(4096, 2)
    path = write(tmp_path / "model.gguf", SHAPES[name], layers=4)
    real = start(llama_server, path, wish, is_whole=False)
    said = predicted(path, wish).host
    assert abs(said.logged - real.total) < 0.02 * real.total
    assert abs(said.kv - (real.kv or 0) - (real.recurrent or 0)) < 0.05 * MIB
    assert real.compute * 0.999 <= said.compute <= real.compute * 1.1
