"""The networks of notes: where harmonics lie, what a cell's likelihood is, how maps grow."""

import math

import pytest
import torch
from note_sounds import ORGAN, note
from torch.nn import functional as F

from core.theory.adversarial import logistic
from core.theory.passes import Batch, Passes
from musegen.voice.fundamental import hear, hz_of
from musegen.voice.networks.build import build
from musegen.voice.networks.config import VoiceConfig
from musegen.voice.networks.critic import NoteCritic, minibatch_std
from musegen.voice.networks.decoder import HarmonicDecoder, MapDecoder, PixelNorm
from musegen.voice.networks.harmonics import HARMONICS, HarmonicRows, PitchReader, lobe
from musegen.voice.networks.tones import Tones
from musegen.voice.recipes import RECIPES
from musegen.voice.spectrogram import Spectrogram
from musegen.voice.terms import Auxiliary, Transpose, exchanged

RATE = 16_000
SPECTROGRAM = Spectrogram(RATE, RATE // 2)
CONFIG = VoiceConfig(latent=4, channels=2, critic_channels=2, width=16, pitch=4)


def conditions(*pitches: int) -> torch.Tensor:
    """The conditions of pitches, whose embeddings do not matter."""
    heights = (torch.tensor(pitches) - 60) / 12
    return torch.cat([heights[:, None], torch.zeros(len(pitches), CONFIG.pitch)], 1)


def test_a_pitch_is_read_as_its_height_in_octaves():
    reader = PitchReader(24, 61, 3)
    c = reader(F.one_hot(torch.tensor([0, 36, 60]), 61).float())
    assert c[:, 0].tolist() == [-3, 0, 2]
    assert c[1, 1:].tolist() == (reader.embedding.weight[:, 36] + reader.embedding.bias).tolist()


def test_rows_know_their_harmonics():
    rows = HarmonicRows(SPECTROGRAM)
    fundamental = hz_of(45) / SPECTROGRAM.bin_hz  # 110 Hz: 7.04 bins
    number, offset = rows.nearest(conditions(45))
    assert number[0, [0, 7, 10, 11, 70]].tolist() == [1, 1, 1, 2, 10]
    assert offset[0, 70].item() == pytest.approx(10 * fundamental - 70, abs=1e-4)
    index = rows.rows(conditions(45))
    assert index[0, :3].tolist() == [8, 15, 22], "the first row not below a harmonic"
    assert index.shape == (1, HARMONICS) and index.max() < SPECTROGRAM.rows


def test_the_lobe_of_a_hann_window():
    """1 at its middle, a half one bin away, nothing two bins away."""
    values = lobe(torch.tensor([[0.0, 0.5, 1.0, -1.0, 2.0]])).exp()[0]
    half = math.sin(math.pi / 2) / (math.pi / 2) / (1 - 0.25)
    assert values.tolist() == pytest.approx([1, half, 0.5, 0.5, 0.02])


def test_an_untrained_decoder_already_has_the_pitch():
    """Tones are steady, so that it sounds although no level has been learned."""
    torch.manual_seed(0)
    decoder = HarmonicDecoder(CONFIG, SPECTROGRAM)
    decoder.level_out()
    with torch.no_grad():
        for parameter in decoder.harmonics.last.parameters():
            parameter.zero_()
        x = decoder(torch.randn(3, 4), conditions(45, 57, 69)).representative
    x[:, 0, :, 300:] = -1
    for sound, pitch in zip(SPECTROGRAM.synthesise(x).numpy(), (45, 57, 69), strict=True):
        tone = hear(sound, RATE)
        assert tone and tone.pitch == pytest.approx(pitch, abs=0.3)


def test_the_likelihood_of_a_cell():
    """By hand: a level one std off, an angle a quarter turn off, concentration 2."""
    level, advance = torch.full((1, 1, 1), 0.2), torch.full((1, 1, 1), 0.75)
    tones = Tones(level, advance, torch.full((1, 1, 1), math.log(2)), std=0.1)
    x = torch.tensor([[[[0.3]], [[-0.75]]]])
    bessel = 2.2795853023360673  # I0(2)
    wanted = -0.5 + 2 * math.cos(math.pi * -1.5) - math.log(bessel)
    assert tones.log_prob(x).item() == pytest.approx(wanted, abs=1e-5)
    assert tones.representative.flatten().tolist() == pytest.approx([0.2, 0.75])


def test_whatever_is_below_silence_is_silence():
    low, lower = (torch.full((1, 1, 1), v) for v in (-1.0, -3.0))
    x = torch.tensor([[[[-1.0]], [[0.0]]]])
    chances = [
        Tones(v, torch.zeros_like(v), torch.zeros_like(v)).log_prob(x) for v in (low, lower)
    ]
    assert chances[0] == chances[1]


def test_noise_has_phases_that_are_drawn_and_tones_have_not():
    advance = torch.zeros(1, 1, 200)
    clear = torch.cat([torch.full((1, 1, 100), 5.0), torch.full((1, 1, 100), -2.0)], 2)
    drawn = Tones(torch.zeros(1, 1, 200), advance, clear).rsample()[0, 1, 0]
    assert not drawn[:100].any()
    assert drawn[100:].std() == pytest.approx(1 / math.sqrt(3), abs=0.1), "uniform in [-1, 1]"


def test_pixels_are_normalised_and_a_batch_of_equals_shows():
    maps = torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert PixelNorm()(maps).flatten().tolist() == pytest.approx([3 / 12.5**0.5, 4 / 12.5**0.5])
    equal, apart = torch.ones(4, 1, 2, 2), torch.ones(4, 1, 2, 2)
    apart[::2] = -1
    assert minibatch_std(equal)[0, 1].max() < 1e-3
    assert minibatch_std(apart)[2, 1] == pytest.approx(torch.ones(2, 2), abs=1e-4)


def test_maps_grow_and_data_are_coarse_while_they_do():
    decoder = MapDecoder(CONFIG.replace(decoder="maps", level_steps=10), SPECTROGRAM)
    z, c, block = torch.randn(2, 4), conditions(50, 60), 2**3
    decoder.set_stage(0)
    x = decoder(z, c).mean
    assert x.shape == (2, 2, SPECTROGRAM.frames, SPECTROGRAM.rows)
    cells = x.unflatten(3, (-1, block)).unflatten(2, (-1, block))
    assert (cells == cells[:, :, :, :1, :, :1]).all(), "cells of 8 x 8 are equal"
    data = torch.randn_like(x)
    assert decoder.to_current_resolution(data)[0, 0, :8, :8].std() < 1e-6
    decoder.set_stage(27)  # the third level joins with a share of 0.7
    pairs = data.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # [note 2 frame 2 row 2]
    coarse = pairs.mean((3, 5), keepdim=True).expand_as(pairs).flatten(4, 5).flatten(2, 3)
    fading = decoder.to_current_resolution(data)
    assert fading == pytest.approx(0.7 * data + 0.3 * coarse, abs=1e-5)
    decoder.set_stage(20)
    second = decoder(z, c).mean
    decoder.set_stage(30)
    third = decoder(z, c).mean
    decoder.set_stage(27)
    mixed = torch.lerp(second.atanh(), third.atanh(), 0.7).tanh()
    torch.testing.assert_close(decoder(z, c).mean, mixed, atol=1e-4, rtol=1e-4)
    decoder.set_stage(30)
    assert torch.equal(decoder.to_current_resolution(data), data)
    assert decoder(z, c).mean.unflatten(3, (-1, 8)).std(4).min() > 0
    still = MapDecoder(CONFIG.replace(decoder="maps"), SPECTROGRAM)
    still.set_stage(0)
    assert torch.equal(still.to_current_resolution(data), data)


def test_timbres_are_exchanged_within_pairs():
    z = torch.arange(6.0)[:, None]
    rows = exchanged(z, lambda pairs: torch.tensor([0.9, 0.2, 0.4])).flatten()
    assert rows.tolist() == [0, 1, 3, 2, 5, 4]


def critic_passes() -> Passes:
    critic = NoteCritic(CONFIG, SPECTROGRAM, 61)
    sounds = torch.stack([torch.from_numpy(note(p, ORGAN, 0.5, RATE)).float() for p in (50, 60)])
    c = F.one_hot(torch.tensor([26, 36]), 61).float()
    passes = Passes(
        torch.nn.ModuleDict({"critic_x": critic}), Batch(SPECTROGRAM.analyse(sounds), c)
    )
    passes.generated_x = torch.zeros_like(passes.x)  # type: ignore[misc]
    return passes


def test_an_auxiliary_critic_also_learns_the_pitch_of_data():
    passes, game = critic_passes(), Auxiliary(logistic, pitch=10.0)
    losses = game.critic_loss(passes, "x", "critic_x")
    critic = passes.networks["critic_x"]
    assert isinstance(critic, NoteCritic)
    chances = critic.pitch_logits(passes.x).log_softmax(1)
    wanted = -10 * torch.stack([chances[0, 26], chances[1, 36]])
    assert losses["pitch"].tolist() == pytest.approx(wanted.tolist(), rel=1e-4)
    assert set(losses) == {"game", "pitch"}
    silent = critic.pitch_logits(passes.generated_x).log_softmax(1)
    score = critic(passes.generated_x)
    learner = (
        F.softplus(-score)
        + F.softplus(critic(passes.x))
        - 10 * torch.stack([silent[0, 26], silent[1, 36]])
    )
    assert game(passes, "x", "critic_x").tolist() == pytest.approx(learner.tolist(), rel=1e-3)


def test_a_critic_of_pairs_adds_the_logit_of_the_pitch():
    passes = critic_passes()
    critic, x = passes.networks["critic_x"], passes.x
    assert isinstance(critic, NoteCritic) and passes.condition is not None
    added = critic(x, passes.condition) - critic(x)
    own = critic.pitch_logits(x)[[0, 1], [26, 36]]
    assert added.tolist() == pytest.approx(own.tolist(), abs=1e-5)


def test_a_transposed_note_is_decoded_from_its_partner(monkeypatch: pytest.MonkeyPatch):
    class Point(torch.nn.Module):
        def forward(self, z: torch.Tensor, c: torch.Tensor) -> Tones:
            level = z[:, :, None].expand(-1, 1, 1)
            return Tones(level, torch.zeros_like(level), torch.zeros_like(level), std=1.0)

    x = torch.zeros(2, 2, 1, 1)
    x[:, 0, 0, 0] = torch.tensor([0.0, 0.5])
    passes = Passes(torch.nn.ModuleDict({"decoder": Point()}), Batch(x))
    passes.posterior_sample = torch.tensor([[0.0], [0.5]])  # type: ignore[misc]
    constant = math.log(1.2660658777520084) - 1  # -log of exp(1) / I0(1), at the right angle
    for chance, error in ((0.9, 0.0), (0.1, 0.125)):
        monkeypatch.setattr(
            torch, "rand", lambda pairs, chance=chance: torch.full((pairs,), chance)
        )
        assert (Transpose()(passes) - constant).tolist() == pytest.approx([error, error], abs=1e-5)


def test_a_hierarchical_prior_begins_as_a_standard_normal():
    """Its layers set their own weights, of deviation 0.01."""
    torch.manual_seed(0)
    recipe = RECIPES["hierarchical_vae"].conditional()
    prior = build(CONFIG, SPECTROGRAM, 24, 61, recipe)["prior"](3, None)
    bottom = prior.bottom(torch.randn(3, 2))
    assert max(bottom.mean.abs().max(), bottom.log_std.abs().max()) < 0.3
