"""Sound <-> x: frequencies, levels, and the way back."""

import math

import numpy as np
import pytest
import torch
from note_sounds import note
from torch import Tensor

from musegen.voice.networks.harmonics import lobe
from musegen.voice.spectrogram import Scale, Spectrogram

RATE = 16_000
LINEAR = Spectrogram(RATE, RATE)
TIME = torch.arange(RATE) / RATE


def sine(hz: float, amplitude: float = 0.5) -> Tensor:
    return amplitude * torch.sin(2 * math.pi * hz * TIME)


def snr_db(sound: Tensor, other: Tensor) -> float:
    return 10 * math.log10(sound.square().sum() / (sound - other).square().sum())


@pytest.mark.parametrize("scale", ("linear", "mel"))
@pytest.mark.parametrize("hz", (110.0, 440.0, 1234.5))
def test_a_sine_has_a_constant_frequency_and_its_own_level(scale: Scale, hz: float):
    spectrogram = Spectrogram(RATE, RATE, scale=scale)
    x = spectrogram.analyse(sine(hz)[None])
    assert x.shape == (1, 2, 64, 512)
    loudest = int(x[0, 0].mean(0).argmax())
    bins = spectrogram.row_bins[loudest] + 2 * x[0, 1, 4:-8, loudest]
    found = bins * spectrogram.bin_hz
    assert (found - hz).abs().max() < 0.001 * hz
    level = spectrogram.levels_db(x)[0, 4:-8, loudest]
    assert -8 < level.min() <= level.max() < -6.0, "amplitude 0.5 is -6 dB"


def test_sounds_of_any_length_have_as_many_frames():
    """A longer one is cut, a shorter one is filled up with silence."""
    whole = LINEAR.analyse(sine(440)[None])
    longer = torch.cat([sine(440), torch.ones(5000)])[None]
    assert torch.equal(LINEAR.analyse(longer), whole)
    assert LINEAR.analyse(sine(440)[None, :4000]).shape == whole.shape


def test_rows_of_a_sine_have_one_phase_and_fall_off_as_the_window():
    hz = 27.3 * LINEAR.bin_hz
    x = LINEAR.analyse(sine(hz)[None])
    level = LINEAR.levels_db(x)[0, 20]
    offset = 27.3 - torch.arange(26, 30)
    wanted = 20 / math.log(10) * (lobe(offset[None])[0] - lobe(offset[None])[0, 1])
    assert level[26:30] - level[27] == pytest.approx(wanted, abs=0.05)
    phases = x[0, 1, :, 26:29].cumsum(0) + torch.arange(64)[:, None] * torch.arange(26, 29) / 2
    apart = torch.exp(1j * math.pi * (phases[4:50] - phases[4:50, :1]))
    assert (apart - 1).abs().max() < 0.01


@pytest.mark.parametrize("pitch", (24, 43, 60, 84))
def test_sound_to_x_to_sound_keeps_real_notes_to_30_db(pitch: int):
    sound = torch.from_numpy(note(pitch, (1, 0.5, 0.3, 0.2, 0.1), 1.0, RATE)).float()
    assert snr_db(sound, LINEAR.synthesise(LINEAR.analyse(sound[None]))[0]) > 30


def test_chirps_clicks_and_noise_come_back_and_silence_is_silent():
    chirp = 0.5 * torch.sin(2 * math.pi * (100 * TIME + 1500 * TIME**2))
    click = torch.zeros(RATE)
    click[8000] = 0.9
    noise = 0.1 * torch.randn(RATE)
    sounds = torch.stack([chirp, click, noise, torch.zeros(RATE)])
    back = LINEAR.synthesise(LINEAR.analyse(sounds))
    for sound, other, least in zip(sounds, back, (60, 30, 30), strict=False):
        assert snr_db(sound, other) > least
    assert int(back[1].abs().argmax()) == 8000
    assert not back[3].any()
    assert (LINEAR.analyse(sounds)[3] == torch.tensor([-1.0, 0.0])[:, None, None]).all()


def test_x_to_sound_to_x_is_the_identity_where_it_is_audible():
    x = LINEAR.analyse(torch.from_numpy(note(57, seconds=1.0, rate=RATE)).float()[None])
    same = LINEAR.analyse(LINEAR.synthesise(x))
    audible = x[:, 0] > 0
    assert audible.float().mean() > 0.01
    assert (same[:, 0] - x[:, 0])[audible].abs().max() < 0.001
    turned = (same[:, 1] - x[:, 1] + 1) % 2 - 1
    assert turned[audible].abs().max() < 0.002


def test_a_mel_scale_loses_little_of_a_low_note():
    mel = Spectrogram(RATE, RATE, scale="mel")
    assert torch.all(mel.row_bins.diff() > 0) and mel.row_bins[-1] < 512
    sound = torch.from_numpy(note(40, seconds=1.0, rate=RATE)).float()
    assert snr_db(sound, mel.synthesise(mel.analyse(sound[None]))[0]) > 15


def test_shorter_sounds_are_filled_up_and_windows_follow_the_length():
    assert [Spectrogram(4000, 1000, w).frames for w in (64, 128, 256)] == [64, 40, 24]
    x = Spectrogram(4000, 1000, 128).analyse(torch.from_numpy(note(60)[:400]).float()[None])
    assert x.shape == (1, 2, 40, 64)
    assert (x[0, 0, 20:] == -1).all() and np.isclose(x.abs().max().item(), 1)
