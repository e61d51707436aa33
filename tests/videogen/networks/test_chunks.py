"""Chunks: which frame and colour a channel holds, and the way back."""

import torch

from videogen.networks.chunks import join_chunks, split_chunks


def test_channels_of_a_chunk_are_its_frames_in_order_each_with_its_colours():
    clips = torch.randn(2, 3, 8, 5, 7)
    chunks = split_chunks(clips)
    assert chunks.shape == (2, 4, 6, 5, 7)
    for chunk, frame, rgb in ((0, 0, 0), (1, 0, 2), (2, 1, 0), (3, 1, 1)):
        assert torch.equal(chunks[:, chunk, 3 * frame + rgb], clips[:, rgb, 2 * chunk + frame])


def test_chunks_are_joined_to_the_clips_that_were_split():
    clips = torch.randn(2, 3, 8, 5, 7)
    assert torch.equal(join_chunks(split_chunks(clips), 8), clips)


def test_the_last_frame_of_an_odd_number_is_repeated_and_dropped_when_they_are_joined():
    clips = torch.randn(2, 3, 5, 5, 7)
    chunks = split_chunks(clips)
    assert chunks.shape == (2, 3, 6, 5, 7)
    assert torch.equal(chunks[:, 2, :3], chunks[:, 2, 3:])
    assert torch.equal(join_chunks(chunks, 5), clips)


def test_frames_of_other_channels_are_joined_in_the_same_order():
    """Foreground and mask: four channels a frame."""
    chunks = torch.randn(2, 3, 8, 5, 7)
    clips = join_chunks(chunks, 6)
    assert clips.shape == (2, 4, 6, 5, 7)
    assert torch.equal(clips[:, 3, 5], chunks[:, 2, 7])
    assert torch.equal(clips[:, 1, 2], chunks[:, 1, 1])
