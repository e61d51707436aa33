"""The table of contents of the theory: every model as a short list of terms.

The terms determine the networks: a domain builds those, under these names, and any recipe runs in
any domain that offers what its terms need.

>>> RECIPES["aae"].networks
('critic_z', 'decoder', 'encoder', 'prior')
"""

from collections.abc import Mapping

from core import papers
from core.densities.closed_form import GaussianMixture, LinearGaussian
from core.densities.codebook import CodePrior, TwoLevelCodePrior
from core.densities.flow import glow, nice, realnvp
from core.densities.map_flow import glow_maps, realnvp_maps
from core.densities.sequences import (
    local_transformer,
    pixelcnn,
    sparse_transformer,
    transformer,
    wavenet,
)
from core.errors import ConfigError
from core.networks.codes import LatentCodePrior
from core.networks.hierarchy import HierarchicalDelta, HierarchicalGaussian, HierarchicalPrior
from core.recipe import Recipe
from core.theory.adversarial import HINGE, WGAN, WGAN_GP, Adversarial, least_squares, logistic
from core.theory.codes import CodePosterior
from core.theory.distributions import Delta
from core.theory.divergences import EM, KL, MMD, Moments, Nearest
from core.theory.terms import (
    L1,
    Classify,
    CriticWeighted,
    Cycle,
    Identity,
    Match,
    MutualInformation,
    Reconstruct,
)
from core.training.optimisation import Optimisation
from core.wording import nearest

ENCODER, DECODER, BOTH = ("encoder",), ("decoder",), ("encoder", "decoder")
RECONSTRUCT = Reconstruct("x")
TO_PRIOR = Match("z", KL(), trains=ENCODER)
TO_LEARNED_PRIOR = Match("z", KL(), trains=("encoder", "prior"))
FOOL = Match("x", Adversarial(logistic), trains=DECODER)
CODED = (
    RECONSTRUCT,
    Match("z", Nearest("codes"), trains=("prior",)),
    Match("z", Nearest("commit"), trains=ENCODER, weight=0.25),
    Match("z", KL(), trains=("prior",)),
)
LIKELIHOOD = Match("x", KL(), trains=("density",))
"""The terms that most recipes share."""

LISTING = "`pianoreel models` lists all"

RECIPES: dict[str, Recipe] = {
    "ae": Recipe(
        (RECONSTRUCT,),
        papers.HINTON_2006,
        "reconstructs only: without a prior, z cannot be sampled",
        posterior=Delta,
    ),
    "denoising_ae": Recipe(
        (RECONSTRUCT,),
        papers.VINCENT_2008,
        "the encoder's input is x with noise",
        posterior=Delta,
        corruption=0.3,
    ),
    "vae": Recipe((RECONSTRUCT, TO_PRIOR), papers.KINGMA_2014, "the evidence lower bound"),
    "beta_vae": Recipe(
        (RECONSTRUCT, Match("z", KL(), trains=ENCODER, weight=4.0)),
        papers.HIGGINS_2017,
        "beta is the weight of match_z",
    ),
    "hierarchical_vae": Recipe(
        (RECONSTRUCT, TO_LEARNED_PRIOR),
        papers.CHILD_2021,
        "latents on two levels, the lower conditioned on the upper",
        posterior=HierarchicalGaussian,
        prior=HierarchicalPrior,
    ),
    "cvae": Recipe(
        (RECONSTRUCT, TO_PRIOR),
        papers.SOHN_2015,
        "all networks are conditioned on c, and p(z given c) is learned",
    ).conditional(),
    "wake_sleep": Recipe(
        (Reconstruct("x", trains=DECODER), Reconstruct("z", trains=ENCODER)),
        papers.HINTON_1995,
        "the decoder is trained on data, the encoder on generated samples",
    ),
    "gan": Recipe((FOOL,), papers.GOODFELLOW_2014, "the non-saturating game"),
    "gan_minimax": Recipe(
        (Match("x", Adversarial(logistic, play="minimax"), trains=DECODER),),
        papers.GOODFELLOW_2014,
        "the original minimax game",
    ),
    "lsgan": Recipe((Match("x", Adversarial(least_squares), trains=DECODER),), papers.MAO_2017),
    "hinge": Recipe((Match("x", HINGE, trains=DECODER),), papers.LIM_2017),
    "wgan": Recipe(
        (Match("x", WGAN, trains=DECODER),),
        papers.ARJOVSKY_2017,
        "the critic's weights are clipped",
        optimisation=Optimisation(optimiser="rmsprop", learning_rate=5e-5),
    ),
    "wgan_gp": Recipe(
        (Match("x", WGAN_GP, trains=DECODER),),
        papers.GULRAJANI_2017,
        "the critic's gradient norm is penalised towards 1",
    ),
    "gmmn": Recipe(
        (Match("x", MMD(), trains=DECODER),),
        papers.LI_2015,
        "maximum mean discrepancy in place of a critic",
    ),
    "cgan": Recipe(
        (Match("xc", Adversarial(logistic), trains=DECODER),),
        papers.MIRZA_2014,
        "the critic is conditioned on c",
    ).conditional(),
    "gan_cls": Recipe(
        (Match("xc", Adversarial(logistic, mismatched=True), trains=DECODER),),
        papers.REED_2016,
        "the critic also rejects data with mismatched conditions",
    ).conditional(),
    "pix2pix": Recipe(
        (L1(weight=100.0), Match("xc", Adversarial(logistic), trains=DECODER)),
        papers.ISOLA_2017,
        "predicts x from c, and a critic of patches sees both; z is noise (the paper: dropout)",
        patches=True,
    ).conditional(),
    "cyclegan": Recipe(
        (
            Match("x", Adversarial(least_squares), trains=DECODER),
            Match("z", Adversarial(least_squares), trains=ENCODER),
            Cycle("x", weight=10.0),
            Cycle("z", weight=10.0),
        ),
        papers.ZHU_2017,
        "z is data of another collection: encoder and decoder translate, and return",
        posterior=Delta,
        other=True,
        patches=True,
        options=(Identity("x", trains=DECODER), Identity("z", trains=ENCODER)),
    ),
    "infogan": Recipe(
        (
            FOOL,
            MutualInformation("categorical", trains=BOTH),
            MutualInformation("continuous", trains=BOTH, weight=0.1),
        ),
        papers.CHEN_2016,
        "a code beside noise can be read from x; the encoder is Q, with layers of its own",
        posterior=CodePosterior,
        prior=LatentCodePrior,
    ),
    "bigan": Recipe(
        (Match("xz", Adversarial(logistic), trains=BOTH),),
        papers.DONAHUE_2017,
        "compares the joint distributions of x and z: the encoder inverts the decoder",
        posterior=Delta,
    ),
    "aae": Recipe(
        (RECONSTRUCT, Match("z", Adversarial(logistic), trains=ENCODER, weight=50.0)),
        papers.MAKHZANI_2016,
        "matches the aggregate posterior with the prior by a game; the VAE matches each posterior",
        posterior=Delta,
    ),
    "wae_mmd": Recipe(
        (RECONSTRUCT, Match("z", MMD(), trains=ENCODER, weight=100.0)),
        papers.TOLSTIKHIN_2018,
        "matches the aggregate posterior with the prior by maximum mean discrepancy",
        posterior=Delta,
    ),
    "vae_gan": Recipe(
        (
            Reconstruct("features"),
            TO_PRIOR,
            Match("x", Adversarial(logistic, reconstructions=True), trains=DECODER),
        ),
        papers.LARSEN_2016,
        "reconstruction error in the features of the critic",
    ),
    "aavae": Recipe(
        (
            CriticWeighted(RECONSTRUCT, BOTH),
            CriticWeighted(TO_PRIOR, ENCODER),
            Match("x", Adversarial(logistic), trains=(), weight=0.0),
        ),
        papers.HU_2018,
        "also trains on generated samples, weighted by the critic's probability of data",
    ),
    "musegan": Recipe(
        (Match("x", WGAN_GP, trains=DECODER), Match("x", Moments(), trains=DECODER, weight=10.0)),
        papers.DONG_2018,
        "wgan_gp with feature matching on fixed statistics (Salimans et al. 2016)",
    ),
    "vae_flow": Recipe(
        (RECONSTRUCT, TO_LEARNED_PRIOR),
        papers.CHEN_2017,
        "a VAE whose prior is a learned flow",
        prior=realnvp,
    ),
    "vq_vae": Recipe(
        CODED,
        papers.OORD_2017,
        "z is a sequence of codes, with an autoregressive prior",
        posterior=Delta,
        prior=CodePrior,
    ),
    "vq_vae_2": Recipe(
        CODED,
        papers.RAZAVI_2019,
        "coarse codes, then fine codes given those",
        posterior=HierarchicalDelta,
        prior=TwoLevelCodePrior,
    ),
    "nice": Recipe((LIKELIHOOD,), papers.DINH_2015, "additive couplings", density=nice),
    "realnvp": Recipe(
        (LIKELIHOOD,),
        papers.DINH_2017,
        "affine couplings, over maps on several scales",
        density=realnvp,
        map_density=realnvp_maps,
    ),
    "glow": Recipe(
        (LIKELIHOOD,),
        papers.KINGMA_2018,
        "affine couplings, actnorm and learned linear maps, over maps on several scales",
        density=glow,
        map_density=glow_maps,
    ),
    "gaussian_mixture": Recipe(
        (Match("x", EM(), trains=("density",)),),
        papers.DEMPSTER_1977,
        "a baseline, by expectation maximisation",
        density=GaussianMixture,
    ),
    "ppca": Recipe((LIKELIHOOD,), papers.TIPPING_1999, "a baseline", density=LinearGaussian),
    "pixelcnn": Recipe(
        (LIKELIHOOD,), papers.OORD_2016_GATED, "gated masked convolutions", sequence=pixelcnn
    ),
    "wavenet": Recipe(
        (LIKELIHOOD,),
        papers.OORD_2016_WAVENET,
        "gated dilated causal convolutions, with skips to the output",
        sequence=wavenet,
    ),
    "transformer": Recipe(
        (LIKELIHOOD,),
        papers.VASWANI_2017,
        "attention to all earlier positions",
        sequence=transformer,
    ),
    "sparse_transformer": Recipe(
        (LIKELIHOOD,),
        papers.CHILD_2019,
        "attention to the last positions and, by strides, to earlier ones",
        sequence=sparse_transformer,
    ),
    "local_transformer": Recipe(
        (LIKELIHOOD,),
        papers.PARMAR_2018,
        "attention within a block and to the block before: linear in the length",
        sequence=local_transformer,
    ),
    "classifier": Recipe(
        (Classify(),),
        papers.RUMELHART_1986,
        "a baseline trained on the labelled collection alone",
        posterior=Delta,
    ),
    "dann": Recipe(
        (
            Classify(),
            Match("domain", Adversarial(logistic, play="minimax"), trains=ENCODER),
        ),
        papers.GANIN_2016,
        "gradient reversal: z does not reveal the collection of x",
        posterior=Delta,
        other=True,
        begins="classifier",
    ),
    "adda": Recipe(
        (
            Classify(trains=(), weight=0.0, encoder="source"),
            Match("domain", Adversarial(logistic), trains=ENCODER),
        ),
        papers.TZENG_2017,
        "an encoder of the other collection, trained against the first one's latents",
        posterior=Delta,
        other=True,
        begins="classifier",
    ),
    "autoregressive": Recipe(
        (LIKELIHOOD,),
        papers.VASWANI_2017,
        "an exact likelihood, factorised autoregressively",
    ),
}


def recipe(name: str, known: Mapping[str, Recipe] = RECIPES) -> Recipe:
    """Return the recipe of this name among the `known` ones, which a domain can extend.

    `ConfigError` for an unknown name, with the nearest known ones.
    """
    if name not in known:
        raise ConfigError(f"no model is called '{name}': {nearest(name, list(known), LISTING)}")
    return known[name]
