"""The networks of the lookback density, their sizes, and how they are sampled."""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import nn

from core.config import Strict
from core.densities.recurrent import CausalGRU
from core.densities.transformer import CausalTransformer
from musegen.densities.lookback import Layout
from musegen.densities.lookback_heads import LookbackHeads, NoteEmbedding
from musegen.roll import Grid
from musegen.steering import Steering
from musegen.tracks import Track


class Nucleus(Strict):
    """The share of the probability from which each attribute is sampled; 1: all of it."""

    advance: float = Field(default=0.98, gt=0, le=1)
    track: float = Field(default=0.98, gt=0, le=1)
    pitch: float = Field(default=0.92, gt=0, le=1)
    length: float = Field(default=0.96, gt=0, le=1)
    velocity: float = Field(default=0.98, gt=0, le=1)


class LookbackConfig(Strict):
    """Sizes of the network, its lags in bars, and how it is sampled.

    `harmony`: gates on the pitch classes that sound, and on how long a track has been silent.
    `dropout`: the share of the numbers in the body's input and output that is dropped in
    training. `temperature`: 1 is as learned. `opening_bars`: bars at the beginning of a song that
    are sampled from all choices instead of the nucleus, which favours the usual: they decide which
    kind of song it is. `particles`: copies of a piece that are composed side by side where notes
    are given, of which those go on that suit the given ones. `listens`: gates on what is kept of a
    piece that is completed, later notes too. They alone are trained, beside the weights of the run
    that training starts from.
    """

    body: Literal["gru", "transformer"] = "gru"
    width: int = Field(default=256, gt=0)
    layers: int = Field(default=1, gt=0)
    heads: int = Field(default=4, gt=0)
    lags: tuple[int, ...] = Field(default=(1, 2, 4, 8), max_length=6)
    harmony: bool = True
    dropout: float = Field(default=0.0, ge=0, lt=1)
    temperature: float = Field(default=1.0, gt=0)
    nucleus: Nucleus = Nucleus()
    opening_bars: float = Field(default=1.0, ge=0)
    particles: int = Field(default=8, gt=0)
    listens: bool = False

    def steered(self, steering: Steering) -> "LookbackConfig":
        """Return the config with the temperature and nucleus that are asked for, in all bars."""
        changes: dict[str, Any] = {}
        if steering.temperature is not None:
            changes["temperature"] = steering.temperature
        if steering.top_p is not None:
            changes["nucleus"] = Nucleus(**dict.fromkeys(Nucleus.model_fields, steering.top_p))
            changes["opening_bars"] = 0.0
        return self.model_copy(update=changes)


class LookbackNetwork(nn.Module):
    """The embedding of notes, the body that remembers them, and the heads of the next note."""

    def __init__(self, config: LookbackConfig, grid: Grid, tracks: tuple[Track, ...], bars: int):
        super().__init__()
        self.config, self.bars = config, bars
        self.layout = Layout.of(grid, tracks, config.lags)
        self.embedding = NoteEmbedding(config.width, self.layout, bars, config.harmony)
        self.dropout = nn.Dropout(config.dropout)
        self.body = _body(config)
        self.heads = LookbackHeads(config.width, self.layout, config.harmony, config.listens)
        if self.heads.kept:
            self.requires_grad_(False)
            self.heads.kept.requires_grad_(True)

    @property
    def device(self) -> torch.device:
        return self.embedding.start.device


def _body(config: LookbackConfig) -> CausalGRU | CausalTransformer:
    if config.body == "gru":
        return CausalGRU(config.width, config.layers)
    return CausalTransformer(config.width, config.layers, config.heads)
