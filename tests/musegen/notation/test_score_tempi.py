"""Tempo marks of scores: at which number they are played, whatever is written."""

import pytest

from musegen.files.midi import read_midi
from musegen.roll import Grid
from musegen.tracks import PIANO

BEAT = "<beat-unit>quarter</beat-unit>"
DOTTED = f"{BEAT}<beat-unit-dot/>"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mark", "sound", "bpm"),
    [
        (f"{BEAT}<per-minute>90</per-minute>", "", 90),
        (f"{DOTTED}<per-minute>60</per-minute>", "", 90),
        (f"{BEAT}<per-minute>ca. 90</per-minute>", "", 90),
        (f"{BEAT}<per-minute>90-100</per-minute>", "", 90),
        (f"{BEAT}<per-minute>ca. 96</per-minute>", '<sound tempo="90"/>', 90),
        (f"{BEAT}<per-minute>60</per-minute>", '<sound tempo="90"/>', 90),
        (f"{BEAT}<per-minute>90</per-minute>", '<sound dynamics="50"/>', 90),
        (f"{BEAT}<per-minute/>", "", 120),
        (f"{DOTTED}{BEAT}", "", 120),
        (f"{DOTTED}{BEAT}", '<sound tempo="90"/>', 90),
    ],
)
def test_a_mark_is_played_at_its_number(mark: str, sound: str, bpm: float):
    pytest.importorskip("music21")
    score = (
        '<score-partwise><part-list><score-part id="P1"><part-name>Piano</part-name></score-part>'
        '</part-list><part id="P1"><measure><attributes><divisions>1</divisions></attributes>'
        f"<direction><direction-type><metronome>{mark}</metronome></direction-type>{sound}"
        "</direction><note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration>"
        "</note></measure></part></score-partwise>"
    )
    song = read_midi(score.encode(), PIANO, Grid(steps_per_beat=1))
    assert song.tempo_bpm.tolist() == pytest.approx([bpm])


@pytest.mark.slow
def test_a_tempo_in_a_direction_that_shows_nothing_is_played():
    pytest.importorskip("music21")
    score = (
        '<score-partwise><part-list><score-part id="P1"><part-name>Piano</part-name></score-part>'
        '</part-list><part id="P1"><measure><attributes><divisions>1</divisions></attributes>'
        '<direction><sound tempo="90"/></direction><note><pitch><step>C</step><octave>4</octave>'
        "</pitch><duration>4</duration></note></measure></part></score-partwise>"
    )
    song = read_midi(score.encode(), PIANO, Grid(steps_per_beat=1))
    assert song.tempo_bpm.tolist() == pytest.approx([90])
