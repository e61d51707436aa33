"""Arrays of torch or of numpy: what features are computed with, in either.

The likelihood of known sequences is computed by torch, all positions at once. What is sampled
comes one by one: there numpy's small operations cost a third of torch's. The operators are the
same; what is not is here.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from core.theory.tracing import is_traced

if TYPE_CHECKING:
    Array: TypeAlias = Any
else:
    Array = Tensor | np.ndarray

Indices = Int[Array, " n"]

COLUMNS = 64
"""Columns of a block: by so few, numpy multiplies few rows two to three times as fast as torch,
which puts a matrix in another order first."""

ONE_CORE = 2**18
"""Multiplications up to which numpy takes one core; for more it would take all."""

FEWEST_ROWS = 2
"""Rows that are multiplied at once: a single one is summed up in another order."""

FEW_CHOICES = 200
"""Numbers up to which numpy takes them by two indices in less time than by one that it adds up."""

FEW = 16
"""Sums up to which numpy takes less time than torch, which starts slowly."""


def numbers_to(count: int, like: Array) -> Int[Array, " number"]:
    """Return 0, 1 .. count - 1, of the kind of `like`."""
    if isinstance(like, Tensor):
        return torch.arange(count, device=like.device)
    return _numbers(count)


def filled(
    values: Sequence[int], device: torch.device, dtype: torch.dtype = torch.long
) -> Int[Tensor, " value"] | Bool[Tensor, " value"]:
    """Return a few numbers that a device fills in itself: a copy waits for what it has to do.

    >>> filled((4, 2), torch.device("cpu"))
    tensor([4, 2])
    """
    numbers = torch.empty(len(values), dtype=dtype, device=device)
    for number, value in enumerate(values):
        numbers[number].fill_(value)
    return numbers


def where(condition: Bool[Array, "..."], one: Array | int, other: Array | int) -> Array:
    """Return `one` where the condition is true, and the other elsewhere."""
    choose: Any = torch.where if isinstance(condition, Tensor) else np.where
    return choose(condition, one, other)


def at_most(x: Array, most: int) -> Array:
    """Return numbers that are no more than `most`."""
    return x.clamp(max=most) if isinstance(x, Tensor) else np.minimum(x, most)


def at_least(x: Array, least: int) -> Array:
    """Return numbers that are no less than `least`."""
    return x.clamp(min=least) if isinstance(x, Tensor) else np.maximum(x, least)


def flat(x: Array) -> Array:
    """Return an array whose axes but the first are one, also where it is empty.

    >>> flat(np.zeros((0, 2, 3))).shape
    (0, 6)
    """
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))  # [n _]


def columns_of(parts: Sequence[Indices]) -> Int[Array, "n column"]:
    """Return each part as a column."""
    if isinstance(parts[0], Tensor):
        return torch.stack([*parts], 1)
    return np.concatenate(parts).reshape(len(parts), -1).T  # [n column]


def joined(parts: Sequence[Array]) -> Array:
    """Join parts along their second axis, one beside the other."""
    if isinstance(parts[0], Tensor):
        return torch.cat([*parts], 1)
    return np.concatenate(parts, 1)


def take(x: Array, index: Int[Array, "n choice"]) -> Array:
    """Return x[n, index[n, choice]].

    >>> take(np.array([[5, 6, 7], [8, 9, 10]]), np.array([[2, 0], [1, 1]])).tolist()
    [[7, 5], [9, 9]]
    """
    if isinstance(x, Tensor):
        return x.gather(1, index.long())
    if index.size <= FEW_CHOICES:
        return x[_lines(len(x)), index]
    return x.ravel().take(index + _lines(len(x), x.shape[1]))


def columns_at(x: Array, index: Int[Array, " column"]) -> Array:
    """Return x[:, index], row behind row in memory. By numpy's index alone columns lie behind each
    other if there are several rows: products of a row then depend on whether others are beside it.

    >>> columns_at(np.array([[5, 6, 7]]), np.array([2, 2, 0])).tolist()
    [[7, 7, 5]]
    """
    return x[:, index] if isinstance(x, Tensor) else x.take(index, 1)


@lru_cache
def _lines(count: int, width: int = 1) -> Int[np.ndarray, "n 1"]:
    """Return where rows of this width begin that lie one behind the other."""
    return width * _numbers(count)[:, None]


@lru_cache
def _numbers(count: int) -> Int[np.ndarray, " number"]:
    return np.arange(count)


def added_at(x: Float[Array, "n choice"], index: Array, values: Array) -> Float[Array, "n choice"]:
    """Return x with each value added at its index of the row; some may be the same.

    >>> added_at(np.zeros((1, 3)), np.array([[2, 0, 2]]), np.array([[1.0, 4.0, 2.0]])).tolist()
    [[4.0, 0.0, 3.0]]
    """
    if isinstance(x, Tensor):
        return x.scatter_add(1, index.long(), values)
    x = x.copy()
    np.add.at(x, (_lines(len(x)), index), values)
    return x


class Blocks(NamedTuple):
    """A matrix in blocks of columns, by which few rows are multiplied fast: see `product`.

    `most`: how many rows are multiplied by a block at once.
    """

    blocks: Float[np.ndarray, "block row column"]
    columns: int
    most: int

    @classmethod
    def of(cls, matrix: Float[np.ndarray, "row column"]) -> "Blocks":
        """Divide a matrix; the last block is filled up with zeros."""
        rows, columns = matrix.shape
        filled = np.pad(matrix, ((0, 0), (0, -columns % COLUMNS)))
        blocks = filled.reshape(rows, -1, COLUMNS).swapaxes(0, 1)  # [block row column]
        most = max(FEWEST_ROWS, (ONE_CORE // (rows * COLUMNS) - 1) // 4 * 4)  # fours are fast
        return cls(np.ascontiguousarray(blocks), columns, most)


def product(x: Float[Array, "n in"], matrix: Array | Blocks) -> Float[Array, "n out"]:
    """Return x @ matrix, on the cores that torch may use.

    >>> matrix = np.array([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
    >>> product(np.array([[1.0, 2.0]]), matrix).tolist()
    [[15.0, 18.0, 21.0]]
    >>> product(np.array([[1.0, 2.0]]), Blocks.of(matrix)).tolist()
    [[15.0, 18.0, 21.0]]
    """
    if isinstance(matrix, Blocks):
        return _by_blocks(x, matrix)
    if isinstance(x, Tensor):
        return x @ matrix
    return torch.mm(torch.from_numpy(x), torch.from_numpy(matrix)).numpy()


def _by_blocks(x: Float[np.ndarray, "n row"], matrix: Blocks) -> Float[np.ndarray, "n column"]:
    """Multiply some rows after others: what a row yields does not depend on those beside it."""
    (count, width), (blocks, _, most) = x.shape, matrix
    if count < FEWEST_ROWS:
        return _by_blocks(x.repeat(FEWEST_ROWS, 0), matrix)[:count]  # [n column]
    many = (count - FEWEST_ROWS) // most * most  # at least two are left
    y = rest = np.empty((count, len(blocks), COLUMNS), blocks.dtype)
    if many:
        parts = x[:many].reshape(-1, most, width)  # [part n row]
        of_parts = y[:many].reshape(-1, most, *y.shape[1:])  # [part n block column]
        out = of_parts.transpose(2, 0, 1, 3)  # [block part n column]
        np.matmul(parts, blocks[:, None], out=out, order="C")  # a block stays in the cache
        x, rest = x[many:], y[many:]
    np.matmul(x, blocks, out=rest.swapaxes(0, 1))  # [block n column]
    return y.reshape(count, -1)[:, : matrix.columns]  # [n column]


class ScaledGELU:
    """sqrt(2) GELU(sqrt(2) x) = x (1 + erf x) of each element of an array, whenever it is called.

    Numpy has no erf: torch shares the memory of x, and that of what is returned.

    >>> x = np.zeros(2)
    >>> of_x = ScaledGELU(x)
    >>> x[1] = 0.5
    >>> of_x().round(2).tolist()
    [0.0, 0.76]
    """

    def __init__(self, x: Float[np.ndarray, "..."]):
        self.x = torch.from_numpy(x)
        self.y = torch.empty(x.shape, dtype=self.x.dtype)
        self.of_x = self.y.numpy()

    def __call__(self) -> Float[np.ndarray, "..."]:
        torch.erf(self.x, out=self.y)
        torch.addcmul(self.x, self.x, self.y, out=self.y)
        return self.of_x


def layer_norm(
    x: Float[np.ndarray, "n width"], gain: np.ndarray, bias: np.ndarray, eps: float
) -> Float[np.ndarray, "n width"]:
    """Return rows of mean 0 and variance 1, times a gain, and a bias (Ba et al., 2016, eq. 4).

    >>> gain, bias = np.array([3.0, 2.0]), np.array([0.5, 0.0])
    >>> layer_norm(np.array([[1.0, 5.0]]), gain, bias, 0.0).tolist()
    [[-2.5, 2.0]]
    """
    width = x.shape[1]
    x = x - np.add.reduce(x, 1, keepdims=True) / width
    variance = np.einsum("nw,nw->n", x, x)[:, None] / width
    return x / np.sqrt(variance + eps) * gain + bias


def sum_of_rows(
    table: Float[Array, "row width"], index: Int[Array, "n part"]
) -> Float[Array, "n width"]:
    """Return the sum of n times several rows of a table."""
    if isinstance(index, Tensor):
        if is_traced():
            return table[index].sum(1)  # graphs have no bags of embeddings
        return F.embedding_bag(index, table, mode="sum")
    if len(index) > FEW:
        index, table = torch.from_numpy(index), torch.from_numpy(table)
        return view(F.embedding_bag(index, table, mode="sum"))
    return np.add.reduce(table.take(index, 0), 1)


def whole(x: Array) -> Int[Array, "..."]:
    """Return numbers as integers of 64 bits, without what is behind the point."""
    return x.long() if isinstance(x, Tensor) else x.astype(np.int64)


def number_below(x: Array, limits: Int[Array, " limit"]) -> Array:
    """Return how many of ascending limits are less than each of x.

    >>> number_below(np.array([3, 4, 5, 9]), np.array([4, 8])).tolist()
    [0, 0, 1, 2]
    """
    return torch.bucketize(x, limits) if isinstance(x, Tensor) else limits.searchsorted(x)


def largest(x: Array) -> Array:
    """Return the maximum over the last axis, which remains.

    >>> largest(np.array([[3, 5]])).tolist()
    [[5]]
    """
    return x.amax(-1, True) if isinstance(x, Tensor) else np.maximum.reduce(x, -1, keepdims=True)


def any_bits(sets: Int[Array, "n choice"], bits: Int[Array, " bit"]) -> Indices:
    """Return the bits that any of the sets has.

    >>> any_bits(np.array([[1, 4, 5, 0]]), np.array([1, 2, 4])).tolist()
    [5]
    """
    if isinstance(sets, Tensor):
        return (sets[:, :, None] & bits).amax(1).sum(1)
    return np.bitwise_or.reduce(sets, 1)


def view(x: Tensor) -> np.ndarray:
    """Return a tensor as an array of numpy that shares its memory."""
    return x.detach().numpy()
