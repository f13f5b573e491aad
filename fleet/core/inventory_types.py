"""What a value of inventory.toml may be: names, addresses, sizes, rates."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from fleet.core.inventory_rates import hours, rate
from fleet.core.inventory_words import hub, place, size, source, text, word
from fleet.core.names import PATTERN

Name = Annotated[str, AfterValidator(partial(word, PATTERN, "a name: a-z 0-9 . _ - (at most 63, not 'all')"))]
Text = Annotated[str, AfterValidator(text)]
Address = Annotated[str, AfterValidator(place)]
Source = Annotated[str, AfterValidator(source)]
Hub = Annotated[str, AfterValidator(hub)]
Sha256 = Annotated[str, AfterValidator(partial(word, "[0-9a-f]{64}", "64 hexadecimal digits in lower case"))]
Key = Annotated[str, AfterValidator(partial(word, "SHA256:[A-Za-z0-9+/]{43}", "a fingerprint: SHA256:…"))]
Ref = Annotated[
    str, AfterValidator(partial(word, r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", "a tag, branch or commit"))
]
User = Annotated[str, AfterValidator(partial(word, r"[A-Za-z0-9_][A-Za-z0-9._@\\-]{0,127}", "a user name"))]
Kind = Annotated[str, AfterValidator(partial(word, "[a-z][a-z0-9-]{0,39}", "one word in lower case"))]
Bytes = Annotated[int, BeforeValidator(size)]
Rate = Annotated[int, BeforeValidator(rate)]
Hours = Annotated[str, AfterValidator(hours)]
Cache = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]


def many(value: Any) -> Any:
    """TOML has lists, values are tuples."""
    return tuple(value) if isinstance(value, list) else value


Names = Annotated[tuple[Name, ...], BeforeValidator(many)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(many)]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Table = TypeVar("Table", bound=Value)


@dataclass(frozen=True, slots=True)
class Wrong:
    """One place of a table that is not as it should be."""

    where: tuple[str, ...]
    what: str
    is_unknown: bool


def validate(kind: type[Table], table: Mapping[str, Any]) -> Table | tuple[Wrong, ...]:
    """The table as a value, or all that is wrong with it."""
    try:
        return kind.model_validate(dict(table))
    except ValidationError as wrong:
        return tuple(
            Wrong(
                tuple(str(part) for part in each["loc"]),
                "required" if each["type"] == "missing" else str(each["msg"]).removeprefix("Value error, "),
                each["type"] == "extra_forbidden",
            )
            for each in wrong.errors(include_url=False, include_input=False, include_context=False)
        )
