"""What scripts import as mlflow.store.db.db_types."""

from stepwell.as_mlflow.standing_in import stand_in

DATABASE_ENGINES = ["postgresql", "mysql", "sqlite", "mssql"]

stand_in(globals())
