"""The registry of models: names, versions and aliases, and the folder that a MODEL operand means."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polygraft.core.errors import UserError, fault, nearest
from polygraft.tracking.mlflow_tracker import RUN_ID_TAG, MlflowTracker, open_client, refused
from polygraft.tracking.model_upload import model_folder
from polygraft.tracking.server import require_reachable, shown

_NAME = re.compile(r"(?P<name>[^@/\\.][^@/\\]*)(?:@(?P<alias>[^@/]+)|/(?P<version>\d+))?")


@dataclass(frozen=True)
class Version:
    """One version of a registered model. created: seconds since 1970. run_id: ours; metrics: the run's on the test split."""

    name: str
    number: int
    aliases: tuple[str, ...]
    created: float
    run_id: str | None
    mlflow_run_id: str | None
    metrics: Mapping[str, float]

    @property
    def age_s(self) -> float:
        """Seconds since it was registered."""
        return max(0.0, time.time() - self.created)


class ModelRegistry:
    """The models under their names, their versions and aliases. Raises UserError when MLflow is not to be had."""

    def __init__(self, uri: str) -> None:
        require_reachable(uri)
        self._uri, self._client = uri, open_client(uri)

    def register(self, name: str, model_uri: str, tracker: MlflowTracker) -> Version:
        """Make a new version of `name`: the first becomes `champion`, a later one takes over `challenger`.

        The model that a run has registered already stays the one it is: a run that is continued registers once.
        """
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise refused(self._uri, error) from error
        there = self._client.search_model_versions(f"run_id = '{tracker.run_id}'")
        made = next((each for each in there if each.name == name), None)
        if made is None:
            # Its place, not its URI: a registry in a database looks a URI up at MLflow's global tracking server, not at ours.
            logged = self._client.get_logged_model(model_uri.removeprefix("models:/"))
            made = self._client.create_model_version(
                name, logged.artifact_location, tracker.run_id, model_id=logged.model_id, await_creation_for=0
            )
        aliases = self._client.get_registered_model(name).aliases
        alias = "champion" if not aliases else "challenger"
        if str(made.version) not in map(str, aliases.values()):
            self._client.set_registered_model_alias(name, alias, made.version)
        return self._version(self._client.get_model_version(name, made.version))

    def versions(self, name: str | None = None) -> list[Version]:
        """All versions of one model or of all, by name, newest first. Raises UserError for an unknown name."""
        found = self._all(self._client.search_model_versions, f"name = '{name}'" if name else None)
        if name and not found:
            raise self._unknown(name)
        aliases = {model.name: model.aliases for model in self._all(self._client.search_registered_models, None)}
        versions = [self._version(each, aliases.get(each.name, {})) for each in found]
        return sorted(versions, key=lambda each: (each.name, -each.number))

    def resolve(self, operand: str) -> Path:
        """The model's folder that a MODEL operand means; one that is stored elsewhere is downloaded to a temporary folder.

        operand: `flights` (= @champion), `flights@alias`, `flights/3`, `models:/...`, `runs:/<id>/<name>` or a folder. A
        registered name wins over a folder of the same name; `./flights` is the folder.
        """
        if operand.startswith("runs:/"):
            return self._download(self._place_in_run(operand))
        if operand.startswith("models:/m-"):
            return self._download(self._place_of_logged(operand.removeprefix("models:/")))
        found = _NAME.fullmatch(operand.removeprefix("models:/"))
        try:
            if found is None:
                raise fault("there is no such model folder.", operand)
            return self._download(self._place_of(found["name"], found["alias"], found["version"]))
        except UserError:
            if Path(operand).is_dir():
                return model_folder(Path(operand))
            raise

    def _place_of(self, name: str, alias: str | None, number: str | None) -> str:
        from mlflow.exceptions import MlflowException

        try:
            aliases = self._client.get_registered_model(name).aliases
        except MlflowException as error:
            raise self._unknown(name) from error
        if number is None and (alias or "champion") not in aliases:
            listed = ", ".join(sorted(aliases)) or "none"
            raise fault(
                f"the model has no alias '{alias or 'champion'}'; it has {listed}. {name}/1 is a version.", name
            )
        number = number or str(aliases[alias or "champion"])
        there = sorted(int(each.version) for each in self._all(self._client.search_model_versions, f"name = '{name}'"))
        if int(number) not in there:
            raise fault(f"the model has no version {number}; it has {', '.join(map(str, there))}.", name)
        return self._client.get_model_version_download_uri(name, number)

    def _place_of_logged(self, model_id: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.get_logged_model(model_id).artifact_location)
        except MlflowException as error:
            raise refused(self._uri, error) from error

    def _place_in_run(self, operand: str) -> str:
        """Where the model lies that a run has logged under a name, as an output of the run or among its artifacts."""
        from mlflow.exceptions import MlflowException

        run_id, _, name = operand.removeprefix("runs:/").partition("/")
        try:
            run = self._client.get_run(run_id)
            outputs = run.outputs.model_outputs if run.outputs else []
            logged = [self._client.get_logged_model(output.model_id) for output in outputs]
        except MlflowException as error:
            raise refused(self._uri, error) from error
        return next(
            (str(each.artifact_location) for each in logged if each.name == name), f"{run.info.artifact_uri}/{name}"
        )

    def _download(self, place: str) -> Path:
        # Only places reach MLflow here: its lookups of `models:/` and `runs:/` partly go to its global server, not to ours.
        from mlflow.artifacts import download_artifacts
        from mlflow.exceptions import MlflowException

        try:
            return model_folder(Path(download_artifacts(artifact_uri=place, tracking_uri=self._uri)))
        except (MlflowException, OSError) as error:
            raise refused(self._uri, error) from error

    def _unknown(self, name: str) -> UserError:
        names = [model.name for model in self._all(self._client.search_registered_models, None)]
        listed = f" There are {', '.join(sorted(names)[:10])}." if names else " None is registered yet."
        return fault(f"no model is called '{name}'.{nearest(name, names) or listed}", shown(self._uri))

    def _all(self, search: Any, where: str | None) -> list[Any]:
        """Every page of a search."""
        page = search(filter_string=where)
        found = list(page)
        while page.token:
            page = search(filter_string=where, page_token=page.token)
            found += page
        return found

    def _version(self, made: Any, aliases: Mapping[str, str] | None = None) -> Version:
        aliases = self._client.get_registered_model(made.name).aliases if aliases is None else aliases
        tags, metrics = self._run(made.run_id)
        return Version(
            name=made.name,
            number=int(made.version),
            aliases=tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(made.version))),
            created=made.creation_timestamp / 1000,
            run_id=tags.get(RUN_ID_TAG),
            mlflow_run_id=made.run_id or None,
            metrics={key: value for key, value in metrics.items() if key.startswith("test/")},
        )

    def _run(self, run_id: str | None) -> tuple[Mapping[str, str], Mapping[str, float]]:
        from mlflow.exceptions import MlflowException

        try:
            data = self._client.get_run(run_id).data if run_id else None
        except MlflowException:  # a run may be deleted while its model lives on
            data = None
        return (data.tags, data.metrics) if data else ({}, {})
