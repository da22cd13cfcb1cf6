from uuid import UUID

import pytest

from stepwell.addresses import Address, parse_address
from stepwell.wire import several, shards
from stepwell_server.store.postgres.pool import Pool
from tests.harness.store.logs import rows

RUNS = [UUID(int=number * 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835 % 2**128) for number in range(1_000)]


async def test_runs_are_hashed_as_postgresql_does(pool: Pool) -> None:
    found = await rows(pool, "SELECT uuid_hash(run_id) FROM unnest($1::uuid[]) AS given (run_id)", RUNS)
    assert [number % 2**32 for (number,) in found] == [shards.hash_of(run_id) for run_id in RUNS]


def test_servers_take_neighbouring_shards_each_as_many() -> None:
    for run_id in RUNS:
        assert shards.place_of(run_id, 4) == shards.place_of(run_id, 32) // 8
    counts = [[shards.place_of(run_id, 3) for run_id in RUNS].count(place) for place in range(3)]
    assert min(counts) > 280


def test_everybody_sends_a_run_to_the_same_server_however_they_are_named() -> None:
    one, other = (parse_address(uri).places for uri in ("grpc://a,b:1,c", "grpc://c,a,b:1"))
    assert {several.of_run(one, it) for it in RUNS} == set(one)
    assert all(several.of_run(one, it) == several.of_run(other, it) for it in RUNS)


async def test_the_servers_that_are_left_share_the_clients_of_one_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = parse_address("grpc://a,b,c,d").places

    async def listens(place: Address) -> bool:
        return place != places[3]

    monkeypatch.setattr(several, "listens", listens)
    trusted = [await several.in_turn(places, places[1], is_distrusted=False) for _ in range(60)]
    assert {each[0] for each in trusted} == {places[1]}
    assert {each[1] for each in trusted} == {places[0], places[2]}
    left = [await several.in_turn(places, places[1], is_distrusted=True) for _ in range(60)]
    assert {tuple(each) for each in left} == {
        (places[0], places[2], places[1]),
        (places[2], places[0], places[1]),
    }
