"""A model of points as its user meets it: train on a ring, load, sample.

    train(DrawnRing(), "runs/ring", "vae")
    points = Model.load("runs/ring").points(1000, seed=1)

`configuration`, `presets`, `data`, `domain`, `scorecard`, `commands` and this file are all that a
third domain costs; networks and the ring itself are in `eight_gaussians`.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from core.app.domain import Examples
from core.app.model import Model as CoreModel
from core.app.sampling import Rows, in_chunks
from core.errors import ConfigError
from core.ring import eight_gaussians as ring
from core.ring.configuration import DataSpec, RingModel
from core.ring.domain import Ring
from core.ring.eight_gaussians import MODES, Points
from core.theory.passes import read_condition
from core.theory.shapes import Samples


class Model(CoreModel[Points]):
    """Trained networks that give points."""

    domain: ClassVar[Ring]
    config: RingModel
    spec: DataSpec

    def to_x(self, items: Points) -> Samples:
        return items.to(self.device)

    def from_x(self, x: Samples) -> Points:
        return x.cpu()

    def read_conditions(self, conditions: Sequence[str] | None) -> Tensor | None:
        """Return labels from 0 to 7 as one-hot vectors; None where the model reads none."""
        if conditions is None or "condition" not in self.networks:
            return None
        labels = torch.tensor([int(label) for label in conditions])
        return F.one_hot(labels, MODES).float().to(self.device)

    def example_conditions(self, count: int) -> Tensor | None:
        """One-hot labels, one after another."""
        return self.read_conditions([str(number % MODES) for number in range(count)])

    def sampled_like(self, examples: Examples, seed: int) -> Points:
        return self.points(len(examples), seed, examples.conditions)

    @torch.no_grad()
    def points(self, count: int = 1, seed: int = 0, labels: Sequence[str] | None = None) -> Points:
        """Sample points; a model that reads labels needs one for each."""
        raw = self.read_conditions(labels)
        if raw is None and "condition" in self.networks:
            raise ConfigError(f"{self.name} reads labels: give one for each point")

        def draw(rows: Rows) -> Samples:
            if "density" in self.networks:
                x = self.networks["density"](len(rows)).rsample()
                return ring.from_symbols(x) if self.config.base_recipe.sequence else x
            c = None if raw is None else read_condition(self.networks, raw[rows])
            return self.networks["decoder"](self.prior(len(rows), c).rsample(), c).rsample()

        return self.from_x(in_chunks(count, seed, self.device, draw))


DOMAIN = Model.domain = Ring(Model)

train = DOMAIN.train
"""Train on points into a run folder; see `core.app.domain.Domain.train`."""
