"""The sizes of the networks of notes, and of their spectrograms."""

from typing import Literal

from pydantic import Field, field_validator

from core.config import Strict
from musegen.voice.spectrogram import Scale


class VoiceConfig(Strict):
    """Sizes of the networks of notes.

    `decoder`: what generates x: "harmonics" of the pitch over a floor of noise, or "maps" from
    coarse to fine, as in the paper. `window`, `scale`, `floor_db`: see `Spectrogram`. `latent`:
    numbers of a timbre. `channels`: of the finest maps, `critic_channels`: of the critic's first
    ones. `width`: units of hidden layers, `pitch`: numbers that embed a pitch. `level_db`:
    standard deviation of a level under p(x given z, c), in dB. `level_steps`: training steps over
    which a level of a progressively grown generator fades in, 0 for one that is whole at once.
    """

    decoder: Literal["harmonics", "maps"] = "harmonics"
    window: int = Field(default=1024, ge=64, le=4096)
    scale: Scale = "linear"
    floor_db: float = Field(default=-80.0, le=-40, ge=-120)
    latent: int = Field(default=16, ge=2)
    channels: int = Field(default=8, ge=2)
    critic_channels: int = Field(default=16, ge=2)
    width: int = Field(default=256, ge=8)
    pitch: int = Field(default=32, ge=1)
    level_db: float = Field(default=4.0, gt=0)
    level_steps: int = Field(default=0, ge=0)

    @field_validator("window")
    @classmethod
    def _power_of_two(cls, window: int) -> int:
        if window & (window - 1):
            raise ValueError("a window has 64, 128, 256, 512, 1024, 2048 or 4096 samples")
        return window

    @property
    def condition(self) -> int:
        """Return the dimensions of what encoder and decoder take of a pitch."""
        return 1 + self.pitch
