# SPDX-License-Identifier: MIT
"""Which GPUs and TPUs there are, and which machine types of Google Cloud hold how many of which."""

import math
import re
from collections.abc import Iterator

from trainer.launch.description.job import Accelerator

# Those that Vertex AI knows by name; a cluster may have others.
VERTEX = (
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_P4",
    "NVIDIA_TESLA_T4",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_L4",
    "NVIDIA_H100_80GB",
    "NVIDIA_H100_MEGA_80GB",
    "NVIDIA_H200_141GB",
    "NVIDIA_B200",
    "NVIDIA_GB200",
    "NVIDIA_RTX_PRO_6000",
)
# The only one that Vertex AI has and runs TensorFlow on; it knows it by machine type and topology.
VERTEX_TPU = "TPU_V5E"

# Machine type -> the GPU in it, and how many.
_BUILT_IN = {
    **{f"a2-highgpu-{n}g": ("NVIDIA_TESLA_A100", n) for n in (1, 2, 4, 8)},
    "a2-megagpu-16g": ("NVIDIA_TESLA_A100", 16),
    **{f"a2-ultragpu-{n}g": ("NVIDIA_A100_80GB", n) for n in (1, 2, 4, 8)},
    **{f"a3-highgpu-{n}g": ("NVIDIA_H100_80GB", n) for n in (1, 2, 4, 8)},
    "a3-megagpu-8g": ("NVIDIA_H100_MEGA_80GB", 8),
    "a3-ultragpu-8g": ("NVIDIA_H200_141GB", 8),
    "a4-highgpu-8g": ("NVIDIA_B200", 8),
    "a4x-highgpu-4g": ("NVIDIA_GB200", 4),
    **{f"g2-standard-{cpus}": ("NVIDIA_L4", 1) for cpus in (4, 8, 12, 16, 32)},
    "g2-standard-24": ("NVIDIA_L4", 2),
    "g2-standard-48": ("NVIDIA_L4", 4),
    "g2-standard-96": ("NVIDIA_L4", 8),
    **{f"g4-standard-{48 * n}": ("NVIDIA_RTX_PRO_6000", n) for n in (1, 2, 4, 8)},
}
# What can be attached to a machine of the series n1, and in which numbers.
_ATTACHED = {
    "NVIDIA_TESLA_P100": (1, 2, 4),
    "NVIDIA_TESLA_P4": (1, 2, 4),
    "NVIDIA_TESLA_T4": (1, 2, 4),
    "NVIDIA_TESLA_V100": (1, 2, 4, 8),
}
# Machine type -> the TPU in it, how many chips, and how they are connected if it is the only one.
_TPUS = {
    f"{machine}-{count}t": (kind, count, topology)
    for kind, machine in (("TPU_V5E", "ct5lp-hightpu"), ("TPU_V6E", "ct6e-standard"))
    for count, topology in ((1, "1x1"), (4, "2x2"), (8, "2x4"))
}
# Kind -> how all chips of one host are connected; those of more hosts cannot be described.
_ONE_HOST = {
    **dict.fromkeys(("TPU_V5E", "TPU_V6E"), "1x1|2x2|2x4"),
    **dict.fromkeys(("TPU_V4", "TPU_V5P"), "1x1x1|1x2x1|2x1x1|2x2x1"),
}
_SERIES = tuple({name.rpartition("-")[0] for name in _TPUS})
_TPU = re.compile(r"(ct[0-9]+[a-z]*|tpu[0-9a-z]*|cloud-tpu)(-.*)?")
# Series whose machines have no GPU and take none.
_WITHOUT = re.compile(r"(c2d?|c3d?|c4[ad]?|e2|h3|h4d|m[1-4]|n2d?|n4[ad]?|t2[ad]|z3|x4)-.+")
_WITH_BUILT_IN = re.compile(r"(a2|a3|a4x?|g2|g4)-.+")


def problems(
    machine: str | None, accelerator: Accelerator | None, *, all_of_them: bool
) -> Iterator[str]:
    """Yields why a machine type does not go with its accelerator.

    Args:
        machine: machine type; one of another cloud is taken as it is.
        accelerator: the GPUs or TPU chips asked for.
        all_of_them: the machine is the job's own, so that it is asked for with all of its GPUs.
    """
    if accelerator is not None and accelerator.is_tpu:
        yield from _tpu(machine, accelerator)
        return
    if accelerator is not None and accelerator.topology is not None:
        yield f"accelerator.topology is {accelerator.topology}, which only TPUs have: leave it out"
    if machine is None:
        return
    if _TPU.fullmatch(machine):
        yield (
            f"machine_type is {machine!r}, a machine with TPUs, but accelerator describes none, as "
            f"{_chips(*_TPUS.get(machine, _TPUS['ct5lp-hightpu-8t']))} does: change one of them"
        )
    elif _WITH_BUILT_IN.fullmatch(machine):
        yield from _built_in(machine, accelerator, all_of_them=all_of_them)
    elif accelerator is not None and (machine.startswith("n1-") or _WITHOUT.fullmatch(machine)):
        counts = _ATTACHED.get(accelerator.type) if machine.startswith("n1-") else None
        if counts is None:
            fitting = (name for name, (gpu, _) in _BUILT_IN.items() if gpu == accelerator.type)
            yield (
                f"machine_type is {machine!r}, which takes no {accelerator.type}: choose one with "
                f"that GPU, such as {next(fitting, 'n1-standard-8')}"
            )
        elif accelerator.count not in counts:
            yield (
                f"accelerator.count is {accelerator.count}, and {machine} takes {accelerator.type} "
                f"in numbers of {', '.join(map(str, counts))}: use one of them"
            )


def _built_in(machine: str, accelerator: Accelerator | None, *, all_of_them: bool) -> Iterator[str]:
    if machine not in _BUILT_IN:
        near = [name for name in _BUILT_IN if name.startswith(machine.rpartition("-")[0] + "-")]
        has = ", ".join(near or _BUILT_IN)
        yield f"machine_type is {machine!r}, which Google Cloud does not have: {has}"
        return
    kind, count = _BUILT_IN[machine]
    has = f"and the machine {machine} has {count} {kind}"
    if accelerator is None:
        yield f"accelerator is missing, {has}: name them, or take a machine without"
    elif accelerator.type != kind:
        yield f"accelerator.type is {accelerator.type}, {has}: change one of them"
    elif accelerator.count > count or (all_of_them and accelerator.count != count):
        yield f"accelerator.count is {accelerator.count}, {has}: change one of them"


def _tpu(machine: str | None, accelerator: Accelerator) -> Iterator[str]:
    """Yields why no host has such chips."""
    kind, count, topology = accelerator.type, accelerator.count, accelerator.topology
    chips = math.prod(map(int, topology.split("x"))) if topology is not None else 0
    if topology is None:
        yield "accelerator.topology is missing: say how the chips are connected, such as 2x4 for 8"
    elif chips != count:
        yield (
            f"accelerator.topology is {topology}, of {chips} chips, but accelerator.count is "
            f"{count}: change one of them; only slices of one host can be described"
        )
    elif not re.fullmatch(_ONE_HOST.get(kind, ".*"), topology):
        yield (
            f"accelerator.topology is {topology}, which no single host of {kind} has, and slices "
            f"of several hosts cannot be described: use {_ONE_HOST[kind].replace('|', ' or ')}"
        )
    elif machine is not None and not _TPU.fullmatch(machine):
        fitting = [name for name, has in _TPUS.items() if has == (kind, count, topology)]
        yield (
            f"machine_type is {machine!r}, which has no TPU, but accelerator.type is {kind}: use "
            f"{' or '.join(fitting) or 'one with TPUs, such as ct5lp-hightpu-8t'}"
        )
    elif machine is not None and machine.startswith(_SERIES) and machine not in _TPUS:
        yield f"machine_type is {machine!r}, which is not one host: use {' or '.join(_TPUS)}"
    elif machine in _TPUS and _TPUS[machine] != (kind, count, topology):
        has = _chips(*_TPUS[machine])
        yield f"accelerator does not fit the machine {machine}, which has {has}: change one of them"


def _chips(kind: str, count: int, topology: str) -> str:
    return f"{{type: {kind}, count: {count}, topology: {topology}}}"
