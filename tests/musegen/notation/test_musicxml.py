"""MusicXML: what is written is read back note for note, and scores of others are played out."""

import io
import sys
import zipfile
from dataclasses import replace
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest
from note_rows import notes, rows

from core.data.sources import RejectedFile, scan
from core.errors import UserError
from musegen.drafts.source import Source
from musegen.files.limits import MusicLimits
from musegen.files.midi import read_midi, read_performance
from musegen.notation import reading
from musegen.notation.drums import pitch_of
from musegen.notation.writing import Piece, voices, write_musicxml
from musegen.roll import Grid, Roll
from musegen.smf.chunks import SONG_FILES
from musegen.tracks import Track

GRID = Grid(steps_per_beat=4, beats_per_bar=3, lowest_pitch=24)
TRACKS = (
    Track(name="Kit", is_drum=True),
    Track(name="Organ", program=19, name_pattern="organ"),
    Track(name="Deep bass", program=38, family="bass"),
)
RESTS = Track(name="Rests", program=3)
DRUMS = ((0, 0, 12, 1, 90), (0, 0, 18, 1, 90), (0, 5, 14, 1, 120), (0, 30, 25, 1, 33))
ORGAN = ((1, 0, 36, 30, 77), (1, 2, 40, 3, 50), (1, 4, 43, 20, 61))  # held over two bar lines
BASS = ((2, 7, 4, 5, 99), (2, 12, 4, 1, 98), (2, 35, 6, 1, 1))
SONG = Roll.of(
    notes(*sorted((*DRUMS, *ORGAN, *BASS), key=lambda row: (row[1], row[0], row[2]))),
    (*TRACKS, RESTS),
    GRID,
    np.array([90.0, 90.0, 132.5]),
    "Three & more",
)

SCORE = """<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0"><part-list>
 <score-part id="P1"><part-name>Clarinet</part-name>
  <midi-instrument id="I"><midi-program>72</midi-program></midi-instrument></score-part>
 <score-part id="P2"><part-name>Drumset</part-name>
  <score-instrument id="K"><instrument-name>Kick</instrument-name></score-instrument>
  <score-instrument id="H"><instrument-name>Hat</instrument-name></score-instrument>
  <midi-instrument id="K"><midi-unpitched>37</midi-unpitched></midi-instrument>
  <midi-instrument id="H"><midi-unpitched>43</midi-unpitched></midi-instrument></score-part>
</part-list>
<part id="P1"><measure number="0" implicit="yes"><attributes><divisions>2</divisions>
  <time><beats>2</beats><beat-type>4</beat-type></time>
  <transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose></attributes>
  <direction><direction-type><words>Slow</words></direction-type><sound tempo="60"/></direction>
  <note><pitch><step>D</step><octave>5</octave></pitch><duration>2</duration></note></measure>
 <measure number="1"><barline location="left"><repeat direction="forward"/></barline>
  <note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>
  <note><pitch><step>E</step><octave>5</octave></pitch><duration>4</duration>
   <tie type="start"/></note></measure>
 <measure number="2">
  <note><pitch><step>E</step><octave>5</octave></pitch><duration>2</duration>
   <tie type="stop"/></note>
  <note><rest/><duration>2</duration></note>
  <barline location="right"><repeat direction="backward"/></barline></measure></part>
<part id="P2"><measure number="0" implicit="yes"><attributes><divisions>2</divisions>
  <time><beats>2</beats><beat-type>4</beat-type></time></attributes>
  <note><rest/><duration>2</duration></note></measure>
 <measure number="1"><barline location="left"><repeat direction="forward"/></barline>
  <note><unpitched/><duration>2</duration><instrument id="K"/></note>
  <note><chord/><unpitched/><duration>2</duration><instrument id="H"/></note>
  <note><unpitched/><duration>2</duration><instrument id="H"/></note></measure>
 <measure number="2"><note><rest/><duration>4</duration></note>
  <barline location="right"><repeat direction="backward"/></barline></measure></part>
</score-partwise>
"""


@pytest.fixture(scope="module")
def written() -> bytes:
    pytest.importorskip("music21")
    return write_musicxml(SONG)


@pytest.mark.slow
def test_a_song_is_read_back_as_it_was(written):
    back = read_midi(written, TRACKS, GRID)
    assert rows(back.notes) == rows(SONG.notes)
    assert back.notes.velocity.tolist() == SONG.notes.velocity.tolist()
    np.testing.assert_allclose(back.tempo_bpm, SONG.tempo_bpm, rtol=1e-5)
    parts = [(part.name, part.program, part.is_drum) for part in back.claims.parts]
    assert parts == [("Kit", 0, True), ("Organ", 19, False), ("Deep bass", 38, False)]


@pytest.mark.slow
def test_a_notation_program_reads_title_metre_key_sections_and_drums(written):
    root = ElementTree.fromstring(write_musicxml(replace(SONG, form="ABA")))
    assert root.findtext("movement-title") == "Three & more"
    assert [one.text for one in root.iter("rehearsal")] == ["A", "B", "A"]
    (first,) = root.findall("part[@id='P2']/measure[@number='1']/attributes")
    assert [first.findtext(f"time/{name}") for name in ("beats", "beat-type")] == ["3", "4"]
    assert first.findtext("key/fifths") == "0"  # C and E, long
    assert [one.findtext("sign") for one in root.iter("clef")] == ["percussion", "G", "F"]
    kit = root.findall("part-list/score-part[@id='P1']/midi-instrument")
    assert [one.findtext("midi-unpitched") for one in kit] == ["37", "39", "43", "50"]
    assert root.findall("part[@id='P1']//pitch") == []
    assert len({one.text for one in root.findall("part[@id='P2']//voice")}) == 3
    assert written == write_musicxml(SONG), "equal songs, equal bytes"


def test_notes_that_overlap_are_in_several_voices():
    pieces = [Piece(0, 8, 40, 90, None), Piece(0, 8, 44, 90, None), Piece(2, 2, 60, 90, None)]
    later, last = Piece(4, 2, 62, 90, None), Piece(8, 4, 41, 90, "start")
    assert voices([later, *pieces, last]) == [[pieces[:2], [last]], [[pieces[2]], [later]]]


@pytest.mark.slow
def test_a_score_is_played_with_its_repeats_its_pickup_and_its_drums():
    pytest.importorskip("music21")
    played = read_performance(SCORE.encode(), (), name="score")
    found = sorted(zip(played.track.tolist(), played.start, played.pitch.tolist(), strict=True))
    whole = [(t, Fraction(float(s)).limit_denominator(100), p) for t, s, p in found]
    # a second a beat; the clarinet sounds a tone lower, its tied note once in each repeat
    assert [one for one in whole if one[0] == 0] == [(0, 0, 72), (0, 1, 74), (0, 5, 74)]
    assert [one for one in whole if one[0] == 1] == [
        (1, at, pitch) for at, pitch in ((1, 36), (1, 42), (2, 42), (5, 36), (5, 42), (6, 42))
    ]
    song = read_midi(SCORE.encode(), TRACKS, Grid(steps_per_beat=4, beats_per_bar=2))
    assert (song.bars, song.left_out.bars, song.left_out.pickup_beats) == (3, 0, 1)
    assert [(part.name, part.program, part.is_drum) for part in song.claims.parts] == [
        ("Clarinet", 71, False),
        ("Drumset", 0, True),
    ]


@pytest.mark.slow
def test_a_drum_that_is_written_with_a_pitch_sounds_as_its_instrument():
    """A stroke of the hi-hat stands as C5 (72) in the score, and sounds as one all the same."""
    pytest.importorskip("music21")
    pitched = "<pitch><step>C</step><octave>5</octave></pitch><duration>2</duration>"
    named = f'<note>{pitched}<instrument id="H"/></note>'
    stroke = '<note><unpitched/><duration>2</duration><instrument id="H"/></note>'
    assert stroke in SCORE
    played = read_performance(SCORE.replace(stroke, named).encode(), ())
    assert played.pitch.tolist() == read_performance(SCORE.encode(), ()).pitch.tolist()


@pytest.mark.slow
def test_a_voice_that_claps_once_is_no_drum():
    pytest.importorskip("music21")
    note = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>"
    clap = "<note><unpitched/><duration>1</duration></note>"
    head = "<score-part id='P1'><part-name>Oboe</part-name></score-part>"

    def played(bar: str) -> list[tuple[bool, int]]:
        part = f"<part id='P1'><measure>{bar}</measure></part>"
        score = f"<score-partwise><part-list>{head}</part-list>{part}</score-partwise>"
        found = read_performance(score.encode(), ())
        drums = [found.tracks[n].is_drum for n in found.track.tolist()]
        return list(zip(drums, found.pitch.tolist(), strict=True))

    assert played(note + clap + note + note) == [(False, 60)] * 3
    assert played(clap + clap + clap + note) == [(True, 38)] * 3 + [(True, 60)]


def test_a_score_without_measures_says_so():
    with pytest.raises(RejectedFile, match="no measures: export it once more"):
        read_midi(b"<score-partwise><part-list/></score-partwise>")


def staff(step: str, octave: int, number: int) -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{pitch}<duration>4</duration><staff>{number}</staff></note>"


@pytest.mark.slow
def test_both_staves_of_a_piano_are_played_and_drums_stay_drums():
    pytest.importorskip("music21")
    staves = "<staves>2</staves><clef number='1'><sign>G</sign><line>2</line></clef>"
    hands = f"{staff('C', 5, 1)}<backup><duration>4</duration></backup>{staff('E', 3, 2)}"
    piano = (
        "<part id='P1'><measure number='1'><attributes><divisions>2</divisions>"
        f"<time><beats>2</beats><beat-type>4</beat-type></time>{staves}</attributes>{hands}"
        "</measure></part>"
    )
    begin, end = SCORE.index('<part id="P1">'), SCORE.index('<part id="P2">')
    score = (SCORE[:begin] + piano + SCORE[end:]).replace("Clarinet", "Piano")
    song = read_midi(score.encode(), TRACKS, Grid(steps_per_beat=4, beats_per_bar=2))
    parts = [(part.name, part.is_drum) for part in song.claims.parts]
    assert parts == [("Piano", False), ("Piano", False), ("Drumset", True)]
    played = read_performance(score.encode(), (), name="score")
    assert sorted(played.pitch[played.track < 2].tolist()) == [52, 72]


ENTITY = '<!DOCTYPE a [<!ENTITY a "b">]><score-partwise>&a;</score-partwise>'
CONTAINER = '<container><rootfiles><rootfile full-path="a/b.xml"/></rootfiles></container>'


def packed(text: str | bytes, container: str = CONTAINER) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("a/b.xml", text)
    return stream.getvalue()


@pytest.mark.slow
def test_a_packed_score_is_the_same(tmp_path):
    pytest.importorskip("music21")
    grid = Grid(steps_per_beat=4, beats_per_bar=2)
    path = tmp_path / "score.mxl"
    path.write_bytes(packed(SCORE))
    plain = read_midi(SCORE.encode(), TRACKS, grid, name="score")
    assert rows(read_midi(path, TRACKS, grid).notes) == rows(plain.notes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "programs"),
    [
        (("Violin I", "Geige", "Oboe 1", "Melody"), [40, 40, 68, 0]),
        (("Electric Guitar", "Bass", "Bass Guitar", "Contrabass"), [26, 33, 33, 43]),
        (("Soprano", "Bass"), [53, 53]),
    ],
)
def test_a_part_without_a_program_has_that_of_its_name(
    names: tuple[str, ...], programs: list[int]
):
    pytest.importorskip("music21")
    note = "<pitch><step>C</step><octave>4</octave></pitch><duration>4</duration>"
    heads, parts = "", ""
    for number, name in enumerate(names):
        heads += f"<score-part id='P{number}'><part-name>{name}</part-name></score-part>"
        parts += f"<part id='P{number}'><measure number='1'><note>{note}</note></measure></part>"
    score = f"<score-partwise><part-list>{heads}</part-list>{parts}</score-partwise>"
    played = read_performance(score.encode(), ())
    assert [track.program for track in played.tracks] == programs


OF_A_PDF = (
    '<container><rootfiles><rootfile full-path="a/b.pdf"/><rootfile full-path="a/b.xml"/>'
    "</rootfiles></container>"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "entries",
    [
        {"a/b.xml": SCORE},
        {"song/META-INF/container.xml": CONTAINER, "song/a/b.xml": SCORE},
        {"META-INF\\container.xml": CONTAINER, "a\\b.xml": SCORE},
        {"META-INF/container.xml": CONTAINER, "__MACOSX/._b.xml": "\0", "b.musicxml": SCORE},
        {"META-INF/container.xml": OF_A_PDF, "a/b.pdf": "%PDF", "a/b.xml": SCORE},
    ],
    ids=["none", "in a folder", "backslashes", "of another name", "of a pdf too"],
)
def test_a_score_is_found_whatever_its_container_says(entries: dict[str, str]):
    pytest.importorskip("music21")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    found = read_performance(stream.getvalue(), (), name="score")
    assert len(found.pitch) == len(read_performance(SCORE.encode(), ()).pitch) > 0


def test_scores_are_found_in_folders_by_three_suffixes(tmp_path):
    for name in ("a.musicxml", "b.MXL", "c.xml", "d.abc"):
        (tmp_path / name).write_text(SCORE)
    assert scan([tmp_path], SONG_FILES, MusicLimits()).count == 3


def test_a_zip_of_other_files_says_that_it_is_to_be_unpacked():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("song.mid", b"MThd")
    with pytest.raises(RejectedFile, match="unpack it, and give the song itself"):
        read_midi(stream.getvalue())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packed(SCORE)[:300], "no packed MusicXML"),
        (packed(SCORE.ljust(3_000_000)), "unpacks to 30"),
        (SCORE[:500].encode(), "no whole MusicXML: unclosed token"),
        (b"PK\x03\x04", "no packed MusicXML"),
        (ENTITY.encode(), "entities"),
        (ENTITY.encode("utf-16"), "entities"),
        (packed(ENTITY.encode("utf-16")), "entities"),
        (packed(SCORE, ENTITY), "entities"),
        (b'<?xml version="1.0" encoding="utf-7"?><score-partwise/>', "no whole MusicXML"),
        pytest.param(
            SCORE.replace("<octave>5", "<octave>five").encode(),
            "music21 fails: invalid literal",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_damaged_score_is_rejected(data: bytes, reason: str):
    if reason.startswith("music21"):
        pytest.importorskip("music21")
    with pytest.raises(RejectedFile, match=reason):
        read_midi(data, TRACKS, GRID, limits=MusicLimits(archive_ratio=200))


@pytest.mark.slow
def test_a_score_in_utf_16_is_the_same():
    pytest.importorskip("music21")
    grid = Grid(steps_per_beat=4, beats_per_bar=2)
    wide = SCORE.replace("UTF-8", "UTF-16").encode("utf-16")
    assert rows(read_midi(wide, TRACKS, grid).notes) == rows(
        read_midi(SCORE.encode(), TRACKS, grid).notes
    )


def test_a_score_of_a_user_is_read_within_limits(tmp_path, monkeypatch):
    """In a preparation, which sends bytes, a child process reads it already."""

    def limited(data, limits):
        raise RejectedFile("time", f"{len(data)} bytes, {limits.seconds:g} seconds")

    monkeypatch.setattr(reading, "to_midi_within_limits", limited)
    (tmp_path / "a.musicxml").write_text(SCORE)
    with pytest.raises(RejectedFile, match=f"{len(SCORE.encode())} bytes, 20 seconds"):
        read_midi(tmp_path / "a.musicxml")
    with pytest.raises(UserError, match="20 seconds"):
        Source.read(tmp_path / "a.musicxml", TRACKS, GRID)
    with pytest.raises(RejectedFile, match="no whole MusicXML"):
        read_midi(SCORE[:500].encode())


@pytest.mark.slow
def test_a_score_that_repeats_a_million_times_is_rejected(tmp_path):
    pytest.importorskip("music21")
    often = SCORE.replace('direction="backward"', 'direction="backward" times="1000000"')
    (tmp_path / "a.musicxml").write_text(often)
    with pytest.raises(RejectedFile, match="the score cannot be read") as caught:
        read_midi(tmp_path / "a.musicxml", limits=MusicLimits(memory_mb=400))
    assert caught.value.reason == "too-long"


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "music21", None)
    with pytest.raises(RejectedFile, match=r"pip install 'pianoreel\[musicxml\]'") as caught:
        read_midi(SCORE.encode())
    assert caught.value.reason == "needs-music21"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="leave musicxml out of --only"):
        write_musicxml(SONG)


def test_a_pitch_is_read_as_it_is_spelt():
    text = "<pitch><step>B</step><alter>-1</alter><octave>3</octave></pitch>"
    assert pitch_of(ElementTree.fromstring(text)) == 58
