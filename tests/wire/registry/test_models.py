"""Registered models: names, tags, aliases, searches."""

import pytest

from stepwell_api.v1 import registry_pb2 as pb
from tests.harness.calls import already_exists, invalid, invalid_state, not_found
from tests.wire.registry.conftest import Registry, tags


async def test_a_created_model_is_read_back(registry: Registry) -> None:
    created = await registry.model("größe 🚀 'x' \"y\"", description="d", tags=tags(b="2", a="1"))
    assert created.creation_time_ms == created.last_update_time_ms > 1_700_000_000_000
    assert [(tag.key, tag.value) for tag in created.tags] == [("a", "1"), ("b", "2")]
    assert created == await registry.get_model(created.name)
    async with already_exists("already exists"):
        await registry.model(created.name)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "blank"),
        (" \n", "blank"),
        ("a/b", "slashes"),
        ("a:b", "colons"),
        ("n" * 501, "500"),
        ("a\0", "NUL"),
    ],
)
async def test_names_that_no_model_can_have(registry: Registry, name: str, problem: str) -> None:
    async with invalid(problem):
        await registry.model(name)
    await registry.model()
    async with invalid(problem):
        await registry.update_model(new_name=name)


@pytest.mark.parametrize("name", ["n" * 500, "🚀" * 500, "%_\\", "a\nb", " a ", "..", "m-1", "7", "a'; --"])
async def test_odd_names_are_names(registry: Registry, name: str) -> None:
    await registry.model(name)
    assert (await registry.version(name)).name == name
    assert (await registry.get_model(name)).latest_versions[0].version == 1
    quoted = name.replace("'", "''")
    assert await registry.models(f"name = '{quoted}'") == [name]
    assert await registry.versions(f"name = '{quoted}'") == [(name, 1)]


async def test_a_history_of_elsewhere_comes_first_and_is_checked(registry: Registry) -> None:
    kind = pb.CHANGE_KIND_STAGE_CHANGED
    good = {"time_ms": 5, "kind": kind, "name": "old name", "version": 2, "before": "None", "user": "ada"}
    await registry.model(history=[pb.RegistryChange(**good)], creation_time_ms=3)
    first, second = await registry.changes("m")
    assert first == pb.RegistryChange(**good, number=first.number, imported=True)
    assert (second.kind, second.imported) == (pb.CHANGE_KIND_MODEL_CREATED, False)
    assert (await registry.get_model()).creation_time_ms == 3
    for wrong, problem in [
        ({"kind": 99}, "99 is not a kind"),
        ({"version": -1}, "-1 is no version"),
        ({"name": "a/b"}, "Invalid model name"),
        ({"time_ms": -1}, "the time of a change"),
        ({"user": "x" * 257}, "the user"),
    ]:
        async with invalid(problem):
            await registry.model("other", history=[pb.RegistryChange(**{**good, **wrong})])


async def test_models_change_and_go(registry: Registry) -> None:
    await registry.model(tags=tags(a="1"))
    await registry.version()
    await registry.alias("champion", 1)
    changed = await registry.update_model(description="new", tags=tags(b="2"), new_name="renamed")
    assert (changed.name, changed.description) == ("renamed", "new")
    assert [(tag.key, tag.value) for tag in changed.tags] == [("a", "1"), ("b", "2")]
    assert [(it.alias, it.version) for it in changed.aliases] == [("champion", 1)]
    assert (await registry.get("renamed", alias="champion")).version == 1
    async with not_found("'m'"):
        await registry.get_model()
    await registry.model()
    async with already_exists("already exists"):
        await registry.update_model(new_name="renamed")
    await registry.models_stub.DeleteRegisteredModel(pb.DeleteRegisteredModelRequest(name="renamed"))
    async with not_found("'renamed'"):
        await registry.get_model("renamed")
    assert await registry.versions() == []
    # A new one of the name begins anew.
    await registry.model("renamed")
    assert (await registry.version("renamed")).version == 1


async def test_tags_are_removed_and_none_is_no_error(registry: Registry) -> None:
    await registry.model(tags=tags(a="1"))
    for _ in range(2):
        await registry.models_stub.DeleteRegisteredModelTag(
            pb.DeleteRegisteredModelTagRequest(name="m", key="a")
        )
    assert not (await registry.get_model()).tags
    async with not_found("'none'"):
        request = pb.DeleteRegisteredModelTagRequest(name="none", key="a")
        await registry.models_stub.DeleteRegisteredModelTag(request)
    await registry.update_model(tags=tags(long="v" * 100_000))
    async with invalid("100,001"):
        await registry.update_model(tags=tags(long="v" * 100_001))
    async with invalid("may only have"):
        await registry.update_model(tags=tags(**{"a;b": "1"}))


async def test_an_alias_stands_for_one_version(registry: Registry) -> None:
    await registry.model()
    for _ in range(2):
        await registry.version()
    await registry.alias("champion", 1)
    await registry.alias("other", 1)
    assert list((await registry.get(version=1)).aliases) == ["champion", "other"]
    await registry.alias("champion", 2)
    assert (await registry.get(alias="champion")).version == 2
    assert list((await registry.get(version=1)).aliases) == ["other"]
    async with not_found("version=9"):
        await registry.alias("champion", 9)
    for _ in range(2):
        await registry.models_stub.DeleteAlias(pb.DeleteAliasRequest(name="m", alias="champion"))
    async with invalid("champion"):
        await registry.get(alias="champion")
    async with not_found("'none'"):
        await registry.get("none", alias="champion")
    async with invalid("alias"):
        await registry.get()


async def test_an_alias_that_somebody_moved_is_not_moved(registry: Registry) -> None:
    await registry.model()
    for _ in range(3):
        await registry.version()
    await registry.alias("champion", 1, expect_version=0)
    await registry.alias("champion", 2, expect_version=1)
    async with invalid_state("version 2, not for version 1"):
        await registry.alias("champion", 3, expect_version=1)
    assert (await registry.get(alias="champion")).version == 2


@pytest.mark.parametrize("alias", ["a", "A-b_c", "a" * 255, "größe", "7", "vx", "latest-1"])
async def test_aliases(registry: Registry, alias: str) -> None:
    await registry.model()
    await registry.version()
    await registry.alias(alias, 1)
    assert (await registry.get(alias=alias)).version == 1


@pytest.mark.parametrize(
    "alias", ["", "latest", "LATEST", "v1", "V12", "a b", "a/b", "a@b", "a" * 256, "a\n"]
)
async def test_what_is_no_alias(registry: Registry, alias: str) -> None:
    await registry.model()
    await registry.version()
    async with invalid("alias"):
        await registry.alias(alias, 1)


async def test_models_are_searched(registry: Registry) -> None:
    for name, team in [("b", "red"), ("a", "red"), ("c", "it's"), ("B%", "blue")]:
        await registry.model(name, tags=tags(team=team), description=f"of {team}")
    assert await registry.models() == ["B%", "a", "b", "c"]
    assert await registry.models("", "name DESC", page_size=1) == ["c", "b", "a", "B%"]
    assert await registry.models("name ILIKE 'b%'") == ["B%", "b"]
    assert await registry.models(r"name LIKE 'B#%' ESCAPE '#'") == ["B%"]
    assert await registry.models("tags.team = 'red' AND name != 'a'") == ["b"]
    assert await registry.models("tags.team = 'it''s' OR name = 'a'") == ["a", "c"]
    assert await registry.models("tags.team IS NULL") == []
    assert await registry.models("name IN ('a', 'c')", "creation_timestamp") == ["a", "c"]
    assert await registry.models("description REGEXP '^of b'") == ["B%"]
    # As MLflow 3's clients ask; of other tags, what has none is not found.
    assert await registry.models("name IN ('a', 'c') AND tag.`mlflow.prompt.is_prompt` != 'true'") == [
        "a",
        "c",
    ]
    assert await registry.models("tags.other != 'true'") == []
    await registry.version("c")
    assert (await registry.models("", "last_updated_timestamp DESC"))[0] == "c"


@pytest.mark.parametrize(
    ("filter_", "order_by", "problem"),
    [
        ("unknown = 'x'", [], "have no attribute 'unknown'"),
        ("metrics.a = 1", [], "no metrics"),
        ("name", [], "ends too early"),
        ("name REGEXP '('", [], "no regular expression"),
        ("", ["unknown"], "have no attribute"),
        ("", ["name", "name DESC"], "twice"),
    ],
)
async def test_searches_that_cannot_be_read(
    registry: Registry, filter_: str, order_by: list[str], problem: str
) -> None:
    async with invalid(problem):
        await registry.models(filter_, *order_by)


async def test_a_token_belongs_to_its_search(registry: Registry) -> None:
    for name in "ab":
        await registry.model(name)
    request = pb.SearchRegisteredModelsRequest(page_size=1)
    token = (await registry.models_stub.SearchRegisteredModels(request)).next_page_token
    async with invalid("page token"):
        await registry.models("name != 'x'", page_token=token)
    async with invalid("page size"):
        await registry.models(page_size=50_001)
