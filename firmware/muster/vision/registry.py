"""Which operators of a .tflite file run, and what some of the others are called."""

from .activations import Logistic, Relu, Relu6
from .convolution import Convolution, Depthwise, FullyConnected
from .elementwise import Add, Mul, Prelu
from .moving import Concatenation, Pad, Reshape, ResizeNearest
from .normalisation import L2Normalization, Softmax
from .pooling import AveragePool, MaxPool, Mean

OPERATORS = {  # builtin code: name, highest version, class
    0: ("ADD", 2, Add),
    1: ("AVERAGE_POOL_2D", 2, AveragePool),
    2: ("CONCATENATION", 2, Concatenation),
    3: ("CONV_2D", 3, Convolution),
    4: ("DEPTHWISE_CONV_2D", 3, Depthwise),
    9: ("FULLY_CONNECTED", 12, FullyConnected),
    11: ("L2_NORMALIZATION", 2, L2Normalization),
    14: ("LOGISTIC", 2, Logistic),
    17: ("MAX_POOL_2D", 2, MaxPool),
    18: ("MUL", 3, Mul),
    19: ("RELU", 2, Relu),
    21: ("RELU6", 2, Relu6),
    22: ("RESHAPE", 1, Reshape),
    25: ("SOFTMAX", 2, Softmax),
    34: ("PAD", 2, Pad),
    40: ("MEAN", 2, Mean),
    54: ("PRELU", 1, Prelu),
    97: ("RESIZE_NEAREST_NEIGHBOR", 3, ResizeNearest),
}
OTHERS = {  # named when a model is refused for them
    5: "DEPTH_TO_SPACE",
    6: "DEQUANTIZE",
    23: "RESIZE_BILINEAR",
    26: "SPACE_TO_DEPTH",
    28: "TANH",
    32: "CUSTOM",
    36: "GATHER",
    37: "BATCH_TO_SPACE_ND",
    38: "SPACE_TO_BATCH_ND",
    39: "TRANSPOSE",
    41: "SUB",
    42: "DIV",
    43: "SQUEEZE",
    45: "STRIDED_SLICE",
    49: "SPLIT",
    50: "LOG_SOFTMAX",
    53: "CAST",
    55: "MAXIMUM",
    56: "ARG_MAX",
    57: "MINIMUM",
    60: "PADV2",
    65: "SLICE",
    67: "TRANSPOSE_CONV",
    70: "EXPAND_DIMS",
    74: "SUM",
    77: "SHAPE",
    83: "PACK",
    88: "UNPACK",
    98: "LEAKY_RELU",
    100: "MIRROR_PAD",
    111: "ELU",
    114: "QUANTIZE",
    117: "HARD_SWISH",
    126: "BATCH_MATMUL",
    150: "GELU",
}
