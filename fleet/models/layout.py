"""What of a model's header decides how much memory it takes: sizes, layers, and how they remember."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fleet.core.errors import PlanError
from fleet.models import architectures as known
from fleet.models.gguf import Header
from fleet.models.tensors import Sums

FLOAT = 4  # bytes: recurrent states are f32


@dataclass(frozen=True, slots=True)
class Attention:
    """What one layer remembers of each token, and of each conversation."""

    key: int  # elements per token
    value: int  # elements per token
    is_window: bool  # only of the last tokens
    state: int  # bytes per conversation, whatever its length


@dataclass(frozen=True, slots=True)
class Layout:
    """A model as the planner sees it."""

    architecture: str
    attention: tuple[Attention, ...]  # one per layer that is run; empty where nobody knows
    width: int  # elements of a token's embedding
    feed: int  # elements of the widest feed-forward part, over all experts that a token uses
    query: int  # elements of all heads together, the most over the layers
    head: int  # elements of one head's key
    opened: int  # elements of all heads' keys before they are compressed; 0 without latent attention
    vocabulary: int
    trained: int  # tokens of context
    window: int | None  # tokens
    experts: int
    used: int  # experts per token
    sums: Sums  # without the layers that are not run (next-token prediction)
    skipped: int  # bytes of those
    file_type: int | None  # a label of its quantisation, as in quants.FILE_TYPES
    formula: bool  # False: what follows from this is a guess; llama-fit-params knows
    why: str | None  # what is unlike, where there is no formula

    @property
    def layers(self) -> int:
        """Repeating layers; llama.cpp counts the output as one more."""
        return len(self.sums.layers)

    @property
    def is_tied(self) -> bool:
        """Whether the embedding serves as the output matrix."""
        return self.sums.is_tied


def layout(header: Header, sums: Sums | None = None) -> Layout:
    """The layout of a model.

    Args:
        header: of its only or first file.
        sums: of all its files, where it has several.

    Raises:
        PlanError: the header leaves out what no model can do without; names it.
    """
    name = header.architecture
    if name is None:
        raise PlanError("the model does not say its architecture", next="convert the model again")
    return _Reader(header, name).layout(header.sums if sums is None else sums)


class _Reader:
    """The values of one header, under its architecture's prefix."""

    def __init__(self, header: Header, name: str) -> None:
        self.header = header
        self.name = name
        self.layers = self.need("block_count")
        if not 0 < self.layers <= 1024:
            raise PlanError(f"the model claims {self.layers} layers", next="download the model again")
        self.run = self.layers - min(self.number("nextn_predict_layers"), self.layers - 1)

    def layout(self, sums: Sums) -> Layout:
        width = self.need("embedding_length")
        heads = self.each("attention.head_count") or ()
        kv_heads = self.each("attention.head_count_kv") or heads
        missing = None
        if not heads and self.name not in known.RECURRENT:
            missing = "its heads are not given for every layer"
        window, pattern = self.window()
        if pattern is None:
            missing = "its header does not say which layers have a window"
        recurs = self.recurs(kv_heads)
        why = known.UNLIKE.get(self.name) or missing
        if not known.is_known(self.name):
            why = why or f"fleet does not know the architecture {self.name}"
        if recurs is None:
            why = why or "its header does not say which layers recur"
        attention: tuple[Attention, ...] = ()
        if why is None and pattern is not None and recurs is not None:
            layer = self.layer(width, heads, kv_heads or (0,) * self.layers, pattern, recurs)
            attention = tuple(layer(number) for number in range(self.run))
        used = max(self.each("expert_used_count") or (0,))
        ran = replace(sums, layers=sums.layers[: self.run])
        key = self.number("attention.key_length", width // max(1, max(heads, default=1)))
        return Layout(
            self.name,
            attention,
            width,
            self.feed(used),
            max(heads, default=0) * key,
            key,
            max(heads, default=0) * self.number("attention.key_length_mla"),
            self.vocabulary(sums),
            self.number("context_length"),
            window,
            self.number("expert_count"),
            used,
            ran,
            sum(one.bytes for one in sums.layers[self.run :]),
            self.file_type(),
            why is None,
            why,
        )

    def layer(
        self,
        width: int,
        heads: tuple[int, ...],
        kv_heads: tuple[int, ...],
        pattern: tuple[bool, ...],
        recurs: tuple[bool, ...],
    ) -> Callable[[int], Attention]:
        """What a layer remembers, by its number."""
        plain = width // max(1, max(heads, default=1))
        key = self.number("attention.key_length", plain)
        value = self.number("attention.value_length", plain)
        key_window = self.number("attention.key_length_swa", key)
        value_window = self.number("attention.value_length_swa", value)
        # Latent attention keeps one compressed key, and reads the values out of it.
        is_latent = self.number("attention.key_length_mla") and self.number("attention.value_length_mla")
        state = self.state(width)
        own = self.layers - self.number("attention.shared_kv_layers")
        own = min(own, known.SHARED_FROM.get(self.name, own))
        attends = self.name not in known.RECURRENT | known.WITHOUT_CACHE

        def one(number: int) -> Attention:
            is_window, does_recur = pattern[number], recurs[number]
            remembers = attends and number < own and (not does_recur or self.name in known.BOTH)
            count = kv_heads[number] if remembers else 0
            wide = key_window if is_window else key
            other = 0 if is_latent else value_window if is_window else value
            return Attention(count * wide, count * other, is_window, state if does_recur else 0)

        return one

    def window(self) -> tuple[int | None, tuple[bool, ...] | None]:
        """Tokens of the window and which layers have it; None: the header must say, and does not."""
        rule, everywhere = known.WINDOWS.get(self.name), (False,) * self.run
        tokens = self.number("attention.sliding_window", (rule.tokens or 0) if rule else 0)
        if tokens and self.name in ("lfm2", "lfm2moe"):
            return tokens, (True,) * self.run
        if rule is None or not tokens or rule.layers not in (None, self.run):
            return None, everywhere
        tokens = rule.fixed or tokens
        given = self.value("attention.sliding_window_pattern")
        if isinstance(given, tuple):
            pattern = tuple(bool(one) for one in given[: self.run])
            return tokens, pattern if len(pattern) == self.run else None
        every = given if isinstance(given, int) and not isinstance(given, bool) else rule.every
        if every is None or every < 0:
            return tokens, None
        last = 0 if rule.is_full_first else every - 1
        return tokens, tuple(every == 0 or number % every != last for number in range(self.run))

    def recurs(self, kv_heads: tuple[int, ...]) -> tuple[bool, ...] | None:
        """Which layers recur."""
        if self.name in known.RECURRENT | known.BOTH:
            return (True,) * self.run
        if self.name in known.HEADLESS:
            return tuple(count == 0 for count in kv_heads[: self.run])
        if self.name not in known.INTERVAL:
            return (False,) * self.run
        given = self.value("attention.recurrent_layers")
        if isinstance(given, tuple):
            pattern = tuple(bool(one) for one in given[: self.run])
            return pattern if len(pattern) == self.run else None
        every = self.number("full_attention_interval", known.INTERVAL[self.name])
        return tuple((number + 1) % every != 0 for number in range(self.run)) if every > 0 else None

    def state(self, width: int) -> int:
        """Bytes of one recurrent layer's state.

        Source: src/llama-hparams.cpp, n_embd_r and n_embd_s.
        """
        short = self.number("shortconv.l_cache")
        if short:
            return FLOAT * width * (short - 1)
        inner, size = self.number("ssm.inner_size"), self.number("ssm.state_size")
        kernel, groups = self.number("ssm.conv_kernel"), self.number("ssm.group_count")
        return FLOAT * (max(0, kernel - 1) * (inner + 2 * groups * size) + size * inner)

    def feed(self, used: int) -> int:
        """Elements of the widest feed-forward part of a token, over all experts it uses."""
        dense = max(self.each("feed_forward_length") or (0,))
        expert = max(self.each("expert_feed_forward_length") or (0,))
        if not used:
            return dense
        lead = self.number("leading_dense_block_count")
        return max(used * (expert or dense), dense if lead else 0)

    def file_type(self) -> int | None:
        value = self.header.values.get("general.file_type")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def vocabulary(self, sums: Sums) -> int:
        matrix = sums.embedding or sums.head
        return matrix.rows if matrix else self.number("vocab_size")

    def each(self, key: str) -> tuple[int, ...] | None:
        """A value for every layer; None where the header has none, or too few."""
        value = self.value(key)
        if isinstance(value, tuple):
            found = tuple(one for one in value if isinstance(one, int) and 0 <= one < 1 << 31)
            return found if len(found) >= self.layers else None
        number = self.number(key, -1)
        return (number,) * self.layers if number >= 0 else None

    def value(self, key: str) -> object:
        return self.header.values.get(f"{self.name}.{key}")

    def number(self, key: str, default: int = 0) -> int:
        found = self.header.number(key)
        return default if found is None or not 0 <= found < 1 << 40 else found

    def need(self, key: str) -> int:
        found = self.header.number(key)
        if found is None or not 0 < found < 1 << 40:
            raise PlanError(f"the model's header has no {self.name}.{key}", next="convert the model again")
        return found
