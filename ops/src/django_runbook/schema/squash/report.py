"""What a squash says on the terminal: its plan, its proof, and its transition."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from django_runbook.schema.history.graph import shown
from django_runbook.schema.squash.cuts import Repaired
from django_runbook.schema.squash.finish.transition import Finish, Standing, Unready
from django_runbook.schema.squash.proof.results import Check, Defect, EngineProof, Proof
from django_runbook.schema.squash.proof.verification import Verification
from django_runbook.schema.squash.squash_plan import Segment, SquashPlan
from django_runbook.schema.wording import counted, first
from django_runbook.text.cleaning import in_clean_lines


@in_clean_lines
def plan_lines(found: Repaired) -> Iterator[str]:
    """Yield which files there will be, what stays, and what keeps it from being fewer."""
    plan = found.plan
    old = sum(len(segment.names) for segment in plan.segments) + len(plan.kept)
    new = len(plan.segments) + len(plan.kept)
    yield f"{plan.app_label}: {counted(old, 'migration')} can become {counted(new, 'file')}."
    files = {name: [f"  {name} stays"] for name in plan.kept}
    files |= {segment.names[0]: _segment_lines(segment) for segment in plan.segments}
    for _, lines in sorted(files.items()):
        yield from lines
    if plan.blockers:
        yield "Not fewer, because of:"
    for blocker in plan.blockers:
        fix = f". {blocker.fix}" if blocker.fix else ""
        yield f"  {blocker.migration}: {blocker.reason}{fix}"
    if found.cuts:
        yield f"Cut before {', '.join(found.cuts)}, since in one file it is not the same:"
    for defect in found.caused:
        yield f"  {_defect(defect)}"
    for name in found.kept_in:
        yield f"Elidable, and kept, since it does something, or could not be tried: {name}"


@in_clean_lines
def proof_lines(proof: Proof) -> Iterator[str]:
    """Yield what was tried and what it showed, measured and not promised."""
    operations, files = proof.operations, proof.files
    verdict = "Proved" if proof.complete else "Not proved"
    yield (
        f"{verdict}: {proof.app_label}, {counted(files[0], 'file')} -> {files[1]}, "
        f"{counted(operations[0], 'operation')} -> {operations[1]}."
    )
    for engine in proof.engines:
        yield from _engine_lines(engine, proof.defects)
    for note in proof.notes:
        yield f"  Note: {note}"
    if proof.defects:
        yield "What is not the same:"
        for defect in proof.defects:
            yield f"  {_defect(defect)}"
    if proof.refused:
        where = f"databases at {_reach(proof.refused)}"
        yield f"--finish must wait for {where}, until they have recorded the squash."


def next_step(proof: Proof, plan: SquashPlan) -> str:
    """Return what to do where nothing was written."""
    if not proof.defects:
        return "Without PostgreSQL nothing is proved: the notes say why it showed nothing."
    broken = {defect.segment for defect in proof.defects}
    good: list[str] = []
    for segment in plan.segments:
        if segment.name in broken or "" in broken:
            break
        good.append(segment.names[-1])
    if good:
        return (
            f"What comes before can be squashed: 'inv db.squash {plan.app_label} --to {good[-1]}'."
        )
    return "Squash a smaller range with --from and --to, or keep the old files."


def unready_line(unready: Unready) -> str:
    """Say where an environment stands, and what to run there."""
    start = f"{unready.environment} ({unready.source})"
    app, squash = unready.app_label, unready.squash
    migrate = f"Deploy this code there, with the old files, and run 'inv db.migrate {app}' there."
    match unready.standing:
        case Standing.COMPLETE:
            return f"{start} has applied all that {squash} replaces, and not recorded it. {migrate}"
        case Standing.PARTIAL:
            return f"{start} has not applied {first(unready.missing)}. {migrate}"
        case Standing.TABLES:
            return (
                f"{start} has {first(unready.tables)}, and no record of what made it. Run "
                f"'inv db.migrate {app} {squash} -- --fake' and 'inv db.drift' there; where that "
                f"finds a difference, take it back: 'inv db.migrate {app} zero -- --fake'."
            )
    return f"{start} has applied nothing of {squash}. {migrate}"


@in_clean_lines
def finish_lines(finish: Finish, *, done: bool) -> Iterator[str]:
    """Yield what goes and what changes, or has."""
    count = len(finish.removed)
    squashes = " and ".join(finish.squashes)
    verb = ("was", "were") if done else ("becomes", "become")
    yield (
        f"{finish.app_label}: {squashes} {verb[len(finish.squashes) > 1]} "
        f"{'made ' if done else ''}normal."
    )
    yield f"  {'Removed' if done else 'Would remove'} {counted(count, 'file')}:"
    for file in finish.removed:
        yield f"    {short(file)}"
    yield f"  {'Changed' if done else 'Would change'} {counted(len(finish.changed), 'file')}:"
    for file in finish.changed:
        yield f"    {short(file)}"
    if finish.mentions:
        yield f"  Named elsewhere, which is yours to look at: {', '.join(finish.mentions)}"
    if done:
        yield (
            f"Commit that. Where it is deployed, 'inv db.migrate {finish.app_label} -- --prune' "
            "takes the old names out of the record."
        )


@in_clean_lines
def verified_lines(verification: Verification) -> Iterator[str]:
    """Yield whether a proof holds for the files, and why not."""
    asked = f" ({', '.join(verification.engines)})" if verification.engines else ""
    holds = "holds" if verification.holds else "does NOT hold"
    yield f"{short(verification.file)}: {holds}{asked}"
    for failure in verification.failures:
        yield f"  {failure}"
    for note in verification.notes:
        yield f"  Note: {note}"


def after_lines(plan: SquashPlan, *, dry: bool) -> Iterator[str]:
    """Yield what comes next."""
    if dry:
        yield "Dry run: nothing was written."
        return
    yield "Next: commit these files, and deploy them with the old ones."
    yield (
        "Once every environment has migrated, "
        f"'inv db.squash {plan.app_label} --finish' removes the old files."
    )


def short(path: Path) -> str:
    """Return a path as a person in the current folder would type it."""
    return shown(path) or str(path)


def _segment_lines(segment: Segment) -> list[str]:
    names = segment.names
    return [
        (
            f"  {segment.name} replaces {names[0]} to {names[-1]} ({len(names)}): "
            f"{counted(segment.before, 'operation')} become {segment.after}"
        ),
        *(f"    without {left_out}" for left_out in segment.elided),
    ]


def _engine_lines(engine: EngineProof, defects: Iterable[Defect]) -> Iterator[str]:
    own = [defect for defect in defects if defect.vendor in ("", engine.vendor)]
    schema = "equal"
    if any(defect.check is Check.SCHEMA for defect in own):
        schema = "NOT equal"
    elif engine.names or engine.order:
        schema = "equal but for names and order"
    yield (
        f"  {engine.vendor} {engine.version} ({engine.origin}): "
        f"schema {schema}, {counted(engine.rows, 'row')}, "
        f"{counted(engine.seeded_rows, 'seeded row')}, "
        f"{counted(engine.states, 'state')} in {counted(engine.runs, 'run')}"
    )
    before, after = engine.seconds
    yield f"    migrate from zero: {before:.2f} s -> {after:.2f} s"
    yield from _listed("    only a name differs", engine.names)
    yield from _listed("    only the order differs", engine.order)
    yield from _listed("    not looked at", engine.gaps)


def _listed(title: str, items: Sequence[str]) -> Iterable[str]:
    return [f"{title}: {item}" for item in items]


def _defect(defect: Defect) -> str:
    where = [defect.vendor, defect.segment, defect.place, defect.at]
    return f"{defect.check}: {defect.what}" + "".join(f" [{part}]" for part in where if part)


def _reach(names: Sequence[str]) -> str:
    more = f" to {names[-1]} ({len(names)} states)" if names[1:] else ""
    return f"{names[0]}{more}"
