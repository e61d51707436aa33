"""Notes to train on: from recordings of all kinds, and from soundfonts."""

import json
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from note_sounds import CONFIG, ORGAN, RATE, REED, SECONDS, collection, note, wav, write_notes

from core.data.workers import Failure
from core.errors import ConfigError, UserError
from musegen.files.audio import SAMPLE_RATE
from musegen.playing.orchestra import SOUNDFONT
from musegen.playing.program import Program
from musegen.playing.sf2 import Soundfont
from musegen.voice.data.collection import Collection
from musegen.voice.data.names import Named, descriptions, name_of_pitch, named, pitch_in
from musegen.voice.data.preparation import held_out, prepare
from musegen.voice.data.recordings import cut, decode, onsets
from musegen.voice.data.records import LOUDNESS, PEAK, PrepareConfig, normalised
from musegen.voice.data.takes import Take, render
from musegen.voice.fundamental import hear


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collection(tmp_path_factory.mktemp("voice"))


@pytest.mark.parametrize(
    ("name", "pitch"),
    [
        *(("piano C4", 60), ("Violin_A#3_pp", 58), ("cello-Bb2", 46), ("flute Cs5", 73)),
        *(("E-1", 4), ("midi60", 60), ("note_072", 72), ("kick 2", None), ("Bass", None)),
        *(("take 12", None), ("a4", 69), ("C4 then E4", 64), ("note200", None)),
    ],
)
def test_names_tell_pitches(name: str, pitch: int | None):
    assert pitch_in(name) == pitch


def test_names_of_pitches_are_read_back():
    assert all(pitch_in(name_of_pitch(pitch)) == pitch for pitch in range(12, 128))


def test_nsynth_names_and_descriptions_tell_instruments(tmp_path: Path):
    text = json.dumps({"odd": {"instrument_str": "bass_7", "pitch": 40, "velocity": 25}})
    (tmp_path / "examples.json").write_text(text)
    described = descriptions([tmp_path])
    assert named("x/odd.wav", described) == Named("bass_7", 40, 25)
    assert named("x/bass_synthetic_068-049-025.wav", {}) == Named("bass_synthetic_068", 49, 25)
    assert named("violins/C4.wav", {}) == Named("violins", 60)
    assert named("x/Grand Piano C4 v2.wav", {}).timbre == "Grand Piano v"
    (tmp_path / "examples.json").write_text("no json")
    assert descriptions([tmp_path]) == {}


def test_notes_have_a_common_loudness_onset_and_length():
    soft = 0.05 * np.concatenate([np.zeros(700), note(60, seconds=0.1)])
    for sound in (soft, note(60, REED, 1.0)):
        one = normalised(sound, CONFIG)
        assert one is not None and len(one) == round(SECONDS * RATE)
        assert np.abs(one).max() <= PEAK + 1e-9
        assert np.abs(one[:40]).max() > 0.02, "it begins at once"
    loud = normalised(note(60, REED, 1.0), CONFIG)
    assert loud is not None
    assert np.sqrt(np.square(loud).mean()) == pytest.approx(LOUDNESS, rel=0.05)
    assert normalised(np.zeros(500), CONFIG) is None


def test_a_recording_is_cut_where_notes_begin():
    gap = np.zeros(800)
    sound = np.concatenate([gap, note(60), gap, note(64), gap, note(67)])
    begins = np.array(onsets(sound, RATE)) / RATE
    assert begins == pytest.approx([0.2, 0.65, 1.1], abs=0.03)
    tones = [hear(part, RATE) for part in cut(sound, CONFIG)]
    assert [round(tone.pitch) for tone in tones if tone] == [60, 64, 67]
    assert len(list(cut(note(60), CONFIG))) == 1


def test_files_of_several_formats_rates_and_widths_give_the_same_note(tmp_path: Path):
    sound = note(57, ORGAN, 0.5, 22_050)
    for kind, codec in (("flac", "flac"), ("aiff", "pcm_s16be"), ("mp3", "libmp3lame")):
        with av.open(str(tmp_path / f"a.{kind}"), "w") as file:
            stream: Any = file.add_stream(codec, rate=22_050, layout="mono")
            frame = av.AudioFrame.from_ndarray(
                (sound * 32767).astype(np.int16)[None], "s16", "mono"
            )
            frame.sample_rate = 22_050
            resampler = av.AudioResampler(stream.format, "mono", 22_050, stream.frame_size)
            for piece in (*resampler.resample(frame), *resampler.resample(None), None):
                file.mux(stream.encode(piece))
    (tmp_path / "b.wav").write_bytes(wav(sound, 22_050, 1))
    for path in tmp_path.iterdir():
        tone = hear(decode(path.read_bytes(), CONFIG), RATE)
        assert tone and tone.pitch == pytest.approx(57, abs=0.1), path


def test_each_file_is_kept_or_has_a_reason(tmp_path: Path):
    folder = write_notes(tmp_path / "wavs", (48, 52, 55, 60))
    noise = 0.3 * np.random.default_rng(0).standard_normal(1000)
    bad = {
        "silence.wav": wav(np.zeros(1000)),
        "noise.wav": wav(noise),
        "clipped-C4.wav": wav(9 * note(60)),
        "broken.wav": b"RIFFnothing",
        "empty.wav": b"",
        "high-C8.wav": wav(note(108, (1.0,))),
        "text.mp3": b"not a sound at all" * 50,
    }
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    (folder / "crushed-E3.wav").write_bytes(wav(note(52, REED), width=1))
    summary = prepare([str(folder)], tmp_path / "data", CONFIG, jobs=0)
    lines = (tmp_path / "data" / "rejects.jsonl").read_text().splitlines()
    reasons = {Path(one["path"]).name: one["reason"] for one in map(json.loads, lines)}
    assert reasons == {
        "silence.wav": "silent",
        "noise.wav": "no-pitch",
        "clipped-C4.wav": "clipped",
        "broken.wav": "unreadable",
        "empty.wav": "empty-file",
        "high-C8.wav": "no-pitch",
        "text.mp3": "unreadable",
    }
    assert summary.kept == 9 and set(summary.timbres) == {"organ", "reed", "crushed"}
    assert any("9 kept, 7 rejected" in line for line in summary.lines)


def test_samples_that_are_no_numbers_are_silence():
    """Those of 8 kHz reach 4 kHz through a filter, whose end would be no number either."""
    count, header = 4000, struct.Struct("<4sI4s4sIHHIIHH4sI")
    form = (16, 3, 1, 8000, 32_000, 4, 32)  # floats
    head = header.pack(b"RIFF", 36 + 4 * count, b"WAVE", b"fmt ", *form, b"data", 4 * count)
    sound = decode(head + np.full(count, np.nan, "<f4").tobytes(), CONFIG)
    assert len(sound) == pytest.approx(count / 2, abs=40) and (sound == 0).all()


def test_descriptions_that_cannot_be_read_are_passed_over(tmp_path: Path):
    (tmp_path / "examples.json").write_text("[" * 100_000)
    assert descriptions([tmp_path]) == {}


def test_held_out_are_pitches_of_instruments_that_are_trained_on(prepared: Collection):
    whole = prepared.store.whole
    for timbre in (0, 1):
        own = whole["timbre"] == timbre
        assert whole["is_test"][own].sum() == round(0.1 * 13)
        assert (~whole["is_test"])[own].sum() == 12
    pitches = np.repeat(np.arange(10), 2)
    test = held_out(np.zeros(20, int), pitches, CONFIG)
    assert test.sum() == 2 and len(set(pitches[test])) == 1, "every velocity of a pitch"
    assert not held_out(np.zeros(3, int), np.arange(3), CONFIG).any()


def test_batches_are_pairs_of_a_take_and_repeat(prepared: Collection):
    batch = prepared.pairs(3, 64, seed=1)
    assert (batch.timbres[::2] == batch.timbres[1::2]).all()
    assert (batch.pitches[::2] != batch.pitches[1::2]).mean() > 0.5
    assert len(set(batch.timbres)) == 2
    assert (prepared.pairs(3, 64, seed=1).sounds == batch.sounds).all()
    assert (prepared.pairs(4, 64, seed=1).sounds != batch.sounds).any()
    for sound, pitch in zip(batch.sounds[:6], batch.pitches, strict=False):
        tone = hear(sound, RATE)
        assert tone and tone.pitch == pytest.approx(pitch, abs=0.3)
    assert len(prepared.pairs(0, 5, seed=0).sounds) == 5
    held = prepared.batch(0, 50, 0, "test")
    assert len(set(zip(held.timbres.tolist(), held.pitches.tolist(), strict=True))) == 2


def test_a_take_is_a_timbre_at_one_velocity(tmp_path: Path):
    (tmp_path / "wavs").mkdir()
    named = [("organ", 60, 100), ("organ", 60, 40), ("organ", 64, 40), ("reed", 62, 40)]
    for timbre, pitch, velocity in named:
        path = tmp_path / "wavs" / f"{timbre}-{pitch:03d}-{velocity:03d}.wav"
        dark = 1 if velocity < 100 else 3  # harmonics: of what sounds the same one is kept
        path.write_bytes(wav(note(pitch, (ORGAN if timbre == "organ" else REED)[:dark])))
    prepare([str(tmp_path / "wavs")], tmp_path / "data", CONFIG, jobs=0)
    data = Collection.open(tmp_path / "data")
    whole = data.store.whole
    columns = (whole[name].tolist() for name in ("pitch", "velocity", "take"))
    found = zip(data.names(whole["timbre"].tolist()), *columns, strict=True)
    takes = {(timbre, pitch, velocity): take for timbre, pitch, velocity, take in found}
    assert {name: takes[name] for name in named} == dict(zip(named, (1, 0, 0, 2), strict=True))


def test_a_take_of_a_soundfont_has_its_pitches():
    config = CONFIG.replace(lowest=58, highest=62)
    record = render(Take(0, 100, SECONDS), str(SOUNDFONT), config)
    assert not isinstance(record, Failure)
    assert (record.timbre, record.pitches.tolist()) == ("Acoustic Grand Piano", [*range(58, 63)])
    assert record.velocities.tolist() == [100] * 5
    tones = [hear(sound / 32767, RATE) for sound in record.notes]
    assert [round(tone.pitch) for tone in tones if tone] == [*range(58, 63)]


def test_what_is_asked_for_must_be_there(tmp_path: Path):
    with pytest.raises(ConfigError, match="--soundfont"):
        prepare(["x"], tmp_path / "a", CONFIG, SOUNDFONT)
    with pytest.raises(ConfigError, match="--programs are a soundfont's: leave them out"):
        prepare(["x"], tmp_path / "a", PrepareConfig(programs=(3,)))
    with pytest.raises(UserError, match="no soundfont"):
        prepare([], tmp_path / "b", CONFIG, tmp_path / "none.sf2")
    (tmp_path / "text.sf2").write_text("hello")
    with pytest.raises(UserError, match=r"text\.sf2 is no SoundFont 2 file"):
        prepare([], tmp_path / "b", CONFIG, tmp_path / "text.sf2")
    assert not (tmp_path / "b").exists()
    with pytest.raises(ConfigError, match="lowest is above highest"):
        prepare([], tmp_path / "c", CONFIG.replace(lowest=80), SOUNDFONT)
    (tmp_path / "texts").mkdir()
    with pytest.raises(UserError, match="no sound file"):
        prepare([str(tmp_path / "texts")], tmp_path / "d", CONFIG)


def test_a_key_that_goes_up_before_the_end_lets_its_note_ring_out():
    """It was cut where the key went up, with a click."""
    instrument = Soundfont(SOUNDFONT).instrument(0)
    assert instrument
    pitch, velocity = np.array([60]), np.array([100])
    whole = Program(instrument).notes(pitch, velocity, 0.1)
    ringing = Program(instrument).released(pitch, velocity, 0.1, SECONDS)
    assert ringing.shape == (1, round(SECONDS * SAMPLE_RATE))
    assert (ringing[:, : whole.shape[1]] == whole).all()
    record = render(Take(0, 100, 0.1), str(SOUNDFONT), CONFIG.replace(lowest=60, highest=60))
    assert not isinstance(record, Failure)
    after = record.notes[0, round(0.11 * RATE) : round(0.12 * RATE)]
    assert np.abs(after).max() > 0.01 * np.abs(record.notes[0]).max()
