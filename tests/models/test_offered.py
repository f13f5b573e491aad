"""The other quantisations of a repository: one of each, with all its parts."""

from fleet.models.hub import Listed, Listing
from fleet.models.offered import File, offered
from fleet.sources.base import Repository

PLACE = Repository("org", "M-GGUF", None, None, "Q4_K_M")
NAMES = ("Q8_0", "Q6_K", "Q4_K_M", "Q3_K_M")


def listing(*files: tuple[str, int]) -> Listing:
    return Listing("a" * 40, tuple(Listed(path, size, "5" * 64) for path, size in files))


def test_each_quantisation_is_named_as_the_inventory_would() -> None:
    found = offered(PLACE, listing(("M-Q4_K_M.gguf", 4), ("M-Q6_K.gguf", 6), ("mmproj-Q8_0.gguf", 1)), NAMES)
    assert found == (File("Q6_K", 6, "hf:org/M-GGUF:Q6_K"), File("Q4_K_M", 4, "hf:org/M-GGUF:Q4_K_M"))


def test_parts_are_added_up() -> None:
    found = offered(PLACE, listing(*((f"M-Q8_0-0000{n}-of-00002.gguf", 5) for n in (1, 2))), NAMES)
    assert found == (File("Q8_0", 10, "hf:org/M-GGUF:Q8_0"),)


def test_two_of_a_kind_are_none() -> None:
    assert offered(PLACE, listing(("A-Q6_K.gguf", 6), ("B-Q6_K.gguf", 6)), NAMES) == ()
