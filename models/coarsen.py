"""First weights of the embedder: the teacher reid0095's own, fitted to grids of half the resolution.

Layer by layer from the picture on, least squares makes what the layer gives (before its PReLU) the teacher's at the
places of the coarser grid, whatever the layers before it got wrong; where the data don't say, the teacher's weights
stay.
"""

import torch
from nets import Layer, Net
from reid import Reid, at_grid, gated
from torch.nn import functional as F
from views import DEVICE, floats, plain, to_input

FACES = 1024
SAMPLES = 60_000  # places of the feature maps that one fit looks at
REACH = 4  # of a channel after `equalise`; a unit normal has it
RIDGE = 1e-3  # pull to the teacher's weights, in mean variances of an input


def batched(layer, x, size=128):
    return torch.cat([layer(part) for part in x.split(size)])


def solved(inputs, wanted, weight):
    """Least squares: (weight [..., o, i], bias [..., o]) from `inputs` [..., n, i] to `wanted` [..., n, o]."""
    inputs_mean, wanted_mean = inputs.mean(-2, keepdim=True), wanted.mean(-2, keepdim=True)
    inputs, wanted = inputs - inputs_mean, wanted - wanted_mean
    gram = inputs.mT @ inputs
    pull = RIDGE * gram.diagonal(dim1=-2, dim2=-1).mean(-1)
    gram = gram + pull[..., None, None] * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    weight = weight + torch.linalg.solve(gram, inputs.mT @ (wanted - inputs @ weight.mT)).mT
    error = (wanted - inputs @ weight.mT).square().sum() / wanted.square().sum()
    return weight, (wanted_mean - inputs_mean @ weight.mT).squeeze(-2), float(error)


def fit(node, layer, x, wanted):
    """Puts `layer`'s function on the input `x` of `node`: `wanted` is what it gives, before its PReLU, on that grid."""
    kernel, outputs = node.conv.kernel_size[0], node.conv.out_channels
    share = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    share = share[: max(1, SAMPLES // wanted[0, 0].numel())]
    x, wanted = x[share], wanted[share]
    if node.pad != (0, 0):
        x = F.pad(x, node.pad * 2)
    weight = layer.weight.double()
    wanted = wanted.double().flatten(2)  # [n, o, places]
    columns = F.unfold(x, kernel, stride=node.stride).double()  # [n, i * k * k, places]
    if node.conv.groups == 1:
        prior = weight.flatten(1) if node.conv.in_channels > 3 else weight.new_zeros(outputs, 27)
        columns, wanted = columns.transpose(1, 2).flatten(0, 1), wanted.transpose(1, 2).flatten(0, 1)
        found, bias, error = solved(columns, wanted, prior)
    else:
        columns = columns.view(len(x), outputs, kernel**2, -1).permute(1, 0, 3, 2).flatten(1, 2)
        found, bias, error = solved(columns, wanted.transpose(0, 1).flatten(1)[..., None], weight.flatten(1)[:, None])
        bias = bias.squeeze(-1)
    node.conv.weight.copy_(found.reshape(node.conv.weight.shape))
    node.bias.copy_(bias)
    copy_slope(node, layer)
    return error


def copy_slope(node, layer):
    if node.prelu:
        node.slope.fill_(layer.slope.item())


def copy_gate(node, squeeze, excite):
    for own, layer in ((node.squeeze, squeeze), (node.excite, excite)):
        own.conv.weight.copy_(layer.weight)
        own.bias.copy_(layer.bias)
        copy_slope(own, layer)


def reach(nodes, run):
    """{node: what 99.97 % of each channel's outputs, before a PReLU, stay below} while `run()` runs the network."""
    seen = {}

    def hook(node):
        def look(_, given, __):
            sizes = given[0].detach().transpose(0, 1).flatten(1).abs().float()
            seen[node] = sizes.kthvalue(max(1, int(0.9997 * sizes.shape[1])), 1).values

        return look

    hooks = [node.range.register_forward_hook(hook(node)) for node in nodes]
    run()
    for handle in hooks:
        handle.remove()
    return seen


def maps(net):
    """[(layers that write a map, where it is complete, layers that read it)] of all maps that may be scaled freely."""
    nodes, found, stream = list(net.nodes), [], None
    for index, node in enumerate(nodes[:-1]):
        after = nodes[index + 1]
        if node.kind == "gate":
            found.append(([node.squeeze], node.squeeze, [node.excite]))
            added = after.kind == "add"
            if not added:
                stream = [[], node, []]
                found.append(stream)
            stream[0].append(nodes[index - 1])
            stream[1] = after if added else node
            stream[2] += [node.squeeze, nodes[index + 1 + added]]
        elif isinstance(after, Layer) and isinstance(node, Layer):
            found.append(([node], node, [after]))
    return found


@torch.no_grad()
def rescale(writers, readers, gain):
    """Multiplies each channel of a map by its `gain`; what the network says stays."""
    for node in writers:
        node.conv.weight.mul_(gain[:, None, None, None])
        node.bias.mul_(gain)
    for node in readers:
        node.conv.weight.div_(gain[:, None, None, None] if node.conv.groups > 1 else gain[:, None, None])


@torch.no_grad()
def reflect(net):
    """Brings all slopes s into -1..1; what the network says stays: PReLU(x) is -sign(s) PReLU'(-abs(s) x) of slope 1/s.

    One int8 scale then suits all slopes of a map.
    """
    for writers, last, readers in maps(net):
        if getattr(last, "prelu", False):
            steep, one = last.slope.abs() > 1, torch.ones_like(last.slope)
            rescale(writers, [], torch.where(steep, -last.slope.abs(), one))
            rescale([], readers, torch.where(steep & (last.slope > 0), -one, one))
            last.slope.copy_(torch.where(steep, 1 / last.slope, last.slope))


@torch.no_grad()
def equalise(net, x):
    """Scales all channels to one reach (before the PReLU), and back in the layers that read them; the function stays.

    Adam then moves all weights at one pace, and one int8 scale suits all channels of a map.
    """
    found = maps(net)
    seen = reach([last for _, last, _ in found], lambda: net(x))
    for writers, last, readers in found:
        rescale(writers, readers, REACH / seen[last].clamp(min=1e-3))


@torch.no_grad()
def normalise(net, x):
    """Puts a batch norm behind each convolution that changes nothing on `x`; without them training goes nowhere."""
    seen = {}

    def hook(node):
        return lambda _, given, __: seen.update({node: (given[0].mean((0, 2, 3)), given[0].var((0, 2, 3)))})

    nodes = [node for node in net.nodes if isinstance(node, Layer)]
    hooks = [node.range.register_forward_hook(hook(node)) for node in nodes]
    net(x)
    for handle in hooks:
        handle.remove()
    for node in nodes:
        node.unfold(*seen[node])


@torch.no_grad()
def coarsened(spec, faces):
    """The network of `spec` with weights fitted to the teacher's features of `faces` [FACES, 112, 112, 3] on DEVICE.

    It has no batch norms, for the teacher's are folded; `normalise` puts them in.
    """
    net, teacher = Net({**spec, "norm": False}).to(DEVICE), Reid()
    nodes, side = list(net.nodes), spec["input"][0]
    x = pictures = to_input(plain(floats(faces)))
    given = teacher.prepared(faces)

    def layer(index, teachers, x, given):
        """Fits nodes[index] to the teacher's layer on `given`; their two outputs."""
        node = nodes[index]
        wanted, size = batched(teachers.linear, given, 32), node.out_size
        there = at_grid(wanted, size, side // size) if size > 1 else wanted.float()
        error = fit(node, teachers, x, there)
        print(f"coarsen: layer {index} of {len(nodes)}, {node.kind}, error {error:.3f}", flush=True)
        return batched(lambda part: node(part, False), x), teachers.bent(wanted)

    index = 0
    for teachers in teacher.stem:
        x, given = layer(index, teachers, x, given)
        index += 1
    for block in teacher.blocks:
        inner, inner_given = x, given
        for teachers in block[:3]:
            inner, inner_given = layer(index, teachers, inner, inner_given)
            index += 1
        copy_gate(nodes[index], *block[3:])
        inner, inner_given = nodes[index](inner, False), gated(block, inner_given)
        index += 1
        if nodes[index].kind == "add":
            inner, inner_given = x + inner, given + inner_given
            index += 1
        x, given = inner, inner_given
    for teachers in teacher.head:
        x, given = layer(index, teachers, x, given)
        index += 1
    equalise(net, pictures[:256])
    return net
