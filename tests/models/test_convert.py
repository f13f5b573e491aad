"""What a conversion makes, what it takes, and where it goes on."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.core.conversion import Origin
from fleet.core.errors import PlanError, UsageError
from fleet.core.plan import Artifact, Put
from fleet.models import convert, folder, safetensors
from fleet.models.convert import Job, Result, State
from fleet.models.measured import Mean, measured, perplexity
from fleet.models.outcome import Judged, best, name

SAMPLES = Path(__file__).parent / "samples"
FILES = (
    Artifact("given", "a" * 64, "config.json", 600),
    Artifact("given", "b" * 64, "model.safetensors", 5000),
)
ORIGIN = Origin("tiny", "hf:o/t@c", FILES, False, "LlamaForCausalLM", 1_000_000, 1000, 300_000, 500, "BF16")
TEXT = Artifact("given", "c" * 64, "text.txt", 20_000)
JOB = Job(ORIGIN, ("Q4_K_M", "Q8_0"), "auto", TEXT, TEXT, "t" * 16)


def titles(state: State, job: Job = JOB) -> list[str]:
    return [step.title.removeprefix("tiny: ") for step in convert.steps(job, state, "f" * 16, "e" * 16)]


def lines(sample: str) -> list[str]:
    return (SAMPLES / sample).read_text().splitlines()


def test_a_conversion_sends_converts_calibrates_quantises_measures_and_publishes():
    assert titles(State()) == [
        "send config.json",
        "send model.safetensors",
        "convert tiny to auto GGUF",
        "send text.txt",
        "find what matters in the calibration text",
        "quantise to Q4_K_M",
        "quantise to Q8_0",
        "send text.txt",
        "measure the base on the text",
        "measure Q4_K_M against the base",
        "measure Q8_0 against the base",
        "publish Q4_K_M, Q8_0",
    ]


def test_a_killed_run_goes_on_at_the_step_where_it_was():
    files = {"base.gguf": 9, "imatrix.gguf": 9, "Q4_K_M.gguf": 9, "base.kld": 9, "check.txt": 20_000}
    assert titles(State(files)) == [
        "quantise to Q8_0",
        "measure Q4_K_M against the base",
        "measure Q8_0 against the base",
        "publish Q4_K_M, Q8_0",
    ]


def test_nothing_is_left_to_do_where_every_type_is_published():
    results = tuple(Result(one, "d" * 64, 9) for one in JOB.types)
    assert titles(State({}, results)) == []
    assert titles(State({}, results[:1]))[-1] == "publish Q8_0"


def test_files_that_were_sent_are_not_sent_again():
    state = State({"in/config.json": 600, "in/model.safetensors": 4000})
    puts = [step for step in convert.steps(JOB, state, "f", "e") if isinstance(step.action, Put)]
    assert next(step.title for step in puts) == "tiny: send model.safetensors"


def test_other_bytes_another_text_and_another_llama_cpp_are_another_conversion_and_other_types_are_not():
    assert JOB.id == replace(JOB, types=("Q6_K",)).id
    others = [replace(JOB, tree="u" * 16), replace(JOB, check=None), replace(JOB, outtype="f16")]
    assert len({JOB.id, *(other.id for other in others)}) == 4


def test_what_a_host_says_it_has_is_read_and_what_is_no_such_line_is_left_out():
    sha = "0" * 64
    said = "\n".join(
        [
            f"have {JOB.id} base.gguf 12",
            "have other base.gguf 12",
            f"result {JOB.id} Q8_0 {sha} 7 here",
            f"result {JOB.id} Q4_K_M {sha} 7 gone",
            f"result {JOB.id} Q6_K ../../x 7 here",
            f"said {JOB.id} check-Q8_0 Mean    KLD:   0.5 ±   0.1",
        ]
    )
    state = convert.read_state(said, JOB.id)
    assert state.files == {"base.gguf": 12}
    assert state.results == (Result("Q8_0", sha, 7),)
    assert state.said == {"check-Q8_0": ("Mean    KLD:   0.5 ±   0.1",)}


def test_types_are_taken_as_people_write_them_and_an_unknown_one_names_what_is_near():
    assert convert.wanted_types("q4_k_m, Q8_0,q8_0", False) == ("Q4_K_M", "Q8_0")
    with pytest.raises(UsageError, match="no type 'IQ4_XXS'") as caught:
        convert.wanted_types("IQ4_XXS", False)
    assert "IQ4_XS" in str(caught.value.next)


def test_a_type_that_is_of_no_use_without_an_importance_matrix_is_refused_before_anything_runs():
    with pytest.raises(PlanError, match="needs an importance matrix"):
        convert.wanted_types("IQ2_XXS", False)
    assert convert.wanted_types("IQ2_XXS", True) == ("IQ2_XXS",)


def test_the_disk_counts_the_logits_of_the_base_and_not_what_is_there_already():
    without = convert.disk(replace(JOB, check=None), State())
    assert convert.disk(JOB, State()) - without == 10_000 // 2 * 508 * 2
    assert convert.disk(JOB, State({"base.gguf": 2_000_000})) == convert.disk(JOB, State()) - 2_000_000


def test_what_the_tools_print_is_read_from_what_they_printed():
    found = measured(lines("quantise-Q4_K_M.txt"), lines("check-Q4_K_M.txt"))
    assert found.bits == 4.94
    assert found.ppl == Mean(3535.929199, 223.66864)
    assert found.more == Mean(87.048321, 133.529623)
    assert found.kld == Mean(0.723565, 0.011168)
    assert found.same == Mean(28.431, 1.413)
    assert perplexity(lines("check-base.txt")) == Mean(3448.8901, 218.15636)


def test_a_number_that_is_none_is_unknown():
    assert measured([], ["Mean    KLD:   nan ±   nan"]).kld is None


def test_the_best_is_what_loses_least_of_what_fits_and_is_not_much_slower():
    small, large = Result("Q4_K_M", "1", 4), Result("Q8_0", "2", 8)
    pair = [Judged(small, True, 50.0, 0.03), Judged(large, True, 40.0, 0.001)]
    assert best(pair) == pair[1]
    assert best([pair[0], replace(pair[1], tps=20.0)]) == pair[0]
    assert best([pair[0], replace(pair[1], fits=False)]) == pair[0]
    assert best([replace(one, fits=False) for one in pair]) is None


def test_names_for_the_inventory_are_names():
    assert name("Qwen3 8B", "Q4_K_M") == "qwen3-8b-q4-k-m"
    assert len(name("x" * 200, "IQ2_XXS")) == 63


def test_a_folder_gives_its_settings_tokenizer_and_weights_and_no_code():
    names = ["config.json", "modeling_x.py", "tokenizer.json", "README.md", "model-2.safetensors",
             "model-1.safetensors", "consolidated.safetensors", "pytorch_model.bin"]  # fmt: skip
    assert folder.chosen(names, "it") == (
        "config.json",
        "tokenizer.json",
        "model-1.safetensors",
        "model-2.safetensors",
    )


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["tokenizer.json"], "no config.json"),
        (["config.json", "tokenizer.json", "pytorch_model.bin"], "runs code"),
        (["config.json", "tokenizer.json"], "no .safetensors"),
        (["config.json", "model.safetensors"], "no tokenizer"),
    ],
)
def test_a_folder_that_cannot_be_converted_says_why(names, why):
    with pytest.raises(PlanError, match=why):
        folder.chosen(names, "it")


def test_a_header_of_safetensors_is_read_and_a_bomb_of_one_is_refused():
    table = {
        "__metadata__": {"format": "pt"},
        "w": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    }
    (found,) = safetensors.tensors(json.dumps(table).encode(), "x")
    assert (found.name, found.dtype, found.elements) == ("w", "BF16", 6)
    assert safetensors.length(struct.pack("<Q", 100), "x") == 100
    for start in (b"", b"version ", struct.pack("<Q", 1 << 40)):
        with pytest.raises(PlanError, match="no safetensors file"):
            safetensors.length(start, "x")
    for body in (b"[]", b"{", b"[" * 100_000, b'{"w": {"dtype": "F32", "shape": [-1]}}',
                 b'{"w": {"dtype": "F32", "shape": [1e99]}}', b'{"w": 1}'):  # fmt: skip
        with pytest.raises(PlanError, match="no safetensors file"):
            safetensors.tensors(body, "x")
