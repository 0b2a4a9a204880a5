"""Measures the committed networks and writes build/evaluate.json, networks.json and the tables of MODEL_CARD.md."""

import argparse
import hashlib
import json

import evaluate_drawn
import evaluate_faces
import evaluate_finder
import torch
import train_embedder
import train_finder
from augment import plain_view
from card import write_tables
from contents import Contents
from data import CACHE, REPOSITORY, ROOT, read_options, run
from locate import Finder
from nets import EMBEDDER, FINDER
from oracle import Oracle

TEACHER_WIDTH = 512


def float_faces():
    """The face figures of the network before quantisation; measured once for each file of weights."""
    path = train_embedder.WEIGHTS
    kept = CACHE / f"float-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.json"
    if not kept.is_file():
        net = train_embedder.last_weights(TEACHER_WIDTH).eval()
        with torch.no_grad():
            found = evaluate_faces.evaluate(
                lambda face: net(train_embedder.to_tensor(plain_view(face)[None]))[0].numpy()
            )
        kept.write_text(json.dumps(found))
    return json.loads(kept.read_text())


def describe(spec, path):
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "bytes": path.stat().st_size,
        "macs": Contents(path).macs,
        "input": [1, *spec["input"]],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    read_options(parser)
    torch.set_num_threads(1)
    embedder_file, finder_file = ROOT / "embedder.tflite", ROOT / "finder.tflite"
    embedder, finder = Oracle(embedder_file, fast=True), Finder(Oracle(finder_file, fast=True))

    faces = {"int8": evaluate_faces.evaluate(evaluate_faces.through(embedder)), "float": float_faces()}
    threshold_milli = round(1000 * faces["int8"]["threshold"] + 0.5)
    match = threshold_milli / 1000
    found = evaluate_finder.evaluate(finder)
    aim = evaluate_finder.evaluate_aim(finder, found["score_threshold"], embedder, match)
    drawn = evaluate_drawn.evaluate(finder, embedder, found["score_threshold"], match)
    networks = {
        "embedder": {
            **describe(EMBEDDER, embedder_file),
            "output_scale": embedder.output["quantization"][0],
            "threshold_milli": threshold_milli,
        },
        "finder": {
            **describe(FINDER, finder_file),
            "output_scale": finder.scale,
            "output_zero": finder.zero,
            "score_threshold": found["score_threshold"],
        },
    }
    result = {
        "seeds": {"embedder": train_embedder.SEED, "finder": train_finder.SEED},
        "networks": networks,
        "faces": faces,
        "finder": found,
        "aim": aim,
        "drawn": drawn,
    }
    (REPOSITORY / "build").mkdir(exist_ok=True)
    (REPOSITORY / "build" / "evaluate.json").write_text(json.dumps(result, indent=1) + "\n")
    (ROOT / "networks.json").write_text(json.dumps(networks, indent=2) + "\n")
    write_tables(result)
    print(json.dumps({k: result[k] for k in ("finder", "aim", "drawn")}, indent=1))


if __name__ == "__main__":
    run(main)
