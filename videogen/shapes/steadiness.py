"""Steadiness: whether moving shapes stay whole, of one colour and on their path in every frame.

The judge reads a clip as a whole, so that one bad frame of sixteen may pass. Here the worst frame
counts.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from videogen.files.clip import Clips
from videogen.shapes.drawing import Coverage, trajectories
from videogen.shapes.grammar import MOTIONS, SCALES, Shape, parse
from videogen.shapes.judge import centres_of, covers_of, light_of

LOST = 0.1
"""Share of a shape's area whose loss in a frame counts."""

ByShape = Float[Tensor, " shape"]


@torch.no_grad()
def steadiness(captions: Sequence[str], clips: Clips) -> dict[str, float]:
    """Measure the worst frame of each shape of clips [batch 3 time height width].

    `cut`: share of shapes that lose more than a tenth of their median area in some frame, as at
    the edge of the picture. The others are medians over shapes: `flicker`, the largest distance
    of a frame's colour from the median one, 0 to 1; `wobble`, the largest distance of the centre
    from the path, in frame widths; `travel`, the way from the first frame to the last along the
    direction, as a share of that in the caption (1 is right).
    """
    cut, flicker, wobble, travel = [], [], [], []
    for count, scale in SCALES.items():
        members = [n for n, caption in enumerate(captions) if len(parse(caption)) == count]
        if not members:
            continue
        shapes = [parse(captions[n]) for n in members]
        light = light_of(clips[members])
        for nth, cover in enumerate(covers_of(light, shapes)):
            own = [shape[nth] for shape in shapes]
            cut.append(_lost_area(cover))
            flicker.append(_flicker(light, cover))
            away, share = _against_path(cover, own, scale)
            wobble.append(away)
            travel.append(share)
    return {
        "cut": float((torch.cat(cut) > LOST).float().mean()),
        "flicker": float(torch.cat(flicker).median()),
        "wobble": float(torch.cat(wobble).median()),
        "travel": float(torch.cat(travel).median()),
    }


def _lost_area(cover: Coverage) -> ByShape:
    """Return the share of the median area that the frame with the least area lacks."""
    areas = cover.sum((2, 3))  # [batch time]
    median = areas.median(1).values.clamp(min=1e-6)
    return 1 - areas.min(1).values / median


def _flicker(light: Clips, cover: Coverage) -> ByShape:
    """Return the largest distance of a frame's mean colour from the median of the clip's."""
    mass = cover.sum((2, 3)).clamp(min=1e-6)
    colour = (light * cover[:, None]).sum((3, 4)) / mass[:, None]  # [batch rgb time]
    distance = colour - colour.median(2, keepdim=True).values
    return distance.abs().amax((1, 2))


def _against_path(
    cover: Coverage, shapes: Sequence[Shape], scale: float
) -> tuple[ByShape, ByShape]:
    """Return the largest distance from the path, and the share of the way along it."""
    centres = centres_of(cover)  # [batch time xy]
    motions = [MOTIONS.index((shape.path, shape.direction)) for shape in shapes]
    paths = torch.from_numpy(trajectories(centres.shape[1], scale)[motions]).float()
    centres = centres - centres.mean(1, keepdim=True)
    paths = paths - paths.mean(1, keepdim=True)
    away = (centres - paths).norm(dim=2).amax(1)
    right, actual = paths[:, -1] - paths[:, 0], centres[:, -1] - centres[:, 0]
    return away, (actual * right).sum(1) / right.square().sum(1)
