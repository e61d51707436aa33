"""Causal convolutions over hidden states [batch position width]: n depends on positions <= n only.

GatedPixelCNN          over a page of rows and columns, in reading order (van den Oord, Vinyals
                       et al., Conditional Image Generation with PixelCNN Decoders, 2016)
WaveNet                over one axis, each layer twice as far back (van den Oord et al., WaveNet,
                       2016)

The input at position n is the symbol n - 1, as for every causal network of `sequences`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from core.densities.transformer import Hidden

Page = Float[Tensor, "batch channel row column"]
Line = Float[Tensor, "batch channel position"]


def gate(x: Tensor) -> Tensor:
    """tanh(a) sigmoid(b), a and b the halves of the channels (WaveNet, eq. 2)."""
    value, opening = x.chunk(2, 1)
    return torch.tanh(value) * torch.sigmoid(opening)


class GatedLayer(nn.Module):
    """A vertical and a horizontal stack, gated, the vertical one feeding the other (figure 2).

    The vertical stack sees this row of its own input and the one above, three columns wide; the
    horizontal one this column and the one to the left, and is residual.
    """

    def __init__(self, width: int):
        super().__init__()
        self.vertical = nn.Conv2d(width, 2 * width, (2, 3))
        self.horizontal = nn.Conv2d(width, 2 * width, (1, 2))
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.residual = nn.Conv2d(width, width, 1)

    def forward(self, above: Page, row: Page) -> tuple[Page, Page]:
        vertical = self.vertical(F.pad(above, (1, 1, 1, 0)))
        horizontal = self.horizontal(F.pad(row, (1, 0))) + self.link(vertical)
        return gate(vertical), row + self.residual(gate(horizontal))


class GatedPixelCNN(nn.Module):
    """PixelCNN without a blind spot, over positions laid out as a page of `columns`.

    The masks of the paper are shifts here, and no condition is read: the vertical stack begins
    with the symbols one row above, the horizontal one with the symbol before. A layer widens the
    view by a column to each side and by a row: with as many layers as columns all earlier
    positions are seen.
    """

    def __init__(self, width: int, columns: int, layers: int):
        super().__init__()
        self.columns = columns
        self.layers = nn.ModuleList(GatedLayer(width) for _ in range(layers))

    def forward(self, x: Hidden) -> Hidden:
        shifted = F.pad(x, (0, 0, self.columns - 1, 0))[:, : x.shape[1]]
        above, row = self._page(shifted), self._page(x)
        for layer in self.layers:
            above, row = layer(above, row)
        return row.permute(0, 2, 3, 1).flatten(1, 2)  # [batch position width]

    def _page(self, x: Hidden) -> Page:
        return x.unflatten(1, (-1, self.columns)).permute(0, 3, 1, 2)  # [batch width row column]


class DilatedLayer(nn.Module):
    """A gated convolution of this position and one `dilation` earlier (WaveNet, figure 4).

    Returns the residual sum for the next layer and the skip for the output.
    """

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.dilation = dilation
        self.filter = nn.Conv1d(width, 2 * width, 2, dilation=dilation)
        self.residual, self.skip = (nn.Conv1d(width, width, 1) for _ in range(2))

    def forward(self, x: Line) -> tuple[Line, Line]:
        gated = gate(self.filter(F.pad(x, (self.dilation, 0))))
        return x + self.residual(gated), self.skip(gated)


class WaveNet(nn.Module):
    """Gated layers of dilation 1, 2, 4 ...: sum of their skips, ReLU, 1x1, ReLU.

    The paper's last 1x1 convolution is the map to logits that reads what is returned. Unlike in
    the paper each dilation occurs once: the field of view is 2^layers positions.
    """

    def __init__(self, width: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(DilatedLayer(width, 2**level) for level in range(layers))
        self.last = nn.Conv1d(width, width, 1)

    def forward(self, x: Hidden) -> Hidden:
        line = x.transpose(1, 2)  # [batch width position]
        total = torch.zeros_like(line)
        for layer in self.layers:
            line, skip = layer(line)
            total = total + skip
        return F.relu(self.last(F.relu(total))).transpose(1, 2)  # [batch position width]
