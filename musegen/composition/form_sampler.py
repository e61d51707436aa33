"""Songs of bar latents, which a prior generates along a form."""

from core.app.sampling import Rows, in_chunks
from musegen.bar_latents.experts import ensemble
from musegen.bar_latents.inversion import Completion
from musegen.composition.sampler import SongSampler
from musegen.composition.steered import steered
from musegen.draft import Draft, blank
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

    def notes(self, count: int, seed: int, bars: int, steering: Steering) -> list[Notes]:
        """Sample pieces; in a key or at a density as completions of an empty draft."""
        count = count * self.each
        if steering.used & {"key", "density"}:
            spec = self.model.spec
            return self.complete(blank(spec.tracks, spec.grid, bars), count, seed, steering)

        parts = self.parts(count, bars)

        def draw(rows: Rows) -> States:
            next(parts)(0, 1)
            z = self.networks["prior"](len(rows)).sample(bars, steering.form)
            notes = self.networks["decoder"](z)
            bass = bass_track(self.model.spec.tracks)
            return ensemble(notes, notes.representative, bass).representative

        with steered(self.networks, steering):
            return self._played(in_chunks(count, seed, self.device, draw))

    def complete(self, draft: Draft, count: int, seed: int, steering: Steering) -> list[Notes]:
        composer, parts = Completion(self.networks, draft, steering), self.parts(count, draft.bars)

        def draw(rows: Rows) -> States:
            next(parts)(0, 1)
            return composer.sample(len(rows))

        x = in_chunks(count, seed, self.device, draw)
        return [draft.merged(notes) for notes in self._played(x)]

    def _played(self, x: States) -> list[Notes]:
        """Convert x with velocities to notes."""
        return PlayedPhrases.of(self.model.from_x(x)).notes
