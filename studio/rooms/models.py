"""The room of models: the theory as a gallery, and which models the other rooms offer.

Each recipe with its formula as docs/theory.md states it, its line (the terms that build it), its
paper, and what it learns of a ring of eight Gaussians.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

import core
from core.app.domain import Domain
from core.config import resolve
from core.errors import UserError
from core.recipe import Recipe
from core.theory.terms import describe
from core.training.run import Run
from musegen.recipes import RECIPES as OF_MUSIC
from musegen.voice.recipes import RECIPES as OF_VOICES
from studio.components.markup import empty, escaped
from studio.components.messages import ASIDE, answering
from studio.folder import COLLECTIONS, StudioFolder, folders_in
from videogen.recipes import RECIPES as OF_VIDEO

RECIPES: dict[str, Recipe] = {**OF_MUSIC, **OF_VIDEO, **OF_VOICES}

DOCS = (
    Path(str(core.__file__)).parents[1] / "docs",
    Path(sys.prefix) / "share" / "pianoreel" / "docs",
)
"""Places of the theory: beside the source, or installed with it."""

THEORY_ADDRESS = "/theory"
SECTION = re.compile(
    r"^### (.+)\n\n(?:<img .+>\n\n)?`(\w+)`, (.+)\n\n(?:(?:    .+\n)+)", re.MULTILINE
)
EVERY = "every model"


def docs() -> Path | None:
    """Return the folder of the theory and its pictures, None where they are not installed."""
    return next((folder for folder in DOCS if (folder / "theory.md").is_file()), None)


class Entry(NamedTuple):
    """A recipe's section of the theory: the group that it stands in, its title and its text."""

    group: str
    title: str
    prose: str


@cache
def theory() -> dict[str, Entry]:
    """Return the sections of docs/theory.md by the recipe's name, in their order."""
    folder = docs()
    if folder is None:
        return {}
    text = (folder / "theory.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return {
        name: Entry(group, title, prose)
        for group, body in zip(parts[1::2], parts[2::2], strict=True)
        for title, name, prose in SECTION.findall(body)
    }


def gallery(wanted: str | None = "", group: str = EVERY) -> str:
    """Return the models as HTML, those of a group whose text has all the words."""
    cards = [_card(name, entry, wanted or "", group) for name, entry in _entries()]
    if not any(cards):
        return empty("No model has these words.")
    return f'<div class="models">{"".join(cards)}</div>'


def _entries() -> Iterator[tuple[str, Entry]]:
    known = theory()
    yield from ((name, entry) for name, entry in known.items() if name in RECIPES)
    for name, recipe in RECIPES.items():
        if name not in known:
            yield name, Entry("", name, recipe.remark)


def _card(name: str, entry: Entry, wanted: str, group: str) -> str:
    recipe = RECIPES[name]
    line = " + ".join(map(describe, recipe.terms))
    paper = recipe.paper
    text = f"{name} {entry.title} {entry.prose} {line} {paper.authors} {paper.title}".lower()
    if group not in (EVERY, entry.group) or not all(
        word in text for word in wanted.lower().split()
    ):
        return ""
    folder = docs()
    ring = folder / "models" / "ring" / f"{name}.png" if folder else None
    picture = (
        f'<img loading="lazy" src="{THEORY_ADDRESS}/models/ring/{name}.png" '
        f'alt="samples of {name} on a ring of eight Gaussians">'
        if ring and ring.is_file()
        else '<span class="no-picture">not on the ring</span>'
    )
    return (
        f'<article><div class="drawn">{picture}</div><div><h2>{escaped(entry.title)} '
        f"<code>{name}</code></h2><p class='formula'>{escaped(line)}</p>"
        f"<p>{_marked(entry.prose)}</p><p class='quiet'>{escaped(paper.authors)}: "
        f"{escaped(paper.title)}, {paper.year}</p></div></article>"
    )


def _marked(prose: str) -> str:
    """Return text of Markdown with its code marked as such."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped(prose))


class ModelRoom:
    """The room; it needs no folder."""

    def layout(self) -> None:
        """Lay out the room within the page."""
        groups = dict.fromkeys(entry.group for entry in theory().values())
        gr.Markdown(
            "Every model is a short list of terms over two passes through the same networks: "
            "*reconstruct* a variable, or *match* what is produced with what is real. The rings "
            "show what each learns of eight Gaussians (grey)."
        )
        with gr.Row():
            wanted = gr.Textbox(
                "", label="Find", placeholder="wasserstein", max_lines=1, elem_id="find-model"
            )
            group = gr.Dropdown([EVERY, *groups], value=EVERY, label="Kind")
        shown = gr.HTML("", apply_default_css=False)
        for one in (wanted, group):
            one.change(answering(gallery), [wanted, group], shown, **ASIDE)
        self.on_entry: tuple[Any, ...] = (answering(gallery), [wanted, group], [shown])


def names_of(folder: StudioFolder, domain: Domain) -> list[str]:
    """Return the models of a domain that sample: those that ship, the default first, then runs."""
    shipped = folders_in(domain.shipped) if domain.shipped else []
    ordered = sorted(shipped, key=lambda name: name != domain.default_run)
    own = [name for name in folders_in(folder.runs) if is_trained(folder, domain, name)]
    names = dict.fromkeys([*ordered, *own])
    return [name for name in names if draws(domain, folder.model(domain, name))]


def draws(domain: Domain, run: Path) -> bool:
    """Return whether a run is there and samples by itself: others translate, or enlarge clips."""
    try:
        config: Any = resolve(domain.config, Run.read(run).config, run.name)
    except UserError:  # it was removed, or changed, in between
        return False
    return config.model.base_recipe.draws


def is_trained(folder: StudioFolder, domain: Domain, name: str) -> bool:
    """Return whether a run is one of the domain's, with a checkpoint to sample from."""
    try:
        run = Run.read(folder.runs / name)
        resolve(domain.config, run.config, name)
        return run.newest_step > 0 or (run.checkpoints / "best").is_dir()  # all that is shared
    except UserError:
        return False


def learned_from(folder: StudioFolder, domain: Domain, run: Path) -> Path | None:
    """Return the collection that a run learned from, by its digest; None where it is not here."""
    digest = Run.read(run).config.get("data_sha256")
    collections = map(folder.collection, collections_of(folder, domain))
    return next((one for one in collections if digest_of(domain, one) == digest), None)


def collections_of(folder: StudioFolder, domain: Domain) -> list[str]:
    """Return the collections of a domain whose files are all read."""
    every = folders_in(folder.root / COLLECTIONS)
    return [name for name in every if digest_of(domain, folder.collection(name))]


def digest_of(domain: Domain, collection: Path) -> str | None:
    """Return the digest of a domain's collection; None for a folder that is none of it."""
    try:
        return domain.open(collection).digest
    except (UserError, OSError):
        return None
