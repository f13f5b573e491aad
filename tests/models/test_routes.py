"""Where a model comes from, as the plan says it."""

import pytest

from fleet.core.facts import Tool
from fleet.core.inventory import Host, Inventory
from fleet.core.plan import Artifact, Plan, Put, Run, Step
from fleet.core.routes import FindRoutes, Route
from fleet.models.routes import can_share, choose, routed
from tests.models.test_plan import laptop

PYTHON = {"python3": Tool("python3", "/usr/bin/python3", None)}
NETWORKS = ("192.168.1.0/24",)
MODEL = Artifact("model", "a" * 64, "qwen", 4_000_000)
PUT = Step("push model qwen", Put(MODEL, "models/a"), "model:a", "push", bytes=4_000_000)


@pytest.mark.parametrize(
    ("host", "tools", "networks", "can"),
    [
        ({"address": "192.168.1.7"}, PYTHON, NETWORKS, True),
        ({"address": "192.168.1.7"}, {}, NETWORKS, False),
        ({"address": "192.168.1.7"}, PYTHON, (), False),
        ({"address": "203.0.113.7"}, PYTHON, NETWORKS, False),
        ({"address": "rtx.lan"}, PYTHON, NETWORKS, True),  # the host itself says where it was reached
        ({"ssh": "rtx"}, PYTHON, NETWORKS, True),
        ({"transport": "local"}, PYTHON, NETWORKS, False),
        ({"address": "192.168.1.7", "limit_rate": 5_000_000}, PYTHON, NETWORKS, False),
    ],
)
def test_a_host_shares_with_python_on_a_private_network_and_without_a_limit(host, tools, networks, can):
    inventory = Inventory(hosts={"laptop": Host.model_validate(host)}, private_networks=networks)
    assert can_share(inventory, "laptop", laptop(tools=tools)) is can


def test_a_host_that_has_the_model_is_named():
    assert choose("c", {"a"}, {"c"}, {"a", "b", "c"}) == ("peer", "from a, else from here")
    assert choose("c", {"a", "b"}, {"c"}, {"a", "b", "c"}) == (
        "peer",
        "from a and 1 other host, else from here",
    )


def test_hosts_that_get_it_in_one_run_share_it():
    assert choose("a", (), {"a", "b", "c"}, {"a", "b"}) == ("peer", "from here and shared among 2 hosts")


@pytest.mark.parametrize(
    ("having", "getting", "sharing"),
    [((), {"a"}, {"a"}), ((), {"a", "b"}, {"a"}), ({"b"}, {"a"}, {"a"}), ({"b"}, {"a", "c"}, {"b", "c"})],
)
def test_otherwise_it_comes_from_the_controller(having, getting, sharing):
    assert choose("a", having, getting, sharing) == ("controller", "from here")


def answered(plan: Plan, route: Route) -> Plan:
    flow = routed(plan)
    assert next(flow) == FindRoutes("laptop", (MODEL.id,))
    with pytest.raises(StopIteration) as stop:
        flow.send({MODEL.id: route})
    return stop.value.value


def test_the_plan_says_the_way_and_the_seconds_of_what_was_measured():
    plan = answered(Plan("laptop", (PUT,)), Route("peer", "from a, else from here", 2_000_000.0))
    assert str(plan).endswith("1. push model qwen (3.8 MiB from a, else from here, about 2 s)")
    assert plan.steps[0].document()["from"] == "from a, else from here"


def test_what_was_never_measured_has_no_seconds():
    plan = answered(Plan("laptop", (PUT,)), Route("controller", "from here", None))
    assert str(plan).endswith("(3.8 MiB from here)")
    assert plan.steps[0].seconds is None


def test_a_plan_without_models_asks_nothing():
    plan = Plan("laptop", (Step("stop", Run(":", 1.0), "stop", "stop"),))
    with pytest.raises(StopIteration) as stop:
        next(routed(plan))
    assert stop.value.value == plan


def test_a_plan_says_why_a_host_that_may_pull_does_not():
    plan = answered(Plan("laptop", (PUT,), ("a note",)), Route("controller", "from here", None, "no answer"))
    assert plan.notes == ("a note", "qwen is not pulled by the host: no answer")
