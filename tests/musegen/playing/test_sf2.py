"""SoundFont 2: what is written is read, zones inherit, and broken files are named."""

import struct
from pathlib import Path

import numpy as np
import pytest
import symusic
from tones import pitch_of

from core.errors import UserError
from musegen.playing import sf2
from musegen.playing.instrument import Envelope, Instrument, Range, Region
from musegen.playing.loop import Loop
from musegen.playing.sf2 import Soundfont, encode_sf2

RATE = 22_050
TONE = np.sin(2 * np.pi * np.arange(6000) / 50).astype(np.float32)
"""120 periods of 441 Hz."""


def instrument() -> Instrument:
    """A held and a dying sample, in a low and a high range of keys."""
    falling = Envelope(decay=8.0, sustain_db=100.0, release=0.5)
    dying = TONE * np.exp(-np.arange(6000) / 800).astype(np.float32)
    return Instrument(
        (
            Region(0.5 * TONE, RATE, 69.04, Range(0, 75), Range(1, 80), Loop(1000, 5000), falling),
            Region(0.9 * dying, RATE, 69.0, Range(76, 127), Range(1, 80), None, Envelope()),
            Region(0.8 * TONE, RATE, 69.0, Range(0, 127), Range(81, 127), Loop(500, 5500)),
        ),
        "reeds",
    )


def read(content: bytes, folder: Path) -> Soundfont:
    path = folder / "font.sf2"
    path.write_bytes(content)
    return Soundfont(path)


def test_an_instrument_is_read_as_it_was_written(tmp_path: Path):
    written = instrument()
    found = read(encode_sf2(written), tmp_path).instrument(0)
    assert found and found.name == "reeds"
    for one, other in zip(found.regions, written.regions, strict=True):
        length = len(other.waveform)
        assert np.abs(one.samples[:length] - other.waveform).max() < 1 / 16_000
        assert not one.samples[length:].any()
        assert (one.keys, one.velocities) == (other.keys, other.velocities)
        assert one.root == pytest.approx(other.root, abs=0.005)
        assert one.sample_rate_hz == RATE and one.gain == 1 and one.brightness is None
        assert one.envelope == pytest.approx(other.envelope, rel=1e-3)
        assert other.loop is None or one.loop == other.loop


@pytest.mark.parametrize(("key", "velocity"), [(60, 50), (69, 127), (84, 50)])
def test_another_player_plays_it_at_its_pitch(key: int, velocity: int, tmp_path: Path):
    read(encode_sf2(instrument()), tmp_path)
    player = symusic.Synthesizer(str(tmp_path / "font.sf2"), RATE)
    score = symusic.core.ScoreSecond(480)
    track = symusic.core.TrackSecond("", 0, False)
    track.notes.append(symusic.core.NoteSecond(0.0, 0.3, key, velocity))
    score.tracks.append(track)
    sound = np.asarray(player.render(score, stereo=True)).mean(0)
    assert pitch_of(sound[200:3000], RATE) == pytest.approx(key, abs=0.1)


LAST, END = (b"", 0, 0, 2, 0), (b"", *[0] * 9)


def handmade(
    more: tuple[tuple[int, int], ...] = (), pitch: int = 60, of_up: tuple[int, int] = (44, 64)
) -> bytes:
    """Two programs over one instrument, whose first zone holds for the others.

    It says root 50, and 10 dB softer; its zones are for keys 0-59, with a root of 62, and 60-127.
    Program 7 goes an octave up, only for velocities from 64 on (`of_up`: or of other ranges), and
    1 dB softer; 9 is plain.
    """
    zones = [
        [(58, 50), (48, 100)],
        [(43, 59 << 8), (58, 62), (53, 0)],
        [(43, 60 | 127 << 8), *more, (52, 25), (53, 0)],
    ]
    firsts = np.cumsum([0, *map(len, zones)]).tolist()
    presets = [[(of_up[0], of_up[1] | 127 << 8), (51, 12), (48, 10), (41, 0)], [(41, 0)]]
    records = {
        "phdr": np.array([(b"up", 7, 0, 0, 0), (b"plain", 9, 0, 1, 0), LAST], sf2.PRESET),
        "pbag": np.array([(0, 0), (4, 0), (5, 0)], sf2.BAG),
        "pgen": np.array([*presets[0], *presets[1], (0, 0)], sf2.GENERATOR),
        "inst": np.array([(b"one", 0), (b"", 3)], sf2.INSTRUMENT),
        "ibag": np.array([(first, 0) for first in firsts], sf2.BAG),
        "igen": np.array([*(pair for zone in zones for pair in zone), (0, 0)], sf2.GENERATOR),
        "shdr": np.array([(b"s", 0, 90, 10, 80, RATE, pitch, 5, 0, 1), END], sf2.SAMPLE),
    }  # fmt: skip

    def chunk(name: bytes, data: bytes) -> bytes:
        return name + struct.pack("<I", len(data)) + data

    parts = (chunk(name.encode(), one.tobytes()) for name, one in records.items())
    pool = chunk(b"LIST", b"sdta" + chunk(b"smpl", bytes(200)))
    return chunk(b"RIFF", b"sfbk" + pool + chunk(b"LIST", b"pdta" + b"".join(parts)))


def test_zones_inherit_and_presets_add(tmp_path: Path):
    font = read(handmade(), tmp_path)
    plain, up = font.instrument(9), font.instrument(7)
    assert plain and up
    assert [tuple(region.keys) for region in plain.regions] == [(0, 59), (60, 127)]
    assert [region.root for region in plain.regions] == pytest.approx([62 - 0.05, 50 - 0.3])
    assert [region.root for region in up.regions] == pytest.approx([50 - 0.05, 38 - 0.3])
    assert [tuple(region.velocities) for region in up.regions] == [(64, 127)] * 2
    assert plain.regions[0].gain == pytest.approx(10 ** (-0.4 * 10 / 20))
    assert up.regions[1].gain == pytest.approx(10 ** (-0.4 * 11 / 20))
    assert plain.regions[0].loop is None, "the mode of a sample is not to loop"


@pytest.mark.parametrize(("of_up", "keys"), [((43, 70), (70, 127)), ((44, 70), (0, 59))])
def test_a_zone_sounds_where_the_program_has_both_its_keys_and_its_velocities(
    of_up: tuple[int, int], keys: tuple[int, int], tmp_path: Path
):
    """The first is for keys 0-59, the second for 60-127 with velocities 0-69."""
    up = read(handmade(((44, 69 << 8),), of_up=of_up), tmp_path).instrument(7)
    assert up
    assert [tuple(region.keys) for region in up.regions] == [keys]


def test_a_sample_whose_keys_do_not_change_its_pitch_is_tuned_all_the_same(tmp_path: Path):
    """Scale 0: every key plays the sample, 3 semitones and 25 + 5 cents higher."""
    font = read(handmade(((56, 0), (51, 3))), tmp_path)
    plain = font.instrument(9)
    assert plain
    drum = plain.regions[1]
    assert [drum.semitones(key) for key in (60, 72)] == pytest.approx([3.3, 3.3])
    assert plain.regions[0].semitones(62) == pytest.approx(0.05), "of the others, by their keys"


def test_envelopes_depend_on_the_key_and_bend_the_pitch(tmp_path: Path):
    """Generators 32, 40 and 39: filter and volume fall in half the time an octave higher.

    At middle C the volume falls in 4 s and is held for 2 s; the pitch begins 7 semitones lower.
    """
    volume = ((36, 2400), (35, 1200), (40, 100), (39, -50))
    opening = ((7, -700), (28, 1200), (32, 100), (8, 6000), (11, 2400))
    plain = read(handmade((*volume, *opening)), tmp_path).instrument(9)
    assert plain
    drum = plain.regions[1]
    high, low = (drum.envelope.of_key(key) for key in (72, 48))
    assert (high.decay, low.decay) == pytest.approx((2.0, 8.0))
    assert (high.hold, low.hold) == pytest.approx((2 * 2**0.5, 2 / 2**0.5))
    assert drum.glide and drum.brightness and drum.glide.envelope == drum.brightness.envelope
    assert drum.glide.semitones == -7
    assert drum.glide.envelope.of_key(72).decay == pytest.approx(1.0)
    assert plain.regions[0].glide is None


def test_a_sample_without_a_pitch_plays_as_recorded_at_middle_c(tmp_path: Path):
    """255 marks one, and the zone says no root: section 7.10 asks for 60."""
    font = read(handmade(((58, -1),), pitch=255), tmp_path)
    plain = font.instrument(9)
    assert plain and plain.regions[1].root == pytest.approx(60 - 0.3)


def test_a_program_that_is_missing_is_the_next_of_its_family_else_the_first(tmp_path: Path):
    font = read(handmade(), tmp_path)
    assert font.instrument(15) is font.instrument(9), "both are from 8 to 15"
    assert font.instrument(40) is font.instrument(7)
    assert font.instrument(0, is_drum=True) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin with RIFF"),
        (b"RIFF\x04\0\0\0WAVE", "does not begin with RIFF"),
        (encode_sf2(instrument())[:20_000], "cut off"),
        (handmade().replace(b"shdr", b"xxxx"), "no whole chunk 'shdr'"),
        (handmade().replace(b"smpl", b"xxxx"), "no whole chunk 'phdr'"),
        (handmade().replace(struct.pack("<HHHH", 53, 0, 43, 60 | 127 << 8),
                            struct.pack("<HHHH", 53, 9, 43, 60 | 127 << 8)), "do not fit"),
    ],
)  # fmt: skip
def test_a_broken_file_is_named_with_a_cure(content: bytes, reason: str, tmp_path: Path):
    with pytest.raises(UserError, match=reason) as caught:
        read(content, tmp_path).instrument(9)
    assert "font.sf2" in str(caught.value) and "give a whole, uncompressed .sf2" in str(
        caught.value
    )


def test_any_damage_is_a_sentence_or_a_sound(tmp_path: Path):
    chance, whole = np.random.default_rng(0), bytearray(handmade())
    for _ in range(120):
        damaged = bytearray(whole)
        for at in chance.integers(len(whole), size=3):
            damaged[at] = chance.integers(256)
        try:
            font = read(bytes(damaged), tmp_path)
            for bank, program in font.programs:
                font.instrument(program, bank == 128)
        except UserError:
            continue


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"there is no soundfont .*mine.sf2: give an .sf2 file"):
        Soundfont(tmp_path / "mine.sf2")
