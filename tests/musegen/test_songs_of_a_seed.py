"""One song of a seed is the same, to the byte, whether one or many are made."""

from pathlib import Path

import pytest
from command import run

NUMBERS = (1, 2, 5)


@pytest.mark.parametrize("model", ["lookback_rnn", "latent_musegan"])
def test_a_song_of_a_seed_is_the_same_among_any_number(model: str, tmp_path: Path):
    songs: dict[int, dict[str, bytes]] = {}
    for count in NUMBERS:
        to = tmp_path / str(count)
        options = ("--count", count, "--bars", 2, "--seed", 7, "--only", "mid", "--device", "cpu")
        code, _, complaint = run("music", "sample", model, *options, "--to", to)
        assert (code, complaint) == (0, "")
        songs[count] = {path.name: path.read_bytes() for path in to.iterdir()}
        assert sorted(songs[count]) == sorted(f"{model}-seed7-{n + 1}.mid" for n in range(count))
    most = songs[max(NUMBERS)]
    assert len(set(most.values())) == len(most), "they differ from one another"
    for few in songs.values():
        assert few.items() <= most.items()
