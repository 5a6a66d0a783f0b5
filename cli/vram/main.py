"""The list of `facesocial vram` commands."""

from __future__ import annotations

import typer

from cli.vram import plan, profile, simulate, top

app = typer.Typer(no_args_is_help=True)
app.command("plan")(plan.plan)
app.command("profile")(profile.profile)
app.command("top")(top.top)
app.command("simulate")(simulate.simulate)
