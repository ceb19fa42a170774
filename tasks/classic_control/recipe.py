"""Cart-poles of other worlds: the equations of Barto, Sutton and Anderson 1983, with other lengths, masses and gravities."""

from __future__ import annotations

import gymnasium

REQUIRES = ("gymnasium>=1.2",)


def cartpole(gravity: float = 9.8, length: float = 0.5, force: float = 10.0) -> gymnasium.Env:
    """CartPole-v1 with a gravity in m/s^2, half the pole's length in m and a push in N; its own are 9.8, 0.5 and 10."""
    env = gymnasium.make("CartPole-v1", disable_env_checker=True)
    physics = env.unwrapped
    physics.gravity, physics.length, physics.force_mag = gravity, length, force
    physics.polemass_length = physics.masspole * length
    return env
