"""Equal hosts share one build: how often llama.cpp was compiled and sent, from the journal."""

import fcntl
import json
import os
import shutil
import signal

import pytest

from tests.controller import BUILD_DEADLINE, Controller, share_compilations, user_cache
from tests.live.sites import Site, bare_cache

BUILDER = "one"  # equal hosts: the first by name
NAMES = (BUILDER, "two", "three")
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


@pytest.fixture
def fixed_root():
    """A root with the same path in every test run: sources that CMake writes hold that path.

    With it every compilation is one that ccache knows (without, all but 10 of 212).
    """
    root = user_cache() / "tests" / "root"
    root.parent.mkdir(parents=True, exist_ok=True)
    with open(root.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(root, ignore_errors=True)
        yield root
        shutil.rmtree(root, ignore_errors=True)


def test_three_twins_and_an_empty_cache_are_one_build_and_two_transfers(
    hosts, controllers, tmp_path, fixed_root
):
    """Also where fleet is killed while the builder compiles: the next run joins what goes on there.

    What the compiler makes is kept by ccache for the next test run; without ccache this
    really compiles llama.cpp each time.
    """
    controller = controllers(bare_cache(tmp_path / "cache"))
    controller.write(hosts.values(), settings={BUILDER: {"root": str(fixed_root)}})
    for host in hosts.values():
        share_compilations(host.home)
    run = controller.start(*WORDS, "--jsonl")
    assert run.stdout
    for line in run.stdout:
        event = json.loads(line)
        if event["event"] == "step_progress" and event["step"].startswith("build llama.cpp"):
            assert event["host"] == BUILDER
            os.kill(run.pid, signal.SIGKILL)
            break
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    controller.well(*WORDS, deadline=BUILD_DEADLINE)
    assert counts(controller) == (1, 2)
    for name, host in hosts.items():
        root = fixed_root if name == BUILDER else Site(controller, host).root
        assert len(list(root.glob("builds/[0-9a-f]*"))) == 1
    again = controller.well(*WORDS, "--json").json
    assert [host["steps"] for host in again["hosts"]] == [[], [], []]
