"""What a quantisation costs, by the names that people and files use."""

import gguf
import pytest

from fleet.models import quants


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("q4_k_m", "Q4_K_M"),
        ("UD-Q4_K_M", "Q4_K_M"),
        ("Q4_K - Medium", "Q4_K_M"),
        ("Q3_K - Small", "Q3_K_S"),
        ("MOSTLY_Q8_0", "Q8_0"),
        ("mxfp4", "MXFP4_MOE"),
    ],
)
def test_a_quantisation_is_found_however_it_is_spelled(said: str, meant: str) -> None:
    found = quants.find(said)
    assert found is not None
    assert found.name == meant


@pytest.mark.parametrize(
    ("title", "meant"),
    [
        ("Qwen3-8B-Q4_K_M.gguf", "Q4_K_M"),
        ("Llama-2-7B Q4_0", "Q4_0"),
        ("DeepSeek-R1 14B (Q4_K_M)", "Q4_K_M"),
        ("Llama-3-8B F16", "F16"),
    ],
)
def test_a_title_mentions_its_quantisation(title: str, meant: str) -> None:
    found = quants.named(title)
    assert found is not None
    assert found.name == meant


def test_a_name_that_nobody_knows_is_none() -> None:
    assert quants.find("Q9_Z") is None
    assert quants.named("qwen3:8b") is None
    assert quants.of_file(9999) is None


def test_numbers_of_file_types_are_those_of_the_gguf_package() -> None:
    theirs = {
        kind.value: kind.name.removeprefix("MOSTLY_").removeprefix("ALL_") for kind in gguf.LlamaFileType
    }
    assert {number: theirs[number] for number in quants.FILE_TYPES} == dict(quants.FILE_TYPES)


def test_every_file_type_with_a_name_has_a_row() -> None:
    assert set(quants.FILE_TYPES.values()) <= set(quants.QUANTS)


def test_smaller_ones_come_least_loss_first_and_none_is_advised_that_ruins_the_model() -> None:
    names = [quant.name for quant in quants.smaller(quants.QUANTS["Q8_0"])]
    assert names[:4] == ["Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M"]
    assert "Q2_K" not in names
    assert not {"Q5_1", "Q5_0", "Q4_1", "Q4_0"} & set(names)  # measured, and beaten by others of their size
    assert "Q3_K_S" not in names
    assert quants.warning(quants.QUANTS["Q3_K_S"]) is not None
    assert quants.warning(quants.QUANTS["Q4_K_M"]) is None


def test_the_size_of_another_quantisation_follows_from_the_bits() -> None:
    # Llama-3.1-8B: 4.58 GiB as Q4_K_M, 2.95 GiB as Q2_K (llama.cpp tools/quantize/README.md).
    predicted = 4.58 * quants.ratio(quants.QUANTS["Q4_K_M"], quants.QUANTS["Q2_K"])
    assert predicted == pytest.approx(2.95, rel=0.01)
