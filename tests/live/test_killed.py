"""Fleet is killed in the middle of a deploy, and the same command goes on from there."""

import json
import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.controller import CHAT, GEMMA, SMOKE, user_cache
from tests.live.sites import Site

SEED = 11434


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill: at the first event like this, and a little later."""

    event: str
    step: str = ""  # the step's title begins so
    done: float = 0.0  # share of the step, for step_progress
    model: str = "tiny"

    def is_now(self, event: dict[str, object]) -> bool:
        if event["event"] != self.event or not str(event.get("step", "")).startswith(self.step):
            return False
        done, total = event.get("done"), event.get("total")
        if self.event != "step_progress":
            return True
        return isinstance(done, int | float) and isinstance(total, int | float) and done >= self.done * total

    def __str__(self) -> str:
        share = f" at {self.done:.0%}" if self.done else ""
        return f"{self.event} {self.step}{share}".strip()


MOMENTS = (
    Moment("confirmed"),
    Moment("step_started", "send llama.cpp"),
    Moment("step_progress", "send llama.cpp", 0.3),
    Moment("step_started", "prove llama.cpp"),
    Moment("step_progress", "push model", 0.2, model="gemma"),
    Moment("step_progress", "push model", 0.7, model="gemma"),
    Moment("step_started", "write release"),
    Moment("step_started", "start chat"),
    Moment("step_done", "start chat"),
    Moment("step_started", "wait until chat"),
)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_the_same_command_after_a_kill_ends_where_it_should(moment, embedded, controllers):
    controller = controllers()
    site = Site(controller, embedded.up(1)["h1"])
    controller.write([site.host], servers={"chat": CHAT | {"model": moment.model}})

    assert killed(site, moment, random.Random(f"{SEED} {moment}").uniform(0, 0.3))
    assert site.halves() == []
    held = settled(site, moment)

    again = controller.well("deploy", "h1", "--yes", "--jsonl")
    assert site.halves() == []
    assert len(site.llama_servers()) == 1
    assert site.server()["state"] == "ready"
    assert controller.well("plan", "h1", "--json").host["steps"] == []
    for event in again.events("step_done"):
        if event["key"].startswith("model:"):
            assert event["bytes"] <= pushed(moment).stat().st_size - held
            assert held or moment.event != "step_progress" or moment.model != "gemma"
    assert not list(site.root.glob("parts/*"))


def test_an_interrupted_deploy_says_where_it_was_and_gives_the_host_back(embedded, controllers):
    controller = controllers()
    site = Site(controller, embedded.up(1)["h1"])
    controller.write([site.host], servers={"chat": CHAT | {"model": "gemma"}})
    run = controller.start("deploy", "h1", "--yes", stderr=subprocess.PIPE)
    assert run.stderr
    for line in run.stderr:
        if "push model gemma" in line and "/" in line and "]" in line:
            break
    run.send_signal(signal.SIGINT)
    _, rest = run.communicate(timeout=60)
    assert run.returncode == 130
    said = rest.splitlines()
    assert "interrupted" in said
    assert "h1: during: push model gemma. The same command goes on from there." in said
    assert "Traceback" not in rest
    # another controller need not wait
    other = controllers()
    other.write([site.host], servers={"chat": CHAT | {"model": "gemma"}})
    other.well("push", "h1", "--yes")
    assert site.halves() == []


def test_two_at_a_time_are_refused_and_told_who_is_there(embedded, controllers):
    first, second = controllers(), controllers()
    site = Site(first, embedded.up(1)["h1"])
    for controller in (first, second):
        controller.write([site.host], servers={"chat": CHAT})
    run = first.start("deploy", "h1", "--yes", "--jsonl")
    assert run.stdout
    for line in run.stdout:
        if json.loads(line)["event"] == "step_started":
            break
    try:
        os.kill(run.pid, signal.SIGSTOP)
        refused = first("deploy", "h1", "--yes")
        assert refused.code == 6, refused
        assert "is changing this host now" in refused.err
        assert "fleet deploy" in refused.err
        assert "-> next: wait until that is done, or fleet unlock h1" in refused.err
        # who only looks is never held up
        assert second.well("status", "h1", "--json").host["state"] == "ready"
    finally:
        os.kill(run.pid, signal.SIGCONT)
        run.communicate(timeout=120)
    assert run.returncode == 0
    assert second.well("deploy", "h1", "--yes").out == "h1: nothing to do\n"


def killed(site: Site, moment: Moment, later: float) -> bool:
    """Deploys, and kills fleet; whether the moment came."""
    run = site.controller.start("deploy", "h1", "--yes", "--jsonl")
    try:
        assert run.stdout
        for line in run.stdout:
            if moment.is_now(json.loads(line)):
                time.sleep(later)
                os.kill(run.pid, signal.SIGKILL)
                return True
        return False
    finally:
        run.kill()
        run.communicate()


def settled(site: Site, moment: Moment) -> int:
    """Bytes in whole chunks of the model that the host has, once what was under way has arrived."""
    before: list[str] = []
    end = time.monotonic() + 60
    while (now := site.listing()) != before:
        assert time.monotonic() < end, "it never comes to rest"
        before = now
        time.sleep(0.3)
    return site.verified(pushed(moment))


def pushed(moment: Moment) -> Path:
    """The file that the deploy pushes."""
    return SMOKE if moment.model == "tiny" else user_cache() / "models" / f"{GEMMA['sha256']}.gguf"
