"""The assignment of a file's parts to tracks."""

import re
from collections import Counter
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest
from command import REPOSITORY

from core.errors import ConfigError
from musegen.tracks import (
    LAKH,
    QUARTET,
    TRACK_LISTS,
    VOICES,
    Part,
    Track,
    assign,
    bass_track,
    by_names,
    lowest_track,
    proposed,
    track_list,
)


def part(order: int = 0, name: str = "", program: int = 0, channel: int = 1) -> Part:
    return Part(order, name, program, is_drum=channel == 10, channel=channel)


def test_the_families_of_the_lakh_pianoroll_dataset():
    owners = assign([part(program=n) for n in range(128)], LAKH)
    names = [LAKH[n].name if n >= 0 else "none" for n in owners]
    assert Counter(names) == {"Piano": 8, "Guitar": 8, "Bass": 8, "Strings": 80, "none": 24}
    edges = {7: "Piano", 8: "Strings", 23: "Strings", 24: "Guitar", 31: "Guitar", 32: "Bass"}
    edges |= {39: "Bass", 40: "Strings", 95: "Strings", 96: "none", 103: "none", 104: "Strings"}
    edges |= {111: "Strings", 112: "none"}
    assert {n: names[n] for n in edges} == edges


def test_drums_are_drums_whatever_their_program_and_name():
    drums = part(program=33, name="Bass", channel=10)
    assert assign([drums], LAKH) == [0]
    assert assign([drums, part(program=33)], LAKH[1:]) == [-1, 2]


def test_a_name_in_a_file_does_not_change_a_family():
    assert assign([part(program=0, name="Bass")], LAKH) == [1]


def said(*parts: Part) -> list[tuple[int, bool]]:
    return [(one.program, one.is_drum) for one in by_names(parts)]


def test_parts_with_names_alone_are_what_their_names_say():
    """Programs whose instruments are plug-ins write all on channel 1, without programs."""
    names = (
        "Schlagzeug",
        "Kontrabass",
        "Akustikgitarre",
        "Streicher",
        "Synth Lead",
        "Vox",
        "Keys",
    )
    found = said(*(part(n, one) for n, one in enumerate(names)))
    expected = [(0, True), *((n, False) for n in (33, 24, 48, 80, 52, 0))]
    assert found == expected
    assert [one.is_by_name for one in by_names([part(0, "Kick"), part(1, "Keys")])] == [
        True,
        False,
    ]
    assert said(part(0, "Drum Kit"), part(1, "Bass", program=33)) == [(0, True), (33, False)]
    assert said(part(0, "My drum loop")) == [(0, True)]
    western = (
        "Schlagzeug",
        "Schlagwerk",
        "Slagverk",
        "Perkusja",
        "Bębny",
        "Rummut",
        "Congas",
        "Toms",
        "Dob",
        "Bubnevi",
        "Vurmal\u0131lar",
        "Trống",
        "Groove Agent SE",
        "HH",
        "BD 2",
        "Ride",
        "Beat 1",
        "Kik",
        "SNR",
        "OH",
        "Rim",
        "Snap 2",
        "Tom 1",
        "TR 808",
    )
    for one in (
        *western,
        "Ударные",
        "Ντραμς",
        "תופים",
        "ドラム",
        "打楽器",
        "드럼",
        "架子鼓",
        "打击乐",
    ):
        assert said(part(0, one), part(1, "Keys")) == [(0, True), (0, False)]
    old_russian = Part(0, "Óäàðíûå", 0, is_drum=False, readings=("Ударные", "еДЮПМШЕ"))
    assert by_names([old_russian])[0].is_drum


def test_names_in_other_languages_say_the_instrument():
    bass, guitar, strings = (part(n, one) for n, one in enumerate(("Baixo", "Гитара", "弦乐")))
    assert said(bass, guitar, strings) == [(33, False), (24, False), (48, False)]
    for words, program in (
        (("Baß", "Bas", "Basa", "μπάσο", "\u05d1\u05e1", "เบส"), 33),
        (("808", "808s", "Low 808", "808 2", "Sub", "Reese"), 33),
        (("Basgitaar", "Gitara basowa", "Baskytara", "Elbas"), 33),
        (("Gitar", "Gitár", "Violão", "κιθάρα", "Gitaar", "Kytara"), 24),
        (("Archi", "Geigen", "Violons", "Stryk", "Smyczki"), 48),
        (("Strygere", "Jouset", "Vonósok", "Yayl\u0131lar"), 48),
    ):
        for one in words:
            assert said(part(0, one), part(1, "Keys"))[0] == (program, False), one
    old_chinese = Part(0, "ÇåÏÒ", 0, is_drum=False, readings=("贝斯", "ｱｴﾋｹ"))
    assert said(old_chinese, part(1, "Keys")) == [(33, False), (0, False)]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_known_however_their_letters_are_written(form: Literal["NFC", "NFD"]):
    """Marks apart from their letters, as on Macs; wide Latin letters and narrow kana."""
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in "DRUMS")
    for one in ("Batería", "ドラム", wide, "ﾄﾞﾗﾑ"):
        assert said(part(0, normalize(form, one)), part(1, "Keys"))[0] == (0, True), one
    bass = part(0, normalize(form, "ベース"))
    assert said(bass, part(1, "Keys"))[0] == (33, False)
    for pattern in ("ベース", normalize("NFD", "ベース")):
        assert Track(name="Bass", name_pattern=pattern).has_name(bass)
    assert Track(name="Bass", name_pattern="^ﾍﾞｰｽ$").has_name(part(0, "ﾍﾞｰｽ"))


def test_names_that_say_nothing_of_an_instrument_change_no_part():
    """Staves, voices, titles, other programs, drums with pitches, and a melodic channel 10."""
    for names in (
        ("Treble", "Bass"),
        ("Soprano", "Bass"),
        ("Sopran", "Alt", "Bass"),
        ("Archie", "Basil"),
        ("Lead me home",),
        ("Let it ride",),
        ("Crash into me", "Piano"),
        ("Percy Grainger",),
        ("The Little Drummer Boy",),
        ("Bassoon", "Piano"),
    ):
        parts = [part(n, one) for n, one in enumerate(names)]
        assert by_names(parts) == parts
    song = "Drums and Bass"
    parts = [part(0, song), part(1, song, program=33), part(2, song, program=48)]
    assert by_names(parts) == parts
    parts = [part(0, "All about that bass"), part(1, "All about that bass")]
    assert by_names(parts) == parts
    parts = [part(0, "Bass", program=24), part(1, "Steel Drums", program=114)]
    assert by_names(parts) == parts
    melodic = Part(0, "Drums", 0, is_drum=False, channel=10)
    assert by_names([melodic]) == [melodic]
    assert said(part(0, "Lead"), part(1, "Bass", program=33)) == [(0, False), (33, False)]


def test_each_rule_claims_and_names_come_before_positions_before_programs():
    tracks = (
        Track(name="Rest", rest=True),
        Track(name="Keys", family="piano", programs=((16, 20),)),
        Track(name="Third", order=2),
        Track(name="Channel", channel=7),
        Track(name="Solo", name_pattern="solo|lead"),
    )
    parts = [
        part(0, program=5),
        part(1, program=18),
        part(2, program=5),
        part(3, program=5, channel=7),
        part(2, program=5, channel=7, name="My LEAD guitar"),
        part(5, program=90),
        part(6, channel=10),
    ]
    assert assign(parts, tracks) == [1, 1, 2, 3, 4, 0, 0]


def test_several_drum_tracks_by_name():
    kit = (
        Track(name="Kick", is_drum=True, name_pattern="kick"),
        Track(name="Drums", is_drum=True),
    )
    assert assign([part(0, "kick", channel=10), part(1, "hats", channel=10)], kit) == [0, 1]


def test_drums_by_name_claim_the_drum_parts_that_no_other_track_claims():
    tracks = (Track(name="Drums", is_drum=True, name_pattern="drum"), Track(name="All", rest=True))
    parts = [part(0, "EZdrummer", channel=4), part(1, "hits", channel=10), part(2, "lead")]
    assert assign(parts, tracks) == [0, 0, 1]


def test_a_bass_drum_is_no_bass_where_a_track_plays_drums():
    bass = Track(name="Bass", name_pattern="bass")
    parts = [part(0, "Bass Drum", channel=10), part(1, "E-Bass", channel=2)]
    assert assign(parts, (bass, Track(name="Drums", is_drum=True))) == [1, 0]
    kick = Track(name="Kick", is_drum=True, name_pattern="drum")
    assert assign(parts, (Track(name="All", is_drum=True), bass, kick)) == [2, 1]
    assert assign(parts, (bass,)) == [0, 0]


def test_voices_go_by_name_and_else_by_order():
    assert assign([part(0, "Tenor"), part(1, "alto"), part(2), part(4)], VOICES) == [2, 1, 2, -1]
    assert assign([part(n) for n in range(4)], QUARTET) == [0, 1, 2, 3]


def test_lists_have_names_and_files(tmp_path: Path):
    assert track_list("voices") == VOICES
    path = tmp_path / "pop.yaml"
    path.write_text(
        "tracks:\n"
        "- {name: Melody, name_pattern: melody}\n"
        "- {name: Others, program: 24, family: guitar, channel: 3}\n"
        "- {name: Pads, programs: [[88, 95]]}\n"
    )
    melody, others, pads = track_list(str(path))
    assert melody == Track(name="Melody", name_pattern="melody")
    assert (others.family, others.channel, others.program) == ("guitar", 3, 24)
    assert pads.programs == ((88, 95),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tracks: [{name: A, name_pattern: '('}]", "not a regular expression"),
        ("tracks: [{name: A, rest: true}, {name: A, order: 1}]", "two tracks have the same name"),
        ("tracks: [{name: A, rest: true}, {name: a, order: 1}]", "two tracks have the same name"),
        ("tracks: [{name: A, program: 3}]", "'A' has no rule"),
        ("tracks: [{name: A, progam: 3}]", "did you mean 'program'"),
        ("tracks: [{name: A, channel: 17}]", "channel"),
        ("tracks: []", "tracks"),
    ],
)
def test_a_wrong_list_is_explained(tmp_path: Path, text: str, says: str):
    path = tmp_path / "tracks.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        track_list(str(path))


def test_an_unknown_list_names_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'voices'"):
        track_list("voises")


def test_the_examples_of_the_documentation_are_valid_lists(tmp_path: Path):
    text = (REPOSITORY / "docs" / "tracks.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^    tracks:\n(?:    - .*\n)+", text, re.MULTILINE)
    assert len(blocks) == 3
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        assert len(track_list(str(path))) >= 3
    for name in TRACK_LISTS:
        assert f"| `{name}` |" in text


def test_the_bass_is_known_by_family_or_name_else_it_is_the_last():
    assert bass_track(TRACK_LISTS["lakh"]) == 3
    assert bass_track(TRACK_LISTS["voices"]) == 3
    assert bass_track(TRACK_LISTS["quartet"]) == 3
    assert bass_track((Track(name="bass"), Track(name="Lead"))) == 0
    assert bass_track((Track(name="Lead"), Track(name="Drums", is_drum=True))) == -1
    assert bass_track((Track(name="Drums", is_drum=True), Track(name="Bass"))) == 1


def test_the_lowest_track_is_the_bass_or_the_only_melodic_one():
    lead, drums = Track(name="Lead"), Track(name="Drums", is_drum=True)
    assert lowest_track(TRACK_LISTS["voices"]) == lowest_track(TRACK_LISTS["quartet"]) == 3
    assert lowest_track((Track(name="bass"), lead)) == 0
    assert (lowest_track((lead, drums)), lowest_track((drums, lead))) == (0, 1)
    assert lowest_track((drums,)) == lowest_track(()) == -1


@pytest.mark.parametrize(
    ("tracks", "names"),
    [
        (VOICES, ("Soprano", "Alto", "Tenor", "Bass")),
        (VOICES, ("Sopran", "Alt", "Tenor", "Bass")),
        (VOICES, ("S.", "A.", "T.", "B.")),
        (QUARTET, ("Violin 1", "Violin 2", "Viola", "Cello")),
        (QUARTET, ("Violino I", "Violino II", "Viola", "Violoncello")),
        (QUARTET, ("Vln. 1", "Vln. 2", "Vla.", "Vc.")),
        (QUARTET, ("1. Violine", "2. Violine", "Bratsche", "Violoncello")),
        (QUARTET, ("1st Violin", "2nd Violin", "Viola", "Violoncello")),
        (QUARTET, ("Violini I", "Violini II", "Viola", "Cello")),
    ],
)
def test_voices_and_strings_are_known_by_their_names_in_any_order(
    tracks: tuple[Track, ...], names: tuple[str, ...]
):
    """A score may be written from the lowest part up; `prepare` proposes the list as well."""
    written = [part(n, one) for n, one in enumerate(reversed(names))]
    assert assign(written, tracks) == [3, 2, 1, 0]
    assert proposed(written) == ("voices" if tracks == VOICES else "quartet")


def test_parts_of_equal_names_are_in_the_order_of_the_score():
    names = ("Violin", "Violin", "Viola", "Cello")
    assert assign([part(n, one) for n, one in enumerate(names)], QUARTET) == [0, 1, 2, 3]
