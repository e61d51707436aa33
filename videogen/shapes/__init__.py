"""Moving shapes: clips with known answers, drawn from captions and read back by an exact judge.

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

The caption grammar is that of the moving shapes of Balaji et al. (IJCAI 2019): 3 shapes, 2 sizes,
5 colours and 12 ways to move make 360 sentences, and two of them can be joined. One caption in ten
is held out of training.
"""
