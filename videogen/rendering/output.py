"""The files of a clip: mp4, webm, gif, its frames one by one, a filmstrip, and its caption.

A folder of clips with metadata.jsonl is one that `datasets` of Hugging Face loads as it is, as
"videofolder", of frames alone as "imagefolder"; and `prepare` reads it.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from matplotlib.image import imsave

from core.app.output import Output
from core.errors import ConfigError
from core.files import create_folder, read_json_lines, taking_turns, temporary_folder
from videogen.files.clip import Frames, Sound, write_gif, write_mp4, write_webm
from videogen.files.label import Label, origin_of
from videogen.rendering.enlargement import Enlargement
from videogen.rendering.filmstrip import draw_filmstrip, draw_parts
from videogen.rendering.loop import Loop, looped

if TYPE_CHECKING:
    from videogen.model import Model

FORMATS = ("mp4", "webm", "gif", "png", "png-sequence", "jsonl")
DEFAULT_FORMATS = ("mp4", "gif", "png")
SOUNDING = ("mp4", "webm")
"""Formats that hold sound."""
TAGGED = (*SOUNDING, "gif")
"""Formats that say within what made them."""
METADATA = "metadata.jsonl"
"""The table of a folder's clips, a line each."""


@dataclass(frozen=True)
class ClipOutput(Output):
    """The folder and the formats of clips, and how large they are written.

    `formats`: png is the filmstrip, png-sequence a folder of frames, jsonl a line of
    metadata.jsonl. `loop`: make clips seamless. `enlarger`: the run of super_resolution by which
    clips are enlarged, None for the model's own.
    """

    item: ClassVar[str] = "clip"

    formats: tuple[str, ...] = DEFAULT_FORMATS
    enlargement: Enlargement = field(default_factory=Enlargement)
    loop: bool = False
    enlarger: str | None = None

    def __post_init__(self) -> None:
        named = (*TAGGED, "png-sequence")
        if "jsonl" in self.formats and not set(named).intersection(self.formats):
            raise ConfigError(f"jsonl names other files: add one of {', '.join(named)}")
        if self.enlargement.factor and not set(named).intersection(self.formats):
            raise ConfigError(
                f"a filmstrip has a size of its own: leave --scale out, or add one of "
                f"{', '.join(named)} to --format"
            )

    def of(self, model: "Model") -> "ClipOutput":
        """Return the output of a model's clips, which are enlarged as it has learned.

        They are not where a kernel is asked for. `ConfigError` for a kernel and a run,
        `UserError` for a run that enlarges no clips.
        """
        if self.enlargement.kernel and self.enlarger:
            raise ConfigError("--enlarger and --resize exclude each other: leave one out")
        if self.enlargement.kernel:
            return self
        enlargement = replace(self.enlargement, model=model.enlarger(self.enlarger))
        return replace(self, enlargement=enlargement)

    @property
    def has_pictures(self) -> bool:
        return "png" in self.formats

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings that a clip's label names, beside those of its sampling."""
        factor, kernel = self.enlargement.factor, self.enlargement.kernel
        loop = "seamless" if self.loop else None
        return {"scale": factor, "resize": kernel, "enlarger": self.enlarger, "loop": loop}

    def path(self, label: Label, suffix: str) -> Path:
        """Return the path of one of a clip's files."""
        return self.folder / f"{label.name}{suffix}"

    def require_free(self, label: Label) -> None:
        """Raise `UserError` where another clip has this one's name."""
        if self.overwrite:
            return
        text = self.path(label, ".txt")
        if text.exists() and text.read_bytes() != _side_text(label):
            raise self.taken(text)
        for path in (self.path(label, f".{kind}") for kind in TAGGED if kind in self.formats):
            if path.exists() and origin_of(path) != label.origin:
                raise self.taken(path)

    def require_sound(self, wanted: bool) -> None:
        """Raise `ConfigError` where sound is wanted and no format holds any."""
        if wanted and not set(SOUNDING).intersection(self.formats):
            raise ConfigError("music goes with mp4 and webm: add one of them to --format")

    def finished(self, frames: Frames) -> Loop:
        """Return the frames that are shown: those of the loop, if one is wanted."""
        return looped(frames) if self.loop else frames


def write_clip(
    frames: Frames,
    label: Label,
    to: ClipOutput,
    frames_per_second: float,
    sound: Sound | None = None,
) -> Iterator[Path]:
    """Write NAME.mp4, NAME.gif ..., and NAME.txt with the caption; yield each path once written.

    `frames` are those of `ClipOutput.finished`. `sound`, stereo at 44.1 kHz, goes with mp4 and
    webm. `UserError` before anything is written where a file of another clip has the name, unless
    it can be overwritten.
    """
    fine = to.enlargement.fine(frames)
    large = to.enlargement.resized(fine, frames.shape[1])
    writers: dict[str, Callable[[Path], None]] = {
        "mp4": lambda path: write_mp4(large, path, frames_per_second, sound, label.tags),
        "webm": lambda path: write_webm(large, path, frames_per_second, sound, label.tags),
        "gif": lambda path: write_gif(large, path, frames_per_second, label.tags),
        "png": lambda path: draw_filmstrip(fine, path, label.title, _keywords(label)),
    }
    kinds = [kind for kind in to.formats if kind in writers]
    files = {to.path(label, f".{kind}"): _content(writers[kind], f".{kind}") for kind in kinds}
    pictures = _sequence(large, label, to) if "png-sequence" in to.formats else {}
    for path, content in (files | pictures).items():
        to.require_same(path, content)
    if pictures:
        _leave_out_others(to.path(label, ""), pictures, to)
    yield from (to.write(path, content) for path, content in (files | pictures).items())
    if "jsonl" in to.formats:
        yield _write_row(len(frames), label, to)
    if label.caption is not None:
        yield to.write(to.path(label, ".txt"), _side_text(label))


def write_parts(parts: Mapping[str, torch.Tensor], label: Label, to: ClipOutput) -> Path:
    """Draw the layers of a clip to NAME-parts.png, see `draw_parts`."""
    stream = io.BytesIO()
    draw_parts(parts, stream, label.title)
    return to.write(to.path(label, "-parts.png"), stream.getvalue())


def _sequence(frames: Frames, label: Label, to: ClipOutput) -> dict[Path, bytes]:
    """Return NAME/0001.png, NAME/0002.png ..."""
    files = {}
    for number, image in enumerate(frames, 1):
        stream = io.BytesIO()
        imsave(stream, image, format="png")
        files[to.path(label, "") / f"{number:04d}.png"] = stream.getvalue()
    return files


def _leave_out_others(folder: Path, pictures: Mapping[Path, bytes], to: ClipOutput) -> None:
    """Create a folder of pictures, and remove those of a longer clip that can be overwritten."""
    create_folder(folder)
    for path in folder.iterdir():
        if path.suffix == ".png" and path.stem.isdigit() and path not in pictures:
            if not to.overwrite:
                raise to.taken(path)
            path.unlink()


def _write_row(frames: int, label: Label, to: ClipOutput) -> Path:
    """Write the clip's line of metadata.jsonl, beside those of other clips."""
    film = next((kind for kind in TAGGED if kind in to.formats), None)
    pictures = [f"{label.name}/{number:04d}.png" for number in range(1, frames + 1)]
    named = {"file_name": f"{label.name}.{film}"} if film else {"file_names": pictures}
    row, path = {**named, "caption": label.caption or ""}, to.folder / METADATA
    with taking_turns(to.folder):
        others = [one for one in read_json_lines(path) if not _includes(one, named)]
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in (*others, row))
        return replace(to, overwrite=True).write(path, text.encode(errors="replace"))


def _includes(row: Any, named: Mapping[str, Any]) -> bool:
    return isinstance(row, dict) and named.items() <= row.items()


def _content(write: Callable[[Path], None], suffix: str) -> bytes:
    """Return what is written to a file: films are written to seekable files only."""
    with temporary_folder() as aside:
        path = aside / f"clip{suffix}"
        write(path)
        return path.read_bytes()


def _keywords(label: Label) -> dict[str, str]:
    """Return the tags of a picture, by the keywords of PNG."""
    return {"Title": label.title, "Author": "pianoreel", "Description": label.origin}


def _side_text(label: Label) -> bytes:
    """Return the caption as the text beside a film: one line, and nothing else."""
    return f"{label.caption or ''}\n".encode(errors="replace")
