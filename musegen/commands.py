"""The commands of music. Each imports what it needs when it runs, so that --help is quick."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.app.commands import DomainCommands, RunArgument, Seed, Set, group_of

if TYPE_CHECKING:
    from musegen.data.collection import Collection
    from musegen.model import Music


class MusicCommands(DomainCommands):
    """Songs, from MIDI files to MIDI files."""

    name = "music"
    items = "songs"
    point_help = "a MIDI file (for a model with an encoder) or a seed's number"
    examples = {
        "prepare": (
            "prepare ~/midi songs.zip --to data/mine",
            "prepare quartets/ --tracks quartet --min-tracks 2 --to data/quartets",
            "prepare --band 200 --to data/band",
        ),
        "train": (
            "train data/mine --to runs/mine --minutes 60",
            "train data/mine --to runs/jam --model musegan --wiring jamming --preset base",
            "train data/mine --to runs/vae --model vae --set train.batch_size=32",
            "train data/bach --other data/pop --model cyclegan --to runs/bach",
        ),
        "sample": (
            "sample --count 8 --seed 1 --to songs",
            "sample runs/mine --bars 32 --tempo-bpm 96 --to songs",
        ),
        "evaluate": (
            "evaluate runs/mine --against data/mine --to report",
            "evaluate songs/ --against data/mine --other data/chorales",
        ),
        "compare": (
            "compare data/mine --minutes 10 --to comparison",
            "compare data/mine --model vae --model vq_vae --minutes 30 --to comparison",
        ),
        "interpolate": (
            "interpolate 1 2 --to songs",
            "interpolate runs/vae calm.mid wild.mid --points 16 --to songs",
        ),
        "arithmetic": (
            "arithmetic 1 2 3 --to songs",
            "arithmetic runs/vae busy.mid calm.mid mine.mid --to songs",
        ),
        "reconstruct": ("reconstruct runs/vae song.mid --to songs",),
        "vary": ("vary 1 --strength 0.2 --count 8 --to songs",),
        "translate": (
            "translate runs/bach pop.mid --to songs",
            "translate runs/bach chorale.mid --back --to songs",
        ),
    }

    def domain(self) -> "Music":
        from musegen.model import DOMAIN

        return DOMAIN

    def prepare(
        self,
        jobs: int,
        tick: Callable[[int, int], None],
        to: Annotated[Path, typer.Option(help="Folder to write the prepared collection to.")],
        sources: Annotated[
            list[str] | None,
            typer.Argument(
                help="Folders, files, patterns, .zip or .tar.gz of MIDI.", show_default=False
            ),
        ] = None,
        tracks: Annotated[
            str,
            typer.Option(help="lakh, voices, quartet, piano, or a YAML file: see docs/tracks.md."),
        ] = "lakh",
        steps_per_beat: Annotated[
            int, typer.Option(min=1, help="Steps of a quarter note: 12 keeps triplets.")
        ] = 12,
        meter: Annotated[
            str,
            typer.Option(
                help="Only bars of this metre, such as 3/4 or 7/8; any: the beats of all, divided "
                "into bars of 4/4."
            ),
        ] = "4/4",
        pedal: Annotated[
            bool, typer.Option(help="Let a piano's notes sound until its sustain pedal goes up.")
        ] = True,
        pickup: Annotated[
            float,
            typer.Option(
                min=0, help="Quarter notes before the first bar, where no signature says so."
            ),
        ] = 0.0,
        bars: Annotated[int, typer.Option(min=1, help="Bars of a phrase.")] = 16,
        hop: Annotated[int, typer.Option(min=1, help="Bars from one phrase to the next.")] = 1,
        min_tracks: Annotated[
            int, typer.Option(min=1, help="Tracks that must sound in a phrase.")
        ] = 3,
        lpd: Annotated[
            bool, typer.Option("--lpd", help="Read .npz of the Lakh Pianoroll Dataset.")
        ] = False,
        band: Annotated[
            int | None,
            typer.Option(min=1, help="Number of songs that the procedural band composes."),
        ] = None,
        style: Annotated[
            str | None,
            typer.Option(help="With --band: pop, rock, ballad, funk, bossa or swing."),
        ] = None,
        seed: Seed = 0,
        settings: Set = None,
    ) -> Any:
        from core.config import override, resolve
        from core.errors import ConfigError
        from musegen.data import preparation
        from musegen.tracks import track_list

        if bool(sources) == bool(band):
            raise ConfigError("give either SOURCES or --band N")
        if pickup and (band or lpd):
            raise ConfigError("--pickup is for MIDI files")
        if style and not band:
            raise ConfigError("--style is the band's: give --band N with it")
        chosen = {
            "grid": _grid(meter, steps_per_beat),
            "tracks": [track.model_dump(mode="json") for track in track_list(tracks)],
            "meter": "any" if meter == "any" else "kept",
            "pedal": pedal,
            "pickup_beats": pickup,
            "bars": bars,
            "hop": hop,
            "min_tracks": min_tracks,
            "seed": seed,
        }
        values = override(chosen, settings or [])
        config = resolve(preparation.PrepareConfig, values, "music prepare")
        if band:
            return preparation.prepare_band(band, to, config, style=style, jobs=jobs, tick=tick)
        return preparation.prepare(sources or [], to, config, lpd=lpd, jobs=jobs, tick=tick)

    def open_data(
        self,
        preset: str,
        data: Annotated[Path, typer.Argument(help="A collection, as `prepare` writes it.")],
    ) -> "Collection":
        return self.domain().open(data)

    def train_options(
        self,
        wiring: Annotated[
            Literal["composer", "jamming", "hybrid"] | None,
            typer.Option(help="Of MuseGAN: which parts of z the players share."),
        ] = None,
    ) -> list[str]:
        sizes = ("musegan", "bar_latents") if wiring else ()
        return [f"model.{size}.wiring={wiring}" for size in sizes]

    def sample(
        self,
        to: Path,
        seed: int,
        device: str,
        run: RunArgument = None,
        count: Annotated[int, typer.Option(min=1, max=10_000, help="Songs to sample.")] = 8,
        bars: Annotated[int, typer.Option(min=1, max=1024, help="Bars of a song.")] = 16,
        tempo_bpm: Annotated[float, typer.Option(min=10, max=400, help="Beats a minute.")] = 120.0,
        temperature: Annotated[
            float | None,
            typer.Option(
                min=0.01,
                help="Of a density over notes, and of latent_musegan: 1 is as in training.",
            ),
        ] = None,
        nucleus: Annotated[
            float | None,
            typer.Option(
                min=0.01,
                max=1,
                help="Of lookback_rnn: sample each choice from the likeliest of this share.",
            ),
        ] = None,
        form: Annotated[
            str,
            typer.Option(
                help="Of latent_musegan: a letter for each section, such as AABA. Without it the "
                "form is sampled."
            ),
        ] = "",
        npz: Annotated[bool, typer.Option("--npz", help="Also write .npz for pypianoroll.")] = (
            False
        ),
        soundfont: Annotated[Path | None, typer.Option(help="Your own .sf2 to play with.")] = None,
    ) -> Iterator[Path]:
        from musegen.files.song import write_song
        from musegen.model import Model
        from musegen.steering import Steering

        model = Model.load(run, device)
        steering = Steering(temperature=temperature, top_p=nucleus, form=form)
        to.mkdir(parents=True, exist_ok=True)
        for roll in model.sample(count, bars, seed, tempo_bpm, steering):
            yield from write_song(roll, to, npz=npz, soundfont=soundfont)


def _grid(meter: str, steps_per_quarter: int) -> dict[str, int]:
    """Return the bar of a grid from its metre, such as 6/8."""
    import re

    from core.errors import ConfigError

    signature = re.fullmatch(r"([1-9]\d?)/(1|2|4|8|16)", "4/4" if meter == "any" else meter)
    if not signature:
        raise ConfigError(f"'{meter}' is no metre: --meter 3/4, 6/8 or any, for example")
    beats, unit = map(int, signature.groups())
    if 4 * steps_per_quarter % unit:
        raise ConfigError(
            f"{steps_per_quarter} steps of a quarter note do not divide into notes of 1/{unit}: "
            f"--steps-per-beat {max(unit // 4, 1) * (1 + steps_per_quarter // max(unit // 4, 1))}"
        )
    steps = 4 * steps_per_quarter // unit
    return {"steps_per_beat": steps, "beats_per_bar": beats, "beat_unit": unit}


music = group_of(MusicCommands())
