"""Curves of runs: panels, time, colours."""

import numpy as np
import pytest

from core.exchange.curves import COLOURS, DASHES, draw_curves, figure_of, points_of

ONE = [
    {"step": 10, "seconds": 30.0, "skipped": 0.0, "match_x": 500.0, "gradient_match_x": 3.0},
    *({"step": step, "seconds": 3.0 * step, "match_x": 2.0} for step in range(20, 1000, 10)),
    {"step": 990, "distance": 0.25},
]
TWO = [{"step": 5, "seconds": 60.0, "match_x": 1.0}, {"step": 9, "seconds": 90.0, "match_x": 1.5}]


def test_a_panel_for_each_measure_the_yardstick_first_a_line_for_each_run_over_minutes():
    figure = figure_of({"one": ONE, "two": TWO})
    assert figure is not None
    assert [axes.get_title("left") for axes in figure.axes] == ["distance", "match x"]
    distance, losses = figure.axes
    assert np.asarray(distance.lines[0].get_xydata()).tolist() == [[49.5, 0.25]]  # 2,970 s
    curves = [line for line in losses.lines if line.get_marker() == "None"]
    assert np.asarray(curves[1].get_xydata()).tolist() == [[1.0, 1.0], [1.5, 1.5]]
    assert [line.get_color() for line in curves] == list(COLOURS[:2])
    low, high = losses.get_ylim()
    assert low < 1 and 2 < high < 3  # the first step lies beyond
    assert [text.get_text() for text in figure.legends[0].texts] == ["one", "two"]


@pytest.mark.parametrize(
    ("longest", "unit", "end"),
    [(0.4, "seconds", 0.4), (80, "seconds", 80), (90, "minutes", 1.5), (9000, "hours", 2.5)],
)
def test_the_axis_of_time_has_the_unit_of_the_longest_run(longest: float, unit: str, end: float):
    rows = [{"step": 1, "seconds": longest / 2, "match_x": 1.0, "match_z": 1.0}]
    longer = [*rows, {"step": 2, "seconds": longest, "match_x": 1.5}]
    figure = figure_of({"short": rows, "long": longer})
    assert figure is not None and [axes.get_xlabel() for axes in figure.axes] == [unit, unit]
    x, z = (axes.lines[-1].get_xydata() for axes in figure.axes)
    assert np.asarray(x).tolist() == [[end, 1.5]] and np.asarray(z).tolist() == [[end / 2, 1.0]]


def test_runs_beyond_the_colours_are_dashed():
    figure = figure_of({f"run {number}": TWO for number in range(len(COLOURS) + 2)})
    assert figure is not None
    curves = [line for line in figure.axes[0].lines if line.get_marker() == "None"]
    styles = [(line.get_linestyle(), line.get_color()) for line in curves]
    assert styles[-2:] == [(DASHES[1], COLOURS[0]), (DASHES[1], COLOURS[1])]
    assert len(set(styles)) == len(styles)


def test_a_panel_goes_five_percent_beyond_its_values_and_marks_where_a_run_is():
    """The 98th percentile of 1 and 1.5 is 1.49: 0.0245 more on each side."""
    figure = figure_of({"two": TWO})
    assert figure is not None and figure.get_size_inches().tolist() == [16, 2.58]
    (axes,) = figure.axes
    assert axes.get_ylim() == pytest.approx((1 - 0.0245, 1.49 + 0.0245))
    (end,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert np.asarray(end.get_xydata()).tolist() == [[1.5, 1.5]]
    even = figure_of({"even": [{**row, "match_x": 2.0} for row in TWO]})
    assert even is not None and even.axes[0].get_ylim() == (1.5, 2.5)


def test_of_many_points_every_third_is_drawn_and_the_last():
    points = points_of([{"step": step, "a": -float(step)} for step in range(1, 701)], "a")
    assert points == [(step, -float(step)) for step in (*range(1, 700, 3), 700)]


def test_nothing_is_drawn_of_runs_without_a_record(tmp_path):
    untimed = [{"step": 3, "distance": 0.5}]  # written before the first line of losses
    draw_curves({"one": [], "two": untimed}, tmp_path / "curves.png")
    assert not list(tmp_path.iterdir())
    draw_curves({"one": [], "two": TWO}, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"
