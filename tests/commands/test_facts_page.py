"""What `fleet facts` shows a person, and the document it gives a program."""

from pathlib import Path

import pytest

from fleet.commands import facts
from fleet.core.facts import Facts
from fleet.platforms.probe import parse
from tests.commands.values import request

SAMPLES = Path(__file__).parents[1] / "platforms" / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.txt"))


def known(name: str) -> Facts:
    return parse(name, (SAMPLES / f"{name}.txt").read_bytes(), "nonce", 1.0)


def page(name: str) -> str:
    return "\n".join(facts.lines(request("facts"), {name: known(name)}))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_every_machine_fits_a_terminal_of_80_columns(name):
    lines = page(name).splitlines()
    assert lines[0] == name
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("  ") and line == line.rstrip() for line in lines[1:])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cuda-desktop", "NVIDIA GeForce RTX 4070, 11.6 GiB free of 12.0 GiB"),
        ("cuda-desktop", "compute capability 8.9, driver 550.54.14, CUDA up to 12.4"),
        ("hybrid-laptop", "1 fast + 4 efficient cores, 6 threads, AVX AVX2 FMA F16C"),
        ("mac", "shared with the GPU"),
        ("mac", "30 cores, metal"),
        ("no-driver", "none that llama.cpp can compute with: an NVIDIA card"),
        ("rocm-two-cards", "hip, gfx1100"),
    ],
)
def test_the_page_says_what_an_owner_wants_to_know(name, words):
    assert words in page(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_document_of_every_machine_has_the_promised_keys(name):
    (host,) = facts.document(request("facts"), {name: known(name)})["hosts"]
    assert {"name", "os", "arch", "cpu", "memory", "gpus", "unknown", "error"} <= set(host)
    assert {"model", "cores_performance", "cores_efficiency", "flags"} <= set(host["cpu"])
    assert {"total", "available", "unified"} <= set(host["memory"])
    for card in host["gpus"]:
        assert {"vendor", "name", "memory_total", "memory_free", "capability", "cores"} <= set(card)
    assert host["os"] in ("linux", "macos")
    assert host["error"] is None


def test_a_gpu_of_apple_is_one_entry_without_memory_of_its_own():
    (host,) = facts.document(request("facts"), {"mac": known("mac")})["hosts"]
    (card,) = host["gpus"]
    assert (card["vendor"], card["cores"], card["memory_total"], card["memory_free"]) == (
        "apple",
        30,
        None,
        None,
    )
