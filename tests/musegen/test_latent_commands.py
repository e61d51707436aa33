"""Seeds and songs as places: what is read, what is refused, what commands write."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from command import run
from handmade import control, midi, name, note, program, signature

from core.app import latent_commands
from core.app.latent_commands import place
from core.app.output import Output
from musegen.data.collection import Collection
from musegen.data.preparation import PrepareConfig, prepare_band
from musegen.files.midi import origin_of, read_midi, write_midi
from musegen.files.song import SongOutput
from musegen.model import DOMAIN, Model, train
from musegen.roll import Grid, Notes, Roll


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    folder = tmp_path_factory.mktemp("data") / "band"
    prepare_band(3, folder, PrepareConfig(grid=Grid(steps_per_beat=4), bars=3))
    return Collection.open(folder)


@pytest.fixture(scope="module")
def folder(data: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("runs") / "vae"
    train(data, to, "vae", "tiny", "cpu", ["train.steps=1"])
    return to


@pytest.fixture(scope="module")
def song(data: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four bars: a phrase of three, and one bar of another."""
    cells = np.concatenate(list(data.rolls(data.indices("train")[:2])), axis=1)[:, :4]
    path = tmp_path_factory.mktemp("song") / "song.mid"
    write_midi(Roll.of_cells(cells, data.tracks, data.grid, np.full(4, 120.0), "song"), path)
    return path


def test_a_song_is_as_many_places_as_it_has_phrases(folder: Path, song: Path):
    model = Model.load(folder, "cpu")
    points = place(model, str(song), 0)[0]
    assert len(points) == 2
    assert torch.equal(points.u, place(model, str(song), 0)[0].u)
    assert model.decode(points).shape == (2, 5, 3, 16, 84)
    one, repeated, other = (place(model, seed, 0)[0].u for seed in ("1", "1", "2"))
    assert torch.equal(one, repeated)
    assert not torch.equal(one, other)


def test_the_commands_write_a_song(folder: Path, song: Path, tmp_path: Path):
    arguments = {
        "interpolate": ["1", song, "--points", 3, "--only", "mid,png"],
        "arithmetic": [song, "1", "2", "--only", "mid"],
        "vary": [song, "--count", 2, "--only", "mid"],
        "reconstruct": [song],
    }
    songs = {"interpolate": 1, "arithmetic": 1, "vary": 2, "reconstruct": 1}
    for command, points in arguments.items():
        to = tmp_path / command
        code, said, complaint = run(
            "music", command, folder, *points, "--device", "cpu", "--to", to
        )
        assert code == 0 and (command == "reconstruct") == (complaint == "")
        assert sorted(map(Path, said.splitlines())) == sorted(to.iterdir())
        assert len(list(to.glob("*.mid"))) == songs[command]


def test_every_command_writes_the_formats_that_are_asked_for(
    folder: Path, song: Path, tmp_path: Path
):
    """The pictures of all songs together are left out with the others."""
    commands = {
        "interpolate": (["1", song], ["interpolation-1-song"]),
        "arithmetic": ([song, "1", "2"], ["arithmetic-song-1-2"]),
        "vary": ([song, "--count", 2], ["variation-song-1", "variation-song-2"]),
        "reconstruct": ([song], ["reconstruction-song"]),
    }
    for command, (points, names) in commands.items():
        options = ("--seed", 3, "--only", "mid", "--device", "cpu", "--to", tmp_path)
        code, said, complaint = run("music", command, folder, *points, *options)
        assert code == 0, complaint
        assert [Path(line).name for line in said.splitlines()] == [
            f"vae-seed3-{name}.mid" for name in names
        ]
    origin = origin_of(tmp_path / "vae-seed3-variation-song-1.mid")
    assert origin.endswith(": vae-seed3-variation-song-1, song.mid, strength 0.3")


@pytest.mark.parametrize(
    ("command", "seeds"),
    [("reconstruct", []), ("vary", []), ("interpolate", ["1"]), ("arithmetic", ["1", "2"])],
)
def test_a_song_begins_after_its_pickup(
    command: str, seeds: list[str], folder: Path, tmp_path: Path
):
    """A beat that no signature names stands before one of two files that are else the same."""
    beats = b"".join(note(48 + beat, 480) for beat in range(12))
    (tmp_path / "song.mid").write_bytes(midi(beats))
    (tmp_path / "late.mid").write_bytes(midi(note(40, 480) + beats))
    found = []
    for stem, pickup in (("song", 0), ("late", 1)):
        options = ("--pickup", pickup, "--only", "mid", "--device", "cpu", "--to", tmp_path / stem)
        arguments = (command, folder, tmp_path / f"{stem}.mid", *seeds, *options)
        code, said, complaint = run("music", *arguments)
        assert code == 0, complaint
        song = read_midi(Path(said.splitlines()[0]), grid=Grid(steps_per_beat=4))
        found.append(columns(song.notes))
    assert found[0] == found[1]
    assert "left out: a pickup of 1 quarter note, 1 note" in complaint


def test_a_song_counted_by_beats_is_read_in_bars_of_the_model(folder: Path, tmp_path: Path):
    path = tmp_path / "song.mid"
    path.write_bytes(midi(signature(1, 2), b"".join(note(48 + beat, 480) for beat in range(12))))
    options = ("--only", "mid", "--device", "cpu", "--to", tmp_path)
    code, _, complaint = run("music", "reconstruct", folder, path, *options)
    assert code == 1 and "most last only 1/4" in complaint
    assert run("music", "reconstruct", folder, path, "--meter", "any", *options)[0] == 0


@pytest.mark.parametrize("option", [("--pickup", 1), ("--meter", "any")])
def test_how_bars_are_counted_is_of_a_song(option: tuple[str, object]):
    code, _, complaint = run("music", "vary", "1", *option)
    said = f"error: {option[0]} is for a song of yours: give a MIDI file with it\n"
    assert (code, complaint) == (2, said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["note_transformer", "1", "2"], "note_transformer has no latent space: it is a density"),
        (["latent_musegan", "1", "nothing.mid"], "nothing.mid: there is no such file: correct"),
        (["latent_musegan", "1"], "give 2 songs after the run"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], said: str):
    code, _, complaint = run("music", "interpolate", *arguments)
    assert code in (1, 2)
    assert complaint.startswith("error: ")
    assert said in complaint


@pytest.fixture(scope="module")
def played(data: Collection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four bars that are played by 30, 31, 32 ... in order of time."""
    notes = data.notes(data.indices("train")[:1])[0]
    notes = replace(notes, velocity=30 + np.arange(len(notes)) % 90)
    path = tmp_path_factory.mktemp("played") / "played.mid"
    write_midi(Roll.of(notes, data.tracks, data.grid, np.full(4, 120.0), "played"), path)
    return path


def notes_in(path: Path, data: Collection) -> Notes:
    return read_midi(path, data.tracks, data.grid).notes


@pytest.mark.parametrize("change", ["reconstruct", "translate"])
def test_a_note_that_a_model_keeps_is_as_loud_as_before(
    change: str,
    folder: Path,
    played: Path,
    data: Collection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """The model returns what it is given, with the first bar taken out: the rest is unchanged."""

    def without_first_bar(model: Model, items: np.ndarray, *_: object) -> np.ndarray:
        return np.where(np.arange(items.shape[2])[:, None, None] == 0, 0, items).astype(np.uint8)

    monkeypatch.setattr(Model, change, without_first_bar)
    model, steps = Model.load(folder, "cpu"), data.grid.steps_per_bar
    written = {
        "reconstruct": lambda: latent_commands.reconstruct(model, played, Output(tmp_path), 0),
        "translate": lambda: latent_commands.translate(model, played, Output(tmp_path)),
    }[change]()
    found, real = notes_in(next(written), data), notes_in(played, data)
    kept = real[real.start >= steps]
    before = {(t, s, p): v for t, s, p, v in zip(*columns(kept), strict=True)}
    assert len(before) > 10
    after = {(t, s, p): v for t, s, p, v in zip(*columns(found), strict=True)}
    assert {key: after[key] for key in before} == before


def columns(of: Notes) -> list[list[int]]:
    return [c.tolist() for c in (of.track, of.start, of.pitch, of.velocity)]


def test_variations_and_ways_between_songs_are_played_as_the_nearer_song(
    folder: Path, song: Path, played: Path, data: Collection, tmp_path: Path
):
    """`song` is of velocity 100 alone, `played` of 30 to 119; a seed has none of its own."""
    model, to = Model.load(folder, "cpu"), SongOutput(tmp_path, overwrite=True)

    def loudness(paths: Iterator[Path]) -> tuple[set[int], set[int]]:
        notes = notes_in(next(paths), data)
        is_first = notes.start < 3 * data.grid.steps_per_bar
        return set(notes.velocity[is_first].tolist()), set(notes.velocity[~is_first].tolist())

    first, last = loudness(latent_commands.interpolate(model, str(song), str(played), 2, to, 0))
    assert first == {100} and len(last) > 3
    first, last = loudness(latent_commands.interpolate(model, "1", str(played), 2, to, 0))
    assert len(first) > 3 and len(last) > 3
    assert loudness(latent_commands.interpolate(model, "1", "2", 2, to, 0)) == ({100}, {100})
    assert len(loudness(latent_commands.vary(model, str(played), 0.5, 1, to, 0))[0]) > 3
    texts = ["1", "2", str(played)]
    assert len(loudness(latent_commands.arithmetic(model, texts, to, 0))[0]) > 3


@pytest.fixture(scope="module")
def latent() -> Model:
    return Model.load("latent_musegan", "cpu")


@pytest.fixture(scope="module")
def brought(latent: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song of five tracks, as if a user had brought it, that gets softer to its end."""
    (roll,) = latent.sample(bars=latent.spec.bars, seed=4, tempo_bpm=90)
    softer = 100 - 80 * roll.notes.start // roll.notes.start.max()
    path = tmp_path_factory.mktemp("brought") / "brought.mid"
    write_midi(replace(roll, notes=replace(roll.notes, velocity=softer)), path)
    return path


def velocities(path: Path, model: Model) -> dict[tuple[int, ...], int]:
    """Return the velocity of each note by (track, start, pitch)."""
    notes = read_midi(path, model.spec.tracks, model.spec.grid).notes
    return {(t, s, p): v for t, s, p, v in zip(*columns(notes), strict=True)}


def decoded(model: Model, u: torch.Tensor) -> dict[tuple[int, ...], int]:
    """Return the velocities that the decoder itself says at points, phrase after phrase."""
    found: dict[tuple[int, ...], int] = {}
    with torch.no_grad():
        x = model.networks["decoder"](u).rsample()
    for phrase, (_, onset, loud) in enumerate(x.transpose(1, 2)):
        for track, bar, step, pitch in onset.nonzero().tolist():
            at = (phrase * model.spec.bars + bar) * model.spec.grid.steps_per_bar + step
            found[track, at, pitch] = round(127 * loud[track, bar, step, pitch].item())
    return found


def test_a_song_is_played_as_loud_as_the_decoder_says(
    latent: Model, brought: Path, tmp_path: Path
):
    """By reconstruct, vary, interpolate and arithmetic; the tempo is still the song's."""
    model, text, to = latent, str(brought), SongOutput(tmp_path, ("mid",), overwrite=True)
    point, seeds = place(model, text, 0)[0], [place(model, str(n), 0)[0] for n in (1, 2)]
    varied = model.variations(point, 0.4, 1, 3).u
    written = {
        "reconstruct": (latent_commands.reconstruct(model, brought, to, 0), point.u),
        "vary": (latent_commands.vary(model, text, 0.4, 1, to, 3), varied),
        "interpolate": (
            latent_commands.interpolate(model, text, "1", 2, to, 0),
            torch.cat([point.u, seeds[0].u]),
        ),
        "arithmetic": (
            latent_commands.arithmetic(model, ["1", "2", text], to, 0),
            seeds[0].u - seeds[1].u + point.u,
        ),
    }
    for command, (paths, u) in written.items():
        path = next(paths)
        found = velocities(path, model)
        assert found == decoded(model, u), command
        tracks = {track for track, _, _ in found}
        for track in tracks:
            assert len({loud for (one, *_), loud in found.items() if one == track}) > 1, command
        assert len(tracks) >= 3
        first = read_midi(path, model.spec.tracks, model.spec.grid).tempo_bpm[0]
        assert first == pytest.approx(90, abs=0.01)


def test_the_encoder_hears_how_loud_a_song_is(latent: Model, brought: Path, tmp_path: Path):
    """A song that gets softer to its end, and the same notes at 100: other points."""
    notes = read_midi(brought, latent.spec.tracks, latent.spec.grid).notes
    even = replace(notes, velocity=np.full(len(notes), 100))
    tempo = np.full(latent.spec.bars, 90.0)
    roll = Roll.of(even, latent.spec.tracks, latent.spec.grid, tempo, "even")
    write_midi(roll, tmp_path / "even.mid")
    softer, loud = (
        latent.decode(place(latent, str(p), 0)[0]) for p in (brought, tmp_path / "even.mid")
    )
    last = [played.notes[0].velocity[-20:].mean() for played in (softer, loud)]
    assert last[0] < last[1] - 10


def with_parts(path: Path, *programs: int, before: bytes = b"") -> Path:
    """Write two bars of parts of some programs."""
    path.write_bytes(midi(before, *(program(one) + 8 * note(60, 480) for one in programs)))
    return path


def programs_in(path: Path, data: Collection) -> list[int]:
    """Return the first program of each track that a file has notes for."""
    song = read_midi(path, data.tracks, data.grid)
    return [programs[0] if programs else -1 for programs in song.claims.programs]


COMMANDS = {
    "vary": lambda m, path, to: latent_commands.vary(m, str(path), 0.0, 1, to, 0),
    "interpolate": lambda m, path, to: latent_commands.interpolate(m, "1", str(path), 2, to, 0),
    "arithmetic": lambda m, path, to: latent_commands.arithmetic(m, ["1", "2", str(path)], to, 0),
    "reconstruct": lambda m, path, to: latent_commands.reconstruct(m, path, to, 0),
    "translate": lambda m, path, to: latent_commands.translate(m, path, to),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_song_keeps_its_programs_and_its_losses_are_named(
    command: str,
    folder: Path,
    data: Collection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """An electric piano whose volume changes, a flute and a trumpet on one track."""
    path = with_parts(tmp_path / "mine.mid", 4, 73, 56, before=control(7, 90))
    everything = np.full((4, 5, 3, 16, 84), 2, np.uint8)  # a note of every track in every cell
    monkeypatch.setattr(Model, "from_x", lambda self, x: everything[: len(x)])
    if command == "translate":
        monkeypatch.setattr(Model, "translate", lambda self, items, back: everything[:1])
    to = SongOutput(tmp_path, ("mid",))
    written = next(COMMANDS[command](Model.load(folder, "cpu"), path, to))
    assert programs_in(written, data) == [0, 4, 24, 33, 73]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: Strings has parts of Flute, Trumpet: what is composed sounds as Flute",
        f"{path}: 8 notes double others on one pitch of a track, and are left out",
        f"{path}: not kept: volume. Your own project has them: put what is composed there",
    ]


def test_a_track_between_two_songs_sounds_as_in_the_first_one(
    folder: Path, data: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    first, last = (with_parts(tmp_path / f"{n}.mid", n) for n in (4, 5))
    to = SongOutput(tmp_path, ("mid",))
    model = Model.load(folder, "cpu")
    (written,) = latent_commands.interpolate(model, str(first), str(last), 2, to, 0)
    assert programs_in(written, data)[1] == 4
    assert [record.getMessage() for record in caplog.records] == [
        "Piano has the program 4 in 4 and 5 in 5, and sounds with 4 throughout: "
        "--programs piano=5 for the other"
    ]


def with_bars(path: Path, bars: int) -> Path:
    """Write a piano's whole notes."""
    path.write_bytes(midi(bars * note(60, 4 * 480)))
    return path


def sounds(*bars: int) -> np.ndarray:
    """Return phrases of 3 bars, each with a whole note of the piano in its first bars."""
    cells = np.zeros((len(bars), 5, 3, 16, 84), np.uint8)
    for phrase, count in zip(cells, bars, strict=True):
        phrase[1, :count, :, 36], phrase[1, :count, 0, 36] = 1, 2
    return cells


def bars_between(ends: list[str], decoded: np.ndarray, folder: Path, to: Path) -> int:
    """Return the bars of a song from one place to another that is decoded so."""
    model, output = Model.load(folder, "cpu"), SongOutput(to, ("mid",), overwrite=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "from_x", lambda self, x: decoded)
        first, last = ends
        (path,) = latent_commands.interpolate(model, first, last, len(decoded), output, 0)
    return read_midi(path, model.spec.tracks, model.spec.grid).bars


@pytest.mark.parametrize(
    ("first", "last", "decoded", "bars"),
    [
        (2, 2, (2, 3, 1), 6),  # songs of one length: what goes beyond it is cut
        (1, 3, (1, 2, 3), 6),  # each up to its last note
        (1, 2, (0, 3, 2), 1 + 2 + 2),  # neither shorter than one song nor longer than the other
        (1, 0, (1, 2, 3), 6),  # a seed's phrase is of 3 bars
        (0, 0, (1, 1, 1), 9),  # so are those between two
    ],
)
def test_what_is_between_short_songs_leaves_no_silent_bars(
    first: int, last: int, decoded: tuple[int, ...], bars: int, folder: Path, tmp_path: Path
):
    """Songs of so many bars, 0 for a seed, of a model of phrases of 3 bars."""
    texts = [
        str(with_bars(tmp_path / f"{place}.mid", count)) if count else "1"
        for place, count in (("first", first), ("last", last))
    ]
    assert bars_between(texts, sounds(*decoded), folder, tmp_path) == bars


@pytest.mark.parametrize("command", ["vary", "reconstruct"])
def test_a_changed_song_is_as_long_as_the_song(command: str, folder: Path, tmp_path: Path):
    """A song of 2 bars, of a model that plays in all 3 of a phrase."""
    path, to = with_bars(tmp_path / "mine.mid", 2), SongOutput(tmp_path, ("mid",))
    model = Model.load(folder, "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "from_x", lambda self, x: sounds(3)[[0] * len(x)])
        written = next(COMMANDS[command](model, path, to))
    assert read_midi(written, model.spec.tracks, model.spec.grid).bars == 2


def test_parts_of_a_song_that_have_names_alone_are_read_by_them(
    folder: Path, data: Collection, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """All three have the program of a piano, and are on a melodic channel."""
    path = tmp_path / "mine.mid"
    parts = ("Drum Kit", "Bass", "Grand Piano")
    path.write_bytes(midi(*(name(one) + 4 * note(40, 480) for one in parts)))
    (phrase,) = DOMAIN.read(Model.load(folder, "cpu"), path).items
    assert [cells.any() for cells in phrase] == [True, True, False, True, False]
    assert "are read by their names: 'Drum Kit' as drums, 'Bass' as bass. Where" in caplog.text
