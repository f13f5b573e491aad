"""A folder in which every file is one kind of the same thing; folders in it hold shared parts."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from typing import Generic, TypeVar

from fleet.core.errors import PlanError

Kind = TypeVar("Kind")


class Shelf(Generic[Kind]):
    """Finds kinds by file name and imports only those that are taken.

    Args:
        package: the folder, as `fleet.backends`.
        word: what the kinds are called; also the name of the record in each file.
        kind: the type of the record.
    """

    def __init__(self, package: str, word: str, kind: type[Kind]) -> None:
        self.package = package
        self.word = word
        self.kind = kind

    @cached_property
    def names(self) -> tuple[str, ...]:
        """File names as kinds are typed: `_` in a file name is `-` in the word."""
        folder = importlib.import_module(self.package).__path__
        found = (module.name for module in pkgutil.iter_modules(folder) if not module.ispkg)
        return tuple(sorted(name.replace("_", "-") for name in found if name != "base"))

    def take(self, name: str) -> Kind:
        """The kind of that name.

        Raises:
            PlanError: no such file; names the files there are.
        """
        if name not in self.names:
            raise PlanError(f"no {self.word} called {name!r}", next=f"one of: {', '.join(self.names)}")
        module = importlib.import_module(f"{self.package}.{name.replace('-', '_')}")
        record = getattr(module, self.word)
        if not isinstance(record, self.kind):
            raise TypeError(f"{module.__name__}.{self.word} is not a {self.kind.__name__}")
        return record

    def all(self) -> Iterator[tuple[str, Kind]]:
        """Every kind with its name, in order of names."""
        for name in self.names:
            yield name, self.take(name)
