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
from musegen.files.smf import with_ports
from musegen.roll import KEY_SIGNATURE

TICKS_PER_BEAT = 480
DRUMS = 9
"""The channel of drums, from 0."""

BASS_GUITAR = 33
SINGERS = re.compile(r"soprano|\b(alto|tenor)\b(?! sax)", re.IGNORECASE)
"""Words in names of parts beside which a bass is a singer."""

POWERS = tuple(2**power for power in range(8))
MOST_BEATS = 255
"""The denominators that metres have in MIDI, and the largest numerator."""

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

    def _by_measures(self, written: Iterable[Event]) -> defaultdict[int, list[Event]]:
        found = defaultdict[int, list[Event]](list)
        for at, what in written:
            found[max(bisect_right(self.first, at) - 1, 0)].append((at, what))
        return found


def play(
    score: Any, kits: Container[str], sounds: Mapping[str, str], numbers: Sequence[int]
) -> bytes:
    """Return a score of music21 as MIDI.

    `kits`: the ids of the parts that are drums. `sounds`: what plays others, by their ids, where
    the score has no number, see `named_sounds`. `numbers`: those of the measures, from 0, in the
    order in which they are played. music21's own has at most 15 parts, loses ties from one voice
    to another, and follows repeats in each part alone. A part is in a group named by its id; on
    several staves, as a piano's, it is one for each, in groups that end in -Staff1 and so on.
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
    for part in score.parts:
        ids = [name for of in part.groups for name in (of, of.rpartition("-Staff")[0])]
        drums = any(name in kits for name in ids)
        channel = DRUMS if drums else next(free)
        sound = next((sounds[name] for name in ids if name in sounds), "")
        program = 0 if drums else _program(part, sound, is_sung)
        begin = [
            (0, mido.MetaMessage("track_name", name=part.partName or "")),
            (0, mido.Message("program_change", channel=channel, program=program)),
        ]
        file.tracks.append(_track([*begin, *_strokes(part, channel, order)]))
    stream = io.BytesIO()
    file.save(file=stream)
    ports = [number // (CHANNELS - 1) for number in range(len(score.parts))]
    return with_ports(stream.getvalue(), ports)


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
    """Return messages with the ticks between them; of those at one time, ends come first."""
    import mido

    timed = [(round(at * TICKS_PER_BEAT), one) for at, one in events]
    timed.sort(key=lambda pair: (pair[0], pair[1].type == "note_on"))
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
    """Yield the key where it changes."""
    import mido

    signatures = ((measure.offset, measure.keySignature) for measure in order.measures)
    written = [(at, (key.sharps, getattr(key, "mode", "major"))) for at, key in signatures if key]
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


def _strokes(part: Any, channel: int, order: Order) -> Iterator[Event]:
    """Yield where notes begin and end, as loud as the dynamics of the score say."""
    import mido
    from music21.volume import realizeVolume

    realizeVolume(part)
    joined: dict[int, list[tuple[Any, Any, Any]]] = {}
    lasting = order.events((begin, (end - begin, note)) for begin, end, note in _sounding(part))
    played = ((begin, begin + length, note) for begin, (length, note) in lasting)
    for begin, end, note in sorted(played, key=lambda one: one[:2]):
        line = joined.setdefault(note.pitch.midi, [])
        is_tied = note.tie is not None and note.tie.type != "start"
        if is_tied and line and line[-1][1] == begin:
            line[-1] = (line[-1][0], end, line[-1][2])
        else:
            line.append((begin, end, note))
    for pitch, line in joined.items():
        for begin, end, note in line:
            loud = min(max(round(127 * (note.volume.cachedRealized or 0.5)), 1), 127)
            yield begin, mido.Message("note_on", channel=channel, note=pitch, velocity=loud)
            yield end, mido.Message("note_off", channel=channel, note=pitch)


def _sounding(part: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield begin, end and note of all that has a pitch and lasts."""
    from music21.harmony import ChordSymbol

    for one in part.flatten().notes:
        end = one.offset + one.quarterLength
        if end > one.offset and not isinstance(one, ChordSymbol):
            notes = one.notes if one.isChord else [one]
            yield from ((one.offset, end, note) for note in notes if hasattr(note, "pitch"))
