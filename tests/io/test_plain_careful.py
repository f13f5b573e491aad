"""Before chunks go to a part in another way, the program that shares it writes only what is right."""

import pytest

from fleet.core.errors import UnreachableError
from tests.io.crowds import MIB, Party
from tests.io.test_plain import NETWORK, Between, Near, pushed


class Heard(Between):
    """Keeps what the program said about being careful, and when a stream over SSH began."""

    def __init__(self, *, is_told: bool, at: str = "127.0.0.1") -> None:
        super().__init__(3 * MIB, "cut")
        self.is_told, self.order = is_told, []
        self.at = self.address = at

    async def feed(self, line, chunks, *, deadline, on_line=None):
        self.order += ["stream"] if ".part" in line else []
        return await super().feed(line, chunks, deadline=deadline, on_line=on_line)

    def heard(self, on_line):
        take = super().heard(on_line)

        def careful(line: bytes) -> None:
            if line.startswith(b"careful "):
                self.order.append("careful")
            if self.is_told or not line.startswith(b"careful "):
                take(line)

        return careful if take is not None else None


@pytest.mark.parametrize(
    ("networks", "at"),
    [(NETWORK, "127.0.0.1"), (("127.0.0.2/32",), "127.0.0.2")],
    ids=["it fails midway", "we are in no private network"],
)
async def test_another_way_begins_only_once_the_program_writes_carefully(tmp_path, networks, at):
    party, host = Party(tmp_path, networks), Heard(is_told=True, at=at)
    async with host.opened():
        await pushed(party, host)
    assert party.world.final.read_bytes() == party.world.data
    assert host.order[:2] == ["careful", "stream"]
    assert [text for _, text in party.said if text.startswith(f"gets its chunks over SSH: {at} port ")]


async def test_a_program_that_does_not_say_that_it_is_careful_ends_the_push(tmp_path):
    party, host = Party(tmp_path, NETWORK), Heard(is_told=False)
    async with host.opened():
        with pytest.raises(UnreachableError) as caught:
            await pushed(party, host)
    assert caught.value.kind == "link-lost"
    assert "stream" not in host.order and not party.world.final.exists()
    again = Near()
    assert await pushed(party, again) < len(party.world.data)  # what was right is not sent again
    assert again.streams == 0
