import mlflow.pyfunc
from mlflow.models import set_model


class Plus(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return [it + context.model_config["n"] for it in model_input]


set_model(Plus())
