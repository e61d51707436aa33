"""The files of a song: .mid, .wav, .png and, on request, .npz."""

from collections.abc import Iterator
from pathlib import Path

from musegen.files.midi import write_midi
from musegen.files.picture import draw_roll
from musegen.files.sound import write_sound
from musegen.roll import Roll


def write_song(
    roll: Roll, folder: Path, npz: bool = False, soundfont: Path | None = None
) -> Iterator[Path]:
    """Write NAME.mid, .wav, .png (and .npz for pypianoroll); yield each path once written."""
    stem = folder / roll.name.replace(" ", "-").replace("/", "-")
    write_midi(roll, stem.with_suffix(".mid"))
    yield stem.with_suffix(".mid")
    write_sound(roll, stem.with_suffix(".wav"), soundfont)
    yield stem.with_suffix(".wav")
    draw_roll(roll, stem.with_suffix(".png"))
    yield stem.with_suffix(".png")
    if npz:
        from musegen.files.pianoroll import write_lpd

        write_lpd(roll, stem.with_suffix(".npz"))
        yield stem.with_suffix(".npz")
