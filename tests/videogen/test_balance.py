"""The terms of text_to_video move an untrained decoder about as far, so that the game counts."""

import torch

from core.theory.passes import Batch
from core.training.optimisation import Optimisation
from core.training.step import TrainState, learner_step
from videogen.configuration import VideoModel
from videogen.files.clip import to_clips
from videogen.networks.build import build
from videogen.networks.text import Captions
from videogen.shapes.dataset import MovingShapes


def test_no_term_of_text_to_video_has_a_gradient_ten_times_that_of_another():
    """On clips of 32 x 32, as preset `small` has them; unweighted they are 2,400 : 1 apart."""
    data, model = MovingShapes(32, 16), VideoModel(recipe="text_to_video")
    frames, captions = data.batch(0, 4, seed=0)
    torch.manual_seed(0)
    networks = build(model.video, 32, 16, len(data.words), model.resolved_recipe)
    rate = Optimisation()
    state = TrainState(networks, model.resolved_recipe, rate, rate)
    tokens = Captions(data.words).encode(captions)
    logged = learner_step(state, Batch(to_clips(frames).contiguous(), tokens), measured=True)
    norms = [value for name, value in logged.items() if name.startswith("gradient_")]
    assert len(norms) == 3
    assert max(norms) < 10 * min(norms)
