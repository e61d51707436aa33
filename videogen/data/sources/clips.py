"""Clips below a start: video files, and sequences of numbered pictures."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from videogen.data.sources.texts import Texts
from videogen.files.archives import ARCHIVES
from videogen.files.label import origin_of
from videogen.files.pictures import sequences
from videogen.files.reading import VIDEO
from videogen.files.tree import Entry, File, Tree, folded

FRAMES = ("frames", "frame", "images", "image", "imgs", "img", "pictures", "stills", "jpegimages")
"""Words for the frames of a film, in names of folders and of pictures."""
_OF_FRAMES = re.compile(rf"[ ._-]+(?:{'|'.join(FRAMES)})$")


class Clips:
    """The places of clips in the tree of a start; a sequence has that of its folder."""

    def __init__(self, start: Path, tree: Tree):
        self.start, self.tree, self.texts = start, tree, Texts(tree)
        self.videos = frozenset(one for one in tree.entries if one.suffix.lower() in VIDEO)
        self.sequences = self._sequences()

    @cached_property
    def places(self) -> frozenset[Path]:
        """Return the places of videos and of sequences."""
        return self.videos.union(self.sequences)

    def is_given(self, place: Path) -> bool:
        """Return whether a file of the tree was given, and does not only lie beside one."""
        return place == self.start or self.start.is_dir() or self.start in place.parents

    def stem(self, place: Path) -> str:
        """Return the name of a clip without the suffix of a file."""
        return place.name if place in self.sequences else place.stem

    def text(self, place: Path) -> Entry | None:
        """Return the text of a clip, if it has one."""
        if text := self.texts.beside(place):
            return text
        if place in self.sequences:
            return self.texts.of_sequence(place)
        return self.texts.of_video(place, is_alone=self._count_in[place.parent] == 1)

    def entries(self, place: Path) -> list[Entry]:
        """Return the files of a clip, which need not lie in the tree."""
        is_file = self.tree.find(place) or not place.is_dir()  # a member's name may be too long
        places = self.sequences.get(place) or (
            [place] if is_file else sequences(place.iterdir())[place]
        )
        return [self.tree.find(one) or _on_disk(one) for one in places]

    def __iter__(self) -> Iterator[Path]:
        """Yield the places of clips, of what cannot be read, and of a file that is the start."""
        if not self.start.is_dir() and self.start in self.tree.entries:
            yield self.start
            return
        first = {pictures[0]: place for place, pictures in self.sequences.items()}
        copies = _copies(place for place in self.tree.entries if place in self.videos)
        for place, entry in self.tree.entries.items():
            unreadable = entry.fault and (place.is_dir() or entry.file.suffix in ARCHIVES)
            if place in first:
                yield first[place]
            elif place not in copies and (unreadable or place in self.videos):
                yield place

    def _sequences(self) -> Mapping[Path, list[Path]]:
        """Return the sequences of pictures.

        Pictures with a text each are none, nor those of films, nor the frames of a film that is
        there as well, unless it is the user's own and a text lies with the frames.
        """
        films = {p.with_suffix(""): p for p in self.tree.entries if p in self.videos}
        found = sequences(p for p in self.tree.entries if p.with_suffix("") not in films)
        is_of_film = _FramesOfFilms(self.videos)
        return {
            place: pictures
            for place, pictures in found.items()
            if not any(map(self.texts.beside, pictures))
            and not (place in films and origin_of(films[place]))
            and not (is_of_film(place, pictures) and not self._has_own_text(place))
        }

    def _has_own_text(self, place: Path) -> bool:
        """Return whether a text lies in a folder of pictures, and no film to which it belongs."""
        return bool(self.texts.inside(place)) and all(p.parent != place for p in self.videos)

    @cached_property
    def _count_in(self) -> Counter[Path]:
        """Return how many clips lie in each folder."""
        return Counter(place.parent for place in self.places)


class _FramesOfFilms:
    """Tell sequences that are frames of a film which is there as well, by names and places.

    rex.mp4          rex/0001.png, rex_frames/0001.png, rex_0001.png
    rex/video.mp4    rex/0001.png, rex/frames/0001.png
    videos/rex.mp4   frames/rex/0001.png
    """

    def __init__(self, videos: Iterable[Path]):
        self.in_folder: dict[Path, list[str]] = {}
        self.count_of: Counter[str] = Counter()
        for video in videos:
            stem = folded(Path(video.stem))
            self.in_folder.setdefault(video.parent, []).append(stem)
            self.count_of[stem] += 1

    def __call__(self, place: Path, pictures: Sequence[Path]) -> bool:
        """Return whether a sequence at this place is of the frames of a film."""
        name, holder = folded(Path(place.name)), folded(Path(place.parent.name))
        beside = self.in_folder.get(place.parent, [])
        inner = self.in_folder.get(place, [])
        begin = re.sub(r"[ _.(-]*\d+\)?$", "", pictures[0].stem)
        is_plain = not begin or folded(Path(begin)) in (*inner, *FRAMES)
        return (
            name in beside
            or _OF_FRAMES.sub("", name) in beside
            or (len(inner) == 1 and is_plain)
            or (len(beside) == 1 and name in FRAMES)
            or (holder in FRAMES and self.count_of[name] == 1)
        )


def name_of(place: Path, entries: Iterable[Entry]) -> str:
    """Return the name of a clip: of its file, or of the folder of its pictures."""
    first, *others = entries
    return str(place) if others else str(first.file)


def _on_disk(path: Path) -> Entry:
    state = path.stat()
    return Entry(File(path), f"{state.st_size} {state.st_mtime_ns}")


def _copies(videos: Iterable[Path]) -> set[Path]:
    """Return the videos that are generated clips in a further format, a gif beside a film."""
    stems: dict[Path, list[Path]] = {}
    for video in videos:
        stems.setdefault(video.with_suffix(""), []).append(video)
    copies: set[Path] = set()
    for formats in stems.values():
        formats.sort(key=lambda one: one.suffix.lower() == ".gif")  # it has few colours
        generated = [one for one in formats if len(formats) > 1 and origin_of(one)]
        copies |= {one for one in formats if generated and one != generated[0]}
    return copies
