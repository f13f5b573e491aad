"""What llama-servers say of themselves is asked once for each binary."""

from types import SimpleNamespace

import pytest

from fleet.core.errors import StepError
from fleet.core.facts import Build
from fleet.io.local import LocalTransport
from fleet.io.servers.programs import said
from tests.servers.values import facts

PRINT, OTHER = "0123456789abcdef", "fedcba9876543210"
BINARY = "b" * 64
SCRIPT = """#!/bin/sh
echo "$*" >> "{log}"
case $1 in
--help) echo '-m,    --model FNAME   the model' ;;
*) echo 'version: 9439 (47f6423ed)' >&2 ;;
esac
exit {code}
"""


class Hosts:
    """A world of roots on this machine, reached without SSH."""

    def __init__(self, base):
        self.base = base
        self.facts = {}
        self.said = {}
        self.folders = SimpleNamespace(cache=base / "cache")
        self.log = base / "asked"

    def add(self, host, fingerprint=PRINT, binary=BINARY, code=0):
        program = self.base / host / "builds" / fingerprint / "bin" / "llama-server"
        program.parent.mkdir(parents=True)
        program.write_text(SCRIPT.format(log=self.log, code=code))
        program.chmod(0o700)
        builds = (Build(fingerprint, "cpu", 9439, (), binary),)
        self.facts[host] = facts(root=str(self.base / host), builds=builds)
        return program.parent.parent

    def root(self, host):
        return str(self.base / host)

    async def transport(self, host):
        return LocalTransport(host)

    def asked(self):
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def hosts(tmp_path):
    return Hosts(tmp_path)


async def test_a_program_is_asked_for_its_help_and_its_version(hosts):
    hosts.add("one")
    help_text, version = await said(hosts, "one", PRINT)
    assert "--model FNAME" in help_text
    assert version == "version: 9439 (47f6423ed)"
    assert hosts.asked() == ["--help", "--version"]


async def test_equal_binaries_are_asked_once_over_hosts_and_runs(hosts):
    hosts.add("one")
    hosts.add("two", OTHER)
    first = await said(hosts, "one", PRINT)
    hosts.said.clear()  # another run
    assert await said(hosts, "two", OTHER) == first
    assert hosts.asked() == ["--help", "--version"]


async def test_another_binary_is_asked_for_itself(hosts):
    hosts.add("one")
    hosts.add("two", OTHER, "c" * 64)
    await said(hosts, "one", PRINT)
    await said(hosts, "two", OTHER)
    assert len(hosts.asked()) == 4


async def test_a_binary_of_unknown_hash_is_asked_once_in_a_run_and_kept_by_nobody(hosts):
    hosts.add("one", binary=None)
    await said(hosts, "one", PRINT)
    await said(hosts, "one", PRINT)
    assert hosts.asked() == ["--help", "--version"]
    assert not hosts.folders.cache.exists()


async def test_what_the_smoke_test_wrote_down_is_read_and_nothing_is_run(hosts):
    build = hosts.add("one", code=127)
    (build / "says").mkdir()
    (build / "says" / "help.txt").write_text("-m,    --model FNAME   the model\n")
    (build / "says" / "version.txt").write_text("version: 0.6.0-dev (build 11434, commit unknown)\n")
    assert (await said(hosts, "one", PRINT))[1].startswith("version: 0.6.0-dev")
    assert hosts.asked() == []


async def test_a_damaged_note_is_asked_again(hosts):
    hosts.add("one")
    first = await said(hosts, "one", PRINT)
    (note,) = (hosts.folders.cache / "programs").iterdir()
    note.write_text("{")
    hosts.said.clear()
    assert await said(hosts, "one", PRINT) == first
    assert len(hosts.asked()) == 4


async def test_a_program_that_does_not_start_is_an_error_and_not_one_of_today(hosts):
    hosts.add("one", code=127)
    with pytest.raises(StepError, match="does not say which flags it knows") as wrong:
        await said(hosts, "one", PRINT)
    assert wrong.value.next == "fleet build one --rebuild"
    assert not hosts.folders.cache.exists()
