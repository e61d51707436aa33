"""Facts of single clips: rex.json or rex.cls beside rex.mp4, as shards of WebDataset have them.

Albums of phones are exported with rex.mp4.json.
"""

import json
from pathlib import Path
from typing import Any

from core.data.sources import RejectedFile
from videogen.data.cells import NotUnderstood
from videogen.data.tables import CAPTIONS, PATHS, columns, read_text
from videogen.files.limits import VideoLimits
from videogen.files.reading import VIDEO
from videogen.files.tree import File, Tree, folded

FACTS = ".json"
"""Suffix of an object of facts about one clip."""
CLASS = ".cls"
"""Suffix of the class of one clip."""
NAMES = tuple(name for name in CAPTIONS if name not in ("name", "action", "class"))
"""Names of the caption in such an object."""


def are_of_one(file: File, tree: Tree, limits: VideoLimits) -> bool:
    """Return whether a file beside a clip of its name is about this alone, and no table."""
    try:
        facts = _parsed(file, limits)
    except RejectedFile:
        return False
    if not isinstance(facts, dict):
        return False
    named = [facts[name] for name in PATHS if name in facts]
    known = (folded(Path(Path(name).name)) for name in named if isinstance(name, str))
    return tree.known.isdisjoint(known)


def caption_in(file: File, limits: VideoLimits) -> str | None:
    """Return the caption in the facts of a clip: empty if it has no letter, None if none is there.

    The name of a video is none, such as the title of a film in the albums of phones. Raises
    `RejectedFile` for what is no JSON.
    """
    found = _parsed(file, limits)
    facts = found if isinstance(found, dict) else {NAMES[0]: found}
    values = [facts[name] for name in (*NAMES, columns(facts)[1]) if name in facts]
    texts = [one for value in values for one in (value if isinstance(value, list) else [value])]
    words = (one for one in texts if isinstance(one, str) and one.strip())
    caption = next((one for one in words if Path(one.strip()).suffix.lower() not in VIDEO), None)
    return "" if caption is None and "" in texts else caption


def _parsed(file: File, limits: VideoLimits) -> Any:
    """Return what a file of JSON holds."""
    try:
        return json.loads(read_text(file, limits))
    except (NotUnderstood, ValueError, RecursionError) as error:
        why = f"{file.place.name} is no JSON: {str(error)[:80]}"
        raise RejectedFile("no-caption", why) from error
