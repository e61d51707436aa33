"""The terms of notes: a game whose critic also names the pitch, and timbres across pitches."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional as F

from core.theory.adversarial import Adversarial, Exchange
from core.theory.contracts import require
from core.theory.passes import Passes, Space
from core.theory.shapes import Latents, Losses, Samples

PITCH = 10.0
"""Weight of the classification beside the game (Engel et al. 2019, appendix B.2)."""


@runtime_checkable
class PitchClassifier(Protocol):
    """A critic that also classifies the pitches of notes."""

    def pitch_logits(self, x: Samples) -> Tensor:
        """Return the logits of the pitches, [batch pitch]."""
        ...


@dataclass(frozen=True)
class Auxiliary(Adversarial):
    """A game whose critic classifies the pitch of real notes, and whose generator makes notes of
    which it does so rightly (AC-GAN; Odena, Olah and Shlens, ICML 2017).

    `pitch`: the weight of -log Q(pitch given x) beside the game.
    """

    pitch: float = PITCH

    @classmethod
    def of(cls, game: Adversarial) -> "Auxiliary":
        """Return a game with such a critic."""
        return cls(**{one.name: getattr(game, one.name) for one in fields(game)})

    @property
    def needs(self) -> frozenset[str]:
        return super().needs | {"condition", "pitches"}

    @property
    def formula(self) -> str:
        return f"{super().formula} + {self.pitch:g} pitch"

    def __call__(self, passes: Passes, space: Space, critic: str) -> Losses:
        """Return the learner's loss."""
        (x, *_) = passes.produced(space)
        return super().__call__(passes, space, critic) + self._surprise(passes, critic, x)

    def critic_loss(
        self, passes: Passes, space: Space, critic: str, pool: Exchange | None = None
    ) -> dict[str, Losses]:
        """Return the critic's losses by name."""
        losses = super().critic_loss(passes, space, critic, pool)
        with torch.no_grad():
            (x, *_) = passes.reference(space)
        return {**losses, "pitch": self._surprise(passes, critic, x)}

    def _surprise(self, passes: Passes, critic: str, x: Samples) -> Losses:
        assert passes.condition is not None
        logits = require(passes.networks[critic], PitchClassifier).pitch_logits(x)
        wanted = passes.condition.argmax(1)
        return self.pitch * F.cross_entropy(logits, wanted, reduction="none")


@dataclass(frozen=True)
class Transpose:
    """-log p(x given z', c), z' of another pitch: half of the timbres come from their partners.

    Notes 2n and 2n + 1 of a batch are of one take, see `Collection.pairs`. A timbre that is to
    make its instrument's note of another pitch holds nothing of its own pitch.
    """

    name = "transpose_x"
    formula = "Transpose(x)"
    needs = frozenset({"condition", "pitches"})
    networks = ("encoder", "decoder")

    trains: tuple[str, ...] = ("encoder", "decoder", "condition")
    weight: float = 1.0

    def __call__(self, passes: Passes) -> Losses:
        z = exchanged(passes.posterior_sample, torch.rand)
        return -passes.networks["decoder"](z, passes.c).log_prob(passes.x)


def exchanged(z: Latents, uniform: Callable[[int], Tensor]) -> Latents:
    """Exchange rows 2n and 2n + 1 where a number of the n-th pair is below a half.

    >>> exchanged(torch.arange(5.0)[:, None], lambda pairs: torch.tensor([0.1, 0.9])).flatten()
    tensor([1., 0., 2., 3., 4.])
    """
    pairs = len(z) // 2
    swapped = (uniform(pairs) < 0.5).to(z.device)
    first, second = z[0 : 2 * pairs : 2], z[1 : 2 * pairs : 2]
    chosen = torch.stack(
        [
            torch.where(swapped[:, None], second, first),
            torch.where(swapped[:, None], first, second),
        ],
        1,
    )
    return torch.cat([chosen.flatten(0, 1), z[2 * pairs :]])  # [batch latent]
