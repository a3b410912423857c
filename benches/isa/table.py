"""Counts as a Markdown table."""

from counts import Pipeline

HEAD = ["recipe", "problem", "registers", "spills", "shared bytes", "resident", "instructions"]
HEAD += ["FMA", "other vector", "lane moves", "scalar", "shared", "loads", "branches", "barriers"]
HEAD += ["FMA of vector", "FMA of all", "step: of vector", "step: of all"]


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if part and whole else ""


def row(recipe: str, problem: str, pipeline: Pipeline) -> list[str]:
    """A line of the table. From `FMA` on it is about one turn of the hot loop; `step` is about a whole step."""
    cells = [recipe, problem, pipeline.registers, pipeline.spilled]
    cells += [pipeline.stat("LDS size", "Workgroup Memory Size"), pipeline.resident]
    cells += [pipeline.stat("Instructions", "Instruction count", "Instruction Count")]
    hot = pipeline.hot()
    if not hot:
        return [str(cell) for cell in cells] + [""] * (len(HEAD) - len(cells))
    matrices = hot.count("matrix")
    cells += [f"{hot.fmas}" + (f" and {matrices} matrices" if matrices else "")]
    cells += [hot.count("vector"), hot.count("lane"), hot.count("scalar"), hot.sizes("shared"), hot.sizes("load")]
    cells += [hot.count("branch"), hot.count("barrier")]
    for share in (pipeline.share({hot.header: 1}), pipeline.step(recipe)):
        cells += [percent(share.fmas, share.vector), percent(share.fmas, share.issued)] if share else ["", ""]
    return [str(cell) for cell in cells]


def print_table(rows: list[list[str]]) -> None:
    for cells in [HEAD, ["---"] * len(HEAD), *rows]:
        print("| " + " | ".join(cells) + " |")
    print()
