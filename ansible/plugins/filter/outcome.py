"""What came of a playbook for each host, in the last lines, and as data for CI."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

PROVEN = "proven"
FAILED = "failed"
BACK = "back"
UNREACHABLE = "unreachable"
BEGUN = "begun"
ASKED = "asked"
"""The task that says what came of it is the last one for the host."""
UNTOUCHED = "untouched"
LOST = "lost on the way: it could be reached, and then no longer"


def outcomes(every: Mapping[str, Any], hosts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the outcome of each host, as its variable `pxerelay_outcome` has it in `hostvars`.

    Where that is `asked`, it is what the module `mapping` returned, which `__pxerelay_proof` has.
    """
    found = {}
    for host in hosts:
        of_host = every[host]
        found[host] = dict(of_host.get("pxerelay_outcome", {"state": UNTOUCHED}))
        if found[host]["state"] == ASKED:
            found[host] = _by_proof(of_host.get("__pxerelay_proof") or {"skipped": True})
    return found


def _by_proof(proof: Mapping[str, Any]) -> dict[str, Any]:
    if proof.get("skipped") and not proof.get("unreachable"):
        return {"state": BEGUN}
    if proof.get("failed") and not proof.get("unreachable"):
        return {"state": FAILED, "message": proof.get("msg", "not proven")}
    return outcome(proof, {}, proof.get("sha256", {}), "")


def with_state(found: Mapping[str, Mapping[str, Any]], *states: str) -> list[str]:
    """Return the hosts that are in one of these states."""
    return [host for host, outcome in found.items() if outcome["state"] in states]


def bound(allowed: object, count: int) -> int:
    """Return how many of COUNT hosts may be unreachable: a number, or a share such as "25%", at least one."""
    text = str(allowed).strip()
    if text.endswith("%"):
        return max(1, math.floor(float(text[:-1]) * count / 100))
    return int(text)


def outcome(
    proof: Mapping[str, Any], facts: Mapping[str, Any], wanted: Mapping[str, str], release: str
) -> dict[str, Any]:
    """Return the outcome of a host that nothing failed on, by what `mapping` and `facts` returned."""
    for answer in (facts, proof):
        if answer.get("unreachable"):
            return {"state": UNREACHABLE, "message": f"can't be reached: {answer.get('msg', '')}".strip(": ")}
    found: dict[str, Any] = {"state": PROVEN, "sha256": dict(wanted), "idle": list(proof.get("idle", ()))}
    return {**found, "release": release} if release else found


def result(found: Mapping[str, Mapping[str, Any]], check_mode: bool = False) -> dict[str, Any]:
    """Return what came of it: whether all is well, each host's outcome, and lines for people."""
    rows = {host: dict(one) for host, one in found.items()}
    for one in rows.values():
        if one["state"] == BEGUN:
            one.update(state=FAILED, message=LOST)
    lines = [f"{host}: {line}" for host, one in rows.items() for line in one.get("idle", ())]
    for host, one in rows.items():
        if one["state"] in (FAILED, BACK):
            told = str(one.get("message", "not proven")).strip().splitlines()
            lines += [f"{host}: {told[0]}", *(f"  {line}" for line in told[1:])]
    unreachable = with_state(rows, UNREACHABLE)
    if unreachable:
        lines.append(
            f"{', '.join(unreachable)} can't be reached, and {_was(unreachable)} not touched; "
            f"once that is mended, type the same with --limit '{','.join(unreachable)}'"
        )
    left = with_state(rows, UNTOUCHED)
    if left:
        many = unreachable and not with_state(rows, FAILED, BACK)
        why = ", for more hosts can't be reached than pxerelay_unreachable_allowed allows" if many else ""
        lines.append(f"{', '.join(left)} {_was(left)} not touched{why}")
    proven = with_state(rows, PROVEN)
    lines.append(f"{len(proven)} of {len(rows)} hosts {'looked at' if check_mode else 'proven'}")
    return {"ok": len(proven) == len(rows), "hosts": rows, "unreachable": unreachable, "lines": lines}


def _was(hosts: list[str]) -> str:
    return "was" if len(hosts) == 1 else "were"


class FilterModule:
    """What Ansible asks for the filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by the names that the tasks use, in the collection pxerelay.pxerelay."""
        return {
            "bound": bound,
            "outcome": outcome,
            "outcomes": outcomes,
            "result": result,
            "with_state": with_state,
        }
