"""Methods for which a law does not hold, each with the reason: the one place."""

EXCEPTIONS = {
    "one task is a plain step": {
        "uncertainty": "its one loss is weighted by exp(-s) / 2",
        "db_mtl": "it follows the moving average of the log loss's gradient",
        "cagrad": "its step is the ball's farthest point, 1 + c times the gradient",
        "nash_mtl": "its step has a fixed length",
        "fairgrad": "its step's length is a power of the gradient's",
    },
    "the order of tasks does not matter": {
        "pcgrad": "the order of projections is drawn by the tasks' numbers",
        "gradvac": "the order of turns is drawn by the tasks' numbers",
    },
    "twice the losses are twice the gradient": {
        "famo": "it follows log losses, whose gradients do not see a factor",
        "db_mtl": "it follows log losses, whose gradients do not see a factor",
        "nash_mtl": "its step has a fixed length",
        "fairgrad": "its step's length is a power of the gradients'",
    },
}
