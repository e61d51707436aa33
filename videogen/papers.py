"""References of the models of video."""

from core.papers import Paper

BALAJI_2019 = Paper(
    "balaji2019conditional",
    "Balaji, Yogesh and Min, Martin Renqiang and Bai, Bing and Chellappa, Rama and "
    "Graf, Hans Peter",
    "Conditional GAN with Discriminative Filter Generation for Text-to-Video Synthesis",
    "IJCAI",
    2019,
)
SHI_2016 = Paper(
    "shi2016real",
    "Shi, Wenzhe and Caballero, Jose and Huszár, Ferenc and Totz, Johannes and Aitken, Andrew P. "
    "and Bishop, Rob and Rueckert, Daniel and Wang, Zehan",
    "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional "
    "Neural Network",
    "CVPR",
    2016,
)
TULYAKOV_2018 = Paper(
    "tulyakov2018mocogan",
    "Tulyakov, Sergey and Liu, Ming-Yu and Yang, Xiaodong and Kautz, Jan",
    "MoCoGAN: Decomposing Motion and Content for Video Generation",
    "CVPR",
    2018,
)
VONDRICK_2016 = Paper(
    "vondrick2016generating",
    "Vondrick, Carl and Pirsiavash, Hamed and Torralba, Antonio",
    "Generating Videos with Scene Dynamics",
    "NIPS",
    2016,
)
ESSER_2021 = Paper(
    "esser2021taming",
    "Esser, Patrick and Rombach, Robin and Ommer, Björn",
    "Taming Transformers for High-Resolution Image Synthesis",
    "CVPR",
    2021,
)
LI_2018 = Paper(
    "li2018video",
    "Li, Yitong and Min, Martin Renqiang and Shen, Dinghan and Carlson, David and Carin, Lawrence",
    "Video Generation from Text",
    "AAAI",
    2018,
)
MATHIEU_2016 = Paper(
    "mathieu2016deep",
    "Mathieu, Michael and Couprie, Camille and LeCun, Yann",
    "Deep Multi-Scale Video Prediction Beyond Mean Square Error",
    "ICLR",
    2016,
)
WANG_2004 = Paper(
    "wang2004image",
    "Wang, Zhou and Bovik, Alan C. and Sheikh, Hamid R. and Simoncelli, Eero P.",
    "Image Quality Assessment: From Error Visibility to Structural Similarity",
    "IEEE Transactions on Image Processing",
    2004,
)
