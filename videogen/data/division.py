"""The division of clips into those that are trained on, held out, and left out.

composition     captions of two halves, each trained on with other halves, but not together
(captions)      the captions that are given
videos          whole videos, whatever their captions
windows         the last clips of videos
auto            whole videos of whose captions every word is trained on, else windows

Videos of the same pictures, and excerpts of one film, are on one side, whatever their captions; of
windows, those that overlap with held-out ones in the time of their film are left out.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from core.data import catalogue
from core.errors import UserError
from core.wording import counted
from videogen.data.records import PrepareConfig
from videogen.words import words_of

SHARES = {"composition": 0.25}
SHARE = 0.1
"""Default shares that are held out: of the captions for composition, else of the clips."""

LONGEST = 10
"""Default for the most clips of one video: this many times the median of the others."""

MOST_OF_A_HALF = 1 / 3
"""Share of the captions of one half that may be held out, one of two at least."""

Words = tuple[str, ...]
Halves = tuple[Words, Words]


@dataclass(frozen=True)
class Videos:
    """The kept videos.

    `contents`: digests, by which they are put in an order that no other video changes. `pictures`,
    `films`: a number for each, the same for the same pictures, and for parts of the same film.
    `starts`: the frame of its film with which each clip begins.
    """

    names: Sequence[str]
    captions: Sequence[str]
    contents: Sequence[str]
    pictures: Int[np.ndarray, " video"]
    films: Int[np.ndarray, " video"]
    starts: Sequence[Int[np.ndarray, " _"]]

    @property
    def counts(self) -> Int[np.ndarray, " video"]:
        return catalogue.lengths_of(self.starts)

    @property
    def columns(self) -> dict[str, Int[np.ndarray, " clip"]]:
        """Return for each clip its group, as `film`, and the frame of it with which it begins."""
        film = np.repeat(self.groups, self.counts)
        return {"film": film, "frame_of_film": catalogue.concat_rows(self.starts, np.int64)}

    @cached_property
    def groups(self) -> Int[np.ndarray, " video"]:
        """Return a number for each, the same for those that pictures or films tie together."""
        groups, before = np.arange(len(self.captions)), np.empty(0)
        while not np.array_equal(groups, before):
            before = groups
            for numbers in (self.pictures, self.films):
                lowest = np.full(len(groups), len(groups))
                np.minimum.at(lowest, numbers, groups)
                groups = lowest[numbers]  # [video]
        return groups

    def members(self) -> dict[int, list[int]]:
        """Return the videos of each group."""
        members: dict[int, list[int]] = {}
        for video, number in enumerate(self.groups.tolist()):
            members.setdefault(number, []).append(video)
        return members

    def is_on_one_clock(self, members: Sequence[int]) -> bool:
        """Return whether videos of the same pictures all begin at the same time of their films."""
        begins = {(self.pictures[video], self.starts[video][0]) for video in members}
        return len(begins) == len({self.pictures[video] for video in members})


@dataclass(frozen=True)
class Division:
    """For each clip of all videos whether it is held out, and whether it is used at all.

    Clips that overlap with held-out ones are not. `lines` name what is held out and left out.
    """

    test: Bool[np.ndarray, " clip"]
    used: Bool[np.ndarray, " clip"]
    lines: list[str] = field(default_factory=list)


def divide(videos: Videos, config: PrepareConfig) -> Division:
    """Divide the clips; `UserError` where captions do not allow what is to be held out."""
    most = config.most_clips or most_clips(videos.counts)
    kept = [np.isin(np.arange(count), evenly(count, most)) for count in videos.counts.tolist()]
    starts = [all_[used] for all_, used in zip(videos.starts, kept, strict=True)]
    division = _divide(replace(videos, starts=starts), config)
    test, used = (np.zeros(videos.counts.sum(), bool) for _ in range(2))  # [clip]
    among = np.concatenate(kept)  # [clip]
    test[among], used[among] = division.test, division.used
    return Division(test, used, [*_thinned(videos, most), *division.lines])


def most_clips(counts: Int[np.ndarray, " video"]) -> int:
    """Return the default for the most clips of one video.

    `LONGEST` times the median of all but the longest video, and no more than these have together,
    so that no video is more than half of the collection; for a single video all of its clips.
    """
    *others, longest = np.sort(counts).tolist()
    return min(LONGEST * int(np.median(others)), sum(others)) if others else longest


def evenly(count: int, most: int) -> Int[np.ndarray, " clip"]:
    """Return at most `most` of the numbers below `count`, evenly spaced, the first among them."""
    return np.arange(min(count, most)) * count // min(count, most)


def _thinned(videos: Videos, most: int) -> list[str]:
    """Name the videos that have more clips than are used."""
    counts = zip(videos.names, videos.counts.tolist(), strict=True)
    longer = [f"  {name}: {most} of {count}" for name, count in counts if count > most]
    title = (
        f"left out: clips of {counted(len(longer), 'video')} that would outweigh the others "
        f"(--most-clips {videos.counts.max()} uses all)"
    )
    return [title, *longer] if longer else []


def _divide(videos: Videos, config: PrepareConfig) -> Division:
    hold_out, length, seed = config.hold_out, config.frames, config.seed
    kind = hold_out if isinstance(hold_out, str) else "captions"
    share = SHARES.get(kind, SHARE) if config.test_share is None else config.test_share
    if not isinstance(hold_out, str):
        return _by_captions(videos, chosen(hold_out, videos.captions), "")
    if not share:
        return _whole(videos, set())
    if hold_out == "composition":
        several = _with_several_captions(videos)
        found = composition(videos.captions, share, seed, several)
        return _by_captions(videos, found, ", whose halves are trained on with others")
    if hold_out == "videos":
        of = videos.groups, videos.counts, videos.contents
        return _whole(videos, set(np.flatnonzero(catalogue.held_out(*of, share, seed)).tolist()))
    if hold_out == "windows":
        return _windows(videos, length, share, seed)
    return _automatic(videos, length, share, seed)


def chosen(given: Iterable[str], captions: Sequence[str]) -> list[Words]:
    """Return the given captions as words; `UserError` for one that no video has, or for all."""
    known = {tuple(words_of(caption)) for caption in captions}
    found = {caption: tuple(words_of(caption)) for caption in given}
    unknown = [caption for caption, words in found.items() if words not in known]
    if unknown:
        raise UserError(f'no clip to hold out has the caption "{unknown[0]}"')
    if known <= set(found.values()):
        raise UserError("all captions would be held out: leave some to train on")
    return list(found.values())


def composition(
    captions: Sequence[str], share: float, seed: int, without: Iterable[Words] = ()
) -> list[Words]:
    """Return the captions, as words, that are held out to measure composition.

    Of each, both halves remain in other captions; of no half are more than a third held out, or
    one of two. Halves of which the smallest share is held out come first, then the order of a hash
    of the seed. None of `without` is held out. `UserError` where no caption has two such halves.
    """
    known = {tuple(words_of(caption)) for caption in captions}
    heads, tails = _heads(known), _tails(known)
    cut = {words: halves for words in known if (halves := cut_in_halves(words, heads, tails))}
    for words in without:
        cut.pop(words, None)
    if not cut:
        raise UserError(
            "no caption has two halves that both occur in other captions, as in "
            '"a dog | runs", "a dog | sleeps", "a cat | runs": --hold-out videos holds out others'
        )
    held: Counter[tuple[str, Words]] = Counter()
    found: list[Words] = []

    def allowed(words: Words) -> bool:
        head, tail = cut[words]
        return held["head", head] < _most(heads[head]) and held["tail", tail] < _most(tails[tail])

    def loss(words: Words) -> tuple[float, float, str]:
        head, tail = cut[words]
        after = (held["tail", tail] + 1) / tails[tail]
        return held["head", head] / heads[head], after, _hash(seed, " ".join(words))

    while cut and len(found) < max(1, round(share * len(known))):
        candidates = [words for words in cut if allowed(words)]
        if not candidates:
            break
        best = min(candidates, key=loss)
        head, tail = cut.pop(best)
        held["head", head] += 1
        held["tail", tail] += 1
        found.append(best)
    return found


def halves_of(captions: Iterable[str]) -> dict[str, Halves]:
    """Return the halves of each caption that has two which occur in other captions too.

    >>> found = halves_of(["a dog runs", "a dog sleeps", "a cat runs", "a cat sleeps"])
    >>> found["a cat sleeps"]
    (('a', 'cat'), ('sleeps',))
    """
    known = {caption: tuple(words_of(caption)) for caption in captions}
    heads, tails = _heads(set(known.values())), _tails(set(known.values()))
    cut = {caption: cut_in_halves(words, heads, tails) for caption, words in known.items()}
    return {caption: halves for caption, halves in cut.items() if halves}


def can_be_recombined(halves: Mapping[str, Halves]) -> bool:
    """Return whether a first half and a second half are known that no known caption joins.

    >>> all_four = ["a dog runs", "a dog sleeps", "a cat runs", "a cat sleeps"]
    >>> can_be_recombined(halves_of(all_four))
    False
    >>> can_be_recombined(halves_of([*all_four, "a dog eats", "a fox eats", "a fox runs"]))
    True
    """
    pairs = set(halves.values())
    firsts, seconds = {first for first, _ in pairs}, {second for _, second in pairs}
    return len(pairs) < len(firsts) * len(seconds)


def recombined(captions: Sequence[str], halves: Mapping[str, Halves]) -> list[tuple[str, int]]:
    """Return the first half of each caption with the second half of the next one with which no
    known caption has it, and the number of that one; a caption as it is, and its own number,
    where it has no halves, or there is no such one.

    >>> found = halves_of(["a dog runs", "a dog sleeps", "a cat runs", "a cat eats", "a fox eats",
    ...                    "a fox sleeps"])
    >>> recombined(["a dog runs", "a bird", "a cat runs", "a fox eats"], found)
    [('a dog eats', 3), ('a bird', 1), ('a cat runs', 2), ('a fox runs', 0)]
    """
    known = {first + second for first, second in halves.values()}

    def novel(number: int) -> tuple[str, int]:
        itself = captions[number], number
        if captions[number] not in halves:
            return itself
        first, _ = halves[captions[number]]
        others = (*range(number + 1, len(captions)), *range(number))
        seconds = ((halves[captions[one]][1], one) for one in others if captions[one] in halves)
        joined = ((first + second, one) for second, one in seconds)
        return next(
            ((" ".join(words), one) for words, one in joined if words not in known), itself
        )

    return [novel(number) for number in range(len(captions))]


def cut_in_halves(
    words: Words, heads: Mapping[Words, int], tails: Mapping[Words, int]
) -> Halves | None:
    """Return the halves of a caption: the cut whose rarer half occurs in the most captions, then
    its other half.

    None where at every cut a half occurs in this caption alone. `heads`, `tails`: in how many
    captions each beginning and each ending occurs.
    """
    cuts = [(words[:at], words[at:]) for at in range(1, len(words))]

    def occurrences(halves: Halves) -> list[int]:
        return sorted([heads[halves[0]], tails[halves[1]]])

    best = max(cuts, key=occurrences, default=None)
    return best if best and occurrences(best)[0] > 1 else None


def _heads(captions: Iterable[Words]) -> Counter[Words]:
    return Counter(words[:at] for words in captions for at in range(1, len(words)))


def _tails(captions: Iterable[Words]) -> Counter[Words]:
    return Counter(words[at:] for words in captions for at in range(1, len(words)))


def _most(captions: int) -> int:
    """Return how many captions of one half may be held out."""
    return max(1, int(MOST_OF_A_HALF * captions + 1e-9))


def _hash(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed} {text}".encode()).hexdigest()


def _with_several_captions(videos: Videos) -> set[Words]:
    """Return the captions of pictures and films that have others as well."""
    of_group: dict[int, set[Words]] = {}
    for number, caption in zip(videos.groups.tolist(), videos.captions, strict=True):
        of_group.setdefault(number, set()).add(tuple(words_of(caption)))
    return set().union(*(captions for captions in of_group.values() if len(captions) > 1))


def _by_captions(videos: Videos, held: Sequence[Words], remark: str) -> Division:
    """Hold out all videos of these captions, and those of the same pictures and films."""
    words = [tuple(words_of(caption)) for caption in videos.captions]
    named = dict(zip(words, videos.captions, strict=True))
    numbers = {int(videos.groups[video]) for video, one in enumerate(words) if one in set(held)}
    whole = _whole(videos, {v for v, one in enumerate(videos.groups.tolist()) if one in numbers})
    lines = [
        f"held out: {counted(len(held), 'caption')}{remark}",
        *(f"  {named[one]}" for one in held),
    ]
    return replace(whole, lines=lines)


def _whole(videos: Videos, test: set[int]) -> Division:
    """Hold out whole videos."""
    is_test = np.array([video in test for video in range(len(videos.captions))], bool)
    names = [f"  {videos.names[video]}: {videos.captions[video]}" for video in sorted(test)]
    lines = [f"held out: {counted(len(test), 'whole video')}", *names] if test else []
    clips = np.repeat(is_test, videos.counts)  # [clip]
    return Division(clips, np.ones_like(clips), lines)


def _automatic(videos: Videos, length: int, share: float, seed: int) -> Division:
    """Hold out whole videos without which every word is trained on, else windows.

    Where there is only one clip to each such video, the smallest of them.
    """
    fitting, any_size = (set(_spare(videos, most, seed)) for most in (share, 1.0))
    if fitting:
        return _whole(videos, fitting)
    windows = _windows(videos, length, share, seed)
    if windows.test.any() or not any_size:
        return windows
    smallest = min(any_size, key=lambda video: (videos.counts[video], videos.contents[video]))
    same = np.flatnonzero(videos.groups == videos.groups[smallest])
    return _whole(videos, set(same.tolist()))


def _spare(videos: Videos, share: float, seed: int) -> Iterator[int]:
    """Yield videos that can be held out together, up to a share of the clips."""
    members, left = videos.members(), share * videos.counts.sum()
    words = {
        number: {word for video in of for word in words_of(videos.captions[video])}
        for number, of in members.items()
    }
    trained = Counter(word for one in words.values() for word in one)
    for number in _in_order(videos, members, seed):
        clips = videos.counts[members[number]].sum()
        if clips <= left and all(trained[word] > 1 for word in words[number]):
            trained.subtract(words[number])
            left -= clips
            yield from members[number]


def _in_order(videos: Videos, members: Mapping[int, list[int]], seed: int) -> list[int]:
    def rank(number: int) -> str:
        return _hash(seed, min(videos.contents[video] for video in members[number]))

    return sorted(members, key=rank)


def _windows(videos: Videos, length: int, share: float, seed: int) -> Division:
    """Hold out the last clips of videos, up to a share of all; what overlaps is not used.

    Of a video they are `share` of its clips, one at least, and of each video some clip remains.
    """
    members, left = videos.members(), share * videos.counts.sum()
    sides = _Sides(videos, length)
    for number in _in_order(videos, members, seed):
        group = members[number]
        for video in group if videos.is_on_one_clock(group) else ():
            starts = videos.starts[video]
            first, end = starts[-max(1, int(share * len(starts)))], starts[-1] + length
            if left > 0:
                left -= sides.hold_out(group, int(first), int(end))
    held = [v for v, test in enumerate(sides.test) if test.any()]
    names = [f"  {videos.names[video]}: {videos.captions[video]}" for video in held]
    lines = (
        [f"held out: the last clips of {counted(len(names), 'video')}", *names] if names else []
    )
    is_test, is_train = (np.concatenate(of) for of in (sides.test, sides.train))  # [clip]
    return Division(is_test, is_test | is_train, lines)


class _Sides:
    """For each video which of its clips are held out and which are trained on: at first all."""

    def __init__(self, videos: Videos, length: int):
        self.videos, self.length = videos, length
        self.test = [np.zeros(count, bool) for count in videos.counts.tolist()]
        self.train = [~test for test in self.test]

    def hold_out(self, group: Sequence[int], first: int, end: int) -> int:
        """Hold out the clips within some frames of a film; return how many more these are.

        None are if a video of the group would have no clip to train on.
        """
        starts = {video: self.videos.starts[video] for video in group}
        train = {v: self.train[v] & (_outside(starts[v], self.length, first, end)) for v in group}
        if not all(clips.any() for clips in train.values()):
            return 0
        count = 0
        for video in group:
            within = (starts[video] >= first) & (starts[video] + self.length <= end)
            count += int((within & ~self.test[video]).sum())
            self.test[video] |= within
            self.train[video] = train[video]
        return count


def _outside(
    starts: Int[np.ndarray, " clip"], length: int, first: int, end: int
) -> Bool[np.ndarray, " clip"]:
    """Return which clips have no frame from `first` to `end`."""
    return (starts + length <= first) | (starts >= end)
