"""Keyboards: a voice as samples with keys, written as .sfz and .sf2 and read back."""

from pathlib import Path

import numpy as np
import pytest
from command import run
from tones import RATE, Reeds, pitch_of

from core.errors import ConfigError, UserError
from musegen.files.audio import wav
from musegen.playing.instrument import Instrument
from musegen.playing.keyboard import keyboard, write_keyboard
from musegen.playing.opening import open_voice
from musegen.playing.program import Program
from musegen.playing.sf2 import Soundfont
from musegen.playing.sfz import read_sfz


@pytest.fixture(scope="module")
def reeds() -> Instrument:
    return keyboard(Reeds(), "reeds", semitones=4)


@pytest.fixture(scope="module")
def written(reeds: Instrument, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keyboards")
    paths = [
        *write_keyboard(reeds, folder / "reeds"),
        *write_keyboard(reeds, folder / "reeds.sf2"),
    ]
    assert all(path.is_file() for path in paths) and len(paths) == len(reeds.regions) + 2
    return folder


def no_run(run: str, seed: int):
    raise AssertionError(run)


def test_each_key_has_the_nearest_sample(reeds: Instrument):
    assert [region.root for region in reeds.regions] == [48, 52, 56, 60, 64, 68, 72]
    for key in range(128):
        (region,) = reeds.sounding(key, 100)
        nearest = min([48, 52, 56, 60, 64, 68, 72], key=lambda root: abs(root - key))
        assert abs(region.root - key) == abs(nearest - key)


@pytest.mark.parametrize("name", ["reeds", "reeds/reeds.sfz", "reeds.sf2"])
def test_what_is_written_is_read_and_sounds_at_its_pitch(
    name: str, written: Path, reeds: Instrument
):
    voice = open_voice(str(written / name), no_run)
    assert isinstance(voice, Program)
    for one, other in zip(voice.instrument.regions, reeds.regions, strict=True):
        assert (one.keys, one.velocities, one.root, one.loop) == (
            other.keys, other.velocities, other.root, other.loop,
        )  # fmt: skip
        assert one.sample_rate_hz == RATE
        assert np.abs(one.samples[: len(other.waveform)] - other.waveform).max() < 1 / 16_000
        assert one.envelope.release == pytest.approx(other.envelope.release, abs=0.001)
    sounds = voice.notes(np.array([50, 61, 79]), np.array([127] * 3), 3.0)
    for pitch, sound in zip((50, 61, 79), sounds, strict=True):
        assert pitch_of(sound[-20_000:], voice.sample_rate_hz) == pytest.approx(pitch, abs=0.05)


def test_a_note_that_is_held_goes_on_as_loud_as_it_was(written: Path):
    """The voice lasts a second; its loop has no seam that is louder or softer than the rest."""
    (sound,) = open_voice(str(written / "reeds"), no_run).notes(
        np.array([60]), np.array([127]), 6.0
    )
    frames = np.square(sound[4410:-4410]).reshape(-1, 2205).mean(1) ** 0.5  # [frame]
    assert frames.max() / frames.min() < 1.1


def test_a_plucked_note_goes_on_to_decay(tmp_path: Path):
    """12 dB a second: 60 dB below its beginning after five."""

    class Plucked(Reeds):
        def notes(self, pitches: np.ndarray, velocities: np.ndarray, seconds: float) -> np.ndarray:
            fall = 10 ** (-12 / 20 * np.arange(self.samples) / RATE)
            return (super().notes(pitches, velocities, seconds) * fall).astype(np.float32)

    list(write_keyboard(keyboard(Plucked(), "harp", 12), tmp_path / "harp.sf2"))
    voice = open_voice(str(tmp_path / "harp.sf2"), no_run)
    (sound,) = voice.notes(np.array([60]), np.array([127]), 5.1)
    early, late = (np.square(sound[a : a + 4410]).mean() ** 0.5 for a in (0, 5 * 44_100))
    assert 20 * np.log10(late / early) == pytest.approx(-60, abs=2)


def test_layers_of_velocity_have_samples_of_their_own():
    class Layered(Reeds):
        velocities = (60, 127)

    regions = keyboard(Layered(), semitones=12).regions
    assert [(tuple(r.velocities), r.root) for r in regions] == [
        *(((1, 60), root) for root in (48, 60, 72)),
        *(((61, 127), root) for root in (48, 60, 72)),
    ]


def test_files_are_the_same_each_time_and_others_are_not_overwritten(
    reeds: Instrument, written: Path
):
    before = (written / "reeds.sf2").read_bytes()
    list(write_keyboard(keyboard(Reeds(), "reeds", 4), written / "reeds.sf2"))
    assert (written / "reeds.sf2").read_bytes() == before
    with pytest.raises(UserError, match="--overwrite"):
        list(write_keyboard(keyboard(Reeds(), "reeds", 12), written / "reeds.sf2"))
    with pytest.raises(ConfigError, match=r"--to FILE\.sf2, or a folder for an \.sfz"):
        list(write_keyboard(reeds, written / "reeds.wav"))


def test_a_text_of_others_is_read(tmp_path: Path):
    """Groups, comments, names of notes, folders in two notations, spaces in names of files."""
    (tmp_path / "My Samples").mkdir()
    sample = np.zeros((2, 400), np.float32)
    sample[0] = 0.5
    for name in ("soft one.wav", "hard.wav"):
        (tmp_path / "My Samples" / name).write_bytes(wav(sample, 8000))
    (tmp_path / "any.sfz").write_text(
        "// by hand: sample=none.wav\n<control> default_path=My Samples\\\n"
        "<global> ampeg_release=0.7 /* lokey=5\n hikey=6 */\n"
        "<group> lovel=1 hivel=63 volume=-6\n"
        "<region> sample=soft one.wav lokey=c4 hikey=e4 pitch_keycenter=d4 tune=-20\n"
        "<group> lovel=64\n<region> key=Bb3 sample=hard.wav loop_mode=loop_continuous\n"
        "loop_start=10 loop_end=99 pan=-100 ampeg_sustain=50 cutoff=900\n<curve> v000=1\n"
    )
    soft, hard = read_sfz(tmp_path).regions
    assert (tuple(soft.keys), tuple(soft.velocities)) == ((60, 64), (1, 63))
    assert (soft.root, soft.loop, soft.pan) == (62.2, None, 0)
    assert soft.gain == pytest.approx(0.501, abs=0.001)
    assert soft.samples[0] == pytest.approx(0.25, abs=1e-3), "the mean of both channels"
    assert (tuple(hard.keys), tuple(hard.velocities), hard.root) == ((58, 58), (64, 127), 58)
    assert (hard.loop, hard.pan, hard.gain) == ((10, 100), -1, 1)
    assert hard.envelope.sustain_db == pytest.approx(6.02, abs=0.01)
    assert soft.envelope.release == hard.envelope.release == 0.7


def test_the_letters_of_a_comment_may_be_those_of_another_encoding(tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(wav(np.zeros((1, 100), np.float32), 8000))
    (tmp_path / "my.sfz").write_bytes(b"// Fl\xfcgel\n<region> sample=a.wav key=60\n")
    (region,) = read_sfz(tmp_path / "my.sfz").regions
    assert tuple(region.keys) == (60, 60)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no <region> with a sample: give another .sfz"),
        ("<region> sample=none.wav", "there is no sound file .*none.wav: put it there"),
        ("<region> sample=bad.wav", "bad.wav is no whole sound file: export it again as .wav"),
        ("<region> sample=a.wav lokey=H4", "'lokey=H4' is no number: correct it"),
        ("<region> sample=a.wav volume=loud", "'volume=loud' is no number: correct it"),
        (
            "<region> sample=a.wav loop_mode=loop_sustain loop_start=50 loop_end=9000",
            "the loop of a.wav is not within it: correct loop_end",
        ),
    ],
)
def test_a_broken_sfz_is_named_with_a_cure(text: str, sentence: str, tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(wav(np.zeros((1, 100), np.float32), 8000))
    (tmp_path / "bad.wav").write_bytes(b"RIFF no sound")
    (tmp_path / "my.sfz").write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_sfz(tmp_path / "my.sfz")


def test_a_folder_with_two_texts_asks_for_one(tmp_path: Path):
    for name in "ab":
        (tmp_path / f"{name}.sfz").write_text("")
    with pytest.raises(UserError, match=r"holds 2 \.sfz files: name one of them"):
        read_sfz(tmp_path)
    with pytest.raises(UserError, match=r"absent\.sfz: there is no such file: correct its path"):
        read_sfz(tmp_path / "absent.sfz")


def test_a_soundfont_of_one_voice_plays_it_for_every_program(written: Path):
    font = Soundfont(written / "reeds.sf2")
    assert font.instrument(40) is font.instrument(0)


def test_the_command_samples_the_timbre_of_a_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Trained:
        def voice(self, seed: int) -> Reeds:
            assert seed == 3
            return Reeds()

    opened: list[str] = []
    monkeypatch.setattr(
        "musegen.voice.model.Model.load", lambda run, device: opened.append(run) or Trained()
    )
    to = tmp_path / "mine.sf2"
    arguments = ("keyboard", "runs/reeds", "--seed", 3, "--semitones", 12, "--to", to)
    assert run("voice", *arguments) == (0, f"{to}\n", "")
    assert opened == ["runs/reeds"]
    found = Soundfont(to).instrument(0)
    assert found and found.name == "mine" and [r.root for r in found.regions] == [48, 60, 72]
