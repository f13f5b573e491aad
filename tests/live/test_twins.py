"""Equal hosts share one build: how often llama.cpp was compiled and sent, from the journal."""

import json
import os
import signal

import pytest

from tests.controller import BUILD_DEADLINE, Controller, share_compilations
from tests.live.sites import Site, bare_cache

NAMES = ("one", "two", "three")
WORDS = ("build", "all", "--yes", "--max-hosts", "3")


@pytest.fixture
def hosts(embedded):
    """Three hosts with nothing on them."""
    return embedded.up(NAMES)


def counts(controller: Controller) -> tuple[int, int]:
    """Builds and transfers of finished builds."""
    titles = [event["step"] for event in controller.journal("step_done")]
    builds = [title for title in titles if title.startswith("build llama.cpp")]
    return len(builds), len([title for title in titles if title.startswith("send llama.cpp")])


def test_three_twins_and_a_finished_build_in_the_cache_are_no_build_and_three_transfers(hosts, controllers):
    controller = controllers()
    controller.write(hosts.values())
    controller.well(*WORDS)
    assert counts(controller) == (0, 3)
    again = controller.well(*WORDS, "--json").json
    assert [host["steps"] for host in again["hosts"]] == [[], [], []]


def test_three_twins_and_an_empty_cache_are_one_build_and_two_transfers(hosts, controllers, tmp_path):
    """Also where fleet is killed while the builder compiles: the next run joins what goes on there.

    The compilations are ccache's, shared over test runs; without it this compiles llama.cpp.
    """
    controller = controllers(bare_cache(tmp_path / "cache"))
    controller.write(hosts.values())
    for host in hosts.values():
        share_compilations(host.home)
    run = controller.start(*WORDS, "--jsonl")
    assert run.stdout
    builder = None
    for line in run.stdout:
        event = json.loads(line)
        if event["event"] == "step_progress" and event["step"].startswith("build llama.cpp"):
            builder = event["host"]
            os.kill(run.pid, signal.SIGKILL)
            break
    run.communicate()
    assert builder is not None
    controller.well(*WORDS, deadline=BUILD_DEADLINE)
    assert counts(controller) == (1, 2)
    for host in hosts.values():
        site = Site(controller, host)
        assert site.halves() == []
        assert len(list(site.root.glob("builds/*"))) == 1
    plan = controller.well(*WORDS, "--json").json
    assert [host["steps"] for host in plan["hosts"]] == [[], [], []]
