"""What a llama-server says of itself, and the words it is spoken to in."""

from pathlib import Path

import pytest

from fleet.core.errors import PlanError
from fleet.servers.argv import argv
from fleet.servers.capabilities import Capabilities, read
from fleet.servers.dialect import ALL_LAYERS, speak
from fleet.servers.flags import check_known
from fleet.servers.settings import recommend
from tests.servers.values import RTX, facts, server

RECORDINGS = Path(__file__).parent / "recordings"
TODAY = read((RECORDINGS / "help_llama-server.txt").read_text())
AUGUST = read((RECORDINGS / "help_llama-server_b10434.txt").read_text())

# As llama-server of February 2025 named its flags.
OLD = read(
    "\n".join(
        f"{head:<40}as it was then"
        for head in (
            "-t,    --threads N", "-tb,   --threads-batch N", "-c,    --ctx-size N", "-b,    --batch-size N",
            "-ub,   --ubatch-size N", "-fa,   --flash-attn", "-nkvo, --no-kv-offload",
            "-ctk,  --cache-type-k TYPE", "-ctv,  --cache-type-v TYPE", "-np,   --parallel N",
            "--mlock", "--no-mmap", "--numa TYPE",
            "-dev,  --device <dev1,dev2,..>", "-ngl,  --gpu-layers, --n-gpu-layers N",
            "-sm,   --split-mode MODE", "-ts,   --tensor-split N0,N1,N2,...", "-m,    --model FNAME",
            "--log-colors",
            "-lv,   --verbosity, --log-verbosity N", "-a,    --alias STRING", "--host HOST", "--port PORT",
            "--no-webui", "--embedding, --embeddings", "--reranking, --rerank", "--api-key-file FNAME",
            "--metrics", "--slots", "--draft-max, --draft, --draft-n N",
        )
    ),
    "version: 4700 (47f6423ed)",
)  # fmt: skip


def words(known, wish=None, backend="cpu", listen="127.0.0.1:8080", **changes):
    wish = wish or server()
    choices = recommend("chat", wish, facts(**changes), backend, known=known)
    found, notes = argv("chat", wish, "/m", listen, "/k", choices, known)
    return " ".join(found), notes


@pytest.mark.parametrize(
    ("text", "number", "commit", "version"),
    [
        ("version: 9439 (47f6423ed)\nbuilt with GNU 13", 9439, "47f6423ed", None),
        ("version: 0.6.0-dev (build 11434, commit unknown)", 11434, None, "0.6.0-dev"),
        ("version: 0.1.0-dev (build 1, commit 7e4c0a9)", 1, "7e4c0a9", "0.1.0-dev"),
        ("version: 0 (unknown)", None, None, None),
        ("ggml_cuda_init: no device\nversion: 9439 (47f6423ed)", 9439, "47f6423ed", None),
        ("Segmentation fault", None, None, None),
    ],
)
def test_both_forms_of_a_version_are_read(text, number, commit, version):
    found = read("", text)
    assert (found.number, found.commit, found.version) == (number, commit, version)


def test_help_is_read_with_all_names_of_each_flag():
    assert {"ctx-size", "gpu-layers", "n-gpu-layers", "no-kv-offload", "webui", "no-ui"} <= TODAY.flags.keys()
    assert "fim-qwen-1.5b-default" in TODAY.flags
    assert len(TODAY.flags) > 250
    assert TODAY.takes_value("flash-attn") and not TODAY.takes_value("metrics")
    assert TODAY.mentions("gpu-layers", "'auto'")
    assert TODAY.flags["cache-ram"].takes == "N"


def test_what_the_help_itself_calls_removed_is_no_flag():
    assert not TODAY.knows("draft-max") and TODAY.knows("spec-draft-n-max")
    assert AUGUST.knows("mlock") and not TODAY.knows("mlock")


@pytest.mark.parametrize("known", [TODAY, AUGUST], ids=["b11434", "b10434"])
@pytest.mark.parametrize("backend", ["cpu", "cuda", "metal"])
def test_a_build_of_today_is_told_what_was_planned_before_it_was_there(known, backend):
    wish = server(context=8192, kv_type="q8_0", args={"draft-max": 4, "mlock": True})
    planned, _ = words(None, wish, backend, "/s.sock", gpus=(RTX,))
    assert words(known, wish, backend, "/s.sock", gpus=(RTX,))[0] == planned


def test_an_old_build_is_spoken_to_in_its_own_words():
    wish = server(context=8192, kv_type="q8_0", args={"draft-max": 4, "mlock": True})
    said, notes = words(OLD, wish, "cuda", gpus=(RTX,))
    assert "--flash-attn --batch-size 2048" in said
    assert f"--gpu-layers {ALL_LAYERS}" in said
    assert "--mlock" in said and "--load-mode" not in said
    assert "--draft-max 4" in said
    assert "--no-webui" in said
    for absent in (
        "--cache-ram",
        "--fit",
        "--cors-origins",
        "--no-cors-credentials",
        "--kv-unified",
        "--log-colors",
    ):
        assert f"{absent} " not in f"{said} "
    assert {f"--{word}" for word in ("model", "alias", "host", "port", "api-key-file")} <= set(said.split())
    assert "this build has no --cors-origins: left out" in notes


def test_every_word_that_an_old_build_hears_is_one_it_knows():
    said, _ = words(OLD, server(context=8192), "cuda", gpus=(RTX, RTX))
    assert {word[2:] for word in said.split() if word.startswith("--")} <= OLD.flags.keys()


def test_devices_of_unequal_memory_get_shares_where_the_build_cannot_count():
    small = type(RTX)("nvidia", "small", "cuda", 8 * 2**30, None, "8.6", None, None)
    assert "--tensor-split 12,8" in words(OLD, None, "cuda", gpus=(RTX, small))[0]
    assert "--tensor-split" not in words(TODAY, None, "cuda", gpus=(RTX, small))[0]


@pytest.mark.parametrize(
    ("mode", "old"),
    [
        ("mmap+mlock", {"mlock": True}),
        ("mlock", {"mlock": True, "no-mmap": True}),
        ("none", {"no-mmap": True}),
        ("mmap", {}),
        ("auto", {}),
    ],
)
def test_ways_of_loading_have_old_names(mode, old):
    assert speak({"load-mode": mode}, OLD, is_own=False)[0] == old
    assert speak({"load-mode": mode}, AUGUST, is_own=False)[0] == {"load-mode": mode}


def test_a_flag_of_the_inventory_is_never_left_out_but_refused():
    (error,) = check_known({"cache-ram": 0}, OLD)
    assert error.startswith("llama-server has no --cache-ram; near:")
    assert check_known({"mlock": True, "flash-attn": True, "gpu-layers": "all"}, OLD) == []


def test_a_program_without_sockets_is_told_so_before_anything_stops():
    with pytest.raises(PlanError, match="cannot listen on a socket") as wrong:
        words(OLD, listen="/s.sock")
    assert "127.0.0.1:8080" in str(wrong.value.next)


def test_a_help_that_never_ends_is_cut():
    text = "\n".join(f"--flag-{number} N   text" for number in range(10000))
    assert len(read(text).flags) < 5000
    assert read("no flags at all\n\x00") == Capabilities({})
