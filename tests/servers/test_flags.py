"""Which flags an inventory may set."""

from pathlib import Path

import pytest

from fleet.servers.argv import argv
from fleet.servers.capabilities import read
from fleet.servers.flags import check_known, judge, translate
from fleet.servers.settings import recommend
from tests.servers.values import facts, server

KNOWN = read((Path(__file__).parent / "recordings" / "help_llama-server.txt").read_text())


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("host", "use listen"),
        ("--port", "use listen"),
        ("api-key", "key file"),
        ("api_key_file", "key file"),
        ("model", "use model"),
        ("ctx-size", "use context"),
        ("cache-type-k", "use kv_type"),
        ("tools", "run programs or read files"),
        ("agent", "run programs or read files"),
        ("mcp-servers-config", "run programs or read files"),
        ("ui-mcp-proxy", "run programs or read files"),
        ("media-path", "run programs or read files"),
        ("path", "run programs or read files"),
        ("http3", "HTTP/1.1"),
        ("config", "no such flag"),
        ("auto-split", "no such flag"),
        ("dry-run", "fleet plan"),
        ("reranker-model", 'kind = "rerank"'),
        ("hf-repo", "pushes models itself"),
        ("models-dir", "gateway"),
        ("quiche", "HTTP/1.1"),
        ("rpc", "use rpc under [hosts.NAME]"),
        ("reranking", "use kind"),
        ("spec-ngram-size-n", "removed from llama.cpp"),
        ("hff", "source of the model"),
        ("ngl", "write gpu-layers"),
        ("-c", "write context"),
        ("lora; rm -rf /", "not the name of a flag"),
    ],
)
def test_a_flag_that_is_not_passed_on_says_why(flag, why):
    (error,) = judge({flag: 1})
    assert error.startswith(flag)
    assert why in error


@pytest.mark.parametrize("value", [-2, 0, -4, 2.5, float("nan"), "many", True, 99999])
def test_threads_are_a_number_that_a_processor_could_have(value):
    assert "no number of threads" in judge({"threads": value})[0]
    assert "no number of threads" in judge({"threads-batch": value})[0]
    assert judge({"threads": 8, "threads-batch": "-1"}) == []


@pytest.mark.parametrize("value", ["-1,2", "nan,1", "inf", float("nan"), -1, "0,0", "a,b", "3,,x", "", "1e3"])
def test_a_split_is_shares_of_which_one_is_not_zero(value):
    assert "proportion for each device" in judge({"tensor-split": value})[0]


@pytest.mark.parametrize("value", ["3,1", "3/1", "0.5,0.5", 1, "0,1", " 3, 1", [3, 1]])
def test_a_split_that_llama_server_reads_is_taken(value):
    assert judge({"tensor-split": value}) == []


@pytest.mark.parametrize("flag", ["cache-ram", "sleep-idle-seconds", "batch-size", "no-such-flag", "mlock"])
def test_other_flags_are_left_to_the_binary(flag):
    assert judge({flag: 1}) == []


@pytest.mark.parametrize("value", [None, {}, {"a": 1}, [], [True], [[1]], "a\nb", "a\0b"])
def test_a_value_that_no_flag_can_have_is_refused(value):
    assert len(judge({"lora": value})) == 1


def test_two_names_of_the_same_flag_are_refused():
    assert judge({"draft-max": 4, "spec-draft-n-max": 5}) == [
        "spec-draft-n-max: says the same as draft-max: keep one"
    ]


def test_flash_attention_without_a_value_is_refused_unless_it_is_yes_or_no():
    assert judge({"flash-attn": True}) == judge({"flash-attn": "auto"}) == []
    assert judge({"flash-attn": "yes"}) == ["flash-attn: 'yes' is none of on, off, auto"]
    assert translate({"flash-attn": True})[0] == {"flash-attn": "on"}
    assert translate({"flash_attn": False})[0] == {"flash-attn": "off"}


def test_old_names_become_new_ones_and_it_is_said():
    found, notes = translate({"mlock": True, "draft-max": 4, "n-gpu-layers": 99, "no-mmap": False})
    assert found == {"load-mode": "mmap+mlock", "spec-draft-n-max": 4, "gpu-layers": 99}
    assert "--mlock is now --load-mode mmap+mlock" in notes


def test_minus_one_layers_is_auto_and_not_all():
    found, notes = translate({"n-gpu-layers": -1})
    assert found == {"gpu-layers": "auto"}
    assert 'write "all"' in notes[0]
    assert translate({"gpu-layers": "20"})[0] == {"gpu-layers": "20"}


def test_an_unknown_flag_is_named_with_those_near_it():
    (error,) = check_known({"cache-rum": 0}, KNOWN)
    assert error.startswith("llama-server has no --cache-rum; near: cache-ram")
    assert check_known({"cache-ram": 0, "mlock": True, "kv-offload": False, "flash-attn": True}, KNOWN) == []
    assert check_known({"metrics-x": False}, KNOWN)[0].startswith("llama-server has no --no-metrics-x")


@pytest.mark.parametrize("backend", ["cpu", "cuda", "metal"])
def test_every_flag_that_fleet_writes_is_known_to_the_binary(backend):
    wish = server(context=8192, parallel=2, kv_type="q8_0", args={"flash-attn": True, "lora": ["a", "b"]})
    words, notes = argv("chat", wish, "/m", "/s.sock", "/k", recommend("chat", wish, facts(), backend))
    used = {word.removeprefix("--") for word in words if word.startswith("--")}
    assert used <= KNOWN.flags.keys()
    assert notes == ()


@pytest.mark.parametrize(
    "flag",
    [
        "mcp-some-new-thing",
        "tools_new",
        "agent-x",
        "gpt-oss-20b-default",
        "spec-draft-hf",
        "hf-repo-draft",
        "props",
    ],
)
def test_what_reaches_out_of_the_server_is_refused(flag):
    assert judge({flag: "x"})
    assert not judge({"spec-default": True})


@pytest.mark.parametrize("value", ["$(id)", "", "many", True, -3, 1.5])
def test_layers_are_a_number_or_a_word_that_llama_server_knows(value):
    assert len(judge({"gpu-layers": value})) == 1
    assert not any(judge({"n-gpu-layers": good}) for good in ("auto", "all", -1, 0, "20", 99))
