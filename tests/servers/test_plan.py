"""From what a host holds to the steps that bring its servers where they should be."""

import json
from dataclasses import replace

import pytest

from fleet.core.errors import PlanError
from fleet.core.inventory import Host
from fleet.core.plan import Artifact, Drained, Ready, Run, Wait, Write
from fleet.servers import by_hand
from fleet.servers.plan import steps
from fleet.servers.release import files, release, run_text, socket_path
from tests.servers.values import PRINT, SHA, facts, instance, server

MODELS = {"tiny": Artifact("model", SHA, "tiny", 1)}


def released(**changes):
    return release("chat", server(**changes), Host(), facts(), PRINT, "cpu", SHA)


WANTED = released()
HERE = instance(release=WANTED.rid, listen=WANTED.listen)


def planned(*instances, servers=None, undeclared=(), prune=False, **changes):
    wish = {"chat": server(**changes)} if servers is None else servers
    return steps(
        "laptop",
        Host(),
        wish,
        facts(instances=instances),
        MODELS,
        fingerprint=PRINT,
        backend="cpu",
        private_networks=("192.168.1.0/24",),
        undeclared=undeclared,
        prune=prune,
    )[:2]


def kinds(found):
    return [type(step.action).__name__ for step in found]


def phases(found):
    return [step.phase for step in found]


def test_a_server_that_is_not_there_is_written_started_and_waited_for():
    found, notes = planned()
    assert kinds(found) == ["Write", "Run", "Wait"]
    until = found[2].action.until
    assert until == Ready("chat", WANTED.rid, WANTED.listen, until.deadline, None)
    assert notes == ()


def test_a_server_that_runs_and_is_proven_needs_nothing():
    assert planned(HERE) == ((), ())


def test_one_that_runs_and_is_not_proven_is_waited_for():
    found, _ = planned(replace(HERE, is_proven=False))
    assert kinds(found) == ["Wait"]


def test_another_release_is_drained_and_stopped_and_the_outage_is_told():
    found, notes = planned(instance(release="bbbbbbbbbbbb"))
    assert phases(found) == ["prepare", "stop", "stop", "start", "health"]
    assert isinstance(found[1].action, Wait) and isinstance(found[1].action.until, Drained)
    assert found[2].outage == "chat does not answer between stop and ready"
    assert "changes from release bbbbbbbbbbbb" in notes[0]


def test_a_new_address_is_tried_before_the_old_server_stops():
    found, _ = planned(instance(release="bbbbbbbbbbbb"), listen="192.168.1.21:9000")
    assert found[1].title == "check that 192.168.1.21:9000 is free"
    assert phases(found)[2] == "stop"


def test_another_supervisor_is_another_release():
    found, _ = planned(replace(HERE, supervisor="supervise"))
    assert "stop" in phases(found)


def test_a_failed_server_is_started_again_with_its_cause():
    failed = replace(HERE, state="failed", exit_code=1, log_tail=("error: invalid argument: --x",), pid=None)
    found, notes = planned(failed)
    assert kinds(found) == ["Write", "Run", "Wait"]
    assert notes == ("chat failed: llama-server does not know the flag --x; it is started again",)


def test_one_that_crashes_again_and_again_is_stopped_first():
    crashing = replace(HERE, state="starting", exit_code=137, pid=None, is_proven=False)
    found, notes = planned(crashing)
    assert phases(found) == ["prepare", "stop", "start", "health"]
    assert "memory ran out" in notes[0]


def test_a_reboot_is_named():
    down = replace(HERE, state="stopped", pid=None, is_proven=False, boot="boot-0")
    found, notes = planned(down)
    assert kinds(found) == ["Write", "Run", "Wait"]
    assert notes == ("chat is down since the host was restarted; it is started again",)


def test_a_held_server_is_left_alone_and_it_is_said():
    held = replace(HERE, state="stopped", held="making room", pid=None)
    assert planned(held) == ((), ("chat is held: making room; fleet start chat@laptop clears it",))


def test_an_undeclared_server_is_left_alone_unless_pruned():
    found, notes = planned(HERE, servers={}, undeclared=("chat",))
    assert found == ()
    assert "undeclared" in notes[0] and "--prune" in notes[0]
    found, notes = planned(HERE, servers={}, undeclared=("chat",), prune=True)
    assert kinds(found) == ["Wait", "Run"]
    assert "rm -rf" in found[1].action.script
    assert notes == ()


def test_stop_drains_and_holds_with_the_reason():
    found, _ = by_hand.stop("laptop", facts(instances=(HERE,)), (), "making room")
    assert kinds(found) == ["Wait", "Run"]
    assert "REASON='making room'\n" in found[1].action.script
    assert found[1].outage


def test_stop_of_a_held_server_does_nothing():
    held = replace(HERE, state="stopped", held="x")
    assert by_hand.stop("laptop", facts(instances=(held,)), ())[0] == ()


def test_start_clears_a_hold_and_leaves_what_runs():
    held = replace(HERE, state="stopped", held="x", is_proven=False)
    found, _ = by_hand.start("laptop", facts(instances=(held,)), ())
    assert kinds(found) == ["Run", "Wait"]
    assert by_hand.start("laptop", facts(instances=(HERE,)), ()) == ((), ("chat runs already",))


def test_restart_keeps_a_held_server_unless_it_is_named():
    held = replace(HERE, state="stopped", held="x", is_proven=False)
    assert by_hand.restart("laptop", facts(instances=(held,)), ())[0] == ()
    found, _ = by_hand.restart("laptop", facts(instances=(held,)), ("chat",))
    assert phases(found) == ["stop", "start", "health"]


def test_a_server_that_is_not_deployed_is_an_error_that_names_those_that_are():
    with pytest.raises(PlanError, match="no server called 'chta'") as error:
        by_hand.stop("laptop", facts(instances=(HERE,)), ("chta",))
    assert "chat" in str(error.value.next)


def test_the_name_of_a_release_follows_everything_that_matters():
    others = [
        released(context=4096),
        released(args={"cache-ram": 0}),
        release("chat", server(), Host(), facts(), "f" * 16, "cpu", SHA),
        release("chat", server(), Host(), facts(), PRINT, "cpu", "6" * 64),
        release("chat", server(), Host(supervisor="supervise"), facts(), PRINT, "cpu", SHA),
    ]
    assert len({WANTED.rid, *(other.rid for other in others)}) == 6
    assert released().rid == WANTED.rid
    assert len(WANTED.rid) == 12


def test_a_socket_path_that_is_too_long_names_the_setting():
    assert socket_path("/r", "chat") == "/r/run/31e06f7d.sock"
    with pytest.raises(PlanError, match="103 are possible") as error:
        socket_path("/" + "x" * 90, "chat")
    assert "root" in str(error.value.next)
    assert len(socket_path("/" + "x" * 84, "chat")) == 103


def test_a_public_address_is_refused():
    with pytest.raises(PlanError, match="neither loopback nor in private_networks") as error:
        planned(listen="8.8.8.8:80")
    assert error.value.exit_code == 6


def test_two_servers_cannot_share_an_address():
    both = {name: server(listen="127.0.0.1:9000") for name in ("a", "b")}
    with pytest.raises(PlanError, match="both listen"):
        planned(servers=both)


def test_the_files_of_a_release_hold_no_key_and_say_what_it_is():
    found = {file.path: file for file in files(WANTED)}
    folder = f"releases/chat/{WANTED.rid}"
    document = json.loads(found[f"{folder}/RELEASE.json"].text)
    assert (document["model"], document["sha256"], document["rid"]) == ("tiny", SHA, WANTED.rid)
    assert f"listen={WANTED.listen}\n" in found[f"{folder}/release.env"].text
    assert found[f"{folder}/run"].mode == 0o700
    assert "/home/ops/.config/systemd/user/fleet-chat.service" in found
    assert "bin/supervise.sh" not in found


def test_the_run_program_quotes_what_people_write():
    made = released(args={"chat-template-kwargs": """{"a": "it's $HOME `id`"}"""})
    assert """'{"a": "it'"'"'s $HOME `id`"}'""" in run_text(made)


def test_every_step_that_runs_a_program_has_a_deadline():
    found, _ = planned(instance(release="bbbbbbbbbbbb"))
    assert all(step.action.deadline > 0 for step in found if isinstance(step.action, Run))
    assert any(isinstance(step.action, Write) for step in found)
