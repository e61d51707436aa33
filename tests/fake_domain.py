"""A domain without data, for tests of what every domain has."""

from collections.abc import Mapping
from pathlib import Path

from core.app.domain import Domain


def fake_domain(
    shipped: Path,
    default_run: str = "tango",
    offers: frozenset[str] = frozenset(),
    aliases: Mapping[str, str] | None = None,
) -> Domain:
    """A domain of music that ships the weights `tango` and cannot train."""
    (shipped / "tango").mkdir(parents=True, exist_ok=True)
    facts = {
        "name": "music",
        "item": "song",
        "presets": {},
        "shipped": shipped,
        "default_run": default_run,
        "default_model": "vae",
        "offers": offers,
        "aliases": aliases or {},
        "suffixes": (".mid",),
    }
    kind = type("FakeMusic", (Domain,), facts)
    kind.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]  # nothing is trained
    return kind()
