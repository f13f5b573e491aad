"""What a door (shell, dashboard, chat) offers to a running verb."""

from dataclasses import dataclass
from typing import Protocol

from fleet.core.events import Event
from fleet.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Question:
    """The plans of all hosts that want to change something, for one yes."""

    verb: str
    level: int
    plans: tuple[Plan, ...]
    is_repeat: bool = False  # a later round holds a step that the first yes did not cover


class Door(Protocol):
    def say(self, event: Event) -> None:
        """Something happened."""
        ...

    async def confirm(self, question: Question) -> bool:
        """Whether the plans may be carried out.

        Raises:
            DeclinedError: nobody can be asked and no --yes was given.
        """
        ...

    async def ask(self, question: str, expected: str) -> bool:
        """Whether a person typed what is expected.

        Raises:
            DeclinedError: it was not; of kind "nobody" where nobody can be asked.
        """
        ...

    async def read_line(self, prompt: str) -> str | None:
        """A line that a person typed; None at the end of the input."""
        ...

    def print(self, text: str, end: str = "\n") -> None:
        """A piece of the result, as it comes."""
        ...
