"""Which bytes of a file are there. A span is its first byte and the one after its last."""

from collections.abc import Iterable

Span = tuple[int, int]
SMALLEST, LARGEST = 4 << 20, 64 << 20  # bytes of a piece that one connection asks for
ROUNDS = 8  # pieces per connection, so that a slow one does not hold the end


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """In order, without the empty ones, each as long as it can be."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif start < end:
            found.append((start, end))
    return tuple(found)


def missing(done: Iterable[Span], size: int) -> tuple[Span, ...]:
    """What `done` lacks of a file."""
    found: list[Span] = []
    at = 0
    for start, end in merged(done):
        if at < min(start, size):
            found.append((at, min(start, size)))
        at = max(at, end)
    if at < size:
        found.append((at, size))
    return tuple(found)


def pieces(spans: Iterable[Span], connections: int) -> list[Span]:
    """The spans cut for so many connections; for one they stay whole."""
    all_of_it = list(spans)
    if connections < 2:
        return all_of_it
    length = min(max(count(all_of_it) // (connections * ROUNDS), SMALLEST), LARGEST)
    return [(at, min(at + length, end)) for start, end in all_of_it for at in range(start, end, length)]


def count(spans: Iterable[Span]) -> int:
    """Bytes in all of them."""
    return sum(end - start for start, end in spans)
