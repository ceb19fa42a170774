"""Methods for which a law does not hold, each with the reason: the one place."""

EXCEPTIONS = {
    "one task is a plain step": {
        "uncertainty": "its one loss is weighted by exp(-s) / 2",
        "db_mtl": "it follows the moving average of the log loss's gradient",
        "moco": "it follows a moving average that has moved half the way, of a gradient stretched to its loss",
        "scale_invariant": "it follows the log loss",
        "stch": "it follows the log loss",
        "cagrad": "its step is the ball's farthest point, 1 + c times the gradient",
        "nash_mtl": "its step has a fixed length",
        "fairgrad": "its step's length is a power of the gradient's",
    },
    "the order of tasks does not matter": {
        "pcgrad": "the order of projections is drawn by the tasks' numbers",
        "gradvac": "the order of turns is drawn by the tasks' numbers",
        "rlw": "its weights are drawn by the tasks' numbers",
        "krum": "of three tasks the nearest two have the same score, and the one that comes first is followed",
    },
    "twice the losses are twice the gradient": {
        "famo": "it follows log losses, whose gradients do not see a factor",
        "db_mtl": "it follows log losses, whose gradients do not see a factor",
        "scale_invariant": "it follows log losses, whose gradients do not see a factor",
        "stch": "it follows log losses, whose gradients do not see a factor",
        "go4align": "what risks have left of a task's share is exp(-step_size loss)",
        "moco": "the step on its weights is gamma times the Gramian, whatever that is",
        "nash_mtl": "its step has a fixed length",
        "fairgrad": "its step's length is a power of the gradients'",
    },
}
