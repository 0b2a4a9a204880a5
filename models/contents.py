"""What a .tflite file holds, read from its bytes: operations, multiply-accumulates, quantisation."""

from collections import Counter

import tflite

NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
WITH_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


class Contents:
    """`operations`: Counter by name; `macs`; `tensors`: the subgraph's tensors by index."""

    def __init__(self, path):
        self.model = tflite.Model.GetRootAs(path.read_bytes(), 0)
        self.graph = self.model.Subgraphs(0)
        self.operations, self.macs = Counter(), 0
        for index in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(index)
            name = NAMES[self.model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()]
            self.operations[name] += 1
            if name in WITH_WEIGHTS:
                self.macs += self.macs_of(name, operator)

    def shape(self, index):
        return [int(n) for n in self.graph.Tensors(index).ShapeAsNumpy()]

    def macs_of(self, name, operator):
        weights, output = self.shape(operator.Inputs(1)), self.shape(operator.Outputs(0))
        positions = 1 if name == "FULLY_CONNECTED" else output[1] * output[2]
        total = positions
        for size in weights:
            total *= size
        return total

    def quantisation(self, index):
        """(scale, zero point) of a tensor quantised as a whole."""
        found = self.graph.Tensors(index).Quantization()
        return float(found.Scale(0)), int(found.ZeroPoint(0))
