"""The room of clips: type sentences, see the clips, and the layers of which they are made."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from musegen.model import DOMAIN as MUSIC
from studio.components.clip_grid import clip_grid
from studio.components.fields import offer, text_field, whole_field
from studio.components.markup import escaped
from studio.components.messages import ASIDE, answering, ended, state, state_line, stoppable, stops
from studio.folder import CLIPS, StudioFolder, swept
from studio.following import Drawing
from studio.rooms.models import names_of
from studio.rooms.shots import LONGEST_CAPTION, NO_MUSIC, SHOWN, Wishes
from studio.rooms.songs import MAKING
from videogen.model import DOMAIN, Model
from videogen.rendering.output import FORMATS
from videogen.rendering.take import Take

MOST_SUGGESTED = 48
"""Sentences of the training that are suggested."""


class ClipRoom:
    """The room over a folder."""

    def __init__(self, folder: StudioFolder):
        self.folder = folder

    def model(self, name: str) -> Model:
        """Load a model that the room offers; `UserError` for another name."""
        return Model.load(self.folder.model(DOMAIN, name))

    def make(self, *settings: Any) -> Iterator[tuple[Any, str, int]]:
        """Make clips of each sentence, one by one: the grid, the line of state, the next seed."""
        wishes = Wishes(*settings)
        model = self.model(wishes.model)
        takes = wishes.takes(model)
        count, remarks = len(takes), list[str]()
        name = takes[0].label(model).name if count == 1 else f"{model.name}-{count}-clips"
        with swept(self.folder.take(CLIPS, name)) as kept:
            output = wishes.output(kept).of(model)
            for at, take in enumerate(takes):

                def shoot(take: Take = take) -> None:
                    with swept(kept):  # it ends later than this where it is stopped
                        wishes.shoot(model, take, output, self.folder)

                said = f"{model.name} makes clip {at + 1} of {count}"
                work = Drawing(shoot)
                for seconds in work.steps():
                    yield gr.skip(), state(f"{said}, {seconds:.0f} s", at / count), take.seed
                remarks += work.remarks
                yield clip_grid(self.folder), state(said, (at + 1) / count), take.seed + 1
        yield gr.skip(), ended(f"{count} made", remarks), takes[-1].seed + 1

    def objections(self, name: str, *captions: str) -> str:
        """Return which sentences the model may not understand, and the nearest that it knows."""
        model = self.model(name)
        sentences = [one for text in captions for one in text.splitlines() if one.strip()]
        found = [model.objection(one) for one in sentences]
        said = "<br>".join(escaped(one[:LONGEST_CAPTION]) for one in found if one)
        return f'<p class="warning" role="status">{said}</p>' if said else ""

    def layout(self) -> None:
        """Lay out the room within the page."""
        names = names_of(self.folder, DOMAIN)
        with gr.Row(elem_classes="room"):
            with gr.Column(scale=1, min_width=280, elem_classes="settings"):
                fields = _Fields(names, self.suggestions(names[0]), self.songs())
            with gr.Column(scale=3, min_width=320):
                shown = gr.HTML(clip_grid(self.folder), apply_default_css=False)
        answers = [shown, fields.line, fields.seed]
        click = fields.make.click
        event = stoppable(click, self.make, fields.wishes, answers, fields.stop, **MAKING)
        stops(fields.stop, fields.line, [event])
        fields.suggestion.input(
            lambda text, chosen: "\n".join([*text.splitlines(), chosen]),
            [fields.captions, fields.suggestion],
            fields.captions,
            **ASIDE,
        )
        said = [fields.captions, fields.then, fields.into]
        for one in said:
            one.change(
                answering(self.objections),
                [fields.model, *said],
                fields.warning,
                **ASIDE,
                trigger_mode="always_last",
            )
        fields.model.change(answering(self.abilities), fields.model, fields.able, **ASIDE)
        asked = [fields.model, fields.music]
        self.on_entry = (answering(self.refresh), asked, [*asked, shown])

    def refresh(self, model: str, music: str) -> list[Any]:
        """Return what the room shows when it is entered: the clips and models there are."""
        models = offer(names_of(self.folder, DOMAIN), model)
        return [models, offer(self.songs(), music), clip_grid(self.folder)]

    def songs(self) -> list[str]:
        """Return what can lie under a clip: nothing, or a song of a model."""
        return [NO_MUSIC, *names_of(self.folder, MUSIC)]

    def abilities(self, name: str) -> list[Any]:
        """Return sentences of the model's training, and what its clips can be."""
        model = self.model(name)
        has_layers = model.config.video.decoder == "gist"
        choices = gr.update(choices=self.suggestions(name), value=None)
        timed = [gr.update(interactive=model.has_clock)] * 5
        return [choices, *timed, gr.update(interactive=has_layers)]

    def suggestions(self, name: str) -> list[str]:
        """Return sentences of the model's training."""
        spec = self.model(name).spec
        return list(dict.fromkeys((*spec.examples, *spec.captions[:MOST_SUGGESTED])))


class _Fields:
    """The room's left side; `wishes` are its components in the order of `Wishes`."""

    def __init__(self, names: list[str], suggestions: list[str], songs: list[str]):
        self.model = gr.Dropdown(names, value=names[0], label="Model")
        self.captions = gr.Textbox(
            "", label="Sentences", info="one in each line", lines=3, elem_id="captions"
        )
        self.suggestion = gr.Dropdown(
            suggestions, label="Suggestions", info="sentences of its training", value=None
        )
        self.warning = gr.HTML("", apply_default_css=False)
        with gr.Row():
            self.count = whole_field("Clips of each", 1)
            self.seed = whole_field("Seed", 1)
        self.make = gr.Button("Make clips", variant="primary", elem_id="make-clips")
        self.stop = gr.Button("Stop", visible=False)
        self.line = state_line("clips-state")
        with gr.Accordion("On the way", open=False, elem_classes="further"):
            self._way()
        with gr.Accordion("Length, music and files", open=False, elem_classes="further"):
            self._files(songs)

    def _way(self) -> None:
        self.then = gr.Textbox(
            "",
            label="Then",
            info="sentences that follow in each clip, one in each line",
            lines=2,
            elem_id="then",
        )
        self.into = gr.Textbox(
            "",
            label="Into",
            info="or the sentence into which it changes evenly",
            max_lines=1,
            elem_id="into",
        )
        self.start = gr.File(
            label="A picture to begin with", file_types=["image", "video"], height=140
        )
        self.loop = gr.Checkbox(False, label="Ends as it begins: a loop")

    def _files(self, songs: list[str]) -> None:
        with gr.Row():
            self.frames = text_field("Frames", "as learned")
            self.rate = text_field("a second", "as learned")
        self.music = gr.Dropdown(songs, value=NO_MUSIC, label="Music, a new song by")
        others = [one for one in FORMATS if one != SHOWN]
        self.formats = gr.CheckboxGroup(
            others, value=["gif"], label=f"Files beside .{SHOWN}", info="png: a strip of frames"
        )
        self.scale = text_field("Scale", "to 256 pixels")
        self.parts = gr.Checkbox(False, label="Show gist, background, mask and foreground")

    @property
    def wishes(self) -> list[Any]:
        """Return the components of `Wishes`, in its order."""
        return [
            *(self.model, self.captions, self.count, self.seed, self.then, self.into, self.start),
            *(self.frames, self.rate, self.loop, self.music, self.formats, self.scale),
            self.parts,
        ]

    @property
    def able(self) -> list[Any]:
        """Return the components that differ from model to model."""
        timed = (self.then, self.into, self.start, self.frames, self.rate)
        return [self.suggestion, *timed, self.parts]
