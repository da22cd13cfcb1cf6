"""The part of StepwellClient that is about stages, aliases and tags of versions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stepwell.errors import StepwellException
from stepwell.registry import checks

if TYPE_CHECKING:
    from stepwell.entities.model_registry import ModelVersion
    from stepwell.registry.calls import RegistryCalls


class StageMethods:
    """What stands for a version, and where it stands."""

    tracking_uri: str
    _registry_uri: str | None

    @property
    def _registry(self) -> "RegistryCalls":
        raise NotImplementedError

    def transition_model_version_stage(
        self,
        name: str,
        version: int | str,
        stage: str,
        archive_existing_versions: bool = False,
        *,
        expect_version_in_stage: int | str | None = None,
        comment: str | None = None,
    ) -> "ModelVersion":
        """Move a version to a stage: None, Staging, Production, Archived (in any case), or one of the model's own.

        Args:
            name: of the registered model.
            version: which.
            stage: where to.
            archive_existing_versions: all others of the stage go to Archived, in the same transaction.
            expect_version_in_stage: the latest version that is in the stage now, 0 for none. INVALID_STATE when it is
                another: somebody was faster, and nothing changes.
            comment: why; the history shows it.
        """
        from stepwell_api.v1.registry_pb2 import TransitionStageRequest

        request = TransitionStageRequest(
            name=checks.name(name),
            version=checks.version(version),
            stage=checks.text(stage),
            archive_existing_versions=bool(archive_existing_versions),
            expect_version_in_stage=checks.expected(expect_version_in_stage),
        )
        return self._registry.move(request, comment)

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> "list[ModelVersion]":
        """Return the version with the greatest number of each stage; of all stages, None included, if none is named."""
        wanted = [stages] if isinstance(stages, str) else stages or ()
        return self._registry.latest_versions(checks.name(name), list(map(checks.text, wanted)))

    def set_registered_model_alias(
        self,
        name: str,
        alias: str,
        version: int | str,
        *,
        expect_version: int | str | None = None,
        comment: str | None = None,
    ) -> None:
        """Let an alias stand for a version, whatever it stood for before.

        With `expect_version` only if it stands for that one now, 0 for none; else INVALID_STATE.
        """
        expected = checks.expected(expect_version)
        self._registry.set_alias(
            checks.name(name), checks.text(alias), checks.version(version), expected, comment
        )

    def delete_registered_model_alias(self, name: str, alias: str, *, comment: str | None = None) -> None:
        """Remove an alias; none is no error."""
        self._registry.delete_alias(checks.name(name), checks.text(alias), comment)

    def get_model_version_by_alias(self, name: str, alias: str) -> "ModelVersion":
        """Return what an alias stands for; "latest" is the version with the greatest number.

        INVALID_PARAMETER_VALUE when there is no such alias.
        """
        return self._registry.get_version_by_alias(checks.name(name), checks.text(alias))

    def set_model_version_tag(
        self,
        name: str,
        version: int | str | None = None,
        key: str | None = None,
        value: Any = None,
        stage: str | None = None,
    ) -> None:
        """Set a tag of a version, which is named by its number or as the latest one of a stage."""
        number = self._number(name, version, stage)
        self._registry.update_version(name, number, tags={key or "": checks.tag_value(value)})

    def delete_model_version_tag(
        self,
        name: str,
        version: int | str | None = None,
        key: str | None = None,
        stage: str | None = None,
    ) -> None:
        """Remove a tag of a version, which is named by its number or as the latest one of a stage; none is no error."""
        self._registry.delete_version_tag(name, self._number(name, version, stage), key or "")

    def _number(self, name: str, version: int | str | None, stage: str | None) -> int:
        if (version is None) == (stage is None):
            raise StepwellException("Give either a version or a stage.", "INVALID_PARAMETER_VALUE")
        return checks.version(version) if stage is None else self._latest(name, stage).version

    def _latest(self, name: str, stage: str) -> "ModelVersion":
        """Return the latest version of a stage; RESOURCE_DOES_NOT_EXIST when there is none."""
        found = self.get_latest_versions(name, [stage])
        if not found:
            raise StepwellException(
                f"No version of {name!r} is in the stage {stage!r}.", "RESOURCE_DOES_NOT_EXIST"
            )
        return found[0]
