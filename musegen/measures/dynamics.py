"""Dynamics: the velocities of notes. NaN where they are not known."""

import numpy as np

from musegen.measures.excerpts import NO_VELOCITY, Excerpts, Values, ratio

VELOCITIES = 128


def distinct_velocities(excerpts: Excerpts) -> Values:
    """Return the number of different velocities of an excerpt, [excerpt 1]."""
    known = excerpts.notes.velocity != NO_VELOCITY
    cell = np.unique((excerpts.excerpt * VELOCITIES + excerpts.notes.velocity)[known])
    distinct = np.bincount(cell // VELOCITIES, minlength=len(excerpts))
    return np.where(distinct > 0, distinct, np.nan)[:, None]


def velocity_spread(excerpts: Excerpts) -> Values:
    """Return the standard deviation of an excerpt's velocities, [excerpt 1]."""
    known = excerpts.notes.velocity != NO_VELOCITY
    count = excerpts.count(known)
    excerpt, velocity = excerpts.excerpt[known], excerpts.notes.velocity[known]
    mean = ratio(np.bincount(excerpt, velocity, len(excerpts)), count)
    squares = np.bincount(excerpt, (velocity - mean[excerpt]) ** 2, len(excerpts))
    return np.sqrt(ratio(squares, count))[:, None]
