"""What our own servers hold of a host: their models, and what is served with them."""

from dataclasses import replace

import pytest

from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.flow import ReadWeights
from fleet.core.inventory import Host, Inventory, Model, Server
from fleet.core.proof import Expected, Proof
from fleet.models.tensors import Sums
from fleet.models.weights import Weights, join
from fleet.servers.tenants import running
from tests.models.values import BARE, GIB, RTX_4070, TWO_3090, read
from tests.servers.values import instance
from tests.shapes import SHAPES, write

GONE = PlanError("no such file")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Weights]:
    path = write(tmp_path_factory.mktemp("shapes") / "one", SHAPES["llama3.2-1b"])
    one = join("small", [(read(path), 1)], "5" * 64)
    eyes = replace(one, name="eyes", sums=Sums(rest=3 * GIB))
    return {"small": one, "big": replace(one, name="big"), "eyes": eyes}


def held(
    facts: Facts, backend: str, weights: dict[str, Weights], proof: Proof | None = None, **beside: object
) -> dict[str, int]:
    """Bytes by pool of a running server of the big model."""
    models = {name: Model(source=f"file:{name}", allow_unpinned=True) for name in weights}
    models["big"] = Model(source="file:big", allow_unpinned=True, **beside)  # type: ignore[arg-type]
    inventory = Inventory(
        hosts={"h": Host(address="192.0.2.1")},
        models=models,
        servers={"chat": Server(model="big", on=("h",), context=4096, parallel=1)},
    )
    busy = replace(facts, instances=(instance(model="big", backend=backend, proof=proof),))
    flow = running(inventory, "h", busy, backend, "another")
    with pytest.raises(StopIteration) as stop:
        need = next(flow)
        while True:
            assert isinstance(need, ReadWeights)
            need = flow.send(weights[need.model]) if need.model in weights else flow.throw(GONE)
    return dict(stop.value.value[0])


def test_a_projector_lies_with_its_model_on_the_device(weights: dict[str, Weights]) -> None:
    alone, seeing = held(RTX_4070, "cuda", weights), held(RTX_4070, "cuda", weights, mmproj="eyes")
    assert seeing["CUDA0"] - alone["CUDA0"] == 3 * GIB
    assert seeing["host"] == alone["host"]


def test_several_devices_share_it(weights: dict[str, Weights]) -> None:
    alone, seeing = held(TWO_3090, "cuda", weights), held(TWO_3090, "cuda", weights, mmproj="eyes")
    assert [seeing[name] - alone[name] for name in ("CUDA0", "CUDA1")] == [3 * GIB // 2] * 2


def test_in_main_memory_a_projector_is_held_and_the_mapped_file_of_a_draft_is_not(
    weights: dict[str, Weights],
) -> None:
    """Its cache is: 16 layers of 8 heads of 64, keys and values of 2 bytes, for 4096 tokens."""
    alone = held(BARE, "cpu", weights)["host"]
    assert held(BARE, "cpu", weights, mmproj="eyes")["host"] - alone == 3 * GIB
    assert held(BARE, "cpu", weights, draft="small")["host"] - alone == 2 * 16 * 8 * 64 * 2 * 4096


LOGGED = (("CUDA0", 4 * GIB), ("host", GIB))
WEIGHTS = (("CUDA0", 3 * GIB), ("host", GIB))
SEEN = Proof("r", 0.0, LOGGED, WEIGHTS, 1, 1, None, None, None, Expected())


def test_a_start_shows_everything_but_the_weights_of_a_projector(weights: dict[str, Weights]) -> None:
    assert held(RTX_4070, "cuda", weights, SEEN)["CUDA0"] == 4 * GIB
    assert held(RTX_4070, "cuda", weights, SEEN, mmproj="eyes")["CUDA0"] == 7 * GIB
    assert held(RTX_4070, "cuda", weights, SEEN, draft="small")["CUDA0"] == 4 * GIB


def test_what_nobody_can_read_any_more_leaves_what_its_start_showed(weights: dict[str, Weights]) -> None:
    assert held(RTX_4070, "cuda", weights, SEEN, mmproj="gone")["CUDA0"] == 4 * GIB
    assert held(RTX_4070, "cuda", weights, mmproj="gone") == {}
