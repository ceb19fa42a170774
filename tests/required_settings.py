"""Settings that a balancer cannot be made without, for tests that make every one of them by its name."""

REQUIRED: dict[str, dict[str, object]] = {"torchjd": {"weighting": "PCGradWeighting"}}
