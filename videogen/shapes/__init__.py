"""Moving shapes: synthetic clips drawn from captions, and a judge that reads captions from clips.

>>> from videogen.shapes.drawing import draw
>>> from videogen.shapes.grammar import CAPTIONS
>>> from videogen.shapes.judge import judge
>>> CAPTIONS[0]
'A small red square is moving in a straight line towards north'
>>> clips = draw(CAPTIONS[:1], seed=1, size=32)
>>> clips.shape
torch.Size([1, 3, 16, 32, 32])
>>> judge(clips)[0][0].caption == CAPTIONS[0]
True

The grammar is that of the moving shapes of Balaji et al. (IJCAI 2019): 3 kinds, 2 sizes, 5 colours
and 12 motions make 360 sentences, and "and" joins two of them. One caption in ten is held out of
training.
"""
