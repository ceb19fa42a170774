"""Methods for which a law does not hold, each with the reason: the one place."""

EXCEPTIONS = {
    "one task is a plain step": {
        "uncertainty": "its one loss is weighted by exp(-s) / 2",
        "db_mtl": "it follows the moving average of the log loss's gradient",
    },
    "the order of tasks does not matter": {
        "pcgrad": "the order of projections is drawn by the tasks' numbers",
    },
    "twice the losses are twice the gradient": {
        "famo": "it follows log losses, whose gradients do not see a factor",
        "db_mtl": "it follows log losses, whose gradients do not see a factor",
    },
}
