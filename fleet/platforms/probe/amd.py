"""AMD's cards, put together from what the kernel and ROCm's tools say."""

import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

from fleet.core.facts import Gpu
from fleet.core.text import safe_line
from fleet.platforms.base import Section
from fleet.platforms.probe.answer import number, one
from fleet.platforms.probe.cards import AMD, MIB, SMALLEST, Found, drm_cards, place
from fleet.platforms.probe.vulkan import Shown, named

# A processor's own GPU that is worth computing with: Strix Halo has 32 to 40 compute units, Strix Point 16;
# what Ryzen desktops have to show a picture has 2. Source: AMD's product pages.
WORTH = 16


@dataclass(frozen=True, slots=True)
class Seen:
    """What one source says of one card."""

    place: int | None = None  # bus << 8 | device << 3 | function
    name: str | None = None
    device: str | None = None  # 0x744c
    total: int | None = None  # bytes of its own memory
    used: int | None = None
    shared: int | None = None  # bytes of the processor's memory that it may use (GTT)
    shared_used: int | None = None
    target: str | None = None  # gfx1100
    units: int | None = None  # compute units
    uuid: str | None = None
    driver: str | None = None


def amd_cards(found: Mapping[str, Section], devices: tuple[Shown, ...], is_alone: bool) -> Found:
    """Cards with memory of their own; a processor's own GPU only where it is strong and all there is.

    Args:
        found: the sections rocm, amd-smi, drm, kfd and rocminfo; each fills what those
            before it left open.
        devices: what Vulkan lists, for names.
        is_alone: no other vendor's card was found.
    """
    cards: list[Seen] = []
    for name, reader in SOURCES.items():
        cards = _merged(cards, reader(one(found, name)))
    own = [card for card in cards if card.total is not None and card.total >= SMALLEST]
    strong = [card for card in cards if card.shared and (card.units or 0) >= WORTH]
    is_unified = not own and is_alone and bool(strong)
    chosen = own or (strong if is_unified else [])
    gpus = []
    unknown = {}
    for index, card in enumerate(chosen):
        total, used = (card.shared, card.shared_used) if is_unified else (card.total, card.used)
        free = max(total - used, 0) if total is not None and used is not None else None
        name = card.name or named(devices, AMD, card.device) or f"AMD {card.device or 'GPU'}"
        if card.target is None:
            unknown[f"gpus.{index}.capability"] = "neither ROCm's tools nor the kernel name the target"
        if free is None:
            unknown[f"gpus.{index}.memory_free"] = "neither rocm-smi nor the kernel say what is in use"
        gpus.append(Gpu("amd", name, "hip", total, free, card.target, None, card.driver, None, card.uuid))
    return Found(tuple(gpus), unknown, is_unified)


def rocm_smi(answer: Section) -> list[Seen]:
    """From JSON (every value is a string) or CSV; names of keys and columns differ by version."""
    if answer.status != 0:
        return []
    text, driver = answer.text, None
    start = text.find("{")
    rows: list[dict[str, str]] = []
    if start >= 0:
        whole = _json(text[start:])
        for name, values in whole.items() if isinstance(whole, dict) else ():
            if isinstance(values, dict):
                told = {str(key).lower(): safe_line(str(value), 200) for key, value in values.items()}
                rows += [told] if str(name).startswith("card") else []
                driver = told.get("driver version", driver)
    else:
        lines = [line for line in text.splitlines() if line.strip()]
        head = next((i for i, line in enumerate(lines) if line.lower().startswith("device,")), len(lines))
        names, *cells = _csv(lines[head:]) or [[]]
        rows = [
            {key.strip().lower(): safe_line(cell, 200) for key, cell in zip(names, row, strict=False)}
            for row in cells
        ]
    return [_rocm_card(row, driver) for row in rows]


def _rocm_card(row: dict[str, str], driver: str | None) -> Seen:
    target, unique = row.get("gfx version", ""), row.get("unique id", "")
    device = next((row[key] for key in ("device id", "gpu id") if key in row), None)
    model = row.get("card model", "")
    if device is None and model.startswith("0x"):
        device = model
    words = (row.get("card series", ""), model)
    return Seen(
        place=place(row.get("pci bus")),
        name=next((word for word in words if word and not word.startswith("0x") and word != "N/A"), None),
        device=device,
        total=number(row.get("vram total memory (b)")),
        used=number(row.get("vram total used memory (b)")),
        shared=number(row.get("gtt total memory (b)")),
        shared_used=number(row.get("gtt total used memory (b)")),
        target=target if target.startswith("gfx") else None,
        uuid=f"GPU-{unique[2:]}" if re.fullmatch(r"0x[0-9a-f]+", unique) else None,
        driver=driver,
    )


def amd_smi_cards(answer: Section) -> list[Seen]:
    """From `amd-smi static --json`: a bare list, under `gpu_data` since ROCm 7. Not recorded."""
    whole = _json(answer.text[max(answer.text.find("["), 0) :]) if answer.status == 0 else None
    if answer.status == 0 and not isinstance(whole, list):
        whole = _json(answer.text[max(answer.text.find("{"), 0) :])
    entries = whole.get("gpu_data") if isinstance(whole, dict) else whole
    found = []
    for entry in entries if isinstance(entries, list) else ():
        asic, bus, vram = (
            (
                part if isinstance(part, dict) else {}
                for part in (entry.get(key) for key in ("asic", "bus", "vram"))
            )
            if isinstance(entry, dict)
            else ({}, {}, {})
        )
        size = vram.get("size")
        amount = size.get("value") if isinstance(size, dict) else None
        target = safe_line(str(asic.get("target_graphics_version", "")), 40)
        found.append(
            Seen(
                place=place(str(bus.get("bdf", ""))),
                name=safe_line(str(asic.get("market_name", "")), 100) or None,
                total=amount * MIB if isinstance(amount, int) and 0 < amount < 1 << 40 else None,
                target=target if target.startswith("gfx") else None,
            )
        )
    return found


def drm_seen(drm: Section) -> list[Seen]:
    """What the kernel shows without any tool."""
    return [
        Seen(
            place=place(files.get("PCI_SLOT_NAME")),
            device=files.get("device"),
            total=number(files.get("mem_info_vram_total")),
            used=number(files.get("mem_info_vram_used")),
            shared=number(files.get("mem_info_gtt_total")),
            shared_used=number(files.get("mem_info_gtt_used")),
        )
        for files in drm_cards(drm)
        if files.get("vendor") == AMD
    ]


def nodes(kfd: Section) -> list[Seen]:
    """The kernel's compute nodes; one whose target is 0 is a processor."""
    told: dict[int, dict[str, int]] = {}
    for node, name, value in re.findall(r"(?m)^([0-9]{1,4})/properties:(\w+) ([0-9]{1,12})$", kfd.text):
        told.setdefault(int(node), {})[name] = int(value)
    return [
        Seen(
            place=values.get("location_id"),
            target=gfx(values["gfx_target_version"]),
            units=values.get("simd_count", 0) // max(values.get("simd_per_cu", 2), 1) or None,
        )
        for _, values in sorted(told.items())
        if values.get("gfx_target_version")
    ]


def agents(rocminfo: Section) -> list[Seen]:
    """The GPU agents of rocminfo; sizes are in KB of 1024."""
    found = []
    for block in re.split(r"(?m)^Agent [0-9]+\s*$", rocminfo.text)[1:]:
        told: dict[str, str] = {}
        for key, value in re.findall(r"(?m)^\s+([\w() .]+?):\s+(.+?)\s*$", block):
            told.setdefault(key, value)
        if told.get("Device Type", "GPU") != "GPU" or not told.get("Name", "").startswith("gfx"):
            continue
        size = re.search(r"(?m)^\s+Segment:\s+GLOBAL; FLAGS: COARSE.*\n\s+Size:\s+([0-9]{1,15})", block)
        uuid = told.get("Uuid", "")
        found.append(
            Seen(
                place=number(told.get("BDFID")),
                name=safe_line(told["Marketing Name"], 100) if "Marketing Name" in told else None,
                total=int(size[1]) * 1024 if size else None,
                target=safe_line(told["Name"], 40),
                units=number(told.get("Compute Unit")),
                uuid=uuid if re.fullmatch(r"GPU-[0-9a-f]+", uuid) else None,
            )
        )
    return found


SOURCES: Mapping[str, Callable[[Section], list[Seen]]] = {
    "rocm": rocm_smi,
    "amd-smi": amd_smi_cards,
    "drm": drm_seen,
    "kfd": nodes,
    "rocminfo": agents,
}


def gfx(target: int) -> str:
    """gfx_target_version 90010 -> gfx90a."""
    return f"gfx{target // 10000}{target // 100 % 100:x}{target % 100:x}"


def _merged(cards: list[Seen], more: list[Seen]) -> list[Seen]:
    """Each card with what the next source adds; the same by place, else by order of equally many."""
    if not cards:
        return more
    by_place = {one.place: one for one in more if one.place is not None}
    is_same_order = len(cards) == len(more)
    merged = []
    for index, card in enumerate(cards):
        other = by_place.get(card.place) if card.place is not None and by_place else None
        if other is None and is_same_order and not (card.place is not None and by_place):
            other = more[index]
        merged.append(_filled(card, other) if other else card)
    return merged


def _filled(card: Seen, other: Seen) -> Seen:
    values = (getattr(card, one.name) for one in fields(Seen))
    return Seen(
        *(
            value if value is not None else getattr(other, one.name)
            for value, one in zip(values, fields(Seen), strict=True)
        )
    )


def _json(text: str) -> object:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _csv(lines: list[str]) -> list[list[str]]:
    """Cells of comma-separated lines; lines that are none are left out."""
    found = []
    for line in lines:
        try:
            found += list(csv.reader([line], skipinitialspace=True))
        except csv.Error:
            continue
    return found
