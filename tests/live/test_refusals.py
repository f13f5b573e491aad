"""What can be wrong before and during a deploy: one clear message, what to type next, nothing half done."""

import os
import re
import socket

import pytest

from fleet.io.ssh.sshd import make_key
from tests.controller import CHAT, MODELS, SMOKE, TINY, Ended
from tests.live.sites import Site, bare_cache
from tests.printed import parse

LEAVE_300_MIB = """
free=$(df -Pk /home | awk 'NR == 2 { print $4 }')
fallocate -l "$(((free - 307200) * 1024))" /home/filler
"""


@pytest.fixture(scope="module")
def site(embedded, controllers):
    """A host that nothing was done to."""
    controller = controllers()
    found = Site(controller, embedded.up(1)["h1"])
    controller.write([found.host])
    return found


def refused(ended: Ended, code: int, *words: str) -> None:
    """One message, with these words in it, that says what to do."""
    assert ended.code == code, ended
    assert "Traceback" not in ended.err + ended.out
    assert ended.err.count("-> next: ") == 1, ended
    for word in words:
        assert word in ended.err, ended
    (following,) = re.findall(r"^-> next: (.*)$", ended.err, re.MULTILINE)
    if re.match(r"fleet [a-z]+", following):
        parse(re.split(r", or |; | and ", following)[0])


def write(site: Site, **changes: object) -> None:
    """The inventory of the only host with other settings than it should have."""
    site.controller.write([site.host], settings={"h1": changes})


@pytest.fixture
def untouched(site):
    """What lies on the host is the same afterwards."""
    before = site.listing()
    yield
    assert site.listing() == before
    assert site.llama_servers() == []
    site.controller.write([site.host])


pytestmark = pytest.mark.usefixtures("untouched")


def test_a_wrong_key(site, tmp_path):
    other = tmp_path / "id_ed25519"
    make_key(other)
    write(site, identity=str(other))
    refused(site.controller("deploy", "h1", "--yes"), 4, "h1")
    assert site.controller("plan", "h1", "--json").host["error"]["kind"] == "auth"


def test_a_changed_host_key(site, tmp_path):
    other = tmp_path / "host_key"
    make_key(other)
    words = other.with_suffix(".pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{site.host.port} {words[0]} {words[1]}\n")
    write(site, known_hosts=str(known))
    ended = site.controller("deploy", "h1", "--yes")
    refused(ended, 4, "h1")
    assert len(set(re.findall(r"SHA256:[\w+/]+", ended.err))) == 2
    assert site.controller("plan", "h1", "--json").host["error"]["kind"] == "host-key-changed"


def test_a_closed_port(site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        write(site, port=taken.getsockname()[1])
        refused(site.controller("deploy", "h1", "--yes"), 4, "nothing listens")
        document = site.controller("status", "--json")
    assert document.code == 4
    assert document.host["state"] == "down"
    assert document.host["error"]["kind"] == "unreachable"


def test_an_address_where_nobody_answers(site):
    site.host.pause()
    try:
        ended = site.controller("deploy", "h1", "--yes")
    finally:
        site.host.resume()
    refused(ended, 4, "h1")


def test_a_name_that_does_not_exist(site):
    write(site, address="no-such-host.invalid")
    refused(site.controller("deploy", "h1", "--yes"), 4, "no-such-host.invalid")


def test_a_model_that_was_cut_off(site, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(SMOKE.read_bytes()[:-100_000])
    models = {"tiny": TINY | {"source": f"file:{cut}"}}
    site.controller.write([site.host], models=models)
    refused(site.controller("deploy", "h1", "--yes"), 6, "model tiny", "cut")


def test_a_model_with_another_sha256(site):
    wrong = {"source": TINY["source"], "sha256": "0" * 64}
    site.controller.write([site.host], models={"tiny": wrong})
    refused(site.controller("deploy", "h1", "--yes"), 6, "model tiny", "0" * 64)


def test_a_model_that_is_not_there(site, tmp_path):
    site.controller.write([site.host], models={"tiny": TINY | {"source": f"file:{tmp_path}/none.gguf"}})
    refused(site.controller("deploy", "h1", "--yes"), 6, "model tiny", "none.gguf")


def test_a_port_that_a_stranger_has_starts_nothing_until_it_is_free(embedded, controllers):
    other = Site(controllers(), embedded.up(1)["h1"])
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        listen = f"127.0.0.1:{stranger.getsockname()[1]}"
        other.controller.write([other.host], servers={"chat": CHAT | {"listen": listen}})
        refused(other.controller("deploy", "h1", "--yes"), 6, "port taken", listen)
    assert other.llama_servers() == []
    assert not (other.root / "services").exists()
    assert other.halves() == []
    other.controller.well("deploy", "h1", "--yes")
    assert other.server()["listen"] == listen


def test_an_unknown_key_names_the_nearest(site):
    write(site, adress="127.0.0.1")
    refused(site.controller("deploy", "h1", "--yes"), 2, "hosts.h1.adress", "address")


def test_a_model_that_is_not_in_the_file(site):
    site.controller.write([site.host], servers={"chat": CHAT | {"model": "tinny"}}, models=MODELS)
    refused(site.controller("deploy", "h1", "--yes"), 2, "tinny", "tiny")


def test_no_inventory_at_all(site, controllers):
    empty = controllers()
    for verb in ("deploy", "status", "plan"):
        refused(empty(verb, "all"), 2, "inventory")
    assert os.listdir(empty.folder) in ([], ["state"], ["state", "config"], ["config", "state"])


def test_nobody_who_says_yes(site):
    refused(site.controller("deploy", "h1"), 7, "--yes")


def test_a_host_without_a_compiler_is_told_what_to_install(rig, controllers, tmp_path):
    (tmp_path / "hide").write_text("/usr/bin/c++\n/usr/bin/g++\n/usr/bin/clang++\n")
    hosts = rig.up(1, profile={"h1": tmp_path})
    try:
        bare = Site(controllers(bare_cache(tmp_path / "cache")), hosts["h1"])
        bare.controller.write(hosts.values())
        before = bare.listing()
        refused(bare.controller("deploy", "h1", "--yes"), 6, "C++ compiler", "apt-get install")
        assert bare.listing() == before
    finally:
        hosts.down()


def test_a_disk_that_is_too_small_is_refused_before_anything_is_sent(rig, controllers):
    hosts = rig.up(1, disk={"h1": "120"})
    try:
        small = Site(controllers(), hosts["h1"])
        small.controller.write(hosts.values(), servers={"chat": CHAT | {"model": "gemma"}})
        before = small.listing()
        refused(small.controller("deploy", "h1", "--yes"), 6, "free")
        assert small.listing() == before
    finally:
        hosts.down()


def test_room_for_a_model_is_taken_before_its_first_byte_so_that_nobody_else_fills_the_disk(rig, controllers):
    hosts = rig.up(1, disk={"h1": "700"}, rate=400)
    try:
        full = Site(controllers(), hosts["h1"])
        full.controller.write(hosts.values(), servers={"chat": CHAT | {"model": "gemma"}})
        full.controller.well("build", "h1", "--yes")
        full.host.exec("sh", "-c", LEAVE_300_MIB)
        run = full.controller.start("deploy", "h1", "--yes", "--jsonl")
        assert run.stdout
        for line in run.stdout:
            if '"step_progress"' in line and "push model" in line:
                break
        said = full.host.exec("sh", "-c", "fallocate -l 120M /home/more 2>&1; rm -f /home/more")
        assert "No space left" in said
        rest, _ = run.communicate(timeout=300)
        assert run.returncode == 0, rest
        assert full.halves() == []
        assert full.server()["state"] == "ready"
    finally:
        hosts.down()
