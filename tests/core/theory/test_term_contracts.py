"""Each term's name, the networks that it evaluates, and its needs, by hand."""

import pytest

from core.theory.adversarial import Adversarial, hinge, logistic
from core.theory.divergences import KL, MMD, Features, Moments, Nearest
from core.theory.terms import (
    L1,
    Classify,
    CriticWeighted,
    Cycle,
    Identity,
    Match,
    Reconstruct,
    Term,
    adjust,
    describe,
    needs_of,
)

E, D, P = "encoder", "decoder", "prior"
GAME = Adversarial(logistic)
CONTRACTS: list[tuple[Term, str, set[str], set[str]]] = [
    (Reconstruct("x"), "reconstruct_x", {E, D}, set()),
    (Reconstruct("z"), "reconstruct_z", {E, D, P}, set()),
    (Reconstruct("features"), "reconstruct_features", {E, D, "critic_x"}, set()),
    (L1(), "l1_x", {D, P}, set()),
    (Classify(), "classify", {E, "classifier"}, {"labels"}),
    (Classify(encoder="source"), "classify", {"source", "classifier"}, {"labels"}),
    (Match("z", KL(), (E,)), "match_z", {E, P}, set()),
    (Match("x", KL(), ("density",)), "match_x", {"density"}, set()),
    (Match("z", MMD(), (E,)), "match_z", {E, P}, set()),
    (Match("x", MMD(), (D,)), "match_x", {D, P}, set()),
    (Match("x", Moments(), (D,)), "moments_x", {D, P, "critic_x"}, {"statistics"}),
    (Match("xc", Features(), (D,)), "features_xc", {D, P, "critic_xc"}, {"condition"}),
    (Match("z", Features(), (E,)), "features_z", {E, P, "critic_z"}, set()),
    (Match("z", Nearest("codes"), (P,)), "codes_z", {E, P}, set()),
    (Match("z", Nearest("commit"), (E,)), "commit_z", {E, P}, set()),
    (Match("x", GAME, (D,)), "match_x", {D, P, "critic_x"}, set()),
    (Match("z", GAME, (E,)), "match_z", {E, P, "critic_z"}, set()),
    (Match("xz", GAME, (E, D)), "match_xz", {E, D, P, "critic_xz"}, set()),
    (Match("xc", GAME, (D,)), "match_xc", {D, P, "critic_xc"}, {"condition"}),
    (Match("domain", GAME, (E,)), "match_domain", {E, "critic_domain"}, set()),
    (
        Match("x", GAME, (D,), critic="critic_frames"),
        "match_x_frames",
        {D, P, "critic_frames"},
        {"critic_frames"},
    ),
    (
        CriticWeighted(Reconstruct("x"), (E, D)),
        "critic_weighted_reconstruct_x",
        {E, D, P, "critic_x"},
        set(),
    ),
    (
        CriticWeighted(Match("x", KL(), ("density",)), (E,), critic="critic_z"),
        "critic_weighted_match_x",
        {"density", D, P, "critic_z"},
        set(),
    ),
    (Cycle("x"), "cycle_x", {E, D}, set()),
    (Cycle("z"), "cycle_z", {E, D, P}, set()),
    (Identity("x", trains=(D,)), "identity_x", {D}, set()),
    (Identity("z", trains=(E,)), "identity_z", {E, P}, set()),
]


@pytest.mark.parametrize(("term", "name", "networks", "needs"), CONTRACTS)
def test_a_term_says_its_name_its_networks_and_its_needs(term, name, networks, needs):
    assert term.name == name
    assert set(term.networks) == networks
    assert set(needs_of(term)) == needs


@pytest.mark.parametrize(
    ("term", "formula"),
    [
        (Match("z", KL(), (E,), weight=4.0), "4 Match(z, KL)"),
        (Match("x", Adversarial(hinge), (D,)), "Match(x, hinge)"),
        (Match("x", Adversarial(hinge), (D,), critic="critic_frames"), "Match(x, hinge, frames)"),
        (Reconstruct("features", weight=0.25), "0.25 Reconstruct(features)"),
        (CriticWeighted(Reconstruct("x", weight=2.0), (E,)), "CriticWeighted(2 Reconstruct(x))"),
        (L1(weight=100.0), "100 L1(x)"),
    ],
)
def test_a_term_is_described_by_its_formula_and_a_weight_that_is_not_1(term, formula):
    assert describe(term) == formula


class Foreign:
    """A term of a user's own, without a formula."""

    name, trains, networks, weight = "sparsity", (E,), (E,), 0.5
    needs = frozenset({"labels"})

    def __call__(self, passes):
        return passes.x.sum(1)


def test_any_term_can_be_adjusted_and_stays_itself_where_nothing_changes():
    foreign = Foreign()
    assert adjust(foreign) is foreign
    changed = adjust(foreign, weight=2.0, trains=(E, D))
    assert (changed.weight, changed.trains, changed.name) == (2.0, (E, D), "sparsity")
    assert (changed.networks, needs_of(changed)) == ((E,), {"labels"})
    assert describe(changed) == "2 sparsity"
    kept = adjust(Reconstruct("x"), weight=3.0)
    assert kept == Reconstruct("x", weight=3.0)
