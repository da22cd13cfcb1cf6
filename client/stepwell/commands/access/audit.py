"""`stepwell audit`: who did what, when, from where."""

import click

from stepwell.commands import output
from stepwell.commands.access.server import ask, plain_time
from stepwell.commands.groups import HELP_NAMES, tracking_uri_option
from stepwell.commands.output import as_json, reporting
from stepwell_api.v1 import access_pb2 as pb

LIMIT_DEFAULT = 100
PAGE_MAX = 1_000


@click.command(
    context_settings={"show_default": True, "help_option_names": HELP_NAMES}, params=[tracking_uri_option()]
)
@click.option("--user", default="", show_default=False, help="Only what an account did.")
@click.option(
    "--action", default="", show_default=False, help="Only what begins so, as token, or login.failed."
)
@click.option("--limit", default=LIMIT_DEFAULT, type=click.IntRange(min=1), help="How many entries.")
@as_json
@reporting
def audit(user: str, action: str, limit: int, as_json: bool) -> None:
    """Show logins that failed, tokens, accounts, roles, deletes and moves of stages, the latest first; for admins."""
    found: list[pb.AuditEntry] = []
    while len(found) < limit:
        request = pb.ListAuditRequest(
            account=user,
            action=action,
            before_number=found[-1].number if found else 0,
            limit=min(limit - len(found), PAGE_MAX),
        )
        more = ask(lambda it: it.access.ListAudit(request)).entries  # noqa: B023 - it is called at once
        found += more
        if len(more) < request.limit:
            break
    columns = ("time", "user", "action", "subject", "from")
    rows = [(plain_time(it.time_ms), it.account, it.action, it.subject, it.origin) for it in found]
    output.print_rows(columns, rows, json_too=as_json)
