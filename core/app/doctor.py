"""Facts about this machine: versions, devices, limits, and faults of the installation."""

import os
import platform
from collections.abc import Iterable, Iterator
from importlib import metadata

from core.data.limits import Limits

PAIR = ("torch", "torchaudio")
LIBRARIES = (*PAIR, "numpy")

INSTALL_PAIR = 'run pip install "torch==2.11.*" "torchaudio==2.11.0"'
"""2.11.1 of torchaudio was built beside a later torch, and does not load beside 2.11."""


def versions(libraries: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python, of core's libraries and of others; 'absent' if not installed.

    `libraries`: names of distributions, those of the domains.
    """
    python = {"python": platform.python_version()}
    return python | {name: version(name) for name in (*LIBRARIES, *libraries)}


def devices() -> dict[str, str]:
    """Return the devices of this machine, by the names that `--device` takes."""
    import torch  # here, so that the rest is printed where torch does not load

    from core.training.device import computes_bf16

    half = "" if computes_bf16(torch.device("cpu")) else "; no bfloat16, so single precision"
    found = {"cpu": f"{os.cpu_count()} cores, {torch.get_num_threads()} threads used{half}"}
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        found[f"cuda:{number}"] = f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU, which is untested: --device mps takes it"
    return found


def describe(limits: Limits) -> dict[str, str]:
    """Return the value of each limit with its meaning."""
    values = limits.model_dump()
    return {
        name: f"{values[name]:,}  {field.description}"
        for name, field in type(limits).model_fields.items()
    }


def faults() -> Iterator[str]:
    """Yield one sentence with the cure for each fault of the installation."""
    if absent := next((name for name in PAIR if version(name) == "absent"), None):
        yield f"{absent} is absent: {INSTALL_PAIR}"
        return
    try:
        import torchaudio  # its library loads only beside a torch that fits  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        beside = f"torchaudio {version('torchaudio')} does not load beside torch"
        yield f"{beside} {version('torch')} ({_first_line(error)}): {INSTALL_PAIR}"


def version(distribution: str) -> str:
    """Return the version of an installed distribution, or 'absent'."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "absent"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
