"""Mesa's llvmpipe is a Vulkan device that computes on the processor; fleet must not take it for a GPU."""

import re
import shutil
import subprocess

import pytest

from tests.controller import Controller


@pytest.fixture
def machine(embedded, tmp_path):
    """This machine, where vulkaninfo knows of llvmpipe and of nothing else."""
    if shutil.which("vulkaninfo") is None:
        pytest.skip("needs vulkaninfo and Mesa's llvmpipe: apt-get install vulkan-tools mesa-vulkan-drivers")
    said = subprocess.run(["vulkaninfo", "--summary"], capture_output=True, text=True, check=False).stdout
    devices = re.findall(r"(?m)^\s*deviceName\s*= (.*)$", said)
    if not devices or not all("llvmpipe" in device for device in devices):
        pytest.skip(f"its Vulkan devices are others: {devices}")
    host = embedded.up(["drawn"])["drawn"]
    controller = Controller(tmp_path / "controller")
    return host, controller


def test_it_is_no_gpu_in_the_facts(machine):
    host, controller = machine
    controller.write([host], servers={})
    assert controller.well("facts", host.name, "--json").host["gpus"] == []


def test_vulkan_is_refused_before_anything_is_built(machine):
    host, controller = machine
    controller.write([host], servers={}, settings={host.name: {"backend": "vulkan"}})
    ended = controller("build", host.name, "--yes")
    assert ended.code == 6
    assert "backend vulkan has no device here" in ended.err
    assert "llvmpipe" in ended.err
    assert not (host.home / ".local" / "share" / "fleet" / "builds").exists()


def test_nobody_is_given_to_vulkan_unasked(machine):
    host, controller = machine
    controller.write([host], servers={})
    planned = controller.well("build", host.name, "--dry-run", "--json").host["steps"]
    assert planned
    assert not any("vulkan" in step["title"] for step in planned)
