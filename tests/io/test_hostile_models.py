"""Model files and hosts that mean no good, through `fleet push` and `fleet deploy` as a person types them."""

import hashlib
import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.controller import Controller
from tests.io import storing
from tests.io.controllers import GGUF, SHA256
from tests.io.storing import NOBODY, WANTED, root
from tests.live.sites import digest
from tests.terminal import says

hosts, home, fleet = storing.hosts, storing.home, storing.fleet
MIB = 1 << 20


def flipped(data: bytes) -> bytes:
    """One bit of the last tensor is another."""
    return data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]


def bomb(tensors: int = 0, keys: int = 0, length: int = 0) -> bytes:
    """A header that claims more than there is."""
    return b"GGUF" + struct.pack("<IQQQ", 3, tensors, keys, length) + bytes(100)


def array(kind: int, count: int) -> bytes:
    """A header with one key whose value is an array that claims so many elements."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + struct.pack("<Q", 1) + b"a"
    return head + struct.pack("<IIQ", 9, kind, count) + bytes(100)


FILES = {
    "a bit is flipped": (flipped(GGUF), "wanted is"),
    "the end is missing": (GGUF[:-40], "cut off"),
    "the header is cut": (GGUF[:500], "cut off inside its header"),
    "no bytes": (b"", "it has 0 bytes"),
    "a web page": (b"<html>Sign in</html>", "not a GGUF file"),
    "another GGUF": (GGUF + bytes(32), "wanted is"),
    "a bomb of tensors": (bomb(tensors=1 << 62), ""),
    "a bomb of keys": (bomb(keys=1 << 62), ""),
    "a bomb of a key's length": (bomb(keys=1, length=1 << 62), ""),
    "a bomb of strings": (array(8, 1 << 60), ""),
    "a bomb of numbers": (array(4, 1 << 60), ""),
    "a bomb of arrays": (array(9, 1 << 60), ""),
}


@pytest.mark.parametrize("verb", ["push", "deploy"])
@pytest.mark.parametrize(("data", "said"), FILES.values(), ids=FILES)
def test_a_file_that_is_not_the_model_is_refused_before_the_host_is_changed(
    fleet: Controller, home: Path, hosts, tmp_path: Path, verb: str, data: bytes, said: str
):
    file = tmp_path / "model.gguf"
    file.write_bytes(data)
    fleet.write(hosts.values(), WANTED, {"tiny": {"source": f"file:{file}", "sha256": SHA256}})
    ended = fleet(verb, "h1", "--yes")
    says(ended, 6, "model tiny", said)
    assert not root(home).exists()
    file.write_bytes(GGUF)
    fleet.well("push", "h1", "--yes")
    assert digest(root(home) / "models" / SHA256 / "model.gguf") == SHA256


@pytest.mark.parametrize("verb", ["push", "deploy"])
def test_two_models_that_were_swapped_are_both_refused(
    fleet: Controller, home: Path, hosts, tmp_path: Path, verb: str
):
    other = GGUF + bytes(4096)
    models = {}
    for name, here, meant in (("a", GGUF, other), ("b", other, GGUF)):
        (tmp_path / f"{name}.gguf").write_bytes(here)
        sha256 = hashlib.sha256(meant).hexdigest()
        models[name] = {"source": f"file:{tmp_path}/{name}.gguf", "sha256": sha256}
    servers = {name: {"model": name, "on": ["h1"]} for name in models}
    fleet.write(hosts.values(), servers, models)
    says(fleet(verb, "h1", "--yes"), 6, "wanted is")
    assert not root(home).exists()


NAMES = {
    "spaces": "two  words .gguf",
    "quotes": 'it\'s "quoted".gguf',
    "commands": "$(touch pwned)`id`;rm -rf x&|>.gguf",
    "a backslash": "back\\slash\\n.gguf",
    "a newline": "two\nlines.gguf",
    "non-ASCII": "Ünï-cödé-模型-🦙.gguf",
    "a dash": "-rf.gguf",
    "a colour": "\x1b[31mred\x1b[0m.gguf",
    "percents": "%s%n%00.gguf",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_file_of_any_name_arrives_or_is_refused_in_words(
    fleet: Controller, home: Path, hosts, tmp_path: Path, name: str
):
    file = tmp_path / "of mine" / name
    file.parent.mkdir()
    file.write_bytes(GGUF)
    fleet.write(hosts.values(), WANTED, {"tiny": {"source": f"file:{file}", "sha256": SHA256}})
    ended = fleet("push", "h1", "--yes", "--json")
    assert "\x1b" not in ended.out + ended.err
    if any(ord(letter) < 32 for letter in name):
        says(ended, 2, "source")
        assert not root(home).exists()
    else:
        assert ended.code == 0, ended
        assert digest(root(home) / "models" / SHA256 / "model.gguf") == SHA256
    assert not list(home.rglob("pwned"))
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("name", ["two words", 'it\'s "quoted"', "Ünï-模型", "$(touch pwned)", "-rf"])
def test_a_model_that_is_called_anything_arrives_or_is_refused_in_words(
    fleet: Controller, home: Path, hosts, tmp_path: Path, name: str
):
    file = tmp_path / "model.gguf"
    file.write_bytes(GGUF)
    fleet.write(hosts.values(), NOBODY, {})
    with fleet.inventory.open("a") as inventory:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        inventory.write(f'\n[models."{quoted}"]\nsource = "file:{file}"\nsha256 = "{SHA256}"\n')
    ended = fleet("push", "h1", f"--model={name}", "--yes")
    if ended.code:
        says(ended, 2)
        assert not root(home).exists()
    else:
        assert digest(root(home) / "models" / SHA256 / "model.gguf") == SHA256
    assert not list(home.rglob("pwned"))


PLANTED = {
    "the final name": f"models/{SHA256}/model.gguf",
    "the model's folder": f"models/{SHA256}",
    "models": "models",
    "the part": f"parts/{SHA256}.part",
    "parts": "parts",
    "what describes it": f"models/{SHA256}/META.json",
    "what describes it, fresh": f"models/{SHA256}/META.json.new",
}


@pytest.mark.parametrize("path", PLANTED.values(), ids=PLANTED)
def test_a_link_that_was_planted_in_the_way_is_never_written_through(
    fleet: Controller, home: Path, hosts, tmp_path: Path, path: str
):
    file = tmp_path / "model.gguf"
    file.write_bytes(GGUF)
    fleet.write(hosts.values(), WANTED, {"tiny": {"source": f"file:{file}", "sha256": SHA256}})
    victim = tmp_path / "outside" / "victim"
    victim.parent.mkdir()
    victim.write_text("precious")
    planted = root(home) / path
    planted.parent.mkdir(parents=True)
    planted.symlink_to(victim if "." in planted.name else victim.parent)
    ended = fleet("push", "h1", "--yes")
    assert victim.read_text() == "precious"
    assert [one.name for one in victim.parent.iterdir()] == ["victim"]
    if ended.code:
        says(ended, 1, "is a symbolic link")
        planted.unlink()
        fleet.well("push", "h1", "--yes")
    assert digest(root(home) / "models" / SHA256 / "model.gguf") == SHA256
    assert not (root(home) / "models" / SHA256 / "model.gguf").is_symlink()
    assert victim.read_text() == "precious"


def truncated(part: Path) -> None:
    part.write_bytes(part.read_bytes()[: 20 * MIB])


def with_a_flipped_bit(part: Path) -> None:
    data = bytearray(part.read_bytes())
    data[3] ^= 1
    part.write_bytes(data)


def longer(part: Path) -> None:
    part.write_bytes(part.read_bytes() + bytes(MIB))


def all_zeros(part: Path) -> None:
    part.write_bytes(bytes(part.stat().st_size))


def another_models(part: Path) -> None:
    part.write_bytes(random.Random(9).randbytes(part.stat().st_size))


CHUNK = 16 * MIB
HARMS = (
    (truncated, CHUNK),
    (with_a_flipped_bit, CHUNK),
    (longer, 0),
    (all_zeros, None),
    (another_models, None),
)


@pytest.mark.parametrize(("harm", "sent"), HARMS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_part_that_was_harmed_on_the_host_is_mended_and_only_its_wrong_chunks_are_sent(
    fleet: Controller, home: Path, hosts, tmp_path: Path, harm: Callable[[Path], None], sent: int | None
):
    file, data = tmp_path / "model.gguf", GGUF + random.Random(3).randbytes(2 * CHUNK - len(GGUF))
    file.write_bytes(data)
    sha256 = digest(file)
    part = root(home) / "parts" / f"{sha256}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(data)
    harm(part)
    fleet.write(hosts.values(), WANTED, {"tiny": {"source": f"file:{file}", "sha256": sha256}})
    (done,) = fleet.well("push", "h1", "--yes", "--jsonl").events("step_done")
    assert done["bytes"] == (len(data) if sent is None else sent)
    assert digest(root(home) / "models" / sha256 / "model.gguf") == sha256
    assert not part.exists()
