"""Limits on one source file; a domain adds those on its own content."""

from pydantic import Field

from core.config import Strict


class Limits(Strict):
    """Limits of one source file; a file beyond one is rejected with the reason."""

    file_bytes: int = Field(default=8_000_000, gt=0, description="bytes of one file")
    seconds: float = Field(default=20.0, gt=0, description="seconds of work on one file")
    memory_mb: int = Field(default=300, gt=0, description="MB of memory of a reading process")
    archive_members: int = Field(default=1_000_000, gt=0, description="files in one archive")
    archive_ratio: float = Field(
        default=200.0, ge=1, description="unpacked bytes for each packed byte of an archive"
    )

    def most_unpacked(self, size_bytes: int) -> float:
        """Return how many bytes an archive of this size may unpack to in all."""
        return self.archive_ratio * max(size_bytes, 10_000)
