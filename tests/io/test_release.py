"""Release archives of finished binaries on a controller whose disk is full."""

import os

import pytest

from fleet.core.errors import FleetError
from fleet.core.flow import Asset
from fleet.core.plan import Artifact
from fleet.io import digest
from fleet.io.builds import release
from fleet.io.cache import Cache
from tests.io.test_binaries import zipped


async def test_a_full_disk_is_one_sentence_and_leaves_no_partial_file(tmp_path, tiny_disk):
    file = zipped(tmp_path / "x.zip", {"llama-server": os.urandom(6 << 20).hex(), "llama-bench": "bench"})
    asset = Asset("", str(file), digest.sha256(file))
    cache = Cache(tiny_disk)
    with pytest.raises(FleetError, match=r"[Nn]o space|full") as caught:
        await release.make_archive(Artifact("prebuilt", asset.id, "x.zip", None), asset, tmp_path, cache)
    assert caught.value.next
    assert [path.suffix for path in tiny_disk.rglob("*") if path.is_file()] == [".lock"]
