"""The commands of voices. Each imports what it needs when it runs, so that --help is quick."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.app.commands.domain import DomainCommands
from core.app.commands.options import (
    MAKE,
    CollectionFolder,
    Device,
    Json,
    RunArgument,
    Seed,
    Set,
)
from core.app.commands.printing import print_paths
from core.app.output import Output
from core.config import comma_separated
from core.data.limits import Limits
from core.errors import ConfigError

if TYPE_CHECKING:
    from musegen.voice.domain import Voice

MOST_NAMED = 16
"""The most pitches that the name of a picture holds."""


class VoiceCommands(DomainCommands):
    """Notes, from soundfonts or recordings to .wav files."""

    name = "voice"
    items = "notes"
    point_help = "a sound file, or a pitch such as C4 or 60, with the number of its timbre as C4:7"
    examples = {
        "prepare": (
            "prepare --soundfont FluidR3_GM.sf2 --to data/fluid",
            "prepare ~/violin --to data/violin --seconds 2",
        ),
        "train": (
            "train data/fluid --to runs/voice --minutes 60",
            "train data/fluid --to runs/gansynth --model gansynth --minutes 60",
        ),
        "sample": (
            "sample runs/voice --pitch 60 --count 8 --to notes",
            "sample runs/voice --pitch C3,E3,G3 --one-timbre --seed 3 --to notes",
        ),
        "evaluate": ("evaluate runs/voice --against data/fluid --to report",),
        "compare": (
            "compare data/fluid --model timbre_vae --model gansynth --minutes 30 --to comparison",
        ),
        "interpolate": ("interpolate runs/voice C4:3 C4:7 --points 9 --to notes",),
        "arithmetic": ("arithmetic runs/voice C4:1 C4:2 C4:3 --to notes",),
        "reconstruct": ("reconstruct runs/voice violin-C4.wav --to notes",),
        "vary": ("vary runs/voice C4:7 --strength 0.3 --count 8 --to notes",),
        "translate": ("translate runs/between note.wav --to notes",),
    }

    def domain(self) -> "Voice":
        from musegen.voice.model import DOMAIN

        return DOMAIN

    def prepare(
        self,
        jobs: int,
        tick: Callable[[int, int], None],
        to: CollectionFolder,
        sources: Annotated[
            list[str] | None,
            typer.Argument(
                help="Folders, zips, files or patterns of .wav, .flac, .mp3 or .aif files of "
                "single notes. Pitches come from names such as violin-C4.wav, or from "
                "NSynth's names and examples.json; otherwise they are detected.",
                show_default=False,
            ),
        ] = None,
        soundfont: Annotated[
            Path | None,
            typer.Option(
                help="Without SOURCES: the .sf2 file whose programs are played.",
                show_default="the one that songs are played with",
            ),
        ] = None,
        programs: Annotated[
            str,
            typer.Option(
                metavar="N,N,...",
                help="Programs of --soundfont, from 0.",
                show_default="twenty of distinct families",
            ),
        ] = "",
        lowest: Annotated[int, typer.Option(min=0, max=127, help="Lowest pitch, 60 is C4.")] = 24,
        highest: Annotated[int, typer.Option(min=0, max=127, help="Highest pitch.")] = 84,
        seconds: Annotated[
            float, typer.Option(min=0.05, max=16, help="Length of a note, in seconds.")
        ] = 1.0,
        rate: Annotated[
            int, typer.Option(min=2000, max=48_000, help="Samples per second.")
        ] = 16_000,
        seed: Seed = 0,
        settings: Set = None,
    ) -> Any:
        from musegen.voice.data.preparation import prepare
        from musegen.voice.data.records import PrepareConfig

        chosen: dict[str, Any] = {
            "lowest": lowest,
            "highest": highest,
            "seconds": seconds,
            "lengths": [seconds],
            "sample_rate_hz": rate,
            "seed": seed,
        }
        if programs:
            chosen["programs"] = _numbers(programs)
        config = self.prepare_config(PrepareConfig, chosen, settings)
        return prepare(sources or [], to, config, soundfont, jobs=jobs, tick=tick)

    def sample(
        self,
        to: Output,
        seed: int,
        device: str,
        run: RunArgument = None,
        pitch: Annotated[
            str, typer.Option(help="Pitches such as 60 or C4,E4,G4; 60 is C4.")
        ] = "60",
        count: Annotated[
            int,
            typer.Option(min=1, max=10_000, help="Notes of each pitch, each with its own timbre."),
        ] = 1,
        one_timbre: Annotated[
            bool, typer.Option("--one-timbre", help="Play all pitches in the timbre of the seed.")
        ] = False,
    ) -> Iterator[Path]:
        from core.app.label import name_of
        from musegen.voice.data.names import name_of_pitch
        from musegen.voice.files import encode_wav
        from musegen.voice.model import Model

        pitches = _pitches(pitch)
        model = Model.load(run, device)
        wanted = [one for one in pitches for _ in range(count)]
        sounds = (model.notes_of if one_timbre else model.samples)(wanted, seed)
        rate = model.spec.sample_rate_hz
        names = [f"{name_of_pitch(one)}-{n % count + 1:03d}" for n, one in enumerate(wanted)]
        files = {
            to.folder / f"{name_of(model.name, seed, name)}.wav": encode_wav(sound, rate)
            for name, sound in zip(names, sounds.numpy(), strict=True)
        }
        picture = (
            to.folder / f"{name_of(model.name, seed, *_drawn(pitches, count, one_timbre))}.png"
        )
        files[picture] = to.drawn(picture, partial(self.domain().show, model, sounds, names))
        yield from to.write_all(files)

    def further(self) -> Iterable[tuple[str, Callable[..., None]]]:
        return [(MAKE, keyboard)]

    def limits(self) -> Mapping[str, Limits]:
        from musegen.voice.data.limits import VoiceLimits

        return {"recording": VoiceLimits()}


def _numbers(text: str) -> list[int]:
    parts = comma_separated(text)
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--programs {text}: give numbers such as 0,40,73")
    return [int(part) for part in parts]


def _drawn(pitches: Sequence[int], count: int, one_timbre: bool) -> list[str]:
    """Return what is drawn in one picture, for its name; of many pitches their number alone."""
    from musegen.voice.data.names import name_of_pitch

    few = len(pitches) <= MOST_NAMED
    named = [name_of_pitch(one) for one in pitches] if few else [f"{len(pitches)}-pitches"]
    return [*named, *(["one-timbre"] if one_timbre else []), f"{count}-notes"]


def _pitches(text: str) -> list[int]:
    from musegen.voice.data.names import pitch_of_text

    pitches = [pitch_of_text(part) for part in comma_separated(text)]
    if None in pitches or not pitches:
        raise ConfigError(f"--pitch {text}: give pitches such as 60 or C4,E4,G4")
    return list(dict.fromkeys(pitch for pitch in pitches if pitch is not None))


def keyboard(
    run: RunArgument = None,
    to: Annotated[
        Path, typer.Option(help="An .sf2 file, or a folder for samples with an .sfz.")
    ] = Path("voice.sf2"),
    semitones: Annotated[
        int, typer.Option(min=1, max=24, help="Semitones from one sample to the next.")
    ] = 3,
    seed: Seed = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace another keyboard of that name.")
    ] = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Write the timbre of a seed as an instrument, for a sampler or a sequencer.

    pianoreel voice keyboard runs/voice --seed 3 --to mine.sf2

    pianoreel voice keyboard runs/voice --seed 3 --to mine
    """
    from musegen.playing.keyboard import keyboard as sampled
    from musegen.playing.keyboard import write_keyboard
    from musegen.voice.model import Model

    timbre = Model.load(run, device).voice(seed)
    print_paths(write_keyboard(sampled(timbre, to.stem, semitones), to, overwrite), json)
