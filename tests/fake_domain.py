"""A domain without data, for tests of what every domain has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.app.configuration import ModelConfig
from core.app.domain import Domain
from core.app.model import Model
from core.theory.passes import Networks


def fake_domain(
    shipped: Path | None = None,
    default_run: str = "tango",
    offers: frozenset[str] = frozenset(),
    aliases: Mapping[str, str] | None = None,
    model: type[Model] = Model,
) -> Domain:
    """A domain of music that cannot train; in `shipped` it has the weights `tango`."""
    if shipped:
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
    return kind(model)


def fake_model(domain: Domain, networks: Networks, recipe: str, name: str) -> Model:
    """A model of a domain, without any way to and from its items."""
    kind: Any = type("Fake", (Model,), {"domain": domain})
    kind.__abstractmethods__ = frozenset()
    return kind(networks, ModelConfig(recipe=recipe), None, name)
