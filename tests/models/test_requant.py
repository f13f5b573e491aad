"""Sizes of files that nobody has: as near to the real ones as is said."""

import pytest

from fleet.models import quants, requant
from tests.models.values import shape

# Bytes of published files (Hugging Face), and of the package of gemma3-270m less 6.5 MB of vocabulary.
REAL = (
    ("qwen3-8b", "Q4_K_M", 5_027_784_512),
    ("qwen3-32b", "Q4_K_M", 19_762_150_048),
    ("llama3-70b", "Q4_K_S", 40_350_000_000),
    ("llama3-70b", "Q2_K", 26_400_000_000),
    ("gemma3-270m", "Q4_K_M", 246_587_904),
)


@pytest.mark.parametrize(("name", "packed", "size"), REAL)
def test_an_estimate_is_within_its_error_of_the_real_file(tmp_path, name, packed, size) -> None:
    found = requant.repacked(shape(name, tmp_path), quants.QUANTS[packed])
    assert found is not None
    assert found.sums.total == pytest.approx(size, rel=requant.ERROR)


def test_a_model_packed_as_it_is_keeps_its_size(tmp_path) -> None:
    model = shape("llama3-8b", tmp_path, file_type=7)
    found = requant.repacked(model, quants.QUANTS["Q8_0"])
    assert found is not None
    assert found.sums.total == pytest.approx(model.sums.total, rel=1e-4)
    assert requant.named(found) == quants.QUANTS["Q8_0"]


def test_parameters_are_counted_from_the_tensors(tmp_path) -> None:
    assert requant.parameters(shape("llama3-8b", tmp_path)) == pytest.approx(8.03e9, rel=1e-3)


def test_experts_shrink_with_their_layers(tmp_path) -> None:
    model = shape("qwen3-30b-a3b", tmp_path)
    found = requant.repacked(model, quants.QUANTS["Q4_K_M"])
    assert found is not None
    assert 0.5 < found.sums.experts / model.sums.experts < 0.6


def test_a_mixture_that_nobody_told_us_is_no_layout(tmp_path) -> None:
    assert requant.repacked(shape("llama3-8b", tmp_path), quants.QUANTS["IQ1_S"]) is None
