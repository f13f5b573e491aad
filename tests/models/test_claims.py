"""Which published speeds cannot be true."""

import math

import pytest

from fleet.commands import speed as verb
from fleet.core.errors import PlanError, UsageError
from fleet.models.claims import Claim, article, judge
from fleet.models.speed import Part
from tests.commands.values import INVENTORY, request
from tests.models.test_speed import QWEN_8B, chip


def test_the_three_figures_of_the_guide_that_no_memory_can_deliver_are_impossible() -> None:
    words = {(verdict.claim.device, verdict.claim.model): verdict.word for verdict in map(judge, article())}
    impossible = {model for (_, model), word in words.items() if word == "impossible"}
    assert impossible == {"Qwen3-32B Q4_K_M", "Llama-3-70B Q4_K_S", "Llama4-70B Q2_K"}
    assert words["M3 Max, 40 GPU cores", "Qwen3-32B Q4_K_M"] == "impossible"  # on neither of the two chips
    assert words["i7-13700H", "Qwen3-4B Q4_K_M"] == "plausible"
    assert words["RTX 4070", "Qwen3-8B Q4_K_M"] == "slow"


def test_ceilings_are_those_of_the_memory() -> None:
    ceilings = {
        (one.claim.device, one.claim.model): round(one.speed.ceiling, 1) for one in map(judge, article())
    }
    assert ceilings["RTX 4070", "Qwen3-8B Q4_K_M"] == 107.7
    assert ceilings["M3 Max, 30 GPU cores", "Qwen3-32B Q4_K_M"] == 15.5
    assert ceilings["M3 Max, 40 GPU cores", "Llama-3-70B Q4_K_S"] == 10.1
    assert ceilings["RTX 4070, rest in RAM", "Llama4-70B Q2_K"] == 5.7


def test_faster_than_others_measured_but_below_the_ceiling_is_not_called_impossible() -> None:
    part = Part(chip("RTX 4070"), "cuda", QWEN_8B, 36)
    assert judge(Claim("RTX 4070", "Qwen3-8B", 105, (part,))).word == "fast"
    assert judge(Claim("RTX 4070", "Qwen3-8B", 108, (part,))).word == "impossible"


def asked(**options: object) -> object:
    flow = verb.flow(request("speed", **{"layers": 36} | options), INVENTORY, "")
    try:
        next(flow)
    except StopIteration as stop:
        return stop.value
    except (PlanError, UsageError) as error:
        return error
    raise AssertionError("the verb asks nobody")


def test_the_verb_shows_the_table_of_the_guide_without_a_host() -> None:
    results = {"": asked()}
    lines = list(verb.lines(request("speed"), results))
    assert len([line for line in lines if "impossible" in line]) == 5
    assert max(map(len, lines)) <= 80
    claims = verb.document(request("speed"), results)["claims"]
    assert {claim["verdict"] for claim in claims} == {"impossible", "slow", "plausible"}


def test_the_verb_judges_a_claim_that_is_typed() -> None:
    results = {"": asked(chip=("rtx", "4070"), reads=4.68, claim=200.0)}
    lines = list(verb.lines(request("speed"), results))
    assert "impossible: 1.9 times what the memory can deliver" in lines[2]
    assert "459 GB/s" in lines[3]


def test_the_verb_says_what_a_chip_gives_without_a_claim() -> None:
    (claim,) = verb.document(request("speed"), {"": asked(chip=("RX", "7900", "XTX"), reads=4.68)})["claims"]
    assert claim["verdict"] is None
    assert claim["speed"]["low"] < claim["speed"]["tps"] < claim["speed"]["high"]


def test_an_unknown_chip_and_a_missing_size_are_errors_that_say_what_to_type() -> None:
    unknown, missing = asked(chip=("RTX", "4071"), reads=1.0), asked(chip=("RTX", "4070"))
    assert isinstance(unknown, PlanError)
    assert "RTX 4070" in str(unknown)
    assert isinstance(missing, UsageError)
    assert "--reads" in str(missing)
    assert isinstance(asked(chip=("RTX", "4070"), reads=1.0, quant="Q9"), UsageError)


@pytest.mark.parametrize(
    "option",
    [
        {"reads": math.nan},
        {"reads": math.inf},
        {"reads": -1.0},
        {"reads": 1e-30},
        {"reads": 5.0, "layers": -3},
        {"reads": 5.0, "claim": math.nan},
        {"reads": 5.0, "claim": -4.0},
        {"reads": 5.0, "cores": 0},
    ],
)
def test_a_number_that_nobody_can_mean_is_a_mistake_of_the_person(option) -> None:
    error = asked(chip=("M3", "Max"), **option)
    assert isinstance(error, UsageError)
    assert "is not between" in error.what
