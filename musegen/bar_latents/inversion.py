"""Drafts completed by GAN inversion: noise is sought from which the prior generates what is kept.

The kept bars of a draft are encoded as u, and samples z of N(0, I) descend

    |G(z) - u|^2 / (2 SPREAD^2) + |z|^2 / 2    over the kept bars,

towards the mode of p(z given u), if u differs from what G generates by a Gaussian (Bora, Jalal,
Price and Dimakis, ICML 2017, compressed sensing using generative models, section 3; inversion:
Zhu et al., ECCV 2016). What the same z generates for the open bars is decoded there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from core.theory.contracts import require
from core.theory.passes import Networks
from core.theory.shapes import Losses
from musegen.bar_latents import experts, hypercube
from musegen.bar_latents.autoencoder import BarDecoder, BarEncoder, BarLatents
from musegen.bar_latents.form import SILENT, UNKNOWN, Form, form_of, givers, places
from musegen.bar_latents.prior import KeptLatents, LatentPrior
from musegen.bar_latents.struck_notes import StruckNotes
from musegen.drafts.draft import Draft
from musegen.networks.states import States, to_played, transposed
from musegen.roll import fill, fill_velocities
from musegen.steering import Steering
from musegen.tonality import Key
from musegen.tracks import bass_track

STARTS = 16
"""Samples of the prior of which the best begins the descent."""

STEPS, RATE = 60, 0.1
"""Steps of Adam, and its learning rate."""

SPREAD = 1.0
"""Standard deviation by which encoded latents differ from generated ones."""

Giver = Int[Tensor, "batch bar track"]
"""The kept bar to which each bar is equal; itself where there is none."""

Noise = Float[Tensor, "phrase batch latent"]
"""Samples of N(0, I) for each phrase of each piece."""


@dataclass(frozen=True)
class Inversion:
    """The search for noise from which a prior generates given latents of bars.

    `given` [bar track size]; `sounds`: the bars in which they are given, silent ones left out.
    """

    prior: LatentPrior
    given: Float[Tensor, "bar track size"]
    sounds: Bool[Tensor, "bar track"]
    temperature: float

    def noise(self, form: Form) -> Noise:
        """Return the noise of pieces along forms."""
        if not self.sounds.any():
            return self.sampled(form)
        return self.descended(self.best(form), form)

    def sampled(self, form: Form) -> Noise:
        """Return samples of N(0, I)."""
        phrases = self.prior.phrases(form.shape[2])
        size = len(form), self.prior.wires.latent
        return torch.stack([hypercube.normal(*size, device=form.device) for _ in range(phrases)])

    def best(self, form: Form) -> Noise:
        """Return for each piece the nearest of `STARTS` samples."""
        forms = form.repeat_interleave(STARTS, 0)  # [batch*start 2 bar track]
        noise = self.sampled(forms)
        errors = self.errors(noise, forms).unflatten(0, (-1, STARTS))  # [batch start]
        piece = torch.arange(len(form), device=form.device)
        return noise[:, STARTS * piece + errors.argmin(1)]

    def descended(self, noise: Noise, form: Form) -> Noise:
        """Return the noise after `STEPS` steps downwards."""
        z = noise.clone()
        adam = torch.optim.Adam([z], RATE)
        for _ in range(STEPS):
            z.requires_grad_()
            with torch.enable_grad():
                loss = self.errors(z, form).sum() / SPREAD**2 + z.square().sum()
                (z.grad,) = torch.autograd.grad(loss / 2, z)
            adam.step()
        return z.detach()

    def errors(self, noise: Noise, form: Form) -> Losses:
        """Return |G(z) - u|^2 over the given bars of each piece."""
        apart = (self.generated(noise, form) - self.given).square().sum(3)
        return (apart * self.sounds).sum((1, 2))

    def generated(self, noise: Noise, form: Form, kept: KeptLatents | None = None) -> BarLatents:
        """Return G(z), and what is kept instead of it."""
        z = self.prior.consecutive(noise.unbind(0), self.temperature)
        return self.prior.generate(z, form, kept)


class Completion:
    """A draft and the networks that compose its open bars, steered by its user."""

    def __init__(self, networks: Networks, draft: Draft, steering: Steering):
        encoder = require(networks["encoder"], BarEncoder)
        self.decoder = require(networks["decoder"], BarDecoder)
        self.prior = require(networks["prior"], LatentPrior)
        self.draft, self.steering = draft, steering
        device = encoder.is_drum.device
        size = len(draft.tracks), draft.bars, draft.grid
        rolls = [make(draft.kept_notes, *size) for make in (fill, fill_velocities)]
        x = to_played(*(torch.from_numpy(roll)[None].to(device) for roll in rolls))
        self.kept = torch.from_numpy(draft.kept).to(device).T  # [bar track]
        self.x = x * self.kept.T[:, None, :, None, None]  # a long note ends with its bar
        self.form = form_of(self.x)
        self.latents = self._encoded(encoder)

    @torch.no_grad()
    def _encoded(self, encoder: BarEncoder) -> Float[Tensor, "bar track size"]:
        u = encoder(self.x).representative
        return u.unflatten(1, (*self.kept.shape, -1))[0]  # [bar track size]

    @torch.no_grad()
    def sample(self, batch: int) -> States:
        """Sample pieces with composed notes in the open bars.

        An open bar that repeats a kept one has its notes, unless a key or density is asked for.
        """
        form = self._form(batch)
        giver = givers(form[:, 0], self.kept)  # [batch bar track]
        is_given = self.kept.expand_as(giver).gather(1, giver)
        given = self._given(giver, is_given)
        u = self._generated(form, giver, is_given).flatten(1)  # [batch bar*track*latent]
        notes = self.decoder(u)
        notes = experts.beside(notes.within(~self.kept), given)
        x = torch.where(_by_cell(is_given), given, notes.representative)
        notes = experts.ensemble(notes, x, u, bass_track(self.draft.tracks))
        if self.steering.used & {"key", "density"}:
            return self._steered(notes)
        return torch.where(_by_cell(is_given), given, notes.representative)

    def _form(self, batch: int) -> Form:
        """Sample forms of which that of the kept bars is known."""
        bars, sections = self.draft.bars, self.steering.form
        known = torch.where(self.kept, self.form[0], UNKNOWN)
        given = places(sections, bars) if sections else ()
        return self.prior.form(batch).completed(known, given)

    def _given(self, giver: Giver, is_given: Bool[Tensor, "batch bar track"]) -> States:
        """Return the user's notes where they are kept or repeated, and silence elsewhere."""
        x = self.x.expand(len(giver), *self.x.shape[1:])
        return x.take_along_dim(_by_cell(giver), 3) * _by_cell(is_given)

    def _generated(
        self, form: Form, giver: Giver, is_given: Bool[Tensor, "batch bar track"]
    ) -> BarLatents:
        """Return latents, those of the user's notes where they are kept or repeated."""
        sounds = self.kept & (self.form[0, 0] != SILENT)
        temperature = self.steering.temperature or self.prior.config.temperature
        inversion = Inversion(self.prior, self.latents, sounds, temperature)
        repeated = self.latents.expand(*giver.shape, -1).take_along_dim(giver[..., None], 1)
        kept = KeptLatents(repeated, is_given[..., None])
        return inversion.generated(inversion.noise(form), form, kept)

    def _steered(self, notes: StruckNotes) -> States:
        """Return the notes in the density and the key that are asked for."""
        notes = experts.denser(notes, self.steering.density)
        key, grid = self.steering.key, self.draft.grid
        if key is None:
            return notes.representative
        turns = self._turns(notes, key)  # [batch]
        keys = [key.moved(-turn).log_odds(grid, self.steering.scale_strength) for turn in turns]
        log_odds = torch.from_numpy(np.stack(keys)).to(notes.logits.onset)
        x = experts.in_key(notes, log_odds).representative
        return transposed(x, torch.tensor(turns, device=x.device), notes.sustained)

    def _turns(self, notes: StruckNotes, key: Key) -> list[int]:
        """Return by how many semitones each piece is transposed once it is composed.

        A draft of which melodic notes are kept has the key that is asked for. Others are composed
        in the nearest key and then transposed the shorter way, so that harmony is not torn.
        """
        x = notes.representative
        if self.x[:, notes.sustained].any():
            return [0] * len(x)
        sounding = x[:, notes.sustained, 0].sum((1, 2, 3))  # [batch pitch]
        return key.turns(sounding.cpu().double().numpy(), self.draft.grid).tolist()


def _by_cell(values: Shaped[Tensor, "batch bar track"]) -> Shaped[Tensor, "batch track 1 bar 1 1"]:
    """Return what is known of bars in the shape of x."""
    return values.transpose(1, 2)[:, :, None, :, None, None]  # [batch track 1 bar 1 1]
