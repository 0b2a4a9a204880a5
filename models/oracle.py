"""Runs a .tflite file with TFLite's reference kernels (tflite-runtime 2.14, BUILTIN_REF): what the watch must equal."""

import numpy as np

try:
    from tflite_runtime.interpreter import Interpreter, OpResolverType
except ImportError:  # Python 3.12 and newer; its kernels differ from 2.14's in about one output of a thousand
    from ai_edge_litert.interpreter import Interpreter, OpResolverType


class Oracle:
    def __init__(self, path, fast=False):
        """`fast` takes the optimised kernels, for long evaluations; they may differ in the last bit."""
        kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if fast else OpResolverType.BUILTIN_REF
        self.interpreter = Interpreter(str(path), experimental_op_resolver_type=kind, num_threads=1)
        self.interpreter.allocate_tensors()
        self.input, self.output = self.interpreter.get_input_details()[0], self.interpreter.get_output_details()[0]

    def __call__(self, picture):
        """int8 output of one uint8 picture [h, w, c] (int8 = pixel - 128)."""
        values = (np.asarray(picture, np.int16) - 128).astype(np.int8)
        self.interpreter.set_tensor(self.input["index"], values.reshape(self.input["shape"]))
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output["index"])[0]
