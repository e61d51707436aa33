"""The sizes of the networks of clips, and the ablations of the paper."""

from typing import Literal

from pydantic import Field, model_validator

from core.config import Strict
from videogen.networks.chunks import chunks_of
from videogen.networks.text import TextConfig


class VideoConfig(Strict):
    """Sizes of the networks, and parts that can be left out for comparison.

    `clauses`: the most clauses of a caption that have a layer of the clip and latents of their
    own. `decoder`: what generates a clip: "gist" (Li et al. 2018), a "path" of latents frame by
    frame (MoCoGAN, TFGAN), "streams" of a volume and a picture (VGAN), codes of "moments", or a
    small clip that is "enlarged", `factor` times.
    `captions`: false for a model other than of a gist that reads none. `latent`: latents of a
    clause, of which the first half conditions the gist, of a path's content, or of a moment;
    `motion`: latents of each frame of a path.
    `channels`: channels of the generator's finest maps and of a flow's couplings,
    `critic_channels` of the critic's. `filter_rank`: kernels that a critic's text filters mix, 0
    for dense ones.
    `width`: units of hidden layers. `seen_frames`: frames that the encoder reads, evenly spaced
    (1, as in the paper: the first). `filters`: basis filters of Text2Filter. `pixel_std`:
    standard deviation of a pixel, in [-1, 1], under p(x given z, c). `gist`: false leaves the
    gist out (the paper's DT2V and PT2V), `text_filter`: false leaves Text2Filter out (GT2V).
    `tries`: samples of the prior for a clip, of which one is taken: by the ratio of densities, in
    a recipe whose term `contrast_z` has a weight, else the one that the model reconstructs best;
    without an encoder, one. `flow`: couplings of a prior that is a flow: affine ones
    ("realnvp"), or splines, which can leave holes. `blocks`: blocks of the generators.
    `level_steps`: training steps over which a level of a progressively grown generator fades in.
    """

    decoder: Literal["gist", "path", "streams", "moments", "enlarged"] = "gist"
    captions: bool = True
    clauses: int = Field(default=1, ge=1, le=8)
    latent: int = Field(default=16, ge=4)
    motion: int = Field(default=4, ge=1)
    channels: int = Field(default=32, ge=4)
    critic_channels: int = Field(default=24, ge=4)
    width: int = Field(default=256, ge=16)
    seen_frames: int = Field(default=4, gt=0)
    factor: int = Field(default=4, ge=2, le=8)
    filters: int = Field(default=32, gt=0)
    filter_rank: int = Field(default=8, ge=0)
    pixel_std: float = Field(default=1.0, gt=0)
    gist: bool = True
    text_filter: bool = True
    tries: int = Field(default=1, ge=1, le=256)
    flow: Literal["realnvp", "neural_spline"] = "realnvp"
    blocks: Literal["paper", "dcgan", "style", "growing"] = "paper"
    level_steps: int = Field(default=500, gt=0)
    text: TextConfig = TextConfig()

    @model_validator(mode="after")
    def _gist_reads_captions(self) -> "VideoConfig":
        if self.decoder == "gist" and not self.captions:
            raise ValueError(
                "a gist is made from a caption: without captions choose decoder path or streams"
            )
        return self

    def latents(self, frames: int) -> int:
        """Return the dimensions of z for clips of this many frames."""
        if self.decoder == "path":
            return self.latent + frames * self.motion
        counts = {"enlarged": 1, "moments": chunks_of(frames)}
        return self.latent * counts.get(self.decoder, self.clauses)

    @property
    def caption(self) -> int:
        """Return the dimensions of what one encoder reads in a caption."""
        return self.clauses * self.text.width

    @property
    def condition(self) -> int:
        """Return the dimensions of the condition c, on a path those of content and of motion."""
        if not self.captions:
            return 0
        return self.caption * (2 if self.decoder in ("path", "moments") else 1)

    @property
    def condition_of_clause(self) -> int:
        """Return the dimensions of a clause's condition beside the others' sum, if any."""
        return self.text.width * min(self.clauses, 2)
