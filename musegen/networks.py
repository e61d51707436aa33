"""MuseGAN's networks: bar generators, track encoder, phrase reader (of critic and encoder).

Dong, Hsiao, Yang and Yang, MuseGAN, AAAI 2018, tables 4 to 6, with the chroma and onset streams
and the binary neurons of Dong and Yang, arXiv 1804.09399. Nearly every convolution there has a
kernel as long as its stride: it is one linear map of each place, and is written as one, for all
players at once. Sizes follow from the grid: a bar falls into beats and steps by their prime
factors, pitches into octaves, so any grid, number of bars and number of tracks will do.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from core.augmentation import shifted
from core.config import Strict
from core.distributions import Bernoulli, Binarisation, Delta, Distribution
from core.networks import (
    MADE_OF,
    Blocks,
    JointCritic,
    LatentCritic,
    PosteriorHead,
    Standard,
)
from core.passes import Networks
from core.recipes import Recipe
from core.shapes import Features, Latents, Scores
from musegen.latents import Wires, Wiring, latent_sizes
from musegen.levels import (
    Divide,
    Gather,
    Linear,
    Map,
    Moved,
    Places,
    divisions,
    level_channels,
    octaves,
    prime_factors,
)
from musegen.roll import Grid
from musegen.states import OCTAVE, GatedNotes, Given, HeldNotes, Notes, PitchClasses, States
from musegen.streams import COUNTS, bar_counts, harmony, harmony_values, hear, onset_counts
from musegen.tracks import Track

GIVEN_CHANNELS = 16
"""Channels of each map of a given track (AAAI 2018, table 5)."""
STATES = 2  # sounding and onset; a generator's neurons are onset and hold
RARE, LIKELY, PLAYS, USES = -2.0, 1.5, 1.5, -1.5
"""Logits before training: notes start rarely and are held, a track plays, on few pitches."""

Logits = tuple[
    Float[Tensor, "batch track bar"],
    Float[Tensor, "batch track bar pitch"],
    Float[Tensor, "batch track state bar step pitch"],
]
"""Of which tracks play in a bar, which pitches they use, and where notes start and hold."""


class MuseGANConfig(Strict):
    """Sizes of the networks. `channels` are those of a generator at its finest step (paper: 128).

    `latent`: what a player is given for each bar. `given`: tracks that come as condition c.
    `blocks`: what generators are made of; but for those of the paper they hear all players at once
    and no given tracks.
    """

    wiring: Wiring = "hybrid"
    latent: int = Field(default=128, ge=4)
    channels: int = Field(default=64, gt=0)
    critic_channels: int = Field(default=64, gt=0)
    binarisation: Binarisation = "stochastic"
    slope: float = Field(default=1.0, gt=0)
    blocks: Blocks = "paper"
    given: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _hears_what_is_given(self) -> "MuseGANConfig":
        if self.given and self.blocks != "paper":
            raise ValueError("only blocks: paper hears given tracks")
        return self


class BarGenerators(nn.Module):
    """Latents of each player and bar -> logits of its tracks' onset and hold neurons.

    latent -> bar -> beats -> steps -> octaves -> pitches; each level is one `Divide`. Maps of
    given tracks, of `heard` channels, join the level of their size.
    """

    def __init__(
        self, players: int, tracks: int, grid: Grid, config: MuseGANConfig, heard: int = 0
    ):
        super().__init__()
        self.grid, self.tracks = grid, tracks
        widths = level_channels(grid, config.channels)
        fine = max(8, config.channels // 2)
        self.bar = Divide(players, config.latent, widths[0], 1)
        self.levels = nn.ModuleList(
            Divide(players, a + heard, b, factor)
            for a, b, factor in zip(widths, widths[1:], divisions(grid), strict=False)
        )
        self.octaves = Divide(players, widths[-1] + heard, fine, octaves(grid))
        self.pitches = Linear(players, fine, OCTAVE * tracks * STATES)
        start = torch.tensor([RARE, LIKELY]).repeat(OCTAVE * tracks)
        self.pitches.bias.data += start
        self.plays = Linear(players, widths[0], tracks)
        self.uses = Linear(players, widths[0], tracks * grid.pitches)
        self.plays.bias.data += PLAYS
        self.uses.bias.data += USES

    def begin_silent(self) -> "BarGenerators":
        """Say nothing before training: all logits are 0."""
        for last in (self.pitches, self.plays, self.uses):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)
        return self

    def forward(
        self, z: Float[Tensor, "batch player bar latent"], given: Sequence[Map] = ()
    ) -> Logits:
        """Logits of the gates (see `GatedNotes`) and of onset and hold."""
        bar = self.bar(z.transpose(0, 1).flatten(1, 2))
        size = (z.shape[0], z.shape[2])
        plays = self._of_bars(self.plays(bar), size)[..., 0]
        return plays, self._of_bars(self.uses(bar), size), self._cells(bar, given, size)

    def _of_bars(self, x: Moved, size: tuple[int, int]) -> Tensor:
        """[player batch*bar track*value] -> [batch track bar value]."""
        apart = x.float().unflatten(2, (self.tracks, -1)).unflatten(1, size)
        return apart.permute(1, 0, 3, 2, 4).flatten(1, 2)

    def _cells(
        self, x: Moved, given: Sequence[Map], size: tuple[int, int]
    ) -> Float[Tensor, "batch track state bar step pitch"]:
        maps = iter(given)
        for level in (*self.levels, self.octaves):
            x = level(_join(x, next(maps, None)))
        logits = self.pitches(x).float()  # rare events need more than bfloat16
        shape = (*size, self.grid.steps_per_bar, octaves(self.grid), OCTAVE)
        cells = logits.view(len(x), *shape, self.tracks, STATES)
        cells = cells.permute(1, 0, 6, 7, 2, 3, 4, 5).flatten(1, 2).flatten(5, 6)
        return cells[..., : self.grid.pitches]


class MapGenerators(nn.Module):
    """What all players are given for a bar -> the same logits, by doubling maps of step and pitch.

    With blocks that any domain can use, see `core.networks`.
    """

    def __init__(self, players: int, tracks: int, grid: Grid, config: MuseGANConfig):
        super().__init__()
        self.grid, self.tracks = grid, players * tracks
        code = players * config.latent
        size = (grid.steps_per_bar, grid.pitches)
        doublings = _common_doublings(size)
        coarsest = [length // 2**doublings for length in size]
        made_of = MADE_OF[config.blocks]
        self.maps = made_of(code, config.channels, coarsest, doublings, self.tracks * STATES)
        self.maps.last.bias.data += torch.tensor([RARE, LIKELY]).repeat(self.tracks)
        self.plays = nn.Linear(code, self.tracks)
        self.uses = nn.Linear(code, self.tracks * grid.pitches)
        self.plays.bias.data += PLAYS
        self.uses.bias.data += USES

    def forward(
        self, z: Float[Tensor, "batch player bar latent"], given: Sequence[Map] = ()
    ) -> Logits:
        """See `BarGenerators`."""
        code = z.transpose(1, 2).flatten(2)  # [batch bar player*latent]
        maps = self.maps(code.flatten(0, 1)).float()
        cells = maps.unflatten(0, code.shape[:2]).unflatten(2, (self.tracks, STATES))
        uses = self.uses(code).float().unflatten(2, (self.tracks, -1))
        return (
            self.plays(code).float().transpose(1, 2),
            uses.transpose(1, 2),
            cells.permute(0, 2, 3, 1, 4, 5),
        )


def _common_doublings(size: tuple[int, int]) -> int:
    """How often both lengths can be halved, and leave at least three places."""
    doublings = 0
    while all(length % 2 ** (doublings + 1) == 0 for length in size) and (
        min(size) // 2 ** (doublings + 1) >= 3
    ):
        doublings += 1
    return doublings


def _join(x: Places, given: Map | None) -> Moved:
    if given is None:
        return x
    return torch.cat([x, given.expand(len(x), -1, -1)], 2)


def _generators(players: int, tracks: int, grid: Grid, config: MuseGANConfig) -> nn.Module:
    """The players' generators, made of the chosen blocks; each player writes so many tracks."""
    if config.blocks != "paper":
        return MapGenerators(players, tracks, grid, config)
    heard = GIVEN_CHANNELS if config.given else 0
    return BarGenerators(players, tracks, grid, config, heard)


class Harmony(nn.Module):
    """What all players hear in a bar -> logits of the pitch classes that are open to them."""

    def __init__(self, shared: int, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(shared, 8 * channels),
            nn.LayerNorm(8 * channels),
            nn.ReLU(),
            nn.Linear(8 * channels, OCTAVE),
        )

    def forward(self, shared: Float[Tensor, "batch bar latent"]) -> PitchClasses:
        return self.layers(shared).float()


class TrackEncoder(nn.Module):
    """Given tracks c -> a map for each level of the bar generators, coarse to fine."""

    def __init__(self, grid: Grid, given: int, channels: int = GIVEN_CHANNELS):
        super().__init__()
        self.step = Gather(1, given * STATES * grid.pitches, channels, 1)
        self.coarser = nn.ModuleList(
            Gather(1, channels, channels, factor) for factor in divisions(grid)[::-1]
        )

    def forward(self, c: Given) -> list[Map]:
        cells = c.permute(0, 3, 4, 1, 2, 5).flatten(3).flatten(0, 2)[None]
        maps = [self.step(cells)]
        for gather in self.coarser:
            maps.append(gather(maps[-1]))
        return maps[::-1]


class Decoder(nn.Module):
    """z (and given tracks c) -> p(x given z, c): the wires, then the players' bar generators."""

    sustained: Tensor

    def __init__(self, config: MuseGANConfig, grid: Grid, tracks: Sequence[Track], bars: int):
        super().__init__()
        players = 1 if config.wiring == "composer" else len(tracks)
        sizes = latent_sizes(config.wiring, config.latent)
        self.wires = Wires(sizes, players, bars, 8 * config.channels)
        self.generators = _generators(players, len(tracks) // players, grid, config)
        self.shared = sizes.shared + sizes.shared_temporal
        self.harmony = Harmony(self.shared, config.channels) if self.shared else None
        self.given = TrackEncoder(grid, config.given) if config.given else None
        self.binarisation: Binarisation = config.binarisation
        self.slope = config.slope
        held = torch.tensor([not track.is_drum for track in tracks])
        self.register_buffer("sustained", held.float(), persistent=False)

    def forward(self, z: Latents, c: Given | None = None) -> GatedNotes:
        maps = self.given(c) if self.given and c is not None else ()
        heard = self.wires(z)
        plays, uses, cells = self.generators(heard, maps)
        onset, hold = cells.unbind(2)
        notes = HeldNotes(self._neurons(onset), self._neurons(hold), self.sustained)
        harmony = self.harmony(heard[:, 0, :, : self.shared]) if self.harmony else None
        return GatedNotes(
            self._neurons(plays),
            self._neurons(uses),
            notes,
            self._neurons(harmony) if harmony is not None else None,
        )

    def _neurons(self, logits: Tensor) -> Bernoulli:
        return Bernoulli(logits, self.binarisation, self.slope)


KEPT = 1.0
"""How much a translation leans to what it hears: a logit."""


class Translator(nn.Module):
    """Phrases of one collection -> the same in the manner of another, for CycleGAN.

    The players' bar generators hear the phrase at every level. What they say moves the neurons of
    the phrase that is heard, so that before training it is played again, note for note. Neurons
    are deterministic and without gates: a translation draws nothing, and a note can begin
    wherever a critic asks for one.
    """

    sustained: Tensor

    def __init__(self, config: MuseGANConfig, grid: Grid, tracks: Sequence[Track]):
        super().__init__()
        channels = 4 * GIVEN_CHANNELS
        self.players = 1 if config.wiring == "composer" else len(tracks)
        self.read = TrackEncoder(grid, len(tracks), channels)
        self.tell = nn.Linear(channels, self.players * config.latent)
        shares = len(tracks) // self.players
        self.generators = BarGenerators(
            self.players, shares, grid, config, channels
        ).begin_silent()
        held = torch.tensor([not track.is_drum for track in tracks])
        self.register_buffer("sustained", held.float(), persistent=False)

    def forward(self, x: States, c: Given | None = None) -> Delta:
        maps = self.read(x)
        bars = self.tell(maps[0][0]).unflatten(0, (len(x), -1))  # [batch bar player*latent]
        told = bars.unflatten(2, (self.players, -1)).transpose(1, 2)
        plays, uses, cells = self.generators(told, maps)
        onset, hold = cells.unbind(2)
        onset = onset + plays[..., None, None] + uses[..., None, :]
        sounding, struck = x.unbind(2)
        notes = HeldNotes(_leaning(onset, struck), _leaning(hold, sounding), self.sustained)
        return Delta(notes.rsample())


def _leaning(logits: Notes, heard: Notes) -> Bernoulli:
    """Neurons that do as is heard in their place, until something moves them."""
    return Bernoulli(logits + KEPT * (2 * heard - 1), "deterministic")


class PhraseReader(nn.Module):
    """x (and given tracks c) -> features: what each judge makes of the tracks it hears.

    Cells are read octave by octave, then step by step up to the bar, then the phrase. The streams
    of `musegen.streams` join at the level of their size. LeakyReLU 0.2 and no normalisation.
    """

    def __init__(self, judges: int, tracks: int, grid: Grid, bars: int, channels: int):
        super().__init__()
        self.judges, self.grid, self.bars = judges, grid, bars
        self.width = 8 * channels
        widths = level_channels(grid, channels)[::-1]
        factors = divisions(grid)[::-1]
        self.beat_level = len(prime_factors(grid.steps_per_beat))
        joining = {0: tracks * STATES, self.beat_level: harmony_values(tracks)}
        inputs = [width + joining.get(i, 0) for i, width in enumerate(widths)]
        self.cells = Gather(judges, tracks * STATES * OCTAVE, channels, 1)
        self.octaves = Gather(judges, channels, channels, octaves(grid))
        self.levels = nn.ModuleList(
            Gather(judges, a, b, factor)
            for a, b, factor in zip(inputs, widths[1:], factors, strict=False)
        )
        self.phrase = Gather(judges, widths[-1] + tracks * COUNTS, self.width, bars)
        self.last = Gather(judges, self.width, self.width, 1)

    def forward(self, x: States, c: Given | None = None) -> Float[Tensor, "judge batch feature"]:
        heard = hear(x, self.judges, c)
        joining = {
            0: onset_counts(heard),
            self.beat_level: harmony(heard, self.grid.steps_per_beat),
        }
        cells = heard.permute(0, 1, 4, 5, 6, 2, 3, 7).flatten(5).flatten(1, 4)
        h = self.octaves(self.cells(cells))
        for i, level in enumerate(self.levels):
            h = level(torch.cat([h, joining[i].flatten(1, -2)], 2) if i in joining else h)
        return self.last(self.phrase(torch.cat([h, bar_counts(heard).flatten(1, 2)], 2)))


class Encoder(nn.Module):
    """x (and c) -> q(z given x, c) over the flat z."""

    def __init__(self, reader: PhraseReader, latent: int, kind: type[Distribution]):
        super().__init__()
        self.reader = reader
        self.head = PosteriorHead(reader.width, latent, kind)

    def forward(self, x: States, c: Given | None = None) -> Distribution:
        return self.head(self.reader(x, c)[0].float())


class OneJudge(nn.Module):
    """x -> what one judge makes of it, [batch feature]."""

    def __init__(self, reader: PhraseReader):
        super().__init__()
        self.reader = reader

    def forward(self, x: States) -> Features:
        return self.reader(x)[0]


def moved(x: States) -> States:
    """Half of the phrases up to a tone and a bar elsewhere, for critics that see few."""
    return shifted(x, {-1: 2, 3: 1})


class Critic(nn.Module):
    """x (and c) -> score: the sum over the judges, one of all tracks or one of each (jamming)."""

    def __init__(self, reader: PhraseReader):
        super().__init__()
        self.reader, self.width = reader, reader.judges * reader.width
        self.score = Linear(reader.judges, reader.width, 1)

    def features(self, x: States, c: Given | None = None) -> Features:
        """The last hidden layer of all judges."""
        return self.reader(x, c).transpose(0, 1).flatten(1)

    def augment(self, x: States) -> States:
        return moved(x)

    def statistics(self, x: States, c: Given | None = None) -> tuple[Tensor, ...]:
        """What the critic counts: of each bar, and of the harmony of each beat."""
        heard = hear(x, 1, c)
        beats = harmony(heard, self.reader.grid.steps_per_beat)
        return bar_counts(heard)[0].flatten(0, 1), beats[0].flatten(0, 2)

    def forward(self, x: States, c: Given | None = None) -> Scores:
        return self.score(self.reader(x, c)).float().sum((0, 2))


def joint(reader: PhraseReader, latent: int) -> JointCritic:
    """A critic of phrases with their z."""
    return JointCritic(OneJudge(reader), reader.width, latent, moved)


def build(
    config: MuseGANConfig, grid: Grid, tracks: Sequence[Track], bars: int, recipe: Recipe
) -> Networks:
    """The networks that the recipe asks for, by the theory's names."""
    decoder = Decoder(config, grid, tracks, bars)
    latent = decoder.wires.latent
    judges = len(tracks) if config.wiring == "jamming" else 1

    def reader(judges: int) -> PhraseReader:
        heard = len(tracks) // judges + config.given
        return PhraseReader(judges, heard, grid, bars, config.critic_channels)

    builders: dict[str, Callable[[], nn.Module]] = {
        "decoder": lambda: decoder,
        "encoder": lambda: Encoder(reader(1), latent, recipe.posterior),
        "prior": lambda: recipe.prior(latent, 0) if recipe.prior else Standard(latent),
        "critic_x": lambda: Critic(reader(judges)),
        "critic_xc": lambda: Critic(reader(judges)),
        "critic_xz": lambda: joint(reader(1), latent),
        "critic_z": lambda: LatentCritic(latent),
    }
    if recipe.other:  # z is a phrase too
        builders |= dict.fromkeys(("encoder", "decoder"), lambda: Translator(config, grid, tracks))
        builders["critic_z"] = builders["critic_x"]
    return Networks({name: builders[name]() for name in recipe.networks})
