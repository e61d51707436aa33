"""The classifier that evaluation measures with: which instrument plays which pitch.

It is trained on the real notes of a collection, once, and kept: public networks would have to be
downloaded, and know other instruments. Its last hidden layer gives the features of Frechet
distances.
"""

import itertools

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from core.data.preparation import Tick
from core.theory.shapes import Loss
from core.training.checkpoint import fill_from_cache
from core.training.device import isolated_random_state
from core.training.optimisation import train_in_one_cycle
from musegen.voice.data.collection import Collection
from musegen.voice.spectrogram import Sounds, Spectrogram

WINDOW_SECONDS = 0.064
SLICES = 8
"""Parts of a note in time, whose mean levels are read."""
FEATURES = 64
STEPS, BATCH = 800, 64
LEARNING_RATE = 3e-3
GAIN, FLOOR, DROPPED = 0.1, 0.7, 0.3
"""In training: the largest change of the levels of a note, the highest floor above silence to
which softer levels are raised, both in x, and the share of features that are dropped."""
VERSION = 1
"""Version of this file; classifiers cached by other versions are not used."""

Levels = Float[Tensor, "note slice row"]
Numbers = Int[Tensor, " note"]


class Classifier(nn.Module):
    """Name the pitch and the instrument of notes, by mean levels in parts of their time."""

    def __init__(self, spectrogram: Spectrogram, pitches: int, timbres: int):
        super().__init__()
        self.spectrogram = spectrogram
        widths = (SLICES, 32, 64, 64)
        self.rows = nn.ModuleList(
            nn.Conv1d(a, b, 7, stride=2, padding=3) for a, b in itertools.pairwise(widths)
        )
        self.hidden = nn.Linear(widths[-1] * (spectrogram.rows // 8), FEATURES)
        self.pitch, self.timbre = nn.Linear(FEATURES, pitches), nn.Linear(FEATURES, timbres)

    def levels(self, sounds: Sounds) -> Levels:
        """Return the mean levels of parts of the time."""
        x = [self.spectrogram.analyse(part)[:, 0] for part in sounds.split(BATCH)]
        by_row = torch.cat(x).transpose(1, 2)  # [note row frame]
        return F.adaptive_avg_pool1d(by_row, SLICES).transpose(1, 2)  # [note slice row]

    def forward(self, levels: Levels) -> Float[Tensor, "note feature"]:
        maps = levels
        for convolution in self.rows:
            maps = F.leaky_relu(convolution(maps), 0.2)
        return F.leaky_relu(self.hidden(maps.flatten(1)), 0.2)  # [note feature]

    def loss(self, levels: Levels, pitches: Numbers, timbres: Numbers) -> Loss:
        """Return the cross-entropy of pitch and instrument, in nats."""
        features = F.dropout(self(levels), DROPPED, self.training)
        wrong = F.cross_entropy(self.pitch(features), pitches)
        return wrong + F.cross_entropy(self.timbre(features), timbres)

    @torch.no_grad()
    def features(self, sounds: Sounds) -> Float[np.ndarray, "note feature"]:
        """Return the last hidden layer, by which sets of notes are compared."""
        return self(self.levels(sounds)).numpy()

    @torch.no_grad()
    def named(self, sounds: Sounds) -> tuple[np.ndarray, np.ndarray]:
        """Return the likeliest pitch, counted from the lowest, and instrument of each note."""
        features = self(self.levels(sounds))
        return self.pitch(features).argmax(1).numpy(), self.timbre(features).argmax(1).numpy()


def load_classifier(data: Collection, tick: Tick = lambda done, total: None) -> Classifier:
    """Return the cached classifier of this data; train and cache it if there is none."""
    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(0)
        window = 2 ** round(np.log2(WINDOW_SECONDS * data.sample_rate_hz))
        spectrogram = Spectrogram(data.sample_rate_hz, data.samples, window)
        pitches = data.highest - data.lowest + 1
        classifier = Classifier(spectrogram, pitches, len(data.timbres))
    training = STEPS, BATCH, LEARNING_RATE, GAIN, FLOOR, DROPPED
    settings = (VERSION, data.digest, SLICES, FEATURES, *training)
    fill_from_cache(classifier, settings, lambda: train(classifier, data, tick))
    return classifier.eval()


def train(classifier: Classifier, data: Collection, tick: Tick) -> None:
    """Train on the training notes; the same data give the same weights."""
    notes = data.notes_of(data.indices("train"))
    levels = classifier.levels(torch.from_numpy(notes.sounds))
    pitches = torch.from_numpy(notes.pitches) - data.lowest
    timbres = torch.from_numpy(notes.timbres)

    def loss(step: int) -> Loss:
        chosen = torch.randint(len(levels), (BATCH,))
        gain, floor = torch.rand(2, BATCH, 1, 1)
        varied = (levels[chosen] + GAIN * (2 * gain - 1)).maximum(FLOOR * floor - 1)
        return classifier.loss(varied, pitches[chosen], timbres[chosen])

    with isolated_random_state(torch.device("cpu")):
        torch.manual_seed(0)
        train_in_one_cycle(classifier, loss, STEPS, LEARNING_RATE, 0.05, tick)
