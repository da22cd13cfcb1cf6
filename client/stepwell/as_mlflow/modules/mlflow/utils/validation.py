"""What scripts import as mlflow.utils.validation: limits. Batches have none; callers cut them by these."""

from stepwell import values
from stepwell.as_mlflow.standing_in import stand_in

MAX_PARAM_VAL_LENGTH = values.PARAM_VALUE_CHARS_MAX
MAX_TAG_VAL_LENGTH = values.RUN_TAG_VALUE_CHARS_MAX
MAX_ENTITY_KEY_LENGTH = values.KEY_CHARS_MAX
MAX_EXPERIMENT_NAME_LENGTH = values.EXPERIMENT_NAME_CHARS_MAX
MAX_EXPERIMENT_TAG_VAL_LENGTH = values.EXPERIMENT_TAG_VALUE_CHARS_MAX
MAX_PARAMS_TAGS_PER_BATCH = 100
MAX_METRICS_PER_BATCH = 1_000
MAX_ENTITIES_PER_BATCH = 1_000

stand_in(globals())
