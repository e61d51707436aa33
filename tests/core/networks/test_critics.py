"""Critics of x beside z or c: what they read, and which layer they lend as features."""

import torch
from torch import nn

from core.networks.critics import JointCritic, LatentCritic

Z = torch.tensor([[1.0, -2.0], [0.5, 4.0]])


def test_the_score_is_the_last_linear_map_of_the_features():
    torch.manual_seed(0)
    x = torch.randn(2, 3)
    joint = JointCritic(nn.Linear(3, 5), 5, 2, augment=nn.Identity(), width=7)
    latent = LatentCritic(2, 6)
    for critic, point in ((joint, (x, Z)), (latent, (Z,))):
        features = critic.features(*point)
        assert features.shape == (2, critic.width)
        last = critic.layers[-1]
        torch.testing.assert_close(critic(*point), last(features).squeeze(1))
        assert last.weight.shape == (1, critic.width)


def test_a_joint_critic_reads_x_first_and_then_what_lies_beside_it():
    """The features of x, 3 x and 5 x, weigh 10 and 1, z weighs 0.1 and 0.01."""
    critic = JointCritic(nn.Linear(1, 2, bias=False), 2, 2, augment=nn.Identity(), width=1)
    weights = {
        "reader.weight": torch.tensor([[3.0], [5.0]]),
        "layers.0.weight": torch.tensor([[10.0, 1.0, 0.1, 0.01]]),
        "layers.2.weight": torch.tensor([[1.0]]),
        "layers.0.bias": torch.zeros(1),
        "layers.2.bias": torch.zeros(1),
    }
    critic.load_state_dict(weights, strict=False)
    found = critic.features(torch.tensor([[1.0], [2.0]]), Z)
    torch.testing.assert_close(found, torch.tensor([[35.08], [70.09]]))
