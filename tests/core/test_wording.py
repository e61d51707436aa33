"""The words of messages."""

from core.wording import nearest


def test_a_far_name_gets_the_list_and_no_guess():
    assert nearest("zzz", ["vae", "gan"]) == "there are vae, gan"
    assert nearest("zzz", ["vae", "gan"], "see `models`") == "see `models`"


def test_a_name_is_known_by_its_letters_in_any_case():
    assert nearest("VAE", ["gan", "vae"]).startswith("did you mean 'vae'?")
    assert nearest("soft pop", ["Rock", "Soft-Pop"]).startswith("did you mean 'Soft-Pop'?")
