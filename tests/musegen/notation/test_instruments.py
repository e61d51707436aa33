"""Players who change their instruments, those who transpose, and scores of rarer forms."""

import pytest

pytest.importorskip("music21")

from musegen.files.midi import read_midi, read_performance

FOUR_FOUR = (
    "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"
    "</attributes>"
)
FLUTE = "<midi-instrument id='P1-I1'><midi-program>74</midi-program></midi-instrument>"
CLARINET = "<midi-instrument id='P1-I2'><midi-program>72</midi-program></midi-instrument>"


def note(letter: str, of: str = "", before: str = "", after: str = "") -> str:
    """A whole note; `of`: the number of its instrument."""
    named = f"<instrument id='P1-I{of}'/>" if of else ""
    pitch = f"<pitch><step>{letter}</step><octave>5</octave></pitch>"
    return f"<note>{before}{pitch}<duration>4</duration>{after}{named}</note>"


def score(*measures: str, numbers: str = FLUTE + CLARINET, name: str = "Reeds") -> bytes:
    instruments = "".join(
        f"<score-instrument id='P1-I{n}'><instrument-name>{one}</instrument-name>"
        "</score-instrument>"
        for n, one in enumerate(("Flute", "Clarinet"), 1)
    )
    head = f"<score-part id='P1'><part-name>{name}</part-name>{instruments}{numbers}</score-part>"
    first, *others = measures
    bars = "".join(f"<measure>{one}</measure>" for one in (FOUR_FOUR + first, *others))
    part = f"<part id='P1'>{bars}</part>"
    return f"<score-partwise><part-list>{head}</part-list>{part}</score-partwise>".encode()


def played(data: bytes) -> list[tuple[float, int, int]]:
    """(second, pitch, program) of each note, at two seconds a bar."""
    found = read_performance(data)
    programs = [found.tracks[n].program for n in found.track.tolist()]
    return sorted(zip(found.start.tolist(), found.pitch.tolist(), programs, strict=True))


def test_a_player_changes_the_instrument_and_back():
    changing = score(note("C", "1"), note("D", "2"), note("E", "1"))
    assert played(changing) == [(0, 72, 73), (2, 74, 71), (4, 76, 73)]


def test_notes_of_one_chord_and_one_bar_have_several_instruments():
    chord = note("C", "1") + note("E", "2", before="<chord/>") + note("G", "2", before="<chord/>")
    second = note("C", "1", after="<voice>1</voice>") + "<backup><duration>4</duration></backup>"
    voices = second + note("A", "2", after="<voice>2</voice>")
    assert played(score(chord, voices, note("D", "2"))) == [
        *((0, 72, 73), (0, 76, 71), (0, 79, 71)),
        *((2, 72, 73), (2, 81, 71), (4, 74, 71)),
    ]


@pytest.mark.parametrize(
    ("change", "program"),
    [
        (
            "<sound><midi-instrument id='P1-I1'><midi-program>46</midi-program></midi-instrument>",
            45,
        ),
        ("<sound><instrument-change id='P1-I2'/>", 71),
    ],
)
def test_a_direction_changes_the_sound_of_the_notes_after_it(change: str, program: int):
    words = f"<direction><direction-type><words>pizz.</words></direction-type>{change}</sound>"
    changed = score(note("C"), f"{words}</direction>" + note("D"), f"{change}</sound>" + note("E"))
    assert played(changed) == [(0, 72, 73), (2, 74, program), (4, 76, program)]
    at_once = score(f"{change}</sound>" + note("C"), note("D"))
    assert played(at_once) == [(0, 72, program), (2, 74, program)]


def test_instruments_without_numbers_have_those_of_their_names():
    assert played(score(note("C", "1"), note("D", "2"), numbers="")) == [(0, 72, 73), (2, 74, 71)]


def test_a_score_that_is_written_bar_by_bar_is_the_same():
    by_part = score(note("C", "1"), note("D", "2"))
    by_bar = by_part.replace(b"score-partwise", b"score-timewise").replace(b"</part>", b"")
    by_bar = by_bar.replace(b"<part id='P1'>", b"").replace(b"</measure>", b"</part></measure>")
    by_bar = by_bar.replace(b"<measure>", b"<measure><part id='P1'>")
    assert played(by_bar) == played(by_part) == [(0, 72, 73), (2, 74, 71)]


@pytest.mark.parametrize(
    ("chromatic", "octave", "pitch"), [(0, -1, 60), (-2, 0, 70), (-9, -1, 51)]
)
def test_a_transposition_may_leave_out_the_steps_of_the_staff(
    chromatic: int, octave: int, pitch: int
):
    shift = f"<chromatic>{chromatic}</chromatic><octave-change>{octave}</octave-change>"
    transposing = f"<attributes><transpose>{shift}</transpose></attributes>"
    assert played(score(transposing + note("C")))[0][1] == pitch


def test_a_score_may_name_its_namespace():
    named = score(note("C")).replace(b"<score-partwise", b"<score-partwise xmlns='urn:scores'")
    assert played(named) == [(0, 72, 73)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sound", "program"),
    [
        ("Querfl.", "wind.flutes.flute", 73),
        ("Vl. I", "strings.violin", 40),
        ("E-Bass", "pluck.bass.electric", 33),
        ("Kb.", "pluck.bass", 33),
        ("B.", "voice.bass", 53),
        ("Str.", "strings.group", 48),
        ("Oboe", "synth.pad", 68),
    ],
)
def test_a_part_without_a_number_has_that_of_its_standard_sound(
    name: str, sound: str, program: int
):
    pytest.importorskip("music21")
    score = (
        f'<score-partwise><part-list><score-part id="P1"><part-name>{name}</part-name>'
        f'<score-instrument id="I"><instrument-name>{name}</instrument-name>'
        f"<instrument-sound>{sound}</instrument-sound></score-instrument></score-part></part-list>"
        '<part id="P1"><measure><attributes><divisions>1</divisions></attributes><note><pitch>'
        "<step>C</step><octave>4</octave></pitch><duration>4</duration></note></measure></part>"
        "</score-partwise>"
    )
    (part,) = read_midi(score.encode()).claims.parts
    assert part.program == program


def levels(*mixes: str) -> list[tuple[int, int]]:
    """(volume, place) of parts with these volumes and places in a mix."""
    heads = "".join(
        f"<score-part id='P{n}'><part-name>{n}</part-name><midi-instrument id='I{n}'>{mix}"
        "</midi-instrument></score-part>"
        for n, mix in enumerate(mixes)
    )
    bar = f"<measure>{FOUR_FOUR}{note('C')}</measure>"
    parts = "".join(f"<part id='P{n}'>{bar}</part>" for n in range(len(mixes)))
    score = f"<score-partwise><part-list>{heads}</part-list>{parts}</score-partwise>"
    found = read_performance(score.encode()).controls
    return [(int(one.volume[0]), int(one.panning[0])) for one in found]


@pytest.mark.slow
def test_parts_are_as_loud_and_at_the_place_as_in_the_mix():
    """Half of 127; the usual volume, 100, where none is said; -90 degrees are the left."""
    assert levels(
        "<volume>50</volume><pan>-90</pan>", "<pan>45</pan>", "<volume>0</volume><pan>0</pan>"
    ) == [(64, 1), (100, 95), (0, 64)]


@pytest.mark.slow
def test_a_volume_that_all_parts_have_is_none():
    assert levels("<volume>60</volume>", "<volume>60</volume>") == [(100, 64), (100, 64)]


@pytest.mark.parametrize("is_said", [True, False])
def test_strings_are_plucked_where_the_score_says_so(is_said: bool):
    """By a sound or by words; flutes are not."""
    signs = ("<sound pizzicato='yes'/>", "<sound pizzicato='no'/>")
    words = ("pizz.", "Arco")
    text = "<direction><direction-type><words>{}</words></direction-type></direction>"
    plucked, bowed = signs if is_said else (text.format(word) for word in words)
    bars = (note("C"), plucked + note("D"), bowed + note("E"))
    flute = score(*bars)
    violin = flute.replace(b"<midi-program>74<", b"<midi-program>41<")
    assert violin != flute
    assert played(violin) == [(0, 72, 40), (2, 74, 45), (4, 76, 40)]
    assert played(flute) == [(0, 72, 73), (2, 74, 73), (4, 76, 73)]
