"""The room of clips: type sentences, see the clips, and the layers of which they are made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from core.errors import ConfigError
from studio.components.fields import offer, optional_number, seeds, whole
from studio.components.markup import empty, escaped
from studio.components.messages import HIDDEN, answering, state, state_line, stoppable, stops
from studio.folder import CLIPS, StudioFolder
from studio.rooms.models import names_of
from studio.rooms.songs import MAKING
from videogen.model import DOMAIN, Model
from videogen.rendering.enlargement import Enlargement
from videogen.rendering.output import ClipOutput, write_clip, write_parts
from videogen.rendering.take import Take

MOST_CLIPS, MOST_FRAMES = 16, 256
"""The most that one press of a button makes."""
MOST_SHOWN = 48
"""Clips of the grid, the newest ones."""
LONGEST_CAPTION = 500
SUFFIXES = ("mp4", "gif", "webm", "txt")


class ClipRoom:
    """The room over a folder."""

    def __init__(self, folder: StudioFolder):
        self.folder = folder

    def model(self, name: str) -> Model:
        """Load a model that the room offers; `UserError` for another name."""
        return Model.load(self.folder.model(DOMAIN, name))

    def make(
        self,
        name: str,
        captions: str,
        count: int,
        seed: int,
        frames: str,
        scale: str,
        has_parts: bool,
    ) -> Iterator[tuple[str, str, int]]:
        """Make clips of each sentence, one by one: the grid, the line of state, the next seed."""
        model = self.model(name)
        sentences = _sentences(captions) if model.reads_captions else [""]
        wanted = [one for one in sentences for _ in range(whole("clips", count, 1, MOST_CLIPS))]
        total = whole("clips", len(wanted), 1, MOST_CLIPS)
        length = optional_number("frames", frames, 1, MOST_FRAMES)
        enlarged = Enlargement(optional_number("scale", scale, 0.05, 64))
        for number, (caption, of_clip) in enumerate(zip(wanted, seeds(seed, total), strict=True)):
            said = f"{model.name} makes clip {number + 1} of {total}"
            yield gallery(self.folder), state(said, number / total), of_clip
            take = Take(caption, of_clip, None if length is None else int(length))
            self._write(model, take, enlarged, has_parts)
            yield gallery(self.folder), state(said, (number + 1) / total), of_clip + 1
        yield gallery(self.folder), state(f"{total} made"), seeds(seed, total).stop

    def _write(self, model: Model, take: Take, enlarged: Enlargement, has_parts: bool) -> None:
        folder = self.folder.take(CLIPS, take.label(model).name)
        output = ClipOutput(folder, ("mp4", "gif"), enlarged)
        label = take.label(model, **output.settings)
        for _ in write_clip(take.shoot(model), label, output, take.rate(model)):
            pass
        if has_parts:
            layers = model.parts([take.caption], take.seed)
            write_parts({name: part[0] for name, part in layers.items()}, label, output)

    def objections(self, name: str, captions: str) -> str:
        """Return which sentences the model may not understand, and the nearest that it knows."""
        model = self.model(name)
        found = [model.objection(one) for one in captions.splitlines() if one.strip()]
        said = "<br>".join(escaped(one[:LONGEST_CAPTION]) for one in found if one)
        return f'<p class="warning" role="status">{said}</p>' if said else ""

    def layout(self) -> None:
        """Lay out the room within the page."""
        names = names_of(self.folder, DOMAIN)
        with gr.Row(elem_classes="room"):
            with gr.Column(scale=1, min_width=280, elem_classes="settings"):
                model = gr.Dropdown(names, value=names[0], label="Model")
                captions = gr.Textbox(
                    "", label="Sentences", info="one in each line", lines=3, elem_id="captions"
                )
                suggestion = gr.Dropdown(
                    self.suggestions(names[0]),
                    label="Suggestions",
                    info="sentences of its training",
                    value=None,
                )
                warning = gr.HTML("", apply_default_css=False)
                with gr.Row():
                    count = gr.Number(
                        1, label="Clips of each", precision=0, minimum=1, min_width=90
                    )
                    seed = gr.Number(1, label="Seed", precision=0, minimum=0, min_width=90)
                with gr.Row():
                    frames = gr.Textbox(
                        "", label="Frames", placeholder="as learned", max_lines=1, min_width=90
                    )
                    scale = gr.Textbox(
                        "", label="Scale", placeholder="to 256 pixels", max_lines=1, min_width=90
                    )
                parts = gr.Checkbox(False, label="Show gist, background, mask and foreground")
                make = gr.Button("Make clips", variant="primary", elem_id="make-clips")
                stop = gr.Button("Stop", visible=False)
                line = state_line("clips-state")
            with gr.Column(scale=3, min_width=320):
                shown = gr.HTML(gallery(self.folder), apply_default_css=False)
        settings = [model, captions, count, seed, frames, scale, parts]
        event = stoppable(make.click, self.make, settings, [shown, line, seed], stop, **MAKING)
        stops(stop, line, [event])
        suggestion.input(
            lambda text, chosen: "\n".join([*text.splitlines(), chosen]),
            [captions, suggestion],
            captions,
            **HIDDEN,
        )
        captions.change(
            answering(self.objections),
            [model, captions],
            warning,
            **HIDDEN,
            trigger_mode="always_last",
        )
        model.change(answering(self.abilities), model, [suggestion, parts], **HIDDEN)
        self.on_load = (answering(self.refresh), [model], [model, shown])

    def refresh(self, model: str) -> list[Any]:
        """Return what the room shows when the page is loaded: the clips and models there are."""
        return [offer(names_of(self.folder, DOMAIN), model), gallery(self.folder)]

    def abilities(self, name: str) -> list[Any]:
        """Return sentences of the model's training, and whether its clips have layers."""
        has_layers = self.model(name).config.video.decoder == "gist"
        choices = gr.update(choices=self.suggestions(name), value=None)
        return [choices, gr.update(interactive=has_layers)]

    def suggestions(self, name: str) -> list[str]:
        """Return sentences of the model's training."""
        spec = self.model(name).spec
        return list(dict.fromkeys((*spec.examples, *spec.captions[:MOST_SHOWN])))


def gallery(folder: StudioFolder) -> str:
    """Return the grid of clips as HTML, the newest first."""
    found = [path for take in folder.takes(CLIPS) for path in sorted(take.glob("*.mp4"))]
    if not found:
        return empty("No clip yet. Type a sentence, or choose a suggestion.")
    return (
        f'<div class="clips">{"".join(_figure(folder, one) for one in found[:MOST_SHOWN])}</div>'
    )


def _figure(folder: StudioFolder, film: Path) -> str:
    text = film.with_suffix(".txt")
    caption = escaped(text.read_text(encoding="utf-8").strip()) if text.is_file() else ""
    links = " ".join(
        f'<a download href="{folder.url(path)}">.{suffix}</a>'
        for suffix in SUFFIXES
        if (path := film.with_suffix(f".{suffix}")).is_file()
    )
    layers = film.with_name(f"{film.stem}-parts.png")
    drawn = ""
    if layers.is_file():
        source = folder.url(layers)
        drawn = (
            f'<details><summary>Layers</summary><a href="{source}"><img src="{source}" '
            f'alt="gist, background, mask and foreground of the clip"></a></details>'
        )
    return (
        f'<figure title="{escaped(film.stem)}"><video src="{folder.url(film)}" autoplay loop '
        f'muted playsinline controls aria-label="{caption or "clip"}"></video>'
        f"<figcaption>{caption}"
        f"<small>Download {links}</small>{drawn}</figcaption></figure>"
    )


def _sentences(text: str) -> list[str]:
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise ConfigError("type a sentence, or choose a suggestion")
    for one in found:
        if len(one) > LONGEST_CAPTION:
            raise ConfigError(f"a sentence has at most {LONGEST_CAPTION} letters")
    return found
