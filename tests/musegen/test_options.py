"""The options of the commands of music reach what they name."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from command import run

from core.app.commands.group import group_of
from core.data.preparation import Part
from core.errors import UserError
from musegen.commands.group import MusicCommands
from musegen.composition import composition, judge
from musegen.composition.request import Request
from musegen.data import preparation
from musegen.data.records import PrepareConfig, grid_settings
from musegen.files.programs import read_programs
from musegen.files.song import SongOutput
from musegen.model import DOMAIN, Model
from musegen.steering import Steering
from musegen.tonality import Key
from musegen.tracks import TRACK_LISTS

RUN = "latent_musegan"


def words(options: dict[str, object]) -> list[object]:
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def test_options_of_prepare_are_those_of_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It prepares files, a part of them, or songs of the band."""
    given: list[Any] = []

    def seen(*arguments: Any, **more: Any) -> SimpleNamespace:
        more.pop("tick")
        given.append((arguments, more))
        return SimpleNamespace(lines=["done"], rejects=[])

    for name in ("prepare", "prepare_part", "prepare_band"):
        monkeypatch.setattr(preparation, name, seen)
    wanted = {"bars": 6, "hop": 5, "min-tracks": 2, "seed": 11}
    said = [*words({"tracks": "quartet", "steps-per-beat": 8, "meter": "6/8", **wanted})]
    to, command = tmp_path / "to", ["music", "prepare", *said, "--jobs", 3, "--no-pedal"]
    more = ["--set", "test_share=0.25", "--to", to]
    for chosen in (
        ("a", "b", "--pickup", 1.5),
        ("a", "--lpd", "--shard", "2/3"),
        ("--band", 7, "--style", "funk"),
    ):
        assert run(*command, *more, *chosen)[0] == 0
    config = PrepareConfig.model_validate(
        {
            "grid": grid_settings("6/8", 8),
            "tracks": TRACK_LISTS["quartet"],
            "pedal": False,
            "test_share": 0.25,
            **{name.replace("-", "_"): value for name, value in wanted.items()},
        }
    )
    of_files, of_part, of_band = given
    pickup = config.model_copy(update={"pickup_beats": 1.5})
    assert of_files == ((["a", "b"], to, pickup), {"lpd": False, "jobs": 3})
    (sources, folder, part, shared), options = of_part
    assert (sources, folder, shared, options) == (["a"], to, config, {"lpd": True, "jobs": 3})
    assert part == Part(2, 3)
    assert of_band == ((7, to, config), {"style": "funk", "jobs": 3})
    assert (config.grid.beats_per_bar, config.grid.beat_unit) == (6, 8)


@cache
def shipped() -> Model:
    return Model.load(RUN, "cpu")


def asked(patch: pytest.MonkeyPatch, to: Path, *options: object) -> list[Any]:
    """Return request, steering, tempo, ending and best of, the judge's data, count and seed."""
    judges: list[Any] = []
    noted: list[Any] = []

    model = shipped()

    def load(run: str, device: str) -> Model:
        assert (run, device) == (RUN, "cpu")
        return model

    def judged(model: Model, folder: Path, against: Path | None) -> Any:
        judges.append((folder, against))
        return model.judge

    class Composing:
        def __init__(self, model: Model, *wishes: Any):
            noted.extend(wishes)
            self.draft = SimpleNamespace(kept=np.zeros(0, bool))
            self.model, self.best_of = model, wishes[-1]
            self.chooses = (self.best_of or 1) > 1

        def require(self) -> None: ...

        def labels(self, count: int, seed: int) -> Any:
            noted.extend([judges, count, seed])
            raise UserError("enough is known")

    patch.setattr(Model, "load", load)
    patch.setattr(composition, "Composition", Composing)
    patch.setattr(judge, "judge_of", judged)
    code, _, said = run("music", "sample", RUN, *options, "--device", "cpu", "--to", to)
    assert (code, said) == (1, "error: enough is known\n")
    return noted


def test_options_of_sample_are_those_of_its_request_and_steering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    steered = {
        "key": "F# minor", "scale-strength": 0.75, "density": "low", "temperature": 0.5,
        "top-p": 0.9, "binarisation": "probability", "form": "ABA", "tempo-bpm": 97,
    }  # fmt: skip
    more = {"tracks": "bass, drums", "bars": 12, "count": 3, "seed": 5, "best-of": 2}
    against = tmp_path / "data"
    request, steering, tempo, ending, best_of, judges, count, seed = asked(
        *(monkeypatch, tmp_path / "to", *words({**steered, **more})),
        *("--ending", "--against", against),
    )
    assert request == Request(tracks=("bass", "drums"), bars=12, form="ABA")
    assert steering == Steering(
        temperature=0.5,
        top_p=0.9,
        key=Key.parse("F# minor"),
        scale_strength=0.75,
        density=0.6,
        form="ABA",
        binarisation="probability",
    )
    assert (tempo, ending, best_of, count, seed) == (97, True, 2, 3, 5)
    assert judges == [(DOMAIN.folder(RUN), against)]


@pytest.mark.parametrize(
    ("options", "request_"),
    [
        ((), Request()),
        (("--best-of", 1), Request()),
        (
            ("--given", "a.mid", "--keep", "bass, drums", "--pickup", 1.5),
            Request(given=Path("a.mid"), keep=("bass", "drums"), pickup_beats=1.5),
        ),
        (("--given", "a.mid", "--fill", "5-8"), Request(given=Path("a.mid"), fill="5-8")),
        (("--continue", "a.mid"), Request(continued=Path("a.mid"))),
        (("--between", "a.mid", "b.mid"), Request(between=(Path("a.mid"), Path("b.mid")))),
        (
            ("--remix", "a.mid", "--form", "BA", "--section-bars", 2),
            Request(remixed=Path("a.mid"), form="BA", section_bars=2),
        ),
    ],
)
def test_without_options_a_song_is_steered_by_nothing(
    options: tuple[object, ...], request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Also around a song of the user's: the form of a remix is that of its request alone."""
    request, *rest = asked(monkeypatch, tmp_path, *options)
    best_of = 1 if "--best-of" in options else None
    assert request == request_
    assert rest == [Steering(), None, False, best_of, [], 8, 0]


def test_options_of_files_are_those_of_the_songs_that_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """music21 is needed for MusicXML alone."""

    def absent() -> None:
        raise UserError("install music21")

    monkeypatch.setattr("musegen.notation.writing.require_music21", absent)
    output = MusicCommands().output
    assert output(tmp_path, "cpu") == SongOutput(tmp_path, ("mid", "wav", "png"))
    programs = "bass=38,piano=electric piano"
    chosen = output(
        *(tmp_path, "cpu"), only="mp3,mid", npz=True, stems=True, programs=programs, overwrite=True
    )
    assert chosen == SongOutput(
        *(tmp_path, ("mp3", "mid", "npz"), True, read_programs(programs), None), overwrite=True
    )
    with pytest.raises(UserError, match="install music21"):
        output(tmp_path, "cpu", only="mid,musicxml")


RANGES: dict[str, dict[str, tuple[float, float | None]]] = {
    "prepare": {
        "--steps-per-beat": (1, None),
        "--pickup": (0, None),
        "--bars": (1, None),
        "--hop": (1, None),
        "--min-tracks": (1, None),
        "--band": (1, None),
    },
    "sample": {
        "--count": (1, 10_000),
        "--bars": (1, 1024),
        "--section-bars": (1, 1024),
        "--pickup": (0, None),
        "--scale-strength": (0, 1),
        "--tempo-bpm": (10, 400),
        "--temperature": (0.01, None),
        "--top-p": (0.01, 1),
        "--best-of": (1, 256),
    },
}
"""The least and the largest number that an option takes."""


@pytest.mark.parametrize("command", list(RANGES))
def test_an_option_takes_the_numbers_that_make_sense(command: str):
    """All domains share those of seeds and jobs."""
    shown: Any = typer.main.get_command(group_of(MusicCommands()))
    own = {
        option.opts[0]: (option.min, option.max)
        for option in shown.commands[command].params
        if (option.min, option.max) != (None, None)
    }
    assert own.items() >= RANGES[command].items()
    assert own.keys() - RANGES[command].keys() <= {"--seed", "--jobs"}
