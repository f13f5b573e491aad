"""What moves so that a host holds the models it needs."""

from collections.abc import Sequence

from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.plan import Artifact, Put, Step, size_text
from fleet.models import adopt

RESERVE_SHARE = 0.05  # of the disk stays free
RESERVE_MOST = 5 * 2**30  # bytes; more than this nobody misses on a large disk
INODES = 16  # a model is a folder, two files and a part, and others write too


def steps(facts: Facts, wanted: Sequence[Artifact]) -> tuple[Step, ...]:
    """One step for each model that the host lacks, in the order wanted.

    Raises:
        PlanError: the disk has no room, in bytes or in files; names the numbers.
    """
    missing = {model.id: model for model in wanted if not is_present(facts, model)}
    moves = tuple(adopt.step(facts, model) or _step(facts, model) for model in missing.values())
    if moves:
        _check_room(facts, moves)
    return moves


def is_present(facts: Facts, model: Artifact) -> bool:
    """Whether the host holds the verified file."""
    return any(
        held.sha256 == model.id and (model.size is None or held.size == model.size) for held in facts.models
    )


def path(model: Artifact) -> str:
    """Where a model lies, below the root."""
    return f"models/{model.id}/model.gguf"


def reserve(total: int | None) -> int:
    """Bytes of a disk that a push leaves free, by the size of the disk."""
    return RESERVE_MOST if total is None else min(RESERVE_MOST, int(total * RESERVE_SHARE))


def _step(facts: Facts, model: Artifact) -> Step:
    held = next((part.size for part in facts.parts if part.sha256 == model.id), 0)
    move = None if model.size is None else model.size - min(held, model.size)
    title = f"resume model {model.name}" if held else f"push model {model.name}"
    return Step(title, Put(model, path(model)), f"model:{model.id}", "push", bytes=move)


def _check_room(facts: Facts, moves: tuple[Step, ...]) -> None:
    need = sum(step.bytes or 0 for step in moves)
    free, kept = facts.disk.free, reserve(facts.disk.total)
    if free is not None and need and free - kept < need:
        raise PlanError(
            f"the disk of {facts.root} has {size_text(free)} free; the models need {size_text(need)} "
            f"and {size_text(kept)} must stay free",
            host=facts.host,
            next=f"fleet gc --dry-run --host {facts.host}, or set root to a folder on a larger disk",
        )
    inodes = facts.disk.inodes_free
    if inodes is not None and inodes < INODES:
        raise PlanError(
            f"the disk of {facts.root} can hold only {inodes} more files, {INODES} are needed",
            host=facts.host,
            next=f"delete small files there, or set root to a folder on another disk: df -i {facts.root}",
        )
