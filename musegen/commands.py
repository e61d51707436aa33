"""The commands of music. Each imports what it needs when it runs, so that --help is quick."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.app.commands.command import OptionCommand
from core.app.commands.domain import DomainCommands
from core.app.commands.group import group_of
from core.app.commands.options import MAKE, Device, Json, RunArgument, Seed, Set, Shard
from core.app.commands.printing import print_paths
from core.app.output import Output
from core.app.progress import followed

if TYPE_CHECKING:
    from core.app.evaluation import Evaluation
    from core.app.latent_commands import Reader
    from musegen.data.collection import Collection
    from musegen.domain import Music
    from musegen.files.song import SongOutput
    from musegen.playing.orchestra import Orchestra
    from musegen.playing.voice import Voice

PICKUP_HELP = (
    "Quarter notes of a pickup, if no time signature marks it. They are left out, and bars "
    "begin after them."
)

YOUR_SONGS, STEERING = "Your own songs", "Steering"
"""The panels of options in the help of `sample`."""

Soundfont = Annotated[Path | None, typer.Option(help="Your own soundfont (.sf2) to play with.")]
Voices = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[TRACK=]VOICE",
        help="Play one track, or all but the drums, in a voice: a run of voices (RUN:3 is "
        "its timbre 3), an .sfz, or an .sf2 (FILE.sf2:violin is one of its "
        "instruments). Repeatable.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace other songs of the same names.")
]


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
            "train data/mine --to runs/with-piano --model musegan --given piano",
            "train data/mine --to runs/vae --model vae --set train.batch_size=32",
            "train data/bach --other data/pop --model cyclegan --to runs/bach",
        ),
        "sample": (
            "sample --count 8 --seed 1 --to songs",
            "sample runs/mine --bars 32 --tempo-bpm 96 --only mid,mp3 --to songs",
            "sample --given song.mid --keep drums,piano --tracks bass --to songs",
            "sample --given song.mid --fill 5-8 --to songs",
            "sample --continue song.mid --bars 8 --ending --to songs",
            'sample latent_musegan --key "A minor" --best-of 16 --to songs',
            "sample --count 1 --stems --programs 'bass=38,piano=electric piano' --to songs",
            "sample --count 1 --voice bass=runs/voice:3 --only mid,mp3 --to songs",
        ),
        "evaluate": (
            "evaluate runs/mine --against data/mine --to report",
            "evaluate songs/ --against data/mine --other data/chorales",
            "evaluate runs/jam --against data/mine --paper",
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
        "vary": ("vary 1 --strength 0.2 --count 8 --only mid --to songs",),
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
                help="Folders, files, patterns, .zip or .tar.gz of MIDI or MusicXML.",
                show_default=False,
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
                help="Read only bars of this metre, such as 3/4 or 7/8. any: divide all "
                "beats into bars of 4/4."
            ),
        ] = "4/4",
        pedal: Annotated[
            bool, typer.Option(help="Let notes sound until the pedal that holds them is released.")
        ] = True,
        pickup: Annotated[
            float,
            typer.Option(min=0, help=PICKUP_HELP),
        ] = 0.0,
        bars: Annotated[int, typer.Option(min=1, help="Bars of a phrase.")] = 16,
        hop: Annotated[int, typer.Option(min=1, help="Bars from one phrase to the next.")] = 1,
        min_tracks: Annotated[
            int, typer.Option(min=1, help="Tracks that must sound in a phrase.")
        ] = 3,
        lpd: Annotated[
            bool, typer.Option("--lpd", help="Read .npz files of the Lakh Pianoroll Dataset.")
        ] = False,
        band: Annotated[
            int | None,
            typer.Option(min=1, help="Let the procedural band compose this many songs."),
        ] = None,
        style: Annotated[
            str | None,
            typer.Option(help="With --band: pop, rock, ballad, funk, bossa or swing."),
        ] = None,
        shard: Shard = None,
        seed: Seed = 0,
        settings: Set = None,
    ) -> Any:
        from core.config import override, resolve
        from core.data.preparation import Part
        from core.errors import ConfigError
        from musegen.data import preparation
        from musegen.data.records import grid_settings
        from musegen.tracks import track_list

        if bool(sources) == bool(band):
            raise ConfigError("give either SOURCES or --band N")
        if lpd and band:
            raise ConfigError("--lpd is for files: give SOURCES instead of --band N")
        if pickup and (band or lpd):
            raise ConfigError("--pickup is for MIDI files")
        if shard and band:
            raise ConfigError("--shard is for files: the band's songs are composed at once")
        if style and not band:
            raise ConfigError("--style is the band's: give --band N with it")
        chosen = {
            "grid": grid_settings(meter, steps_per_beat),
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
        files = (sources or [], to)
        if shard:
            part = Part.parse(shard)
            return preparation.prepare_part(*files, part, config, lpd=lpd, jobs=jobs, tick=tick)
        return preparation.prepare(*files, config, lpd=lpd, jobs=jobs, tick=tick)

    def open_data(
        self,
        preset: str,
        data: Annotated[Path, typer.Argument(help="A collection that `prepare` wrote.")],
    ) -> "Collection":
        return self.domain().open(data)

    def train_options(
        self,
        wiring: Annotated[
            Literal["composer", "jamming", "hybrid"] | None,
            typer.Option(help="For MuseGAN: which parts of z the players share."),
        ] = None,
        given: Annotated[
            str,
            typer.Option(
                help="For MuseGAN: tracks that are given, such as piano,drums. The model "
                "learns to add the others."
            ),
        ] = "",
    ) -> list[str]:
        sizes = ("musegan", "bar_latents") if wiring else ()
        wired = [f"model.{size}.wiring={wiring}" for size in sizes]
        return [*wired, *([f"model.musegan.given=[{given}]"] if given else [])]

    def use(self, trained: Any, run: str) -> str:
        if not trained.parts.given:
            return super().use(trained, run)
        kept = f"--given song.mid --keep {trained.given_names}"
        return f"have it accompany your songs with: pianoreel music sample {run} {kept}"

    def completed(
        self,
        evaluation: "Evaluation",
        paper: Annotated[
            bool,
            typer.Option(
                "--paper",
                help="Also print the tables of MuseGAN's papers, with these songs measured "
                "by their definitions.",
            ),
        ] = False,
    ) -> "Evaluation":
        from musegen.measures import published

        return evaluation.followed_by(published.tables) if paper else evaluation

    def reader(
        self,
        items: Sequence[str],
        pickup: Annotated[float, typer.Option(min=0, help=PICKUP_HELP)] = 0.0,
    ) -> "Reader":
        from core.app.latent_commands import names_file
        from core.errors import ConfigError

        domain = self.domain()
        if pickup and not any(names_file(domain, item) for item in items):
            raise ConfigError("--pickup is for a song of yours: give a MIDI file with it")
        return partial(domain.read, pickup_beats=pickup)

    def output(
        self,
        to: Path,
        device: str,
        only: Annotated[
            str,
            typer.Option(help="Formats to write: any of mid, png, wav, flac, mp3, ogg, musicxml."),
        ] = "mid,wav,png",
        npz: Annotated[bool, typer.Option("--npz", help="Also write .npz for pypianoroll.")] = (
            False
        ),
        stems: Annotated[
            bool,
            typer.Option(
                "--stems", help="Also write each track alone. Their sounds add up to the song."
            ),
        ] = False,
        programs: Annotated[
            str,
            typer.Option(
                metavar="TRACK=SOUND,...",
                help="Other sounds, by General MIDI's numbers from 0 or by name, such as "
                "bass=38,piano=electric piano,drums=jazz.",
            ),
        ] = "",
        soundfont: Soundfont = None,
        voice: Voices = None,
        overwrite: Overwrite = False,
    ) -> Output:
        from core.app.output import read_formats
        from musegen.files.programs import read_programs
        from musegen.files.song import FORMATS, SongOutput

        formats = (*read_formats([only], FORMATS, "songs"), *(("npz",) if npz else ()))
        options = {"--soundfont": soundfont, "--voice": voice, "--stems": stems}
        _require_use({**options, "--programs": programs}, formats)
        if "musicxml" in formats:
            from musegen.notation.writing import require_music21

            require_music21()
        sounds = read_programs(programs)
        players = _orchestra(soundfont, voice, device)
        return SongOutput(to, formats, stems, sounds, players, overwrite=overwrite)

    def sample(
        self,
        to: "SongOutput",
        seed: int,
        device: str,
        run: RunArgument = None,
        count: Annotated[int, typer.Option(min=1, max=10_000, help="Songs to sample.")] = 8,
        bars: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=1024,
                help="Bars of a new song (default: 16), or to add after or between your "
                "songs (default: 8).",
                show_default=False,
            ),
        ] = None,
        given: Annotated[
            Path | None,
            typer.Option(
                help="Your song, with --keep or --fill to say what stays.",
                rich_help_panel=YOUR_SONGS,
            ),
        ] = None,
        keep: Annotated[
            str,
            typer.Option(
                help="With --given: the tracks that stay, such as piano,drums. The others "
                "are composed.",
                rich_help_panel=YOUR_SONGS,
            ),
        ] = "",
        fill: Annotated[
            str,
            typer.Option(
                help="With --given: the bars to compose, such as 5-8. The others stay.",
                rich_help_panel=YOUR_SONGS,
            ),
        ] = "",
        continued: Annotated[
            Path | None,
            typer.Option(
                "--continue", help="Your song, to be continued.", rich_help_panel=YOUR_SONGS
            ),
        ] = None,
        between: Annotated[
            tuple[Path, Path] | None,
            typer.Option(
                help="Two of your songs, to be joined by new bars that lead from one to the "
                "other.",
                rich_help_panel=YOUR_SONGS,
                show_default=False,
            ),
        ] = None,
        remixed: Annotated[
            Path | None,
            typer.Option(
                "--remix",
                help="Your song, with its sections A, B ... in the order of --form. Other "
                "letters are composed.",
                rich_help_panel=YOUR_SONGS,
            ),
        ] = None,
        section_bars: Annotated[
            int | None,
            typer.Option(
                min=1,
                help="With --remix: bars of a section (default: 4).",
                rich_help_panel=YOUR_SONGS,
                show_default=False,
            ),
        ] = None,
        pickup: Annotated[
            float,
            typer.Option(
                min=0,
                help=PICKUP_HELP,
                rich_help_panel=YOUR_SONGS,
            ),
        ] = 0.0,
        tracks: Annotated[
            str,
            typer.Option(
                help="Compose only these tracks, such as drums,bass.", rich_help_panel=STEERING
            ),
        ] = "",
        form: Annotated[
            str,
            typer.Option(
                help="A letter for each section, such as AABA; auto: as learned.",
                rich_help_panel=STEERING,
            ),
        ] = "auto",
        key: Annotated[
            str,
            typer.Option(
                help='A key, such as "A minor" or F#; without it, as learned.',
                rich_help_panel=STEERING,
            ),
        ] = "",
        scale_strength: Annotated[
            float,
            typer.Option(
                min=0,
                max=1,
                help="With --key: 1 allows no other notes; 0 only transposes new songs.",
                rich_help_panel=STEERING,
            ),
        ] = 1.0,
        density: Annotated[
            str,
            typer.Option(
                help="How many notes: low, normal, high, or a factor from 0.25 to 4.",
                rich_help_panel=STEERING,
            ),
        ] = "normal",
        ending: Annotated[
            bool,
            typer.Option(
                "--ending", help="Thin out and close on the tonic.", rich_help_panel=STEERING
            ),
        ] = False,
        tempo_bpm: Annotated[
            float | None,
            typer.Option(
                min=10,
                max=400,
                help="Tempo in beats a minute; without it, that of your song, or of one of "
                "the training songs.",
                rich_help_panel=STEERING,
            ),
        ] = None,
        temperature: Annotated[
            float | None,
            typer.Option(
                min=0.01,
                help="Above the model's own value songs are more daring, below it more usual.",
                rich_help_panel=STEERING,
            ),
        ] = None,
        top_p: Annotated[
            float | None,
            typer.Option(
                min=0.01,
                max=1,
                help="Sample each choice only from the likeliest ones, which together have "
                "this probability.",
                rich_help_panel=STEERING,
            ),
        ] = None,
        best_of: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=256,
                help="Sample this many of each song, and keep the one that sounds most real; "
                "1 takes the first. Without it, each song is drawn from a few, more "
                "often one that sounds real.",
                rich_help_panel=STEERING,
            ),
        ] = None,
        against: Annotated[
            Path | None,
            typer.Option(
                help="The collection that your run was trained on. Needed once if its "
                "training was stopped: it shows what real songs are like.",
                rich_help_panel=STEERING,
            ),
        ] = None,
        binarisation: Annotated[
            Literal["stochastic", "deterministic", "probability"] | None,
            typer.Option(
                help="For musegan: neurons fire at random or by rounding, or notes of a "
                "probability above one half are kept. Without it, as in training.",
                rich_help_panel=STEERING,
            ),
        ] = None,
    ) -> Iterator[Path]:
        from core.errors import ConfigError
        from musegen.composition.composition import Composition
        from musegen.composition.judge import judge_of
        from musegen.composition.request import Request
        from musegen.files.song import write_song
        from musegen.model import Model
        from musegen.steering import Steering, density_of
        from musegen.tonality import Key

        if scale_strength < 1 and not key:
            raise ConfigError("--scale-strength is for --key: name the key with it")
        several = best_of is not None and best_of > 1
        if against and best_of == 1:
            raise ConfigError("--against is for several samples: leave out --best-of 1")
        domain, model = self.domain(), Model.load(run, device)
        to.require_tracks(model.spec.tracks)
        letters = "" if form == "auto" else form
        request = Request(
            given=given,
            keep=_names(keep),
            fill=fill,
            continued=continued,
            between=between,
            remixed=remixed,
            tracks=_names(tracks),
            bars=bars,
            form=letters,
            section_bars=section_bars,
            pickup_beats=pickup,
        )
        steering = Steering(
            temperature=temperature,
            top_p=top_p,
            key=Key.parse(key) if key else None,
            scale_strength=scale_strength,
            density=density_of(density),
            binarisation=binarisation,
            form="" if remixed else letters,
        )
        if several or against:
            model.judge = judge_of(model, domain.folder(run), against)
        composition = Composition(model, request, steering, tempo_bpm, ending, best_of)
        composition.require()
        if model.is_unjudged and best_of is None and not composition.draft.kept.any():
            typer.echo(
                f"{model.name}: songs are first samples, since it has no judge yet. A finished "
                "training fits one, and so does --against DATA, once",
                err=True,
            )
        for label in composition.labels(count, seed):
            to.require_free(label)
        to.create()
        for roll in followed("composing bars", partial(composition.each_song, count, seed)):
            yield from write_song(roll, to)
        if best_of and several:
            typer.echo(f"best of {best_of}: {1 - 1 / best_of:.0%} of songs thrown away", err=True)


def _require_use(options: Mapping[str, object], formats: tuple[str, ...]) -> None:
    """Raise `ConfigError` for a given option that would change none of the files."""
    from core.errors import ConfigError
    from musegen.files.audio import FORMATS as SOUNDS

    users = {"--soundfont": SOUNDS, "--voice": SOUNDS, "--stems": ("mid", *SOUNDS)}
    for option, value in options.items():
        kinds = users.get(option, ("mid", *SOUNDS, "npz", "musicxml"))
        if value and not {*kinds} & {*formats}:
            raise ConfigError(f"{option} changes none of these files: add {kinds[0]} to --only")


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


music = group_of(MusicCommands())


@music.command(cls=OptionCommand, rich_help_panel=MAKE)
def render(
    song: Annotated[Path, typer.Argument(help="A MIDI file.", show_default=False)],
    to: Annotated[
        Path | None,
        typer.Option(
            help="The sound file: .wav, .flac, .mp3 or .ogg.",
            show_default="the song's name as .wav",
        ),
    ] = None,
    soundfont: Soundfont = None,
    voice: Voices = None,
    overwrite: Overwrite = False,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Play a MIDI file to a sound file, note for note, with a soundfont or in a voice.

    It follows volume, expression, panning and pitch bends. Tracks are called drums, piano,
    guitar, bass and strings; others have their own names.

    pianoreel music render song.mid --to song.wav

    pianoreel music render song.mid --voice runs/voice:3 --to song.mp3

    pianoreel music render song.mid --voice bass=FILE.sf2:38 --to song.mp3
    """
    from musegen.playing.rendering import write_rendering

    path = to or Path(f"{song.stem}.wav")
    players = _orchestra(soundfont, voice, device)
    print_paths([write_rendering(song, path, players, overwrite)], json)


def _orchestra(
    soundfont: Path | None, voices: list[str] | None, device: str
) -> "Orchestra | None":
    """Return who plays, runs of voices on a device; None where it is the default soundfont."""
    from musegen.playing.opening import open_voices
    from musegen.playing.orchestra import Orchestra

    if not (soundfont or voices):
        return None
    return Orchestra(soundfont, open_voices(voices or [], partial(open_run, device=device)))


def open_run(run: str, seed: int, device: str = "auto") -> "Voice":
    """Return the timbre of a seed, of a run of voices or of weights that ship."""
    from musegen.voice.model import Model

    return Model.load(run, device).voice(seed)
