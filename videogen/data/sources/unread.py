"""Kinds of files that may hold clips or captions and are not read, and what helps with them."""

from collections import Counter

WORKBOOKS = (".xlsx", ".ods")
"""Suffixes of zips with the sheets of a spreadsheet as XML (ECMA-376, OpenDocument)."""
PACKED = (".parquet", ".feather", ".arrow", ".numbers")
"""Suffixes of tables whose letters are not in their bytes."""
IN_BYTES = (".xls", ".pkl", ".pickle", ".db", ".sqlite", ".sqlite3")
"""Suffixes of tables with names as they are among other bytes."""
IN_ZIPS, IN_MARKS = (".docx", ".odt"), (".rtf", ".doc")
"""Suffixes of documents in zips of XML, and of those with words as they are among marks."""
PAGES = (".html", ".htm", ".xhtml")
"""Suffixes of pages with words between tags."""
DOCUMENTS = (*IN_ZIPS, *IN_MARKS)
"""Suffixes of documents, in which captions may be written."""
OTHER_TABLES = (
    *(".yaml", ".yml", ".xml", ".toml", ".ini", ".json5"),
    *(*WORKBOOKS, *PACKED, *IN_BYTES, *PAGES, *DOCUMENTS),
)
"""Suffixes of files that can be tables, and are not read."""
_CURES = {
    "save tables as CSV: {} is not read": (
        ".xlsx .xls .ods .numbers .parquet .feather .arrow .yaml .yml .xml"
    ),
    "unpack archives, or pack a zip or a tar: {} is not read": ".gz .tgz .7z .rar",
    "write captions into rex.txt beside rex.mp4: {} is not read": ".srt .vtt .ass .sbv",
    "save pictures as PNG or JPEG: {} is not read": (
        ".jxl .jp2 .ppm .pgm .tga .exr .hdr .psd .dng .cr2 .nef .arw .svg"
    ),
    "convert videos to mp4 (H.264): {} is not read": (
        ".h264 .264 .hevc .265 .mjpeg .mjpg .ivf .rm .rmvb .braw .r3d .swf"
    ),
}
NOT_READ = {kind: cure for cure, kinds in _CURES.items() for kind in kinds.split()}
"""Advice on files of these suffixes."""
_ALONE = dict.fromkeys(
    (".webp", ".avif"),
    "if a {} moves, convert it to GIF or mp4: as pictures numbered ones are read",
)
"""Advice on pictures of these suffixes that are in no sequence."""


def advice(passed_over: Counter[str]) -> list[str]:
    """Return what helps with files of kinds that are not read."""
    cures = NOT_READ | _ALONE
    return [cure.format(kind) for kind, cure in cures.items() if passed_over[kind]]
