"""One command from bare hosts to answered questions, and the same command again."""

import json
import re
import urllib.error
import urllib.request

import pytest

from tests.controller import CHAT
from tests.live.sites import Site

WAYS = {
    # without root, the machine's own processes
    "embedded": "tiny",
    # a small sh as PID 1, no service manager: our own supervisor
    "plain": "gemma",
    "systemd": "tiny",
}


@pytest.fixture(scope="module", params=WAYS)
def site(request, controllers):
    """A host on which one server was deployed."""
    controller = controllers()
    match request.param:
        case "embedded":
            host = request.getfixturevalue("embedded").up(1)["h1"]
        case "plain":
            host = request.getfixturevalue("rig").up(1)["h1"]
        case _:
            host = request.getfixturevalue("rig").up(1, init="systemd")["h1"]
    found = Site(controller, host)
    controller.write([host], servers={"chat": CHAT | {"model": WAYS[request.param]}})
    document = controller.well("deploy", "--host", "h1", "--yes", "--json").json
    titles = [step["title"] for step in document["hosts"][0]["steps"]]
    assert any(title.startswith("send llama.cpp") for title in titles)
    assert titles[-1] == "wait until chat answers a completion"
    yield found
    controller("stop", "h1", "--yes")


def test_deploying_twice_does_nothing_the_second_time(site):
    again = site.controller.well("deploy", "--host", "h1", "--yes")
    assert again.out == "h1: nothing to do\n"
    document = site.controller.well("deploy", "h1", "--yes", "--json").json
    assert document == {
        "schema": "fleet.plan/1",
        "hosts": [{"name": "h1", "steps": [], "notes": [], "error": None}],
    }


def test_a_question_is_answered_and_its_speed_is_in_the_status(site):
    answer = site.controller.well("chat", "chat@h1", "Once upon a time", "--max-tokens", "24", "--json").host
    assert 0 < answer["tokens"] <= 24  # a model may end before it is cut off
    assert answer["generation_tps"] > 0
    assert answer["ttft_s"] > 0
    server = site.server()
    assert server["state"] == "ready"
    assert server["model"] in ("tiny", "gemma")
    assert server["generation_tps"] == pytest.approx(answer["generation_tps"])
    assert server["generation_age_s"] >= 0


def test_facts_name_the_build_and_the_model_by_their_hashes(site):
    facts = site.controller.well("facts", "h1", "--json").json
    text = json.dumps(facts)
    (build,) = site.root.glob("builds/*")
    (model,) = site.root.glob("models/*")
    assert build.name in text
    assert model.name in text
    assert site.halves() == []


def test_the_last_lines_of_the_log_are_shown(site):
    lines = site.controller.well("logs", "chat@h1", "--lines", "7", "--json").host["lines"]
    assert len(lines) == 7
    assert any("slot" in line or "srv" in line for line in lines)


def test_what_was_stopped_by_hand_stays_stopped_until_it_is_started(site):
    site.controller.well("stop", "chat@h1", "--yes", "--reason", "making room")
    assert site.llama_servers() == []
    kept = site.controller.well("deploy", "h1", "--yes")
    assert kept.out.splitlines() == [
        "h1: nothing to do",
        "  - chat is held: making room; fleet start chat@h1 clears it",
    ]
    assert site.server()["state"] == "held"
    site.controller.well("start", "chat@h1", "--yes")
    assert site.server()["state"] == "ready"
    assert site.controller.well("deploy", "h1", "--yes").out == "h1: nothing to do\n"


def test_a_restart_is_another_process_and_only_one(site):
    before = site.pid()
    site.controller.well("restart", "chat@h1", "--yes")
    assert site.pid() != before
    assert site.server()["state"] == "ready"


def test_a_changed_context_is_a_new_release_and_the_old_one_is_gone(site):
    (old,) = [path.name for path in site.root.glob("releases/chat/*")]
    chat = CHAT | {"model": str(site.server()["model"]), "context": 1024}
    site.controller.write([site.host], servers={"chat": chat})
    plan = site.controller.well("plan", "h1", "--json").host
    titles = [step["title"] for step in plan["steps"]]
    assert not any("llama.cpp" in title or "push" in title for title in titles)
    assert "stop chat" in titles
    assert any("does not answer between stop and ready" in note for note in plan["notes"])
    before = site.pid()
    site.controller.well("deploy", "h1", "--yes")
    assert site.pid() != before
    current = (site.root / "services" / "chat" / "current").readlink().name
    assert current != old
    assert site.controller.well("plan", "h1", "--json").host["steps"] == []


def test_any_client_can_use_a_server_through_a_forward(site):
    forward = site.controller.start("forward", "chat@h1")
    try:
        assert forward.stdout
        url = forward.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", url)
        key = site.controller.state / "fleet" / "keys" / "chat@h1"
        assert key.stat().st_mode & 0o777 == 0o600
        asked = urllib.request.Request(
            f"{url}/models", headers={"Authorization": f"Bearer {key.read_text().strip()}"}
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            models = json.load(answer)
        assert models["data"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{url}/models", timeout=30)
    finally:
        forward.terminate()
        forward.communicate(timeout=30)


def test_what_is_no_longer_wanted_is_shown_and_goes_only_with_prune(site):
    chat = CHAT | {"model": str(site.server()["model"]), "context": 1024}
    site.controller.write([site.host], servers={})
    kept = site.controller.well("deploy", "h1", "--yes")
    assert "chat is undeclared: not wanted on h1; --prune stops and removes it" in kept.out
    assert site.server()["state"] == "undeclared"
    site.controller.well("deploy", "h1", "--yes", "--prune")
    assert site.llama_servers() == []
    assert not (site.root / "services" / "chat").exists()
    assert site.controller.well("deploy", "h1", "--yes", "--prune").out.startswith("h1: nothing to do")
    # and back again, without a byte of build or model
    site.controller.write([site.host], servers={"chat": chat})
    titles = [step["title"] for step in site.controller.well("deploy", "h1", "--yes", "--json").host["steps"]]
    assert [title.split()[0] for title in titles] == ["write", "start", "wait"]
