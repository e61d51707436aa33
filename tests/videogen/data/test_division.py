"""Held out are unseen pairs of seen halves, and never the only clip of a word."""

from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from command import run
from films import greys

from core.errors import UserError
from videogen.data.collection import Collection
from videogen.data.division import (
    Division,
    Videos,
    chosen,
    composition,
    divide,
    evenly,
    most_clips,
)
from videogen.data.records import PrepareConfig
from videogen.files.clip import write_gif

WHO = ("the man in white", "the tall woman", "a boy", "the dark blue jacket")
DOES = ("waves both hands", "waves one hand", "bends down", "jumps", "runs")
PAIRS = [f"{who} {does}" for who, does in product(WHO, DOES)]


def parts(words: tuple[str, ...]) -> tuple[str, str]:
    caption = " ".join(words)
    return next((w, caption[len(w) + 1 :]) for w in WHO if caption.startswith(w))


@pytest.mark.parametrize("seed", range(5))
def test_of_each_pair_both_halves_are_trained_on_with_others(seed: int):
    held = composition(PAIRS, 0.2, seed)
    assert len(held) == len(set(held)) == 4
    who, does = (Counter(half) for half in zip(*map(parts, held), strict=True))
    assert who == dict.fromkeys(WHO, 1), "one of each who"
    assert set(does.values()) == {1}, "and none of what twice"
    assert held == composition(PAIRS, 0.2, seed)


def test_no_half_loses_more_than_a_third():
    held = composition(PAIRS, 1.0, seed=0)
    who, does = (Counter(half) for half in zip(*map(parts, held), strict=True))
    assert max(who.values()) == 1 == int(5 / 3)
    assert max(does.values()) == 1 == int(4 / 3)
    nine = [f"{letter} thing {does}" for letter in "abcdefghi" for does in ("hops", "is here")]
    found = composition(nine, 1.0, seed=0)
    assert Counter(words[2] for words in found) == {"hops": 3, "is": 3}
    assert len({words[0] for words in found}) == 6


def test_what_occurs_in_one_caption_is_never_held_out():
    captions = [*PAIRS, "the man in grey jumps", "the hood jumps", "a dog sleeps on a mat"]
    for seed in range(5):
        held = {" ".join(words) for words in composition(captions, 1.0, seed)}
        assert not held & set(captions[-3:])


def test_captions_without_halves_are_refused():
    for captions in (["a dog", "a cat"], ["one", "two"], ["a dog runs", "a cat sleeps"], []):
        with pytest.raises(UserError, match="no caption has two halves"):
            composition(captions, 0.5, seed=0)
    assert len(composition(["a dog runs", "a dog sits", "a cat runs", "a cat sits"], 0.5, 0)) == 2


def videos(
    captions: list[str],
    clips: int = 1,
    hop: int = 4,
    pictures: list[int] | None = None,
    films: list[int] | None = None,
    begins: list[int] | None = None,
) -> Videos:
    count = len(captions)
    of_pictures, of_films = (np.array(of or range(count)) for of in (pictures, films))
    contents = [f"{number:064}" for number in range(count)]
    starts = [np.arange(clips) * hop + begin for begin in begins or [0] * count]
    return Videos(captions, captions, contents, of_pictures, of_films, starts)


def divided(found: Videos, hold_out: object, share: float | None, seed: int) -> Division:
    settings = {"frames": 4, "hold_out": hold_out, "test_share": share, "seed": seed}
    return divide(found, PrepareConfig.model_validate(settings))


def sides(division: Division, clips: int) -> list[str]:
    """For each video a letter for each of its clips: train, held out or -."""
    letters = np.where(division.used, np.where(division.test, "h", "t"), "-")
    return ["".join(of) for of in letters.reshape(-1, clips)]


def test_all_clips_of_a_held_out_caption_are_held_out_however_it_is_written():
    twice = [*PAIRS, *(caption.title() + "." for caption in PAIRS)]
    division = divided(videos(twice), "composition", 0.2, 0)
    one, other = division.test.reshape(2, -1)
    assert (one == other).all() and one.sum() == 4
    assert len(division.lines) == 5


def test_the_same_pictures_are_on_one_side():
    captions = [*PAIRS, "quite other words"]
    held = divided(videos(PAIRS), "composition", 0.2, 0).test
    shared = int(np.flatnonzero(held)[0])
    pictures = [*range(len(PAIRS)), shared]
    division = divided(videos(captions, pictures=pictures), "composition", 0.2, 0)
    assert not division.test[shared] and division.test.sum() == 4
    given = divided(videos(captions, pictures=pictures), (PAIRS[shared],), None, 0)
    assert np.flatnonzero(given.test).tolist() == [shared, len(PAIRS)]


def test_given_captions_are_held_out_and_unknown_ones_refused():
    division = divided(videos(PAIRS), ("A boy: jumps!",), None, 0)
    assert np.flatnonzero(division.test).tolist() == [PAIRS.index("a boy jumps")]
    assert division.lines == ["held out: 1 caption", "  a boy jumps"]
    with pytest.raises(UserError, match='has the caption "a girl jumps"'):
        chosen(["a boy jumps", "a girl jumps"], PAIRS)
    with pytest.raises(UserError, match="leave some"):
        chosen(PAIRS, PAIRS)


def test_no_word_is_taken_away_from_training():
    captions = ["a dog runs", "a dog sits", "a cat runs", "a cat sits", "one bird"]
    for seed in range(8):
        division = divided(videos(captions), "auto", 0.4, seed)
        trained = [c for c, held in zip(captions, division.test, strict=True) if not held]
        assert {word for c in trained for word in c.split()} == set(" ".join(captions).split())
        assert division.test.sum() == 2
    signs = ["eat", "milk", "book"]
    alone = divided(videos(signs), "auto", 0.4, 0)
    assert not alone.test.any() and alone.used.all() and alone.lines == []
    whole = divided(videos(signs), "videos", 0.4, 0)
    assert whole.test.sum() == 1 and whole.lines[0] == "held out: 1 whole video"


def test_where_words_would_vanish_the_last_clips_are_held_out():
    signs = ["eat", "milk", "book", "yes"]
    division = divided(videos(signs, clips=5), "auto", 0.1, 0)
    assert sorted(sides(division, 5)) == ["tttth", "tttth", "ttttt", "ttttt"]
    assert division.lines[0] == "held out: the last clips of 2 videos"
    overlapping = divided(videos(signs, clips=5, hop=2), "windows", 0.04, 0)
    assert sorted(sides(overlapping, 5)) == ["ttt-h", "ttttt", "ttttt", "ttttt"]
    close = divided(videos(signs, clips=2, hop=3), "windows", 0.5, 0)
    assert sides(close, 2) == ["tt"] * 4, "where all overlap nothing can be held out"


def test_windows_of_the_same_pictures_are_the_same():
    division = divided(videos(["eat", "essen"], clips=5, pictures=[0, 0]), "windows", 0.2, 0)
    assert sides(division, 5) == ["tttth", "tttth"]


def test_windows_of_overlapping_excerpts_share_no_frame_with_held_out_ones():
    words = ["eat", "milk"]
    # frames 0 to 20 and 8 to 28 of one film, in clips of 4
    over = videos(words, clips=5, films=[0, 0], begins=[0, 8])
    division = divided(over, "windows", 0.1, 0)
    assert sides(division, 5) == ["tttth", "tthtt"], "frames 16 to 20"
    division = divided(over, "windows", 0.3, 0)
    assert sides(division, 5) == ["tttth", "tthth"]
    # clips at 2, 6, 10 ... beside those at 0, 4, 8 ...
    shifted = videos(words, clips=5, films=[0, 0], begins=[0, 10])
    assert sides(divided(shifted, "windows", 0.1, 0), 5) == ["tttth", "t--tt"]
    apart = videos(words, clips=5, films=[0, 1], begins=[0, 8])
    assert sorted(sides(divided(apart, "windows", 0.1, 0), 5)) == ["tttth", "ttttt"]


def test_no_excerpt_loses_all_of_its_clips_to_another():
    starts = [np.arange(5) * 4, np.array([16])]
    numbers = np.arange(2)
    of_one = Videos(["a", "b"], ["eat", "milk"], ["x", "y"], numbers, numbers * 0, starts)
    config = PrepareConfig(frames=4, most_clips=5, hold_out="windows", test_share=0.2)
    division = divide(of_one, config)
    assert not division.test.any() and division.used.all()


def test_what_pictures_and_films_tie_together_is_one_group():
    found = videos(list("abcde"), pictures=[0, 1, 1, 2, 3], films=[0, 0, 1, 2, 2])
    assert found.groups.tolist() == [0, 0, 0, 3, 3]
    whole = divided(found, "videos", 0.5, 0)
    assert sides(whole, 5) in (["tttth"[:3] + "hh"], ["hhhtt"])


def test_pictures_that_stand_still_are_held_out_as_a_whole_or_not():
    still = videos(["eat", "milk"], clips=5, pictures=[0, 0], films=[0, 0], begins=[0, 40])
    assert not divided(still, "windows", 0.2, 0).test.any()


def test_one_long_video_is_no_more_than_half_of_a_collection():
    assert most_clips(np.array([1, 100, 1, 1])) == 3
    assert most_clips(np.array([500, *[4] * 30, 60])) == 40
    assert most_clips(np.array([7])) == 7
    assert evenly(10, 4).tolist() == [0, 2, 5, 7]
    assert evenly(3, 4).tolist() == [0, 1, 2]
    starts = [np.arange(n, dtype=np.int32) * 4 for n in (2, 9, 1)]
    names, captions, numbers = ["a", "b", "c"], ["one", "two", "three"], np.arange(3)
    found = Videos(names, captions, ["x", "y", "z"], numbers, numbers, starts)
    division = divided(found, "windows", 0.2, 0)
    first, long, last = np.split(division.used, [2, 11])
    assert first.all() and last.all() and np.flatnonzero(long).tolist() == [0, 3, 6]
    assert division.lines[:2] == [
        "left out: clips of 1 video that would outweigh the others (--most-clips 9 uses all)",
        "  b: 3 of 9",
    ]
    config = PrepareConfig(frames=4, most_clips=9, test_share=0)
    assert divide(found, config).used.all() and divide(found, config).lines == []


def test_the_command_holds_out_pairs_or_given_captions(tmp_path: Path):
    clips = tmp_path / "clips"
    clips.mkdir()
    rows = ["path,caption"]
    for number, caption in enumerate(PAIRS):
        for mirrored in (0, 1):
            name = f"{number}-{mirrored}.gif"
            level = 10 * number + mirrored
            write_gif(greys(*[level] * 4, height=16, width=16), clips / name, 8)
            rows.append(f"{name},{caption}")
    (clips / "clips.csv").write_text("\n".join(rows))
    command = ("video", "prepare", clips, "--size", 16, "--frames", 4, "--to")
    code, said, _ = run(*command, tmp_path / "pairs", "--hold-out", "composition")
    assert code == 0
    assert "held out: 4 captions, whose halves are trained on with others" in said
    data = Collection.open(tmp_path / "pairs")
    train, test = (data.captions_of(data.indices(split)) for split in ("train", "test"))
    assert Counter(test) == dict.fromkeys(test, 2), "with its mirror image"
    assert not set(test) & set(train) and f"  {test[0]}\n" in said
    assert set(" ".join(train).split()) == set(data.words)
    (tmp_path / "held.txt").write_text("a boy runs\n")
    assert run(*command, tmp_path / "given", "--hold-out", tmp_path / "held.txt")[0] == 0
    data = Collection.open(tmp_path / "given")
    assert data.captions_of(data.indices("test")) == ["a boy runs"] * 2
    (tmp_path / "held.txt").write_text("a girl runs\n")
    _, _, complaint = run(*command, tmp_path / "no", "--hold-out", tmp_path / "held.txt")
    assert complaint == 'error: no clip to hold out has the caption "a girl runs"\n'
    assert not (tmp_path / "no").exists()
