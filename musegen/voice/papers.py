"""References of the recipes of notes."""

from core.papers import Paper

ENGEL_2019 = Paper(
    "engel2019gansynth",
    "Engel, Jesse and Agrawal, Kumar Krishna and Chen, Shuo and Gulrajani, Ishaan and "
    "Donahue, Chris and Roberts, Adam",
    "GANSynth: Adversarial Neural Audio Synthesis",
    "ICLR",
    2019,
)
ENGEL_2020 = Paper(
    "engel2020ddsp",
    "Engel, Jesse and Hantrakul, Lamtharn and Gu, Chenjie and Roberts, Adam",
    "DDSP: Differentiable Digital Signal Processing",
    "ICLR",
    2020,
)
