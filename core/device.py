"""Which device to compute on, told without importing torch more often than needed."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UserFacingError

# glibc's malloc.h: never map a large block by itself, never give memory back, ask for 256 MB at a time
_MALLOPT = ((-4, 0), (-1, -1), (-2, 256 << 20))


@dataclass(frozen=True, slots=True)
class Device:
    """One place to compute. ``memory`` is in bytes; None where the driver does not tell."""

    key: str  # cpu, cuda:0, mps
    title: str  # what a person knows it as
    memory: int | None = None


def devices() -> tuple[Device, ...]:
    """Everything usable here, the fastest first; the CPU is always last and always there."""
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(Device(f"cuda:{index}", properties.name, properties.total_memory))
    if torch.backends.mps.is_available():
        found.append(Device("mps", "Apple GPU"))
    return (*found, Device("cpu", f"CPU, {_counted('thread')}"))


def hardware(key: str) -> str:
    """On what something was measured: "2 CPU threads", or what a person knows the device as."""
    return _counted("CPU thread") if key == "cpu" else choose(key).title


def _counted(thread: str) -> str:
    import torch

    count = torch.get_num_threads()
    return f"{count} {thread}{'' if count == 1 else 's'}"


def choose(wish: str = "auto") -> Device:
    """The wished device, or the fastest. A device that is not here is refused, naming what is."""
    here = devices()
    if wish == "auto":
        return here[0]
    wanted = "cuda:0" if wish == "cuda" else wish
    for device in here:
        if device.key == wanted:
            return device
    names = ", ".join(device.key for device in here)
    raise UserFacingError(f"There is no device {wish[:40]!r} here; use auto or one of {names}.", code="no-device")


def pace(key: str) -> float:
    """Multiply-adds a second of a small convolution on a device, tried for a moment: for a first guess of durations."""
    import time

    import torch
    from torch.nn.functional import conv2d

    device = torch.device(key)
    picture, kernels = torch.ones(1, 32, 64, 64, device=device), torch.ones(32, 32, 3, 3, device=device)
    seconds = []
    with torch.no_grad():
        for _ in range(4):  # the first one sets things up
            began = time.perf_counter()
            conv2d(picture, kernels, padding=1).sum().item()  # the number is there when the work is done
            seconds.append(time.perf_counter() - began)
    return picture.numel() * kernels[:, 0].numel() / sorted(seconds[1:])[1]


def settle_process(threads: int | None = None) -> bool:
    """Ready a process that is to compute for long, before its first pass through a network.

    Its memory stays with it from one pass to the next: the C library would otherwise give every large
    activation back to the system at once and fetch it anew, page by page. False where the library is not
    glibc, and nothing is changed. ``threads``: how many torch may use.
    """
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    return _keep_memory()


def _keep_memory() -> bool:
    import ctypes
    import os

    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return False
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, ValueError):  # another system, another library
        return False
    return all(mallopt(option, value) == 1 for option, value in _MALLOPT)
