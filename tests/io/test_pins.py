"""The pin store survives two fleets at once, a broken file, and odd known_hosts."""

import json
import multiprocessing
import stat
from pathlib import Path

import asyncssh
import pytest

from fleet.core.errors import FleetError
from fleet.io.clock import SystemClock
from fleet.io.ssh.pins import Known, Pins, replace


def key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519").convert_to_public()


def test_a_pin_is_there_for_the_next_run(tmp_path: Path) -> None:
    shown = key()
    Pins(tmp_path, SystemClock()).trust("mac", shown, "10.0.0.1:22")
    pin = Pins(tmp_path, SystemClock()).get("mac")
    assert pin and pin.fingerprint == shown.get_fingerprint() and pin.address == "10.0.0.1:22"


def test_a_pin_can_be_forgotten(tmp_path: Path) -> None:
    pins = Pins(tmp_path, SystemClock())
    pins.trust("mac", key(), "")
    assert pins.forget("mac") and not pins.forget("mac")
    assert pins.get("mac") is None


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    pins = Pins(tmp_path / "state", SystemClock())
    pins.trust("mac", key(), "")
    assert stat.S_IMODE(pins.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(pins.path.parent.stat().st_mode) == 0o700


def test_a_change_by_another_fleet_is_seen(tmp_path: Path) -> None:
    one, two = Pins(tmp_path, SystemClock()), Pins(tmp_path, SystemClock())
    one.trust("a", key(), "")
    two.trust("b", key(), "")
    assert one.get("b") and two.get("a")


def add(folder: Path, number: int) -> None:
    pins = Pins(folder, SystemClock())
    for time in range(5):
        pins.trust(f"h{number}-{time}", key(), "")


def test_two_fleets_at_once_lose_no_pin(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=add, args=(tmp_path, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(json.loads((tmp_path / "pins.json").read_text())["hosts"]) == 10


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hosts": {"a": {"x": 1}}}', '{"hosts": 3}', "\xff"])
def test_a_broken_store_is_an_error_never_an_empty_store(tmp_path: Path, text: str) -> None:
    (tmp_path / "pins.json").write_text(text, encoding="latin-1")
    with pytest.raises(FleetError, match="cannot be read") as error:
        Pins(tmp_path, SystemClock()).get("a")
    assert error.value.next and error.value.next.startswith("mv ")


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    replace(tmp_path / "f", b"one")
    replace(tmp_path / "f", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_bytes() == b"two"


def test_known_hosts_are_found_by_name_and_port(tmp_path: Path) -> None:
    here, there = key(), key()
    text = {name: k.export_public_key("openssh").decode() for name, k in (("a", here), ("[a]:2222", there))}
    (tmp_path / "known").write_text("".join(f"{name} {line}" for name, line in text.items()))
    known = Known([tmp_path / "known", tmp_path / "missing"])
    assert known.keys(["a"], 22) == ([here], [])
    assert known.keys(["a"], 2222) == ([there], [])
    assert known.keys(["a"], 2200) == ([], [])


def test_an_odd_line_hides_no_other(tmp_path: Path) -> None:
    good = key()
    line = good.export_public_key("openssh").decode()
    (tmp_path / "known").write_text(f"odd\n@what x y\n|1|bad|hash ssh-ed25519 AAAA\na ssh-dss AAAA\na {line}")
    assert Known([tmp_path / "known"]).keys(["a"], 22) == ([good], [])


def test_hashed_names_are_found(tmp_path: Path) -> None:
    import subprocess

    good = key()
    path = tmp_path / "known"
    path.write_text(f"host.example {good.export_public_key('openssh').decode()}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    assert "host.example" not in path.read_text()
    assert Known([path]).keys(["host.example"], 22)[0] == [good]
