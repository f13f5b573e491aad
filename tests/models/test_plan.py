"""Which models move to a host, and when its disk is too small for them."""

import dataclasses

import pytest

from fleet.core.errors import PlanError
from fleet.core.facts import Cpu, Disk, Facts, Memory, ModelFile, Part
from fleet.core.plan import Artifact, Plan, Put
from fleet.models import plan
from fleet.models.plan import reserve, steps

GIB = 2**30
A, B = "a" * 64, "b" * 64
QWEN = Artifact("model", A, "qwen3-8b", 5 * GIB)
GEMMA = Artifact("model", B, "gemma", 241 * 2**20)

LAPTOP = Facts(
    host="laptop", platform="linux", os="linux", os_version=None, kernel=None, arch="x86_64", libc=None,
    boot_id=None, uptime=None, clock=None, user="ops", home="/home/ops", root="/srv/fleet", layout=1,
    cpu=Cpu(None, None, None, None, ()), memory=Memory(None, None, False, None, None),
    disk=Disk(100 * GIB, 50 * GIB, 100_000), gpus=(), tools={}, supervisors=(), has_linger=None,
    has_cron=None,    builds=(), models=(), parts=(), jobs=(), instances=(), lock=None, unknown={}, at=0.0,
)  # fmt: skip


def laptop(**changes) -> Facts:
    return dataclasses.replace(LAPTOP, **changes)


def test_a_model_that_is_there_needs_no_step():
    assert steps(laptop(models=(ModelFile(A, 5 * GIB),)), [QWEN]) == ()


def test_a_model_of_unknown_size_is_there_by_its_hash():
    unknown = dataclasses.replace(QWEN, size=None)
    assert steps(laptop(models=(ModelFile(A, 5 * GIB),)), [unknown]) == ()


def test_a_model_of_another_size_under_that_hash_is_sent_again():
    assert len(steps(laptop(models=(ModelFile(A, 5 * GIB - 1),)), [QWEN])) == 1


def test_a_missing_model_is_put_under_its_hash():
    (step,) = steps(LAPTOP, [QWEN])
    assert step.action == Put(QWEN, f"models/{A}/model.gguf")
    assert (step.key, step.phase, step.bytes) == (f"model:{A}", "push", 5 * GIB)
    assert str(Plan("laptop", (step,))).endswith("1. push model qwen3-8b (5.0 GiB)")


def test_a_part_is_resumed_and_the_title_says_so():
    (step,) = steps(laptop(parts=(Part(A, 2 * GIB),)), [QWEN])
    assert step.title == "resume model qwen3-8b"
    assert step.bytes == 3 * GIB


def test_a_part_longer_than_the_model_leaves_nothing_to_send():
    (step,) = steps(laptop(parts=(Part(A, 9 * GIB),)), [QWEN])
    assert step.bytes == 0


def test_two_servers_of_one_model_need_one_step():
    assert [step.action.artifact for step in steps(LAPTOP, [QWEN, GEMMA, QWEN])] == [QWEN, GEMMA]


@pytest.mark.parametrize(
    ("disk", "fits"),
    [
        (Disk(100 * GIB, 11 * GIB, 1000), True),
        (Disk(100 * GIB, 10 * GIB - 1, 1000), False),  # 5 GiB and 5 GiB that stay free
        (Disk(8 * GIB, 6 * GIB, 1000), True),  # a small disk keeps 5 %
        (Disk(8 * GIB, 5 * GIB + 1, 1000), False),
        (Disk(None, 11 * GIB, None), True),
        (Disk(None, None, None), True),  # unknown: found out before the first byte
        (Disk(100 * GIB, 50 * GIB, 15), False),
    ],
)
def test_a_model_needs_room_in_bytes_and_in_files(disk, fits):
    if fits:
        assert steps(laptop(disk=disk), [QWEN])
        return
    with pytest.raises(PlanError) as caught:
        steps(laptop(disk=disk), [QWEN])
    assert caught.value.host == "laptop"
    assert "root" in caught.value.next


def test_models_need_room_together():
    tight = laptop(disk=Disk(100 * GIB, 10 * GIB + 2**20, 1000))
    assert steps(tight, [QWEN])
    with pytest.raises(
        PlanError, match=r"10\.0 GiB free; the models need 5\.2 GiB and 5\.0 GiB must stay free"
    ):
        steps(tight, [QWEN, GEMMA])


def test_what_a_part_holds_needs_no_room():
    tight = laptop(disk=Disk(100 * GIB, 6 * GIB, 1000), parts=(Part(A, 4 * GIB),))
    assert steps(tight, [QWEN])


def test_a_full_disk_does_not_matter_where_nothing_moves():
    assert steps(laptop(disk=Disk(100 * GIB, 0, 0), models=(ModelFile(A, 5 * GIB),)), [QWEN]) == ()


def test_the_reserve_grows_with_the_disk_up_to_its_cap():
    assert reserve(10 * GIB) == GIB // 2
    assert reserve(4000 * GIB) == reserve(None) == plan.RESERVE_MOST
