"""What of a header decides the memory of a model."""

import random
import sys
from dataclasses import replace

import pytest

from fleet.core.errors import PlanError
from fleet.models import architectures
from fleet.models.gguf import Header, Short, header
from fleet.models.layout import layout
from fleet.models.splits import paths
from fleet.models.tensors import MOST_LAYERS, Layer, Sums, Tally, together
from fleet.models.weights import join
from tests.models.values import read, shape
from tests.shapes import SHAPES, Shape, size, write


def of(architecture: str, layers: int = 12, **values) -> Header:
    """A header with these values and no tensors."""
    base = {"block_count": layers, "embedding_length": 1024, "context_length": 8192}
    base |= {"attention.head_count": 8, "attention.head_count_kv": 2, "feed_forward_length": 4096}
    base |= {key.replace("__", "."): value for key, value in values.items()}
    named = {f"{architecture}.{key}": value for key, value in base.items()}
    return Header(3, {"general.architecture": architecture} | named, 0, 0, 0, 0, Sums((Layer(),) * layers))


def windows(*args, **values) -> str:
    return "".join("w" if one.is_window else "f" for one in layout(of(*args, **values)).attention)


@pytest.mark.parametrize("name", SHAPES)
def test_every_tensor_of_a_published_shape_is_counted_once(tmp_path, name):
    path = write(tmp_path / "model.gguf", SHAPES[name])
    found = read(path)
    assert found.sums.total == found.weights
    assert len(found.sums.layers) == SHAPES[name].layers
    assert layout(found).formula


def test_layers_embedding_and_output_are_told_apart(tmp_path):
    wanted = SHAPES["qwen3-8b"]
    found = read(write(tmp_path / "model.gguf", wanted)).sums
    matrix = size((wanted.width, wanted.vocabulary), 8)
    assert (found.input, found.embedding.bytes, found.head.bytes) == (matrix, matrix, matrix)
    assert found.output == matrix + 4 * wanted.width
    assert found.embedding.rows == wanted.vocabulary
    assert not found.is_tied
    assert len({layer.bytes for layer in found.layers}) == 1


def test_an_embedding_that_serves_as_the_output_is_seen(tmp_path):
    assert shape("gemma3-27b", tmp_path).is_tied


def test_experts_are_counted_by_themselves(tmp_path):
    found = shape("qwen3-30b-a3b", tmp_path)
    expert = size((2048, 768), 8)
    assert {layer.experts for layer in found.sums.layers} == {128 * 3 * expert}
    assert (found.experts, found.used, found.feed) == (128, 8, 8 * 768)


@pytest.mark.parametrize(
    ("pattern", "given"),
    [
        ("wwwwwfwwwwwf", ("gemma3", {"attention__sliding_window": 512})),
        ("ffffffffffff", ("gemma3", {})),
        ("wfwfwfwfwfwf", ("gemma2", {})),
        ("wfwfwfwfwfwf", ("gpt-oss", {"attention__sliding_window": 128})),
        ("wwwfwwwfwwwf", ("cohere2", {"attention__sliding_window": 4096})),
        ("fwwwfwwwfwww", ("cohere2moe", {"attention__sliding_window": 4096})),
        ("wwwfwwwfwwwf", ("llama4", {})),
        ("ffffffffffff", ("llama4", {"attention__sliding_window": 0})),
        ("ffffffffffff", ("phi3", {"attention__sliding_window": 2047})),
        ("ffffffffffff", ("exaone4", {"attention__sliding_window": 4096})),
        (
            "wwfwwfwwfwwf",
            ("gemma3", {"attention__sliding_window": 512, "attention__sliding_window_pattern": 3}),
        ),
        (
            "fwfwfwfwfwfw",
            (
                "gemma3",
                {
                    "attention__sliding_window": 512,
                    "attention__sliding_window_pattern": (False, True) * 6,
                },
            ),
        ),
    ],
)
def test_windows_lie_where_llama_cpp_puts_them(pattern, given):
    name, values = given
    assert windows(name, **values) == pattern


def test_a_model_of_64_layers_of_exaone_4_has_windows():
    assert windows("exaone4", 64).startswith("wwwfwwwf")


def test_heads_may_differ_by_layer():
    found = layout(of("deci", 4, attention__head_count_kv=(2, 0, 4, 1)))
    assert [one.key for one in found.attention] == [2 * 128, 0, 4 * 128, 128]


def test_latent_attention_keeps_no_values():
    keys = {"attention__key_length": 576, "attention__value_length": 512, "attention__head_count_kv": 1}
    keys |= {"attention__key_length_mla": 192, "attention__value_length_mla": 128}
    found = layout(of("deepseek2", 3, **keys))
    assert {(one.key, one.value) for one in found.attention} == {(576, 0)}


def test_layers_that_use_the_keys_of_others_have_none():
    found = layout(
        of(
            "gemma4",
            4,
            attention__sliding_window=512,
            attention__sliding_window_pattern=(True, False) * 2,
            attention__shared_kv_layers=2,
            attention__key_length=256,
            attention__key_length_swa=128,
        )
    )
    assert [one.key for one in found.attention] == [2 * 128, 2 * 256, 0, 0]


def test_layers_that_predict_further_tokens_are_not_run():
    found = layout(of("glm4moe", 5, nextn_predict_layers=1))
    assert (found.layers, len(found.attention)) == (4, 4)


def test_every_fourth_layer_of_a_hybrid_attends():
    keys = {"ssm__inner_size": 2048, "ssm__state_size": 128, "ssm__conv_kernel": 4, "ssm__group_count": 16}
    found = layout(of("qwen3next", 8, **keys))
    assert [bool(one.key) for one in found.attention] == [False, False, False, True] * 2
    assert found.attention[0].state == 4 * (3 * (2048 + 2 * 16 * 128) + 128 * 2048)
    assert found.attention[3].state == 0


def test_a_model_without_a_cache_remembers_nothing():
    assert {one.key for one in layout(of("bert", 4)).attention} == {0}


@pytest.mark.parametrize("name", ["deepseek4", "rwkv7", "t5", "an-architecture-of-next-year"])
def test_what_has_no_checked_formula_says_why(name):
    found = layout(of(name))
    assert not found.formula
    assert found.why


def test_a_pattern_that_only_the_header_knows_is_not_guessed():
    found = layout(of("mimo2", attention__sliding_window=128))
    assert not found.formula


def test_no_architecture_is_both_plain_and_unlike():
    assert not [name for name in architectures.UNLIKE if architectures.is_known(name)]


def test_a_header_without_layers_is_refused_by_name():
    with pytest.raises(PlanError, match=r"llama\.block_count"):
        layout(of("llama", 0))
    with pytest.raises(PlanError, match="does not say its architecture"):
        layout(Header(3, {}, 0, 0, 0, 0, Sums()))
    with pytest.raises(PlanError, match="claims 5000 layers"):
        layout(of("llama", 5000))


def test_the_files_of_a_split_model_are_added_up(tmp_path):
    wanted = SHAPES["llama3.2-1b"]
    whole = read(write(tmp_path / "whole.gguf", wanted))
    first, second = (
        replace(whole, sums=part, values=whole.values | {"split.no": number, "split.count": 2})
        for number, part in enumerate(
            (
                replace(whole.sums, layers=whole.sums.layers[:7], output=0, embedding=None, input=0),
                replace(whole.sums, layers=((Layer(),) * 7 + whole.sums.layers[7:])),
            )
        )
    )
    found = join("model", [(first, 10), (second, 20)], None)
    assert (found.sums.total, found.size) == (whole.sums.total, 30)
    assert together([whole.sums]) == whole.sums


def test_names_of_parts_follow_from_the_first():
    assert paths("a/m-00001-of-00003.gguf")[2] == "a/m-00003-of-00003.gguf"
    assert paths("a/m-00001-of-00001.gguf") == ("a/m-00001-of-00001.gguf",)
    assert paths("a/m.gguf") == ("a/m.gguf",)
    with pytest.raises(PlanError, match="it is part 2 of 3 of a model") as caught:
        paths("a/m-00002-of-00003.gguf")
    assert caught.value.next == "name the first file: m-00001-of-00003.gguf"
    for wrong in ("m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "m-00001-of-99999.gguf"):
        with pytest.raises(PlanError, match="a model has at most 512 files"):
            paths(wrong)


def test_ten_thousand_broken_headers_of_models_cost_no_more_than_their_length(tmp_path):
    """Work is counted in calls, and what is kept in elements; no clock, so that no machine is too slow."""
    wanted = Shape("tiny", "qwen3moe", 2, 64, 4, 2, 16, 128, 512, experts=4, used=2, expert_feed=64)
    path = write(tmp_path / "model.gguf", wanted)
    length, whole = read(path).length, path.stat().st_size
    prefix = path.read_bytes()[:length]
    dice, calls, most, laid = random.Random(20251125), 0, 0, 0

    def count(frame, event, argument) -> None:
        nonlocal calls
        calls += event == "call"

    for _ in range(10_000):
        data = bytearray(prefix)
        for _ in range(dice.choice((1, 1, 2, 6))):
            at = dice.randrange(len(data) - 8)
            value = dice.choice(
                (0, 1, 255, 1 << 20, 1 << 31, (1 << 63) - 1, (1 << 64) - 1, dice.getrandbits(64))
            )
            width = dice.choice((1, 4, 8))
            data[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        calls = 0
        sys.setprofile(count)
        try:
            found = layout(header(bytes(data), whole))
        except (Short, PlanError):
            continue
        finally:
            sys.setprofile(None)
            most = max(most, calls)
        laid += 1
        assert len(found.sums.layers) <= MOST_LAYERS
        assert len(found.sums.shapes) <= 128
        assert len(found.attention) <= MOST_LAYERS
    assert laid > 1000
    assert most < 20 * length


def test_a_tally_keeps_no_more_than_layers_and_types():
    tally = Tally()
    for number in range(50_000):
        tally.add(f"blk.{number}.{number}.weight", (8, 8), number % 300, 1)
        tally.add(f"name {number}", (8,), 0, 1)
    found = tally.sums()
    assert found.total == 100_000
    assert len(found.layers) == MOST_LAYERS
