"""How a server does, from what it says itself: /health, /props and /slots."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fleet.core.errors import ProbeError
from fleet.core.facts import Slot

MOST = 2**53  # of any count: what a float holds exactly, and no server reaches


@dataclass(frozen=True, slots=True)
class Props:
    """What matters of /props."""

    is_sleeping: bool
    slots: int | None
    context: int | None  # tokens of one slot
    model: str | None  # its alias


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second over all slots; None where no difference could be taken."""

    generation: float | None
    prompt: float | None


def health(status: int, body: bytes | str) -> str:
    """ready, loading, or silent: also a stranger's 200 is silence."""
    document = _object(body)
    if status == 200 and document is not None and document.get("status") == "ok":
        return "ready"
    error = document.get("error") if document is not None else None
    if status == 503 and isinstance(error, dict) and error.get("type") == "unavailable_error":
        return "loading"
    return "silent"


def props(body: bytes | str) -> Props | None:
    """None where it is not the answer of a llama-server.

    Asking for it does not wake a sleeping server, asking for /slots does: look here first.
    """
    document = _object(body)
    if document is None or "total_slots" not in document:
        return None
    settings = document.get("default_generation_settings")
    context = settings.get("n_ctx") if isinstance(settings, dict) else None
    alias = document.get("model_alias")
    return Props(
        is_sleeping=document.get("is_sleeping") is True,
        slots=_count(document.get("total_slots")),
        context=_count(context),
        model=alias if isinstance(alias, str) else None,
    )


def is_sleeping(body: bytes | str) -> bool:
    """Whether /props says that the model is unloaded until the next request."""
    found = props(body)
    return found is not None and found.is_sleeping


def parse_slots(body: bytes | str) -> tuple[Slot, ...]:
    """The slots in an answer to GET /slots.

    Raises:
        ProbeError: it is no list of slots (switched off, an error, another program).
    """
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(
        isinstance(entry, dict) and "id" in entry for entry in entries
    ):
        raise ProbeError("the answer to GET /slots is not a list of slots", next="fleet logs")
    return tuple(_slot(entry) for entry in entries)


def generation_rate(before: Sequence[Slot], after: Sequence[Slot], seconds: float) -> float | None:
    """Tokens generated a second; see rate."""
    return rate(before, after, seconds).generation


def prompt_rate(before: Sequence[Slot], after: Sequence[Slot], seconds: float) -> float | None:
    """Prompt tokens processed a second; see rate."""
    return rate(before, after, seconds).prompt


def _slot(entry: dict[str, Any]) -> Slot:
    following = entry.get("next_token")
    if isinstance(following, list):  # older servers had an object here
        following = following[0] if following else None
    decoded = _count(following.get("n_decoded")) if isinstance(following, dict) else None
    is_processing = entry.get("is_processing") is True
    processed = _count(entry.get("n_prompt_tokens_processed"))
    cached = _count(entry.get("n_prompt_tokens_cache"))
    held = None
    if is_processing and processed is not None:
        held = processed + (cached or 0) + (decoded or 0)
    return Slot(
        id=_count(entry.get("id")) or 0,
        task=_count(entry.get("id_task")),
        is_processing=is_processing,
        decoded=decoded,
        prompt=processed,
        held=held,
        context=_count(entry.get("n_ctx")),
    )


def rate(before: Sequence[Slot], after: Sequence[Slot], seconds: float) -> Rate:
    """Live speed from two looks at the slots.

    Each slot is compared with itself under the same task; a new task and a counter that fell
    are skipped. A server where no slot works now or worked before makes 0 tokens/s; one that
    is busy with tasks that only one look has seen is unknown.

    Args:
        seconds: between the two looks, by a monotonic clock.
    """
    if seconds <= 0:
        return Rate(None, None)
    known: dict[tuple[int, int | None], Slot] = {
        (slot.id, slot.task): slot for slot in before if slot.task is not None
    }
    decoded: list[int] = []
    prompted: list[int] = []
    for slot in after:
        earlier = known.get((slot.id, slot.task))
        if earlier is None or not earlier.is_processing:
            continue
        if earlier.decoded is not None and slot.decoded is not None and slot.decoded >= earlier.decoded:
            decoded.append(slot.decoded - earlier.decoded)
        if earlier.prompt is not None and slot.prompt is not None and slot.prompt >= earlier.prompt:
            prompted.append(slot.prompt - earlier.prompt)
    is_idle = not any(slot.is_processing for slot in (*before, *after))
    nothing = 0.0 if is_idle else None
    return Rate(
        generation=sum(decoded) / seconds if decoded else nothing,
        prompt=sum(prompted) / seconds if prompted else nothing,
    )


def generation_speed(body: bytes | str) -> float | None:
    """Tokens/s of a finished completion, timed by llama-server; None where it does not say."""
    document = _object(body)
    timings = document.get("timings") if document is not None else None
    if not isinstance(timings, dict) or (_count(timings.get("predicted_n")) or 0) < 2:
        return None
    speed = timings.get("predicted_per_second")
    return float(speed) if isinstance(speed, (int, float)) and 0 < speed < MOST else None


def _object(body: bytes | str) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST else None
