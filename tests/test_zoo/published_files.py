"""Writes synthetic files in every published layout, from one truth; names and orders are spelt out independently."""

import argparse
import copyreg
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

from mmbnft.zoo.architecture import Architecture
from mmbnft.zoo.network import ResNet
from mmbnft.zoo.readers.crc32c import crc32c, masked

NARROW = Architecture("ResNet", 50, 4, 4)
COUNTER = "num_batches_tracked"


def truth(architecture=NARROW, seed=0):
    """A state dict in which no two tensors have equal values and nothing is symmetric."""
    generator = torch.Generator().manual_seed(seed)
    state = ResNet(architecture).state_dict()
    for i, (name, value) in enumerate(state.items()):
        if name.endswith(COUNTER):
            value.fill_(1000 + i)
        elif value.dim() == 4:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.normal_(0, 0.1, generator=generator)
    return OrderedDict(state)


def without_counters(state):
    return OrderedDict((k, v) for k, v in state.items() if not k.endswith(COUNTER))


def prefixed(state, prefix):
    return OrderedDict((prefix + k, v) for k, v in state.items())


def linear(prefix, out=4, width=8, bias=True):
    head = {prefix + "weight": torch.randn(out, width)}
    return {**head, prefix + "bias": torch.randn(out)} if bias else head


def norm(prefix, affine=True):
    values = {"running_mean": torch.zeros(4), "running_var": torch.ones(4), COUNTER: torch.tensor(5)}
    if affine:
        values |= {"weight": torch.ones(4), "bias": torch.zeros(4)}
    return {prefix + name: value for name, value in values.items()}


def other(state):
    """A second network with the same names and shapes, and other values."""
    return OrderedDict((k, v + 1) for k, v in state.items())


def pycontrast(state, head):
    model = prefixed(state, "module.encoder.")
    model |= linear("module.head.0.")
    if head == "pirl":
        model |= linear("module.head_jig.fc1.") | linear("module.head_jig.fc2.")
    if head == "infomin":
        model |= linear("module.head.2.")
        for name in ("fc1.0", "fc1.2", "fc2"):
            model |= linear(f"module.head_jig.{name}.")
    return {"model": model, "model_ema": prefixed(other(state), "encoder."), "epoch": 200, "optimizer": {"state": {}}}


def moco(state, version, key_encoder=True):
    head = ["fc."] if version == 1 else ["fc.0.", "fc.2."]
    inner = prefixed(state, "module.encoder_q.")
    for name in head:
        inner |= linear("module.encoder_q." + name)
    if key_encoder:
        inner |= prefixed(other(state), "module.encoder_k.")
        for name in head:
            inner |= linear("module.encoder_k." + name)
        inner |= {"module.queue": torch.randn(4, 16), "module.queue_ptr": torch.zeros(1, dtype=torch.int64)}
    return {"epoch": 200, "arch": "resnet50", "state_dict": inner}


def multicrop(state, prototypes, head=True):
    inner = prefixed(state, "module.")
    if head:
        inner |= linear("module.projection_head.0.") | norm("module.projection_head.1.")
        inner |= linear("module.projection_head.3.")
        names = ["weight"] if prototypes == 1 else [f"prototypes{i}.weight" for i in range(prototypes)]
        inner |= {f"module.prototypes.{name}": torch.randn(30, 4) for name in names}
    return inner


def barlow_full(state):
    inner = prefixed(state, "module.backbone.")
    for i in (0, 3, 6):
        inner |= linear(f"module.projector.{i}.", bias=False)
    inner |= norm("module.projector.1.") | norm("module.projector.4.") | norm("module.bn.", affine=False)
    return {"epoch": 1000, "model": inner, "optimizer": {"state": {}, "param_groups": [{"lr": 0.2}]}}


def vicreg_full(state):
    inner = prefixed(state, "module.backbone.")
    inner |= linear("module.projector.0.") | linear("module.projector.3.") | linear("module.projector.6.", bias=False)
    inner |= norm("module.projector.1.") | norm("module.projector.4.")
    return {"epoch": 1000, "model": inner, "optimizer": {"state": {}}}


def simsiam(state):
    inner = prefixed(state, "module.encoder.")
    inner |= linear("module.encoder.fc.0.", bias=False) | linear("module.encoder.fc.3.", bias=False)
    inner |= linear("module.encoder.fc.6.") | norm("module.encoder.fc.1.") | norm("module.encoder.fc.4.")
    inner |= norm("module.encoder.fc.7.", affine=False)
    inner |= linear("module.predictor.0.", bias=False) | norm("module.predictor.1.") | linear("module.predictor.3.")
    return {"epoch": 100, "arch": "resnet50", "state_dict": inner, "optimizer": {"state": {}}}


def dino_full(state):
    def network(values):
        inner = prefixed(values, "module.backbone.")
        for i in (0, 2, 4):
            inner |= linear(f"module.head.mlp.{i}.")
        last = {"weight_g": torch.ones(4, 1), "weight_v": torch.randn(4, 8)}
        return inner | {f"module.head.last_layer.{k}": v for k, v in last.items()}

    extra = {"args": argparse.Namespace(lr=0.1, arch="resnet50"), "dino_loss": {"center": torch.zeros(1, 4)}}
    return {"student": network(other(state)), "teacher": network(state), "epoch": 800, "optimizer": {}, **extra}


def simclr_v1_converted(state):
    return {"state_dict": OrderedDict(state) | linear("fc.", 10)}


def simclr_v2_converted(state):
    inner = OrderedDict()
    ks = {"conv1": "0", "conv2": "2", "conv3": "4", "bn1": "1.0", "bn2": "3.0", "bn3": "5.0"}
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "conv1":
            key = "net.0.0.weight"
        elif parts[0] == "bn1":
            key = f"net.0.1.0.{parts[1]}"
        elif parts[2] == "downsample":
            place = "shortcut" if parts[3] == "0" else "bn.0"
            key = f"net.{parts[0][-1]}.blocks.{parts[1]}.projection.{place}.{parts[4]}"
        else:
            key = f"net.{parts[0][-1]}.blocks.{parts[1]}.net.{ks[parts[2]]}.{parts[3]}"
        inner[key] = value
    return {"resnet": inner | linear("fc.", 10), "head": linear("layers.0.", 4) | norm("layers.1.")}


def mmselfsup(state, algorithm="mocov2"):
    inner = prefixed(state, "backbone.")
    if algorithm == "mocov2":
        inner |= prefixed(state, "encoder_q.0.") | prefixed(other(state), "encoder_k.0.")
        for name in ("neck.mlp.0.", "encoder_q.1.mlp.0.", "encoder_k.1.mlp.0."):
            inner |= linear(name)
        inner |= {"queue": torch.randn(4, 16), "queue_ptr": torch.zeros(1, dtype=torch.int64)}
    elif algorithm == "byol":
        inner |= prefixed(state, "online_net.0.") | prefixed(other(state), "target_net.0.")
        inner |= linear("neck.fc0.") | linear("head.predictor.fc0.")
    else:
        inner |= linear("neck.fc.") | linear("head.fc_cls.")
    return {"meta": {"epoch": 200, "config": "model = dict()", "mmselfsup_version": "0.11.0"}, "state_dict": inner}


def extracted(state):
    return {"state_dict": dict(state), "author": "MMSelfSup"}


def tiny(state):
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    meta = {"method": "simsiam", "normalisation": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}}
    return {"meta": meta, "state_dict": half}


def save(content, path, legacy=False):
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


# --- TensorFlow ---------------------------------------------------------------------------------------------------


def tf_variables(state, heads=True, ema=False, blocks=(3, 4, 6, 3)):
    """SimCLR's variables; the running index is counted by hand, downsampling before a block's own convolutions."""
    names = ["conv1/bn1"]
    for layer, count in zip((1, 2, 3, 4), blocks, strict=True):
        for block in range(count):
            stem = f"layer{layer}.{block}."
            names += [f"{stem}downsample.0/{stem}downsample.1"] if block == 0 else []
            names += [f"{stem}conv{i}/{stem}bn{i}" for i in (1, 2, 3)]
    if blocks == (3, 4, 6, 3):
        assert [i for i, name in enumerate(names) if "downsample" in name] == [1, 11, 24, 43]
    leaves = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    found = {}
    for i, pair in enumerate(names):
        conv, bn = pair.split("/")
        suffix = f"_{i}" if i else ""
        found[f"base_model/conv2d{suffix}/kernel"] = state[conv + ".weight"].permute(2, 3, 1, 0).numpy()
        for ours, theirs in leaves.items():
            found[f"base_model/batch_normalization{suffix}/{theirs}"] = state[f"{bn}.{ours}"].numpy()
    if ema:
        found |= {f"ema_model/{name}": value for name, value in found.items()}
    if heads:
        found |= {"head_supervised/linear_layer/dense/kernel": np.ones((8, 10), "f4"), "global_step": np.int64(225206)}
        found |= {f"head_contrastive/nl_{i}/dense/kernel": np.ones((8, 8), "f4") for i in range(3)}
        found |= {"base_model/conv2d/kernel/Momentum": np.zeros_like(found["base_model/conv2d/kernel"])}
    return found


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def _field(number, kind, content):
    return varint(number << 3 | kind) + content


def _entry(array, offset):
    data = array.tobytes()
    dims = b"".join(
        _field(2, 2, varint(len(body)) + body) for body in (_field(1, 0, varint(size)) for size in array.shape)
    )
    dtype = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}[str(array.dtype)]
    message = _field(1, 0, varint(dtype)) + _field(2, 2, varint(len(dims)) + dims)
    message += _field(4, 0, varint(offset)) if offset else b""
    message += _field(5, 0, varint(len(data)))
    return message + _field(6, 5, struct.pack("<I", masked(crc32c(data))))


def _block(items, interval=16):
    out, restarts, last = bytearray(), [], b""
    for i, (key, value) in enumerate(items):
        shared = 0
        if i % interval == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    restarts = restarts or [0]
    return bytes(out) + b"".join(struct.pack("<I", r) for r in restarts) + struct.pack("<I", len(restarts))


def snappy_literals(data):
    """A valid Snappy stream that consists of literals only."""
    out = varint(len(data))
    for at in range(0, len(data), 256):
        piece = data[at : at + 256]
        out += bytes([60 << 2, len(piece) - 1]) + piece
    return out


def write_bundle(stem, variables, compress=False):
    """STEM.index and STEM.data-00000-of-00001."""
    names = sorted(variables, key=str.encode)
    data, items = bytearray(), [(b"", _field(1, 0, varint(1)) + _field(3, 2, varint(2) + _field(1, 0, varint(1))))]
    for name in names:
        array = np.ascontiguousarray(variables[name]).reshape(np.shape(variables[name]))
        items.append((name.encode(), _entry(array, len(data))))
        data += array.tobytes()
    out, handles = bytearray(), []

    def put(block):
        content, kind = (snappy_literals(block), 1) if compress else (block, 0)
        handle = varint(len(out)) + varint(len(content))
        tagged = content + bytes([kind])
        out.extend(tagged + struct.pack("<I", masked(crc32c(tagged))))
        return handle

    for at in range(0, len(items), 50):
        handles.append((items[min(at + 50, len(items)) - 1][0], put(_block(items[at : at + 50]))))
    meta, index = put(_block([])), put(_block(handles, 1))
    out += (meta + index).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    Path(f"{stem}.index").write_bytes(out)
    Path(f"{stem}.data-00000-of-00001").write_bytes(data)
    return Path(f"{stem}.index")


def zip_bundle(index, path):
    with zipfile.ZipFile(path, "w") as archive:
        for part in (index, index.with_name(index.stem + ".data-00000-of-00001")):
            archive.write(part, f"ResNet50_1x/{part.name}")
        archive.writestr("ResNet50_1x/hub/variables/variables.index", b"not the checkpoint")
    return path


# --- BYOL ---------------------------------------------------------------------------------------------------------


def byol_trees(state, stem="initial_conv"):
    """(params, state) in haiku's names."""
    params, stats = {}, {}
    names = {"conv1": stem, "bn1": "initial_batchnorm"}
    for name in state:
        parts = name.split(".")
        if name.startswith("layer"):
            inner = {"0": "shortcut_conv", "1": "shortcut_batchnorm"}.get(parts[3]) if "downsample" in name else None
            inner = inner or parts[2].replace("conv", "conv_").replace("bn", "batchnorm_")[:-1] + str(
                int(parts[2][-1]) - 1
            )
            names[name.rpartition(".")[0]] = f"block_group_{int(parts[0][-1]) - 1}/~/block_{parts[1]}/~/{inner}"
    for module, path in names.items():
        full = f"res_net50/~/{path}"
        weight = state[module + ".weight"]
        if weight.dim() == 4:
            params[full] = {"w": np.ascontiguousarray(weight.permute(2, 3, 1, 0).numpy())}
            continue
        shape = (1, 1, 1, -1)
        params[full] = {
            "scale": weight.numpy().reshape(shape),
            "offset": state[module + ".bias"].numpy().reshape(shape),
        }
        for ema, ours in (("mean_ema", "running_mean"), ("var_ema", "running_var")):
            value = state[f"{module}.{ours}"].numpy().reshape(shape)
            stats[f"{full}/~/{ema}"] = {"counter": np.array(7, "i4"), "hidden": value * 2, "average": value}
    params["classifier"] = {"w": np.ones((8, 10), "f4"), "b": np.ones(10, "f4")}
    for head in ("projector", "predictor"):
        params[f"{head}/linear"] = {"w": np.ones((8, 4), "f4"), "b": np.ones(4, "f4")}
        params[f"{head}/batch_norm"] = {"scale": np.ones((1, 4), "f4"), "offset": np.ones((1, 4), "f4")}
        params[f"{head}/linear_1"] = {"w": np.ones((4, 4), "f4")}
        for ema in ("mean_ema", "var_ema"):
            leaf = np.ones((1, 4), "f4")
            stats[f"{head}/batch_norm/~/{ema}"] = {"counter": np.array(7, "i4"), "hidden": leaf, "average": leaf}
    return params, stats


class Mapping:
    def __init__(self, content):
        self.content = content


class State(tuple):
    fields = ("online_params", "target_params", "online_state", "target_state", "opt_state")


def _foreign(module, name):
    """A stand-in for a function of a module that is not installed, importable while the file is written."""

    def function(*args):
        raise AssertionError(f"{module}.{name} must never be called")

    function.__module__, function.__qualname__, function.__name__ = module, name, name
    return function


class ByolPickler(pickle.Pickler):
    """Protocol 2 with the names that dill (old or new) writes for BYOL's experiment."""

    def __init__(self, stream, functions, old):
        super().__init__(stream, protocol=2)
        self.functions, self.old = functions, old

    def reducer_override(self, value):
        f = self.functions
        if isinstance(value, Mapping):
            return f["haiku._src.data_structures", "frozendict" if self.old else "FlatMapping"], (value.content,)
        if value is State:
            return f["dill._dill", "_create_namedtuple"], ("_ByolExperimentState", State.fields, "byol.byol_experiment")
        if isinstance(value, State):
            return copyreg.__newobj__, (State, *value)
        if self.old and isinstance(value, np.ndarray):
            _, _, state = value.__reduce__()
            return f["dill._dill", "_create_array"], (Attr(), (np.ndarray, (0,), b"b"), state, None)
        if isinstance(value, Attr):
            return f["dill._dill", "_get_attr"], (Module(), "_reconstruct")
        if isinstance(value, Module):
            return f["dill._dill", "_import_module"], ("numpy.core.multiarray",)
        return NotImplemented


class Attr:
    pass


class Module:
    pass


def write_byol(path, state, old=False, stem="initial_conv"):
    names = [("haiku._src.data_structures", n) for n in ("FlatMapping", "frozendict")]
    names += [("dill._dill", n) for n in ("_create_namedtuple", "_create_array", "_get_attr", "_import_module")]
    functions = {key: _foreign(*key) for key in names}
    added = {}
    for (module, name), function in functions.items():
        fake = added.setdefault(module, types.ModuleType(module))
        setattr(fake, name, function)
    for module in list(added):
        while "." in module:
            module = module.rpartition(".")[0]
            added.setdefault(module, types.ModuleType(module))
    kept = {module: sys.modules.get(module) for module in added}
    sys.modules.update(added)
    try:
        params, stats = (Mapping({k: Mapping(v) for k, v in tree.items()}) for tree in byol_trees(state, stem))
        opt = Mapping({"mu": params})
        experiment = State((params, params, stats, stats, opt))
        with Path(path).open("wb") as stream:
            content = {"experiment_state": experiment, "step": 312784, "rng": np.zeros(2, "u4")}
            ByolPickler(stream, functions, old).dump(content)
    finally:
        for module, original in kept.items():
            sys.modules.pop(module)
            if original is not None:
                sys.modules[module] = original
    return path
