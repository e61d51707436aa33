"""Super-resolution: what shrinks a clip and what enlarges it, by hand and on moving shapes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from command import run
from torch.nn import functional as F

from core.errors import ConfigError, UserError
from videogen.files.clip import to_clips, to_frames
from videogen.model import Model, train
from videogen.networks.config import VideoConfig
from videogen.networks.enlarger import Enlarger, Shrinker
from videogen.rendering.enlargement import Enlargement, lanczos
from videogen.rendering.output import ClipOutput
from videogen.shapes.dataset import MovingShapes

CAPTION = "A small red circle is moving in a zigzag path towards north"


def enlarger(factor: int = 2) -> Enlarger:
    torch.manual_seed(1)
    return Enlarger(VideoConfig(decoder="enlarged", channels=4, factor=factor))


def test_a_clip_is_shrunk_to_the_means_of_squares():
    row = torch.tensor([[1.0, 3, 5, 7], [5, 7, 1, 3]])
    clips = torch.stack([row, -row])[None, None].expand(1, 3, 2, 2, 4)
    small = Shrinker(2)(clips).representative
    assert small[0, 0].tolist() == [[[4, 4]], [[-4, -4]]]


def test_before_training_frames_are_interpolated():
    """Linearly between the centres of pixels: a quarter and three quarters of the way."""
    small = torch.tensor([[0.0, 8.0]]).expand(1, 3, 1, 2)
    large = enlarger().frames(small)
    assert large[0, 0].tolist() == [[0, 2, 6, 8], [0, 2, 6, 8]]


def test_outputs_for_a_colour_lie_side_by_side_in_the_large_frame():
    network = enlarger()
    network.last.bias = torch.nn.Parameter(torch.arange(12.0))
    added = network.frames(torch.zeros(1, 3, 1, 2))
    assert added[0, 0].tolist() == [[0, 1, 0, 1], [2, 3, 2, 3]]
    assert added[0, 2].tolist() == [[8, 9, 8, 9], [10, 11, 10, 11]]


def test_each_frame_of_a_clip_is_enlarged_alone_and_in_its_place():
    network = enlarger(4)
    torch.nn.init.normal_(network.last.weight)
    z = torch.randn(2, 3, 5, 6, 7)
    clips = network(z).representative
    assert clips.shape == (2, 3, 5, 24, 28)
    torch.testing.assert_close(clips[1, :, 3], network.frames(z[1, :, 3][None])[0])


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps on moving shapes of 24 pixels, which are three times as large as z."""
    folder = tmp_path_factory.mktemp("runs") / "large"
    options = ("--shapes", "--size", 24, "--preset", "tiny", "--model", "super_resolution")
    settings = ("--set", "model.video.factor=3", "--steps", 2, "--device", "cpu")
    assert run("video", "train", *options, *settings, "--to", folder)[0] == 0
    return folder


def test_clips_of_another_model_are_enlarged(run_folder: Path, tmp_path: Path):
    command = ["video", "sample", CAPTION, "--device", "cpu", "--only", "png-sequence"]
    assert run(*command, "--enlarger", run_folder, "--scale", 3, "--to", tmp_path)[0] == 0
    from matplotlib.image import imread

    (frame,) = tmp_path.glob("*/0007.png")
    (clip,) = to_frames(Model.load("shapes", "cpu").clips([CAPTION]))
    expected = Model.load(run_folder, "cpu").enlarged(clip)
    assert expected.shape == (16, 96, 96, 3)
    assert np.array_equal((255 * imread(frame)[..., :3]).round(), expected[6])


def test_an_enlarged_clip_is_resized_to_the_scale_that_is_asked_for(run_folder: Path):
    model = Model.load(run_folder, "cpu")
    frames = np.zeros((2, 10, 10, 3), np.uint8)
    for factor, side in ((3, 30), (6, 60), (1, 10), (2.5, 25)):
        assert Enlargement(factor, model=model)(frames).shape[1:3] == (side, side)


def test_the_weights_that_ship_are_enlarged_by_weights_that_ship():
    """Drawn at 128 pixels, and shrunk: a fifth of the error of Lanczos's kernel."""
    enlarger = Model.load("shapes", "cpu").enlarger()
    assert enlarger
    assert enlarger.name == "shapes_large"
    frames, _ = MovingShapes(128).batch(0, 1, seed=9, split="test")
    real = to_clips(np.asarray(frames))[:, :, ::4]
    (small,) = to_frames(F.avg_pool3d(real, (1, 4, 4)))

    def error(large: np.ndarray) -> float:
        return (to_clips(large[None]) - real).square().mean().item()

    assert error(enlarger.enlarged(small)) < 0.2 * error(lanczos(small, 4))


def test_a_model_brings_its_own_enlarger_unless_a_kernel_is_asked_for(run_folder: Path):
    shapes = Model.load("shapes", "cpu")
    config = shapes.config.replace(enlarger=str(run_folder))
    model = Model(shapes.networks, config, shapes.spec, "with its own")
    assert ClipOutput(Path()).of(model).enlargement.model is not None
    nearest = ClipOutput(Path(), enlargement=Enlargement(None, "nearest"))
    assert nearest.of(model).enlargement.model is None
    with pytest.raises(UserError, match="shapes does not enlarge clips"):
        model.enlarger("shapes")


def test_an_enlarger_reconstructs_and_says_that_it_does_nothing_else(
    run_folder: Path, tmp_path: Path
):
    model = Model.load(run_folder, "cpu")
    clips = torch.rand(2, 3, 5, 24, 24)
    reconstructed = model.reconstruct(clips)
    expected = F.interpolate(F.avg_pool3d(clips, (1, 3, 3))[0].transpose(0, 1), scale_factor=3,
                             mode="bilinear")  # fmt: skip
    apart = reconstructed[0].transpose(0, 1) - expected
    assert apart.abs().mean() < 0.1, "two steps change little"
    for command in (("sample", run_folder), ("vary", run_folder, "7")):
        code, _, complaint = run("video", *command, "--to", tmp_path)
        assert code == 1
        assert "large enlarges clips" in complaint
        assert "--enlarger large" in complaint
    both = ("--enlarger", run_folder, "--resize", "nearest", "--to", tmp_path)
    code, _, complaint = run("video", "sample", CAPTION, *both)
    assert (code, "exclude each other" in complaint) == (2, True)


def test_sizes_that_are_no_multiple_of_the_factor_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"model\.video\.factor can be 2, 3, 6"):
        train(MovingShapes(18), tmp_path / "run", "super_resolution", "tiny", "cpu")


@pytest.mark.slow
def test_edges_are_learned_that_interpolation_blurs(tmp_path: Path):
    shapes = MovingShapes(32)
    settings = ["train.steps=150", "train.batch_size=4", "train.learner.learning_rate=0.003",
                "train.ema_decay=0.9", "model.video.factor=2"]  # fmt: skip
    model = train(shapes, tmp_path / "run", "super_resolution", "small", "cpu", settings)
    frames, _ = shapes.batch(0, 8, seed=9, split="test")
    real = torch.as_tensor(frames).movedim(-1, 1) / 127.5 - 1
    small = F.avg_pool3d(real, (1, 2, 2))
    blurred = torch.stack([F.interpolate(one.transpose(0, 1), scale_factor=2, mode="bilinear")
                           for one in small]).transpose(1, 2)  # fmt: skip
    error = (model.reconstruct(real) - real).square().mean()
    assert error < 0.7 * (blurred - real).square().mean()
