"""Limits on one recording."""

from pydantic import Field

from core.data.limits import Limits


class VoiceLimits(Limits):
    """The largest sound file that is read."""

    file_bytes: int = Field(default=100_000_000, gt=0, description="bytes of one file")
    seconds: float = Field(default=60.0, gt=0, description="seconds of work on one file")
    memory_mb: int = Field(default=1500, gt=0, description="MB of memory of a reading process")
    recording_seconds: float = Field(default=600.0, gt=0, description="seconds of one recording")
