"""Files that a host has on another disk than fleet's root, on the same one, and while they change."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller import SMOKE, Controller
from tests.io import gates
from tests.io.gates import Gate, ended
from tests.io.storing import SHA, SIZE, TINY, WANTED
from tests.live.sites import Site
from tests.rig.hosts import RigHost, Rigs
from tests.terminal import says

HOST = "h1"
FOLDERS = {"same": "/home/{user}/models", "other": "/srv/models"}
NAMES = [
    "plain.gguf",
    "two words.gguf",
    'it\'s "quoted" $(touch pwned) `id` \\n.gguf',
    "Ünï-cödé-模型.gguf",
    "-rf.gguf",
    "a;b&c|d>e.gguf",
]
WRITE = """
import os, shutil, sys
path, user = sys.argv[1:]
os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
with open(path, "wb") as file:
    file.write(bytes.fromhex(sys.stdin.read()))
shutil.chown(path, user)
"""


@pytest.fixture(scope="module")
def host(rig: Rigs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RigHost]:
    """fleet's root lies on a disk of its own, /srv on the machine's."""
    profile = gates.profile(tmp_path_factory.mktemp("profile"))
    hosts = rig.up(1, disk={HOST: 64}, profile={HOST: profile})
    yield hosts[HOST]
    hosts.down()


@pytest.fixture
def site(host: RigHost, tmp_path: Path) -> Iterator[Site]:
    controller = Controller(tmp_path / "desk", tmp_path / "cache")
    folders = [path.format(user=host.user) for path in FOLDERS.values()]
    controller.write([host], WANTED, {"tiny": TINY}, {HOST: {"model_folders": folders}})
    yield Site(controller, host)
    host.exec("sh", "-c", "rm -rf /srv/* /home/full /home/$0/models /home/$0/.local", host.user)


def put(site: Site, disk: str, name: str, is_link: bool = False) -> str:
    """The smoke-test model as a file of the host's user; its path there."""
    path = f"{FOLDERS[disk].format(user=site.host.user)}/{name}"
    at = f"{FOLDERS[disk].format(user=site.host.user)}/.blob" if is_link else path
    site.host.exec("python3", "-c", WRITE, at, site.host.user, stdin=SMOKE.read_bytes().hex())
    if is_link:
        site.host.exec("ln", "-s", "--", at, path)
    return path


def state(site: Site, path: str) -> str:
    """Mode, owner, size, time and place of a file there."""
    return site.host.exec("stat", "-L", "-c", "%a %U %s %Y %i", "--", path)


def adopted(site: Site) -> tuple[list[str], str]:
    """Titles of the steps of a push, and how the file was taken."""
    done = site.controller.well("push", HOST, "--yes", "--jsonl").events("step_done")
    assert all(not one["bytes"] for one in done)
    path = f"/home/{site.host.user}/.local/share/fleet/models/{SHA}"
    assert site.host.exec("sha256sum", f"{path}/model.gguf").split()[0] == SHA
    return [one["step"] for one in done], json.loads(site.host.exec("cat", f"{path}/META.json"))["adopted"]


def place(site: Site, path: str) -> str:
    return site.host.exec("stat", "-L", "-c", "%d:%i", "--", path)


def held(site: Site) -> str:
    return f"/home/{site.host.user}/.local/share/fleet/models/{SHA}/model.gguf"


@pytest.mark.parametrize("disk", FOLDERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_any_name_is_taken_by_link_on_the_same_disk_and_by_copy_from_another(
    site: Site, disk: str, name: str
):
    path = put(site, disk, name)
    before = state(site, path)
    steps, how = adopted(site)
    assert len(steps) == 1 and steps[0].startswith("adopt model tiny from ")
    assert how == {"same": "linked", "other": "copied"}[disk]
    assert (place(site, path) == place(site, held(site))) == (disk == "same")
    assert state(site, path) == before
    assert site.controller.well("push", HOST, "--yes", "--json").host["steps"] == []
    assert site.host.exec("find", "/home", "/srv", "-name", "pwned") == ""


@pytest.mark.parametrize("disk", FOLDERS)
def test_a_link_is_the_file_that_it_leads_to(site: Site, disk: str):
    path = put(site, disk, "a link.gguf", is_link=True)
    _, how = adopted(site)
    assert how == {"same": "linked", "other": "copied"}[disk]
    assert site.host.exec("stat", "-c", "%F", held(site)) == "regular file\n"
    assert (place(site, path) == place(site, held(site))) == (disk == "same")


def test_a_name_of_two_lines_is_left_alone_and_the_model_is_sent(site: Site):
    put(site, "same", "two\nlines.gguf")
    done = site.controller.well("push", HOST, "--yes", "--jsonl").events("step_done")
    assert [one["step"] for one in done] == ["push model tiny"]


@pytest.mark.parametrize("disk", FOLDERS)
def test_a_file_that_is_written_while_it_is_hashed_is_not_taken(site: Site, disk: str):
    path = put(site, disk, "busy.gguf")
    gate = Gate(site)
    gate.shut("after", "openssl dgst -sha256 -r")
    run = site.controller.start("push", HOST, "--yes", "--jsonl")
    gate.stopped(run)
    site.host.exec("sh", "-c", 'printf x | dd of="$0" bs=1 seek=99999 conv=notrunc 2>/dev/null', path)
    gate.open()
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert site.host.exec("sha256sum", held(site)).split()[0] == SHA
    steps = [json.loads(line)["step"] for line in said.splitlines() if '"step_done"' in line]
    # a copy is our own already: what happens to the other program's file later is nothing to us
    assert steps[1:] == (["push model tiny"] if disk == "same" else [])


@pytest.mark.parametrize("change", ["rm", "mv", "ln"])
def test_a_file_that_is_gone_when_it_is_to_be_taken_is_sent(site: Site, change: str):
    path = put(site, "other", "busy.gguf")
    gate = Gate(site)
    gate.shut("before", f"mkdir -p /home/{site.host.user}/.local/share/fleet/jobs/adopt")
    run = site.controller.start("push", HOST, "--yes")
    gate.stopped(run)
    program = {"rm": 'rm "$0"', "mv": 'mv "$0" "$0.old"', "ln": 'ln -sf /etc/passwd "$0"'}[change]
    site.host.exec("sh", "-c", program, path)
    gate.open()
    assert ended(run) == 0
    assert site.host.exec("sha256sum", held(site)).split()[0] == SHA
    assert site.host.exec("sh", "-c", f"ls /home/{site.host.user}/.local/share/fleet/parts") == ""


def test_a_copy_that_has_no_room_says_so_and_leaves_nothing(site: Site):
    put(site, "other", "big.gguf")
    site.controller.well("models", "list", HOST)
    site.host.exec(
        "sh", "-c", "mkdir /home/full && dd if=/dev/zero of=/home/full/x bs=64k 2>/dev/null; "
        f"truncate -s -{SIZE // 2 + 400_000} /home/full/x",
    )  # fmt: skip
    says(site.controller("push", HOST, "--yes"), 1, "no room for a copy of /srv/models/big.gguf")
    assert (
        site.host.exec("sh", "-c", f"find /home/{site.host.user}/.local -name '*.gguf' -o -name '*adopting'")
        == ""
    )
    site.host.exec("rm", "-rf", "/home/full")
    assert adopted(site)[1] == "copied"


def test_a_push_that_is_killed_while_a_copy_is_hashed_is_ended_by_the_next(site: Site):
    put(site, "other", "busy.gguf")
    gate = Gate(site)
    gate.shut("after", "openssl dgst -sha256 -r")
    run = site.controller.start("push", HOST, "--yes")
    gate.stopped(run)
    run.kill()
    run.communicate()
    gate.open()
    site.controller.well("push", HOST, "--yes")
    assert site.host.exec("sha256sum", held(site)).split()[0] == SHA
    assert site.host.exec("sh", "-c", f"ls /home/{site.host.user}/.local/share/fleet/parts") == ""
