"""``quoter replay``: drive the same core by a recorded run: verify it, or explain one event of it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from engine.cli.exits import FAILED, REFUSED, TEXT
from engine.cli.options import print_json, progress_bar

if TYPE_CHECKING:
    from engine.journal.replay import Replayed


@click.command(epilog=TEXT)
@click.argument("journal", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Compare every request with the recorded one (SHA-256 of all bytes).")
@click.option("--until", type=click.IntRange(min=0), metavar="SEQ", help="Stop behind the event of this record.")
@click.option("--explain", is_flag=True, help="Show the last event: state, input, every intermediate of the model.")
@click.option("--strategy", metavar="MODULE:FUNCTION", help="The strategy of the run, where it had its own.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; times in ns.")
def command(journal: Path, verify: bool, until: int | None, explain: bool, strategy: str | None, as_json: bool) -> None:
    """Replay JOURNAL, the directory of a run, or of runs (then the latest), through the same core.

    Always compares what is sent with what was; status 1 when they differ or the journal is damaged. A login's token is
    not in the journal: the request is compared without it.
    """
    from engine.journal.replay import CannotReplay, replay
    from engine.live.strategy import StrategyRefused
    from feed.journal import JournalDamaged, run_directory

    try:
        directory = run_directory(journal)
        with progress_bar("replaying") as progress:
            result = replay(directory, until=until, strategy=strategy, progress=progress)
    except JournalDamaged as damaged:
        fields = {"file": str(damaged.file), "offset": damaged.offset, "record": damaged.sequence}
        remedy = f"everything before it is whole: --until {max(damaged.sequence - 1, 0)} replays it"
        _fail(f"{damaged}; {remedy}", FAILED, as_json, **fields)
    except (CannotReplay, StrategyRefused, TypeError, OSError) as refused:
        _fail(str(refused), REFUSED, as_json)
    if as_json:
        print_json(_report(result, directory, explain))
    else:
        click.echo("\n".join(_lines(result, directory, verify, explain)))
    if not result.identical:
        sys.exit(FAILED)


def _fail(why: str, status: int, as_json: bool, **fields: Any) -> NoReturn:
    if as_json:
        print_json({"ok": False, "error": why, **fields})
    else:
        click.echo(why, err=True)
    sys.exit(status)


def _report(result: "Replayed", directory: Path, explain: bool) -> dict[str, Any]:
    from engine.journal.explain import event_told, explanation

    report: dict[str, Any] = {"ok": result.identical, "journal": str(directory), **result.report()}
    if (difference := result.difference) is not None:
        report["difference"] = {
            "event": event_told(difference.event),
            "output": difference.index,
            "recorded": _text(difference.recorded),
            "replayed": _text(difference.replayed),
        }
    if explain:
        report["explanation"] = explanation(result)
    return report


def _lines(result: "Replayed", directory: Path, verify: bool, explain: bool) -> list[str]:
    from engine.journal.explain import event_told, explanation, lines
    from engine.journal.plan_text import build_facts

    shown = [f"{directory}: {result.records:,} records, {result.inputs:,} inputs, {result.outputs:,} requests"]
    if result.cut_bytes:
        shown.append(f"torn tail: {result.cut_bytes} bytes after the last complete record were left out")
    shown += [f"the core raised at {error}" for error in result.errors[:10]]
    if (difference := result.difference) is not None:
        event = event_told(difference.event)
        shown += [
            f"DIFFERS at record {event['sequence']}, {event['kind']} at {event['now_ns']} ns, in request "
            f"{difference.index} of this event:",
            f"  input     {json.dumps(event['input'])}",
            f"  recorded  {_text(difference.recorded)}",
            f"  replayed  {_text(difference.replayed)}",
        ]
        if result.start["build"] != build_facts():
            shown.append(f"the journal was written by another build: {json.dumps(result.start['build'])}")
    elif verify or not explain:
        shown.append(f"identical: SHA-256 {result.replayed_sha256}")
    if explain:
        shown += lines(result.core, explanation(result))
    return shown


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "replace")
