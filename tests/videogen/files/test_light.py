"""Closed forms of light: published values of transfer functions and matrices."""

import numpy as np
import pytest

from videogen.files.light import (
    BRIGHTEST,
    BT2020,
    HLG,
    KNEE,
    P3,
    WHITE,
    compressed,
    hlg,
    on_standard_screen,
    pq,
    to_bt709,
)


def grey(signal: float) -> np.ndarray:
    return np.full((1, 1, 3), signal)


def test_published_levels_of_light():
    """BT.2408, table 1: white on paper is 75 % of HLG and 58 % of PQ, 203 cd/m2."""
    assert hlg(grey(0.75)) * WHITE == pytest.approx(203, abs=0.3)
    assert pq(grey(0.5807)) * WHITE == pytest.approx(203, abs=0.3)
    assert hlg(grey(1.0)) * WHITE == pytest.approx(BRIGHTEST, rel=1e-6)
    assert pq(grey(1.0)) * WHITE == pytest.approx(10_000, rel=1e-9)
    assert pq(grey(0.5081)) * WHITE == pytest.approx(100, abs=0.2), "ST 2084"
    assert hlg(grey(0.0)) == pytest.approx(0) == pq(grey(0.0))


def test_hlg_is_a_root_below_one_half():
    """E = E'^2 / 3; of 0.3 it is 0.03, which gamma 1.2 shows as 0.03^1.2 of 1000 cd/m2."""
    assert hlg(grey(0.3)) * WHITE == pytest.approx(1000 * 0.03**1.2)
    low, high = hlg(grey(0.5)), hlg(grey(0.5 + 1e-7))
    assert low == pytest.approx(high, rel=1e-5), "the two parts meet"


def test_matrices_as_published():
    """BT.2087, table 2, and the matrix of P3 with white D65."""
    expected = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    assert to_bt709(BT2020) == pytest.approx(np.array(expected), abs=1e-4)
    expected = [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]
    assert to_bt709(P3) == pytest.approx(np.array(expected), abs=5e-4)
    assert to_bt709(BT2020).sum(1) == pytest.approx(np.ones(3)), "white stays white"


def test_light_up_to_the_knee_is_exact_and_more_is_compressed():
    light = np.linspace(0, 0.9**2.4, 50)[:, None, None].repeat(3, -1)
    assert compressed(light) == pytest.approx(light ** (1 / 2.4))
    bright = np.linspace(0, BRIGHTEST / WHITE, 500)[:, None, None].repeat(3, -1)
    signal = compressed(bright)[:, 0, 0]
    assert (np.diff(signal) > 0).all() and signal[-1] == pytest.approx(1)
    steps = np.diff(
        compressed(np.linspace(0.895, 0.905, 3)[:, None, None].repeat(3, -1) ** 2.4)[:, 0, 0]
    )
    assert steps[0] == pytest.approx(steps[1], rel=0.1), "without an edge"
    brightest = ((1000 / 203) ** (1 / 2.4) - KNEE) / (1 - KNEE)
    white = KNEE + (1 - KNEE) * (1 + 1 / brightest**2) / 2
    assert compressed(grey(1.0)) == pytest.approx(white)
    assert compressed(grey(-0.1)) == pytest.approx(0) and compressed(grey(50.0)) == pytest.approx(
        1
    )


def test_primaries_that_are_not_stated_are_those_of_bt2020():
    signal = np.array([[[0.5897, 0.2007, 0.0973]]])
    assert (on_standard_screen(signal, HLG, 2) == on_standard_screen(signal, HLG, BT2020)).all()
    assert on_standard_screen(grey(1.0), 14, BT2020).tolist() == [[[255] * 3]]
