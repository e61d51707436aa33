"""Versions of Python and of installed libraries."""

import platform
from collections.abc import Iterable
from importlib import metadata

LIBRARIES = ("torch", "torchaudio", "numpy")


def versions(libraries: Iterable[str] = ()) -> dict[str, str]:
    """Return the versions of Python, of core's libraries and of others; 'absent' if not installed.

    `libraries`: names of distributions, those of the domains.
    """
    python = {"python": platform.python_version()}
    return python | {name: version(name) for name in (*LIBRARIES, *libraries)}


def version(distribution: str) -> str:
    """Return the version of an installed distribution, or 'absent'."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "absent"
