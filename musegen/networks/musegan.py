"""MuseGAN: its decoder, and the networks of any recipe for phrases.

Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018. The parts, from z to the score: `wirings`,
`bar_generators` (with `track_encoder` where tracks are given), `refiner` if any, `states`, then
`critic_inputs`, `phrase_encoder` and `critic`. Unlike in the paper, notes are binary neurons for
onset and hold behind gates, generators have layer normalisation, and the critic also reads counts
and harmony.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from core.networks.critics import LatentCritic
from core.networks.heads import StandardNormal
from core.recipe import Recipe
from core.theory.distributions import Bernoulli, Binarisation
from core.theory.passes import Networks
from core.theory.shapes import Latents
from musegen.networks.accompaniment import Accompaniment
from musegen.networks.bar_generators import (
    GIVEN_CHANNELS,
    Harmony,
    MuseGANConfig,
    build_generators,
)
from musegen.networks.critic import Critic, PatchCritic, joint_critic
from musegen.networks.phrase_encoder import Encoder, PhraseEncoder
from musegen.networks.refiner import Refiner
from musegen.networks.states import GatedNotes, Given, HeldNotes
from musegen.networks.track_encoder import TrackEncoder
from musegen.networks.translator import Translator
from musegen.networks.wirings import Wires, latent_sizes
from musegen.roll import Grid
from musegen.tracks import Track


class Decoder(nn.Module):
    """z (and given tracks c) -> p(x given z, c): the wiring, then the players' bar generators.

    x has the tracks that are not given, and only these have players. With a refiner the
    generators' neurons are probabilities; once it `refines`, the generators stay as they are.
    `sampled_as`: binarisation of samples, where it is not that of training.
    """

    sustained: Tensor
    refines: Tensor

    def __init__(self, config: MuseGANConfig, grid: Grid, tracks: Sequence[Track], bars: int):
        super().__init__()
        parts = Accompaniment.of(config.given, tracks)
        tracks = [tracks[number] for number in parts.others]
        players = 1 if config.wiring == "composer" else len(tracks)
        sizes = latent_sizes(config.wiring, config.latent)
        self.wires = Wires(sizes, players, bars, 8 * config.channels)
        self.generators = build_generators(players, len(tracks) // players, grid, config)
        self.shared = sizes.shared + sizes.shared_temporal
        self.given = TrackEncoder(grid, len(parts.given)) if parts.given else None
        channels = GIVEN_CHANNELS if parts.given else 0
        self.harmony = Harmony(self.shared, config.channels, channels) if self.shared else None
        self.config = config
        self.binarisation: Binarisation = config.binarisation
        self.slope = config.slope
        self.sampled_as: Binarisation | None = None
        held = torch.tensor([not track.is_drum for track in tracks])
        self.register_buffer("sustained", held.float(), persistent=False)
        self.refiner = None
        if config.has_refiner:
            self.refiner = Refiner(len(tracks), max(1, config.channels // 2))
            self.register_buffer("refines", torch.tensor(False))

    def set_stage(self, step: int) -> None:
        """Set for this step whether the refiner trains, and the slope of binary neurons."""
        begin = self.config.refine_after_steps or 0
        growths = max(0, step - begin) // self.config.slope_steps
        self.slope = self.config.slope * self.config.slope_growth**growths
        if self.refiner:
            self.refines.fill_(step >= begin)

    def forward(self, z: Latents, c: Given | None = None) -> GatedNotes | HeldNotes:
        if self.refiner is None:
            return self._generated(z, c, self.sampled_as or self.binarisation)
        if not self.refines:
            return self._generated(z, c, self.sampled_as or "probability")
        with torch.no_grad():
            onset, hold = self._generated(z, c, "probability").gated()
        onset, hold = self.refiner(onset, hold)
        kind = self.sampled_as or self.binarisation
        return HeldNotes(self._neurons(onset, kind), self._neurons(hold, kind), self.sustained)

    def _generated(self, z: Latents, c: Given | None, kind: Binarisation) -> GatedNotes:
        maps = self.given(c) if self.given and c is not None else ()
        latents = self.wires(z)
        plays, uses, cells = self.generators(latents, maps)
        onset, hold = (self._neurons(logits, kind) for logits in cells.unbind(2))
        harmony = None
        if self.harmony:  # the shared latents come first, and are the same for all players
            harmony = self._neurons(self.harmony(latents[:, 0, :, : self.shared], maps), kind)
        notes = HeldNotes(onset, hold, self.sustained)
        return GatedNotes(self._neurons(plays, kind), self._neurons(uses, kind), notes, harmony)

    def _neurons(self, logits: Tensor, kind: Binarisation) -> Bernoulli:
        return Bernoulli(logits, kind, self.config.slope if kind == "probability" else self.slope)


def build(
    config: MuseGANConfig, grid: Grid, tracks: Sequence[Track], bars: int, recipe: Recipe
) -> Networks:
    """Build the networks that the recipe asks for, by the theory's names.

    Where tracks are given, each group of tracks is judged beside all of them.
    """
    decoder = Decoder(config, grid, tracks, bars)
    latent = decoder.wires.latent
    parts = Accompaniment.of(config.given, tracks)
    critic_groups = len(parts.others) if config.wiring == "jamming" else 1

    def trunk(groups: int, bars: int = bars) -> PhraseEncoder:
        tracks_per_group = len(parts.others) // groups + len(parts.given)
        return PhraseEncoder(groups, tracks_per_group, grid, bars, config.critic_channels)

    def critic() -> nn.Module:
        if recipe.patches:
            return PatchCritic(trunk(critic_groups, bars=1))
        return Critic(trunk(critic_groups))

    builders: dict[str, Callable[[], nn.Module]] = {
        "decoder": lambda: decoder,
        "encoder": lambda: Encoder(trunk(1), latent, recipe.posterior),
        "prior": lambda: recipe.prior(latent, 0) if recipe.prior else StandardNormal(latent),
        "critic_x": critic,
        "critic_xc": critic,
        "critic_xz": lambda: joint_critic(trunk(1), latent),
        "critic_z": lambda: LatentCritic(latent),
    }
    if recipe.other:  # z is a phrase too
        builders |= dict.fromkeys(("encoder", "decoder"), lambda: Translator(config, grid, tracks))
        builders["critic_z"] = builders["critic_x"]
    return Networks({name: builders[name]() for name in recipe.networks})
