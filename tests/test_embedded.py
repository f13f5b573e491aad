"""The hosts that need no root."""

import subprocess

import pytest

from tests.embedded import Embedded, EmbeddedHost


@pytest.fixture(scope="module")
def host(embedded: Embedded) -> EmbeddedHost:
    return embedded.up(1)["h1"]


def ssh(host: EmbeddedHost, command: str) -> "subprocess.CompletedProcess[str]":
    options = ["-i", str(host.key), "-p", str(host.port), "-F", "none", "-o", "BatchMode=yes"]
    options += ["-o", f"UserKnownHostsFile={host.known_hosts}", "-o", "StrictHostKeyChecking=yes"]
    argv = ["ssh", *options, f"{host.user}@{host.address}", command]
    return subprocess.run(argv, text=True, capture_output=True, check=False, stdin=subprocess.DEVNULL)


def test_an_embedded_host_has_a_home_of_its_own(host: EmbeddedHost) -> None:
    done = ssh(host, "echo data > file; pwd; echo $HOME")
    assert done.stdout.split() == [str(host.home)] * 2, done.stderr
    assert (host.home / "file").read_text() == "data\n"


def test_a_killed_embedded_host_refuses_and_comes_back_at_its_port(host: EmbeddedHost) -> None:
    port = host.port
    host.kill()
    assert "refused" in ssh(host, "true").stderr
    host.start()
    assert (host.port, ssh(host, "cat file").returncode) == (port, 0)
