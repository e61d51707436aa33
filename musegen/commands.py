"""The commands of music, from files to songs.

Each imports what it needs inside itself, so that --help is quick.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.app.commands import (
    Back,
    Device,
    DryRun,
    Jobs,
    Json,
    Minutes,
    MinutesEach,
    Models,
    Other,
    PointCount,
    Preset,
    Report,
    RunFolder,
    Seed,
    Set,
    Steps,
    Strength,
    StrictOption,
    Translator,
    budget,
    monitored,
    print_config,
    show_comparison,
    show_report,
    ticking,
)

music = typer.Typer(
    help="Songs: prepare, train, sample, evaluate, and more.", no_args_is_help=True
)


@music.command()
def prepare(
    to: Annotated[Path, typer.Option(help="Folder to write the prepared collection to.")],
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Folders, files, patterns, .zip or .tar.gz of MIDI.", show_default=False
        ),
    ] = None,
    tracks: Annotated[str, typer.Option(help="lakh, voices, quartet, or a YAML file.")] = "lakh",
    steps_per_beat: Annotated[int, typer.Option(min=1, help="12 keeps triplets.")] = 12,
    beats_per_bar: Annotated[int, typer.Option(min=1, help="Quarter notes of a bar.")] = 4,
    meter: Annotated[
        Literal["kept", "any"],
        typer.Option(help="kept: only bars of that metre. any: divide the beats of all anew."),
    ] = "kept",
    bars: Annotated[int, typer.Option(min=1, help="Bars of a phrase.")] = 4,
    hop: Annotated[int, typer.Option(min=1, help="Bars from one phrase to the next.")] = 1,
    min_tracks: Annotated[int, typer.Option(min=1, help="Tracks that sound in a phrase.")] = 3,
    lpd: Annotated[bool, typer.Option("--lpd", help="Read .npz of the Lakh Pianoroll.")] = False,
    band: Annotated[int | None, typer.Option(min=1, help="Songs by the band, no sources.")] = None,
    style: Annotated[
        str | None, typer.Option(help="Of the band: pop, rock, ballad, funk, bossa or swing.")
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    strict: StrictOption = False,
    settings: Set = None,
) -> None:
    """Read songs into a collection to train on.

    Each file is kept, or named in TO/rejects.jsonl with its reason.
    The same command goes on where it was stopped.

    pianoreel music prepare ~/midi songs.zip --to data/mine

    pianoreel music prepare quartets/ --tracks quartet --min-tracks 2 --to data/quartets

    pianoreel music prepare --band 200 --to data/band
    """
    from core.config import override, resolve
    from core.errors import ConfigError
    from musegen.data import preparation as data
    from musegen.tracks import track_list

    if bool(sources) == bool(band):
        raise ConfigError("give either SOURCES or --band N")
    if style and not band:
        raise ConfigError("--style is the band's: give --band N with it")
    chosen = {
        "grid": {"steps_per_beat": steps_per_beat, "beats_per_bar": beats_per_bar},
        "tracks": [track.model_dump(mode="json") for track in track_list(tracks)],
        "meter": meter,
        "bars": bars,
        "hop": hop,
        "min_tracks": min_tracks,
        "seed": seed,
    }
    config = resolve(data.PrepareConfig, override(chosen, settings or []), "music prepare")
    workers = jobs or os.cpu_count() or 1
    with ticking("reading") as tick:
        if band:
            summary = data.prepare_band(band, to, config, style=style, jobs=workers, tick=tick)
        else:
            summary = data.prepare(sources or [], to, config, lpd=lpd, jobs=workers, tick=tick)
    print("\n".join(summary.lines))
    raise typer.Exit(int(strict and bool(summary.rejects)))


@music.command()
def train(
    data: Annotated[Path, typer.Argument(help="A collection, as `prepare` writes it.")],
    to: RunFolder,
    model: Annotated[
        str, typer.Option(help="musegan, notes, or one that `models` lists.")
    ] = "musegan",
    wiring: Annotated[
        Literal["composer", "jamming", "hybrid"] | None,
        typer.Option(help="Who hears which part of z."),
    ] = None,
    preset: Preset = "small",
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = 0,
    other: Other = None,
    device: Device = "auto",
    settings: Set = None,
    dry_run: DryRun = False,
) -> None:
    """Train a model. Ctrl-C saves and stops; the same command goes on.

    pianoreel music train data/mine --to runs/mine --minutes 60

    pianoreel music train data/mine --to runs/jam --model musegan --wiring jamming --preset base

    pianoreel music train data/mine --to runs/vae --model vae --set train.batch_size=32

    pianoreel music train data/bach --other data/pop --model cyclegan --to runs/bach
    """
    from musegen.data.collection import Collection
    from musegen.model import configure
    from musegen.model import train as train_model

    collection = Collection.open(data)
    second = Collection.open(other) if other else None
    assignments = [*budget(steps, minutes), f"train.seed={seed}", *(settings or [])]
    if dry_run:
        print_config(configure(collection, model, wiring, preset, assignments, second))
        return
    with monitored() as monitor:
        train_model(collection, to, model, wiring, preset, device, assignments, second, monitor)
    print(f"trained: {to}; hear it with pianoreel music sample {to} --to songs")


@music.command()
def sample(
    run: Annotated[
        str | None, typer.Argument(help="A run's folder; without it the weights that ship.")
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("songs"),
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Songs to make.")] = 8,
    seed: Seed = 0,
    bars: Annotated[int, typer.Option(min=1, max=1024, help="Bars of a song.")] = 16,
    tempo_bpm: Annotated[float, typer.Option(min=10, max=400, help="Beats a minute.")] = 120.0,
    npz: Annotated[bool, typer.Option("--npz", help="Also write .npz for pypianoroll.")] = False,
    soundfont: Annotated[Path | None, typer.Option(help="Your own .sf2 to play with.")] = None,
    device: Device = "auto",
) -> None:
    """Make songs: .mid, .wav and .png of each.

    pianoreel music sample --count 8 --seed 1 --to songs

    pianoreel music sample runs/mine --bars 32 --tempo-bpm 96 --to songs
    """
    from musegen.files.song import write_song
    from musegen.model import Model

    rolls = Model.load(run, device).sample(count, bars, seed, tempo_bpm)
    to.mkdir(parents=True, exist_ok=True)
    for roll in rolls:
        for path in write_song(roll, to, npz=npz, soundfont=soundfont):
            print(path)


@music.command()
def evaluate(
    against: Annotated[Path, typer.Option(help="The collection to measure against.")],
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[RUN|FOLDER]", help="A run, or a folder of MIDI files."),
    ] = None,
    count: Annotated[int, typer.Option(min=2, max=10_000, help="Phrases to sample.")] = 256,
    seed: Seed = 0,
    beside: Annotated[
        list[str] | None,
        typer.Option(help="Another run or folder to measure; repeatable."),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(help="Another collection, measured beside it; what a translation is given."),
    ] = None,
    to: Report = None,
    json: Json = False,
    device: Device = "auto",
) -> None:
    """Measure made music beside real songs. Without RUN the weights that ship.

    pianoreel music evaluate runs/mine --against data/mine --to report

    pianoreel music evaluate songs/ --against data/mine --other data/chorales
    """
    from musegen.data.collection import Collection
    from musegen.measures import evaluation, scorecard

    data = Collection.open(against)
    subjects = [subject, *(beside or [])]
    real = Collection.open(other) if other else None
    made = [evaluation.load_generated(one, data, count, seed, device, real) for one in subjects]
    report = evaluation.evaluate(made[0], data, made[1:], real, seed)
    show_report(report, scorecard, to, json)


@music.command()
def compare(
    data: Annotated[Path, typer.Argument(help="A collection, as `prepare` writes it.")],
    to: Annotated[Path, typer.Option(help="Folder for the runs, the tables and the picture.")],
    models: Models = None,
    preset: Preset = "small",
    steps: Steps = None,
    minutes: MinutesEach = None,
    count: Annotated[int, typer.Option(min=2, max=10_000, help="Phrases to sample.")] = 256,
    seed: Seed = 0,
    other: Other = None,
    device: Device = "auto",
    settings: Set = None,
) -> None:
    """Train models for the same time on the same songs, and measure them side by side.

    pianoreel music compare data/mine --minutes 10 --to comparison

    pianoreel music compare data/mine --model vae --model vq_vae --minutes 30 --to comparison

    The same command goes on where it was stopped.
    """
    from core.app.comparison import contenders, train_each
    from musegen.data.collection import Collection
    from musegen.files.picture import draw_phrases
    from musegen.measures import evaluation, scorecard
    from musegen.model import DOMAIN, Model
    from musegen.model import train as train_model

    collection = Collection.open(data)
    second = Collection.open(other) if other else None
    assignments = [*budget(steps, minutes), f"train.seed={seed}", *(settings or [])]

    def train(name: str, folder: Path) -> Model:
        source = second if DOMAIN.is_translation(name) else None
        with monitored() as monitor:
            train_model(
                collection, folder, name, None, preset, device, assignments, source, monitor
            )
        return Model.load(folder, device)

    names = contenders(DOMAIN, models or [], bool(second))
    trained = train_each(names, to / "runs", train)
    made = [evaluation.generate(model, collection, count, seed, second) for model in trained]
    report = evaluation.evaluate(made[0], collection, made[1:], second, seed)
    shown = [model.rolls(one.phrases[:1])[0] for model, one in zip(trained, made, strict=True)]
    draw_phrases(shown, to / "models.png")
    tables = [scorecard.distances(report)]
    show_comparison(trained, to / "runs", report, tables, "models.png", to)


Told = Annotated[
    list[str],
    typer.Argument(
        metavar="[RUN] PLACE...",
        help="A run's folder (else the musegan that ships), then MIDI files or seeds' numbers.",
        show_default=False,
    ),
]
Songs = Annotated[Path, typer.Option(help="Folder to write to.")]


@music.command()
def interpolate(
    told: Told,
    places: PointCount = 9,
    to: Songs = Path("songs"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Walk from one phrase to another one, as one song: two seeds, or two of your own files.

    pianoreel music interpolate 1 2 --to songs

    pianoreel music interpolate runs/vae calm.mid wild.mid --places 16 --to songs

    Files need a model with an encoder, as --model vae trains one.
    """
    from core.app.latent import slerp
    from musegen.latent_points import open_model, points_of, write_points

    model, (first, last) = open_model(told, 2, device)
    path = slerp(points_of(model, first)[:1], points_of(model, last)[:1], places)
    write_points(model, path, "path", to, seed)


@music.command()
def arithmetic(
    told: Told, to: Songs = Path("songs"), seed: Seed = 0, device: Device = "auto"
) -> None:
    """A - B + C: what the first phrase has beyond the second one, added to the third.

    pianoreel music arithmetic 1 2 3 --to songs

    pianoreel music arithmetic runs/vae busy.mid calm.mid mine.mid --to songs
    """
    from core.app.latent import arithmetic as combined
    from musegen.latent_points import open_model, points_of, write_points

    model, phrases = open_model(told, 3, device)
    a, b, c = (points_of(model, phrase)[:1] for phrase in phrases)
    write_points(model, combined(a, b, c), "sum", to, seed)


@music.command()
def reconstruct(
    told: Annotated[
        list[str],
        typer.Argument(
            metavar="[RUN] SONG...",
            help="A run's folder (else the musegan that ships), then MIDI files.",
            show_default=False,
        ),
    ],
    to: Songs = Path("songs"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Let your own songs pass through the latent space: what a model keeps of them.

    pianoreel music reconstruct runs/vae song.mid --to songs
    """
    from musegen.latent_points import open_model, write_beside

    model, songs = open_model(told, None, device)
    for song in songs:
        write_beside(model, Path(song), to, "again", lambda heard: model.reconstruct(heard, seed))


@music.command()
def translate(
    run: Translator,
    songs: Annotated[list[Path], typer.Argument(help="MIDI files.")],
    back: Back = False,
    to: Songs = Path("songs"),
    device: Device = "auto",
) -> None:
    """Bring songs of one collection into the manner of another, bar by bar.

    pianoreel music train data/bach --other data/pop --model cyclegan --to runs/bach

    pianoreel music translate runs/bach pop.mid --to songs

    pianoreel music translate runs/bach chorale.mid --back --to songs
    """
    from musegen.latent_points import write_beside
    from musegen.model import Model

    model = Model.load(run, device)
    for song in songs:
        write_beside(model, song, to, "translated", lambda heard: model.translate(heard, back))


@music.command()
def vary(
    told: Told,
    strength: Strength = 0.3,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Variations.")] = 4,
    to: Songs = Path("songs"),
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Make variations of a phrase: of a seed, or of the first phrase of your own file.

    pianoreel music vary 1 --strength 0.2 --count 8 --to songs
    """
    from core.app.latent import variations
    from musegen.latent_points import open_model, points_of, write_points

    model, (phrase,) = open_model(told, 1, device)
    around = variations(points_of(model, phrase)[:1], strength, count, seed)
    for number in range(count):
        write_points(model, around[number : number + 1], f"variation-{number + 1}", to, seed)
