"""Settings of a model reach its recipe, and a domain says which models it can train."""

import re
from typing import get_args

import pytest
from fake_domain import fake_domain

from core.app.commands.options import Start
from core.app.configuration import CHANGEABLE, ModelConfig
from core.app.domain import find_domain
from core.errors import ConfigError, UserError
from core.recipe import Recipe
from core.recipes import RECIPES
from core.theory.adversarial import Adversarial, hinge, logistic, wasserstein
from core.theory.terms import Match


def resolved(**settings: object) -> dict[str, Match]:
    """The terms of a configured recipe, by name."""
    recipe = ModelConfig.model_validate(settings).resolved_recipe
    return {term.name: term for term in recipe.terms}  # type: ignore[misc]  # all are matches here


def game(term: Match) -> Adversarial:
    assert isinstance(term.by, Adversarial)
    return term.by


def test_without_settings_it_is_the_recipe_itself():
    assert ModelConfig(recipe="aae").resolved_recipe == RECIPES["aae"]


def test_weights_are_those_of_the_terms_that_are_named():
    terms = resolved(recipe="aae", weights={"match_z": 0.125})
    assert {name: term.weight for name, term in terms.items()} == {
        "reconstruct_x": 1.0,
        "match_z": 0.125,
    }


def test_terms_join_late_under_the_names_that_they_come_to_have():
    def late(name: str) -> Recipe:
        return ModelConfig(recipe=name, late={"match_xc": 0.25}).resolved_recipe

    assert late("cgan").late == {"match_xc": 0.25}
    assert late("cgan").unconditional().late == {"match_x": 0.25}
    assert late("cgan").without({"match_xc"}).late == {}
    assert RECIPES["gan"].later({"match_x": 0.5}).beside_condition().late == {"match_xc": 0.5}
    with pytest.raises(ConfigError, match="no term is called 'match_xc'"):
        late("vae")
    with pytest.raises(ValueError, match="less than or equal to 1"):
        ModelConfig(recipe="vae", late={"match_z": 1.5})


def test_a_game_and_its_pace_are_set_beside_each_other():
    by = game(resolved(recipe="cgan", game="wgan_gp", critic_steps=2)["match_xc"])
    assert (by.game, by.critic_steps, by.penalties[0].weight) == (wasserstein, 2, 10.0)  # type: ignore[attr-defined]
    assert game(resolved(recipe="cgan", game="hinge")["match_xc"]).play == "linear"
    assert game(resolved(recipe="cgan", critic_steps=3)["match_xc"]).game is logistic


@pytest.mark.parametrize("settings", [{"game": "hinge"}, {"critic_steps": 2}])
def test_a_game_of_a_recipe_without_games_is_refused(settings: dict[str, object]):
    with pytest.raises(ConfigError, match="are for games, and vae plays none: leave them out"):
        resolved(recipe="vae", **settings)


def test_wrong_conditions_stay_with_another_game():
    """gan_cls is shown them, cgan is not."""
    for name, shown in (("gan_cls", True), ("cgan", False)):
        by = game(resolved(recipe=name, game="hinge")["match_xc"])
        assert (by.game, by.mismatched) == (hinge, shown)


def test_stabilisers_come_upon_the_game_that_is_chosen():
    terms = resolved(
        recipe="gan",
        game="hinge",
        stabilisers={"r1": 0.5, "feature_matching": 3.0, "instance_noise": 0.25},
    )
    by = game(terms["match_x"])
    assert (by.game, by.instance_noise, by.label_smoothing) == (hinge, 0.25, 0.0)
    assert [(p.name, p.weight) for p in by.penalties] == [("r1", 0.5)]  # type: ignore[attr-defined]
    assert terms["features_x"].weight == 3.0
    assert terms["features_x"].trains == ("decoder",)


def test_only_how_long_how_fast_and_how_often_may_change_in_a_run():
    assert set(CHANGEABLE) == {
        "train.steps",
        "train.minutes",
        "train.clock",
        "train.batch_size",
        "train.learner.learning_rate",
        "train.learner.clip_norm",
        "train.critic.learning_rate",
        "train.critic.clip_norm",
        "train.warmup_steps",
        "train.decay",
        "train.skips_allowed",
        "train.setbacks_allowed",
        "train.log_every_steps",
        "train.sample_every_steps",
        "train.save_every_steps",
        "train.save_every_minutes",
        "train.tensorboard",
    }


@pytest.mark.parametrize(
    ("model", "has_other", "sentence"),
    [
        ("cgan", False, "cgan needs what music lacks: condition"),
        ("dann", True, "dann needs what music lacks: labels, other"),
        ("vae", True, "vae learns from one collection: leave --other out"),
        ("tune", False, "no model is called 'tune': did you mean 'tunes'?"),
    ],
)
def test_a_model_that_the_domain_cannot_train_is_refused(tmp_path, model, has_other, sentence):
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        fake_domain(tmp_path, aliases={"tunes": "vae"}).require(model, has_other)


def test_a_model_that_the_domain_can_train_is_known_by_its_alias(tmp_path):
    music = fake_domain(tmp_path, aliases={"tunes": "vae"})
    music.require("tunes", has_other=False)
    assert music.recipe_name("tunes") == "vae"
    assert (music.is_translation("tunes"), music.is_translation("cyclegan")) == (False, True)


def test_weights_that_ship_are_no_model_but_a_start(tmp_path):
    option = get_args(Start)[1].default  # the option of `train`
    said = f"'tango' names weights that ship, not a model: {option} tango starts from them"
    with pytest.raises(ConfigError, match=re.escape(said)):
        fake_domain(tmp_path).recipe_name("tango")


def test_a_translation_needs_a_second_collection(tmp_path):
    offering = fake_domain(tmp_path, offers=frozenset({"other"}))
    offering.require("cyclegan", has_other=True)
    with pytest.raises(ConfigError, match="give the second by --other"):
        offering.require("cyclegan", has_other=False)


def test_a_run_is_a_folder_a_shipped_model_or_the_default(tmp_path):
    music = fake_domain(tmp_path, aliases={"tunes": "vae"})
    (tmp_path / "mine").mkdir()
    assert music.folder(tmp_path / "mine") == tmp_path / "mine"
    assert music.folder("tango") == tmp_path / "tango"
    assert music.folder(None) == tmp_path / "tango"
    with pytest.raises(UserError, match=re.escape("give a run, as `pianoreel music train`")):
        music.folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match="writes it, or a model that ships: did you mean 'tango'"):
        music.folder("tangoo")
    with pytest.raises(UserError, match=r"writes it$"):
        music.folder(tmp_path / "tangoo")


def test_an_empty_name_of_a_run_is_not_the_default_one(tmp_path):
    """In the interpreter of commands, an unset variable is an empty name."""
    music = fake_domain(tmp_path)
    with pytest.raises(ConfigError, match="the name of a run is empty: give its folder"):
        music.folder("")
    with pytest.raises(ConfigError, match="the name of a run is empty"):
        find_domain([music], "")
