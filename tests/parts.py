"""Small models of random weights in several files, and what may be served with one."""

from pathlib import Path

import gguf
import numpy

import fleet.builds

SMOKE = Path(fleet.builds.__file__).parent / "smoke.gguf"


def split(folder: Path, name: str = "tiny", most: int = 5, seed: int | None = None) -> list[Path]:
    """A model that llama.cpp loads, in files of so many tensors: `NAME-00001-of-00003.gguf` ...

    Args:
        seed: another model of the same shape; None: the weights of the smoke-test model.
    """
    read = gguf.GGUFReader(SMOKE)
    writer = gguf.GGUFWriter(None, "llama", split_max_tensors=most)
    _copy(read, writer)
    dice = numpy.random.default_rng(seed)
    for tensor in read.tensors:
        data = tensor.data
        if seed is not None and data.dtype == numpy.float32:
            data = data + dice.normal(0, 0.01, data.shape).astype(numpy.float32)
        writer.add_tensor(tensor.name, data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file(folder / f"{name}.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob(f"{name}-0*.gguf"))


def adapter(path: Path, rank: int = 4, seed: int = 1) -> Path:
    """A LoRA adapter for the smoke-test model.

    Source: llama.cpp convert_lora_to_gguf.py: general.type, adapter.type, adapter.lora.alpha, and
        two tensors for each that is changed, `NAME.lora_a` and `NAME.lora_b`.
    """
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    dice = numpy.random.default_rng(seed)
    for name, (rows, width) in {"blk.0.attn_q.weight": (128, 128), "blk.0.ffn_up.weight": (256, 128)}.items():
        writer.add_tensor(f"{name}.lora_a", dice.normal(0, 0.02, (rank, width)).astype(numpy.float32))
        writer.add_tensor(f"{name}.lora_b", dice.normal(0, 0.02, (rows, rank)).astype(numpy.float32))
    return _closed(writer, path)


def projector(path: Path) -> Path:
    """A file that calls itself a projector, and holds nothing that one needs."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_tensor("v.patch_embd.weight", numpy.zeros((32, 32), numpy.float32))
    return _closed(writer, path)


def _copy(read: gguf.GGUFReader, writer: gguf.GGUFWriter) -> None:
    for name, field in read.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture":
            continue
        kind = field.types[0]
        writer.add_key_value(name, field.contents(), kind, field.types[-1] if len(field.types) > 1 else None)


def _closed(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
