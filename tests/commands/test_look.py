"""facts, logs and doctor as conversations, and logs on a real root."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from fleet.commands import doctor, facts, logs
from fleet.core.errors import PlanError, UnreachableError
from fleet.core.facts import Lock
from fleet.core.flow import LastMeasured, Look, Probe, Tail
from fleet.core.shell import assign
from fleet.io.shelltext import placed
from fleet.platforms.base import program
from tests.commands.values import INVENTORY, ended, instance, request, thrown
from tests.commands.values import facts as found
from tests.servers.values import RTX

GONE = UnreachableError("no answer", next="ssh laptop")


def test_facts_is_one_look_and_its_document_has_everything_or_the_error():
    flow = facts.verb.flow(request("facts"), INVENTORY, "laptop")
    assert next(flow) == Probe("laptop")
    seen = ended(flow, found(gpus=(RTX,), unknown={"cpu.flags": "no /proc"}))
    document = facts.document(request("facts"), {"laptop": seen, "rtx": GONE})
    one, other = document["hosts"]
    assert (one["name"], one["error"], one["gpus"][0]["memory_total"]) == ("laptop", None, RTX.memory_total)
    assert one["unknown"] == {"cpu.flags": "no /proc"}
    assert other["error"] == GONE.document()
    assert (other["name"], other["os"], other["cpu"], other["gpus"]) == ("rtx", None, None, [])
    assert "laptop" in list(facts.lines(request("facts"), {"laptop": seen, "rtx": GONE}))


def logging(*there, **options):
    flow = logs.verb.flow(request("logs", **options), INVENTORY, "laptop")
    next(flow)
    return flow, flow.send(found(instances=there))


def test_logs_reads_the_named_server_or_all_of_them():
    flow, need = logging(instance(), instance(server="other"), lines=7)
    assert isinstance(need, Tail)
    assert "SERVERS='chat other'" in need.script
    assert "LINES=7" in need.script
    assert ended(flow, ("a", "b")) == ("a", "b")


def test_logs_of_a_host_without_servers_names_the_next_command():
    with pytest.raises(PlanError) as wrong:
        logging()
    assert wrong.value.next == "fleet deploy laptop"


def test_only_one_log_can_be_followed():
    with pytest.raises(PlanError) as wrong:
        logging(instance(), instance(server="other"), follow=True)
    assert wrong.value.next == "fleet logs chat@laptop --follow"


def write(root: Path, server: str, text: str) -> Path:
    log = root / "services" / server / "log" / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(text)
    return log


def script(root: Path, **variables: str | int) -> str:
    values = {"SERVERS": "chat", "LINES": 2, "FOLLOW": 0, "MANY": 0, "FLEET_BEAT": "beat"} | variables
    return placed(program(assign(**values) + logs.SCRIPT), str(root))


def test_the_last_lines_are_read_and_a_missing_log_is_said(tmp_path: Path):
    write(tmp_path, "chat", "1\n2\n3\n")
    write(tmp_path, "other", "4\n5\n")

    def read(**variables: str | int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-s"], check=True, input=script(tmp_path, **variables), capture_output=True, text=True
        )

    assert read().stdout == "2\n3\n"
    assert read(SERVERS="chat other", MANY=1).stdout == "chat: 2\nchat: 3\nother: 4\nother: 5\n"
    assert read(SERVERS="none").stderr == "fleet: no log of none yet\n"


def test_what_our_own_looks_leave_in_a_log_hides_nothing(tmp_path: Path):
    noise = "0.1 I srv  update_slots: all slots are idle\n"
    write(tmp_path, "chat", f"1\n2\n{noise * 90}3\n{noise * 90}")
    read = subprocess.run(["sh", "-s"], check=True, input=script(tmp_path), capture_output=True, text=True)
    assert read.stdout == "2\n3\n"
    assert logs.NOISE in noise


async def test_a_followed_log_shows_what_comes_survives_rotation_and_ends_with_its_reader(tmp_path: Path):
    log = write(tmp_path, "chat", "1\n2\n3\n")
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", script(tmp_path, FOLLOW=1), stdout=subprocess.PIPE
    )
    assert process.stdout
    assert [await process.stdout.readline() for _ in range(2)] == [b"2\n", b"3\n"]
    assert await process.stdout.readline() == b"beat\n"
    with open(log, "a") as file:
        file.write("4\n")
    while (line := await process.stdout.readline()) == b"beat\n":
        pass
    assert line == b"4\n"
    log.write_text("5\n")
    while (line := await process.stdout.readline()) == b"beat\n":
        pass
    assert line == b"5\n"
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    assert await process.wait() in (0, -13, 141)


def examining(seen, *live, now=0.0):
    flow = doctor.verb.flow(request("doctor"), INVENTORY, "laptop")
    assert next(flow) == Probe("laptop")
    assert isinstance(flow.send(seen), Look)
    assert flow.send(live) == LastMeasured("laptop")
    return {one.about: one for one in ended(flow, ({}, None, now))}


def test_a_host_that_does_not_answer_is_a_finding_and_a_failure():
    flow = doctor.verb.flow(request("doctor"), INVENTORY, "laptop")
    next(flow)
    findings = thrown(flow, GONE)
    assert [(one.level, one.about, one.next) for one in findings] == [("bad", "connection", "ssh laptop")]
    assert doctor.failure(findings) is GONE


@pytest.mark.parametrize(
    ("changes", "about", "level", "following"),
    [
        ({}, "connection", "ok", None),
        ({"clock": 100.0}, "clock", "warn", "timedatectl"),
        ({"supervisors": ()}, "supervisor", "bad", None),
        ({"supervisors": ("supervise",), "has_cron": False}, "supervisor", "warn", "fleet deploy laptop"),
        ({"has_linger": False}, "supervisor", "warn", "loginctl"),
        ({"lock": Lock(1, "x", "ann@desk", 1, False)}, "lock", "warn", "fleet unlock laptop"),
        ({"unknown": {"cpu.model": "no"}}, "cpu.model", "warn", None),
        ({}, "chat", "warn", "fleet deploy laptop"),
        ({"instances": (instance(state="stopped", held="x"),)}, "chat", "warn", "fleet start chat@laptop"),
        ({"instances": (instance(state="failed", exit_code=1),)}, "chat", "bad", "chat@laptop"),
        ({"instances": (instance(server="old", state="stopped"),)}, "old", "warn", "fleet deploy laptop"),
    ],
)
def test_what_doctor_finds(changes, about, level, following):
    finding = examining(found(**changes))[about]
    assert finding.level == level
    assert following is None or following in (finding.next or "")


def test_a_nearly_full_disk_is_a_finding_with_the_command_that_helps():
    seen = found(disk=found().disk.__class__(100, 5, 10))
    assert examining(seen)["disk"].level == "bad"
    assert "gc" in (examining(seen)["disk"].next or "")
