"""What is served together with a model: a projector, a model that drafts, adapters; its flags and its memory.

Source: llama.cpp b11434. tools/server/server-context.cpp: a draft has a context of its own as long as
    the server's, with a cache of f16 unless told otherwise. common/arg.cpp: without `--spec-type` only
    drafts with heads of their own (MTP, DFlash) are used, any other is loaded and left idle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.core.flow import Flow, ReadWeights
from fleet.core.plan import Artifact, size_text
from fleet.models import kv
from fleet.models import plan as models
from fleet.models.keeping import belonging
from fleet.models.layout import Layout, layout
from fleet.models.weights import Weights
from fleet.models.wish import Wish
from fleet.servers.capabilities import Capabilities
from fleet.servers.dialect import EARLIER
from fleet.servers.flags import translate

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

FLAGS = {"mmproj": "mmproj", "draft": "spec-draft-model", "lora": "lora"}
TITLES = {"mmproj": "projector", "draft": "draft model", "lora": "adapter"}


@dataclass(frozen=True, slots=True)
class Companion:
    """One of them.

    Attributes:
        role: mmproj, draft or lora.
        model: its name in the inventory.
        sha256: its id.
        path: of its first file, below the root.
        spec: how it drafts; None where llama-server finds out by itself.
        parts: hashes of its files, where it has several.
    """

    role: str
    model: str
    sha256: str
    path: str
    spec: str | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extra:
    """Memory that a server takes beside its model."""

    weights: int  # bytes
    draft: Layout | None = None
    unknown: str | None = None  # what is not in it, and why
    names: tuple[str, ...] = ()  # for people
    projector: int = 0  # bytes of weights, counted in `weights` too

    def bytes(self, wish: Wish) -> int:
        """With the keys and values of a draft, for the context of the server."""
        if self.draft is None or not self.draft.formula or wish.context is None:
            return self.weights
        return self.weights + kv.cache(self.draft, replace(wish, kv_type_k="f16", kv_type_v="f16")).total

    def beside(self, model: Layout, wish: Wish) -> int:
        """As bytes, for a model that is served as wished: a context that nobody names is the trained one."""
        return self.bytes(replace(wish, context=kv.context(model, wish)) if model.formula else wish)

    @property
    def mapped(self) -> int:
        """Bytes of the draft, whose file stays mapped where a processor computes."""
        return self.draft.sums.total if self.draft is not None else 0


NONE = Extra(0)


def everything(inventory: "Inventory", names: Sequence[str]) -> tuple[str, ...]:
    """Models of the inventory and what is served with them, each once."""
    return tuple(dict.fromkeys(one for name in names for one in belonging(inventory, name)))


def companions(
    inventory: "Inventory",
    model: str,
    files: Mapping[str, Artifact],
    headers: Mapping[str, Weights],
) -> tuple[Companion, ...]:
    """Those of a model, in the order of the inventory.

    Args:
        files, headers: of every one of them, by name.

    Raises:
        PlanError: a file is of another kind than its role.
    """
    return tuple(
        Companion(
            role,
            name,
            files[name].id,
            models.path(files[name]),
            _spec(model, role, headers[name]),
            tuple(part.id for part in files[name].parts),
        )
        for role, name in inventory.models[model].companions
    )


def extra(inventory: "Inventory", model: str, headers: Mapping[str, Weights]) -> Extra:
    """What they take of a server's memory."""
    beside = inventory.models[model].companions
    weights = sum(headers[name].sums.total for _, name in beside)
    draft = next((layout(headers[n].header, headers[n].sums) for role, n in beside if role == "draft"), None)
    unknown = []
    if draft is not None and not draft.formula:
        unknown.append(f"the cache of the draft ({draft.why})")
    unknown += [f"the buffers of the {TITLES[role]}" for role, _ in beside if role != "lora"]
    why = f"{', '.join(unknown)}: known only when it has started" if unknown else None
    names = tuple(f"{TITLES[role]} {name}" for role, name in beside)
    projector = sum(headers[name].sums.total for role, name in beside if role == "mmproj")
    return Extra(weights, draft, why, names, projector)


def read_extra(inventory: "Inventory", model: str) -> Flow[Extra]:
    """As extra, for a model whose companions were not read yet; nothing for one that no inventory has."""
    if model not in inventory.models:
        return NONE
    headers = {}
    for _, name in inventory.models[model].companions:
        headers[name] = yield ReadWeights(name)
    return extra(inventory, model, headers)


def flags(
    server: str,
    given: Sequence[Companion],
    root: str,
    args: Mapping[str, object],
    known: Capabilities | None,
) -> dict[str, object]:
    """The flags that name them to llama-server, by their names of today.

    Args:
        args: what the inventory says of flags.
        known: the program; None is taken for one of today.

    Raises:
        PlanError: this program has no such flag, the inventory has it too, or a path cannot be written.
    """
    written = translate(args)[0]
    found: dict[str, object] = {}
    for role, flag in FLAGS.items():
        mine = [one for one in given if one.role == role]
        if not mine:
            continue
        place = f"[servers.{server}.args]"
        if flag in written:
            raise PlanError(
                f"server {server}: its model has a {TITLES[role]}, and {place} has {flag} too",
                next=f"take {flag} out of {place} in inventory.toml",
            )
        names = (flag, *EARLIER.get(flag, ()))
        if known is not None and not any(known.knows(name) for name in names):
            raise PlanError(
                f"server {server}: this build of llama.cpp cannot take a {TITLES[role]}: it has no --{flag}",
                next=f"a newer ref in [llama_cpp], or take {role} out of the model's table in inventory.toml",
            )
        found[flag] = _paths(server, flag, [f"{root}/{one.path}" for one in mine], known)
        spec = mine[0].spec
        if spec is not None and "spec-type" not in written and (known is None or known.knows("spec-type")):
            found["spec-type"] = spec
    return found


def notes(beside: Extra, count: int) -> tuple[str, ...]:
    """What a person should know of them before anything moves; `count` are the bytes they were given."""
    if not beside.names:
        return ()
    more = f"; not counted: {beside.unknown}" if beside.unknown else ""
    return (f"with {', '.join(beside.names)}: {size_text(count)} more{more}",)


def _spec(model: str, role: str, weights: Weights) -> str | None:
    """How a draft drafts, and for all: whether it is what it should be."""
    header = weights.header
    is_projector = header.architecture == "clip"
    is_adapter = header.values.get("general.type") == "adapter"
    is_right = {"mmproj": is_projector, "lora": is_adapter}.get(role, not is_projector and not is_adapter)
    if not is_right:
        what = "a projector" if is_projector else "an adapter" if is_adapter else "a model"
        raise PlanError(
            f"model {weights.name} is no {TITLES[role]}: its header says that it is {what}",
            next=f"correct {role} in [models.{model}] of inventory.toml",
        )
    if role != "draft":
        return None
    if header.architecture == "eagle3":
        return "draft-eagle3"
    has_heads = header.architecture == "dflash" or bool(header.number("nextn_predict_layers"))
    return None if has_heads else "draft-simple"


def _paths(server: str, flag: str, paths: list[str], known: Capabilities | None) -> str:
    """One path, or all of them as this program takes several.

    Source: llama.cpp b11434 common/arg.cpp, `parse_csv_row`: a field with a comma stands in quotes, and
        a quote in it is doubled. Before autumn 2025 the flag was repeated.
    """
    if flag != "lora":
        return paths[0]
    if known is not None and not known.mentions("lora", "comma-separated"):
        if len(paths) > 1:
            raise PlanError(
                f"server {server}: this build of llama.cpp takes one adapter, its model has {len(paths)}",
                next="keep one lora in inventory.toml, or set a newer ref in [llama_cpp]",
            )
        return paths[0]
    return ",".join(_field(path) for path in paths)


def _field(path: str) -> str:
    doubled = path.replace('"', '""')
    return f'"{doubled}"' if "," in path or '"' in path else path
