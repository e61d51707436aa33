"""The place of this process among those that torchrun started; without it there is one.

torchrun says it in environment variables: WORLD_SIZE, RANK, and LOCAL_RANK on the machine.
"""

import os


def process_count() -> int:
    """Return the number of processes that were started together."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def process_number() -> int:
    """Return the number of this process among them, from 0."""
    return int(os.environ["RANK"]) if process_count() > 1 else 0


def number_on_machine() -> int:
    """Return the number of this process among those on the same machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0")) if process_count() > 1 else 0


def is_first() -> bool:
    """Return whether this process is the one that writes and prints."""
    return process_number() == 0
