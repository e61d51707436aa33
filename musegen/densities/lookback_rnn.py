"""The lookback network: a density over notes whose logits look back by whole bars.

A recurrent network, or a causal transformer, over the notes remembers the style; what recurs, it
reads off at lags of 1, 2, 4 and 8 bars (`lookback_heads`). Cost grows with the notes.
"""

import torch
from torch import Tensor

from core.theory.distributions import Distribution
from core.theory.shapes import Losses
from core.training.device import isolated_random_state
from musegen.densities.lookback_likelihood import Likelihood
from musegen.densities.lookback_network import LookbackNetwork
from musegen.densities.lookback_sampler import Sampler
from musegen.densities.note_sequences import NoteRows


class LookbackDensity(LookbackNetwork):
    """p(x) of notes over `bars` bars; pieces of any length are sampled.

    Notes longer than `lookback.LENGTH_BARS` are cut to that. A phrase is the beginning of a piece
    that goes on: what counts at its end is that the next note starts after it, and that a note
    which is cut there is at least as long.
    """

    def forward(self, batch: int, c: Tensor | None = None) -> "LookbackDistribution":
        return LookbackDistribution(self, batch)


class LookbackDistribution(Distribution):
    """p(x) over a batch of phrases, x [batch note attribute]."""

    def __init__(self, density: LookbackDensity, batch: int):
        self.density, self.batch = density, batch

    @property
    def representative(self) -> NoteRows:
        """Return a sample of a fixed seed: the likeliest sequences are mostly repetitions
        (Holtzman et al., ICLR 2020)."""
        with isolated_random_state(self.density.device):
            torch.manual_seed(0)
            return self.rsample()

    def rsample(self) -> NoteRows:
        """Sample one phrase for each row of the batch; whole notes pass no gradient."""
        return self.sample(self.density.bars)

    def log_prob(self, value: NoteRows) -> Losses:
        """Return log p of each phrase in nats."""
        return Likelihood(self.density, value).log_prob()

    def sample(self, bars: int) -> NoteRows:
        """Sample pieces of any length."""
        with torch.inference_mode():
            x = Sampler(self.density, self.batch, bars * self.density.layout.bar).run()
        return x.clone()  # no longer one of inference mode, which no gradient could use
