"""What moves so that a host holds the models it needs."""

from collections.abc import Sequence

from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.plan import Artifact, Put, Run, Step, count_text, size_text
from fleet.core.shell import packaged
from fleet.models import adopt
from fleet.platforms.base import program

RESERVE_SHARE = 0.05  # of the disk stays free
RESERVE_MOST = 5 * 2**30  # bytes; more than this nobody misses on a large disk
INODES = 16  # a model is a folder, two files, a link and a part, and others write too
GATHER = 60.0  # seconds for links to files that are there


def steps(facts: Facts, wanted: Sequence[Artifact]) -> tuple[Step, ...]:
    """One step for each file that the host lacks, in the order wanted; a last one for a model of several.

    Raises:
        PlanError: the disk has no room, in bytes or in files; names the numbers.
    """
    missing = {model.id: model for model in wanted if not is_present(facts, model)}
    needed = [file for model in missing.values() for file in model.parts or (model,)]
    lacking = {file.id: file for file in needed if not is_present(facts, file)}
    moves = tuple(adopt.step(facts, file) or _step(facts, file) for file in lacking.values())
    if moves:
        _check_room(facts, moves)
    return (*moves, *(_gather(model) for model in missing.values() if model.parts))


def is_present(facts: Facts, model: Artifact) -> bool:
    """Whether the host holds the verified file, or all files of a model where llama.cpp finds them."""
    if model.parts:
        return any(
            held.id == model.id
            and len(held.sizes) == len(model.parts)
            and all(one.size in (None, size) for one, size in zip(model.parts, held.sizes, strict=True))
            for held in facts.sets
        )
    return any(
        held.sha256 == model.id and (model.size is None or held.size == model.size) for held in facts.models
    )


def path(model: Artifact) -> str:
    """Where a model lies, below the root; of several files the first, which llama.cpp is given."""
    return _several(model.id, len(model.parts)) if model.parts else f"models/{model.id}/model.gguf"


def held_path(facts: Facts, id_: str) -> str | None:
    """As path, of a model that the host holds whole; None where it, or one of its files, is not there."""
    if any(one.sha256 == id_ for one in facts.models):
        return f"models/{id_}/model.gguf"
    return next((_several(id_, len(one.sizes)) for one in facts.sets if one.id == id_), None)


def _several(id_: str, count: int) -> str:
    return f"models/sets/{id_}/model-00001-of-{count:05}.gguf"


def reserve(total: int | None) -> int:
    """Bytes of a disk that a push leaves free, by the size of the disk."""
    return RESERVE_MOST if total is None else min(RESERVE_MOST, int(total * RESERVE_SHARE))


def _step(facts: Facts, model: Artifact) -> Step:
    held = next((part.size for part in facts.parts if part.sha256 == model.id), 0)
    move = None if model.size is None else model.size - min(held, model.size)
    title = f"resume model {model.name}" if held else f"push model {model.name}"
    return Step(title, Put(model, path(model)), f"model:{model.id}", "push", bytes=move)


def _gather(model: Artifact) -> Step:
    hashes = " ".join(part.id for part in model.parts)
    script = program(packaged("fleet.models", "gather.sh"), SET=model.id, PARTS=hashes)
    title = f"put the {count_text(len(model.parts), 'file')} of {model.name} together"
    return Step(title, Run(script, GATHER), f"model:{model.id}", "push")


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
    needed = INODES * len(moves)
    if inodes is not None and inodes < needed:
        raise PlanError(
            f"the disk of {facts.root} can hold only {inodes} more files, {needed} are needed",
            host=facts.host,
            next=f"delete small files there, or set root to a folder on another disk: df -i {facts.root}",
        )
