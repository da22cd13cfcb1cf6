"""Arguments and options that commands about registered models share."""

import click

name = click.argument("name")
version = click.argument("version", type=click.IntRange(1))
comment = click.option("--comment", "-m", help="Why; the history shows it.")
filter_string = click.option("--filter", "filter_string", default="", help="Which; see docs/registry.md.")
order_by = click.option("--order-by", multiple=True, help="For example 'name DESC'; may be repeated.")
limit = click.option("--limit", type=click.IntRange(1), help="At most so many.  [default: all]")
