"""What a person reads when fleet plans for eight kinds of machines, recorded and asked over real SSH.

The hosts of the rig have this machine's /usr and /usr/local: a CUDA toolkit without cuBLAS and
Vulkan's development files may be there that the recorded machine did not have, so that Vulkan is
chosen where the machine itself would get CUDA or ROCm. What is asserted of a GPU is true of
either, but for the name of the device.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.controller import GEMMA, Controller
from tests.live.sites import digest
from tests.platforms.machines import MACHINES, restored
from tests.rig.hosts import Rigs
from tests.shapes import Q4_K, SHAPES, write

pytestmark = [
    pytest.mark.skipif(not MACHINES.is_dir(), reason="../shared/machines is not there"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]

WIDE = 80  # columns
GPU_NAMES = ("CUDA", "ROCm", "Vulkan")
BIG = "qwen3-8b"  # 4.3 GiB: all its matrices are Q4_K
TRAINED = 40960  # tokens
SETTINGS = {
    "device",
    "ctx-size",
    "parallel",
    "cache-type-k",
    "flash-attn",
    "batch-size",
    "ubatch-size",
    "threads",
    "load-mode",
    "cache-ram",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What its plan must say of the big model.

    Attributes:
        card: its GPU, as a person calls it; None where there is none to compute with.
        threads: its fast cores; None where the system does not tell.
        context: tokens, the least and the most that are sensible.
        expected: tokens/s that its range must meet; None where nobody can tell.
        remarks: further words of the plan.
    """

    card: str | None
    devices: int
    threads: int | None
    context: tuple[int, int]
    expected: tuple[int, int] | None
    remarks: tuple[str, ...] = ()


# The speeds are rooflines by hand: bandwidth of the memory by the 4.3 GiB of the model, less a third at most.
KINDS = {
    "rtx4070-desktop": Machine("NVIDIA GeForce RTX 4070", 1, 16, (16384, TRAINED), (60, 109)),
    "laptop-6p8e": Machine(None, 0, 6, (TRAINED, TRAINED), (5, 17), ("no GPU here", "so the CPU alone")),
    "mac-m3max-36gb": Machine("Apple M3 Max", 1, 10, (TRAINED, TRAINED), (40, 65)),
    "dual-rtx3090": Machine("NVIDIA GeForce RTX 3090", 2, 16, (TRAINED, TRAINED), (80, 203)),
    "rx7900xtx-dual": Machine("AMD Radeon RX 7900 XTX", 2, 16, (TRAINED, TRAINED), (80, 208)),
    "jetson-orin-nano-8gb": Machine("tegra234", 1, 6, (8192, 20480), (10, 22)),
    "pi5-16gb": Machine(None, 0, 4, (4096, TRAINED), (1, 4), ("no GPU here",)),
    "wsl2": Machine(None, 0, None, (4096, TRAINED), None, ("its speed here is unknown", "WSL does not say")),
}


@dataclass(frozen=True, slots=True)
class Told:
    """A plan as it was printed, and as a document."""

    text: str
    document: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        return {one["name"]: one for one in self.document["settings"]["big"]}

    @property
    def flat(self) -> str:
        return " ".join(self.text.split())


@pytest.fixture(scope="module")
def plans(rig: Rigs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Told]]:
    folder = tmp_path_factory.mktemp("plans")
    profiles = [f"{name}={restored(name, folder / 'machines')}" for name in KINDS]
    hosts = rig.up(list(KINDS), profile=profiles)
    try:
        file = write(folder / "Qwen3-8B-Q4_K.gguf", SHAPES[BIG], file_type=15, packed=Q4_K)
        models = {BIG: {"source": f"file:{file}", "sha256": digest(file)}, "gemma": GEMMA}
        servers = {
            "big": {"model": BIG, "on": ["all"]},
            "small": {"model": "gemma", "on": ["all"], "context": 4096},
        }
        controller = Controller(folder / "controller")
        controller.write(hosts.values(), servers, models)
        found = {name: _planned(controller, name) for name in KINDS}
        controller.write(hosts.values(), servers, models, {"rtx4070-desktop": {"backend": "cuda"}})
        yield found | {"refused": _planned(controller, "rtx4070-desktop")}
    finally:
        hosts.down()


def _planned(controller: Controller, name: str) -> Told:
    ended = controller("plan", name, "--explain")
    document = controller("plan", name, "--explain", "--json").host
    return Told(ended.out + ended.err, document)


@pytest.fixture(params=list(KINDS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_the_plan_builds_brings_starts_and_looks(plans, name):
    assert plans[name].document["error"] is None, plans[name].text
    titles = " ".join(step["title"] for step in plans[name].document["steps"])
    for step in ("build llama.cpp", f"push model {BIG}", "start big", "wait until big answers"):
        assert step in titles
    assert "None" not in titles


def test_what_it_computes_with_is_named_with_the_reason(plans, name):
    told, kind = plans[name], KINDS[name]
    device = told.settings["device"]
    if kind.card is None:
        assert device["value"] == "none"
    else:
        words = ("MTL",) if kind.card.startswith("Apple") else GPU_NAMES
        names = device["value"].split(",")
        assert len(names) == kind.devices
        assert all(one.startswith(words) and one.endswith(str(at)) for at, one in enumerate(names))
        assert kind.card in device["reason"]
        assert told.settings["gpu-layers"]["value"] == "auto"
    for remark in kind.remarks:
        assert remark in told.flat


def test_a_gpu_that_gets_vulkan_is_told_what_its_own_toolkit_lacks(plans, name):
    kind, told = KINDS[name], plans[name]
    if kind.card is None or not told.settings["device"]["value"].startswith("Vulkan"):
        return
    (note,) = [note for note in told.document["notes"] if "is not used" in note]
    assert re.match(r"(NVIDIA CUDA|AMD ROCm) is not used: .*; to use it: ", note)
    assert "(looked in " in note


def test_who_asks_for_cuda_is_refused_with_what_to_type(plans):
    told = plans["refused"]
    error = told.document["error"]
    assert told.document["steps"] == []
    assert "needs the development files of cuBLAS, which are not there (looked in " in error["message"]
    assert error["next"].startswith("on rtx4070-desktop: sudo apt-get install libcublas-dev-12-4")
    assert 'set backend = "vulkan" under [hosts.rtx4070-desktop]' in error["next"]
    assert error["next"] in told.text


def test_threads_are_the_fast_cores(plans, name):
    assert plans[name].settings["threads"]["value"] == KINDS[name].threads


def test_the_context_is_what_the_memory_holds(plans, name):
    least, most = KINDS[name].context
    setting = plans[name].settings["ctx-size"]
    assert least <= setting["value"] <= most
    assert re.search(r"\d+\.\d GiB for it (in main memory|on [A-Z])", setting["reason"])


def test_memory_and_speed_are_numbers_with_a_range_or_unknown(plans, name):
    (note,) = [note for note in plans[name].document["notes"] if note.startswith("big: needs ")]
    assert 4.3 < float(re.search(r"needs (\d+\.\d) GiB", note)[1]) < 16
    expected = KINDS[name].expected
    if expected is None:
        assert re.search(r"its speed here is unknown \(.+\)$", note)
        return
    low, high = map(int, re.search(r"(\d+)-(\d+) tokens/s are expected \(.* GB a token", note).groups())
    assert 0 < low < high
    assert low <= expected[1] and high >= expected[0]


def test_every_setting_has_its_reason_and_source(plans, name):
    settings = plans[name].settings
    assert set(settings) >= SETTINGS
    for one in settings.values():
        assert one["reason"] and one["source"], one
        assert one["value"] != 0, one
        if one["value"] is None:
            assert f"--{one['name']} left out: " in plans[name].text


def test_a_person_can_read_it(plans, name):
    text = plans[name].text
    assert "None" not in text and "null" not in text and "Traceback" not in text
    # A note may be long: it holds a command that must stay on one line. So may the path of a file.
    whole = ("  - ", "model qwen3-8b: hashing /")
    long = [line for line in text.splitlines() if len(line) > WIDE and not line.startswith(whole)]
    assert long == []


def test_main_memory_is_not_called_by_a_name_of_ours(plans, name):
    assert " on host" not in plans[name].flat


def test_the_document_holds_what_the_text_does(plans, name):
    told = plans[name]
    assert json.loads(json.dumps(told.document)) == told.document
    for note in told.document["notes"]:
        assert f"  - {note}" in told.text
