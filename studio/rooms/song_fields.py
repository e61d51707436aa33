"""The fields and buttons of the room of songs."""

from typing import Any, get_args

import gradio as gr

from musegen.reading.metres import Meter
from musegen.smf.chunks import SONG_FILES
from musegen.steering import DENSITIES
from studio.components.fields import pickup_field, text_field, whole_field
from studio.components.messages import state_line
from studio.rooms.wishes import AS_LEARNED, KEYS

STEERED = ("form", "key", "density", "temperature")
"""Settings that some models do not obey."""


class SongFields:
    """The room's left side; `wishes` are its components in the order of `Wishes`."""

    def __init__(self, names: list[str], voices: list[str], tracks: list[str], melodic: list[str]):
        self.model = gr.Dropdown(names, value=names[0], label="Model")
        self.said = gr.HTML("", apply_default_css=False)
        with gr.Row():
            self.count = whole_field("Songs", 1)
            self.bars = whole_field("Bars", 16)
            self.seed = whole_field("Seed", 1)
        self.make = gr.Button("Make songs", variant="primary", elem_id="make-songs")
        self.stop = gr.Button("Stop", visible=False)
        self.line = state_line("songs-state")
        self.own = gr.UploadButton(
            "Open a song file of yours",
            file_types=list(SONG_FILES),
            file_count="single",
            size="sm",
        )
        self.pickup = pickup_field(info="of your song, where no signature in it says so")
        self.meter = gr.Radio(
            get_args(Meter),
            value="kept",
            label="Metre",
            info="of your song. any: all its beats are divided into the model's bars",
        )
        with gr.Accordion("Steering", elem_classes="further"):
            self._steering(tracks)
        with gr.Accordion("Sound", open=False, elem_classes="further"):
            self._sound(voices, melodic)

    def _steering(self, tracks: list[str]) -> None:
        self.tracks = gr.CheckboxGroup(
            tracks, value=tracks, label="Tracks to compose", info="none: all"
        )
        self.form = gr.Textbox(
            "auto", label="Form", info="a letter for each section, as AABA", max_lines=1
        )
        with gr.Row():
            self.tempo = text_field("Tempo", AS_LEARNED)
            self.temperature = text_field("Temperature", AS_LEARNED)
        self.key = gr.Dropdown(KEYS, value=AS_LEARNED, label="Key")
        self.density = gr.Radio(list(DENSITIES), value="normal", label="Density")
        self.ending = gr.Checkbox(False, label="With an ending")
        self.best_of = whole_field("Best of", 1, info="how many are made for each that stays")

    def _sound(self, voices: list[str], melodic: list[str]) -> None:
        self.voice = gr.Dropdown(
            voices, value=voices[0], label="Played by", info="a voice has learned its sound"
        )
        self.timbre = whole_field("Timbre", 0, info="each number is another one")
        self.voiced = gr.CheckboxGroup(
            melodic, label="Tracks in this voice", info="none: all but the drums"
        )
        self.play = gr.Button("Play the open song with it", size="sm", elem_id="play-so")

    @property
    def wishes(self) -> list[Any]:
        """Return the components of `Wishes`, in its order."""
        return [
            *(self.model, self.count, self.bars, self.seed, self.tracks, self.form, self.tempo),
            *(self.temperature, self.key, self.density, self.ending, self.best_of),
            *(self.voice, self.timbre, self.voiced),
        ]

    @property
    def steered(self) -> list[Any]:
        """Return the components that differ from model to model."""
        return [
            self.said,
            *(getattr(self, name) for name in STEERED),
            *(self.tracks, self.ending, self.voiced),
        ]


class Deeds:
    """The deeds that change the open song, a card for each."""

    def __init__(self, songs: list[tuple[str, str]]):
        with gr.Column(min_width=180):
            gr.Markdown("Locked tracks stay, the others are composed anew.")
            self.beside = gr.Button("Again, but keep the locked tracks", size="sm")
        with gr.Column(min_width=180):
            self.filled = gr.Textbox(
                "",
                label="Bars",
                placeholder="5-8: drag over the roll",
                max_lines=1,
                elem_id="fill-bars",
            )
            self.fill = gr.Button("Fill these bars", size="sm")
        with gr.Column(min_width=180):
            self.more = whole_field("Bars to add", 8)
            self.go_on = gr.Button("Continue", size="sm")
        with gr.Column(min_width=180):
            self.strength = gr.Number(0.3, label="Strength, 0 to 1", step=0.05)
            self.vary = gr.Button("Vary", size="sm")
        with gr.Column(min_width=180):
            with gr.Row():
                self.order = text_field("Sections", "ABAC")
                self.section = whole_field("Bars of each", 4)
            self.remix = gr.Button("Remix", size="sm")
        with gr.Column(min_width=180):
            with gr.Row():
                self.other = gr.Dropdown(
                    songs, label="Another song", elem_id="other-song", min_width=80
                )
                self.between = whole_field("Bars between", 8)
            with gr.Row():
                self.interpolate = gr.Button("Interpolate", size="sm", min_width=80)
                self.lead = gr.Button("Lead there", size="sm", min_width=80)
