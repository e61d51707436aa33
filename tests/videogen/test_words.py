"""The words of captions, and the vocabulary of many."""

from videogen.words import vocabulary, words_of


def test_the_vocabulary_is_sorted_and_keeps_the_commonest():
    captions = ["a red dot", "a red cat", "a dog"]
    assert vocabulary(captions) == ("a", "cat", "dog", "dot", "red")
    assert vocabulary(captions, most=2) == ("a", "red")
    assert words_of("don't go_on 3x") == ["don't", "go", "on", "3x"]
