"""The tracks of a roll, and the assignment of a MIDI file's parts to them.

The five families follow the Lakh Pianoroll Dataset (Dong et al., AAAI 2018): drums; piano 0-7;
guitar 24-31; bass 32-39; strings are the other melodic programs below 96 and the folk instruments
104-111; percussive and effect programs are left out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal
from unicodedata import normalize

from pydantic import Field, field_validator, model_validator

from core.config import Strict, resolve
from core.errors import ConfigError
from core.wording import nearest
from core.yaml_files import read_yaml

Family = Literal["piano", "guitar", "bass", "strings"]

FAMILIES: dict[Family, tuple[tuple[int, int], ...]] = {
    "piano": ((0, 7),),
    "guitar": ((24, 31),),
    "bass": ((32, 39),),
    "strings": ((8, 23), (40, 95), (104, 111)),
}
"""General MIDI programs from 0, first and last of each range."""

DRUM_CHANNEL = 10
"""The channel of drums, from 1; a part of it that is none is so by its messages."""

DRUM_KIT = -1
"""Stands for all drums where instruments are counted by their programs."""


class Track(Strict):
    """One track, and the rules by which it claims parts of a MIDI file; any one rule is enough.

    A part is the notes of one channel and one program in one track of a file.
    """

    name: str
    program: int = Field(
        default=0, ge=0, le=127, description="General MIDI program of its sound, from 0"
    )
    is_drum: bool = Field(
        default=False, description="played on channel 10; claims drum parts, its own rules first"
    )
    family: Family | None = Field(default=None, description="claims the programs of a family")
    programs: tuple[tuple[int, int], ...] = Field(
        default=(), description="claims programs, first and last of each range, from 0"
    )
    name_pattern: str = Field(
        default="", description="claims parts in whose name this regular expression is found"
    )
    order: int | None = Field(default=None, ge=0, description="claims a part: 0 is the first")
    channel: int | None = Field(
        default=None, ge=1, le=16, description="claims the parts of a channel, from 1"
    )
    rest: bool = Field(default=False, description="claims all parts that no other track claims")

    @field_validator("name_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from error
        return pattern

    @property
    def is_bass(self) -> bool:
        """True for a bass by its family or its name."""
        return self.family == "bass" or self.name.lower() == "bass"

    def has_name(self, part: "Part") -> bool:
        pattern = self.name_pattern
        words = re.compile(normalize("NFC", pattern), re.IGNORECASE)
        return bool(pattern) and part.is_called(words)

    @property
    def is_by_position(self) -> bool:
        """True where it claims parts by their order or their channel."""
        return self.order is not None or self.channel is not None

    def has_position(self, part: "Part") -> bool:
        by_order = self.order is not None and self.order == part.order
        return by_order or (self.channel is not None and self.channel == part.channel)

    def has_program(self, part: "Part") -> bool:
        if part.is_drum:
            by_program = bool(self.programs or self.family)
            return self.is_drum and not (by_program or self.name_pattern or self.is_by_position)
        return part.program in _programs(self.programs, self.family)

    def has_drums(self, part: "Part") -> bool:
        return self.is_drum and part.is_drum

    def has_rest(self, part: "Part") -> bool:
        return self.rest


@cache
def _programs(ranges: tuple[tuple[int, int], ...], family: Family | None) -> frozenset[int]:
    """Return the programs of some ranges, first and last of each, and of a family."""
    every = ranges + (FAMILIES[family] if family else ())
    return frozenset(n for n in range(128) if any(first <= n <= last for first, last in every))


@dataclass(frozen=True)
class Part:
    """One instrument of a MIDI file.

    order: among those with notes. channel: 1 to 16, of a port from 0. readings: what its name may
    say in other alphabets, where its bytes are no UTF-8. is_by_name: its program, or that it is
    drums, is what its name says: see `by_names`.
    """

    order: int
    name: str
    program: int
    is_drum: bool
    channel: int = 0
    port: int = 0
    readings: tuple[str, ...] = ()
    is_by_name: bool = False

    def is_called(self, words: re.Pattern[str]) -> bool:
        """Return whether the words are found in what its name may say.

        Marks may be written apart from their letters, as on Macs, and Latin letters wide or kana
        narrow, as in Japan.
        """
        said = [self.name, *self.readings]
        return any(words.search(name) for one in said for name in (one, normalize("NFKC", one)))


LAKH = (
    Track(name="Drums", is_drum=True),
    Track(name="Piano", program=0, family="piano"),
    Track(name="Guitar", program=24, family="guitar"),
    Track(name="Bass", program=33, family="bass"),
    Track(name="Strings", program=48, family="strings"),
)

VOICES = tuple(
    Track(name=name, program=52, name_pattern=f"^({names})\\.?$", order=order)
    for order, (name, names) in enumerate(
        (
            ("Soprano", "sopran[oei]?s?|s"),
            ("Alto", "alt[oi]?s?|a"),
            ("Tenor", "t[eé]nor[ei]?s?|t"),
            ("Bass", "bass[oie]?|basses|b"),
        )
    )
)

VIOLIN = r"(violin[eois]?|violon|geige|vln?\.?)"
"""Names of violins, and their abbreviation."""

QUARTET = tuple(
    Track(name=name, program=program, name_pattern=f"^({names})\\.?$", order=order)
    for order, (name, program, names) in enumerate(
        (
            ("Violin 1", 40, rf"{VIOLIN} *(1|i)|(1\.|1st|i\.?|first|erste) *{VIOLIN}"),
            ("Violin 2", 40, rf"{VIOLIN} *(2|ii)|(2\.|2nd|ii\.?|second|zweite) *{VIOLIN}"),
            ("Viola", 41, "viola|bratsche|alto|vla|va"),
            ("Cello", 42, "(violon)?cell[oi]|violoncelle|vlc|vc"),
        )
    )
)

PIANO = (Track(name="Piano", program=0, programs=((0, 127),)),)
"""All melodic parts are one piano: for solo piano, whose hands are parts of their own."""

TRACK_LISTS: dict[str, tuple[Track, ...]] = {
    "lakh": LAKH,
    "voices": VOICES,
    "quartet": QUARTET,
    "piano": PIANO,
}


class TrackFile(Strict):
    """A track list in a YAML file: `tracks:` and a list of `Track`."""

    tracks: tuple[Track, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _are_played(self) -> "TrackFile":
        names = [track.name for track in self.tracks]
        if len({name.lower() for name in names}) < len(names):  # options and files know no case
            raise ValueError(f"two tracks have the same name: {', '.join(names)}")
        for track in self.tracks:
            if track == Track(name=track.name, program=track.program):
                raise ValueError(
                    f"track '{track.name}' has no rule: give it a family, programs, a "
                    "name_pattern, an order, a channel or rest"
                )
        return self


def track_list(name: str) -> tuple[Track, ...]:
    """Return a track list by its name, or read it from a YAML file."""
    if name in TRACK_LISTS:
        return TRACK_LISTS[name]
    if Path(name).is_file():
        return resolve(TrackFile, read_yaml(Path(name)), name).tracks
    raise ConfigError(f"no track list is called '{name}': {nearest(name, list(TRACK_LISTS))}")


def numbers_of(names: Sequence[str], tracks: Sequence[Track], option: str) -> list[int]:
    """Return the numbers of tracks by their names; `ConfigError` for an unknown one of an option.

    >>> numbers_of(["bass", "Drums"], LAKH, "--keep")
    [3, 0]
    """
    known = [track.name.lower() for track in tracks]
    for name in names:
        if name.strip().lower() not in known:
            raise ConfigError(f"{option}: no track is called '{name}': {nearest(name, known)}")
    return [known.index(name.strip().lower()) for name in names]


def instrument_of(program: int) -> str:
    """Return the name of a program's instrument.

    >>> instrument_of(33), instrument_of(DRUM_KIT)
    ('Electric Bass (finger)', 'drums')
    """
    from pretty_midi.constants import INSTRUMENT_MAP

    return "drums" if program == DRUM_KIT else INSTRUMENT_MAP[program]


DRUM_NAMES = re.compile(
    r"(?<!steel )drum(?!mer boy)|\bdrms?\b|kick|snare|hi.?hat|\bhats?\b|cymbal|\bclaps?\b|"
    r"\bkik\b|\bsnr\b|\brim ?shots?\b|\btoms\b|\bshaker\b|tambourine(?! man)|cowbell|\bcongas\b|"
    r"\bbongos\b|timbales|\bbfd\b|\bbfd\d|\bssd\d|\btr[- ]?[89]0[89]\b|perc(?!y\b)|perkus|"
    r"schlagzeug|trommel|s(?:ch)?lag[vw]erk|trummor|trumset|trommer|rummut|rumpu|davul|bębny|bicí|"
    r"bubn(?:y|j|evi)|\bdob(?:ok)?\b|vurmal|trống|bater[ií]a|batter(?:i[ae]|y)|τύμπαν|ντραμς|"
    r"ударн|барабан|перкусс|"
    r"תופים|طبول|กลอง|ドラム|パーカッション|スネア|ハイハット|打楽器|드럼|타악기|鼓|打击乐|打擊樂|"
    r"\b(?:low|mid|hi|high|floor|rack)[ -]?toms?\b|side ?stick|"
    r"groove agent|^(?:beats?|ride|crash|hh|oh|bd|sd|sn|rims?|snaps?|toms?)\W*\d*$",
    re.IGNORECASE,
)
"""Words in names of parts that are drums, whatever their program; the last ones only where they
are the whole name."""

PROGRAMS_OF_NAMES = {
    re.compile(words, re.IGNORECASE): program
    for words, program in (
        (
            r"bass(?!oon)|^(?:(?!roland|tr)\w+ )?808s?(?: \d+)?$|^sub(?: \d+)?$|^reese\b|"
            r"baß|\b(?:el)?basa?\b|basgit|basow|bask[yi]tar|\bbaixo\b|\bbajo\b|"
            r"\b\u0431\u0430\u0441\b|контрабас|μπάσο|\b\u05d1\u05e1\b|เบส|ベース|贝斯|貝斯|베이스",
            33,
        ),
        (
            "guitar|git[aá]+r|chitarra|k[iy]tara|violão|гитар|κιθάρα|גיטרה|กีตาร์|ギター|吉他|기타",
            24,
        ),
        (
            r"string|streicher|geige|bratsche|violin|violon|viola|cello|cuerdas|cordas|cordes|\barchi\b|"
            "strijkers|stråk|stry[kg]|jous[ie]|vonós|yayl|smyczk|smyčc|струн|скрипк|έγχορδα|"
            "ストリングス|バイオリン|弦乐|弦樂|小提琴|현악",
            48,
        ),
        ("brass", 61),
        ("lead|synth", 80),
        (r"\bpads?\b", 88),
        ("vocal|vox|choir", 52),
    )
}
"""Words in names of parts, and the program of the instrument that they name; those in escapes are
Russian and Hebrew for bass."""

OTHER_THAN_PIANO = re.compile(
    "|".join([DRUM_NAMES.pattern, "melody", *(words.pattern for words in PROGRAMS_OF_NAMES)]),
    re.IGNORECASE,
)
"""Words in names of parts that are not a pianist's."""

HANDS_OR_VOICES = re.compile(
    r"\bhand|\bleft\b|\bright\b|treble|clef|staff|sopran|\b(alto?|tenor)\b(?! sax)",
    re.IGNORECASE,
)
"""Words in names of parts beside which a bass is a staff of a piano, or a singer."""


def are_known_by_names(parts: Sequence[Part]) -> bool:
    """Return whether parts have the program of a piano and other names, as many programs write.

    Among parts of other programs those count that are named as drums; a name that one of these
    has too is a title.

    >>> are_known_by_names([Part(0, "808 Bass", 0, False), Part(1, "Keys", 0, False)])
    True
    >>> are_known_by_names([Part(0, "Drums", 0, False), Part(1, "Bass", 33, False)])
    True
    >>> are_known_by_names([Part(0, "Melody", 0, False), Part(1, "Bass", 33, False)])
    False
    """
    melodic = [part for part in parts if not part.is_drum]
    pianos = [part for part in melodic if _is_piano(part)]
    names = DRUM_NAMES if len(pianos) < len(melodic) else OTHER_THAN_PIANO
    titles = _titles(parts)
    return any(part.is_called(names) for part in pianos if part.name not in titles)


def by_names(parts: Sequence[Part]) -> list[Part]:
    """Return parts with the instruments that their names say, where they have names alone.

    Beside parts with programs of their own, and in a file in which all have one name, which is
    often its title, only drums are known so. See `are_known_by_names`.

    >>> parts = by_names([Part(0, "808 Bass", 0, False), Part(1, "Kick", 0, False)])
    >>> [(part.program, part.is_drum) for part in parts]
    [(33, False), (0, True)]
    """
    if not are_known_by_names(parts) or any(HANDS_OR_VOICES.search(p.name) for p in parts):
        return list(parts)
    melodic = [part for part in parts if not part.is_drum]
    is_title = len({part.name for part in parts}) == 1
    only_drums, titles = is_title or not all(map(_is_piano, melodic)), _titles(parts)
    return [
        _named(part, only_drums)
        if _is_piano(part) and part.channel != DRUM_CHANNEL and part.name not in titles
        else part
        for part in parts
    ]


def _titles(parts: Sequence[Part]) -> set[str]:
    """Return the names of melodic parts with programs of their own, which say what these are.

    In a track of several channels, as of a file of one track, they are that of the song.
    """
    return {part.name for part in parts if not part.is_drum and not _is_piano(part)}


def _is_piano(part: Part) -> bool:
    first, last = FAMILIES["piano"][0]
    return not part.is_drum and first <= part.program <= last


def _named(part: Part, only_drums: bool) -> Part:
    if part.is_called(DRUM_NAMES):
        return replace(part, is_drum=True, is_by_name=True)
    found = [n for words, n in PROGRAMS_OF_NAMES.items() if part.is_called(words)]
    if only_drums or not found:
        return part
    return replace(part, program=found[0], is_by_name=True)


def proposed(parts: Sequence[Part]) -> str | None:
    """Return the track list that a file's parts look as if written for, if any but `lakh`.

    >>> proposed([Part(0, "right hand", 0, False), Part(1, "left hand", 0, False)])
    'piano'
    """
    if any(part.is_drum for part in parts):
        return None
    for name in ("voices", "quartet"):
        tracks = TRACK_LISTS[name]
        named = [any(track.has_name(part) for track in tracks) for part in parts]
        programs = sorted(part.program for part in parts)
        has_programs = programs == sorted(track.program for track in tracks)
        if len(parts) == len(tracks) and (all(named) or has_programs):
            return name
    if are_known_by_names(parts):
        return None
    return "piano" if parts and all(map(_is_piano, parts)) else None


def assign(parts: Sequence[Part], tracks: Sequence[Track]) -> list[int]:
    """Return the track of each part, -1 for a part that no track claims.

    Rules on names come before those on order and channel, these before programs; drum parts then
    go to any drum track, and `rest` comes last. Between tracks with the same rule the first of the
    list wins. Beside a drum track the names of other tracks claim no drum parts: a bass drum is no
    bass.

    >>> guitar = Part(order=3, name="solo", program=30, is_drum=False)
    >>> assign([guitar], LAKH)
    [2]
    """
    rules = (
        (Track.has_name, lambda track: track.name_pattern),
        (Track.has_position, lambda track: track.is_by_position),
        (Track.has_program, lambda track: True),
        (Track.has_drums, lambda track: track.is_drum),
        (Track.has_rest, lambda track: track.rest),
    )
    numbered = list(enumerate(tracks))
    ordered = [(rule, n, track) for rule, is_of in rules for n, track in numbered if is_of(track)]
    has_drums = any(track.is_drum for track in tracks)
    of_drums = [
        (rule, n, track)
        for rule, n, track in ordered
        if track.is_drum or rule != Track.has_name or not has_drums
    ]
    claims = {True: of_drums, False: ordered}
    return [
        next((n for rule, n, track in claims[part.is_drum] if rule(track, part)), -1)
        for part in parts
    ]


def bass_track(tracks: Sequence[Track]) -> int:
    """Return the number of the bass: by family or name, else the lowest of several melodic tracks.

    -1 where there is none.

    >>> bass_track([Track(name="Violin"), Track(name="Cello"), Track(name="Drums", is_drum=True)])
    1
    """
    lowest, melodic = lowest_track(tracks), [track for track in tracks if not track.is_drum]
    return lowest if len(melodic) > 1 or any(track.is_bass for track in melodic) else -1


def lowest_track(tracks: Sequence[Track]) -> int:
    """Return the number of the lowest melodic track: the bass, or the only one there is.

    Of several without a bass by family or name it is the last: scores are written from the
    highest part down. -1 where all are drums.

    >>> lowest_track([Track(name="Piano"), Track(name="Drums", is_drum=True)])
    0
    """
    melodic = [number for number, track in enumerate(tracks) if not track.is_drum]
    named = [n for n in melodic if tracks[n].is_bass]
    return (named or melodic[::-1] or [-1])[0]
