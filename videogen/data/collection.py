"""A prepared collection: batches of clips with their captions.

A video is stored once, as its frames and its caption; clips are windows of it and may overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from core.data.collection import Prepared, Split
from core.data.store import Store
from videogen.data.augmentation import Augmentation, changes, times
from videogen.files.frame import FrameBatch, Frames
from videogen.words import words_of


@dataclass(frozen=True)
class Video:
    """A video that clips were cut from, with the split and the caption that they have."""

    name: str
    source: str
    split: Split
    caption: str


class Collection(Prepared):
    """Prepared clips of one size, length and frame rate."""

    DOMAIN = "video"

    def __init__(self, store: Store):
        super().__init__(store)
        facts = store.facts
        self.frames, self.size = int(facts["frames"]), int(facts["size"])
        self.frames_per_second = float(facts["frames_per_second"])
        self.words: tuple[str, ...] = tuple(facts["words"])
        self._allowing: dict[Augmentation, dict[str, np.ndarray]] = {}

    @property
    def framing(self) -> dict[str, Any]:
        """Return how its films were framed, as far as it is known (see `View`)."""
        facts = self.store.facts
        return {name: facts[name] for name in ("fit", "background") if name in facts}

    @cached_property
    def videos(self) -> list[Video]:
        whole = self.store.whole
        texts = np.split(whole["captions"], np.cumsum(whole["captions_of_source"])[:-1])
        return [
            Video(**source, caption=text.tobytes().decode())
            for source, text in zip(self.store.facts["sources"], texts, strict=True)
        ]

    @property
    def _films(self) -> tuple[Int[np.ndarray, " clip"], Int[np.ndarray, " clip"]]:
        """Return for each clip a number of its film, and the frame of it with which it begins."""
        whole = self.store.whole
        return whole.get("film", whole["source"]), whole.get("frame_of_film", whole["first"])

    @cached_property
    def _available(self) -> tuple[Int[np.ndarray, " clip"], Int[np.ndarray, " clip"]]:
        """Return the first and the end of the frames that a training clip may show, in its shard.

        They are those of the training clips of its video, up to held-out ones of its film.
        """
        whole, clips, (film, frame) = self.store.whole, self.indices("train"), self._films
        source, begin = whole["source"], whole["begin"].astype(np.int64)
        first = np.full(len(self.videos), np.iinfo(np.int64).max)
        end = np.zeros(len(self.videos), np.int64)
        np.minimum.at(first, source[clips], begin[clips])
        np.maximum.at(end, source[clips], begin[clips] + self.frames)
        apart = 2 * (int(frame.max()) + self.frames)  # films lie one behind the other
        time = film.astype(np.int64) * apart + frame
        held = np.sort(time[self.indices("test")])
        held = np.array([-apart, *held, time.max() + apart])
        later = np.searchsorted(held, time)
        before, after = time - held[later - 1] - self.frames, held[later] - time
        return np.maximum(first[source], begin - before), np.minimum(end[source], begin + after)

    def frames_of(self, indices: Int[np.ndarray, " clip"]) -> FrameBatch:
        """Return the frames of clips."""
        whole, shards = self.store.whole, self.store.shards
        frames = np.empty((len(indices), self.frames, self.size, self.size, 3), np.uint8)
        for number, clip in enumerate(indices):
            start = whole["begin"][clip]
            frames[number] = shards[whole["shard"][clip]]["frames"][start : start + self.frames]
        return frames

    def halves(
        self, split: Split, seed: int
    ) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
        """Halve the clips of a split; none shares a frame with one of the other half.

        Of a film they are the earlier and the later clips, without those between that overlap; if
        all overlap, they are in one half, so that the second may be empty. Films of the same
        caption are in turn in the first and the second half.
        """
        clips = self.indices(split)
        film, frame = (of[clips] for of in self._films)
        order = np.lexsort((frame, film))
        films = np.split(order, np.flatnonzero(np.diff(film[order])) + 1)
        shuffled = np.random.default_rng([seed, 2]).permutation(len(films))
        names = self.captions_of(clips[[of[0] for of in films]])
        halves: tuple[list[int], list[int]] = [], []
        for number in sorted(shuffled, key=names.__getitem__):
            of = films[number]
            earlier, later = _halved(frame[of], self.frames)
            turned = len(halves[0]) > len(halves[1])
            halves[turned].extend(clips[of[earlier]])
            halves[not turned].extend(clips[of[later]])
        first, second = (np.array(half, np.int64) for half in halves)
        return first, second

    def captions_of(self, indices: Int[np.ndarray, " clip"]) -> list[str]:
        """Return the captions of clips."""
        return [self.videos[source].caption for source in self.store.whole["source"][indices]]

    @cached_property
    def _first_of(self) -> dict[Split, dict[str, int]]:
        """Return the first clip of each caption of a split."""
        found: dict[Split, dict[str, int]] = {}
        for split in self.splits:
            backwards = self.indices(split)[::-1]
            captions = self.captions_of(backwards)
            found[split] = dict(zip(captions, backwards.tolist(), strict=True))
        return found

    @cached_property
    def _by_words(self) -> dict[Split, dict[tuple[str, ...], str]]:
        return {
            split: {tuple(words_of(caption)): caption for caption in first}
            for split, first in self._first_of.items()
        }

    def spelled(self, caption: str, split: Split) -> str | None:
        """Return the caption of a split that has the same words; None where there is none."""
        return self._by_words[split].get(tuple(words_of(caption)))

    def clips_of(self, captions: Sequence[str], split: Split) -> FrameBatch:
        """Return for each caption of a split the frames of its first clip."""
        return self.frames_of(np.array([self._first_of[split][one] for one in captions]))

    def captions_in_training(self, most: int) -> list[str]:
        """Return distinct captions of training clips, evenly chosen where there are more."""
        training = (video.caption for video in self.videos if video.split == "train")
        distinct = list(dict.fromkeys(training))
        chosen = np.linspace(0, len(distinct) - 1, min(most, len(distinct))).round()
        return [distinct[number] for number in chosen.astype(int)]

    def batch(
        self,
        number: int,
        size: int,
        seed: int,
        split: Split = "train",
        augmentation: Augmentation | None = None,
    ) -> tuple[FrameBatch, list[str]]:
        """Sample a batch of frames and captions with replacement.

        It is a function of the arguments alone, so that a resumed run sees the same batches.
        `augmentation` is of training clips; which are sampled does not depend on it.
        """
        generator = np.random.default_rng([seed, number])
        sample = generator.choice(self.indices(split), size)
        captions = self.captions_of(sample)
        if augmentation is None or split == "test":
            return self.frames_of(sample), captions
        generator = np.random.default_rng([seed, number, 1])
        return self._augmented(sample, augmentation, generator), captions

    def _augmented(
        self,
        clips: Int[np.ndarray, " clip"],
        augmentation: Augmentation,
        generator: np.random.Generator,
    ) -> FrameBatch:
        frames = np.empty((len(clips), self.frames, self.size, self.size, 3), np.uint8)
        allowed = self._allowed(augmentation)
        for number, clip in enumerate(clips.tolist()):
            of = {name: bool(each[clip]) for name, each in allowed.items()}
            chosen = self._at_a_speed(clip, augmentation.speed * of["speed"], generator)
            for change in changes(augmentation, of, generator):
                chosen = change(chosen)
            frames[number] = chosen
        return frames

    def _allowed(self, augmentation: Augmentation) -> dict[str, np.ndarray]:
        """Return for each change which clips allow it."""
        if augmentation not in self._allowing:
            of_videos = augmentation.allowed(video.caption for video in self.videos)
            source = self.store.whole["source"]
            self._allowing[augmentation] = {name: of[source] for name, of in of_videos.items()}
        return self._allowing[augmentation]

    def _at_a_speed(self, clip: int, speed: float, generator: np.random.Generator) -> Frames:
        """Return the frames of a clip, faster or slower by up to `speed`."""
        whole = self.store.whole
        begin = int(whole["begin"][clip])
        gaps = (self.store.facts.get("hop") or 0) > self.frames
        first, end = (int(of[clip]) for of in self._available)
        available = (begin, begin + self.frames) if gaps else (first, end)
        frames = self.store.shards[whole["shard"][clip]]["frames"]
        return frames[times(begin, self.frames, available, speed, generator)]


def _halved(
    begins: Int[np.ndarray, " clip"], length: int
) -> tuple[Bool[np.ndarray, " clip"], Bool[np.ndarray, " clip"]]:
    """Return which clips are in the earlier half of a film, and which in the later one.

    `begins`, in order. Clips that overlap with the earlier half are in none, unless all do.

    >>> [np.flatnonzero(half).tolist() for half in _halved(np.arange(8), 3)]
    [[0, 1, 2, 3], [6, 7]]
    """
    last = begins[(len(begins) - 1) // 2]
    earlier, later = begins <= last, begins >= last + length
    return (earlier, later) if later.any() else (~later, later)
