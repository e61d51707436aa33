"""Requests: which wishes go together, and which draft each one becomes."""

from pathlib import Path

import pytest
from handmade import midi, note, signature
from tunes import tune

from core.errors import ConfigError, UserError
from musegen.composition.request import ADDED_BARS, BARS, Request
from musegen.drafts.draft import Draft
from musegen.roll import Grid
from musegen.tracks import LAKH

GRID = Grid(steps_per_beat=4)
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Return a song of six bars for piano, guitar and bass."""
    path = tmp_path / "song.mid"
    path.write_bytes(tune(seed=3))
    return path


def drafted(request: Request) -> Draft:
    return request.draft(LAKH, GRID)


def composed(draft: Draft) -> list[list[int]]:
    """Return the open bars of each track, from 1."""
    return [[bar + 1 for bar in range(draft.bars) if not row[bar]] for row in draft.kept]


def test_nothing_given_is_a_new_song() -> None:
    assert composed(drafted(Request())) == [list(range(1, BARS + 1))] * 5
    draft = drafted(Request(bars=2, tracks=("drums", "bass")))
    assert composed(draft) == [[1, 2], [], [], [1, 2], []]


def test_kept_tracks_stay_and_the_named_ones_are_composed(song: Path) -> None:
    draft = drafted(Request(given=song, keep=("piano", "guitar"), tracks=("bass",)))
    assert composed(draft) == [[], [], [], [1, 2, 3, 4, 5, 6], []]
    assert set(draft.kept_notes.track) == {PIANO, GUITAR}


def test_bars_are_filled_as_they_are_numbered_in_a_score(song: Path) -> None:
    assert composed(drafted(Request(given=song, fill="2-3"))) == [[2, 3]] * 5
    assert composed(drafted(Request(given=song, fill=" 2 \N{EN DASH} 3"))) == [[2, 3]] * 5
    assert composed(drafted(Request(given=song, fill="6", tracks=("bass",))))[BASS] == [6]


def test_songs_go_on_and_lead_to_each_other(song: Path) -> None:
    assert drafted(Request(continued=song)).bars == 6 + ADDED_BARS
    assert composed(drafted(Request(continued=song, bars=2)))[DRUMS] == [7, 8]
    between = drafted(Request(between=(song, song), bars=1, tracks=("strings",)))
    assert between.bars == 13 and composed(between) == [[], [], [], [], [7]]


def test_a_remix_composes_the_letters_that_the_song_lacks(song: Path) -> None:
    draft = drafted(Request(remixed=song, form="BAD", section_bars=2))
    assert composed(draft)[GUITAR] == [5, 6]


def test_a_song_begins_after_its_pickup(tmp_path: Path) -> None:
    """A note a beat from C on: that of the pickup is left out, D is the first of bar 1."""
    path = tmp_path / "song.mid"
    path.write_bytes(midi(b"".join(note(48 + beat, 480) for beat in range(17))))
    draft = drafted(Request(given=path, keep=("piano",), pickup_beats=1))
    assert draft.bars == 4
    beats = [(4 * beat, 49 + beat - 24) for beat in range(16)]
    assert list(zip(draft.notes.start.tolist(), draft.notes.pitch.tolist(), strict=True)) == beats
    assert drafted(Request(continued=path, bars=1, pickup_beats=1)).bars == 5
    assert Request(given=path, keep=("piano",), pickup_beats=1).named["pickup"] == 1


def test_all_beats_of_a_song_can_be_divided_into_bars(tmp_path: Path) -> None:
    """Signatures of 1/4, as of a recording that was counted by beats, and a change of metre."""
    path = tmp_path / "song.mid"
    beats = b"".join(note(48 + beat, 480) for beat in range(16))
    path.write_bytes(midi(signature(1, 2) + signature(3, 2, after=480), beats))
    with pytest.raises(UserError, match="--meter"):
        drafted(Request(given=path, keep=("piano",)))
    wish = Request(given=path, keep=("piano",), meter="any")
    draft = drafted(wish)
    assert (draft.bars, wish.named["meter"]) == (4, "any")
    assert draft.notes.start.tolist() == [4 * beat for beat in range(16)]
    assert "meter" not in Request(given=path, keep=("piano",)).named


def test_a_track_that_stays_but_is_silent_is_named(
    song: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else nothing says why a bass beside silent drums and strings is in no key of the song."""
    drafted(Request(given=song, keep=("piano", "Strings", "drums"), tracks=("bass",)))
    said = "nothing stays of drums, strings: the song has only bass, guitar, piano"
    assert [record.getMessage() for record in caplog.records] == [f"{song}: --keep: {said}"]
    caplog.clear()
    drafted(Request(given=song, keep=("piano",)))
    assert not caplog.records


def test_tracks_that_nobody_asked_for_are_named(
    song: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A song for piano, guitar and bass gets drums and strings in its bars 2 and 3."""
    said = "drums, strings will be composed too, beside piano, guitar, bass"
    option = "--tracks piano,guitar,bass"
    for wishes in ({"given": song, "fill": "2-3"}, {"continued": song, "bars": 1}):
        caplog.clear()
        drafted(Request.model_validate(wishes))
        messages = [record.getMessage() for record in caplog.records]
        assert messages == [f"{song}: {said}: {option} composes no others"]
    caplog.clear()
    drafted(Request(given=song, fill="2-3", tracks=("piano", "drums")))
    drafted(Request(given=song, keep=("piano",)))
    drafted(Request(remixed=song, form="BAB", section_bars=2))
    assert not caplog.records


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"given": "S"}, "either --keep"),
        ({"given": "S", "keep": ("piano",), "fill": "2"}, "either --keep"),
        ({"keep": ("piano",)}, "--keep and --fill need the song: --given"),
        ({"given": "S", "continued": "S", "keep": ("piano",)}, "--given and --continue exclude"),
        ({"remixed": "S"}, "--remix needs --form"),
        ({"section_bars": 4}, "--section-bars is for --remix"),
        ({"pickup_beats": 1}, "--pickup is for a song of yours"),
        ({"meter": "any"}, "--meter is for a song of yours"),
        ({"given": "S", "fill": "2", "bars": 4}, "--bars is the song's own"),
        ({"given": "S", "fill": "two"}, "--fill two: give the first and last bar, such as 5-8"),
        ({"given": "S", "fill": "5-9"}, "the song has bars 1-6"),
        ({"given": "S", "keep": ("banjo",)}, "--keep: no track is called 'banjo'"),
        ({"tracks": ("banjo",)}, "--tracks: no track is called 'banjo'"),
        ({"given": "S", "fill": "4-2"}, "bars 4-2 cannot be filled: the first comes first"),
        ({"given": "S", "fill": "2", "form": "AB"}, "--form is for new songs .* not for --given"),
        ({"given": "S", "keep": ("drums", "strings")}, "the song has only bass, guitar, piano"),
        ({"given": "S", "keep": ("bass",), "tracks": ("bass",)}, "compose: .* or other --tracks"),
        (
            {"given": "S", "keep": ("drums", "piano", "guitar", "bass", "strings")},
            "leaves nothing to compose: name fewer tracks that stay$",
        ),
    ],
)
def test_wishes_that_cannot_be_met_say_which_option_helps(
    wishes: dict, message: str, song: Path
) -> None:
    named = {key: song if value == "S" else value for key, value in wishes.items()}
    with pytest.raises(ConfigError, match=message):
        drafted(Request.model_validate(named))
