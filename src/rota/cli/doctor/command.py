"""The command itself: every check, and a code for scripts."""

from __future__ import annotations

from dataclasses import asdict

from rota.cli import exits
from rota.cli.command import command
from rota.cli.doctor.finding import Finding
from rota.cli.output import Output
from rota.config import ClientSettings, NodeSettings


@command(NodeSettings, ClientSettings)
def doctor(node: NodeSettings, client: ClientSettings, out: Output) -> int:
    """Check this machine and the node, and say what to do.

    Each line is ok, warn or bad; the exit code is 1 if any is bad.
    """
    from rota.cli.doctor.folder import folder_findings
    from rota.cli.doctor.machine import machine_findings
    from rota.cli.doctor.network import network_findings

    findings = [*machine_findings(), *folder_findings(node), *network_findings(node, client)]
    _print(findings, out)
    return exits.FAILURE if any(f.level == "bad" for f in findings) else exits.OK


def _print(findings: list[Finding], out: Output) -> None:
    if out.json:
        out.value({"ok": all(f.level != "bad" for f in findings), "findings": [asdict(f) for f in findings]})
        return
    out.table(("check", "is", "what was seen"), [(f.check, f.level, f.says) for f in findings])
    for finding in findings:
        if finding.advice:
            out.say(f"{finding.check}: {finding.advice}")
