"""Folders of weights in the layout of the Hugging Face hub, read and written offline.

config.json         the model's settings and specification, its domain and name
model.safetensors   the weights by name, in full precision
README.md           a card: metadata as YAML, then what the model is and how to load it
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError

from core.errors import UserError
from core.exchange.export import write_weights
from core.files import read_json, read_tensors, write_text
from core.recipe import Recipe
from core.theory.passes import Networks
from core.theory.terms import describe

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"


@dataclass(frozen=True)
class Pretrained:
    """A folder that was read; its weights are not loaded yet."""

    folder: Path
    config: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path, domain: str) -> "Pretrained":
        """Open a folder of a model of this domain; `UserError` where it is none."""
        path = folder / CONFIG
        try:
            config = read_json(path)
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} has no {CONFIG}: give a folder as `save_pretrained` writes it"
            ) from error
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is damaged: it is no JSON") from error
        if not _is_ours(config):
            raise UserError(f"{path} is of another library")
        if config.get("domain") != domain:
            raise UserError(
                f"{folder} holds a model of pianoreel {config.get('domain')}, and this class "
                f"loads those of {domain}: import the class that {CARD} in that folder names"
            )
        return cls(folder, config)

    @property
    def name(self) -> str:
        return str(self.config.get("name", self.folder.name))

    @property
    def run(self) -> dict[str, Any]:
        """Return the settings of a run of this model, which is not trained."""
        settings = {key: self.config.get(key, {}) for key in ("model", "spec")}
        return {**settings, "train": {"steps": 1}}

    def fill(self, networks: Networks) -> None:
        """Load the weights; `UserError` where they are missing, damaged or do not fit."""
        path = self.folder / WEIGHTS
        try:
            weights = read_tensors(path)
            networks.load_state_dict(weights)
        except FileNotFoundError as error:
            raise UserError(f"{self.folder} has no {WEIGHTS}") from error
        except (OSError, SafetensorError) as error:
            raise UserError(f"{path} is damaged: {error}") from error
        except RuntimeError as error:
            reason = " ".join(str(error).split()[:24])
            raise UserError(f"{path} does not fit {CONFIG}: {reason}") from error
        wrong = [name for name, value in weights.items() if not torch.isfinite(value).all()]
        if wrong:
            raise UserError(f"{path} holds values that are not finite: {wrong[0]}")


def save(
    folder: Path,
    facts: Mapping[str, str],
    networks: Networks,
    recipe: Recipe,
    items: str,
    tags: Sequence[str],
    size: int,
    module: str,
) -> Path:
    """Write the folder; `facts` are those of a model of `items`, `module` is where its class is.

    An earlier model is replaced; `UserError` for a folder that holds other files, as a run's does.
    Hidden ones, as of git, do not count.
    """
    _require_own(folder)
    settings = {key: json.loads(facts[key]) for key in ("model", "spec")}
    config = {"library_name": "pianoreel", **facts, **settings}
    write_weights(networks, {}, folder / WEIGHTS)
    write_text(folder / CONFIG, json.dumps(config, indent=1) + "\n")
    write_text(folder / CARD, _card(facts, recipe, items, tags, size, module))
    return folder


def _require_own(folder: Path) -> None:
    """Raise `UserError` for a folder that holds files, and no model as `save` writes it."""
    held = sorted(path.name for path in folder.glob("[!.]*"))
    if held and not _is_model(folder):
        raise UserError(
            f"{folder} is there and holds other files, such as {held[0]}: give a new folder"
        )


def _is_model(folder: Path) -> bool:
    try:
        return _is_ours(read_json(folder / CONFIG))
    except (OSError, ValueError):
        return False


def _is_ours(config: Any) -> bool:
    """Return whether what a `CONFIG` holds is of a model of pianoreel."""
    return isinstance(config, dict) and config.get("library_name") == "pianoreel"


def _card(
    facts: Mapping[str, str],
    recipe: Recipe,
    items: str,
    tags: Sequence[str],
    size: int,
    module: str,
) -> str:
    """Return the text of a card; the licence and the data are for its owner to add."""
    name = facts["name"]
    metadata = {
        "library_name": "pianoreel",
        "tags": ["pianoreel", *tags],
        "model_name": name,
    }
    paper = recipe.paper
    return f"""---
{yaml.safe_dump(metadata, sort_keys=False)}---

# {name}

A generative model of {items} with {size:,} weights, trained with pianoreel {facts["pianoreel"]}:
{" + ".join(map(describe, recipe.terms))}, after {paper.authors}, {paper.title}, {paper.year}.

```python
from {module} import Model

model = Model.from_pretrained("path/of/this/folder")
```
"""
