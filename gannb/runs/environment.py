"""The environment of a run: device, threads, versions; and whether two environments give bit-equal runs."""

from __future__ import annotations

import os
import platform
import re
from typing import Any

import torch

COMPARED = ("torch", "threads", "capability", "bf16", "device", "ranks")
"""What must be equal for bit-equality."""


def prepare(device: str = "auto", threads: int = 0, deterministic: bool = False) -> torch.device:
    """Configure torch, and choose the device.

    Args:
        device: auto | cpu | cuda | cuda:N.
        threads: of torch; 0 leaves them.
        deterministic: whether torch uses deterministic algorithms only.

    Raises:
        ValueError: a device that torch does not know, or does not find.
    """
    if threads:
        torch.set_num_threads(threads)
    if deterministic:  # cuBLAS reads this when it starts
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    if device == "auto":
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise ValueError(f"device: given {device!r}; allowed: auto | cpu | cuda | cuda:N")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device: given {device!r}; torch finds no CUDA device here, allowed: auto | cpu")
    if device.startswith("cuda"):
        torch.cuda.init()  # so that `draws.seeded` seeds its generators too
    return torch.device(device)


def describe(device: torch.device) -> dict[str, Any]:
    """Versions, device and threads, as JSON; no paths, no host name."""
    cpu = _cpuinfo()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "processor": cpu.get("model name") or platform.processor() or platform.machine(),
        "family": ", ".join(cpu.get(name, "") for name in ("cpu family", "model", "stepping")),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "bf16": "in hardware" if multiplies_bf16(device) else "emulated",
        "threads": torch.get_num_threads(),
        "ranks": int(os.environ.get("WORLD_SIZE", 1)),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 in hardware: a CPU with AVX512-BF16 or AMX, a GPU from Ampere on.

    Others emulate it (`training.emulation`), and a step takes longer than in fp32.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Why two environments do not give bit-equal runs, in words; empty where they do."""
    found = [f"{k}: {there[k]} there, {here.get(k)} here" for k in COMPARED if k in there and there[k] != here.get(k)]
    if here["device"] != "cpu" and not (there.get("deterministic") and here["deterministic"]):
        found.append("CUDA is bit-equal only where both runs set deterministic: true")
    return found


def peak_memory(device: torch.device) -> int:
    """Peak memory in bytes: of the CUDA allocator, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the last processor; virtual machines of several generations may share a model name."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in file)}
    except OSError:  # not Linux
        return {}
