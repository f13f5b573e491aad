"""Adding, trusting and removing hosts, as conversations."""

from typing import Any

import pytest

from fleet.commands import host_add, host_list, host_remove, host_trust, models_pin
from fleet.commands.base import Request
from fleet.core.edits import (
    AddHost,
    Ask,
    EditInventory,
    HostKey,
    Introduce,
    Pin,
    PinModel,
    ReadHostKey,
    RemoveHost,
    Renewed,
    RenewModel,
    SetHostKey,
)
from fleet.core.errors import DeclinedError, PlanError, UnreachableError, UsageError
from fleet.core.flow import FindModel, Probe
from fleet.core.inventory import Host, Inventory, Model, Server
from fleet.core.plan import Artifact
from tests.servers.values import facts

OLD, NEW = "SHA256:" + "o" * 43, "SHA256:" + "n" * 43
UNKNOWN = HostKey("ssh-ed25519", NEW, "ssh-ed25519 AAAA", (), None)
CHANGED = HostKey("ssh-ed25519", NEW, "ssh-ed25519 AAAA", (OLD,), "fleet's pins")
KNOWN = HostKey("ssh-ed25519", NEW, "ssh-ed25519 AAAA", (NEW,), "your known_hosts")
INVENTORY = Inventory(
    hosts={
        "rtx": Host(address="10.0.0.1", tags=("gpu",)),
        "mac": Host(ssh="mac"),
        "here": Host(transport="local"),
    },
    models={"m": Model(source="file:m", allow_unpinned=True), "n": Model(source="file:n", sha256="0" * 64)},
    servers={"chat": Server(model="m", on=("rtx", "mac"))},
)


def ask(verb: str, dry_run: bool = False, **options: Any) -> Request:
    return Request(verb, (), options, dry_run=dry_run)


def adding(dry_run: bool = False, **options: Any) -> Any:
    request = ask("host-add", dry_run, **({"name": "pi", "address": "10.0.0.9"} | options))
    return host_add.flow(request, INVENTORY, "")


def end(flow: Any, answer: Any) -> Any:
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def test_a_host_is_written_down_after_its_key_was_agreed_to_and_it_answered() -> None:
    flow = adding(user="me", tag=("arm",), part_time=True)
    keys = {"address": "10.0.0.9", "user": "me", "tags": ("arm",), "part_time": True}
    assert next(flow) == Introduce("pi", keys)
    assert flow.send(None) == ReadHostKey("pi")
    question = flow.send(UNKNOWN)
    assert question == Ask(f"pi (10.0.0.9) shows the ssh-ed25519 key {NEW}\nTrust it?")
    assert flow.send(True) == Pin("pi", UNKNOWN)
    assert flow.send(None) == Probe("pi")
    assert flow.send(facts(host="pi")) == EditInventory(AddHost("pi", {**keys, "host_key": NEW}))
    added = end(flow, True)
    assert added.changed
    assert list(host_add.lines(ask("host-add"), {"": added}))[-2:] == [
        "pi: added",
        "-> next: fleet doctor pi",
    ]


def test_saying_no_to_a_key_changes_nothing() -> None:
    flow = adding()
    next(flow)
    flow.send(None)
    flow.send(UNKNOWN)
    with pytest.raises(DeclinedError) as declined:
        flow.send(False)
    assert "ssh_host_ed25519_key.pub" in str(declined.value.next)


def test_a_key_that_nobody_can_agree_to_says_the_command_that_does() -> None:
    flow = adding(port=2222, tag=("arm",))
    next(flow)
    flow.send(None)
    flow.send(UNKNOWN)
    with pytest.raises(UnreachableError) as wrong:
        flow.throw(DeclinedError("nobody is at the terminal", kind="nobody"))
    assert wrong.value.kind == "host-key-unknown"
    assert wrong.value.next == f"fleet host add pi 10.0.0.9 --port 2222 --tag arm --host-key {NEW}"


def test_a_key_given_on_the_command_line_is_not_asked_about() -> None:
    flow = adding(host_key=NEW)
    next(flow)
    flow.send(None)
    assert flow.send(UNKNOWN) == Pin("pi", UNKNOWN)


def test_another_key_than_the_given_one_ends_it() -> None:
    flow = adding(host_key=OLD)
    next(flow)
    flow.send(None)
    with pytest.raises(UnreachableError) as wrong:
        flow.send(UNKNOWN)
    assert wrong.value.kind == "host-key-changed"
    assert NEW in wrong.value.what
    assert OLD in wrong.value.what


def test_a_key_that_the_user_knows_already_is_not_asked_about() -> None:
    flow = adding()
    next(flow)
    flow.send(None)
    assert flow.send(KNOWN) == Pin("pi", KNOWN)


def test_this_machine_shows_no_key() -> None:
    flow = adding(address=None, local=True)
    assert next(flow) == Introduce("pi", {"transport": "local"})
    assert flow.send(None) == Probe("pi")


def test_a_dry_run_shows_the_key_and_pins_nothing() -> None:
    flow = adding(dry_run=True)
    next(flow)
    flow.send(None)
    assert end(flow, UNKNOWN).fingerprint == NEW


def test_adding_a_host_twice_does_nothing_the_second_time() -> None:
    flow = adding(name="rtx", address="10.0.0.1")
    with pytest.raises(StopIteration) as stop:
        next(flow)
    assert not stop.value.value.changed


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"name": "rtx"}, "rtx is in the inventory already, as 10.0.0.1"),
        ({"name": "All"}, "'All' is no name for a host"),
        ({"name": "all"}, "'all' is no name for a host"),
        ({"address": None}, "a host is reached in one way"),
        ({"ssh": "mac"}, "a host is reached in one way"),
    ],
)
def test_a_host_needs_a_free_name_and_one_way(options: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError) as wrong:
        next(adding(**options))
    assert wrong.value.what == what


def test_trusting_shows_both_fingerprints_and_asks() -> None:
    flow = host_trust.flow(ask("host-trust", name="mac"), INVENTORY, "")
    assert next(flow) == ReadHostKey("mac")
    question = flow.send(CHANGED)
    assert isinstance(question, Ask)
    assert OLD in question.question
    assert NEW in question.question
    assert flow.send(True) == Pin("mac", CHANGED)
    trusted = end(flow, None)
    assert list(host_trust.lines(ask("host-trust"), {"": trusted})) == [
        f"mac: old {OLD}",
        f"mac: new {NEW}",
        "mac: trusted",
    ]


def test_a_key_that_stands_in_the_inventory_is_changed_there_too() -> None:
    inventory = Inventory(hosts={"mac": Host(ssh="mac", host_key=OLD)})
    flow = host_trust.flow(ask("host-trust", name="mac"), inventory, "")
    next(flow)
    flow.send(CHANGED)
    flow.send(True)
    assert flow.send(None) == EditInventory(SetHostKey("mac", NEW))


def test_a_key_that_is_trusted_already_is_left_alone() -> None:
    flow = host_trust.flow(ask("host-trust", name="mac"), INVENTORY, "")
    next(flow)
    assert not end(flow, KNOWN).changed


@pytest.mark.parametrize("verb", [host_trust, host_remove])
def test_an_unknown_host_names_the_nearest(verb: Any) -> None:
    with pytest.raises(UsageError) as wrong:
        next(verb.flow(ask("host", name="mca"), INVENTORY, ""))
    assert wrong.value.next == "one of: mac"


def test_this_machine_cannot_be_trusted_more() -> None:
    with pytest.raises(UsageError, match="this machine"):
        next(host_trust.flow(ask("host-trust", name="here"), INVENTORY, ""))


def test_removing_asks_for_the_name_and_says_what_goes_on_running() -> None:
    flow = host_remove.flow(ask("host-remove", name="rtx"), INVENTORY, "")
    question = next(flow)
    assert isinstance(question, Ask)
    assert question.expected == "rtx"
    assert "chat should run there" in question.question
    assert flow.send(True) == EditInventory(RemoveHost("rtx"))
    assert flow.send(True) == Pin("rtx", None)
    assert end(flow, None).servers == ("chat",)


def test_removing_without_a_yes_changes_nothing() -> None:
    flow = host_remove.flow(ask("host-remove", name="rtx"), INVENTORY, "")
    next(flow)
    with pytest.raises(DeclinedError):
        flow.send(False)


def test_a_host_that_a_server_cannot_do_without_stays() -> None:
    inventory = INVENTORY.model_copy(update={"servers": {"chat": Server(model="m", on=("@gpu",))}})
    with pytest.raises(PlanError) as wrong:
        next(host_remove.flow(ask("host-remove", name="rtx"), inventory, ""))
    assert "servers.chat.on" in wrong.value.what
    assert wrong.value.exit_code == 6


def test_a_dry_run_of_remove_asks_nobody() -> None:
    with pytest.raises(StopIteration) as stop:
        next(host_remove.flow(ask("host-remove", True, name="rtx"), INVENTORY, ""))
    assert not stop.value.value.changed


def test_the_list_names_places_tags_and_servers() -> None:
    with pytest.raises(StopIteration) as stop:
        next(host_list.flow(ask("host-list"), INVENTORY, ""))
    assert list(host_list.lines(ask("host-list"), {"": stop.value.value})) == [
        "rtx   10.0.0.1      @gpu  chat",
        "mac   ssh mac             chat",
        "here  this machine",
    ]


def test_a_model_is_pinned_to_what_its_source_holds() -> None:
    flow = models_pin.flow(ask("models-pin", model="m"), INVENTORY, "")
    assert next(flow) == FindModel("m")
    assert flow.send(Artifact("model", "5" * 64, "m", 7)) == EditInventory(PinModel("m", "5" * 64))
    assert end(flow, True).sha256 == "5" * 64


@pytest.mark.parametrize("source", ["url:https://x.example/m.gguf", "package:m==1"])
def test_a_model_behind_an_address_is_taken_anew_before_it_is_pinned(source) -> None:
    inventory = Inventory(models={"m": Model(source=source, allow_unpinned=True)})
    flow = models_pin.flow(ask("models-pin", model="m"), inventory, "")
    assert next(flow) == RenewModel("m")
    assert flow.send(Renewed("", "", 7, "5" * 64, "4" * 64)) == EditInventory(PinModel("m", "5" * 64))
    assert end(flow, True).commit is None


def test_a_model_of_a_hub_is_pinned_anew_and_not_fetched() -> None:
    model = Model(source="hf:a/b:Q4_K_M")
    flow = models_pin.flow(ask("models-pin", model="m"), Inventory(models={"m": model}), "")
    assert next(flow) == RenewModel("m")
    found = end(flow, Renewed("c" * 40, "x.gguf", 7, "5" * 64, "4" * 64))
    assert (found.sha256, found.changed) == ("5" * 64, True)
    assert list(models_pin.lines(ask("models-pin", model="m"), {"": found})) == [
        f"m: pinned to x.gguf at commit {'c' * 12}, sha256 {'5' * 64}"
    ]


def test_a_hash_in_the_inventory_follows_the_hub_when_it_is_asked_anew() -> None:
    model = Model(source="hf:a/b:Q4_K_M", sha256="4" * 64)
    flow = models_pin.flow(ask("models-pin", model="m"), Inventory(models={"m": model}), "")
    next(flow)
    answer = Renewed("c" * 40, "x.gguf", 7, "5" * 64, "4" * 64)
    assert flow.send(answer) == EditInventory(PinModel("m", "5" * 64))
    assert end(flow, True).changed


def test_a_pinned_model_stays_as_it_is() -> None:
    with pytest.raises(StopIteration) as stop:
        next(models_pin.flow(ask("models-pin", model="n"), INVENTORY, ""))
    assert not stop.value.value.changed
