"""Writes the measured tables into MODEL_CARD.md, between its markers."""

from data import ROOT

CARD = ROOT / "MODEL_CARD.md"
AIMED = ("finder", "given")


def percent(value, digits=1):
    return f"{100 * value:.{digits}f} %"


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def networks_table(networks):
    return table(
        ["Network", "Input", "MACs", "Bytes", "Threshold", "SHA-256"],
        [
            [
                n["file"],
                "x".join(map(str, n["input"])),
                f"{n['macs'] / 1e6:.2f} M",
                f"{n['bytes']:,}",
                f"cosine {n['threshold_milli']}/1000" if "threshold_milli" in n else f"score {n['score_threshold']}",
                n["sha256"][:16],
            ]
            for n in networks.values()
        ],
    )


def worst_over_best(rates):
    return f"{max(rates.values()) / min(rates.values()):.1f}" if min(rates.values()) else "a group had none"


def faces_table(faces):
    def row(kind, f):
        groups = f["fmr_by_group_at_lfw"].values()
        return [
            kind,
            f"{percent(f['lfw_accuracy'], 2)} ± {percent(f['lfw_accuracy_error'], 2)}",
            percent(f["tar_at_lfw_fmr"]),
            f"{percent(min(groups), 2)} / {percent(max(groups), 2)}",
            percent(f["tar_at_worst_group"]),
            percent(f["tar_at_worst_group_by_mbf"]),
            worst_over_best(f["fmr_by_group"]),
        ]

    heads = [
        "Embedder",
        "LFW accuracy, ten folds",
        "TAR at LFW FMR 1e-3",
        "same-group FMR there: best / worst group",
        "TAR at worst-group FMR 1e-3",
        "the same, where MBF says who is one person",
        "worst group's FMR over best's there",
    ]
    return table(heads, [row(kind, f) for kind, f in faces.items()])


def groups_table(groups):
    rows = [
        [group, row["people"], f"{row['pairs']:,}", *(f"{1000 * row[k]:.2f}" for k in ("fmr", "low", "high"))]
        for group, row in sorted(groups.items())
    ]
    heads = ["Group of FairFace-val", "People", "Pairs", "FMR at the threshold, per thousand", "from", "to (95 %)"]
    return table(heads, rows)


def strengths_table(strengths):
    names = [name for name in strengths["none"] if name not in ("unit", "strengths")]
    rows = [["none", "", *(percent(strengths["none"][name][0], 0) for name in names)]]
    for trouble, row in strengths.items():
        if trouble != "none":
            shown = ", ".join(f"{s:g}" for s in row["strengths"])
            rates = (", ".join(f"{100 * share:.0f}" for share in row[name]) for name in names)
            rows.append([trouble, f"{row['unit']}: {shown}", *rates])
    return table(["Trouble", "Strengths", *(f"{name}, TAR in %" for name in names)], rows)


def finder_table(finder):
    rows = [
        [
            kind,
            row["frames"],
            percent(row["recall"]),
            percent(row["landmark_error"]),
            percent(row["landmark_error_p90"]),
        ]
        for kind, row in finder["rows"].items()
    ]
    heads = ["Face", "Frames", "Found", "Mean landmark error / eye distance", "90 % below"]
    return table(heads, rows) + (
        f"\n\nOf {finder['faceless_frames']} faceless frames {percent(finder['false_faces'])} are taken for a face. "
        f"Of {finder['several_frames']} frames with two faces {percent(finder['several_seen'])} are seen to have more "
        f"than one; of those with one, {percent(finder['several_taken'])}."
    )


def quality_table(quality):
    def others(row):
        return ", ".join(f"{flaw} {percent(share, 0)}" for flaw, share in row["flaws"].items())

    rows = [
        [source, kind, percent(row["passed"], 0), percent(row["said"], 0), others(row)]
        for source, kinds in quality.items()
        for kind, row in kinds.items()
    ]
    return table(["Frames of", "What is shown", "Let through", "Rightly spoken of", "What the watch says"], rows)


def whole_table(result):
    aim, drawn = result["aim"], result["drawn"]
    rows = [
        ["LFW, aimed by the finder: faces found", percent(aim["found"])],
        ["LFW, aimed by the finder: landmark error / eye distance, to YuNet's", percent(aim["landmark_error"])],
        *(
            [f"LFW, aimed by the finder, by YuNet: {name}", ", ".join(percent(aim[by][key], digits) for by in AIMED)]
            for name, key, digits in (
                ("accuracy, ten folds", "accuracy", 2),
                ("TAR at the threshold", "tar", 1),
                ("FMR at the threshold", "fmr", 2),
            )
        ),
        ["Drawn people: frames with a face found", percent(drawn["found"])],
        ["Drawn people: mean landmark error / eye distance", percent(drawn["landmark_error"])],
        ["Drawn people: FNMR at the threshold, one frame against one", percent(drawn["fnmr"], 2)],
        ["Drawn people: FMR at the threshold", percent(drawn["fmr"], 3)],
        [
            "Drawn people: genuine similarity, 1st and 5th percentile, median",
            quantiles(drawn["genuine"], "p1", "p5", "median"),
        ],
        [
            "Drawn people: impostor similarity, median, 95th, 99th percentile",
            quantiles(drawn["impostor"], "median", "p95", "p99"),
        ],
    ]
    return table(["Finder, alignment and embedder together, int8", ""], rows)


def quantiles(row, *names):
    return ", ".join(f"{row[name]:.2f}" for name in names)


def write_tables(result):
    """Replaces what lies between `<!-- name -->` and `<!-- end -->` for each table."""
    text = CARD.read_text()
    tables = {
        "networks": networks_table(result["networks"]),
        "faces": faces_table(result["faces"]),
        "groups": groups_table(result["groups"]),
        "strengths": strengths_table(result["strengths"]),
        "finder": finder_table(result["finder"]),
        "quality": quality_table(result["quality"]),
        "whole": whole_table(result),
    }
    for name, body in tables.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        _, after = rest.split("<!-- end -->", 1)
        text = f"{before}<!-- {name} -->\n{body}\n<!-- end -->{after}"
    CARD.write_text(text)
