"""Experiments."""

from starlette.responses import Response

from stepwell_server.services.experiments import ExperimentService
from stepwell_server.services.search import SearchService
from stepwell_server.web.mlflow.answers import answer
from stepwell_server.web.mlflow.entities import ARTIFACT_ROOT, VIEWS, experiment_json, required_experiment_id
from stepwell_server.web.mlflow.requests import Message
from stepwell_server.web.mlflow.search import gathered, results_wanted


class Experiments:
    """Answers `experiments/…`."""

    def __init__(self, experiments: ExperimentService, search: SearchService) -> None:
        self._experiments = experiments
        self._search = search

    async def create(self, message: Message) -> Response:
        """Create an experiment. Who names the place of proxied artifacts gets the default, which is that."""
        location = message.text("artifact_location") or ""
        if location.startswith(ARTIFACT_ROOT):
            location = ""
        name = message.required_text("name")
        created = await self._experiments.create(name, location, dict(message.pairs("tags")))
        return answer({"experiment_id": str(created.experiment_id)})

    async def get(self, message: Message) -> Response:
        """Return an experiment."""
        found = await self._experiments.get(_id(message))
        return answer({"experiment": experiment_json(found)})

    async def get_by_name(self, message: Message) -> Response:
        """Return an experiment by its name."""
        found = await self._experiments.get_by_name(message.required_text("experiment_name"))
        return answer({"experiment": experiment_json(found)})

    async def search(self, message: Message) -> Response:
        """Return a page of experiments."""
        view = message.choice("view_type", VIEWS) or VIEWS["ACTIVE_ONLY"]
        filter_, order_by = message.text("filter") or "", message.texts("order_by")
        found, token = await gathered(
            message,
            lambda size, token: self._search.experiments(filter_, view, order_by, size, token),
            experiment_json,
            results_wanted(message),
        )
        return answer({"experiments": found, "next_page_token": token})

    async def update(self, message: Message) -> Response:
        """Rename an experiment."""
        await self._experiments.update(_id(message), message.required_text("new_name"), {})
        return answer({})

    async def set_tag(self, message: Message) -> Response:
        """Set a tag."""
        tag = {message.required_text("key"): message.text("value") or ""}
        await self._experiments.update(_id(message), None, tag)
        return answer({})

    async def delete_tag(self, message: Message) -> Response:
        """Remove a tag."""
        await self._experiments.delete_tag(_id(message), message.required_text("key"))
        return answer({})

    async def delete(self, message: Message) -> Response:
        """Delete an experiment with its runs."""
        await self._experiments.delete(_id(message))
        return answer({})

    async def restore(self, message: Message) -> Response:
        """Restore an experiment with its runs."""
        await self._experiments.restore(_id(message))
        return answer({})


def _id(message: Message) -> int:
    return required_experiment_id(message)
