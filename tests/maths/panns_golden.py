"""What the authors' own code of PANNs and of VI-PANN computes, for weights by formula (see weigh) and one chirp.

Sources: github.com/qiuqiangkong/audioset_tagging_cnn and github.com/marko-orescanin-nps/VI-PANN; 32 kHz, 1024/320,
64 mels of 50 to 14,000 Hz, 527 classes, evaluation mode, one clip of 5 s. Rounded to seven digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")


@dataclass(frozen=True)
class Golden:
    weights: int  # trainable
    names: str  # sha256 of the JSON of every state-dict name with its shape, sorted, without front end and counters
    embedding: str  # the first numbers; ReLU(fc1) for PANNs, logits for VI-PANN
    embedding_mean_std: tuple[float, float]
    clipwise: str
    clipwise_mean_std: tuple[float, float]


def numbers(text: str) -> Tensor:
    return torch.tensor([float(word) for word in text.split()])


def is_weight(name: str) -> bool:
    return not name.startswith(FRONT_END) and not name.endswith("num_batches_tracked")


def weigh(state: dict[str, Tensor]) -> None:
    """Fill a state dict in place: sines of the place in the tensor and of the tensor's place among the names."""
    for number, name in enumerate(sorted(filter(is_weight, state))):
        tensor = state[name]
        places = torch.arange(tensor.numel(), dtype=torch.float64)
        wave = places.remainder(97).square_().mul_(0.013).add_(places, alpha=0.7).add_(1.3 * number).sin_()
        if name.endswith("running_var"):
            wave = 1 + 0.2 * wave
        elif tensor.dim() == 1 and name.removesuffix("weight") + "running_var" in state:
            wave = 0.8 + 0.2 * wave
        elif tensor.dim() == 1:
            wave = 0.05 * wave
        else:
            wave *= math.sqrt(2 / (tensor.numel() / tensor.shape[0]))
        tensor.copy_(wave.reshape(tensor.shape))


def chirp(rate: int = 32_000) -> Tensor:
    """(5 s,) float32."""
    t = torch.arange(5 * rate, dtype=torch.float64) / rate
    rising = 0.4 * torch.sin(2 * math.pi * (200 + 300 * t) * t) * torch.exp(-0.3 * t)
    return (rising + 0.1 * torch.sin(2 * math.pi * 3000 * t)).float()


GOLDEN: dict[str, Golden] = {
    "cnn6": Golden(
        weights=4_837_455,
        names="8f6b6d3207abcad045dec69ce843d6032956f7c559713098463232b2b2fb63f8",
        embedding=(
            "0 0 0 0.5630947 0 0 0 0 0 0.07506749 0.5899919 0.4326516 0 0 0 0.8206456 0 0 0 0 0 0 0.4970389 "
            "0.1806396 0 0 0.2103944 0.3021313 0.09803481 1.393651 0 0 "
        ),
        embedding_mean_std=(0.1819516, 0.3077418),
        clipwise=(
            "0.4504542 0.4792233 0.4888544 0.4920633 0.4713356 0.5012368 0.4718047 0.4895906 0.512754 "
            "0.4946561 0.4954894 0.4990186 0.5111281 0.5343005 0.5096324 0.5124396 0.4841846 0.4736997 "
            "0.4270126 0.5085028 0.5148167 0.5187621 0.4723379 0.491345 0.4801497 0.4713855 0.52864 0.4808099 "
            "0.5116158 0.5223238 0.4817484 0.5204729 "
        ),
        clipwise_mean_std=(0.4976879, 0.02498445),
    ),
    "cnn10": Golden(
        weights=5_219_279,
        names="9f6ac939f8c5439581674a32aae804f497f76b60fe72c353ad0fcb476ad55b5c",
        embedding=(
            "0 0.01224861 0.05089005 0.06036372 0 0 0 0 0.05470775 0.0486388 0.06414528 0 0 0 0.02339949 "
            "0.08467889 0.02141778 0 0 0 0.05135636 0.05334742 0.03627604 0 0 0 0.05405638 0 0 0.096016 "
            "0.02152463 0 "
        ),
        embedding_mean_std=(0.01822794, 0.02958447),
        clipwise=(
            "0.4388838 0.486555 0.4896329 0.492864 0.4943011 0.5135338 0.5072277 0.5029557 0.4968528 "
            "0.4903684 0.4896263 0.4946821 0.5099914 0.508334 0.493198 0.4917963 0.489168 0.4986256 0.4504922 "
            "0.5037113 0.496516 0.4935158 0.5017229 0.5218166 0.5005397 0.4785226 0.4911476 0.5052491 "
            "0.5164001 0.5012551 0.4808998 0.4939879 "
        ),
        clipwise_mean_std=(0.4980024, 0.01484924),
    ),
    "cnn14": Golden(
        weights=80_753_615,
        names="f2bf00a379a196db3c0be16627ec62465ed2103f001a9325a98b66736630bc3d",
        embedding=(
            "0 0 0.0192914 0 0 0 0 0.05672628 0 0 0 0 0 0.01356116 0.001589261 0.01740867 0 0.1852974 "
            "0.1525888 0.03319041 0 0.01190132 0 0 0.01698994 0.1257636 0 0.01640311 0.07246012 0.0463698 0 0 "
        ),
        embedding_mean_std=(0.04892917, 0.1653273),
        clipwise=(
            "0.3442807 0.4851551 0.488598 0.4955005 0.5039181 0.5137326 0.4958214 0.500923 0.4888719 0.44486 "
            "0.4996759 0.504967 0.5192146 0.5075693 0.4848157 0.485523 0.5022284 0.5347497 0.5327704 "
            "0.5025002 0.4889505 0.5004242 0.5054058 0.5113362 0.4970414 0.4974232 0.4870716 0.5103844 "
            "0.5141057 0.4879563 0.4879306 0.5086383 "
        ),
        clipwise_mean_std=(0.4943569, 0.02821883),
    ),
    "resnet22": Golden(
        weights=63_675_087,
        names="57a4e4c1b291d82f09a49ed7194d29eb6f347bd4b05343ad5f31b5d1aa875264",
        embedding=(
            "0 0 0.07488106 0.003831629 0 0 0 0 0 0 0.07987151 0.00636777 0.001433494 0 0 0 0.0635554 "
            "0.2435111 0.204581 0 0 0.08198476 0.04970434 0 0 0.1168209 0 0.09780052 0.06865764 0 0.01619924 "
            "0.08737197 "
        ),
        embedding_mean_std=(0.0539367, 0.1802459),
        clipwise=(
            "0.3666562 0.4957084 0.4996036 0.4818436 0.4856262 0.4972719 0.5101941 0.5208396 0.4979583 "
            "0.4410637 0.5012318 0.492694 0.493226 0.5068704 0.5118373 0.498603 0.4860809 0.5068219 0.5326908 "
            "0.5179102 0.494233 0.486443 0.4928985 0.494838 0.511027 0.5004717 0.4909988 0.4909765 0.5204434 "
            "0.5088429 0.4969873 0.495684 "
        ),
        clipwise_mean_std=(0.4965187, 0.02886533),
    ),
    "resnet38": Golden(
        weights=73_783_247,
        names="94ad7b2d8d64b51851d291f56ab1ea196ab6c523c48842b7d794653d7b963b65",
        embedding=(
            "0 0 0.02907312 0.02360529 0 0 0 0.01760904 0 0 0.06065922 0 0 0 0 0.001359094 0.04013701 "
            "0.240226 0.1959658 0 0 0.07778893 0.05307395 0 0 0.07745015 0 0.1023962 0.06903358 0 0 "
            "0.07172373 "
        ),
        embedding_mean_std=(0.05295071, 0.1754778),
        clipwise=(
            "0.365785 0.4964105 0.5010989 0.4851881 0.4890404 0.4968896 0.5102036 0.5204008 0.4983692 "
            "0.4409331 0.5006602 0.4932552 0.4928414 0.5081186 0.5093031 0.4992907 0.4874535 0.5080099 "
            "0.5325009 0.518165 0.4908373 0.487018 0.4923687 0.4942869 0.5108265 0.5017053 0.4920205 "
            "0.4929242 0.5203272 0.5073319 0.4959962 0.4958377 "
        ),
        clipwise_mean_std=(0.4965851, 0.02889967),
    ),
    "resnet54": Golden(
        weights=104_318_159,
        names="23a61b5bb529c15fbc43e3fb4ae052f1571a1e36553a7601df6217a89b0f84e0",
        embedding=(
            "0 0 0.04754773 0.01633028 0 0 0 0 0 0 0.06135049 0 0 0 0 0 0.05468562 0.2310403 0.1501099 0 0 "
            "0.05946849 0.04989699 0 0 0.1013721 0 0.07015898 0.04967922 0 0.009229846 0.05732001 "
        ),
        embedding_mean_std=(0.04958246, 0.1658337),
        clipwise=(
            "0.3662015 0.4956087 0.4978866 0.482954 0.4873973 0.4964922 0.5101256 0.5187606 0.5006145 "
            "0.4431884 0.5000085 0.492231 0.4945759 0.5071114 0.5103109 0.5003324 0.4861855 0.5086377 "
            "0.531959 0.5185339 0.4939695 0.4874852 0.4920351 0.4959059 0.5110177 0.5022077 0.4900179 "
            "0.4905356 0.5197807 0.5069058 0.4973864 0.4938635 "
        ),
        clipwise_mean_std=(0.4963579, 0.02856672),
    ),
    "vi-pann": Golden(
        weights=104_318_159,
        names="23a61b5bb529c15fbc43e3fb4ae052f1571a1e36553a7601df6217a89b0f84e0",
        embedding=(
            "-0.5485472 -0.0175657 -0.008453643 -0.06821044 -0.05042166 -0.01403142 0.04050809 0.07507777 "
            "0.002457989 -0.2282319 3.390759e-05 -0.0310787 -0.0216973 0.02844747 0.04124971 0.001329338 "
            "-0.05527227 0.03455428 0.1280105 0.07416978 -0.02412308 -0.05006959 -0.03186229 -0.01637653 "
            "0.04407816 0.008830737 -0.03993385 -0.03786188 0.07916421 0.02762503 -0.01045477 -0.02454735 "
        ),
        embedding_mean_std=(-0.01518243, 0.1177772),
        clipwise=(
            "0.3662015 0.4956087 0.4978866 0.482954 0.4873973 0.4964922 0.5101256 0.5187606 0.5006145 "
            "0.4431884 0.5000085 0.492231 0.4945759 0.5071114 0.5103109 0.5003324 0.4861855 0.5086377 "
            "0.531959 0.5185339 0.4939695 0.4874852 0.4920351 0.4959059 0.5110177 0.5022077 0.4900179 "
            "0.4905356 0.5197807 0.5069058 0.4973864 0.4938635 "
        ),
        clipwise_mean_std=(0.4963579, 0.02856672),
    ),
}
