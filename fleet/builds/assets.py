"""Which archive of a release suits a host: how llama.cpp names them, as data."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS, Backend, Lack, check_not_lost, ranked
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.flow import Asset

if TYPE_CHECKING:
    from fleet.core.inventory import Host

# SYSTEM[-WORD[-VERSION]]-PROCESSOR, as in llama-b11158-bin-ubuntu-rocm-10.0-x64.tar.gz
# Source: names of the releases b7312 to b11158 of ggml-org/llama.cpp; Linux went from .zip to .tar.gz in
# December 2025, the numbers behind rocm and cuda change with the toolkit.
NAME = re.compile(
    r"(?P<system>[a-z]+)(?:-(?P<word>[a-z]+)(?:-(?P<version>[a-z0-9.]+))?)?-(?P<arch>x64|arm64|s390x)"
)
FILE = re.compile(r"-bin-(?P<label>[a-z0-9.-]+?)\.(?:tar\.gz|tgz|zip)$")
SYSTEMS = {"ubuntu": "linux", "linux": "linux", "macos": "macos"}
PROCESSORS = {"x64": "x86_64", "arm64": "arm64", "s390x": "s390x"}
PLAIN = {("macos", "arm64"): "metal"}  # without a word; all others compute on the processor
BUILD = 'source = "git:URL" and ref = "TAG" under [llama_cpp]'
# their binaries serve another backend too: every release is made with GGML_RPC
ALSO = {"rpc": "cpu"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What an archive is for."""

    os: str
    arch: str
    backend: str
    version: str | None  # of the toolkit: 12.8


def kind(label: str) -> Kind | None:
    """What the name says; None where it is no host of ours, or no name that we know."""
    found = NAME.fullmatch(label)
    if found is None or found["system"] not in SYSTEMS:
        return None
    os, arch, word = SYSTEMS[found["system"]], PROCESSORS[found["arch"]], found["word"]
    backend = _made_for(word) if word else PLAIN.get((os, arch), "cpu")
    if backend is None:
        return None
    return Kind(os, arch, backend, found["version"])


def _made_for(word: str) -> str | None:
    return next((name for name, kind in BACKENDS.all() if kind.archive == word), None)


def choose(wish: "Host", facts: Facts, assets: tuple[Asset, ...]) -> tuple[Asset, str, tuple[str, ...]]:
    """The archive for a host, its backend, and sentences for the plan.

    Raises:
        PlanError: none of them is for this host, or for the backend that was asked for; or only
            the processor is left although there is a GPU.
    """
    only = assets[0] if len(assets) == 1 and not assets[0].label else None
    if only is not None and kind(_label(only)) is None:
        backend = wish.backend if wish.backend not in (None, "auto") else "cpu"
        note = f"the name of the archive does not say what it computes with: taken for {backend}"
        return only, str(backend), (note,) if wish.backend in (None, "auto") else ()
    fitting = {asset: found for asset in assets if (found := kind(_label(asset))) and _suits(found, facts)}
    if not fitting:
        known = ", ".join(_label(asset) for asset in assets)
        raise PlanError(
            f"no archive of the release is for {_host(facts)} (there are: {known})",
            host=facts.host,
            next="add its archive to [llama_cpp.assets], or build it: " + BUILD,
        )
    passed: list[tuple[Backend, Lack]] = []
    for backend in _wanted(wish, facts):
        made_for = ALSO.get(backend, backend)
        able = [asset for asset, of in fitting.items() if of.backend == made_for and _drives(of, facts)]
        if able and wish.backend in (None, "auto") and BACKENDS.take(backend).device is None:
            check_not_lost(backend, facts, passed, also=f"; or build it: {BUILD}")
        if able:
            best = max(able, key=lambda asset: _number(fitting[asset].version))
            said = (f"{other.title} is not used: {lack.what}" for other, lack in passed)
            return best, backend, tuple(said)
        passed.append((BACKENDS.take(backend), Lack("the release has no archive of it", "")))
    there = ", ".join(sorted(of.backend for of in fitting.values()))
    raise PlanError(
        f"the release has no archive for {_host(facts)} with {wish.backend} (there are: {there})",
        host=facts.host,
        next=f"take backend out of [hosts.{facts.host}], or build it: {BUILD}",
    )


def _label(asset: Asset) -> str:
    if asset.label:
        return asset.label
    found = FILE.search(asset.name)
    return found["label"] if found else ""


def _wanted(wish: "Host", facts: Facts) -> list[str]:
    """Backends, best first; only those that have a device here."""
    if wish.backend not in (None, "auto"):
        return [str(wish.backend)]
    return list(ranked(facts))


def _suits(found: Kind, facts: Facts) -> bool:
    """The same system and processor; those for Linux are linked with glibc."""
    is_other = found.os == "linux" and (facts.libc or "").startswith("musl")
    return (found.os, found.arch) == (facts.os, facts.arch) and not is_other


def _drives(found: Kind, facts: Facts) -> bool:
    """CUDA programs need a driver that is as new; others say it themselves when they are proven."""
    if found.backend != "cuda" or not found.version:
        return True
    newest = [_number(gpu.runtime) for gpu in facts.gpus if gpu.api == "cuda" and gpu.runtime]
    return not newest or _number(found.version) <= min(newest)


def _number(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or ""))


def _host(facts: Facts) -> str:
    libc = " with musl" if (facts.libc or "").startswith("musl") else ""
    return f"{facts.os or 'this system'} {facts.arch or ''}".strip() + libc
