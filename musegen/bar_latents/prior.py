"""The prior over bar latents: MuseGAN's temporal generator, along a form.

A form says which bar of a track repeats which earlier one; the wirings of z generate latents for
every bar, and those of a repeated bar are copied from the bar in which it was new. Rhythms have a
form of their own, so that a new melody can have an old rhythm.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.theory.distributions import Distribution
from core.theory.shapes import Latents, Losses
from musegen.bar_latents import hypercube
from musegen.bar_latents.autoencoder import BarLatents, BarLatentsConfig, normalised
from musegen.bar_latents.form import (
    SILENT,
    Form,
    FormDensity,
    FormDistribution,
    Layer,
    Planned,
    form_in,
    places,
    sources,
)
from musegen.networks.multiscale import Linear, Mapped, PlayerFeatures
from musegen.networks.wirings import Wires, latent_sizes
from musegen.tracks import Track


class Hidden(nn.Module):
    """Two layers with layer normalisation for each player, then a linear map."""

    def __init__(self, players: int, inputs: int, width: int, outputs: int):
        super().__init__()
        sizes = ((inputs, width), (width, width))
        self.layers = nn.ModuleList(Linear(players, a, b) for a, b in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in sizes)
        self.last = Linear(players, width, outputs)

    def forward(self, x: PlayerFeatures) -> Mapped:
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = F.relu(norm(layer(x)))
        return self.last(x)


class KeptLatents(NamedTuple):
    """Latents of some bars of pieces that are given, and where they are given."""

    latents: BarLatents
    mask: Bool[Tensor, "batch bar track 1"]


class LatentPrior(nn.Module):
    """(batch, form) -> p(z given form); without a form, p(z) with forms of the learned density.

    A plan will do for a form, see `musegen.bar_latents.plan`.
    """

    def __init__(self, config: BarLatentsConfig, tracks: Sequence[Track], bars: int):
        super().__init__()
        self.config, self.bars, self.tracks = config, bars, len(tracks)
        players = 1 if config.wiring == "composer" else len(tracks)
        written = len(tracks) // players
        sizes = latent_sizes(config.wiring, config.latent)
        self.wires = Wires(sizes, players, bars, config.hidden // 2)
        self.rhythm = Hidden(players, config.latent, config.hidden, written * config.rhythm)
        inputs = config.latent + written * config.rhythm
        self.others = config.size - config.rhythm  # notes and touch
        self.notes = Hidden(players, inputs, config.hidden, written * self.others)
        self.forms = FormDensity(len(tracks))

    def forward(self, batch: int, c: Planned | None = None) -> "AlongForm":
        form = None if c is None else form_in(c, self.forms.bias.device)
        return AlongForm(self, batch, form)

    def form(self, batch: int) -> FormDistribution:
        """Return p(form)."""
        return self.forms(batch, self.bars)

    def generate(
        self, noise: Sequence[Latents], form: Form, kept: "KeptLatents | None" = None
    ) -> BarLatents:
        """Generate bars along a form from the noise of consecutive phrases.

        `kept`: latents that are given; bars that repeat them are copies of these.
        """
        players, size = self._players(noise, form.shape[2])
        rhythms = self._by_track(self.rhythm(players), size, self.config.rhythm)
        if kept is not None:
            rhythms = torch.where(kept.mask, kept.latents[..., : self.config.rhythm], rhythms)
        rhythms = _copied(rhythms, form[:, 1])
        beside = self._by_player(rhythms, len(players))
        notes = self.notes(torch.cat([players, beside], 2))
        notes = self._by_track(notes, size, self.others)
        if kept is not None:
            notes = torch.where(kept.mask, kept.latents[..., self.config.rhythm :], notes)
        notes = _copied(notes, form[:, 0])
        z = normalised(torch.cat([rhythms, notes], 3).float(), self.config.parts)
        return z * (form[:, 0] != SILENT)[..., None]

    def deviations(self, batch: int) -> Float[Tensor, " track"]:
        """Return the mean deviation of each track's latents of rhythm before these are normalised.

        Over new bars of `batch` pieces.
        """
        players, size = self._players(AlongForm(self, batch, None).noise(self.bars), self.bars)
        rhythms = self._by_track(self.rhythm(players), size, self.config.rhythm)
        return rhythms.std(3, correction=0).mean((0, 1))

    def last_of_rhythm(
        self, track: int
    ) -> tuple[Float[Tensor, "width latent"], Float[Tensor, "1 latent"]]:
        """Return the weight and the bias of the last layer that are of one track's rhythm."""
        last = self.rhythm.last
        player, part = divmod(track, self.tracks // len(last.weight))
        latents = slice(part * self.config.rhythm, (part + 1) * self.config.rhythm)
        return last.weight[player, :, latents], last.bias[player, :, latents]

    def consecutive(self, noise: Sequence[Latents], temperature: float) -> list[Latents]:
        """Return the z of consecutive phrases from samples of N(0, I).

        What is the same in every bar is that of the first phrase, times the temperature.
        """
        constant = temperature * noise[0]
        return [self.wires.next_phrase(constant, z) for z in noise]

    def phrases(self, bars: int) -> int:
        """Return the number of phrases that so many bars need."""
        return -(-bars // self.bars)

    def _players(self, noise: Sequence[Latents], bars: int) -> tuple[Mapped, tuple[int, int]]:
        """Return the latents of each player's bars, and the numbers of pieces and bars."""
        wired = torch.cat([self.wires(z) for z in noise], 2)  # [batch player bar latent]
        wired = wired[:, :, :bars]
        size = wired.shape[0], bars  # `len` would be a constant in an exported graph
        return wired.transpose(0, 1).flatten(1, 2), size  # [player batch*bar latent]

    def _by_track(self, x: Mapped, size: tuple[int, int], latent: int) -> BarLatents:
        values = x.unflatten(2, (-1, latent)).unflatten(1, size)  # [player batch bar track latent]
        return values.permute(1, 2, 0, 3, 4).flatten(2, 3)  # [batch bar player*track latent]

    def _by_player(self, z: BarLatents, players: int) -> Mapped:
        values = z.unflatten(2, (players, -1)).permute(2, 0, 1, 3, 4)  # [player batch bar ...]
        return values.flatten(3).flatten(1, 2)  # [player batch*bar track*latent]


def _copied(z: BarLatents, layer: Layer) -> BarLatents:
    """Return each bar's latents as they were where it was new."""
    index = sources(layer)[..., None].expand_as(z)  # [batch bar track latent]
    return z.gather(1, index)


class AlongForm(Distribution):
    """p(z given form), or p(z) by way of a form that is sampled first."""

    def __init__(self, prior: LatentPrior, batch: int, form: Form | None):
        self.prior, self.batch, self.form = prior, batch, form

    @property
    def representative(self) -> Latents:
        """Return the latents of noise 0, each bar new where no form is given."""
        form = self.form
        if form is None:
            shape = (self.batch, 2, self.prior.bars, self.prior.tracks)
            form = torch.zeros(shape, dtype=torch.long, device=self._device)
        noise = torch.zeros(self.batch, self.prior.wires.latent, device=self._device)
        phrases = self.prior.phrases(form.shape[2])
        return self.prior.generate([noise] * phrases, form).flatten(1)  # [batch bar*track*latent]

    def rsample(self) -> Latents:
        return self.sample(self.prior.bars if self.form is None else self.form.shape[2])

    def sample(self, bars: int, sections: str = "") -> Latents:
        """Sample pieces of this many bars; what is constant in z stays from phrase to phrase.

        `sections`: the form of the sections, such as AABA; without one it is sampled, as is the
        form within a section.
        """
        form = self.form
        if form is None:
            given = places(sections, bars) if sections else ()
            form = self.prior.form(self.batch).sample(bars, given)
        return self.prior.generate(self.noise(bars), form).flatten(1)  # [batch bar*track*latent]

    def from_noise(self, noise: Latents) -> Float[Tensor, "batch bar_latents"]:
        """Return the latents of standard normal noise, [batch phrase*latent], along the form."""
        assert self.form is not None, "noise alone has no form"
        phrases = list(
            noise.unflatten(1, (-1, self.prior.wires.latent)).unbind(1)
        )  # [batch latent]
        phrases = self.prior.consecutive(phrases, self.prior.config.temperature)
        return self.prior.generate(phrases, self.form).flatten(1)  # [batch bar*track*latent]

    def noise(self, bars: int) -> list[Latents]:
        """Return the z of consecutive phrases; they are spread over the batch."""
        shape, phrases = (self.batch, self.prior.wires.latent), self.prior.phrases(bars)
        noise = [hypercube.normal(*shape, device=self._device) for _ in range(phrases)]
        return self.prior.consecutive(noise, self.prior.config.temperature)

    @property
    def _device(self) -> torch.device:
        return self.prior.forms.bias.device

    def log_prob(self, value: Latents) -> Losses:
        """Refuse: the density of what a generator makes is not known, only a game compares it."""
        raise NotImplementedError("a prior that is trained by a game has no density")
