"""Limits on one video file, its caption and its manifest."""

from pydantic import Field

from core.data.limits import Limits

MOST_FRAMES = 4096
"""Frames of a generated clip, at most."""

LEAST_PACE, MOST_PACE = 1, 120
"""Frames a second of a generated clip."""

MOST_TRIES = 256
"""Samples of which the best is kept, at most."""


class VideoLimits(Limits):
    """Limits of one video file, caption or manifest."""

    file_bytes: int = Field(default=4_000_000_000, gt=0, description="bytes of one video file")
    seconds: float = Field(default=120.0, gt=0, description="seconds of work on one video file")
    memory_mb: int = Field(default=500, gt=0, description="MB of memory of a reading process")
    pixels: int = Field(default=9_500_000, gt=0, description="pixels of one frame of a video file")
    frames_bytes: int = Field(
        default=64_000_000, gt=0, description="bytes of one video's frames, at the chosen size"
    )
    caption_characters: int = Field(default=10_000, gt=0, description="characters of one caption")
    manifest_bytes: int = Field(default=200_000_000, gt=0, description="bytes of one manifest")
