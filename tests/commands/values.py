"""Facts, plans and conversations for tests of verbs."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from fleet.commands.base import Request
from fleet.core.conversion import AskState
from fleet.core.facts import Lock, ModelFile
from fleet.core.flow import Carried, Carry, Confirm, FindModel, FindTree, ReadProgram, ReadWeights, Tree
from fleet.core.inventory import Host, Inventory, Model, Server
from fleet.core.plan import Artifact, Plan
from fleet.core.routes import FindRoutes
from fleet.core.stock import Known, ReadStock, Stocked
from fleet.io.models.memory import read_header
from fleet.models.weights import join
from tests.servers.values import SMOKE, facts, instance

HELP = (Path(__file__).parents[1] / "servers" / "recordings" / "help_llama-server.txt").read_text()
SHA = "5" * 64
WEIGHTS = join("tiny", [(read_header(SMOKE), SMOKE.stat().st_size)], SHA)
TREE = Tree("t" * 16, "b11434", 11434, None, Artifact("source", "t" * 16, "b11434", 10))
TINY = Artifact("model", SHA, "tiny", 1000)
INVENTORY = Inventory(
    hosts={
        "laptop": Host(address="10.0.0.1"),
        "rtx": Host(address="10.0.0.2", tags=("gpu",)),
        "mac": Host(ssh="mac", part_time=True),
    },
    models={"tiny": Model(source="file:tiny.gguf", sha256=SHA)},
    servers={"chat": Server(model="tiny", on=("laptop", "rtx"))},
)
KNOWN = Known("tiny", "file:tiny.gguf", SHA, 1000, "inventory", None, None)
STOCKED = Stocked((KNOWN,), (), None)
HELD = ModelFile(SHA, 1000)
LOCK = Lock(7, "abcd", "ops@desk (fleet deploy, pid 9)", 3, False)


def request(verb: str, *hosts: str, servers: tuple[str, ...] = (), **options: Any) -> Request:
    return Request(verb, hosts or ("laptop",), options, servers)


def ended(flow: Generator[Any, Any, Any], answer: Any = None) -> Any:
    """What a flow returns after this answer, which must be the last it wants."""
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def thrown(flow: Generator[Any, Any, Any], error: BaseException) -> Any:
    """What a flow returns after its last question failed."""
    with pytest.raises(StopIteration) as stop:
        flow.throw(error)
    return stop.value.value


def asked(flow: Generator[Any, Any, Any], answer: Any, known: dict[type, Any] | None = None) -> Plan:
    """The plan that a flow asks to confirm; questions on the way are answered from what is known."""
    answers: dict[type, Any] = {
        FindTree: TREE,
        ReadStock: STOCKED,
        FindModel: TINY,
        ReadWeights: WEIGHTS,
        ReadProgram: (HELP, ""),
        FindRoutes: {},
        AskState: "",
    } | (known or {})
    need = flow.send(answer)
    while not isinstance(need, Confirm):
        need = flow.send(answers[type(need)])
    return need.plan


__all__ = [
    "HELD",
    "INVENTORY",
    "LOCK",
    "SHA",
    "STOCKED",
    "TINY",
    "TREE",
    "Carried",
    "Carry",
    "asked",
    "ended",
    "facts",
    "instance",
    "request",
    "thrown",
]  # fmt: skip
