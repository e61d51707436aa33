"""Convolutions that look back only: parts [batch part width] -> parts, n sees parts <= n.

MaskedConvolutions     over rows and columns, in reading order (van den Oord, Kalchbrenner and
                       Kavukcuoglu, Pixel Recurrent Neural Networks, ICML 2016: PixelCNN)
DilatedConvolutions    over one axis, each layer twice as far back (van den Oord et al., WaveNet,
                       2016)
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.transformer import Hidden

Page = Float[Tensor, "batch channel row column"]


class Masked(nn.Conv2d):
    """A convolution that sees earlier rows, and of its own row what is not later (mask B).

    Where its input already stands one part late, as here, mask A is not needed.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        mask = torch.ones(kernel, kernel)
        mask[kernel // 2, kernel // 2 + 1 :] = 0
        mask[kernel // 2 + 1 :] = 0
        self.register_buffer("mask", mask)

    def forward(self, page: Page) -> Page:  # type: ignore[override]  # by another name
        return F.conv2d(page, self.weight * self.mask, self.bias, padding=self.padding)


class MaskedConvolutions(nn.Module):
    """Residual layers of masked convolutions over parts laid out as a page of `columns`.

    Kernels are as wide as two pages, so that no place above is out of sight: with narrow ones the
    first part of a row would never see the last ones of the row before.
    """

    def __init__(self, width: int, columns: int, layers: int):
        super().__init__()
        self.columns, kernel = columns, 2 * columns - 1
        self.layers = nn.ModuleList(Masked(width, width, kernel) for _ in range(layers))

    def forward(self, x: Hidden) -> Hidden:
        page = x.unflatten(1, (-1, self.columns)).permute(0, 3, 1, 2)
        for layer in self.layers:
            page = page + layer(F.relu(page))
        return page.permute(0, 2, 3, 1).flatten(1, 2)


class DilatedConvolutions(nn.Module):
    """Gated layers that look 1, 2, 4 ... parts back: tanh(a) sigmoid(b) (WaveNet, eq. 2)."""

    def __init__(self, width: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(width, 2 * width, 2, dilation=2**level) for level in range(layers)
        )
        self.join = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(layers))

    def forward(self, x: Hidden) -> Hidden:
        line = x.transpose(1, 2)
        for level, (layer, join) in enumerate(zip(self.layers, self.join, strict=True)):
            filtered, gate = layer(F.pad(line, (2**level, 0))).chunk(2, 1)
            line = line + join(torch.tanh(filtered) * torch.sigmoid(gate))
        return line.transpose(1, 2)
