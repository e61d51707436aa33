"""Networks of the bars and notes that sound alone, beside loops over these."""

from collections.abc import Sequence

import pytest
import torch
from random_pieces import CONFIG, GRID, TRACKS, bars_of, random_piece
from torch import Tensor, nn

from musegen.bar_latents.autoencoder import BarDecoder, BarEncoder, normalised
from musegen.bar_latents.form import SILENT, form_of
from musegen.bar_latents.plan import Plan, Sounding, nonzero, note_count, plan_of
from musegen.bar_latents.struck_notes import MOST_VOICES, StruckNotes
from musegen.networks.states import LOUDEST, States, to_cells

BATCH, BARS = 3, 4


def networks() -> tuple[BarEncoder, BarDecoder]:
    """Return networks whose decoder strikes about every second step."""
    torch.manual_seed(1)
    parts = BarEncoder(CONFIG, GRID, TRACKS), BarDecoder(CONFIG, GRID, TRACKS).eval()
    for part in parts:
        for weight in part.parameters():
            weight.data += 0.1 * torch.randn_like(weight)
    return parts


def piece() -> tuple[States, Plan]:
    x = random_piece(BATCH, BARS, seed=4)
    x[1, 2, :, 2:] = 0
    return x, plan_of(to_cells(x))


def test_places_are_those_that_nonzero_finds():
    torch.manual_seed(0)
    for chosen in (torch.rand(3, 4, 5) < 0.3, (torch.rand(2, 6) < 0.5).T, torch.zeros(2, 3) > 0):
        expected = [index.tolist() for index in chosen.nonzero(as_tuple=True)]
        for count in (int(chosen.sum()), None):
            assert [index.tolist() for index in nonzero(chosen, count)] == expected


def test_a_plan_holds_the_form_and_how_many_notes_start():
    x, plan = piece()
    assert torch.equal(plan[:, :2], form_of(x))
    assert torch.equal(plan[:, 2], x[:, :, 1].sum((3, 4)).transpose(1, 2).long())
    assert note_count(plan) == int(x[:, :, 1].sum()) > 50
    bars = Sounding.planned(plan, torch.device("cpu"))
    counted = Sounding.counted(x[:, :, 0].amax((3, 4)).transpose(1, 2) > 0)
    assert torch.equal(bars.plays, counted.plays)
    assert bars.counts == counted.counts
    assert (plan[:, 0] == SILENT).sum() == BATCH * len(TRACKS) + 2


class Plainly(StruckNotes):
    """The same notes, one at a time."""

    @torch.no_grad()
    def _likeliest(self) -> Tensor:
        onset = torch.zeros_like(self.logits.onset)
        for place in ((self.logits.rhythm > 0) & self.plays[..., None]).nonzero().tolist():
            at = tuple(place)
            chances = self.logits.voices[at].softmax(0)
            voices = round(sum(n * chances[n - 1].item() for n in range(1, MOST_VOICES + 1)))
            likeliest = self.logits.onset[at].argsort(descending=True)[:voices]
            onset[(*at, likeliest)] = 1
        return onset

    def _touch_losses(self, onset: Tensor, velocity: Tensor) -> Tensor:
        losses, touch = torch.zeros_like(velocity), self.logits.touch
        for piece, bar, track, step, pitch in onset.nonzero().tolist():
            of_step, of_pitch = (part[piece, bar, track] for part in (touch.steps, touch.pitches))
            played = round(LOUDEST * velocity[piece, bar, track, step, pitch].item())
            chances = ((of_step[step] + of_pitch[pitch]) @ touch.loudness).log_softmax(0)
            losses[piece, bar, track, step, pitch] = -chances[played - 1]
        return losses


def in_loops(encoder: BarEncoder, decoder: BarDecoder, x: States) -> StruckNotes:
    """Encode and decode bar after bar."""
    z = torch.zeros(BATCH, BARS, len(TRACKS), CONFIG.size)
    whole = decoder(torch.zeros(BATCH, z[0].numel()))
    cells = torch.zeros(*whole.logits.onset.shape[:4], sum(decoder.numbers))
    for number, bar, track in x[:, :, 0].amax((3, 4)).transpose(1, 2).nonzero().tolist():
        drums, of_track = TRACKS[track].is_drum, torch.tensor([track])
        states = x[number, track, :, bar].transpose(0, 1)[None]  # [1 step state pitch]
        row = encoder._encoded(states, of_track, drums)
        z[number, bar, track] = row[0]
        row = normalised(row, CONFIG.parts)
        cells[number, bar, track] = decoder.cell_logits(row, of_track, drums)[0]
    onset, hold, voices = cells.split(decoder.numbers, 4)
    bars = normalised(z, CONFIG.parts)
    logits = whole.logits._replace(
        rhythm=decoder.rhythm(bars[..., : CONFIG.rhythm]),
        chroma=decoder.chroma(bars),
        touch=decoder.touch_logits(bars),
        onset=onset,
        hold=hold,
        voices=voices,
    )
    plays = x[:, :, 0].amax((3, 4)).transpose(1, 2) > 0
    return Plainly(plays, logits, whole.sustained)


def loss_and_gradients(notes: StruckNotes, x: States, parts: Sequence[nn.Module]) -> list[Tensor]:
    """Return the losses of a step that the encoder and the decoder have, and their gradients."""
    loss = -notes.log_prob(x).mean() + notes.outline().square().mean(0).sum()
    weights = [weight for part in parts for weight in part.parameters()]
    return [loss, *torch.autograd.grad(loss, weights)]


@pytest.mark.parametrize("is_planned", [True, False])
def test_losses_and_gradients_are_those_of_loops_over_bars_and_notes(is_planned: bool):
    (encoder, decoder), (x, plan) = networks(), piece()
    c = plan if is_planned else None
    z = encoder(x, c).rsample()
    assert not bars_of(z)[plan[:, 0] == SILENT].any()
    notes, plain = decoder(z, c), in_loops(encoder, decoder, x)
    assert plain._likeliest().sum() > 50
    assert torch.equal(notes.outline(), decoder.outline(z, c))
    found, expected = (loss_and_gradients(n, x, (encoder, decoder)) for n in (notes, plain))
    assert len(found) > 30
    for one, other in zip(found, expected, strict=True):
        assert (one - other).norm() <= 1e-6 * other.norm() + 1e-7


def test_a_bar_that_is_planned_sounds_and_another_does_not():
    """The plan says which, not the latents: where these are NaN, their number would not fit."""
    (_, decoder), (x, plan) = networks(), piece()
    broken = torch.full((BATCH, BARS * len(TRACKS) * CONFIG.size), torch.nan)
    notes = decoder(broken, plan)
    assert torch.equal(notes.plays, plan[:, 0] != SILENT)
    assert notes.log_prob(x).isnan().all() and not decoder(broken).plays.any()
