"""Measures the committed networks and writes build/evaluate.json, networks.json and the tables of MODEL_CARD.md."""

import argparse
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor

import evaluate_drawn
import evaluate_faces
import evaluate_finder
import evaluate_groups
import evaluate_quality
import evaluate_strengths
import teacher
import torch
import train_embedder
import train_finder
import train_landmarks
from augment import plain_view
from card import write_tables
from contents import Contents
from data import CACHE, REPOSITORY, ROOT, data_file, read_options, run
from locate import Finder
from nets import EMBEDDER, FINDER, LANDMARKS
from oracle import Oracle
from relabel import relabel
from views import floats, to_input

OTHERS = {  # file, and whether it takes 0..255
    "anchor": ("anchor_espdl_mfn", False),
    "teacher": ("teacher_reid0095", True),
    "second teacher": ("teacher_espdl_mbf", False),
}


def float_embedder():
    """The network before quantisation: its embedding function and its file of weights."""
    net = train_embedder.last_weights().eval()

    @torch.no_grad()
    def embed(face):
        return net(to_input(floats(torch.from_numpy(plain_view(face)[None]))))[0].numpy()

    return embed, train_embedder.WEIGHTS


def other(name, raw):
    """The embedding function of one of the data folder's networks, and its file."""
    network = teacher.session(name, 1)
    return lambda face: teacher.embed(network, face[None], raw)[0], data_file(f"models/{name}.onnx")


def measured_once(embed, path):
    """The face figures of a network that is not the committed one, kept in build/train under its file's hash."""
    kept = CACHE / f"verification-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.json"
    if not kept.is_file():
        kept.write_text(json.dumps(evaluate_faces.evaluate(embed)[0]))
    return json.loads(kept.read_text())


def describe(spec, path):
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "macs": Contents(path).macs,
        "input": [1, *spec["input"]],
    }


def part(name, measure, *given):
    """What `measure` returns; says that it is on its way, for most take minutes."""
    print(f"evaluate: {name} ...", flush=True)
    return measure(*given)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    read_options(parser)
    embedder_file, *finder_files = (ROOT / f"{spec['name']}.tflite" for spec in (EMBEDDER, FINDER, LANDMARKS))
    embedder, *looks = (Oracle(file, fast=True) for file in (embedder_file, *finder_files))
    embed, as_watch = (evaluate_faces.through(oracle) for oracle in (embedder, Oracle(embedder_file)))
    others = {kind: other(*named) for kind, named in OTHERS.items()}
    _, groups, opinions = evaluate_faces.good_faces()
    relabel()  # once, for finder and gate both ask for it

    # Side by side in threads, for nearly all of it is spent in C, on a core each.
    with ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        own = pool.submit(part, "faces, int8", evaluate_faces.evaluate, as_watch)
        further = {"float": float_embedder()} | others
        running = {kind: pool.submit(part, f"faces, {kind}", measured_once, *net) for kind, net in further.items()}
        found = pool.submit(part, "finder", evaluate_finder.evaluate, *looks)
        gate = pool.submit(part, "gate", evaluate_quality.evaluate)
        figures, vectors = own.result()
        faces = {"int8": figures} | {kind: future.result() for kind, future in running.items()}
        threshold_milli = round(1000 * faces["int8"]["threshold"] + 0.5)
        match = threshold_milli / 1000
        compared = {"int8": (embed, match)} | {
            kind: (others[kind][0], faces[kind]["threshold"]) for kind in ("anchor", "second teacher")
        }
        found, gate = found.result(), gate.result()
        strengths = pool.submit(part, "troubles at five strengths", evaluate_strengths.evaluate, compared)
        vision = Finder(*looks, *found["score_thresholds"]), Oracle(embedder_file, fast=True), match
        aim = part("LFW aimed by the finder", evaluate_finder.evaluate_aim, *vision)
        drawn = part("drawn people", evaluate_drawn.evaluate, *vision)
        strengths = strengths.result()
    networks = {
        "embedder": {
            **describe(EMBEDDER, embedder_file),
            "output_scale": embedder.output["quantization"][0],
            "threshold_milli": threshold_milli,
        },
    }
    for spec, file, threshold in zip((FINDER, LANDMARKS), finder_files, found["score_thresholds"], strict=True):
        networks[spec["name"]] = {**describe(spec, file), "score_threshold": threshold}
    (ROOT / "networks.json").write_text(json.dumps(networks, indent=2) + "\n")
    result = {
        "seeds": {"embedder": train_embedder.SEED, "finder": train_finder.SEED, "landmarks": train_landmarks.SEED},
        "networks": networks,
        "faces": faces,
        "groups": part("groups", evaluate_groups.evaluate, vectors, groups, opinions[0], match),
        "strengths": strengths,
        "finder": found,
        "aim": aim,
        "drawn": drawn,
        "quality": gate,
    }
    (REPOSITORY / "build").mkdir(exist_ok=True)
    (REPOSITORY / "build" / "evaluate.json").write_text(json.dumps(result, indent=1) + "\n")
    write_tables(result)
    print(json.dumps({k: result[k] for k in ("finder", "aim", "drawn", "quality")}, indent=1))


if __name__ == "__main__":
    run(main)
