"""The list of `facesocial vram` commands."""

from __future__ import annotations

import typer

from cli.vram import plan, profile, record, simulate, top

app = typer.Typer(no_args_is_help=True)
app.command("plan")(plan.plan)
app.command("profile")(profile.profile)
app.command("top")(top.top)
app.command("record")(record.record)
app.command("simulate")(simulate.simulate)
