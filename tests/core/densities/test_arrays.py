"""Products with matrices in blocks of columns."""

import numpy as np
import pytest

from core.densities.arrays import COLUMNS, ONE_CORE, Blocks, product

WIDTH = 24


@pytest.mark.parametrize("rows", [1, 3, ONE_CORE // (WIDTH * COLUMNS) + 1])
@pytest.mark.parametrize("columns", [COLUMNS, 3 * COLUMNS, 2 * COLUMNS - 1])
def test_a_product_by_blocks_is_that_by_the_matrix(rows: int, columns: int):
    chance = np.random.default_rng(0)
    x, matrix = chance.normal(size=(rows, WIDTH)), chance.normal(size=(WIDTH, columns))
    y = product(x, Blocks.of(matrix))
    assert y.shape == (rows, columns)
    np.testing.assert_allclose(y, x @ matrix)
