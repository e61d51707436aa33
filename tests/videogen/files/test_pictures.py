"""Numbered pictures are frames in the order of their numbers; members of archives are read."""

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import corners, display, greys
from matplotlib.image import imsave
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from core.data.sources import RejectedFile
from videogen.data.sources.listing import listing
from videogen.files.clip import write_mp4
from videogen.files.frame import View
from videogen.files.limits import VideoLimits
from videogen.files.pictures import sequences
from videogen.files.reading import read_film, read_frames
from videogen.files.tree import File, tree_of

REPOSITORY = Path(__file__).parents[3]


def draw(folder: Path, *levels: int, suffix: str = "png", first: int = 8) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(greys(*levels), first):
        imsave(folder / f"f{number}.{suffix}", frame)
    return folder


def levels(frames: np.ndarray) -> list[int]:
    return (np.round(frames.mean((1, 2, 3)) / 10) * 10).astype(int).tolist()


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "webp"])
def test_each_picture_is_a_frame(tmp_path: Path, suffix: str):
    many = [*range(20, 140, 10)]
    [clip] = listing([str(draw(tmp_path / "x", *many, suffix=suffix))]).clips
    assert levels(read_frames(clip.files, View(size=16))) == many, "f8, f9, f10 ..."
    slower = View(size=16, pictures_per_second=24)
    assert levels(read_frames(clip.files, slower)) == [30, 60, 90, 120]


def test_a_sequence_may_mix_the_suffixes_of_a_format(tmp_path: Path):
    """Two cameras or exports write them, in the order of their numbers."""
    for suffix, first in (("jpg", 1), ("jpeg", 3), ("JPG", 5)):
        draw(tmp_path / "x", 10 * first, 10 * first + 10, suffix=suffix, first=first)
    [clip] = listing([str(tmp_path)]).clips
    assert levels(read_frames(clip.files, View(size=16))) == [10, 20, 30, 40, 50, 60]


def test_a_photograph_of_any_size_is_a_frame(tmp_path: Path):
    """By its suffix FFmpeg takes a JPEG of more than some kilobytes for another format."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    for number in (1, 2):
        imsave(tmp_path / f"{number}.jpg", noise)
    [clip] = listing([str(tmp_path)]).clips
    frames = read_frames(clip.files, View(size=16))
    assert len(frames) == 2 and abs(frames.mean() - noise.mean()) < 4


@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (2, lambda frame: frame[:, ::-1]),
        (3, lambda frame: frame[::-1, ::-1]),
        (4, lambda frame: frame[::-1]),
        (5, lambda frame: frame.transpose(1, 0, 2)),
        (6, lambda frame: np.rot90(frame, 1)),
        (7, lambda frame: frame.transpose(1, 0, 2)[::-1, ::-1]),
        (8, lambda frame: np.rot90(frame, -1)),
    ],
)
def test_a_photograph_is_shown_upright(tmp_path: Path, orientation: int, turned: Any):
    """EXIF says how to mirror and turn what is stored."""
    stored = turned(corners()[0])
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0" % orientation
    for number in (1, 2):
        path = tmp_path / f"{number}.jpg"
        imsave(path, np.ascontiguousarray(stored))
        data = path.read_bytes()
        part = b"Exif\0\0" + exif
        mark = b"\xff\xe1" + (len(part) + 2).to_bytes(2, "big") + part
        path.write_bytes(data[:2] + mark + data[2:])
    [clip] = listing([str(tmp_path)]).clips
    shown = read_frames(clip.files, View(size=32))[0]
    red, green, blue, white = (shown[y, x] for y in (8, 24) for x in (8, 24))
    assert red[0] > 240 > 20 > max(red[1:]) and white.min() > 240
    assert green[1] > 240 > 20 > green[0] and blue[2] > 240 > 20 > blue[0]


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_a_profile_of_colours_does_no_harm(tmp_path: Path, name: str):
    """Pictures of many programs have one; that of a PNG ended the process."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (64, 64), (200, 80, 60)).save(tmp_path / name, icc_profile=profile)
    code = (
        "import gc, sys; from pathlib import Path\n"
        "from videogen.files.frame import View; from videogen.files.reading import read_frames\n"
        "for _ in range(3): frames = read_frames(Path(sys.argv[1]), View(size=8)); gc.collect()\n"
        "print(*frames[0, 4, 4])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert (done.returncode, done.stderr) == (0, "")
    assert np.abs(np.array(done.stdout.split(), int) - (200, 80, 60)).max() < 4


DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
"""The X, Y and Z of red, green and blue under the light D50, as in profiles of phones."""


def profile_of_p3() -> bytes:
    """A profile (ISO 15076-1) of the colours of P3 with the curve of sRGB."""

    def fixed(*numbers: float) -> bytes:
        return b"".join(
            round(number * 65536).to_bytes(4, "big", signed=True) for number in numbers
        )

    curve = (
        b"para" + bytes(4) + b"\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    )
    of = {b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1, 0.8249)}
    for letter, xyz in zip((b"r", b"g", b"b"), DISPLAY_P3, strict=True):
        of[letter + b"XYZ"] = b"XYZ " + bytes(4) + fixed(*xyz)
        of[letter + b"TRC"] = curve
    table, body, begin = len(of).to_bytes(4, "big"), b"", 132 + 12 * len(of)
    for name, data in of.items():
        places = begin + len(body), len(data)
        table += name + b"".join(number.to_bytes(4, "big") for number in places)
        body += data
    head = bytearray(128)
    head[8:24], head[36:40] = b"\4\0\0\0mntrRGB XYZ ", b"acsp"
    head[68:80] = fixed(0.9642, 1, 0.8249)
    head[:4] = (begin + len(body)).to_bytes(4, "big")
    return bytes(head) + table + body


PHOTOGRAPHS = ["x.png", "x.jpg", "x.webp", "x.tif", "x.avif"]


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_photograph_is_seen_in_the_colours_of_its_profile(tmp_path: Path, name: str):
    """By the matrices of both: P3 200, 80, 60 is 216, 69, 50 of sRGB."""
    picture = Image.new("RGB", (64, 64), (200, 80, 60))
    picture.save(tmp_path / name, icc_profile=profile_of_p3(), quality=95)
    shown = read_frames(tmp_path / name, View(size=16))[0, 8, 8].astype(int)
    assert np.abs(shown - (216, 69, 50)).max() < 6, "and 16 away without it"


@pytest.mark.parametrize(
    ("chunks", "level"),
    [
        ({b"gAMA": 100_000}, 167),
        ({b"gAMA": 55_556}, 119),
        ({b"gAMA": 45_455}, 100),
        ({b"gAMA": 0}, 100),
        ({b"gAMA": 1}, 100),
        ({b"gAMA": 100_000, b"sRGB": 0}, 100),
    ],
)
def test_a_png_is_as_bright_as_its_gamma_says(
    tmp_path: Path, chunks: dict[bytes, int], level: int
):
    """255 (100 / 255)^(1 / (2.2 gamma)): linear light of renderers, and old Macs."""
    info = PngInfo()
    for name, value in chunks.items():
        info.add(name, value.to_bytes(4 if name == b"gAMA" else 1, "big"))
    picture = Image.new("RGBA", (16, 16), (100, 100, 100, 255))
    picture.save(tmp_path / "x.png", pnginfo=info)
    picture.paste((0, 0, 0, 0), (0, 0, 8, 16))
    picture.save(tmp_path / "half.png", pnginfo=info)
    for name in ("x.png", "half.png"):
        shown = read_frames(tmp_path / name, View(size=16, background="#646464"))[0]
        assert shown[8, 12].tolist() == [level] * 3
        assert shown[8, 4].tolist() == [100 if name == "half.png" else level] * 3


def test_a_background_has_no_profile(tmp_path: Path):
    picture = Image.new("RGBA", (64, 64), (200, 80, 60, 0))
    picture.paste((200, 80, 60, 255), (0, 0, 32, 64))
    picture.save(tmp_path / "x.png", icc_profile=profile_of_p3())
    shown = read_frames(tmp_path / "x.png", View(size=16, background="#c8503c"))[0].astype(int)
    assert shown[8, 12].tolist() == [200, 80, 60]
    assert np.abs(shown[8, 4] - (216, 69, 50)).max() < 3


def test_a_profile_that_is_damaged_or_of_other_colours_is_passed_over(tmp_path: Path):
    whole, generator = profile_of_p3(), np.random.default_rng(0)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    damaged = [whole[:100], whole[:300], b"none", lab, whole.replace(b"RGB ", b"CMYK")]
    picture = Image.new("RGB", (16, 16), (200, 80, 60))
    for profile in (*damaged, bytes(5_000_000)):
        picture.save(tmp_path / "x.png", icc_profile=profile)
        shown = read_frames(tmp_path / "x.png", View(size=16))[0, 8, 8]
        assert shown.tolist() == [200, 80, 60], profile[:40]
    for _ in range(50):
        changed = np.frombuffer(whole, np.uint8).copy()
        changed[generator.integers(0, len(changed), 4)] = generator.integers(0, 256, 4)
        picture.save(tmp_path / "x.png", icc_profile=changed.tobytes())
        assert read_frames(tmp_path / "x.png", View(size=16)).shape == (1, 16, 16, 3)


def test_a_transparent_colour_of_a_palette_shows_the_background(tmp_path: Path):
    """Such pictures are those of drawing programs and of shrinkers of PNG."""
    for number in (1, 2):
        picture = Image.fromarray(corners()[0]).quantize(8)
        transparent = picture.getpixel((0, 0))
        picture.save(tmp_path / f"{number}.png", transparency=transparent)
    [clip] = listing([str(tmp_path)]).clips
    shown = read_frames(clip.files, View(size=32, background="#ffff00"))[0]
    colours = [shown[y, x].tolist() for y in (8, 24) for x in (8, 24)]
    assert colours == [[255, 255, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]


def test_pictures_that_move_are_clips_or_refused(tmp_path: Path):
    first, *others = [Image.fromarray(frame) for frame in greys(20, 120, 220)]
    for name, kind in (("x.apng", "png"), ("x.webp", "webp")):
        first.save(tmp_path / name, kind, save_all=True, append_images=others, duration=125)
    [clip] = listing([str(tmp_path)]).clips
    assert levels(read_frames(clip.files, View(size=16))) == [20, 120, 220]
    with pytest.raises(RejectedFile, match=r"animated WebP, .* magick clip\.webp clip\.gif"):
        read_frames(tmp_path / "x.webp", View(size=16))
    (tmp_path / "x.apng").rename(tmp_path / "x.png")
    with pytest.raises(RejectedFile, match=r"it is an animated PNG: let its name end in \.apng"):
        read_frames(tmp_path / "x.png", View(size=16))


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path):
    folder = draw(tmp_path / "x", 20, 40, 60)
    (folder / "f10.png").write_bytes(b"none")
    [clip] = listing([str(folder)]).clips
    with pytest.raises(RejectedFile, match=r"damaged: f10\.png"):
        read_film(clip.files, View(size=16))
    kept = read_film(clip.files, View(size=16, damaged="keep"))
    assert levels(kept.frames) == [20, 40] and kept.damage.startswith("f10.png")


def test_pictures_of_several_series_and_other_files(tmp_path: Path):
    names = ["a1.png", "a02.png", "b_1.png", "b_2.png", "c3.png", "4.txt", "5.mp4", "d.png"]
    found = sequences(tmp_path / name for name in names)
    assert found == {
        tmp_path / "a": [tmp_path / "a1.png", tmp_path / "a02.png"],
        tmp_path / "b": [tmp_path / "b_1.png", tmp_path / "b_2.png"],
    }


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_clip_is_read_in_its_archive(tmp_path: Path, method: int):
    write_mp4(greys(*range(20, 180, 10)), tmp_path / "x.mp4", 8)
    with zipfile.ZipFile(tmp_path / "inner.zip", "w", method) as archive:
        archive.write(tmp_path / "x.mp4", "dogs/x.mp4")
        archive.write(tmp_path / "x.mp4", "no.mp4", zipfile.ZIP_LZMA)
    with zipfile.ZipFile(tmp_path / "outer.zip", "w", method) as archive:
        archive.write(tmp_path / "inner.zip", "inner.zip")
    file = File(tmp_path / "outer.zip", ("inner.zip", "dogs/x.mp4"))
    assert levels(read_frames([file], View(size=16))) == [*range(20, 180, 10)]
    assert file.place == tmp_path / "outer.zip" / "inner.zip" / "dogs" / "x.mp4"
    with pytest.raises(RejectedFile, match="archive"):
        read_frames([File(tmp_path / "outer.zip", ("absent.mp4",))], View(size=16))


def test_an_archive_that_is_a_bomb_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.mp4", b"\0" * 10_000_000)
    with pytest.raises(RejectedFile, match="10000000 bytes of"):
        read_frames([File(tmp_path / "x.zip", ("x.mp4",))], View(size=16))
    data = bytearray((tmp_path / "x.zip").read_bytes())
    [entry] = tree_of(tmp_path / "x.zip", VideoLimits(archive_members=1)).entries.values()
    assert entry.fault is None
    (tmp_path / "x.zip").write_bytes(data[:200])
    [entry] = tree_of(tmp_path / "x.zip", VideoLimits()).entries.values()
    assert entry.fault and entry.fault[0] == "archive"


def test_an_encrypted_member_is_refused(tmp_path: Path):
    write_mp4(corners(), tmp_path / "x.mp4", 8)
    display(tmp_path / "x.mp4", 1, 0, 0, 1)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "x.mp4", "x.mp4")
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[data.index(b"PK\3\4") + 6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(RejectedFile, match="archive: it is encrypted: unpack it"):
        read_frames([File(tmp_path / "x.zip", ("x.mp4",))], View(size=16))


def bars(path: Path, **settings: Any) -> Path:
    Image.fromarray(corners(64, 64)[0]).save(path, **settings)
    return path


def colours(path: Path, **view: Any) -> list[list[int]]:
    """The colours in the middle of the quarters, to the nearest full ones."""
    first = read_frames(path, View.model_validate({"size": 32, **view}))[0]
    return [(np.round(first[y, x] / 255) * 255).tolist() for y in (8, 24) for x in (8, 24)]


QUARTERS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
SECOND = Image.new("RGB", (64, 64))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("x.avif", {"quality": 95}),
        ("x.avif", {"quality": 95, "subsampling": "4:4:4", "range": "limited"}),
        ("x.jpg", {"format": "AVIF"}),
        (
            "x.jpg",
            {"format": "MPO", "save_all": True, "append_images": [Image.new("RGB", (8, 8))]},
        ),
        ("x.png", {"format": "JPEG"}),
        ("x.jfif", {"format": "JPEG"}),
        *(("x.tif", {"compression": kind}) for kind in ("tiff_lzw", "packbits", "tiff_deflate")),
    ],
)
def test_a_picture_is_read_by_what_it_holds(tmp_path: Path, name: str, settings: dict[str, Any]):
    """The second kind of JPEG has another picture behind the first, as of phones."""
    assert colours(bars(tmp_path / name, **settings)) == QUARTERS


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        (
            "x.tif",
            {"compression": "jpeg"},
            "a TIFF with JPEG inside: convert it, .*: magick picture.tif",
        ),
        ("x.tif", {"compression": "zstd"}, "a TIFF of compression 50000: convert"),
        (
            "x.avif",
            {"save_all": True, "append_images": [SECOND]},
            "animated .*: ffmpeg -i clip.avif",
        ),
    ],
)
def test_a_picture_that_would_be_black_is_refused(
    tmp_path: Path, name: str, settings: dict[str, Any], why: str
):
    with pytest.raises(RejectedFile, match=f"no-decoder: .*{why}"):
        colours(bars(tmp_path / name, **settings))


def test_a_tiff_in_tiles_or_of_fractions_is_refused(tmp_path: Path):
    """Tag 322 is the width of a tile, tag 339 the kind of numbers."""
    bars(tmp_path / "x.tif")
    assert colours(tmp_path / "x.tif") == QUARTERS
    data = bytearray((tmp_path / "x.tif").read_bytes())
    strips = data.index(
        b"\x16\x01\x04\x00" if b"\x16\x01\x04\x00" in data else b"\x16\x01\x03\x00"
    )
    data[strips : strips + 2] = (322).to_bytes(2, "little")  # was the rows of a strip
    (tmp_path / "x.tif").write_bytes(data)
    with pytest.raises(RejectedFile, match="it is a TIFF in tiles: convert it"):
        colours(tmp_path / "x.tif")
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "y.tif")
    with pytest.raises(RejectedFile, match="other than whole numbers of 8 or 16 bits"):
        colours(tmp_path / "y.tif")


def test_the_transparency_of_an_avif_is_no_reason_to_show_what_it_hides(tmp_path: Path):
    pixels = np.dstack([corners(64, 64)[0], np.full((64, 64), 255, np.uint8)])
    pixels[:32, :32, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "x.avif")
    with pytest.raises(RejectedFile, match=r"several parts, .* magick picture.heic picture.png"):
        colours(tmp_path / "x.avif")


def test_half_a_photograph_is_damaged(tmp_path: Path):
    """Its decoder would fill the rest with green."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.jpg")
    data = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(RejectedFile, match="damaged or cut short"):
        read_frames(tmp_path / "x.jpg", View(size=16))
    (tmp_path / "x.jpg").write_bytes(data[:-2])
    assert len(read_frames(tmp_path / "x.jpg", View(size=16))) == 1, "all but the mark of its end"


def test_a_kind_that_is_not_read_is_said_without_words_of_a_library(tmp_path: Path):
    Image.new("LAB", (8, 8)).save(tmp_path / "x.tif")
    with pytest.raises(RejectedFile, match=r"not read: .* ffmpeg -i .*; a picture, .* magick "):
        read_frames(tmp_path / "x.tif", View(size=16))


def test_numbers_stand_in_brackets(tmp_path: Path):
    """So Windows names the pictures that it numbers."""
    names = [tmp_path / f"shot ({number}).png" for number in (1, 2, 10)]
    assert sequences(names) == {tmp_path: names}
