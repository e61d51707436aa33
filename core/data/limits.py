"""Limits on one source file: how much it may ask for before it is rejected."""

from pydantic import Field

from core.config import Strict


class Limits(Strict):
    """How much one source file may ask for, before it is rejected with its reason."""

    file_bytes: int = Field(default=8_000_000, gt=0, description="bytes of one MIDI file")
    notes: int = Field(default=200_000, gt=0, description="notes of one file")
    beats: int = Field(
        default=20_000, gt=0, description="beats from the start of a file to its end"
    )
    cells: int = Field(
        default=2_000_000, gt=0, description="cells of one file's roll in which a note sounds"
    )
    seconds: float = Field(
        default=20.0, gt=0, description="seconds that reading one file may take"
    )
    memory_mb: int = Field(default=300, gt=0, description="MB that a reading process may hold")
    video_bytes: int = Field(default=4_000_000_000, gt=0, description="bytes of one video file")
    pixels: int = Field(default=9_500_000, gt=0, description="pixels of one picture of a video")
    kept_bytes: int = Field(
        default=64_000_000, gt=0, description="bytes of one video's frames, at the size wanted"
    )
    video_seconds: float = Field(
        default=120.0, gt=0, description="seconds that reading one video may take"
    )
    video_memory_mb: int = Field(
        default=500, gt=0, description="MB that a process reading video may hold"
    )
    caption_characters: int = Field(default=1000, gt=0, description="characters of one caption")
    manifest_bytes: int = Field(default=200_000_000, gt=0, description="bytes of one manifest")
    archive_members: int = Field(default=1_000_000, gt=0, description="files of one archive")
    archive_ratio: float = Field(
        default=200.0, ge=1, description="unpacked bytes for one packed byte"
    )
