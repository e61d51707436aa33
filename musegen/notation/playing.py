"""A score of music21 as MIDI, its measures in the order in which they are played."""

import io
import itertools
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

from musegen.files.parts import CHANNELS
from musegen.notation.dynamics import UnprintedLevels
from musegen.notation.instruments import Levels
from musegen.notation.pedals import Presses
from musegen.notation.swing import Swing, swung
from musegen.roll import KEY_SIGNATURE
from musegen.smf.writing import with_ports

TICKS_PER_BEAT = 480
DRUMS = 9
"""The channel of drums, from 0."""

BASS_GUITAR = 33
SINGERS = re.compile(r"soprano|\b(alto|tenor)\b(?! sax)", re.IGNORECASE)
"""Words in names of parts beside which a bass is a singer."""

POWERS = tuple(2**power for power in range(8))
MOST_BEATS = 255
"""The denominators that metres have in MIDI, and the largest numerator."""

LATER = {"control_change": 1, "note_on": 2}
"""The order of messages at one time; others come before."""

Event = tuple[Any, Any]
"""A time in quarter notes, and a message of mido, or what becomes one."""


class Played(NamedTuple):
    """A measure as it is played: its number in the score, its first quarter note there and here,
    and whether it follows another one than in the score."""

    number: int
    written: Any
    begin: Any
    is_after_jump: bool


@dataclass(frozen=True)
class Order:
    """The measures of a part that has all of a score, and the order in which they are played."""

    measures: Sequence[Any]
    numbers: Sequence[int]

    @cached_property
    def first(self) -> list[Any]:
        """Return where each measure begins in the score."""
        return [measure.offset for measure in self.measures]

    @cached_property
    def played(self) -> list[Played]:
        """Return the measures in the order in which they are played."""
        lengths = [after - before for before, after in itertools.pairwise(self.first)]
        lengths += [one.duration.quarterLength for one in self.measures[-1:]]
        found, begin, before = list[Played](), 0, -1
        for number in self.numbers:
            found.append(Played(number, self.first[number], begin, number != before + 1))
            begin, before = begin + lengths[number], number
        return found

    def events(self, written: Iterable[Event]) -> Iterator[Event]:
        """Yield events of the score where they are played, measure by measure."""
        inside = self._by_measures(written)
        for one in self.played:
            yield from ((one.begin + at - one.written, what) for at, what in inside[one.number])

    def states(self, written: Sequence[Event]) -> Iterator[Event]:
        """Yield changes of a state where they are played, of which some last on.

        After a jump that counts which is in force there.
        """
        inside, times = self._by_measures(written), [at for at, _ in written]
        state: Any = None
        for one in self.played:
            changes, last = inside[one.number], bisect_right(times, one.written) - 1
            if one.is_after_jump and last >= 0:
                changes = [(one.written, written[last][1]), *changes]
            for at, what in changes:
                if what != state:
                    yield one.begin + at - one.written, what
                state = what

    def swung(self, at: Any, swings: list[Swing]) -> Any:
        """Return when that sounds which is written at a quarter note of the score."""
        if not swings:
            return at
        number = max(bisect_right(self.first, at) - 1, 0)
        begin = self.first[number]
        return begin + swung(swings, number, Fraction(at - begin))

    def _by_measures(self, written: Iterable[Event]) -> defaultdict[int, list[Event]]:
        found = defaultdict[int, list[Event]](list)
        for at, what in written:
            found[max(bisect_right(self.first, at) - 1, 0)].append((at, what))
        return found


@dataclass(frozen=True)
class Players:
    """The players of the parts of a score, by the ids of these.

    kits: those of drums. sounds: what plays others where the score has no number, see
    `named_sounds`. pedals: what the pedals of each part do. levels: see `levels_of`. swings: see
    `swings_of`. dynamics: the loudness that is not printed, see `dynamics_of`.
    """

    kits: Container[str]
    sounds: Mapping[str, str]
    pedals: Mapping[str, Presses]
    levels: Mapping[str, Levels]
    swings: list[Swing]
    dynamics: Mapping[str, UnprintedLevels]

    def of(self, part: Any) -> str:
        """Return the id of a part of music21, which is in a group named by it.

        A part on several staves, as a piano's, is one for each, in groups that end in -Staff1 and
        so on.
        """
        named = (name for of in part.groups for name in (of, of.rpartition("-Staff")[0]))
        return next((name for name in named if name in self.pedals), "")


def play(score: Any, players: Players, numbers: Sequence[int]) -> bytes:
    """Return a score of music21 as MIDI.

    `numbers`: those of the measures, from 0, in the order in which they are played. music21's own
    has at most 15 parts, loses pedals and ties from one voice or staff to another, and follows
    repeats in each part alone.
    """
    import mido

    score.toSoundingPitch(inPlace=True)
    parts = [list(part.getElementsByClass("Measure")) for part in score.parts]
    order = Order(max(parts, key=len), numbers)
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    about = (_tempi(score, order), _signatures(order), _keys(order), _texts(score, order))
    file.tracks.append(_track(itertools.chain(*about)))
    free = itertools.cycle(number for number in range(CHANNELS) if number != DRUMS)
    is_sung = any(SINGERS.search(part.partName or "") for part in score.parts)
    for name, group in itertools.groupby(score.parts, players.of):
        staves, drums = list(group), name in players.kits
        for part in staves:
            _insert(players.dynamics.get(name, {}), part)
        for part, strokes in zip(staves, _strokes(staves, order, players.swings), strict=True):
            channel = DRUMS if drums else next(free)
            program = 0 if drums else _program(part, players.sounds.get(name, ""), is_sung)
            begin = [
                (0, mido.MetaMessage("track_name", name=part.partName or "")),
                (0, mido.Message("program_change", channel=channel, program=program)),
                *(
                    (0, mido.Message("control_change", channel=channel, control=n, value=level))
                    for n, level in players.levels.get(name, ())
                ),
            ]
            pressed = _presses(players.pedals.get(name, {}), channel, order)
            played = _messages(strokes, channel)
            file.tracks.append(_track([*begin, *pressed, *played]))
    stream = io.BytesIO()
    file.save(file=stream)
    ports = [number // (CHANNELS - 1) for number in range(len(score.parts))]
    return with_ports(stream.getvalue(), ports)


def _insert(levels: UnprintedLevels, part: Any) -> None:
    """Add dynamics that are not printed to a part of music21 in place."""
    from music21.dynamics import Dynamic

    if levels:
        measures = list(part.getElementsByClass("Measure"))
        for number, mine in levels.items():
            for at, share in mine:
                one = Dynamic()
                one.volumeScalar = share
                measures[number].insert(at, one)


def _program(part: Any, sound: str, is_sung: bool) -> int:
    """Return the program of a part: where the score has no number by its sound, else by its name,
    0 for no known one.

    A bass is a guitar, unless other parts of the score are sung. music21 takes it for a singer,
    and a bass guitar for a guitar.
    """
    from music21 import instrument
    from music21.exceptions21 import InstrumentException

    found, name = part.getInstrument(returnDefault=False), part.partName or ""
    if found and found.midiProgram is not None:
        return found.midiProgram
    for words in (sound, name):
        try:
            guess = instrument.fromString(words)
        except InstrumentException:
            continue
        is_bass = "bass" in words.lower() and type(guess) in (
            instrument.Bass,
            instrument.AcousticGuitar,
        )
        is_guitar = is_bass and not (is_sung or "voice" in words)
        return BASS_GUITAR if is_guitar else guess.midiProgram or 0
    return 0


def _track(events: Iterable[Event]) -> Any:
    """Return messages with the ticks between them.

    Of those at one time notes end first, before a pedal goes down, and new ones begin last.
    """
    import mido

    timed = [(round(at * TICKS_PER_BEAT), one) for at, one in events]
    timed.sort(key=lambda pair: (pair[0], LATER.get(pair[1].type, 0)))
    before = [0, *(at for at, _ in timed)]
    return mido.MidiTrack(
        message.copy(time=at - last) for last, (at, message) in zip(before, timed, strict=False)
    )


def _tempi(score: Any, order: Order) -> Iterator[Event]:
    import mido

    marks = ((at, mark.getQuarterBPM()) for at, _, mark in score.metronomeMarkBoundaries())
    for at, bpm in order.states([(at, bpm) for at, bpm in marks if bpm]):
        yield at, mido.MetaMessage("set_tempo", tempo=round(6e7 / bpm))


def _signatures(order: Order) -> Iterator[Event]:
    """Yield the metre where it changes; a bar of another length is in one of its own.

    So a pickup is, and the bar before a repeat that begins with one. The last bar may be short.
    """
    import mido

    named, metres = (4, 4), list[tuple[int, int]]()
    for measure in order.measures:
        if found := measure.timeSignature:
            named = found.numerator, found.denominator
        metres.append(named)
    written = None
    for one in order.played:
        named, measure = metres[one.number], order.measures[one.number]
        length = Fraction(measure.duration.quarterLength) / 4
        is_whole = one is order.played[-1] or length in (0, Fraction(*named))
        wanted = named if is_whole else _ratio(length) or named
        if wanted != written:
            written = wanted
            upper, lower = wanted
            message = mido.MetaMessage("time_signature", numerator=upper, denominator=lower)
            yield one.begin, message


def _keys(order: Order) -> Iterator[Event]:
    """Yield the key where it changes; those of accidentals that no key of MIDI has are none."""
    import mido

    signatures = ((measure.offset, measure.keySignature) for measure in order.measures)
    named = [(at, key) for at, key in signatures if key and key.sharps is not None]
    written = [(at, (key.sharps, getattr(key, "mode", "major"))) for at, key in named]
    for at, (sharps, mode) in order.states(written):
        data = sharps % 256, int(mode == "minor")
        yield at, mido.UnknownMetaMessage(KEY_SIGNATURE, data=data)


def _ratio(whole_notes: Fraction) -> tuple[int, int] | None:
    """Return the metre of a bar of a length, if there is one."""
    upper, lower = whole_notes.as_integer_ratio()
    return (upper, lower) if lower in POWERS and upper <= MOST_BEATS else None


def _texts(score: Any, order: Order) -> Iterator[Event]:
    """Yield the rehearsal marks and the lyrics, each of the first part that has any.

    Each time that a note is played it has its next verse. A space follows the end of a word.
    """
    import mido

    lines = [part.flatten() for part in score.parts]
    marked = (list(line.getElementsByClass("RehearsalMark")) for line in lines)
    sung = ([one for one in line.notes if one.lyrics] for line in lines)
    marks, words = (next(filter(None, found), []) for found in (marked, sung))
    for at, mark in order.events((mark.offset, mark) for mark in marks):
        yield at, mido.MetaMessage("marker", text=str(mark.content))
    times = Counter[int]()
    for at, one in order.events((one.offset, one) for one in words):
        lyric = one.lyrics[min(times[id(one)], len(one.lyrics) - 1)]
        times[id(one)] += 1
        goes_on = lyric.syllabic in ("begin", "middle")
        yield at, mido.MetaMessage("lyrics", text=f"{lyric.text}{'' if goes_on else ' '}")


def _presses(pedals: Presses, channel: int, order: Order) -> Iterator[Event]:
    """Yield what pedals do where their measures are played."""
    import mido

    for measure in order.played:
        for at, control, value in pedals.get(measure.number, ()):
            sent = mido.Message("control_change", channel=channel, control=control, value=value)
            yield measure.begin + at, sent


@dataclass
class _Stroke:
    """A note as it sounds, with those that are tied to it; `last`: the last of them."""

    staff: int
    begin: Any
    end: Any
    note: Any
    last: Any

    @property
    def goes_on(self) -> bool:
        return self.last.tie is not None and self.last.tie.type != "stop"


def _strokes(staves: Sequence[Any], order: Order, swings: list[Swing]) -> list[list[_Stroke]]:
    """Return what is struck on each staff of a part.

    A note that is tied to one before sounds on with it, in whichever voice and staff that is. A
    staff that has all notes of another one, as tablature has, is silent.
    """
    played = list[_Stroke]()
    for staff, part in enumerate(staves):
        sounding = (
            (order.swung(begin, swings), order.swung(end, swings), note)
            for begin, end, note in _sounding(part)
        )
        lasting = ((begin, (end - begin, note)) for begin, end, note in sounding)
        for begin, (length, note) in order.events(lasting):
            played.append(_Stroke(staff, begin, begin + length, note, note))
    found: list[list[_Stroke]] = [[] for _ in staves]
    ending = defaultdict[Any, list[_Stroke]](list)  # by pitch and end
    for one in sorted(played, key=lambda one: (one.begin, one.end)):
        pitch, staff, is_tied = one.note.pitch.midi, one.staff, _is_tied(one.note)
        before = ending[pitch, one.begin] if is_tied else []
        if before:
            tied = min(before, key=lambda old: (not old.goes_on, old.staff != staff))
            before.remove(tied)
            tied.end, tied.last = one.end, one.last
            one = tied
        else:
            found[staff].append(one)
        ending[pitch, one.end].append(one)
    sounds = [sorted((one.begin, one.end, one.note.pitch.midi) for one in line) for line in found]
    return [[] if sounds[n] in sounds[:n] else line for n, line in enumerate(found)]


def _is_tied(note: Any) -> bool:
    """Return whether a note is tied to one before it."""
    return note.tie is not None and note.tie.type != "start"


def _messages(strokes: Iterable[_Stroke], channel: int) -> Iterator[Event]:
    """Yield where notes begin and end, as loud as the dynamics of the score say."""
    import mido

    for one in strokes:
        pitch = one.note.pitch.midi
        loud = min(max(round(127 * one.note.volume.cachedRealized), 1), 127)
        yield one.begin, mido.Message("note_on", channel=channel, note=pitch, velocity=loud)
        yield one.end, mido.Message("note_off", channel=channel, note=pitch)


def _sounding(part: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield begin, end and note of all that has a pitch and lasts, its loudness realised.

    A note that says how loud it is is so, whatever marks are printed.
    """
    from music21.harmony import ChordSymbol
    from music21.volume import realizeVolume

    sounding = list(part.flatten().notes)
    for one in sounding:
        one.volume.velocityIsRelative = one.volume.velocity is None
    realizeVolume(part)
    for one in sounding:
        end = one.offset + one.quarterLength
        if end > one.offset and not isinstance(one, ChordSymbol):
            notes = one.notes if one.isChord else [one]
            yield from ((one.offset, end, note) for note in notes if hasattr(note, "pitch"))
