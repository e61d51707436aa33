"""References: one constant for each paper, by first author and year."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """Bibliographic reference of a paper."""

    key: str
    authors: str
    title: str
    venue: str
    year: int

    @property
    def bibtex(self) -> str:
        """Entry for a BibTeX file."""
        fields = {
            "author": self.authors,
            "title": f"{{{self.title}}}",
            "booktitle": self.venue,
            "year": str(self.year),
        }
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
        return "\n".join([f"@inproceedings{{{self.key},", *lines, "}"])


HINTON_1995 = Paper(
    "hinton1995wake",
    "Hinton, Geoffrey E. and Dayan, Peter and Frey, Brendan J. and Neal, Radford M.",
    "The Wake-Sleep Algorithm for Unsupervised Neural Networks",
    "Science",
    1995,
)
HINTON_2006 = Paper(
    "hinton2006reducing",
    "Hinton, Geoffrey E. and Salakhutdinov, Ruslan R.",
    "Reducing the Dimensionality of Data with Neural Networks",
    "Science",
    2006,
)
VINCENT_2008 = Paper(
    "vincent2008denoising",
    "Vincent, Pascal and Larochelle, Hugo and Bengio, Yoshua and Manzagol, Pierre-Antoine",
    "Extracting and Composing Robust Features with Denoising Autoencoders",
    "ICML",
    2008,
)
GOODFELLOW_2014 = Paper(
    "goodfellow2014gan",
    "Goodfellow, Ian and Pouget-Abadie, Jean and Mirza, Mehdi and Xu, Bing and "
    "Warde-Farley, David and Ozair, Sherjil and Courville, Aaron and Bengio, Yoshua",
    "Generative Adversarial Nets",
    "NIPS",
    2014,
)
KINGMA_2014 = Paper(
    "kingma2014vae",
    "Kingma, Diederik P. and Welling, Max",
    "Auto-Encoding Variational Bayes",
    "ICLR",
    2014,
)
MIRZA_2014 = Paper(
    "mirza2014cgan",
    "Mirza, Mehdi and Osindero, Simon",
    "Conditional Generative Adversarial Nets",
    "arXiv 1411.1784",
    2014,
)
LI_2015 = Paper(
    "li2015gmmn",
    "Li, Yujia and Swersky, Kevin and Zemel, Richard",
    "Generative Moment Matching Networks",
    "ICML",
    2015,
)
SOHN_2015 = Paper(
    "sohn2015cvae",
    "Sohn, Kihyuk and Lee, Honglak and Yan, Xinchen",
    "Learning Structured Output Representation using Deep Conditional Generative Models",
    "NIPS",
    2015,
)
CHEN_2016 = Paper(
    "chen2016infogan",
    "Chen, Xi and Duan, Yan and Houthooft, Rein and Schulman, John and Sutskever, Ilya "
    "and Abbeel, Pieter",
    "InfoGAN: Interpretable Representation Learning by Information Maximizing Generative "
    "Adversarial Nets",
    "NIPS",
    2016,
)
LARSEN_2016 = Paper(
    "larsen2016vaegan",
    "Larsen, Anders Boesen Lindbo and Soenderby, Soeren Kaae and Larochelle, Hugo and "
    "Winther, Ole",
    "Autoencoding beyond Pixels Using a Learned Similarity Metric",
    "ICML",
    2016,
)
MAKHZANI_2016 = Paper(
    "makhzani2016aae",
    "Makhzani, Alireza and Shlens, Jonathon and Jaitly, Navdeep and Goodfellow, Ian and "
    "Frey, Brendan",
    "Adversarial Autoencoders",
    "ICLR Workshop",
    2016,
)
REED_2016 = Paper(
    "reed2016matching",
    "Reed, Scott and Akata, Zeynep and Yan, Xinchen and Logeswaran, Lajanugen and "
    "Schiele, Bernt and Lee, Honglak",
    "Generative Adversarial Text to Image Synthesis",
    "ICML",
    2016,
)
ARJOVSKY_2017 = Paper(
    "arjovsky2017wgan",
    "Arjovsky, Martin and Chintala, Soumith and Bottou, Leon",
    "Wasserstein Generative Adversarial Networks",
    "ICML",
    2017,
)
DONAHUE_2017 = Paper(
    "donahue2017bigan",
    "Donahue, Jeff and Kraehenbuehl, Philipp and Darrell, Trevor",
    "Adversarial Feature Learning",
    "ICLR",
    2017,
)
GULRAJANI_2017 = Paper(
    "gulrajani2017wgangp",
    "Gulrajani, Ishaan and Ahmed, Faruk and Arjovsky, Martin and Dumoulin, Vincent and "
    "Courville, Aaron",
    "Improved Training of Wasserstein GANs",
    "NIPS",
    2017,
)
HIGGINS_2017 = Paper(
    "higgins2017beta",
    "Higgins, Irina and Matthey, Loic and Pal, Arka and Burgess, Christopher and Glorot, "
    "Xavier and Botvinick, Matthew and Mohamed, Shakir and Lerchner, Alexander",
    "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework",
    "ICLR",
    2017,
)
LIM_2017 = Paper(
    "lim2017geometric",
    "Lim, Jae Hyun and Ye, Jong Chul",
    "Geometric GAN",
    "arXiv 1705.02894",
    2017,
)
MAO_2017 = Paper(
    "mao2017lsgan",
    "Mao, Xudong and Li, Qing and Xie, Haoran and Lau, Raymond Y. K. and Wang, Zhen and "
    "Smolley, Stephen Paul",
    "Least Squares Generative Adversarial Networks",
    "ICCV",
    2017,
)
VASWANI_2017 = Paper(
    "vaswani2017attention",
    "Vaswani, Ashish and Shazeer, Noam and Parmar, Niki and Uszkoreit, Jakob and Jones, "
    "Llion and Gomez, Aidan N. and Kaiser, Lukasz and Polosukhin, Illia",
    "Attention Is All You Need",
    "NIPS",
    2017,
)
DONG_2018 = Paper(
    "dong2018musegan",
    "Dong, Hao-Wen and Hsiao, Wen-Yi and Yang, Li-Chia and Yang, Yi-Hsuan",
    "MuseGAN: Multi-track Sequential Generative Adversarial Networks for Symbolic Music "
    "Generation and Accompaniment",
    "AAAI",
    2018,
)
TOLSTIKHIN_2018 = Paper(
    "tolstikhin2018wae",
    "Tolstikhin, Ilya and Bousquet, Olivier and Gelly, Sylvain and Schoelkopf, Bernhard",
    "Wasserstein Auto-Encoders",
    "ICLR",
    2018,
)
CHILD_2021 = Paper(
    "child2021vdvae",
    "Child, Rewon",
    "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images",
    "ICLR",
    2021,
)
CHEN_2017 = Paper(
    "chen2017vlae",
    "Chen, Xi and Kingma, Diederik P. and Salimans, Tim and Duan, Yan and Dhariwal, "
    "Prafulla and Schulman, John and Sutskever, Ilya and Abbeel, Pieter",
    "Variational Lossy Autoencoder",
    "ICLR",
    2017,
)
DINH_2015 = Paper(
    "dinh2015nice",
    "Dinh, Laurent and Krueger, David and Bengio, Yoshua",
    "NICE: Non-linear Independent Components Estimation",
    "ICLR Workshop",
    2015,
)
DINH_2017 = Paper(
    "dinh2017realnvp",
    "Dinh, Laurent and Sohl-Dickstein, Jascha and Bengio, Samy",
    "Density Estimation using Real NVP",
    "ICLR",
    2017,
)
KINGMA_2018 = Paper(
    "kingma2018glow",
    "Kingma, Diederik P. and Dhariwal, Prafulla",
    "Glow: Generative Flow with Invertible 1x1 Convolutions",
    "NIPS",
    2018,
)
DEMPSTER_1977 = Paper(
    "dempster1977em",
    "Dempster, Arthur P. and Laird, Nan M. and Rubin, Donald B.",
    "Maximum Likelihood from Incomplete Data via the EM Algorithm",
    "Journal of the Royal Statistical Society B",
    1977,
)
TIPPING_1999 = Paper(
    "tipping1999ppca",
    "Tipping, Michael E. and Bishop, Christopher M.",
    "Probabilistic Principal Component Analysis",
    "Journal of the Royal Statistical Society B",
    1999,
)
OORD_2017 = Paper(
    "vandenoord2017vqvae",
    "van den Oord, Aaron and Vinyals, Oriol and Kavukcuoglu, Koray",
    "Neural Discrete Representation Learning",
    "NIPS",
    2017,
)
RAZAVI_2019 = Paper(
    "razavi2019vqvae2",
    "Razavi, Ali and van den Oord, Aaron and Vinyals, Oriol",
    "Generating Diverse High-Fidelity Images with VQ-VAE-2",
    "NIPS",
    2019,
)
ISOLA_2017 = Paper(
    "isola2017pix2pix",
    "Isola, Phillip and Zhu, Jun-Yan and Zhou, Tinghui and Efros, Alexei A.",
    "Image-to-Image Translation with Conditional Adversarial Networks",
    "CVPR",
    2017,
)
ZHU_2017 = Paper(
    "zhu2017cyclegan",
    "Zhu, Jun-Yan and Park, Taesung and Isola, Phillip and Efros, Alexei A.",
    "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
    "ICCV",
    2017,
)
HU_2018 = Paper(
    "hu2018unifying",
    "Hu, Zhiting and Yang, Zichao and Salakhutdinov, Ruslan and Xing, Eric P.",
    "On Unifying Deep Generative Models",
    "ICLR",
    2018,
)
OORD_2016_GATED = Paper(
    "oord2016conditional",
    "van den Oord, Aaron and Kalchbrenner, Nal and Vinyals, Oriol and Espeholt, Lasse and "
    "Graves, Alex and Kavukcuoglu, Koray",
    "Conditional Image Generation with PixelCNN Decoders",
    "NIPS",
    2016,
)
OORD_2016_WAVENET = Paper(
    "oord2016wavenet",
    "van den Oord, Aaron and Dieleman, Sander and Zen, Heiga and Simonyan, Karen and "
    "Vinyals, Oriol and Graves, Alex and Kalchbrenner, Nal and Senior, Andrew and "
    "Kavukcuoglu, Koray",
    "WaveNet: A Generative Model for Raw Audio",
    "arXiv 1609.03499",
    2016,
)
PARMAR_2018 = Paper(
    "parmar2018image",
    "Parmar, Niki and Vaswani, Ashish and Uszkoreit, Jakob and Kaiser, Lukasz and "
    "Shazeer, Noam and Ku, Alexander and Tran, Dustin",
    "Image Transformer",
    "ICML",
    2018,
)
CHILD_2019 = Paper(
    "child2019sparse",
    "Child, Rewon and Gray, Scott and Radford, Alec and Sutskever, Ilya",
    "Generating Long Sequences with Sparse Transformers",
    "arXiv 1904.10509",
    2019,
)
RUMELHART_1986 = Paper(
    "rumelhart1986learning",
    "Rumelhart, David E. and Hinton, Geoffrey E. and Williams, Ronald J.",
    "Learning Representations by Back-Propagating Errors",
    "Nature",
    1986,
)
GANIN_2016 = Paper(
    "ganin2016domain",
    "Ganin, Yaroslav and Ustinova, Evgeniya and Ajakan, Hana and Germain, Pascal and "
    "Larochelle, Hugo and Laviolette, Francois and Marchand, Mario and Lempitsky, Victor",
    "Domain-Adversarial Training of Neural Networks",
    "JMLR",
    2016,
)
TZENG_2017 = Paper(
    "tzeng2017adda",
    "Tzeng, Eric and Hoffman, Judy and Saenko, Kate and Darrell, Trevor",
    "Adversarial Discriminative Domain Adaptation",
    "CVPR",
    2017,
)
ACHLIOPTAS_2018 = Paper(
    "achlioptas2018learning",
    "Achlioptas, Panos and Diamanti, Olga and Mitliagkas, Ioannis and Guibas, Leonidas",
    "Learning Representations and Generative Models for 3D Point Clouds",
    "ICML",
    2018,
)
WAITE_2016 = Paper(
    "waite2016lookback",
    "Waite, Elliot",
    "Generating Long-Term Structure in Songs and Stories",
    "Magenta",
    2016,
)
