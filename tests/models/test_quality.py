"""What was measured of quantisations, and how far it carries."""

import pytest

from fleet.models import quality, quants
from fleet.models.requant import parameters
from tests.models.values import shape


def test_every_row_has_its_source_and_the_model_it_was_measured_on() -> None:
    assert all(row.source and row.model in quality.BASE and row.error > 0 for row in quality.ROWS)


def test_the_short_table_has_the_loss_of_every_quantisation_that_was_measured() -> None:
    unknown = {quant.name for quant in quants.TABLE if quant.loss is None}
    assert unknown == {"BF16", "NVFP4", "MXFP4_MOE"}
    assert {row.name for row in quality.ROWS} <= set(quants.QUANTS)


def test_sizes_of_the_scoreboard_agree_with_the_bits_that_are_published() -> None:
    found = quality.measured("Q4_K_M")
    assert found is not None
    assert quality.bits_of(found) == pytest.approx(4.89, abs=0.02)


def test_the_row_without_an_importance_matrix_is_taken_where_there_are_two() -> None:
    found = quality.measured("Q4_K_M")
    assert found is not None
    assert not found.is_imatrix
    assert found.loss == pytest.approx(0.02816, abs=1e-4)  # the ratio that the README prints


def test_a_large_dense_model_has_a_range_and_a_small_one_or_one_of_experts_has_no_upper_end(tmp_path) -> None:
    def loss(name: str) -> quality.Loss:
        model = shape(name, tmp_path)
        found = quality.expected("Q4_K_M", model, parameters(model))
        assert found is not None
        return found

    assert loss("llama3-70b").high == loss("llama3-70b").likely
    assert loss("gemma3-270m").high is None
    assert loss("qwen3-30b-a3b").high is None
    assert 0 < loss("llama3-70b").low < loss("llama3-70b").likely


def test_what_nobody_measured_is_unknown(tmp_path) -> None:
    assert quality.expected("MXFP4_MOE", shape("llama3-8b", tmp_path), 8e9) is None


def test_the_lower_end_is_not_above_what_the_older_model_lost() -> None:
    for name in ("Q6_K", "Q4_K_M", "Q2_K"):
        new, old = quality.measured(name), quality.measured(name, quality.LLAMA_2)
        assert new is not None and old is not None
        share = next(share for least, share in quality.OLDER if quality.bits_of(new) >= least)
        assert share * new.loss <= old.loss * 1.02
