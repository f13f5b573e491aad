"""What the shelves and the servers room say about words in an inventory."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fleet.core.errors import InventoryError
from fleet.core.names import nearest
from fleet.core.shelf import Shelf

if TYPE_CHECKING:
    from fleet.core.inventory import Host


def judge(args: Mapping[str, Any]) -> Sequence[str]:
    """What is wrong with llama-server flags, known without the binary."""
    if not args:
        return ()
    from fleet.servers.flags import judge as sentences  # only where there are flags

    return sentences(args)


def options(host: "Host") -> Sequence[str]:
    """What is wrong with the CMake options of a host, known without it."""
    if not host.cmake:
        return ()
    from fleet.builds.options import judge as sentences  # only where there are options

    return sentences(host.cmake, host.backend, host.portable)


def _on(shelf: str, word: str) -> Callable[[str], None]:
    """A check that a file of that name is on the shelf; imports none of them."""
    names = Shelf(shelf, word, object)

    def check(name: str) -> None:
        if names.names and name not in names.names:
            raise InventoryError(
                f"no {word} called {name!r}", next=f"one of: {', '.join(nearest(name, names.names, 9))}"
            )

    return check


def _source(text: str) -> object:
    from fleet.sources.base import parse

    return parse(text)


def _tree(text: str) -> None:
    _on("fleet.trees", "source")(text.partition(":")[0])


CHECK: Mapping[str, Callable[[str], object]] = {
    "hosts.backend": _on("fleet.backends", "backend"),
    "hosts.supervisor": _on("fleet.supervisors", "supervisor"),
    "models.source": _source,
    "llama_cpp.source": _tree,
}
