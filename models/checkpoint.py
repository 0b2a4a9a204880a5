"""Checkpoints under build/train; written beside and renamed, so a cut never leaves half of one."""

import torch
from data import CACHE


def save(name, net, optimizer, schedule, step):
    CACHE.mkdir(parents=True, exist_ok=True)
    state = {
        "net": net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "step": step,
    }
    torch.save(state, CACHE / f"{name}.part")
    (CACHE / f"{name}.part").replace(CACHE / f"{name}.pt")


def is_begun(name):
    return (CACHE / f"{name}.pt").is_file()


def load(name, net, optimizer, schedule):
    """Restores what `save` kept; the number of steps done, 0 without a checkpoint."""
    if not is_begun(name):
        return 0
    state = torch.load(CACHE / f"{name}.pt", weights_only=True)
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    print(f"{name}: resumed at step {state['step']}", flush=True)
    return state["step"]
