"""Verbs of the store that are struck in the middle: no half state, and the same command does the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.inside import Inside
from tests.io import gates
from tests.io.gates import STRIKES, Gate, emptied, ended, filled
from tests.io.storing import NOBODY, SHA, SIZE, TINY
from tests.live.sites import Site
from tests.rig.hosts import RigHost, Rigs
from tests.terminal import says

HOST = "h1"


@pytest.fixture(scope="module")
def host(rig: Rigs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RigHost]:
    """A small disk of its own, and tools that can be stopped."""
    profile = gates.profile(tmp_path_factory.mktemp("profile"))
    hosts = rig.up(1, disk={HOST: "64:400"}, profile={HOST: profile})
    yield hosts[HOST]
    hosts.down()


@pytest.fixture
def site(host: RigHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    """With nothing on it, and no server that wants a model."""
    controller = Inside(tmp_path / "desk", capsys)
    controller.write([host], NOBODY, {"tiny": TINY})
    made = Site(controller, host)
    yield made
    host.exec("sh", "-c", "rm -f /srv/gate; mount -o remount,rw /home")
    host.exec("rm", "-rf", "/home/full", str(Path("/home") / host.user / ".local"))


def there(site: Site) -> list[str]:
    """Files of models below the root, wherever they lie; but for hidden ones none is left over."""
    found = site.host.exec(
        "sh", "-c", f"cd /home/{site.host.user}/.local/share/fleet && find models parts damaged keep trash"
        " -mindepth 1 2>/dev/null || true",
    )  # fmt: skip
    return sorted(found.split())


MODEL = [f"models/{SHA}", f"models/{SHA}/META.json", f"models/{SHA}/model.gguf"]
ASIDE = [f"damaged/{SHA}", f"damaged/{SHA}/META.json", f"damaged/{SHA}/model.gguf"]


def pushed(site: Site) -> None:
    """By the second command that changes the host."""
    site.controller.well("models", "keep", SHA, HOST, "--yes")
    site.controller.well("models", "keep", SHA, HOST, "--off", "--yes")
    site.controller.well("push", HOST, "--model", "tiny", "--yes")


def damaged(site: Site) -> None:
    pushed(site)
    path = f"/home/{site.host.user}/.local/share/fleet/models/{SHA}/model.gguf"
    site.host.exec("sh", "-c", 'chmod u+w "$0" && printf x | dd of="$0" bs=1 seek=99999 conv=notrunc', path)


@dataclass(frozen=True, slots=True)
class Verb:
    """A command, where it is stopped, and what lies on the host before and after it."""

    words: tuple[str, ...]
    stop: tuple[str, str]
    before: Callable[[Site], None]
    after: list[str]
    code: int = 0

    def __str__(self) -> str:
        return f"{' '.join(self.words[:2])} {self.stop[0]} {self.stop[1]}"


PUSH = ("models", "push", HOST, "--model", "tiny", "--yes")
RM = ("models", "rm", "tiny", HOST, "--yes", "--confirm", HOST)
VERBS = (
    Verb(PUSH, ("before", "/model.gguf"), lambda _: None, MODEL),
    Verb(PUSH, ("after", "/model.gguf"), lambda _: None, MODEL),
    Verb(("models", "verify", HOST, "--yes"), ("before", "damaged/"), damaged, ASIDE, 1),
    Verb(RM, ("before", "/trash/"), pushed, []),
    Verb(RM, ("after", "mv "), pushed, []),
    Verb(RM, ("before", "rm -rf"), pushed, []),
    Verb(("models", "gc", HOST, "--yes"), ("before", "rm -rf"), pushed, []),
    Verb(("models", "keep", "tiny", HOST, "--yes"), ("before", "/keep"), pushed, [f"keep/{SHA}", *MODEL]),
    Verb(("models", "keep", "tiny", HOST, "--yes"), ("after", "/keep"), pushed, [f"keep/{SHA}", *MODEL]),
)  # fmt: skip


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__)
@pytest.mark.parametrize("verb", VERBS, ids=str)
def test_struck_in_the_middle_it_is_done_by_the_same_command(
    site: Site, verb: Verb, strike: Callable[[RigHost], None]
):
    verb.before(site)
    gate = Gate(site)
    gate.shut(*verb.stop)
    run = site.controller.start(*verb.words)
    gate.stopped(run)
    strike(gate.host)
    gate.open()
    first = ended(run)
    assert first in (verb.code, 1, 4), first
    assert whole(site) or verb.before is damaged
    again = site.controller(*verb.words)
    assert again.code in (0, verb.code), again
    site.controller.well("models", "gc", HOST, "--yes") if verb.words == RM else None
    assert there(site) == verb.after
    assert whole(site)


def whole(site: Site) -> bool:
    """What has a model's name is that model."""
    path = f"/home/{site.host.user}/.local/share/fleet/models"
    said = site.host.exec("sh", "-c", f"for m in {path}/*/model.gguf; do [ ! -f $m ] || sha256sum $m; done")
    return all(line.split()[0] in line.split()[1] for line in said.splitlines())


def test_a_model_can_be_taken_off_a_disk_without_one_free_block_or_inode(site: Site):
    pushed(site)
    filled(site.host)
    site.controller.well(*RM)
    assert there(site) == []


def test_gc_frees_a_disk_without_one_free_block_or_inode(site: Site):
    pushed(site)
    filled(site.host)
    site.controller.well("gc", HOST, "--yes")
    assert there(site) == []


def test_a_damaged_model_is_named_on_a_full_disk_too(site: Site):
    damaged(site)
    filled(site.host)
    ended = site.controller("models", "verify", HOST, "--yes")
    assert ended.code == 1, ended
    emptied(site.host)
    assert "DAMAGED" in site.controller("models", "verify", HOST, "--yes").out or there(site) == ASIDE


def test_a_push_says_so_on_a_full_disk_and_goes_on_when_there_is_room(site: Site):
    site.controller.well("models", "keep", SHA, HOST, "--yes")
    site.controller.well("models", "keep", SHA, HOST, "--off", "--yes")
    filled(site.host)
    refused = site.controller(*PUSH)
    assert refused.code in (1, 6), refused
    assert "Traceback" not in refused.err + refused.out
    assert refused.err.count("-> next: ") == 1, refused
    assert any(word in refused.err for word in ("room", "space", "full", "free", "more files")), refused
    emptied(site.host)
    site.controller.well(*PUSH)
    assert there(site) == MODEL


def read_only(host: RigHost) -> None:
    """Again for ten seconds: a job that ends still has its log open, and mount calls that busy."""
    host.exec(
        "sh", "-c", "n=0; until mount -o remount,ro /home; do"
        " n=$((n + 1)); [ $n -lt 100 ] || exit 1; sleep 0.1; done",
    )  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        PUSH,
        ("models", "keep", SHA, HOST, "--yes"),
        ("models", "keep", SHA, HOST, "--off", "--yes"),
        RM,
        ("models", "verify", HOST, "--yes"),
        ("models", "gc", HOST, "--yes"),
    ],
    ids=" ".join,
)
def test_a_home_that_cannot_be_written_is_said_in_a_sentence_and_nothing_changes(site: Site, words):
    if "push" not in words:
        damaged(site) if "verify" in words else pushed(site)
    if "--off" in words:
        site.controller.well("models", "keep", SHA, HOST, "--yes")
    before = there(site)
    read_only(site.host)
    refused = site.controller(*words)
    assert refused.code in (1, 6), refused
    assert "Traceback" not in refused.err + refused.out
    assert "read-only" in (refused.err + refused.out).lower(), refused
    assert there(site) == before
    for looking in (("models", "list", HOST), ("models", "info", "tiny", HOST)):
        assert site.controller(*looking).code == 0
    site.host.exec("mount", "-o", "remount,rw", "/home")
    assert site.controller(*words).code == ("verify" in words)


def test_list_and_info_say_what_they_know_while_the_link_is_cut(site: Site):
    pushed(site)
    site.host.cut()
    try:
        listed = site.controller("models", "list", HOST, "--json")
        assert listed.code == 4, listed
        assert listed.host["error"]["kind"] == "unreachable"
        assert ["tiny"] in [one["names"] for one in listed.json["models"]]
        says(site.controller("models", "verify", HOST, "--yes"), 4, HOST)
    finally:
        site.host.heal()
    assert site.controller.well("models", "list", HOST, "--json").host["space"]["models"] >= SIZE
