"""MLflow's own client and server on top of a Stepwell server, by MLflow's entry points.

    pip install 'stepwell[mlflow]'
    MLFLOW_TRACKING_URI=grpc://127.0.0.1:50051 python train.py     # which says `import mlflow`

    mlflow.log_metric()
     │ tracking.py       TrackingStore: MLflow's store, method by method
     │ run_logs.py       log calls: into the spool of the run, without a call to the server
     │ client, wire      all other calls: as `import stepwell` makes them
     ▼ entities.py       our entities become MLflow's; errors.py: our exceptions too

Made for mlflow 2.22 to 3; what newer ones add to MLflow's stores raises MLflow's own "not implemented".
"""
