"""What systemd and launchd are told about a server."""

import plistlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.core.errors import PlanError
from fleet.supervisors import launchd, supervise, systemd
from fleet.supervisors.base import SUPERVISORS, Service, choose, packaged
from tests.servers.values import facts

HERE = Path(__file__).parent
SERVICE = Service(
    "chat", "0123456789ab", "/home/ops/.local/share/fleet", "/home/ops", "llama-server chat, serving tiny"
)
MAC = Service(
    "chat",
    "0123456789ab",
    "/Users/ops/Library/Application Support/fleet",
    "/Users/ops",
    "llama-server chat, serving tiny",
)


def test_the_unit_is_as_it_was_agreed():
    assert systemd.text(SERVICE) == (HERE / "fleet-chat.service").read_text()


def test_the_agent_is_as_it_was_agreed():
    assert launchd.text(MAC) == (HERE / "fleet.chat.plist").read_text()


def test_the_agent_is_a_property_list_with_the_types_launchd_wants():
    keys = plistlib.loads(launchd.text(MAC).encode())
    types = {
        "Label": str,
        "ProgramArguments": list,
        "EnvironmentVariables": dict,
        "RunAtLoad": bool,
        "KeepAlive": dict,
        "ThrottleInterval": int,
        "ExitTimeOut": int,
        "LimitLoadToSessionType": list,
        "ProcessType": str,
        "StandardOutPath": str,
        "StandardErrorPath": str,
        "Umask": int,
        "HardResourceLimits": dict,
        "SoftResourceLimits": dict,
    }
    assert {name: type(value) for name, value in keys.items()} == types
    assert keys["ProgramArguments"] == ["/bin/sh", MAC.run]


@pytest.mark.parametrize(
    "root", ["/home/ops/.local/share/fleet", "/srv/a b", "/srv/100% $HOME", '/srv/a"b\\c']
)
def test_systemd_finds_nothing_wrong_with_the_unit(root, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    unit = tmp_path / "fleet-chat.service"
    unit.write_text(systemd.text(replace(SERVICE, root=root)))
    command = ["systemd-analyze", "--user", "--recursive-errors=no", "--man=no", "verify", str(unit)]
    environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_a_path_is_one_word_of_an_exec_line():
    assert systemd.word("/a b/%n/$HOME") == '"/a b/%%n/$$HOME"'


def test_roots_in_other_places_have_units_of_their_own():
    assert systemd.unit(SERVICE) == "fleet-chat.service"
    other = replace(SERVICE, root="/srv/fleet")
    assert systemd.unit(other) != systemd.unit(SERVICE)
    assert systemd.unit(other).startswith("fleet-chat-")
    assert launchd.unit(MAC) == "fleet.chat"


@pytest.mark.parametrize(
    ("there", "best"),
    [
        (("systemd", "supervise"), "systemd"),
        (("launchd", "supervise"), "launchd"),
        (("supervise",), "supervise"),
        ((), "supervise"),
    ],
)
def test_the_best_supervisor_that_works_is_chosen(there, best):
    assert choose(facts(supervisors=there)) == best


def test_the_inventory_decides_when_it_says_so():
    assert choose(facts(), "supervise") == "supervise"
    with pytest.raises(PlanError, match="no supervisor called 'runit'"):
        choose(facts(), "runit")


def test_a_host_without_cron_is_told_what_a_reboot_does():
    assert "do not survive a reboot" in supervise.notes(facts(has_cron=False))[0]
    assert supervise.notes(facts(has_cron=True)) == ()


def test_every_kind_has_a_control_script_with_all_functions():
    for _, kind in SUPERVISORS.all():
        text = packaged(kind.control)
        for name in ("service_start", "service_stop", "service_enable", "service_disable", "service_remove"):
            assert f"\n{name}() {{" in text
