"""The commands of music. Each imports what it needs when it runs, so that --help is quick."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from core.app.commands.domain import DomainCommands
from core.app.commands.options import (
    MAKE,
    CollectionFolder,
    Device,
    Json,
    Overwrite,
    RunArgument,
    Seed,
    Set,
    Shard,
)
from core.app.commands.printing import print_paths
from core.app.output import Output
from core.app.progress import followed
from core.config import comma_separated
from core.data.limits import Limits
from core.errors import ConfigError
from musegen.commands.options import (
    Band,
    BestOf,
    Between,
    Binarisation,
    ComposedTracks,
    Continued,
    Density,
    Ending,
    Fill,
    Form,
    Formats,
    Given,
    GivenTracks,
    Hop,
    ItemMeter,
    JudgedAgainst,
    Keep,
    KeyName,
    Lpd,
    MeterOption,
    MinTracks,
    Npz,
    Paper,
    Pedal,
    PhraseBars,
    Pickup,
    Programs,
    Remixed,
    ScaleStrength,
    SectionBars,
    SongBars,
    SongCount,
    SongFile,
    SongMeter,
    SongPickup,
    SoundFile,
    Soundfont,
    Sources,
    Stems,
    StepsPerBeat,
    Style,
    Temperature,
    TempoBpm,
    TopP,
    TrackList,
    Voices,
    Wiring,
)
from musegen.files import LIBRARIES

if TYPE_CHECKING:
    from core.app.evaluation import Evaluation
    from core.app.latent_commands import Reader
    from musegen.composition.composition import Composition
    from musegen.domain import Music
    from musegen.files.song import SongOutput
    from musegen.playing.orchestra import Orchestra
    from musegen.playing.voice import Voice


class MusicCommands(DomainCommands):
    """Songs, from MIDI files to MIDI files."""

    name = "music"
    libraries = LIBRARIES
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
        to: CollectionFolder,
        sources: Sources = None,
        tracks: TrackList = "lakh",
        steps_per_beat: StepsPerBeat = 12,
        meter: MeterOption = "4/4",
        pedal: Pedal = True,
        pickup: Pickup = 0.0,
        bars: PhraseBars = 16,
        hop: Hop = 1,
        min_tracks: MinTracks = 3,
        lpd: Lpd = False,
        band: Band = None,
        style: Style = None,
        shard: Shard = None,
        seed: Seed = 0,
        settings: Set = None,
    ) -> Any:
        from core.data.preparation import Part
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
        config = self.prepare_config(preparation.PrepareConfig, chosen, settings)
        if band:
            return preparation.prepare_band(band, to, config, style=style, jobs=jobs, tick=tick)
        files = (sources or [], to)
        if shard:
            part = Part.parse(shard)
            return preparation.prepare_part(*files, part, config, lpd=lpd, jobs=jobs, tick=tick)
        return preparation.prepare(*files, config, lpd=lpd, jobs=jobs, tick=tick)

    def train_options(self, wiring: Wiring = None, given: GivenTracks = "") -> list[str]:
        sizes = ("musegan", "bar_latents") if wiring else ()
        wired = [f"model.{size}.wiring={wiring}" for size in sizes]
        return [*wired, *([f"model.musegan.given=[{given}]"] if given else [])]

    def use(self, trained: Any, run: str) -> str:
        if not trained.parts.given:
            return super().use(trained, run)
        kept = f"--given song.mid --keep {trained.given_names}"
        return f"have it accompany your songs with: pianoreel music sample {run} {kept}"

    def completed(self, evaluation: "Evaluation", paper: Paper = False) -> "Evaluation":
        from musegen.measures import published

        return evaluation.followed_by(published.tables) if paper else evaluation

    def reader(
        self, items: Sequence[str], pickup: Pickup = 0.0, meter: ItemMeter = "kept"
    ) -> "Reader":
        from core.app.latent_commands import names_file

        domain = self.domain()
        if not any(names_file(domain, item) for item in items):
            for option, value in (("--pickup", pickup), ("--meter", meter == "any")):
                if value:
                    raise ConfigError(f"{option} is for a song of yours: give a MIDI file with it")
        return partial(domain.read, pickup_beats=pickup, meter=meter)

    def output(
        self,
        to: Path,
        device: str,
        only: Formats = "mid,wav,png",
        npz: Npz = False,
        stems: Stems = False,
        programs: Programs = "",
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
        orchestra = _orchestra(soundfont, voice, device)
        players = _players(soundfont, voice or ())
        return SongOutput(to, formats, stems, sounds, orchestra, players, overwrite=overwrite)

    def sample(
        self,
        to: "SongOutput",
        seed: int,
        device: str,
        run: RunArgument = None,
        count: SongCount = 8,
        bars: SongBars = None,
        given: Given = None,
        keep: Keep = "",
        fill: Fill = "",
        continued: Continued = None,
        between: Between = None,
        remixed: Remixed = None,
        section_bars: SectionBars = None,
        pickup: SongPickup = 0.0,
        meter: SongMeter = "kept",
        tracks: ComposedTracks = "",
        form: Form = "auto",
        key: KeyName = "",
        scale_strength: ScaleStrength = 1.0,
        density: Density = "normal",
        ending: Ending = False,
        tempo_bpm: TempoBpm = None,
        temperature: Temperature = None,
        top_p: TopP = None,
        best_of: BestOf = None,
        against: JudgedAgainst = None,
        binarisation: Binarisation = None,
    ) -> Iterator[Path]:
        from core.app.latent_commands import names_file
        from musegen.composition.composition import Composition
        from musegen.composition.judge import judge_of
        from musegen.composition.request import Request
        from musegen.model import Model
        from musegen.steering import Steering, density_of
        from musegen.tonality import Key

        if run and names_file(self.domain(), run):
            raise ConfigError(
                f"{run} names a file, and is no run: --given, --continue, --between and --remix "
                "compose with a song of yours"
            )
        if scale_strength < 1 and not key:
            raise ConfigError("--scale-strength is for --key: name the key with it")
        if against and best_of == 1:
            raise ConfigError("--against is for several samples: leave out --best-of 1")
        domain, model = self.domain(), Model.load(run, device)
        to.require_tracks(model.spec.tracks)
        letters = "" if form == "auto" else form
        request = Request(
            given=given,
            keep=tuple(comma_separated(keep)),
            fill=fill,
            continued=continued,
            between=between,
            remixed=remixed,
            tracks=tuple(comma_separated(tracks)),
            bars=bars,
            form=letters,
            section_bars=section_bars,
            pickup_beats=pickup,
            meter=meter,
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
        composition = Composition(model, request, steering, tempo_bpm, ending, best_of)
        if composition.chooses or against:
            model.judge = judge_of(model, domain.folder(run), against)
        yield from _write_songs(composition, count, seed, to)

    def further(self) -> Iterable[tuple[str, Callable[..., None]]]:
        return [(MAKE, render)]

    def limits(self) -> Mapping[str, Limits]:
        from musegen.files.limits import MusicLimits

        return {"music file": MusicLimits()}


def _write_songs(
    composition: "Composition", count: int, seed: int, to: "SongOutput"
) -> Iterator[Path]:
    """Compose songs and write each once it is sampled; yield the paths of its files."""
    from musegen.files.song import write_song

    composition.require()
    model, best_of = composition.model, composition.best_of
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
    if best_of and composition.chooses:
        kept = f"kept {count:,} of {count * best_of:,} songs: the best of {best_of} each"
        typer.echo(kept, err=True)


def _require_use(options: Mapping[str, object], formats: tuple[str, ...]) -> None:
    """Raise `ConfigError` for a given option that would change none of the files."""
    from musegen.files.audio import FORMATS as SOUNDS

    users = {"--soundfont": SOUNDS, "--voice": SOUNDS, "--stems": ("mid", *SOUNDS)}
    for option, value in options.items():
        kinds = users.get(option, ("mid", *SOUNDS, "npz", "musicxml"))
        if value and not {*kinds} & {*formats}:
            raise ConfigError(f"{option} changes none of these files: add {kinds[0]} to --only")


def render(
    song: SongFile,
    to: SoundFile = None,
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


def _players(soundfont: Path | None, voices: Iterable[str]) -> tuple[str, ...]:
    """Return the names of who plays, as the file of a song says them: without their folders.

    >>> _players(Path("/home/me/my.sf2"), ["bass=runs/flutes:3", "fluid:4"])
    ('my.sf2', 'bass=flutes:3', 'fluid:4')
    """
    named = (voice.partition("=") if "=" in voice else ("", "", voice) for voice in voices)
    played = (f"{track}{equals}{Path(source).name}" for track, equals, source in named)
    return (*[one.name for one in (soundfont,) if one], *played)


def open_run(run: str, seed: int, device: str = "auto") -> "Voice":
    """Return the timbre of a seed, of a run of voices or of weights that ship."""
    from musegen.voice.model import Model

    return Model.load(run, device).voice(seed)
