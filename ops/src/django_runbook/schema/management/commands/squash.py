"""`manage.py squash`: fewer migrations, proved to give the same, and the transition to them."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from django_runbook.config import ConfigError, of_settings
from django_runbook.schema.errors import MigrationsError
from django_runbook.schema.guard.commands import add_confirm, confirmed
from django_runbook.schema.history.graph import loaded
from django_runbook.schema.history.near_names import require_apps
from django_runbook.schema.management.arguments import add_database
from django_runbook.schema.management.one_line import REFUSED
from django_runbook.schema.management.progress import Progress
from django_runbook.schema.squash import report
from django_runbook.schema.squash.cuts import proved_plan
from django_runbook.schema.squash.finish.environments import everywhere
from django_runbook.schema.squash.finish.proved_files import folder_of, land, proof_files
from django_runbook.schema.squash.finish.transition import finish, prepare
from django_runbook.schema.squash.finish.worktree import require_committed
from django_runbook.schema.squash.proof.verification import verify
from django_runbook.text.cleaning import unbroken

WRONG_USAGE = 2
HELP = {
    "app_label": "The app to squash; with --verify all where none is named.",
    "--from": "The first migration, or how its name begins (default: the app's first).",
    "--to": "The last migration, or how its name begins (default: the app's last).",
    "--dry-run": "Plan and prove, and write nothing.",
    "--verify": "Check that committed proofs still hold for the files.",
    "--finish": "Remove the old files, once every environment has recorded the squash.",
    "--applied": "With --finish: what 'applied_migrations --json' wrote in an environment.",
    "--no-environments": "With --finish: there is no database anywhere to be asked.",
    "--json": "Print one JSON object.",
}


class Command(BaseCommand):
    """Parses, calls the services, prints. Django's own ``squashmigrations`` stays as it is."""

    help = "Squash an app's migrations, with a proof that nothing is lost"
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the app and the options."""

        def add(name: str, **more: Any) -> None:
            parser.add_argument(name, help=HELP[name], **more)

        add("app_label", nargs="?", metavar="APP")
        add("--from", dest="first", metavar="NAME")
        add("--to", dest="last", metavar="NAME")
        add("--dry-run", action="store_true")
        add("--verify", action="store_true")
        add("--finish", action="store_true")
        add("--applied", action="append", default=[], type=environment_list, metavar="NAME=FILE")
        add("--no-environments", action="store_true")
        add_database(parser, "The alias to try the migrations out for, on scratch databases.")
        add("--json", action="store_true")
        add_confirm(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Squash, verify or finish; exit code 3 where that is refused, 1 where it fails."""
        require_sense(options)
        with refusals_in_one_line():
            if options["verify"]:
                self._verify(options)
            elif options["finish"]:
                self._finish(options)
            else:
                self._squash(options)

    def _squash(self, options: dict[str, Any]) -> None:
        folder = folder_of(options["app_label"])
        if folder and not options["dry_run"]:
            require_committed(folder)  # before the work begins; it is looked at again in the end
        with closing(Progress(self.stderr, quiet=options["verbosity"] == 0)) as progress:
            found = proved_plan(
                loaded(),
                options["app_label"],
                options["first"],
                options["last"],
                alias=options["database"],
                progress=progress,
            )
        plan, proof = found.plan, found.proof
        written: tuple[Path, ...] = ()
        if proof.complete and not options["dry_run"]:
            written = land(plan, proof)
        if options["json"]:
            facts = {**asdict(found), "written": written}
            self.stdout.write(json.dumps(facts, default=str, indent=2))
        else:
            self._print(*report.plan_lines(found))
            self._print(*(report.proof_lines(proof) if plan.segments else ()))
            self._print(*(f"Wrote {report.short(file)}" for file in written))
        if not plan.segments:
            raise MigrationsError(f"Nothing of {plan.app_label} can be squashed.")
        if not proof.complete:
            raise CommandError(f"Nothing was written. {report.next_step(proof, plan)}")
        if not options["json"]:
            self._print(*report.after_lines(plan, dry=options["dry_run"]))

    def _verify(self, options: dict[str, Any]) -> None:
        files = proof_files(options["app_label"])
        checked = [verify(file, alias=options["database"]) for file in files]
        if options["json"]:
            facts = [asdict(one) for one in checked]
            self.stdout.write(json.dumps(facts, default=str, indent=2))
        else:
            self._print(*(line for one in checked for line in report.verified_lines(one)))
        failed = sum(not one.holds for one in checked)
        if failed:
            raise CommandError(f"{failed} of {len(checked)} proof(s) do not hold.")
        if not options["json"]:
            self._print(f"{len(checked)} proof(s) hold.")

    def _finish(self, options: dict[str, Any]) -> None:
        found, problems = everywhere(
            of_settings(),
            dict(options["applied"]),
            none=options["no_environments"],
            now=timezone.now(),
        )
        prepared = prepare(options["app_label"], environments=found)
        lines = [*problems, *map(report.unready_line, prepared.unready)]
        if lines:
            for line in lines:
                self.stderr.write(unbroken(line))
            raise MigrationsError(
                f"Not every environment has recorded the squash of {prepared.app_label}; "
                "nothing was changed."
            )
        if not options["dry_run"]:
            confirmed(options, f"Remove squashed migrations of {prepared.app_label}, applied to")
            finish(prepared)
        self._print(*report.finish_lines(prepared, done=not options["dry_run"]))

    def _print(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)


def environment_list(word: str) -> tuple[str, Path]:
    """Return the environment and the file that ``NAME=FILE`` names."""
    name, equals, file = word.partition("=")
    if not (name and equals and file):
        raise CommandError(
            f"--applied {word} is not NAME=FILE, as in --applied production=production.json.",
            returncode=WRONG_USAGE,
        )
    return name, Path(file)


def require_sense(options: dict[str, Any]) -> None:
    """Raise ``CommandError`` with code 2 for options that do not go together."""

    def refuse(message: str) -> None:
        raise CommandError(message, returncode=WRONG_USAGE)

    ranged = [f"--{name}" for name, key in (("from", "first"), ("to", "last")) if options[key]]
    if options["verify"] and options["finish"]:
        refuse("--verify and --finish do not go together.")
    if ranged and (options["verify"] or options["finish"]):
        refuse(f"{ranged[0]} goes with neither --verify nor --finish.")
    if not options["finish"] and (options["applied"] or options["no_environments"]):
        refuse("--applied and --no-environments go with --finish.")
    if options["app_label"]:
        require_apps([options["app_label"]])
    elif not options["verify"]:
        refuse("Name the app, as in 'inv db.squash users'.")


@contextmanager
def refusals_in_one_line() -> Iterator[None]:
    """Raise ``CommandError`` with code 3 for what is refused: nothing was changed then."""
    try:
        yield
    except (MigrationsError, ConfigError) as refusal:
        raise CommandError(str(refusal), returncode=REFUSED) from refusal
