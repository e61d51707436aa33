"""The tuning of channels by semitones: keys that sound higher or lower than they are written."""

from collections import defaultdict

import numpy as np
from jaxtyping import Int

from musegen.files.controls import PARAMETERS, Parameter
from musegen.files.parts import (
    CHANNELS,
    DATA,
    GS_CHANNELS,
    Timeline,
    channel_of_part,
    channels,
)
from musegen.smf.events import Events
from musegen.smf.kinds import CONTROL
from musegen.smf.sysex import GS_SHIFT, MASTER_SHIFT, XG_SHIFT

COARSE_TUNING = (0, 2)
"""The registered parameter (high, low) whose value is `AS_WRITTEN` and the semitones above it."""

AS_WRITTEN = 64


def semitones(events: Events, notes: Int[np.ndarray, " note"]) -> Int[np.ndarray, " note"]:
    """Return how far above its key each note of a melodic channel sounds.

    `notes`: the numbers of the events that start them. The shifts of a channel's parameter, of its
    part and of its port add up. What is set later does not move a note that sounds already.
    """
    shifting = [
        number
        for number, message in events.messages.items()
        if any(pattern.match(message) for pattern in (GS_SHIFT, XG_SHIFT, MASTER_SHIFT))
    ]
    if not shifting and COARSE_TUNING[1] not in events.parameters:
        return np.zeros(len(notes), np.int64)
    of_channels, of_parts, of_ports = _followed(events, shifting)
    channel, tick = channels(events, notes), events.tick[notes]
    sent = (
        of_channels.at(channel, tick),
        of_parts.at(channel, tick),
        of_ports.at(channel // CHANNELS, tick),
    )
    return sum((np.where(row < 0, 0, row - AS_WRITTEN) for row in sent), np.zeros_like(tick))


def _followed(events: Events, shifting: list[int]) -> tuple[Timeline, Timeline, Timeline]:
    """Return what parameters make of channels, and messages of parts and ports, as it is sent.

    Of what comes at one tick a reset is first: the others are meant to count.
    """
    of_channels, of_parts, of_ports = Timeline(), Timeline(), Timeline()
    parameters = defaultdict[int, Parameter](Parameter)
    resets = frozenset(events.resets.tolist())
    sent = events.by_time([*resets, *shifting, *events.controls(*PARAMETERS).tolist()])
    is_reset = np.isin(sent, events.resets)
    sent = sent[np.lexsort((~is_reset, events.tick[sent]))]
    columns = (sent, channels(events, sent), events.tick[sent], events.kind[sent])
    data = events.value(0, sent), events.value(1, sent)
    for number, channel, tick, kind, first, second in zip(
        *(column.tolist() for column in (*columns, *data)), strict=True
    ):
        port = channel // CHANNELS
        if kind == CONTROL:
            parameters[channel].receive(first, second)
            if first == DATA and parameters[channel].number == COARSE_TUNING:
                of_channels.add(channel, tick, second)
        elif number in resets:
            of_ports.add(port, tick, AS_WRITTEN)
            for one in range(CHANNELS):
                of_channels.add(port * CHANNELS + one, tick, AS_WRITTEN)
                of_parts.add(port * CHANNELS + one, tick, AS_WRITTEN)
        else:
            message = events.messages[number]
            for pattern, of in ((GS_SHIFT, GS_CHANNELS), (XG_SHIFT, range(CHANNELS))):
                if found := pattern.match(message):
                    of_parts.add(channel_of_part(found, of, port), tick, found[3][0])
            if found := MASTER_SHIFT.match(message):
                of_ports.add(port, tick, found[1][0])
    return of_channels, of_parts, of_ports
