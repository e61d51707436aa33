"""Songs of networks that generate phrases, alone and beside given tracks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np
import torch
from torch import nn

from core.app.sampling import Rows, draw_chunks
from core.errors import ConfigError
from core.theory.contracts import require
from musegen.composition.sampler import SongSampler
from musegen.composition.steered import steered
from musegen.drafts.draft import Draft
from musegen.networks.states import Given, States, to_cells, to_states
from musegen.networks.wirings import Wires
from musegen.roll import Cells, Notes, Phrases, Roll, fill, notes_of
from musegen.steering import UNSTEERED, Steering


class PhraseSampler(SongSampler):
    """Songs of consecutive phrases."""

    def notes(self, count: int, seed: int, bars: int, steering: Steering) -> Iterator[Notes]:
        return map(notes_of, self.pieces(count * self.each, seed, bars, steering))

    def cells(self, count: int, seed: int, bars: int) -> Phrases:
        return np.stack(list(self.pieces(count, seed, bars, UNSTEERED)))

    def pieces(self, count: int, seed: int, bars: int, steering: Steering) -> Iterator[Cells]:
        """Sample pieces as cells; yield each once its chunk is sampled."""
        networks = steered(self.networks, steering)

        def draw(rows: Rows) -> Phrases:
            if "density" in networks:
                states = networks["density"](len(rows)).sample(bars)
            else:
                phrases = -(-bars // self.model.spec.bars)
                states = self.phrases(networks["decoder"], len(rows), phrases)
            return to_cells(states[:, :, :, :bars]).cpu().numpy()

        return islice(chain.from_iterable(draw_chunks(count, seed, self.device, draw)), count)

    def phrases(
        self, decoder: nn.Module, count: int, phrases: int, c: Given | None = None
    ) -> States:
        """Sample consecutive phrases: the shared parts of z stay, the others are sampled anew.

        c: the given tracks of all bars of these phrases.
        """
        z = self.model.prior(count).rsample()
        parts = [None] * phrases if c is None else c.split(self.model.spec.bars, 3)
        sampled = [decoder(z, parts[0]).rsample()]
        for part in parts[1:]:
            wires = require(decoder.get_submodule("wires"), Wires)
            z = wires.next_phrase(z, self.model.prior(count).rsample())
            sampled.append(decoder(z, part).rsample())
        return torch.cat(sampled, dim=3)


class Accompanist(PhraseSampler):
    """Songs of which some tracks are given; the model makes the others beside them.

    Track-conditional generation: Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, section 3.3.
    """

    def pieces(self, count: int, seed: int, bars: int, steering: Steering) -> Iterator[Cells]:
        """Refuse: there is nothing to accompany."""
        raise self.model.needs_a_song

    def accompanied(self, cells: Phrases, seed: int) -> Phrases:
        """Make the tracks that are not given, beside the given ones of pieces of any length."""
        return np.stack(list(self.each_accompanied(cells, seed)))

    def each_accompanied(
        self, cells: Phrases, seed: int, steering: Steering = UNSTEERED
    ) -> Iterator[Cells]:
        """Accompany pieces; yield each once its chunk is sampled. See `accompanied`."""
        parts, bars, each = self.model.parts, cells.shape[2], self.model.spec.bars
        phrases = -(-bars // each)
        filled = [(0, 0)] * 2 + [(0, phrases * each - bars)] + [(0, 0)] * 2
        states = to_states(torch.from_numpy(np.pad(cells, filled)).to(self.device))
        given = parts.divide(states)[1]
        assert given is not None

        decoder = steered(self.networks, steering)["decoder"]

        def draw(rows: Rows) -> Phrases:
            states = self.phrases(decoder, len(rows), phrases, given[rows])
            return to_cells(states).cpu().numpy()

        new = chain.from_iterable(draw_chunks(len(cells), seed, self.device, draw))
        for piece, others in zip(cells, new, strict=False):  # the last chunk can have more
            result = piece.copy()
            result[list(parts.others)] = others[:, :bars]
            yield result

    def accompany(self, rolls: Sequence[Roll], seed: int) -> list[Roll]:
        """Accompany rolls of any length; a new note is as loud as its neighbours were."""
        spec = self.model.spec
        if any((roll.grid, roll.tracks) != (spec.grid, spec.tracks) for roll in rolls):
            raise ConfigError(
                f"the songs have other tracks or another grid than {self.model.name}"
            )
        most = max(roll.bars for roll in rolls)
        filled = [
            np.pad(roll.cells, [(0, 0), (0, most - roll.bars), (0, 0), (0, 0)]) for roll in rolls
        ]
        pairs = zip(rolls, self.accompanied(np.stack(filled), seed), strict=True)
        return [
            replace(roll, notes=notes_of(cells[:, : roll.bars])).played_like(roll.notes)
            for roll, cells in pairs
        ]

    def complete(self, draft: Draft, count: int, seed: int, steering: Steering) -> Iterator[Notes]:
        """Complete a draft whose kept tracks are those that the model accompanies."""
        self.require_draft(draft)
        cells = fill(draft.kept_notes, len(draft.tracks), draft.bars, draft.grid)
        songs = self.each_accompanied(np.repeat(cells[None], count, 0), seed, steering)
        return (draft.merged(notes_of(song)) for song in songs)

    def require_draft(self, draft: Draft) -> None:
        """Raise `ConfigError` for a draft that keeps others than the tracks it accompanies."""
        whole, names = np.flatnonzero(draft.kept.all(1)).tolist(), self.model.given_names
        if whole != list(self.model.parts.given) or draft.kept.sum() != len(whole) * draft.bars:
            raise ConfigError(
                f"{self.model.name} accompanies {names} over whole songs: --keep {names} alone, "
                "or use lookback_rnn, which completes any part"
            )
