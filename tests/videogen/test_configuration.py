"""Settings of a video model and of its run."""

import pytest
from pydantic import ValidationError

from videogen.configuration import DataSpec


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("size", 16, 256), ("frames", 2, 256), ("frames_per_second", 0.01, 99)],
)
def test_a_clip_has_sizes_within_bounds_and_time_that_passes(name: str, least: float, most: float):
    values = {"size": 32, "frames": 8, "frames_per_second": 4.0, "words": ()}
    assert DataSpec.model_validate(values).seconds == 2
    for allowed in (least, most):
        DataSpec.model_validate({**values, name: allowed})
    for wrong in (0, -1, least - 1, *([most + 1] if name != "frames_per_second" else [])):
        with pytest.raises(ValidationError, match=name):
            DataSpec.model_validate({**values, name: wrong})
