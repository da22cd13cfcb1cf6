import { HOME } from "../api/clients";
import { pythonText } from "../format/quoting";

/** The address of this server as scripts name it. */
export const SERVER = HOME.replace(/\/$/, "");

const begin = (experiment: string): string => `import stepwell

stepwell.set_tracking_uri(${pythonText(SERVER)})
stepwell.set_experiment(${pythonText(experiment)})
`;

/** A whole script that logs a run into an experiment. */
export function firstRun(experiment: string): string {
  return `import math
import random

${begin(experiment)}
with stepwell.start_run():
    stepwell.log_params({"lr": 0.1, "batch_size": 32})
    for step in range(1_000):
        loss = math.exp(-step / 300) + 0.05 * random.random()
        stepwell.log_metric("loss", loss, step=step)
`;
}

/** How a script's machine signs in, where the server knows accounts. */
export const LOGIN = `stepwell login --browser --tracking-uri ${SERVER}
`;

/** How a script that says `import mlflow` logs here without a change. */
export const FOR_MLFLOW = `export MLFLOW_TRACKING_URI=${SERVER}
python -m stepwell.as_mlflow train.py
`;

/** A whole script that logs a model into an experiment and registers it. */
export const firstModel = (experiment: string): string => `from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

${begin(experiment)}
data, classes = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=1_000).fit(data, classes)
with stepwell.start_run():
    stepwell.log_metric("accuracy", model.score(data, classes))
    stepwell.sklearn.log_model(model, name="iris", registered_model_name="iris")
`;

/** What brings something to the parts of a run's page, inside of a run. */
export const METRICS = `stepwell.log_metric("loss", loss, step=step)
`;

export const FILES = `stepwell.log_artifact("report.html")
stepwell.log_figure(figure, "confusion.png")
stepwell.log_table({"input": inputs, "output": outputs}, "answers.json")
`;

export const TABLES = `stepwell.log_table({"input": inputs, "output": outputs}, "answers.json")
`;

export const CONSOLE = `with stepwell.start_run(log_console=True):
    ...
`;
