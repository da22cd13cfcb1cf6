"""The requests that MLflow's pages make, to MLflow's own server; the argument is a run."""

import os
import sys

import requests

base, run_id = os.environ["MLFLOW_TRACKING_URI"], sys.argv[1]
ajax = f"{base}/ajax-api/2.0/mlflow"


def answer(reply: requests.Response):
    assert reply.status_code == 200, (reply.url, reply.status_code, reply.text[:500])
    return reply.json()


run = answer(requests.get(f"{ajax}/runs/get", params={"run_id": run_id}))["run"]
experiment_id = run["info"]["experiment_id"]
assert requests.get(base).text.lower().startswith("<!doctype html>")
found = answer(
    requests.post(f"{ajax}/runs/search", json={"experiment_ids": [experiment_id], "max_results": 100})
)
assert run_id in [it["info"]["run_id"] for it in found["runs"]]
(parent,) = [it["info"]["run_id"] for it in found["runs"] if it["info"]["run_name"] == "parent"]
chart = answer(
    requests.get(
        f"{ajax}/metrics/get-history-bulk-interval",
        params={"run_ids": [parent, run_id], "metric_key": "loss", "max_results": 20},
    )
)
steps = [it["step"] for it in chart["metrics"]]
assert (steps[0], steps[-1]) == (-2, 100), steps
files = answer(requests.get(f"{ajax}/artifacts/list", params={"run_id": parent}))
assert "report.md" in [it["path"] for it in files["files"]], files
report = requests.get(f"{base}/get-artifact", params={"run_uuid": parent, "path": "report.md"})
assert report.text == "# Report"
menu = answer(requests.post(f"{ajax}/experiments/search-datasets", json={"experiment_ids": [experiment_id]}))
assert [it["name"] for it in menu["dataset_summaries"]] == ["numbers"], menu
assert answer(requests.post(f"{ajax}/logged-models/search", json={"experiment_ids": [experiment_id]})) == {}
of_nobody = {"filter": f"name = 'none of {run_id}'"}  # other tests register models, on the same server
assert answer(requests.get(f"{ajax}/registered-models/search", params=of_nobody)) == {}
query = "query Q($data: MlflowGetRunInput!){mlflowGetRun(input:$data){apiError{message} run{info{status}}}}"
graph = answer(
    requests.post(f"{base}/graphql", json={"query": query, "variables": {"data": {"runId": parent}}})
)
assert graph["data"]["mlflowGetRun"] == {"apiError": None, "run": {"info": {"status": "FINISHED"}}}, graph
