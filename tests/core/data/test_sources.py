"""Finding songs: folders, patterns, archives; and archives that mean harm."""

import gzip
import io
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from core.data.limits import Limits
from core.data.sources import (
    RejectedFile,
    Source,
    expand_patterns,
    iterate_sources,
    read_bytes,
    scan,
)
from core.errors import ConfigError, UserError
from musegen.files.pianoroll import LPD
from musegen.smf.chunks import MIDI

LIMITS = Limits()


def found(*patterns: object, limits: Limits = LIMITS) -> list[Source]:
    return list(iterate_sources(expand_patterns([str(p) for p in patterns]), MIDI, limits))


def names(sources: list[Source]) -> list[str]:
    """The names without the folders before them."""
    return [source.name.rpartition("/")[2] for source in sources]


def reason(source: Source, limits: Limits = LIMITS) -> str:
    with pytest.raises(RejectedFile) as caught:
        source.read(limits)
    return caught.value.reason


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/c.mid", "a.MIDI", "b/d.kar", "b/notes.txt", "LICENCE", "e.rmi"):
        (tmp_path / "songs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "songs" / name).write_bytes(name.encode())
    return tmp_path / "songs"


def test_folders_are_searched_to_the_bottom_in_a_fixed_order(folder: Path):
    assert names(found(folder)) == ["a.MIDI", "e.rmi", "c.mid", "d.kar"]
    assert found(folder)[2].read(LIMITS) == b"b/c.mid"


def test_songs_have_many_suffixes(tmp_path: Path):
    for suffix in ("mid", "midi", "kar", "rmi", "rmid", "smf", "SMF"):
        (tmp_path / f"a.{suffix}").touch()
    assert len(found(tmp_path)) == 7


def test_files_of_other_kinds_are_counted(folder: Path):
    counted = scan(expand_patterns([str(folder)]), MIDI, LIMITS)
    assert counted.count == 4
    assert counted.skipped == Counter({".txt": 1, "no suffix": 1})
    assert scan(expand_patterns([str(folder)]), LPD, LIMITS).count == 0


def test_a_pattern_and_a_file_of_any_name(folder: Path):
    assert names(found(folder / "**" / "*.mid")) == ["c.mid"]
    assert names(found(folder / "LICENCE")) == ["LICENCE"]
    odd = folder / "odd [1].mid"
    odd.write_bytes(b"")
    assert names(found(odd)) == ["odd [1].mid"]
    assert names(found(folder / "odd [1]*")) == ["odd [1].mid"]
    inner = folder / "takes [raw]"
    inner.mkdir()
    (inner / "d.mid").write_bytes(b"")
    (inner / "e [2].mid").write_bytes(b"")
    assert names(found(inner / "*.mid")) == ["d.mid", "e [2].mid"]
    assert names(found(inner / "[c-d].mid")) == ["d.mid"]


def test_what_systems_hide_is_no_song(folder: Path):
    """Trash, repositories and previews of network disks; but a folder that is given is read."""
    hidden = (".git/x", ".Trash", "$RECYCLE.BIN/S-1", "@eaDir/a.mid", ".AppleDouble", "__MACOSX")
    for inner in hidden:
        (folder / inner).mkdir(parents=True)
        for name in ("a.mid", "readme.txt"):
            (folder / inner / name).write_bytes(b"x")
    (folder / "._a.MIDI").write_bytes(b"x")
    zipped(folder / "z.zip", {"__MACOSX/a.mid": b"x", "b/._c.mid": b"x", "./d\\e.mid": b"x"})
    shown = [folder / "a.MIDI", folder / "e.rmi", f"{folder}/z.zip!./d\\e.mid"]
    shown += [folder / "b/c.mid", folder / "b/d.kar"]
    sources = found(folder)
    assert [source.name for source in sources] == list(map(str, shown))
    assert sources[2].stem == "e"
    assert scan([folder], MIDI, LIMITS).skipped == Counter({".txt": 1, "no suffix": 1})
    assert len(found(folder / ".git")) == len(found(folder / ".Trash" / "*.mid")) == 1
    assert names(found(folder / "**" / "*.mid")) == ["c.mid"]


def test_songs_that_gzip_has_packed_are_read_whatever_their_names_say(folder: Path):
    packed = gzip.compress(b"MThd")
    (folder / "packed.mid.gz").write_bytes(packed)
    (folder / "renamed.mid").write_bytes(packed)
    (folder / "notes.txt.gz").write_bytes(packed)
    zipped(folder / "z.zip", {"inner.MID.GZ": packed})
    tarred(folder / "z.tar.gz", (tarfile.TarInfo("other.mid.gz"), packed))
    sources = [one for one in found(folder) if one.read(LIMITS) == b"MThd"]
    assert [one.stem for one in sources] == ["packed", "renamed", "other", "inner"]
    assert scan([folder], MIDI, LIMITS).skipped[".gz"] == 1
    assert scan([folder], MIDI, LIMITS).count == len(found(folder)) == 8


def test_what_gzip_has_packed_is_kept_within_the_limits(tmp_path: Path):
    bomb, cut = tmp_path / "a.mid.gz", tmp_path / "b.mid"
    bomb.write_bytes(gzip.compress(bytes(10_000_000)))
    cut.write_bytes(gzip.compress(os.urandom(5000))[:-2000])
    zipped(tmp_path / "c.zip", {"c.mid": bomb.read_bytes()})
    assert [reason(one) for one in found(tmp_path)] == ["too-large", "unreadable", "too-large"]
    (tmp_path / "d.mid").write_bytes(gzip.compress(bytes(9000)))
    (packed,) = found(tmp_path / "d.mid")
    assert reason(packed, Limits(file_bytes=8999)) == "too-large"
    assert packed.read(Limits(file_bytes=9000)) == bytes(9000)


def test_what_is_named_twice_is_read_once(folder: Path):
    assert len(found(folder, folder / "b", folder / "b" / "c.mid", f"{folder}/b/../e.rmi")) == 4


@pytest.mark.parametrize("pattern", ["absent", "*.absent", ""])
def test_a_path_that_does_not_exist_is_refused(tmp_path: Path, pattern: str):
    with pytest.raises(UserError, match="does not exist"):
        expand_patterns([str(tmp_path / "x" / pattern)])


def test_a_change_of_a_file_changes_the_listing(folder: Path):
    def digest() -> str:
        return scan(expand_patterns([str(folder)]), MIDI, LIMITS).sha256

    before = digest()
    assert digest() == before
    (folder / "b" / "notes.txt").write_text("another text")
    assert digest() == before
    (folder / "b" / "c.mid").write_bytes(b"longer than before")
    assert digest() != before


def test_a_link_that_leads_nowhere_and_a_pipe_are_rejected(folder: Path):
    (folder / "nowhere.mid").symlink_to(folder / "absent.mid")
    (folder / "endless.mid").symlink_to("/dev/zero")
    for name in ("pipe.mid", "pipe.zip", "pipe.tar.gz"):
        os.mkfifo(folder / name)
    rejected = {s.name.rpartition("/")[2]: reason(s) for s in found(folder) if s.fault}
    names = ("endless.mid", "nowhere.mid", "pipe.mid", "pipe.zip", "pipe.tar.gz")
    assert rejected == dict.fromkeys(names, "unreadable")


def test_a_folder_that_links_to_itself_is_entered_once(folder: Path):
    (folder / "loop").symlink_to(folder)
    assert len(found(folder)) == 4


def test_a_file_above_the_limit_is_not_read(tmp_path: Path):
    (tmp_path / "big.mid").write_bytes(bytes(101))
    small = Limits(file_bytes=100)
    assert reason(found(tmp_path)[0], small) == "too-large"
    assert len(found(tmp_path)[0].read(Limits(file_bytes=101))) == 101


def members() -> dict[str, bytes]:
    return {"x/one.mid": b"1", "two.MID": b"22", "readme.txt": b"text", "../../three.mid": b"333"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tgz"])
def test_archives_are_read_without_unpacking(tmp_path: Path, kind: str):
    path = tmp_path / "in" / f"songs.{kind}"
    path.parent.mkdir()
    if kind == "zip":
        zipped(path, members())
    else:
        tarred(path, *((tarfile.TarInfo(name), data) for name, data in members().items()))
    read = [(source.name.partition("!")[2], source.read(LIMITS)) for source in found(path)]
    assert read == [("x/one.mid", b"1"), ("two.MID", b"22"), ("../../three.mid", b"333")]
    assert [source.stem for source in found(path)] == ["one", "two", "three"]
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path], "nothing was written"
    counted = scan(expand_patterns([str(path)]), MIDI, LIMITS)
    assert (counted.count, counted.skipped) == (3, Counter({".txt": 1}))


def test_links_and_devices_in_archives_are_not_followed(tmp_path: Path):
    link, device = tarfile.TarInfo("link.mid"), tarfile.TarInfo("device.mid")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device.type = tarfile.CHRTYPE
    tar = tarred(tmp_path / "a.tar.gz", (link, b""), (device, b""))
    assert [reason(source) for source in found(tar)] == ["link", "link"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link.mid")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    assert [reason(source) for source in found(tmp_path / "a.zip")] == ["link"]


def test_a_member_that_unpacks_to_too_much_is_rejected_alone(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"bomb.mid": bytes(10**6), "good.mid": b"good"})
    bomb, good = found(path)
    assert reason(bomb) == "archive"
    assert good.read(LIMITS) == b"good"
    small = Limits(file_bytes=10**5)
    assert [s.fault and s.fault[0] for s in found(path, limits=small)] == ["too-large", None]


def test_a_size_that_lies_is_not_believed(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"liar.mid": os.urandom(5000)})
    data = bytearray(path.read_bytes())
    for header, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        begin = data.index(header) + at
        data[begin : begin + 4] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    [liar] = found(path)
    assert reason(liar) == "unreadable"


def test_members_that_lie_over_each_other_are_left_at_the_cap_of_the_whole(tmp_path: Path):
    """Twelve names of the same 9,000 bytes; of 10,000 packed ones 100,000 are read: eleven."""
    path, strict = tmp_path / "a.zip", Limits(archive_ratio=10)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.mid", os.urandom(1000) * 9)
        archive.filelist *= 12
    *members, fault = found(path, limits=strict)
    read = [len(source.read(strict)) for source in members if not source.fault]
    refused = [reason(source) for source in members if source.fault]  # by Python 3.12 and later
    assert len(members) == 11 and set(read) == {9000}
    assert refused in ([], ["unreadable"] * 10)
    assert (fault.name, reason(fault)) == (str(path), "archive")
    assert scan([path], MIDI, strict).count == 12


def test_a_tar_that_unpacks_to_too_much_is_left_there(tmp_path: Path):
    sizes = {"a.mid": 1, "zeros": 5 * 10**6, "b.mid": 0}
    members = [(tarfile.TarInfo(name), b"a" * size) for name, size in sizes.items()]
    path = tarred(tmp_path / "a.tar.gz", *members)
    strict = Limits(archive_ratio=10)
    first, fault = found(path, limits=strict)
    assert first.read(strict) == b"a"
    assert fault.name == str(path)
    assert reason(fault) == "archive"
    assert len(found(path, limits=Limits(archive_ratio=1000))) == 2


def test_a_tar_with_an_endless_name_is_refused_before_it_is_read(tmp_path: Path):
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(head.tobuf(tarfile.GNU_FORMAT)))
    [fault] = found(path)
    assert reason(fault) == "archive"


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tgz", "a.tar"])
@pytest.mark.parametrize(
    "data", [b"", b"no archive", b"PK\3\4", gzip.compress(b"no tar", mtime=0)]
)
def test_what_is_no_archive_is_one_reject(tmp_path: Path, name: str, data: bytes):
    (tmp_path / name).write_bytes(data)
    (tmp_path / "b.mid").write_bytes(b"b")
    broken, good = found(tmp_path)
    assert reason(broken) == "archive"
    assert good.read(LIMITS) == b"b"


def test_a_tar_that_breaks_off_gives_what_comes_before(tmp_path: Path):
    noise = [(tarfile.TarInfo(f"{n}.mid"), os.urandom(20_000)) for n in range(4)]
    path = tarred(tmp_path / "a.tar.gz", *noise)
    path.write_bytes(path.read_bytes()[:50_000])
    sources = found(path)
    assert [source.data for source in sources[:2]] == [noise[0][1], noise[1][1]]
    assert [reason(source) for source in sources[2:]] == ["unreadable", "archive"]
    assert scan(expand_patterns([str(path)]), MIDI, LIMITS).count == len(sources)


def test_an_encrypted_member_is_rejected(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {"secret.mid": b"secret"})
    data = bytearray(path.read_bytes())
    for header, at in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.index(header) + at] |= 1
    path.write_bytes(data)
    assert [reason(source) for source in found(path)] == ["archive"]


def test_an_archive_within_another_is_rejected(tmp_path: Path):
    """Before, it was passed over as a file of another kind, and its songs were missed."""
    inner = zipped(tmp_path / "inner.zip", {"b.mid": b"b"}).read_bytes()
    path = zipped(tmp_path / "a.zip", {"old/Inner.ZIP": inner, "c.mid": b"c", "d.txt": b"d"})
    first, other = found(path)
    assert (first.name, reason(first)) == (f"{path}!old/Inner.ZIP", "archive")
    with pytest.raises(RejectedFile, match="unpack that one, and give the folder"):
        first.read(LIMITS)
    assert other.read(LIMITS) == b"c"
    counted = scan([path], MIDI, LIMITS)
    assert (counted.count, counted.skipped) == (2, Counter({".txt": 1}))


def test_an_archive_of_too_many_members_is_left_at_the_limit(tmp_path: Path):
    path = zipped(tmp_path / "a.zip", {f"{n}.mid": b"x" for n in range(9)})
    sources = found(path, limits=Limits(archive_members=5))
    assert len(sources) == 7
    assert reason(sources[-1]) == "archive"


def test_a_tar_with_long_names_and_large_members_is_read(tmp_path: Path):
    """A name beyond 100 letters has a header of its own; a member beyond its bound is none."""
    long = tarfile.TarInfo("a" * 300 + ".mid")
    path = tarred(
        tmp_path / "a.tar.gz", (long, b"1"), (tarfile.TarInfo("b.mid"), os.urandom(2 << 20))
    )
    first, second = found(path)
    assert (first.stem, first.read(LIMITS)) == ("a" * 300, b"1")
    assert len(second.read(LIMITS)) == 2 << 20


def test_a_folder_in_the_place_of_a_file_is_called_one(tmp_path: Path):
    with pytest.raises(RejectedFile, match="it is a folder: give a file in it"):
        read_bytes(tmp_path, LIMITS)
    with pytest.raises(RejectedFile, match="there is no such file: correct its path"):
        read_bytes(tmp_path / "absent.mid", LIMITS)


@pytest.mark.parametrize("name", ["songs.zip", "SONGS.TAR.GZ"])
def test_an_archive_in_the_place_of_a_file_is_called_one(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(RejectedFile, match="it is an archive: unpack it, and give a file in it"):
        read_bytes(tmp_path / name, LIMITS)


def test_a_folder_alone_is_no_list_of_folders(tmp_path: Path):
    """Letter by letter, it would be / and all that lies there."""
    with pytest.raises(ConfigError, match="sources: give a list of folders"):
        expand_patterns(str(tmp_path))
    assert expand_patterns([tmp_path]) == [tmp_path]


def test_a_device_that_is_named_itself_is_not_read():
    with pytest.raises(RejectedFile, match="neither a file nor a folder"):
        read_bytes(Path(os.devnull), LIMITS)


def test_a_file_of_another_user_is_rejected_with_what_helps(tmp_path: Path, monkeypatch):
    (tmp_path / "a.mid").write_bytes(b"MThd")

    def closed(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", closed)
    with pytest.raises(RejectedFile, match="Permission denied: have its owner permit it"):
        read_bytes(tmp_path / "a.mid", Limits())
