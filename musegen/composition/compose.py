"""Compositions: songs from a draft, the best of several, with an ending.

draft = accompaniment(Source.read("song.mid", model.spec.tracks, model.spec.grid), ["piano"])
rolls = compose(model, draft, count=4, seed=1)
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from musegen.composition.ending import THIN, ending_of
from musegen.composition.judge import Judge, best
from musegen.draft import Draft
from musegen.files.tonality import key_of
from musegen.measures.excerpts import Excerpts
from musegen.roll import Notes, Roll
from musegen.steering import UNSTEERED, Steering

if TYPE_CHECKING:
    from musegen.model import Model


def compose(
    model: "Model",
    draft: Draft,
    count: int = 1,
    seed: int = 0,
    steering: Steering = UNSTEERED,
    ending: bool = False,
    judge: Judge | None = None,
    of_each: int = 1,
) -> list[Roll]:
    """Compose what is open in a draft, `count` times; song n depends on n and the seed alone.

    `ending`: close on the tonic. `judge`: of every `of_each` songs return the one that it takes to
    be the most real.
    """
    songs = model.complete(draft, count * of_each, seed, steering)
    if judge:
        excerpts = Excerpts.of_notes(songs, draft.bars, draft.grid, draft.tracks)
        songs = [songs[number] for number in best(judge.score(excerpts), of_each)]
    if ending:
        songs = [_ended(model, draft, song, steering, (seed, n)) for n, song in enumerate(songs)]
    return [draft.finished(song, f"{model.name} {n + 1}") for n, song in enumerate(songs)]


def _ended(
    model: "Model", draft: Draft, song: Notes, steering: Steering, part: Sequence[int]
) -> Notes:
    """Compose the ending of a song, with random numbers of its own."""
    key = steering.key or key_of(song, draft.tracks, draft.grid)
    if key is None:
        return song
    seed = int(np.random.SeedSequence(part).generate_state(1)[0])
    thin = steering.replace(density=max(THIN * steering.density, 0.25), form="")
    return model.complete(ending_of(draft, song, key), 1, seed, thin)[0]
