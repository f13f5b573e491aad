"""What a host does with the chunks that others bring it: on a real file, by several threads at once."""

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from fleet.io.share.peer_file import PIECE, PutOff, Share, Unwritable

CHUNK = 4 * PIECE
SIZE = 2 * CHUNK + 1234
DATA = bytes(range(256)) * (SIZE // 256 + 1)
PARTS = [DATA[:SIZE][start : start + CHUNK] for start in range(0, SIZE, CHUNK)]
PATIENCE = 20.0  # seconds; only a test that fails waits so long


@pytest.fixture
def part(tmp_path: Path) -> Path:
    path = tmp_path / "a model.part"
    path.write_bytes(b"")
    return path


def shared(part: Path, right: Sequence[int] = (), *, is_alone: bool = True) -> Share:
    told = {
        "file": str(part), "is_whole": False, "size": SIZE, "chunk": CHUNK, "sha256": "ab",
        "chunks": [sha256(data) for data in PARTS], "right": list(right),
        "read_token": "read", "write_token": "write",
    }  # fmt: skip
    made = Share(told)
    if is_alone:
        made.alone()
    return made


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wrong(data: bytes) -> bytes:
    return bytes(byte ^ 1 for byte in data)


class Source:
    """Bytes of which the later ones come only when they may."""

    def __init__(self, data: bytes, first: int) -> None:
        self._file, self._first = io.BytesIO(data), first
        self.is_waiting, self._may = threading.Event(), threading.Event()

    def readinto(self, piece: memoryview) -> int:
        if self._file.tell() >= self._first:
            self.is_waiting.set()
            assert self._may.wait(PATIENCE)
        return self._file.readinto(piece)

    def go_on(self) -> None:
        self._may.set()


class Bringing:
    """A chunk on its way, in a thread of its own."""

    def __init__(self, share: Share, number: int, data: bytes, first: int = PIECE) -> None:
        self.source = Source(data, first)
        self.said: list[str | Exception] = []
        self._thread = threading.Thread(target=self._run, args=(share, number), daemon=True)
        self._thread.start()
        assert self.source.is_waiting.wait(PATIENCE)

    def _run(self, share: Share, number: int) -> None:
        try:
            self.said.append(share.received(self.source, number))
        except (ValueError, PutOff, Unwritable) as error:
            self.said.append(error)

    def end(self) -> str | Exception:
        self.source.go_on()
        self._thread.join(PATIENCE)
        (said,) = self.said
        return said


@pytest.fixture
def bring() -> Iterator[Callable[..., Bringing]]:
    begun: list[Bringing] = []

    def make(*words: object) -> Bringing:
        begun.append(Bringing(*words))
        return begun[-1]

    yield make
    for one in begun:
        one.source.go_on()


def test_all_chunks_in_any_order_are_the_file(part):
    share = shared(part)
    said = {number: share.received(io.BytesIO(PARTS[number]), number) for number in (2, 0, 1)}
    assert said == {number: sha256(data) for number, data in enumerate(PARTS)}
    assert part.read_bytes() == DATA[:SIZE]


def test_a_chunk_is_written_while_it_comes(part, bring):
    one = bring(shared(part), 1, PARTS[1])
    assert part.read_bytes() == bytes(CHUNK) + PARTS[1][:PIECE]
    assert one.end() == sha256(PARTS[1])


@pytest.mark.parametrize("data", [wrong(PARTS[0]), PARTS[0][:-1]], ids=["wrong", "cut"])
def test_what_was_wrong_or_ended_early_is_brought_again_by_another_one(part, data):
    share = shared(part)
    try:
        assert share.received(io.BytesIO(data), 0) != sha256(PARTS[0])
    except ValueError as error:
        assert "it ended early" in str(error)
    assert share.received(io.BytesIO(PARTS[0]), 0) == sha256(PARTS[0])
    assert part.read_bytes() == PARTS[0]


def test_nothing_is_written_over_a_chunk_that_is_right(part, bring):
    share = shared(part)
    late = bring(share, 0, PARTS[0][:PIECE] + wrong(PARTS[0][PIECE:]))
    assert share.received(io.BytesIO(PARTS[0]), 0) == sha256(PARTS[0])
    assert part.read_bytes() == PARTS[0]
    assert late.end() != sha256(PARTS[0])
    assert share.received(io.BytesIO(wrong(PARTS[0])), 0) == sha256(wrong(PARTS[0]))
    assert part.read_bytes() == PARTS[0]


def test_of_two_who_bring_the_same_the_wrong_one_does_no_harm_whoever_ends_first(part, bring):
    share = shared(part)
    first, second = bring(share, 0, PARTS[0]), bring(share, 0, wrong(PARTS[0]))
    assert second.end() == sha256(wrong(PARTS[0]))
    assert first.end() == sha256(PARTS[0])
    assert part.read_bytes() == PARTS[0]
    first, second = bring(share, 1, wrong(PARTS[1])), bring(share, 1, PARTS[1])
    assert first.end() == sha256(wrong(PARTS[1]))
    assert second.end() == sha256(PARTS[1])
    assert part.read_bytes() == PARTS[0] + PARTS[1]


def test_two_who_bring_the_same_right_chunk_both_say_so(part, bring):
    share = shared(part)
    first, second = bring(share, 1, PARTS[1]), bring(share, 1, PARTS[1])
    assert [second.end(), first.end()] == [sha256(PARTS[1])] * 2
    assert part.read_bytes() == bytes(CHUNK) + PARTS[1]


def test_nothing_is_written_over_what_lay_there_and_was_right(part):
    part.write_bytes(PARTS[0])
    share = shared(part, [0])
    assert share.received(io.BytesIO(wrong(PARTS[0])), 0) == sha256(wrong(PARTS[0]))
    assert share.received(io.BytesIO(PARTS[0]), 0) == sha256(PARTS[0])
    assert part.read_bytes() == PARTS[0]


def test_beside_another_way_only_what_is_right_is_written(part, bring):
    share = shared(part, is_alone=False)
    one, other = bring(share, 0, wrong(PARTS[0])), bring(share, 1, PARTS[1])
    assert part.read_bytes() == b""
    assert [one.end(), other.end()] == [sha256(wrong(PARTS[0])), sha256(PARTS[1])]
    assert part.read_bytes() == bytes(CHUNK) + PARTS[1]


def test_what_is_on_its_way_when_another_way_begins_is_put_off(part, bring):
    share = shared(part)
    right, spoilt = bring(share, 0, PARTS[0]), bring(share, 1, PARTS[1][:PIECE] + wrong(PARTS[1][PIECE:]))
    share.careful()
    with part.open("r+b") as other_way:
        other_way.write(PARTS[0] + PARTS[1])
    assert isinstance(right.end(), PutOff)
    assert spoilt.end() != sha256(PARTS[1])
    assert part.read_bytes() == PARTS[0] + PARTS[1]
    assert share.received(io.BytesIO(PARTS[0]), 0) == sha256(PARTS[0])  # it came once more


@pytest.mark.parametrize("is_shared_again", [False, True])
@pytest.mark.parametrize("is_alone", [False, True])
def test_once_the_part_was_looked_at_again_nothing_is_written(part, bring, is_shared_again, is_alone):
    share = shared(part, is_alone=is_alone)
    one = bring(share, 0, PARTS[0])
    there = part.read_bytes()
    assert there == (PARTS[0][:PIECE] if is_alone else b"")
    part.with_name(f"{part.name}.writer").unlink()  # as room.sh does
    again = shared(part) if is_shared_again else None
    assert isinstance(one.end(), Unwritable)
    with pytest.raises(Unwritable):
        share.received(io.BytesIO(PARTS[1]), 1)
    assert part.read_bytes() == there
    if again is not None:
        assert again.received(io.BytesIO(PARTS[1]), 1) == sha256(PARTS[1])
