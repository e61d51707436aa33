"""Initialisation that keeps the variance of what passes through layers."""

import torch
from torch import nn
from torch.nn import functional as F

from core.networks.hierarchy import NearZero
from core.networks.initialisation import keep_variance


def test_layers_keep_the_mean_square_of_their_input_and_have_no_bias():
    torch.manual_seed(0)
    linear, picture = nn.Linear(400, 500), nn.Conv2d(30, 500, 3, bias=False)
    keep_variance(nn.Sequential(linear, picture), ())
    for layer, x in ((linear, torch.randn(200, 400)), (picture, torch.randn(200, 30, 3, 3))):
        kept = F.leaky_relu(layer(x), 0.2).square().mean()
        torch.testing.assert_close(kept, torch.tensor(1.0), atol=0.05, rtol=0)
    assert not linear.bias.any()


def test_networks_that_initialise_themselves_stay_as_they_are():
    torch.manual_seed(0)
    own = NearZero(3, 4)
    before = [parameter.clone() for parameter in own.parameters()]
    keep_variance(nn.ModuleDict({"inside": nn.Sequential(own)}), (NearZero,))
    assert all(map(torch.equal, own.parameters(), before))
