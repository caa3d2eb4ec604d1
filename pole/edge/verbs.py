"""`pole edge`: its verbs. Each stands in a module of its own and imports what it needs when it is called."""

import typer

from pole.edge import install, part, release, rom, size, update

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _verbs() -> None:
    """Pole controllers: set one up, measure its agent, build and roll out releases."""


app.command()(install.install)
app.command()(part.part)
app.command()(release.release)
app.command()(rom.rom)
app.command()(size.size)
app.command()(update.update)
