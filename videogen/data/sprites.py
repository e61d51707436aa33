"""Captioned clips of animated characters, composed of sprite sheets.

write_sprites("parts", "sprites", count=1000)     sprites/00000.gif ... and sprites/clips.jsonl

Sheets follow the Liberated Pixel Cup: cells of 64 x 64 pixels, one row for each action and
direction. `parts` holds the folders body, bottomwear, topwear, hair, shoes and eyes of sheets;
captions use the names of the files, or `NUMBERED` for the numbered sheets of Li and Mandt
(Disentangled Sequential Autoencoder, ICML 2018).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.image import imread

from core.errors import UserError
from core.files import write_text
from videogen.files.clip import Frames, write_gif

CELL = 64
FRAMES = 8
FRAMES_PER_SECOND = 8.0
BACKGROUND = 0.35
"""Grey of the background, in [0, 1]; no outline and no clothing has it."""

Sheet = Float[np.ndarray, "height width rgba"]

LAYERS = ("body", "eyes", "shoes", "bottomwear", "topwear", "hair")
"""From back to front."""

ACTIONS = {"walks": (8, 1, 8), "casts a spell": (0, 0, 7), "slashes": (12, 0, 6)}
"""First row (of four directions), first column, number of columns."""
DIRECTIONS = {"to the left": 1, "towards us": 2, "to the right": 3}

NUMBERED = {
    "body": ["pale", "tan", "grey", "lavender", "brown", "dark", "green"],
    "eyes": ["blue", "grey", "red", "green", "yellow"],
    "shoes": ["brown", "golden", "grey"],
    "bottomwear": ["white", "golden", "red", "steel", "blue", "green", "brown"],
    "topwear": ["red", "blue", "white", "steel", "leather", "cream", "chain mail"],
    "hair": [
        *["green", "blue", "orange", "white", "rose", "purple", "grey", "red", "pink", "golden"]
    ],
}
"""Names of the sheets of Li and Mandt, by their numbers."""


@dataclass(frozen=True)
class Character:
    """The name of the sheet of each layer, the action and its direction."""

    parts: dict[str, str]
    action: str
    direction: str

    @property
    def caption(self) -> str:
        p = self.parts
        return (
            f"a character with {p['body']} skin, {p['hair']} hair, a {p['topwear']} shirt, "
            f"{p['bottomwear']} trousers and {p['shoes']} shoes {self.action} {self.direction}"
        )


def sheets(parts: Path) -> dict[str, dict[str, Path]]:
    """Return the sheets by layer and name; `UserError` for a layer without sheets."""
    found = {
        layer: {_name(layer, path): path for path in sorted((parts / layer).glob("*.png"))}
        for layer in LAYERS
    }
    missing = [layer for layer, named in found.items() if not named]
    if missing:
        raise UserError(f"{parts} has no sheets (.png) in {', '.join(missing)}: add one to each")
    return found


def _name(layer: str, path: Path) -> str:
    names = NUMBERED[layer]
    known = path.stem.isdecimal() and int(path.stem) < len(names)
    return names[int(path.stem)] if known else path.stem.replace("_", " ")


def characters(found: dict[str, dict[str, Path]], count: int, seed: int) -> list[Character]:
    """Sample `count` characters without replacement; fewer if there are not as many."""
    generator = np.random.default_rng(seed)
    sampled: dict[str, Character] = {}
    for _ in range(20 * count):
        parts = {layer: str(generator.choice(list(named))) for layer, named in found.items()}
        action, direction = (str(generator.choice(list(of))) for of in (ACTIONS, DIRECTIONS))
        character = Character(parts, action, direction)
        sampled.setdefault(character.caption, character)
        if len(sampled) == count:
            break
    return list(sampled.values())


def compose(character: Character, found: dict[str, dict[str, Path]]) -> Frames:
    """Compose the frames of a character; a short action is repeated."""
    row, first, columns = ACTIONS[character.action]
    top = CELL * (row + DIRECTIONS[character.direction])
    frames = np.full((FRAMES, CELL, CELL, 3), BACKGROUND)
    for layer in LAYERS:
        sheet = _sheet(found[layer][character.parts[layer]])
        for number, frame in enumerate(frames):
            left = CELL * (first + number % columns)
            cell = sheet[top : top + CELL, left : left + CELL]
            alpha = cell[..., 3:]
            frame[:] = alpha * cell[..., :3] + (1 - alpha) * frame
    return (255 * frames).round().astype(np.uint8)


@lru_cache(maxsize=64)
def _sheet(path: Path) -> Sheet:
    """Read a sheet, in [0, 1]."""
    try:
        pixels = imread(path)
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} is not a readable picture") from error
    rows = max(row for row, _, _ in ACTIONS.values()) + 4
    if pixels.ndim != 3 or pixels.shape[2] != 4 or pixels.shape[0] < rows * CELL:
        raise UserError(f"{path} is not a sheet: it needs {rows} rows of {CELL} pixels and alpha")
    scale = 255 if pixels.dtype == np.uint8 else 1
    return pixels.astype(np.float64) / scale


def write_sprites(
    parts: str | Path,
    to: str | Path,
    count: int = 1000,
    seed: int = 0,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write clips as GIF and their captions as clips.jsonl; return their number."""
    folder = Path(to)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UserError(f"{folder} holds other files: choose an empty or a new folder")
    found = sheets(Path(parts))
    sampled = characters(found, count, seed)
    rows = []
    for number, character in enumerate(sampled):
        name = f"{number:05d}.gif"
        write_gif(compose(character, found), folder / name, FRAMES_PER_SECOND)
        rows.append(json.dumps({"path": name, "caption": character.caption}))
        tick(number + 1, len(sampled))
    write_text(folder / "clips.jsonl", "\n".join(rows) + "\n")
    return len(sampled)
