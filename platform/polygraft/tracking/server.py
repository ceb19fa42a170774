"""Whether a tracking server answers, asked before anything heavy is imported."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from polygraft.core.errors import fault


def require_reachable(uri: str, timeout_s: float = 10.0) -> None:
    """Return when whatever stands behind a tracking URI answers, at once for a file. Raises UserError after `timeout_s`."""
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        reason = _within(timeout_s, lambda: _ask(uri.rstrip("/"), timeout_s))
    elif parts.hostname and parts.scheme.partition("+")[0] in ("postgresql", "mysql", "mssql"):
        host, port = parts.hostname, parts.port or {"postgresql": 5432, "mysql": 3306}.get(parts.scheme[:10], 1433)
        reason = _within(timeout_s, lambda: _knock(host, port, timeout_s))
    else:
        return
    if reason:
        raise fault(
            f"the MLflow tracking server does not answer ({reason}). Start it, correct MLFLOW_TRACKING_URI, or unset it to "
            "track in a local file.",
            shown(uri),
        )


def shown(uri: str) -> str:
    """The URI as it may be printed: without a password."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


def _ask(uri: str, timeout_s: float) -> str:
    """Why the server gives no answer; empty when it gives any: what it means is for MLflow to say."""
    try:
        # A question that every version answers and that needs its database.
        urllib.request.urlopen(
            f"{uri}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default", timeout=timeout_s
        ).close()
    except urllib.error.HTTPError as error:
        return "" if error.code < 500 or error.code == 501 else f"HTTP {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return _words(getattr(error, "reason", error))
    return ""


def _knock(host: str, port: int, timeout_s: float) -> str:
    try:
        socket.create_connection((host, port), timeout=timeout_s).close()
    except OSError as error:
        return _words(error)
    return ""


def _within(timeout_s: float, ask: Callable[[], str]) -> str:
    """The answer, or that there was none in time: a name server or a trickle of bytes must not hold the command up."""
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(ask()), name="reachable", daemon=True)
    asking.start()
    asking.join(timeout_s + 1)
    return answers[0] if answers else f"no answer in {timeout_s:.0f} s"


def _words(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
