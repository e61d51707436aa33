"""Facts beside a clip hold its caption."""

from pathlib import Path

from listings import clips, write


def test_facts_of_a_clip_hold_its_caption(tmp_path: Path):
    """rex.json beside rex.mp4 is no table; one without a caption changes nothing."""
    write(tmp_path, a_dot_mp4="x", a_dot_json='{"caption": "a dog", "key": "a"}')
    write(tmp_path, b_dot_mp4="x", b_dot_json='{"key": "b", "url": "x"}', b_dot_txt="a cat")
    write(tmp_path, c_dot_mp4="x", c_dot_json='{"captions": [null, "a bird"], "fps": 8}')
    write(tmp_path, d_dot_mp4="x", d_dot_cls="3", d_dot_json="[]")
    write(tmp_path, e_dot_mp4="x", e_dot_json='{"videoid": 7, "caption": "a fox"}')
    write(tmp_path, f_dot_mp4="x", f_dot_json='{"video": "http://x/y?v=1", "text": "an owl"}')
    assert clips(tmp_path) == {
        "a.mp4": ("a dog", "text"),
        "b.mp4": ("a cat", "text"),
        "c.mp4": ("a bird", "text"),
        "d.mp4": ("3", "text"),
        "e.mp4": ("a fox", "text"),
        "f.mp4": ("an owl", "text"),
    }
    assert clips(tmp_path, "name")["a.mp4"] == ("a", "name")
    write(tmp_path, e_dot_json='{"video": "f.mp4", "caption": "a bird"}')
    assert clips(tmp_path)["f.mp4"] == ("a bird", "manifest"), "it names another clip"


def test_an_empty_caption_of_a_clip_is_not_replaced(tmp_path: Path):
    write(tmp_path, a_dot_mp4="x", a_dot_json='{"caption": ""}')
    assert clips(tmp_path) == {"a.mp4": ("no-caption", None)}


def test_facts_may_keep_the_suffix_of_their_clip(tmp_path: Path):
    """Exported albums of phones have them, where the title is the name of the file."""
    album = '{"title": "a.mp4", "description": "a dog runs"}'
    write(tmp_path, a_dot_mp4="x", a_dot_mp4_dot_json=album)
    write(tmp_path, b_dot_mp4="x", b_dot_mp4_dot_json='{"caption": "a cat"}')
    write(tmp_path, c_dot_mp4="x", c_dot_mp4_dot_json='{"title": "c.mp4", "description": ""}')
    assert clips(tmp_path) == {
        "a.mp4": ("a dog runs", "text"),
        "b.mp4": ("a cat", "text"),
        "c.mp4": ("no-caption", None),
    }
