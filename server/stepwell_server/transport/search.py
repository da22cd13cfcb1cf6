"""SearchService on the wire: check, call, map, answer."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stepwell_api.v1 import search_pb2 as pb
from stepwell_api.v1 import search_pb2_grpc
from stepwell_server.errors import InvalidArgumentError
from stepwell_server.model.exploring import Kin, RunGroup
from stepwell_server.process.turns import mapped
from stepwell_server.search.queries import Projection
from stepwell_server.services.exploring.keys import KeyService
from stepwell_server.services.exploring.tables import ExploringService
from stepwell_server.services.exploring.views import ViewService
from stepwell_server.services.search import RunsWanted, SearchService
from stepwell_server.transport.mapping import (
    experiment_to_proto,
    parse_tags,
    parse_uuid,
    parse_view_type,
    run_to_proto,
)

_OfExperiments = (
    pb.SearchRunsRequest
    | pb.ChangeRunsRequest
    | pb.CountRunsRequest
    | pb.ListKeysRequest
    | pb.ListValuesRequest
    | pb.GroupRunsRequest
    | pb.ListChangedRunsRequest
)


class SearchServicer(search_pb2_grpc.SearchServiceServicer):
    """Answers the calls of `SearchService` in search.proto."""

    def __init__(
        self, service: SearchService, keys: KeyService, exploring: ExploringService, views: ViewService
    ) -> None:
        self._service = service
        self._keys = keys
        self._exploring = exploring
        self._views = views

    async def SearchRuns(self, request: pb.SearchRunsRequest, context: Any) -> pb.SearchRunsResponse:  # noqa: N802
        """Return a page of runs."""
        wanted = RunsWanted(
            experiment_ids=_experiment_ids(request),
            filter=request.filter,
            view=parse_view_type(request.view_type),
            order_by=list(request.order_by),
            page_size=request.page_size,
            page_token=request.page_token,
            projection=_projection(request),
            roots_only=request.roots_only,
        )
        runs, next_page_token = await self._service.runs(wanted)
        return pb.SearchRunsResponse(runs=await mapped(run_to_proto, runs), next_page_token=next_page_token)

    async def SearchExperiments(  # noqa: N802
        self, request: pb.SearchExperimentsRequest, context: Any
    ) -> pb.SearchExperimentsResponse:
        """Return a page of experiments."""
        experiments, next_page_token = await self._service.experiments(
            request.filter,
            parse_view_type(request.view_type),
            list(request.order_by),
            request.page_size,
            request.page_token,
        )
        return pb.SearchExperimentsResponse(
            experiments=map(experiment_to_proto, experiments), next_page_token=next_page_token
        )

    async def ChangeRuns(self, request: pb.ChangeRunsRequest, context: Any) -> pb.ChangeRunsResponse:  # noqa: N802
        """Change many runs."""
        experiment_ids = _experiment_ids(request)
        match request.WhichOneof("change"):
            case "delete":
                runs = await self._service.delete_runs(experiment_ids, request.filter)
            case "restore":
                runs = await self._service.restore_runs(experiment_ids, request.filter)
            case "tag":
                tags = parse_tags(request.tag.tags)
                runs = await self._service.tag_runs(experiment_ids, request.filter, tags)
            case _:
                raise InvalidArgumentError("set delete, restore or tag to say what happens to the runs")
        return pb.ChangeRunsResponse(runs=runs)

    async def CountRuns(self, request: pb.CountRunsRequest, context: Any) -> pb.CountRunsResponse:  # noqa: N802
        """Tell how many runs a search finds."""
        runs = await self._service.count(
            _experiment_ids(request), request.filter, parse_view_type(request.view_type)
        )
        return pb.CountRunsResponse(runs=runs)

    async def ListKeys(self, request: pb.ListKeysRequest, context: Any) -> pb.ListKeysResponse:  # noqa: N802
        """Tell which keys the latest runs have."""
        keys = await self._keys.keys(
            _experiment_ids(request), parse_view_type(request.view_type), request.pattern, request.limit
        )
        return pb.ListKeysResponse(
            params=map(_key_runs, keys.params),
            metrics=map(_key_runs, keys.metrics),
            tags=map(_key_runs, keys.tags),
            runs=keys.runs,
            complete=keys.complete,
        )

    async def ListValues(self, request: pb.ListValuesRequest, context: Any) -> pb.ListValuesResponse:  # noqa: N802
        """Tell which values a field has."""
        found = await self._exploring.values(
            _experiment_ids(request),
            parse_view_type(request.view_type),
            request.field,
            request.contains,
            request.limit,
        )
        values = [pb.ValueRuns(value=value, runs=runs) for value, runs in found.values]
        return pb.ListValuesResponse(values=values, runs=found.runs)

    async def GroupRuns(self, request: pb.GroupRunsRequest, context: Any) -> pb.GroupRunsResponse:  # noqa: N802
        """Put runs into groups."""
        groups, complete = await self._exploring.groups(
            _experiment_ids(request),
            parse_view_type(request.view_type),
            request.filter,
            list(request.by),
            list(request.metrics),
            request.limit,
        )
        return pb.GroupRunsResponse(groups=map(_group_to_proto, groups), complete=complete)

    async def ListKin(self, request: pb.ListKinRequest, context: Any) -> pb.ListKinResponse:  # noqa: N802
        """Tell where runs stand among those that were started inside each other."""
        run_ids = [parse_uuid(run_id, "run_ids") for run_id in request.run_ids]
        kin = await self._exploring.kin(run_ids, parse_view_type(request.view_type))
        return pb.ListKinResponse(kin=map(_kin_to_proto, kin))

    async def ListChangedRuns(  # noqa: N802
        self, request: pb.ListChangedRunsRequest, context: Any
    ) -> pb.ListChangedRunsResponse:
        """Tell which runs changed."""
        changes = await self._exploring.changes(_experiment_ids(request), request.since_ms)
        runs = [pb.RunChange(run_id=run_id.hex, changed_time_ms=at_ms) for run_id, at_ms in changes.runs]
        return pb.ListChangedRunsResponse(changes=runs, now_ms=changes.now_ms, complete=changes.complete)

    async def SummarizeExperiments(  # noqa: N802
        self, request: pb.SummarizeExperimentsRequest, context: Any
    ) -> pb.SummarizeExperimentsResponse:
        """Tell how many runs experiments have."""
        found = await self._exploring.summaries(list(request.experiment_ids))
        return pb.SummarizeExperimentsResponse(
            experiments=(pb.ExperimentSummary(**asdict(summary)) for summary in found)
        )

    async def SaveView(self, request: pb.SaveViewRequest, context: Any) -> pb.SaveViewResponse:  # noqa: N802
        """Keep a view."""
        view = await self._views.save(
            list(request.experiment_ids), request.name, request.address, replace=request.replace
        )
        return pb.SaveViewResponse(view=pb.View(**asdict(view)))

    async def ListViews(self, request: pb.ListViewsRequest, context: Any) -> pb.ListViewsResponse:  # noqa: N802
        """List views."""
        views = await self._views.views(list(request.experiment_ids))
        return pb.ListViewsResponse(views=(pb.View(**asdict(view)) for view in views))

    async def DeleteView(self, request: pb.DeleteViewRequest, context: Any) -> pb.DeleteViewResponse:  # noqa: N802
        """Remove a view."""
        await self._views.delete(request.view_id)
        return pb.DeleteViewResponse()


def _group_to_proto(group: RunGroup) -> pb.RunGroup:
    spreads = (
        pb.Spread(count=it.count, mean=it.mean, deviation=it.deviation, min=it.minimum, max=it.maximum)
        for it in group.metrics
    )
    return pb.RunGroup(
        values=[pb.GroupValue(value=value) for value in group.values], runs=group.runs, metrics=spreads
    )


def _kin_to_proto(kin: Kin) -> pb.Kin:
    ancestors = [run_id.hex for run_id in kin.ancestors]
    return pb.Kin(run_id=kin.run_id.hex, ancestor_ids=ancestors, children=kin.children)


def _key_runs(counted: tuple[str, int]) -> pb.KeyRuns:
    key, runs = counted
    return pb.KeyRuns(key=key, runs=runs)


def _experiment_ids(request: _OfExperiments) -> Sequence[int] | None:
    return None if request.all_experiments else list(request.experiment_ids)


def _projection(request: pb.SearchRunsRequest) -> Projection:
    return Projection(
        params=list(request.params.key) if request.HasField("params") else None,
        metrics=list(request.metrics.key) if request.HasField("metrics") else None,
        tags=list(request.tags.key) if request.HasField("tags") else None,
        summaries=request.metric_summaries,
    )
