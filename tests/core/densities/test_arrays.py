"""Products with matrices in blocks of columns."""

import numpy as np
import pytest
import torch

from core.densities.arrays import (
    COLUMNS,
    FEW_CHOICES,
    ONE_CORE,
    Blocks,
    ScaledGELU,
    columns_at,
    product,
    take,
)

WIDTH = 24


@pytest.mark.parametrize("rows", [1, 3, ONE_CORE // (WIDTH * COLUMNS) + 1])
@pytest.mark.parametrize("columns", [COLUMNS, 3 * COLUMNS, 2 * COLUMNS - 1])
def test_a_product_by_blocks_is_that_by_the_matrix(rows: int, columns: int):
    chance = np.random.default_rng(0)
    x, matrix = chance.normal(size=(rows, WIDTH)), chance.normal(size=(WIDTH, columns))
    y = product(x, Blocks.of(matrix))
    assert y.shape == (rows, columns)
    np.testing.assert_allclose(y, x @ matrix)


@pytest.mark.parametrize("width", [24, 384, 2100, 5000])
def test_what_a_row_yields_does_not_depend_on_those_beside_it(width: int):
    """To the bit, for any number of rows: a piece is sampled as by itself. Of the widest matrix
    no two rows are few enough for one core."""
    chance = np.random.default_rng(1)
    x = chance.normal(size=(200, width)).astype(np.float32)
    matrix = Blocks.of(chance.normal(size=(width, 100)).astype(np.float32))
    whole = product(x, matrix)
    for count in (*range(1, 45), 199):
        assert np.array_equal(product(x[-count:], matrix), whole[-count:]), count


def test_products_with_columns_of_a_row_do_not_depend_on_the_rows_beside_it():
    chance = np.random.default_rng(4)
    x, index = chance.normal(size=(9, 48)).astype(np.float32), chance.integers(0, 48, 48 * 12)
    left = chance.random((9, 1, 48), np.float32)
    products = [
        left[:count] @ columns_at(x[:count], index).reshape(count, 48, 12)
        for count in range(1, 10)
    ]
    for count, some in enumerate(products, 1):
        assert np.array_equal(some, products[-1][:count]), count


def test_a_scaled_gelu_is_that_of_torch():
    x = np.random.default_rng(2).normal(size=(3, 50)).astype(np.float32)
    scale = np.sqrt(np.float32(2))
    gelu = torch.nn.functional.gelu(torch.from_numpy(scale * x)).numpy()
    of_x = ScaledGELU(x)
    np.testing.assert_allclose(of_x(), scale * gelu, rtol=1e-5, atol=1e-6)
    x[:] = x[::-1].copy()
    np.testing.assert_allclose(of_x(), scale * gelu[::-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("choices", [3, FEW_CHOICES])
def test_few_and_many_choices_are_those_that_torch_takes(choices: int):
    """The rows are a part of longer ones."""
    chance = np.random.default_rng(3)
    x, index = chance.normal(size=(2, 40))[:, 5:30], chance.integers(0, 25, (2, choices))
    of_torch = take(torch.from_numpy(x), torch.from_numpy(index))
    assert np.array_equal(take(x, index), of_torch)
    assert np.array_equal(take(x, index), np.take_along_axis(x, index, 1))
