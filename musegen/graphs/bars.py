"""The generator over bar latents as a graph: noise and a form -> the cells of whole phrases.

The same notes as `StruckNotes.representative`, by operations whose sizes do not depend on values:
every bar is decoded, the silent ones too, and in each step the likeliest pitches are looked at,
struck or not.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.exchange.graph import Graph
from musegen.bar_latents.autoencoder import BarDecoder, BarLatents, normalised, sounds
from musegen.bar_latents.form import Form
from musegen.bar_latents.prior import LatentPrior
from musegen.bar_latents.struck_notes import MOST_VOICES, SHARPNESS, TouchLogits
from musegen.networks.states import LOUDEST, CellValues, States

X_AXES = "batch track state bar step pitch"
"""The axes of phrases: the states of a cell are sounding, onset, and the velocity, if any."""

Noise = Float[Tensor, "batch noise"]
Cells = Float[Tensor, "batch bar track step pitch"]


class BarsGraph(nn.Module):
    """noise [batch phrase*latent], form -> x [batch track state bar step pitch].

    The states of a cell: sounding, onset, and the velocity where a note starts, of 127.
    """

    def __init__(self, prior: LatentPrior, decoder: BarDecoder):
        super().__init__()
        self.prior, self.decoder = prior, decoder
        drums, melodic = (torch.nonzero(decoder.is_drum == kind)[:, 0] for kind in (True, False))
        self.kinds = [(True, drums), (False, melodic)]
        self.order = torch.cat([drums, melodic]).argsort()

    def forward(self, noise: Noise, form: Form) -> States:
        z = self.prior(noise.shape[0], form).from_noise(noise)
        bars = z.unflatten(
            1, (-1, self.decoder.tracks, self.decoder.config.size)
        )  # [batch bar ..]
        plays, z = sounds(bars), normalised(bars, self.decoder.config.parts)
        onset_logits, hold_logits, voices = self._decoded(z).split(self.decoder.numbers, 4)
        struck = (self.decoder.rhythm(z[..., : self.decoder.config.rhythm]) > 0) & plays[..., None]
        onset, velocity = self._likeliest(
            struck, onset_logits, voices, self.decoder.touch_logits(z)
        )
        held = plays[..., None] & ~self.decoder.is_drum[:, None]  # [batch bar track 1]
        hold = ((hold_logits > 0) & held[..., None]).float()
        onset, hold, velocity = (
            x.transpose(1, 2) for x in (onset, hold, velocity)
        )  # [.. track bar]
        return torch.stack([sounding(onset, hold), onset, velocity], 2)

    def _decoded(self, z: BarLatents) -> Float[Tensor, "batch bar track step number"]:
        """Return the logits of every bar: of onset, hold and voices."""
        kinds = []
        for is_drum, tracks in self.kinds:
            rows = z[:, :, tracks].flatten(0, 1)  # [batch*bar track size]
            number = tracks.repeat(rows.shape[0])
            decoded = self.decoder.cell_logits(
                rows.flatten(0, 1), number, is_drum
            )  # [row step ..]
            kinds.append(
                decoded.unflatten(0, (z.shape[0], z.shape[1], -1))
            )  # [batch bar track ..]
        return torch.cat(kinds, 2)[:, :, self.order]

    def _likeliest(
        self,
        struck: Bool[Tensor, "batch bar track step"],
        logits: Cells,
        voices: Float[Tensor, "batch bar track step voice"],
        touch: TouchLogits,
    ) -> tuple[Cells, Cells]:
        """Return the likeliest notes of struck steps, and their velocities."""
        most = min(MOST_VOICES, logits.shape[-1])
        count = torch.arange(1, MOST_VOICES + 1)
        number = (voices.softmax(-1) * count).sum(-1).round().long().clamp(max=most)
        notes, pitch = logits.topk(most, dim=-1)  # [batch bar track step note]
        least = notes.gather(-1, number[..., None] - 1)
        is_note = ((notes >= least) & struck[..., None]).to(logits.dtype)
        of_pitch = self._of_pitches(touch, pitch)
        factors = touch.steps[..., None, :] + of_pitch  # [batch bar track step note factor]
        chances = (SHARPNESS * (factors @ touch.loudness)).softmax(-1)
        velocity = (chances * torch.arange(1, LOUDEST + 1)).sum(-1).round() / LOUDEST
        silence = torch.zeros_like(logits)
        return silence.scatter(-1, pitch, is_note), silence.scatter(-1, pitch, is_note * velocity)

    def _of_pitches(self, touch: TouchLogits, pitch: Tensor) -> Tensor:
        """Return the factors of each pitch, [batch bar track step note factor]."""
        steps, notes = pitch.shape[3], pitch.shape[4]
        index = pitch.flatten(3)[..., None]  # [batch bar track step*note 1]
        index = index.expand(*index.shape[:4], touch.pitches.shape[-1])
        return touch.pitches.gather(3, index).unflatten(3, (steps, notes))  # [... note factor]


def sounding(onset: CellValues, hold: CellValues) -> CellValues:
    """Return what sounds: see `sustain`, of which this is the closed form for 0 and 1.

    A cell sounds where the last cell that either starts a note, or neither starts nor holds one,
    starts one. The last place of either is a running maximum: one pooling over all steps before.
    """
    steps = torch.arange(1.0, onset.shape[2] * onset.shape[3] + 1)
    line = [x.flatten(2, 3).movedim(2, 3) for x in (onset, hold)]  # [batch track pitch bar*step]
    places = torch.cat([line[0] * steps, (1 - line[0]) * (1 - line[1]) * steps], 1)
    padded = F.pad(places.flatten(1, 2), (len(steps) - 1, 0))  # [batch 2*track*pitch bar*step..]
    last = F.max_pool1d(padded, len(steps), 1).unflatten(1, (2, -1))  # [batch 2 track*pitch ..]
    sounds = (last[:, 0] > last[:, 1]).to(onset.dtype)
    sounds = sounds.unflatten(1, onset.shape[1::3])  # [batch track pitch bar*step]
    return sounds.movedim(3, 2).unflatten(2, onset.shape[2:4])  # [batch track bar step pitch]


def bars_graph(prior: LatentPrior, decoder: BarDecoder, bars: int) -> Graph:
    """Return the graph of pieces of so many bars; the examples have forms of the learned density.

    A form says of each bar of a track, and of its rhythm, how many bars ago it was the same: see
    `musegen.bar_latents.form`. 0 is new, -1 silent.
    """
    noise = prior.phrases(bars) * prior.wires.latent

    @torch.no_grad()
    def examples(batch: int) -> dict[str, Tensor]:
        return {"noise": torch.randn(batch, noise), "form": prior.form(batch).sample(bars)}

    axes = {"noise": "batch phrase_latent", "form": "batch layer bar track"}
    return Graph(BarsGraph(prior, decoder), examples, {**axes, "x": X_AXES})
