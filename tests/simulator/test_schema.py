"""The published schema: any JSON Schema validator accepts and refuses what the simulator does."""

import copy
import random

import jsonschema
import pytest

from simulator.lined_yaml import read
from simulator.scenario import FOLDER, SCHEMA
from simulator.schema import FieldError, check

SHIPPED = [read(path.read_bytes())[0] for path in sorted(FOLDER.glob("*.yaml"))]
OTHERS = (None, True, -1, 0, 1, 7, 1.5, 91, 4000, 10**9, "", "x", "08:30", "8:61", "wearer", "a\nb", "é" * 120, [],
          [1, 2], [3], {}, {"who": "nobody"}, {"line": "log", "contains": "x"}, {"matched": 2}, ["matched"],
          ["unable: camera"])
STANDARD = jsonschema.Draft202012Validator(SCHEMA)


def accepts(values) -> bool:
    try:
        check(values, SCHEMA, SCHEMA)
    except FieldError:
        return False
    return True


def mutate(values, rng: random.Random):
    """A copy with one value changed, one field left out, or one field too many, anywhere."""
    values = copy.deepcopy(values)
    target = values
    while True:
        names = list(target) if isinstance(target, dict) else list(range(len(target)))
        name = rng.choice(names)
        if isinstance(target[name], dict | list) and target[name] and rng.random() < 0.7:
            target = target[name]
            continue
        how = rng.randrange(4)
        if how == 0:
            del target[name]
        elif how == 1 and isinstance(target, dict):
            target[rng.choice(["extra", "at", "kind", "route", "gpx", "boots"])] = rng.choice(OTHERS)
        else:
            target[name] = rng.choice(OTHERS)
        return values


def test_it_is_a_schema_and_takes_every_shipped_scenario():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for values in SHIPPED:
        STANDARD.validate(values)
        assert accepts(values)


def test_the_fields_and_the_expectations_are_all_described():
    text = (FOLDER / "README.md").read_text()
    expectations = set(SCHEMA["$defs"]["expectation"]["properties"])
    assert not [name for name in {*SCHEMA["properties"], *expectations} - {"name", "board"}
                if f"`{name}`" not in text and f"`{name}: " not in text]


@pytest.mark.parametrize("seed", range(4))
def test_a_standard_validator_decides_as_the_simulator_does(seed):
    rng = random.Random(seed)
    decisions = {True: 0, False: 0}
    for _ in range(500):
        values = mutate(rng.choice(SHIPPED), rng)
        decision = accepts(values)
        assert STANDARD.is_valid(values) == decision, values
        decisions[decision] += 1
    assert min(decisions.values()) > 40
