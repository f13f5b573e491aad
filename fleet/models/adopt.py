"""Which file that a host already has may be the model that it should hold, so that nothing need be sent."""

from fleet.core.facts import Facts, Found
from fleet.core.plan import Artifact, Run, Step
from fleet.core.shell import packaged
from fleet.platforms.base import program

SLOWEST = 5_000_000  # bytes/s of a disk that a deadline allows for
SHOWN = 44  # characters of where it comes from


def candidates(facts: Facts, model: Artifact) -> tuple[Found, ...]:
    """Files of the right size that are not known to be another model; the likeliest first.

    A name only claims: whatever is taken is hashed on the host and must be the model wanted.
    """
    same = [
        one
        for one in facts.found
        if one.size == model.size and (one.sha256 or one.claim or model.id) == model.id
    ]
    return tuple(sorted(same, key=lambda one: (one.sha256 is None, one.claim is None)))


def step(facts: Facts, model: Artifact) -> Step | None:
    """The step that takes such a file into the store; None where there is none."""
    found = candidates(facts, model)
    if not found or model.size is None:
        return None
    label = found[0].label
    shown = label if len(label) <= SHOWN else f"{label[: SHOWN - 1]}…"
    body = packaged("fleet.models", "hash.sh", "adopt.sh")
    script = program(body, FROM="\n".join(one.path for one in found), SHA256=model.id, SIZE=model.size)
    return Step(
        title=f"adopt model {model.name} from {shown}",
        action=Run(script, deadline=120 + model.size / SLOWEST, job=f"adopt-{model.id[:16]}"),
        key=f"model:{model.id}",
        phase="push",
    )
