"""Models side by side: who takes part, what each cost, and the table that is written."""

from pathlib import Path

import pytest
import torch
from fake_domain import fake_domain, fake_model
from rich.table import Table
from torch import nn

from core.app.comparison import (
    Contender,
    Cost,
    contenders,
    costs,
    markdown,
    require_all,
    train_each,
    write,
)
from core.app.domain import Domain
from core.app.model import Model
from core.errors import ConfigError, Resumable, Stopped, UserError
from core.theory.passes import Networks
from core.training.run import Run


def model(name: str = "vae") -> Model:
    """Seven numbers: a matrix of 2 x 3, and one."""
    parts = {"decoder": nn.Linear(3, 2, bias=False), "encoder": nn.Linear(1, 1, bias=False)}
    return fake_model(fake_domain(), Networks(parts), "vae", name)


def test_each_is_trained_into_a_folder_of_its_own_and_those_that_fail_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def train(one: Contender, to: Path) -> Model:
        assert to == tmp_path / one.title
        if one.model == "gan":
            raise UserError("no room on the disk")
        return model(one.title)

    three = [Contender("vae"), Contender("gan"), Contender("ae", ("model.game=hinge", "a=2"))]
    done, left_out = train_each(three, tmp_path, train)
    assert [trained.name for trained in done] == ["vae", "ae-game=hinge-a=2"]
    assert list(left_out) == ["gan"]
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "1 of 3: vae",
        "2 of 3: gan",
        "gan is left out: no room on the disk",
        "3 of 3: ae-game=hinge-a=2",
    ]
    with pytest.raises(UserError, match="no model could be trained"):
        train_each(three[1:2], tmp_path, train)


def test_a_comparison_on_a_full_disk_can_be_resumed(tmp_path):
    def train(one, folder):
        raise Resumable("cannot save: make room")

    with pytest.raises(Resumable, match=r"no model could be trained: .*the same command resumes"):
        train_each([Contender("vae"), Contender("gan")], tmp_path, train)


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ({"gan": Resumable("no room")}, 3),
        ({"gan": UserError("no such weights")}, 1),
        ({"gan": Resumable("no room"), "ae": UserError("no such weights")}, 1),
    ],
)
def test_a_comparison_without_one_of_its_models_is_no_success(errors, code: int):
    with pytest.raises(UserError, match=f"without {', '.join(errors)}: .*same command") as caught:
        require_all(errors)
    assert caught.value.exit_code == code
    require_all({})


@pytest.mark.parametrize("error", [ConfigError("no such key"), Stopped("stopped after step 3")])
def test_wrong_settings_and_a_stop_end_the_comparison(tmp_path, error):
    seen = []

    def train(one: Contender, to: Path) -> Model:
        seen.append(one.model)
        raise error

    with pytest.raises(type(error)):
        train_each([Contender("vae"), Contender("gan")], tmp_path, train)
    assert seen == ["vae"]


def test_the_cost_is_that_of_the_newest_checkpoint(tmp_path):
    with Run.open(tmp_path / "vae", {"recipe": "vae"}) as run:
        for step, seconds in ((1000, 12.5), (1700, 61.75)):
            run.save(step, {"ema": {"w": torch.zeros(1)}}, {"step": step, "seconds": seconds})
    assert Cost.of(tmp_path / "vae", model()) == Cost(1700, 61.75, 7)
    table = costs([model()], tmp_path)
    cells = [list(column.cells) for column in table.columns]
    assert cells == [["vae"], ["1,700"], ["62"], ["7"]]
    assert [column.justify for column in table.columns] == ["left", "right", "right", "right"]


def test_a_model_without_a_checkpoint_cost_nothing_yet(tmp_path):
    with Run.open(tmp_path / "vae", {}):
        pass
    assert Cost.of(tmp_path / "vae", model()) == Cost(0, 0.0, 7)


def test_tables_and_pictures_are_written_under_the_command(tmp_path):
    table = Table("model", title="sizes")
    table.add_column("size", justify="right")
    table.add_row("vae", "7")
    path = write([table, table], ["models.png"], ["pianoreel", "music", "compare"], tmp_path)
    shown = "### sizes\n\n| model | size |\n| --- | --: |\n| vae | 7 |"
    assert markdown(table) == shown
    assert path == tmp_path / "comparison.md"
    assert path.read_text() == (
        "# Models side by side\n\n`pianoreel music compare`\n\n![](models.png)\n\n"
        f"{shown}\n\n{shown}\n"
    )


def names(chosen: list[Contender]) -> set[str]:
    return {one.model for one in chosen}


def domain(*offers: str) -> Domain:
    return fake_domain(offers=frozenset(offers))


def test_without_names_all_take_part_that_can_be_trained_and_sampled():
    alone = names(contenders(domain(), []))
    assert {"vae", "gan", "wake_sleep", "vq_vae"} <= alone
    assert not alone & {"ae", "classifier", "cgan", "nice", "cyclegan"}
    assert {"cgan", "nice"} <= names(contenders(domain("condition", "vectors"), []))


def test_with_a_second_collection_those_that_translate_take_part():
    offering = domain("other")
    assert "cyclegan" in names(contenders(offering, [], two=True))
    assert "cyclegan" not in names(contenders(offering, []))
    both = [Contender("cyclegan"), Contender("vae", ("model.game=hinge",))]
    assert contenders(offering, ["cyclegan", "vae model.game=hinge"], two=True) == both
    with pytest.raises(ConfigError, match="give the second by --other"):
        contenders(offering, ["vae", "cyclegan"])


def test_two_models_of_one_title_would_be_one_run():
    settings = ("vae model.game=hinge", "vae", "vae model.width=hinge")
    assert len(contenders(domain(), settings[:2])) == 2
    for texts, title in ((settings, "vae-game=hinge"), (("gan", "vae", "gan"), "gan")):
        texts = [text.replace("model.width", "model.other.game") for text in texts]
        with pytest.raises(ConfigError, match=f"two of the models are called {title}.*leave one"):
            contenders(domain(), texts)


def test_what_follows_a_models_name_are_settings():
    with pytest.raises(ConfigError, match=r"--model 'vae hinge': .*KEY=VALUE.*not 'hinge'"):
        contenders(domain(), ["vae hinge"])


def test_what_a_model_can_do_follows_from_its_recipe():
    def trained(recipe: str, **parts: nn.Module) -> Model:
        return fake_model(fake_domain(), Networks(parts), recipe, "mine")

    translating = trained("cyclegan", encoder=nn.Linear(1, 2), decoder=nn.Linear(2, 1))
    assert (translating.translates, translating.draws) == (True, False)
    for refused, sentence in (
        (lambda: translating.space, "mine translates and has no latent space"),
        (lambda: translating.prior(2), "mine translates: give it files"),
        (lambda: trained("ae").prior(2), "mine has no prior to sample from"),
    ):
        with pytest.raises(UserError, match=sentence):
            refused()
    assert (trained("vae").translates, trained("vae").draws) == (False, True)
    assert (trained("ae").translates, trained("ae").draws) == (False, False)
