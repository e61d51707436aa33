"""Configuration of a video model and of its run: recipe, sizes of networks, form of a clip."""

from typing import Literal

from pydantic import Field

from core.app.configuration import CHANGEABLE, ModelConfig, RunConfig
from core.config import Strict
from core.errors import ConfigError
from core.recipe import Recipe
from core.theory.terms import Match
from videogen.data.augmentation import Augmentation
from videogen.files.frame import View
from videogen.networks.config import VideoConfig
from videogen.recipes import RECIPES

FRAMING = ("spec.fit", "spec.background")
"""Settings that say how films are framed; runs of earlier versions did not keep them."""


class DataSpec(Strict):
    """The specification of a clip and of its captions' words. Networks are built for one.

    `shapes`: the most moving shapes in a clip, 0 for clips from files; `showing`: the word that
    their captions have. `examples`: captions of the training data, to try the model with.
    `captions`: distinct captions of clips from files, with which others are compared. `fit` and
    `background`: how films are framed (see `videogen.files.frame.View`).
    """

    size: int = Field(ge=16, le=256)
    frames: int = Field(ge=2, le=256)
    frames_per_second: float = Field(gt=0)
    words: tuple[str, ...]
    shapes: int = 0
    showing: str = ""
    examples: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    fit: Literal["crop", "fit", "stretch"] = "crop"
    background: str = "#000000"

    @property
    def view(self) -> View:
        """Return how films are read."""
        return View.model_validate(self.model_dump(include=set(View.model_fields)))

    @property
    def seconds(self) -> float:
        """Return the duration of a clip."""
        return self.frames / self.frames_per_second


class VideoModel(ModelConfig):
    """A model of video: its recipe, what differs from it, its networks' sizes.

    `mismatched`: whether the critics that a recipe shows wrong captions see them. Without them and
    without `video.gist` text_to_video is the paper's DT2V, without the gist alone PT2V.
    `enlarger`: the run, or the shipped weights, by which its clips are enlarged.
    """

    known_recipes = RECIPES

    video: VideoConfig = VideoConfig()
    mismatched: bool = True
    enlarger: str = ""

    @property
    def resolved_recipe(self) -> Recipe:
        """Return the recipe for networks that are all conditioned on the caption, if any.

        `ConfigError` for a prior over codes of moments with another decoder.
        """
        recipe = super().resolved_recipe
        over_codes = any(
            isinstance(term, Match) and term.space in ("prior", "prior_c") for term in recipe.terms
        )
        if over_codes != (self.video.decoder == "moments"):
            right = "moments" if over_codes else "gist, path or streams"
            raise ConfigError(f"{self.recipe} needs another decoder: model.video.decoder={right}")
        if not self.video.captions:
            return recipe.unconditional()
        recipe = recipe.conditional()
        if not self.mismatched:
            recipe = recipe.without_mismatched()
        if self.video.gist:
            return recipe
        return recipe.without({"reconstruct_gist", "coherence"})


class VideoRun(RunConfig):
    """All that a run needs in order to be understood and repeated.

    `wrong_captions`: each clip is given its neighbour's caption. What such a model scores is
    chance, beside which others are measured. `augment`: changes of clips from files.
    """

    changeable = (*CHANGEABLE, "spec.captions", *FRAMING)
    """Runs of earlier versions keep no captions."""

    model: VideoModel
    spec: DataSpec
    augment: Augmentation = Augmentation()
    wrong_captions: bool = False
