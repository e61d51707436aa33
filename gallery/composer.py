"""A composer for the page: a generator of songs that runs in the browser, without a server.

The page gets a folder `composer/`: onnxruntime-web, and the model as a graph of ONNX. What a page
from the disk may not fetch, it may run as scripts, in which binary files are text.
"""

import base64
import gzip
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files import create_folder, write_text, write_whole

FOLDER, SECTION = "composer", '<section class="composer">'
"""The folder beside the page, and the element of the page that uses it."""

RUNTIME = "ort.wasm.min.js"
LOADER, WASM = "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"


@dataclass(frozen=True)
class Composer:
    """A model of songs as a graph of ONNX, with what a page must know of it.

    `facts`: noise (how many numbers), forms [form layer bar track], tempi, tracks (names),
    programs, drums (numbers of tracks), lowest (MIDI pitch), steps (of a quarter note).
    `runtime`: the folder of onnxruntime-web.
    """

    graph: bytes
    facts: Mapping[str, Any]
    runtime: Path

    def write(self, to: Path) -> None:
        """Write the folder `composer` of a page; `UserError` where the runtime is not whole."""
        dist, folder = runtime_files(self.runtime), to / FOLDER
        create_folder(folder)
        write_whole(folder / RUNTIME, (dist / RUNTIME).read_bytes())
        parts = {"loader": (dist / LOADER).read_bytes(), "wasm": (dist / WASM).read_bytes()}
        for name, content in {**parts, "model": self.graph}.items():
            packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
            write_text(folder / f"{name}.js", f'composerParts.{name} = "{packed}";\n')

    @property
    def html(self) -> str:
        """Return the section that asks for a seed."""
        data = json.dumps(self.facts).replace("<", "\\u003c")
        name = html.escape(str(self.facts.get("name", "the model")))
        return (
            f"{SECTION}<h2>A new song</h2>"
            f"<p>{name} composes it in your browser; nothing leaves your computer.</p>"
            '<form><label>Seed <input name="seed" type="number" min="0" max="4294967295" '
            'value="1"></label> <button>Compose</button> '
            '<output aria-live="polite"></output></form>'
            f'<script type="application/json">{data}</script></section>'
        )


def runtime_files(folder: Path) -> Path:
    """Return where the files of onnxruntime-web are, in a folder or in that of its package."""
    for place in (folder, folder / "dist", folder / "package" / "dist"):
        if all((place / name).is_file() for name in (RUNTIME, LOADER, WASM)):
            return place
    raise UserError(
        f"{folder} holds no onnxruntime-web: `npm pack onnxruntime-web`, unpack the .tgz, and "
        "give its folder"
    )
