"""Words of messages: how many of something there are, and which names are near a wrong one."""

import difflib
from collections.abc import Sequence


def counted(count: float, noun: str) -> str:
    """Return how many of something there are, in words.

    >>> counted(0, "file"), counted(1, "file"), counted(1200, "file"), counted(1.5, "beat")
    ('0 files', '1 file', '1,200 files', '1.5 beats')
    """
    number = f"{count:,.0f}" if count == round(count) else f"{count:g}"
    return f"{number} {noun}{'s' * (count != 1)}"


def roughly(seconds: float) -> str:
    """Return a duration in words, in the unit that tells most.

    >>> roughly(1), roughly(42.4), roughly(400), roughly(9000)
    ('about 1 second', 'about 42 seconds', 'about 7 minutes', 'about 2.5 hours')
    """
    if seconds < 90:
        return f"about {counted(round(seconds), 'second')}"
    if seconds < 90 * 60:
        return f"about {counted(round(seconds / 60), 'minute')}"
    return f"about {counted(round(seconds / 3600, 1), 'hour')}"


def nearest(name: str, known: Sequence[str], listing: str = "") -> str:
    """Return the end of a sentence that helps with a misspelt name.

    `listing`: says where all are listed, in place of many known ones.

    >>> nearest("ganw", ["wgan", "vae", "hinge"])
    "did you mean 'wgan'? There are wgan, vae, hinge"
    >>> nearest("WGAN-GP", ["wgan_gp", "vae"], "`pianoreel models` lists all")
    "did you mean 'wgan_gp'? `pianoreel models` lists all"
    """
    spelt = {_plain(one): one for one in known}
    matches = difflib.get_close_matches(_plain(name), spelt, n=1)
    listing = listing or f"{'There' if matches else 'there'} are {', '.join(known)}"
    return f"did you mean '{spelt[matches[0]]}'? {listing}" if matches else listing


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
