"""Lists of all clips in folders, files, patterns and manifests."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from core.data.sources import expand_patterns, real_path
from core.errors import UserError
from videogen.data.sources.captioned import CaptionSource, Listing
from videogen.data.sources.search import Search
from videogen.data.sources.unread import NOT_READ, advice
from videogen.data.tables import TABLES, is_list
from videogen.files.limits import VideoLimits
from videogen.files.pictures import PICTURES
from videogen.files.reading import VIDEO


def listing(
    patterns: Sequence[str], captions: CaptionSource = "auto", limits: VideoLimits = VideoLimits()
) -> Listing:
    """Find all videos in folders, files, patterns and manifests, in a fixed order.

    Raises `UserError` for a pattern without a match, if there is no video at all, and for a table
    that names clips but is not understood.
    """
    starts = expand_patterns(patterns)
    for start in starts:
        if (suffix := start.suffix.lower()) in NOT_READ and not start.is_dir():
            raise UserError(f"{start}: {NOT_READ[suffix].format(suffix)}")
    searches = [Search(start, captions, limits) for start in starts]
    given = {real_path(start) for start in starts if not start.is_dir()}
    searches += [Search(table, captions, limits, given) for table in _tables_beside(starts)]
    found, names = _found(searches), ", ".join(patterns)
    if captions == "manifest" and not any(search.manifests.rows for search in searches):
        raise UserError(
            f"no manifest in {names}: add a CSV or JSONL with columns path and caption"
        )
    if not found.clips:
        raise UserError(f"no video in {names}{_others(found.passed_over)}")
    return found


def _found(searches: Sequence[Search]) -> Listing:
    """Return the clips of all searches, but for those that are a text of another clip."""
    found = Listing()
    named = {place for search in searches for place in search.manifests.named}
    for search in searches:
        found.clips += search.clips(named)
    texts = {place for search in searches for place in search.texts}
    found.clips = [clip for clip in found.clips if texts.isdisjoint(f.place for f in clip.files)]
    used = {place for search in searches for place in search.used}
    for search in searches:
        found.passed_over += search.passed_over(used)
    return found


def _others(passed_over: Counter[str]) -> str:
    """Return the rest of a sentence that says which other files there are, and what cures it."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in passed_over.most_common(8))
    hint = (
        ". Pictures are read where a folder holds them with a number at the end of their names, "
        "as one clip"
    )
    pictures = any(passed_over[suffix] for suffix in PICTURES)
    cures = "".join(f"; {cure}" for cure in advice(passed_over))
    return f", only {kinds}" * bool(kinds) + hint * pictures + cures


def _tables_beside(starts: Sequence[Path]) -> list[Path]:
    """Return the tables in the folders of single clips, which were not given themselves."""
    folders = {start.parent for start in starts if start.suffix.lower() in VIDEO}
    return sorted(
        path
        for folder in folders - {*starts}
        for path in folder.iterdir()
        if (path.suffix.lower() in TABLES or is_list(path)) and path not in starts
    )
