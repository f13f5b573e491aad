"""The command line as a person meets it: what it refuses, says and prints, and its exit codes."""

import json
import os
import subprocess
from pathlib import Path

import click
import pytest

from fleet import cli
from fleet.commands.base import VERBS
from tests.controller import Controller
from tests.embedded import EmbeddedHost
from tests.terminal import closed_port, says

NOTHING: dict[str, dict[str, object]] = {}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["status"], 2, "no inventory"),
        (["frobnicate"], 2, "no verb called 'frobnicate'"),
        (["statsu"], 2, "status"),
        (["status", "--jsno"], 2, "--json"),
        (["host", "ad"], 2, "add"),
        (["deploy", "all"], 2, "no inventory"),
        (["status", "--inventory", "gone.toml"], 2, "gone.toml"),
        (["status", "--timeout", "soon"], 2, "soon"),
        (["status", "--jobs", "0"], 2, "--jobs"),
        (["chat"], 2, "SERVER"),
    ],
)
def test_without_an_inventory(fleet: Controller, words: list[str], code: int, said: str):
    ended = fleet(*words)
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert said in ended.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["status", "h3"], 2, "no host called 'h3'"),
        (["status", "@gpu"], 2, "no host has the tag"),
        (["status", "colour:red"], 2, "no selector called"),
        (["status", "state:down"], 2, "state: needs hosts that were asked"),
        (["stop", "h1+^h1"], 2, "no host matches"),
        (["deploy"], 2, "which hosts?"),
        (["chat", "nemo", "hi"], 2, "no server called 'nemo'"),
        (["chat", "chat", "hi"], 2, "chat@h1"),
        (["chat", "chat@h9", "hi"], 2, "no host called 'h9'"),
        (["stop", "chat@h9"], 2, "no host called 'h9'"),
        (["stop", "chat@h1", "h2"], 2, "one command for each"),
        (["push", "h1", "--model", "nemo", "--yes"], 6, "no model called 'nemo'"),
        (["forward", "chat@h1", "http"], 2, "not a port"),
        (["push", "h1", "--read-only"], 6, "read-only"),
        (["--read-only", "push", "h1"], 6, "read-only"),
    ],
)
def test_what_is_refused(two: Controller, words: list[str], code: int, said: str):
    says(two(*words), code, said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[hosts.a]\nadress = '10.0.0.1'\n", "hosts.a.adress"),
        ("[hosts.a\n", "inventory.toml"),
        ("[hosts.a]\naddress = '10.0.0.1'\nport = 70000\n[servers.x]\nmodel = 'y'\n", "hosts.a.port"),
        ("", "no hosts yet"),
    ],
)
def test_a_file_that_is_not_right(fleet: Controller, text: str, said: str):
    fleet.inventory.write_text(text)
    says(fleet("status"), 2, said)
    document = fleet("status", "--json")
    assert (document.code, document.json["hosts"]) == (2, [])
    assert document.json["error"]["kind"] == "inventory"


@pytest.mark.usefixtures("clean")
def test_what_needs_a_yes_is_not_done_without_one(two: Controller, hosts: dict[str, EmbeddedHost]):
    says(two("push", "h1"), 7, "nobody is at the terminal", "--yes")
    says(two("push", "all"), 7, "--yes --max-hosts 2")
    says(two("push", "all", "--yes"), 7, "--max-hosts 2")
    says(two("push", "all", "--yes", "--max-hosts", "1"), 7, "--max-hosts allows 1")
    assert not any((host.home / ".local").exists() for host in hosts.values())
    refused = two("push", "all", "--yes", "--json")
    assert refused.code == 7
    assert [host["error"]["kind"] for host in refused.json["hosts"]] == ["declined", "declined"]
    assert two("push", "all").err.count("nobody is at the terminal") == 1


@pytest.mark.usefixtures("clean")
def test_a_dry_run_prints_the_plan_and_does_nothing(two: Controller, hosts: dict[str, EmbeddedHost]):
    ended = two.well("push", "all", "--dry-run")
    assert "1. push model tiny" in ended.out
    assert "nothing done" in ended.out
    assert not any((host.home / ".local").exists() for host in hosts.values())
    assert two.well("push", "h1", "--dry-run", "--json").host["steps"][0]["action"] == "put"


@pytest.mark.usefixtures("clean")
def test_a_push_is_done_once_and_every_line_of_jsonl_says_when_which_run_where_and_what(two: Controller):
    first = two.well("push", "all", "--yes", "--max-hosts", "2", "--jsonl")
    for event in first.events():
        assert {"ts", "run", "host", "event"} <= set(event)
        assert isinstance(event["ts"], float)
    done = first.events("step_done")
    assert {event["host"] for event in done} == {"h1", "h2"}
    assert all({"step", "done", "total"} <= set(event) for event in done)
    assert first.events()[0]["event"] == "run_started"
    assert first.events()[-1]["event"] == "run_ended"
    assert len(first.events("confirmed")) == 2
    second = two.well("push", "--yes", "--host", "h1")
    assert second.out.startswith("h1: nothing to do")
    assert two.well("push", "h2", "--json").host["steps"] == []
    assert two.well("doctor", "h1", "--json").host["findings"][0]["about"] == "connection"


@pytest.mark.usefixtures("clean")
def test_what_nothing_uses_is_removed_when_asked(two: Controller, hosts: dict[str, EmbeddedHost]):
    two.well("push", "h1", "--yes")
    two.inventory.write_text(two.inventory.read_text().replace('on = ["all"]', 'on = ["h2"]'))
    models = hosts["h1"].home / ".local" / "share" / "fleet" / "models"
    assert "remove models/" in two.well("gc", "h1", "--dry-run").out
    assert len(os.listdir(models)) == 1
    two.well("gc", "h1", "--yes")
    assert os.listdir(models) == []
    assert two.well("gc", "h1", "--yes").out == "h1: nothing to do\n"


@pytest.mark.usefixtures("clean")
def test_a_lock_that_was_left_behind_is_taken_away_by_name(two: Controller, hosts: dict[str, EmbeddedHost]):
    lock = hosts["h1"].home / ".local" / "share" / "fleet" / "lock" / "lock.4"
    lock.mkdir(parents=True)
    who = {"controller": "x", "user": "ann", "machine": "desk", "pid": 1, "run": "r", "verb": "deploy"}
    (lock / "OWNER.json").write_text(json.dumps(who) + "\n")
    (lock / "beat").write_text("3\n")
    says(two("unlock", "h1", "--yes"), 7, "ann@desk", "--confirm h1")
    says(two("unlock", "h1", "--yes", "--confirm", "h2"), 7, "--confirm h1")
    two.well("unlock", "h1", "--yes", "--confirm", "h1")
    assert two.well("unlock", "h1", "--yes", "--confirm", "h1").out.startswith("h1: nothing to do")
    two.well("push", "h1", "--yes")


@pytest.mark.usefixtures("clean")
def test_what_cannot_be_undone_is_done_on_one_host_at_a_time(two: Controller, hosts: dict[str, EmbeddedHost]):
    for host in hosts.values():
        (host.home / ".local" / "share" / "fleet" / "lock" / "lock.1").mkdir(parents=True)
    says(two("unlock", "all", "--yes", "--confirm", "h1", "--max-hosts", "2"), 7, "one host at a time")


def test_options_are_taken_before_and_after_the_verb(two: Controller, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere.toml"
    two.inventory.rename(elsewhere)
    before = two.well("--inventory", str(elsewhere), "--json", "facts", "h1")
    after = two.well("facts", "--host", "h1", "--inventory", str(elsewhere), "--json")
    for ended in (before, after):
        assert ended.json["schema"] == "fleet.facts/1"
        assert [host["name"] for host in ended.json["hosts"]] == ["h1"]


def test_hosts_that_cannot_be_reached_are_told_apart(
    fleet: Controller, hosts: dict[str, EmbeddedHost], tmp_path: Path
):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    public = (tmp_path / "other.pub").read_text()
    (tmp_path / "wrong").write_text(f"[127.0.0.1]:{hosts['h2'].port} {public}")
    fleet.write(hosts.values(), NOTHING, NOTHING, {"h2": {"port": closed_port()}})
    says(fleet("facts", "h2"), 4, "h2:")
    says(fleet("facts"), 3, "h2:")
    document = fleet("status", "--json")
    assert document.code == 3
    assert [host["state"] for host in document.json["hosts"]] == ["ready", "down"]
    assert document.json["hosts"][1]["error"]["kind"] == "unreachable"
    assert fleet("plan", "--json").json["hosts"][1]["error"]["next"]
    fleet.write(hosts.values(), NOTHING, NOTHING, {"h2": {"identity": str(tmp_path / "other")}})
    says(fleet("facts", "h2"), 4, "key was refused", "ssh-copy-id")
    fleet.write(hosts.values(), NOTHING, NOTHING, {"h2": {"known_hosts": str(tmp_path / "wrong")}})
    says(fleet("facts", "h2"), 4, "SHA256:")
    fleet.write(hosts.values(), NOTHING, NOTHING, {"h2": {"known_hosts": str(tmp_path / "none")}})
    says(fleet("facts", "h2"), 4, "SHA256:")
    fleet.write(hosts.values(), NOTHING, NOTHING, {"h2": {"address": "nowhere.invalid"}})
    says(fleet("facts", "h2"), 4)


def test_a_part_time_host_that_is_away_is_no_failure(fleet: Controller, hosts: dict[str, EmbeddedHost]):
    fleet.write(hosts.values(), NOTHING, NOTHING, {"h2": {"port": closed_port(), "part_time": True}})
    ended = fleet.well("status", "--json")
    assert [host["state"] for host in ended.json["hosts"]] == ["ready", "asleep"]


def test_a_host_that_takes_too_long_is_given_up(two: Controller, hosts: dict[str, EmbeddedHost]):
    hosts["h2"].pause()
    try:
        says(two("facts", "h2", "--timeout", "0.5"), 5, "0.5 s", "--timeout")
    finally:
        hosts["h2"].resume()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["help"],
        ["help", "host", "add"],
        ["host"],
        ["--help"],
        ["deploy", "--help"],
        ["host", "--help"],
        ["host", "add", "--help"],
    ],
)
def test_help_is_no_failure(fleet: Controller, words: list[str]):
    assert "Usage: fleet" in fleet.well(*words).out


@pytest.mark.parametrize("name", [*VERBS.names, *cli.DOORS])
def test_help_says_what_each_argument_is(name: str):
    command = cli.door(name) if name in cli.DOORS else cli.command(name, VERBS.take(name))
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    assert [one.name for one in arguments if not one.help] == []


def test_the_version(fleet: Controller):
    assert fleet.well("--version").out == fleet.well("version").out
