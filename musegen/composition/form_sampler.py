"""Songs of bar latents, which a prior generates along a form."""

from collections.abc import Callable, Iterator
from itertools import chain, islice

from core.app.sampling import Rows, draw_chunks
from musegen.bar_latents.experts import ensemble
from musegen.bar_latents.inversion import Completion
from musegen.composition.sampler import SongSampler
from musegen.composition.steered import steered
from musegen.drafts.draft import Draft
from musegen.drafts.wishes import blank
from musegen.networks.states import States
from musegen.roll import Notes, PlayedPhrases
from musegen.steering import Steering
from musegen.tracks import bass_track


class FormSampler(SongSampler):
    """Songs of a latent prior with forms: sampled along one, or found beside kept bars."""

    completes = True

    @property
    def obeys(self) -> frozenset[str]:
        return frozenset(Steering.model_fields) - {"binarisation", "top_p"}

    def notes(self, count: int, seed: int, bars: int, steering: Steering) -> Iterator[Notes]:
        """Sample pieces; in a key or at a density as completions of an empty draft."""
        count = count * self.each
        if steering.used & {"key", "density"}:
            spec = self.model.spec
            return self.complete(blank(spec.tracks, spec.grid, bars), count, seed, steering)
        networks, bass = steered(self.networks, steering), bass_track(self.model.spec.tracks)

        def draw(count: int) -> States:
            z = networks["prior"](count).sample(bars, steering.form)
            notes = networks["decoder"](z)
            return ensemble(notes, notes.representative, z, bass).representative

        return self._drawn((count, seed, bars), draw)

    def complete(self, draft: Draft, count: int, seed: int, steering: Steering) -> Iterator[Notes]:
        composer = Completion(self.networks, draft, steering)
        return map(draft.merged, self._drawn((count, seed, draft.bars), composer.sample))

    def _drawn(
        self, asked: tuple[int, int, int], draw: Callable[[int], States]
    ) -> Iterator[Notes]:
        """Draw x with velocities, as notes. `asked`: their count, the seed and their bars."""
        count, seed, bars = asked
        parts = self.parts(count, bars)

        def played(rows: Rows) -> list[Notes]:
            next(parts)(0, 1)
            return PlayedPhrases.of(self.model.from_x(draw(len(rows)))).notes

        drawn = draw_chunks(count, seed, self.device, played)
        return islice(chain.from_iterable(drawn), count)
